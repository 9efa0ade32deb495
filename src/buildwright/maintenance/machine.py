"""The checks of this machine: tools, keys, disk, database, servers of a cluster. Must never show a key, nor mend anything.

They run programs only to see that they work, and contact only our own servers, and model providers when asked to.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from buildwright.core.terminal import strip_controls
from buildwright.errors import BuildwrightError
from buildwright.settings import SHARED, Settings

_PATIENCE_SECONDS = 10.0
_SERVER_SECONDS = 5.0
_LITTLE_SPACE = 1024**3
_LONGEST = 200
"""Characters that are shown of what a program says of itself."""


class CheckOutcome(NamedTuple):
    """What one check found. The last three are given only where they differ from those of the check."""

    ok: bool
    found: str
    costs: str | None = None
    fix: str | None = None
    required: bool | None = None


class DoctorCheck(NamedTuple):
    """One check. `costs` says what the user cannot do when it fails, `fix` how to mend that; "" where nothing must be."""

    name: str
    required: bool
    costs: str
    fix: str
    look: Callable[[Settings], Awaitable[CheckOutcome]]
    when: Literal["always", "cluster", "online"] = "always"
    is_quick: bool = True
    """Whether it is done within a second or two, and starts no container."""


class CheckResult(NamedTuple):
    """The result of one check, as `--json` prints it."""

    name: str
    ok: bool
    required: bool
    found: str
    costs: str
    fix: str


async def examine(settings: Settings, checks: Sequence[DoctorCheck] = (), *, online: bool = False) -> list[CheckResult]:
    """Run the checks concurrently, `CHECKS` when none are given, and return their results in order.

    A missing program or server is a result, never an error.
    """
    import asyncio

    due = {"always", *(["cluster"] if settings.database_url else []), *(["online"] if online else [])}
    chosen = [check for check in checks or CHECKS if check.when in due]
    seen = await asyncio.gather(*(check.look(settings) for check in chosen))
    return [
        CheckResult(
            check.name,
            one.ok,
            check.required if one.required is None else one.required,
            one.found,
            check.costs if one.costs is None else one.costs,
            check.fix if one.fix is None else one.fix,
        )
        for check, one in zip(chosen, seen, strict=True)
    ]


async def _python(_settings: Settings) -> CheckOutcome:
    """Check the version of Python."""
    version = platform.python_version_tuple()
    return CheckOutcome((int(version[0]), int(version[1])) >= (3, 11), platform.python_version())


async def _program(names: str, _settings: Settings, ask: str = "--version") -> CheckOutcome:
    """Check that the first program of `names` (separated by spaces) that is on the search path answers `ask`."""
    import asyncio

    path = next((path for name in names.split() if (path := shutil.which(name))), None)
    if path is None:
        return CheckOutcome(False, "")
    version = await asyncio.to_thread(_version_of, path, ask)
    return CheckOutcome(bool(version), version or f"{path} does not answer")


async def _git(settings: Settings) -> CheckOutcome:
    """Check that git is there and new enough for `git merge-tree`."""
    seen = await _program("git", settings)
    word = next((word for word in seen.found.split() if word[:1].isdigit()), "0")
    if seen.ok and tuple(int(part) for part in word.split(".")[:2] if part.isdigit()) < (2, 38):
        return CheckOutcome(False, seen.found, "git merge-tree needs git 2.38 or newer", "install it")
    return seen


async def _bubblewrap(settings: Settings) -> CheckOutcome:
    """Check that bubblewrap is there and can make a sandbox on this machine."""
    from buildwright.sandbox import Bubblewrap

    seen = await _program("bwrap", settings)
    # In a container bubblewrap is often installed but not allowed to work.
    reason = await Bubblewrap().usable() if seen.ok else None
    return CheckOutcome(False, f"{seen.found}, {reason}") if reason else seen


async def _containers(settings: Settings) -> CheckOutcome:
    """Check that a container engine is there and that a command can run in a container of it."""
    from buildwright.errors import BuildwrightError
    from buildwright.sandbox.container import ContainerSandbox

    try:
        wall = ContainerSandbox(settings.tag, settings.environment)
        await wall.prove()
    except BuildwrightError as error:
        return CheckOutcome(False, "", f"--sandbox container cannot be used: {error}", error.fix)
    await wall.remove_all()
    return CheckOutcome(True, wall.seen)


def _version_of(path: str, ask: str) -> str:
    """Return the first line that the program at `path` prints for `ask`, without colors; "" when it fails."""
    command, null, patience = [path, ask], subprocess.DEVNULL, _PATIENCE_SECONDS
    try:
        done = subprocess.run(command, stdin=null, capture_output=True, check=True, timeout=patience)
    except (OSError, subprocess.SubprocessError):
        return ""
    said = strip_controls(done.stdout.decode(errors="replace")).strip()
    return next(iter(said.splitlines()), "")[:_LONGEST]


async def _claude_sdk(_settings: Settings) -> CheckOutcome:
    """Check that the Claude Agent SDK is installed."""
    there = importlib.util.find_spec("claude_agent_sdk") is not None
    return CheckOutcome(there, importlib.metadata.version("claude-agent-sdk") if there else "")


async def _home(settings: Settings) -> CheckOutcome:
    """Check that the home can be written and that its disk has free space."""
    folder = next(folder for folder in (settings.home, *settings.home.parents) if folder.is_dir())
    free = shutil.disk_usage(folder).free
    found = f"{settings.home} ({free / 1024**3:.1f} GiB free)"
    if not os.access(folder, os.W_OK):
        return CheckOutcome(False, found, "it cannot be written", "set BUILDWRIGHT_HOME to a folder that can")
    if folder == settings.home and folder.stat().st_mode & 0o002:
        found += f"; every user of this machine can change what is in it: chmod 700 {folder}"
    return CheckOutcome(free >= _LITTLE_SPACE, found)


async def _database(settings: Settings) -> CheckOutcome:
    """Check that the SQLite database under the home has the revision that is needed."""
    from buildwright.store.revisions import head, version

    wanted = head()
    found = await version(settings.database) if settings.database.is_file() else ""
    if not found:
        return CheckOutcome(True, f"not made yet (revision {wanted} will be)")
    return CheckOutcome(found == wanted, f"revision {found}", f"revision {wanted} is needed")


async def _mode(settings: Settings) -> CheckOutcome:
    """Tell whether builds run in one process or in a cluster, and what names the cluster."""
    if not settings.database_url:
        return CheckOutcome(True, "one process, which keeps all it knows in the home")
    named = f"named by {', '.join(SHARED)}" if settings.names_cluster else f"kept in {settings.cluster}"
    return CheckOutcome(True, f"cluster {named}")


def _fix(settings: Settings) -> str:
    """Return what to do when a server of the cluster cannot be reached."""
    if settings.names_cluster:
        return "start the server, or unset " + ", ".join(SHARED)
    return "run buildwright cluster up"


async def _postgres(settings: Settings) -> CheckOutcome:
    """Check that PostgreSQL answers, has the needed revision, and is not open to other machines without a password."""
    import asyncpg

    from buildwright.store.opening import revisions
    from buildwright.store.postgres_opening import stored_revision
    from buildwright.store.postgres_pool import address_of, fault

    url, failures = settings.database_url, (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, BuildwrightError)
    try:
        address = address_of(url)
        connection = await asyncpg.connect(address.dsn, timeout=_SERVER_SECONDS)
        try:
            version = await connection.fetchval("SHOW server_version")
            listens = await connection.fetchval("SHOW listen_addresses")
            revision = await stored_revision(connection, address.shown)
        finally:
            connection.terminate()
    except failures as error:
        told = error if isinstance(error, BuildwrightError) else fault(error, address_of(url).shown)
        return CheckOutcome(False, str(told), "builds of the cluster cannot be seen", _fix(settings), True)
    where = address.shown.partition("@")[2] or address.shown
    shown = f"{version.split()[0]} at {where}, revision {revision or 'none yet'}"
    if revision not in {None, revisions()[-1]}:
        return CheckOutcome(False, shown, f"revision {revisions()[-1]} is needed", "run buildwright db migrate", True)
    open_to_all = not _only_here(url, listens.split(",")) and not await _postgres_asks(address.dsn)
    return CheckOutcome(not open_to_all, shown + (", without a password" if open_to_all else ""))


async def _postgres_asks(dsn: str) -> bool:
    """Return whether PostgreSQL refuses a connection without a password."""
    import asyncpg

    try:
        connection = await asyncpg.connect(dsn, password="", timeout=_SERVER_SECONDS)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return True
    connection.terminate()
    return False


async def _redis(settings: Settings) -> CheckOutcome:
    """Check that Redis answers, and is not open to other machines without a password."""
    from redis.exceptions import RedisError

    parts = urlsplit(settings.redis_url)
    where = parts.netloc.rpartition("@")[2]
    client = _redis_client(settings.redis_url)
    try:
        version = (await client.info("server"))["redis_version"]
        bound = ""
        with contextlib.suppress(RedisError):  # a hosted Redis refuses to tell
            bound = str((await client.config_get("bind")).get("bind", ""))
    except (OSError, RedisError, ValueError) as error:
        # Only the error's class is shown: its text may hold the address, with the password.
        costs = "builds run more slowly, because workers poll the database"
        return CheckOutcome(False, f"{where} does not answer: {type(error).__name__}", costs, _fix(settings))
    finally:
        await client.aclose()
    stranger = _redis_client(urlunsplit(parts._replace(netloc=where)))
    try:
        await stranger.ping()
        asks = False
    except (OSError, RedisError):
        asks = True
    finally:
        await stranger.aclose()
    state = "asks for a password" if asks else "asks for no password"
    return CheckOutcome(asks or _only_here(settings.redis_url, bound.split()), f"{version} at {where}, {state}")


def _redis_client(url: str) -> Any:
    """Return a Redis client that gives up on a server after a few seconds."""
    from redis.asyncio import Redis

    return Redis.from_url(url, socket_connect_timeout=_SERVER_SECONDS, socket_timeout=_SERVER_SECONDS)


def _only_here(url: str, listens: list[str]) -> bool:
    """Return whether all addresses in `listens`, or else the host of `url`, are loopback addresses."""
    addresses = [address.strip().lstrip("-") for address in listens if address.strip()]
    return all(_is_loopback(address) for address in addresses or [urlsplit(url).hostname or ""])


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


async def _hub(settings: Settings) -> CheckOutcome:
    """Check that the hub is there, if its path is on this machine."""
    from buildwright.workspace.git import mask

    shown = mask(settings.hub)
    if "://" in settings.hub or not Path(settings.hub).is_absolute():
        return CheckOutcome(True, f"{shown} (not asked: it is on another machine)")
    there = (Path(settings.hub) / "objects").is_dir()
    fix = f"`git init --bare {shown}`, or {_fix(settings)}"
    return CheckOutcome(there, shown if there else f"{shown} is not there", fix=fix)


async def _key(name: str, start: str, settings: Settings) -> CheckOutcome:
    """Check that the environment has the key `name`, and that it begins with `start` as keys of this provider do."""
    value = settings.environment.get(name, "")
    odd = value and (not value.startswith(start) or value != value.strip())
    found = "present, but does not look like a key of this provider" if odd else "present" if value else ""
    return CheckOutcome(bool(value), found)


async def _reach(variable: str, default: str, settings: Settings) -> CheckOutcome:
    """Check that a provider can be reached, without a key: any HTTP answer counts, also one with an error status."""
    import aiohttp

    url = settings.environment.get(variable) or default
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PATIENCE_SECONDS), trust_env=True) as client,
            client.get(url, allow_redirects=False) as answer,
        ):
            return CheckOutcome(True, f"{url} answers ({answer.status})")
    except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
        return CheckOutcome(False, f"{url}: {type(error).__name__}")


_NO_MODEL = "no live model of this provider; complete task lists with the shell agent, and the demo, need none"
_NO_WAY = "live models of this provider cannot be used from here"
_OPEN_DATABASE = "any machine that reaches it can change builds and run commands on workers"
_OPEN_REDIS = "any machine that reaches it can mislead workers"


def _tool(name: str, costs: str, fix: str, *, called: str = "", ask: str = "--version") -> DoctorCheck:
    """Return the check of a program that something needs; `called` are its names where `name` is none."""
    return DoctorCheck(name, False, costs, fix, partial(_program, called or name, ask=ask))


def _key_check(name: str, start: str) -> DoctorCheck:
    return DoctorCheck(name, False, _NO_MODEL, f"set {name} where Buildwright runs", partial(_key, name, start))


CHECKS: tuple[DoctorCheck, ...] = (
    DoctorCheck("python", True, "Python 3.11 or newer is needed", "install it", _python),
    DoctorCheck("git", True, "nothing can be built", "install git 2.38 or newer", _git),
    _tool("node", "checks of JavaScript and TypeScript projects cannot run", "install Node.js"),
    _tool("npm", "packages of JavaScript projects cannot be installed", "install Node.js with npm"),
    _tool("go", "Go projects cannot be checked", "install Go", ask="version"),
    _tool("cargo", "Rust projects cannot be checked", "install Rust with cargo"),
    _tool("java", "Maven and Gradle projects cannot be checked", "install a JDK"),
    _tool("mvn", "Maven projects without a wrapper (mvnw) cannot be checked", "install Maven"),
    _tool(
        "container engine", "compose.yaml cannot be started here", "install Docker or Podman", called="docker podman"
    ),
    _tool("claude", "not needed: the Claude Agent SDK brings its own program", ""),
    DoctorCheck(
        "bwrap",
        False,
        "no build starts without it, unless containers work here or --sandbox none lets agents and checks have your rights",
        "install bubblewrap, and let it make user namespaces",
        _bubblewrap,
    ),
    DoctorCheck(
        "containers",
        False,
        "--sandbox container cannot be used",
        "install Docker or Podman, and start it",
        _containers,
        is_quick=False,
    ),
    DoctorCheck(
        "claude-agent-sdk",
        False,
        "the agent claude cannot be used",
        "install buildwright with the extra claude",
        _claude_sdk,
    ),
    DoctorCheck(
        "home",
        True,
        "less than 1 GiB is free, and checkouts and mirrors need room",
        "free some: buildwright prune",
        _home,
    ),
    DoctorCheck("database", True, "", "run buildwright db migrate", _database),
    DoctorCheck("mode", True, "", "", _mode),
    DoctorCheck("postgresql", False, _OPEN_DATABASE, "let pg_hba.conf ask for a password", _postgres, "cluster"),
    DoctorCheck("redis", False, _OPEN_REDIS, "set requirepass, or let it listen on 127.0.0.1 alone", _redis, "cluster"),
    DoctorCheck("hub", True, "workers cannot hand each other commits", "", _hub, "cluster"),
    _key_check("ANTHROPIC_API_KEY", "sk-ant-"),
    _key_check("OPENAI_API_KEY", "sk-"),
    _key_check("GEMINI_API_KEY", ""),
    *(
        DoctorCheck(
            f"{name} online",
            False,
            _NO_WAY,
            f"let this machine reach it, or set {variable}",
            partial(_reach, variable, url),
            "online",
        )
        for name, variable, url in (
            ("anthropic", "ANTHROPIC_BASE_URL", "https://api.anthropic.com"),
            ("openai", "OPENAI_BASE_URL", "https://api.openai.com"),
            ("google", "GOOGLE_GEMINI_BASE_URL", "https://generativelanguage.googleapis.com"),
        )
    ),
)
"""Every check, in the order in which it is shown."""
QUICK = tuple(check for check in CHECKS if check.is_quick)
"""Those that a page can wait for."""
