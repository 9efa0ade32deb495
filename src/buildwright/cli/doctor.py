"""The verb `doctor`: checks this machine and lists what a crash left behind. Must never print a key.

It runs programs only to see that they work. It contacts only our own servers, and model providers with `--online`.
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
from dataclasses import asdict
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from cyclopts import Parameter

from buildwright.cli.argv0 import typed
from buildwright.cli.db import revision_of, wanted_revision
from buildwright.cli.exit_codes import Exit
from buildwright.cli.output import Output
from buildwright.cli.table import Column, size, table
from buildwright.errors import BuildwrightError, StoreFailed
from buildwright.settings import KEYS, SHARED, Settings

if TYPE_CHECKING:
    from buildwright.maintenance.home_parts import HomePart
    from buildwright.ports import Leftover

_SHOWN = 30
_PATIENCE_SECONDS = 10.0
_SERVER_SECONDS = 5.0
_LITTLE_SPACE = 1024**3


async def doctor(
    *,
    online: Annotated[bool, Parameter(help="Also ask whether the model providers can be reached.")] = False,
    fix: Annotated[bool, Parameter(help="Clean up what crashed runs left behind.")] = False,
    agents: Annotated[bool, Parameter(help="Only start each agent's program in the sandbox, and list them.")] = False,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> int:
    """Check this machine (tools, keys, disk, database) and name what a crash left behind. Keys are never shown."""
    from buildwright.cli.agent_list import agents_here, list_agents, print_installed
    from buildwright.ports import Leftover

    output, settings = Output(json), Settings.load()
    if agents:
        await list_agents(output, settings)
        return Exit.DONE
    results = await examine(settings, online=online)
    parts = await _parts(settings)
    try:
        leftovers = await _leftovers(settings, fix)
    except StoreFailed as error:
        leftovers = [Leftover(str(error), str(settings.database), None, 0, error.fix or "")]
    healthy = all(result.ok for result in results if result.required)
    if output.json:
        checks = [result._asdict() for result in results]
        there = [state._asdict() for state in await agents_here(settings, start=False)]
        left_behind = [left._asdict() for left in leftovers]
        home = {"path": str(settings.home), "parts": [asdict(part) for part in parts]}
        output.data({"ok": healthy, "checks": checks, "home": home, "agents": there, "leftovers": left_behind})
    else:
        _print(output, results)
        _print_parts(output, settings.home, parts)
        output.print(typed("Agents (whether each starts in the sandbox: buildwright doctor --agents)"), style="bold")
        await print_installed(output, settings)
        await _print_repository(output)
        _print_leftovers(output, leftovers, fix)
        has_key = any(result.ok for result in results if result.name in KEYS)
        no_key = "" if has_key else " No key of a model is set: only the demo and complete task lists can be built."
        output.say(f"Ready.{no_key}" if healthy else "Not ready: something that is needed is missing.")
        output.say(typed("Next: buildwright demo") if healthy else "Next: fix the first line marked with a cross")
    return Exit.DONE if healthy else Exit.CONFIGURATION


async def _print_repository(output: Output) -> None:
    """Print what would judge the repository in the working directory; `check` also runs it."""
    from buildwright.cli.check import found_here

    try:
        if await found_here(output) is not None:
            output.print(typed("  whether it passes: buildwright check"))
    except BuildwrightError as error:
        output.print(f"The repository here cannot be looked at: {error}" + (f" Fix: {error.fix}" if error.fix else ""))


class CheckOutcome(NamedTuple):
    """What one check found. `costs` and `required` are given only where they differ from those of the check."""

    ok: bool
    found: str
    costs: str | None = None
    required: bool | None = None


class DoctorCheck(NamedTuple):
    """One check. `costs` says what the user cannot do when it fails, and how to mend that."""

    name: str
    required: bool
    costs: str
    look: Callable[[Settings], Awaitable[CheckOutcome]]
    when: Literal["always", "cluster", "online"] = "always"


class CheckResult(NamedTuple):
    """The result of one check, as `--json` prints it."""

    name: str
    ok: bool
    required: bool
    found: str
    costs: str


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
        return CheckOutcome(False, seen.found, "git merge-tree needs git 2.38 or newer")
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
        return CheckOutcome(False, "", f"--sandbox container cannot be used: {error}")
    await wall.remove_all()
    return CheckOutcome(True, wall.seen)


def _version_of(path: str, ask: str) -> str:
    """Return the first line that the program at `path` prints for `ask`; "" when it fails."""
    command, null, patience = [path, ask], subprocess.DEVNULL, _PATIENCE_SECONDS
    try:
        done = subprocess.run(command, stdin=null, capture_output=True, check=True, timeout=patience)
    except (OSError, subprocess.SubprocessError):
        return ""
    return next(iter(done.stdout.decode(errors="replace").strip().splitlines()), "")


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
        return CheckOutcome(False, found, "it cannot be written: set BUILDWRIGHT_HOME to a folder that can")
    if folder == settings.home and folder.stat().st_mode & 0o002:
        found += f"; every user of this machine can change what is in it: chmod 700 {folder}"
    return CheckOutcome(free >= _LITTLE_SPACE, found)


async def _database(settings: Settings) -> CheckOutcome:
    """Check that the SQLite database under the home has the revision that is needed."""
    wanted, found = wanted_revision(), await revision_of(settings.database)
    if not found:
        return CheckOutcome(True, f"not made yet (revision {wanted} will be)", "")
    costs = f"revision {wanted} is needed: run buildwright db migrate"
    return CheckOutcome(found == wanted, f"revision {found}", costs)


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
        return CheckOutcome(False, str(told), f"builds of the cluster cannot be seen: {_fix(settings)}", True)
    where = address.shown.partition("@")[2] or address.shown
    shown = f"{version.split()[0]} at {where}, revision {revision or 'none yet'}"
    if revision not in {None, revisions()[-1]}:
        return CheckOutcome(False, shown, f"revision {revisions()[-1]} is needed: run buildwright db migrate", True)
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
        costs = f"builds run more slowly, because workers poll the database: {_fix(settings)}"
        return CheckOutcome(False, f"{where} does not answer: {type(error).__name__}", costs)
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
        return CheckOutcome(True, f"{shown} (not asked: it is on another machine)", "")
    there = (Path(settings.hub) / "objects").is_dir()
    costs = f"workers cannot hand each other commits: `git init --bare {shown}`, or {_fix(settings)}"
    return CheckOutcome(there, shown if there else f"{shown} is not there", costs)


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


_NO_SDK = "the agent claude cannot be used: install buildwright with the extra claude"
_NO_MODEL = "no live model of this provider; complete task lists with the shell agent, and the demo, need none"
_NO_WAY = "live models of this provider cannot be used from here"
_OPEN_DATABASE = (
    "any machine that reaches it can change builds and run commands on workers: let pg_hba.conf ask for a password"
)
_OPEN_REDIS = "any machine that reaches it can mislead workers: set requirepass, or let it listen on 127.0.0.1 alone"
CHECKS: tuple[DoctorCheck, ...] = (
    DoctorCheck("python", True, "Python 3.11 or newer is needed", _python),
    DoctorCheck("git", True, "nothing can be built: install git 2.38 or newer", _git),
    DoctorCheck("node", False, "checks of JavaScript and TypeScript projects cannot run", partial(_program, "node")),
    DoctorCheck("npm", False, "packages of JavaScript projects cannot be installed", partial(_program, "npm")),
    DoctorCheck("go", False, "Go projects cannot be checked", partial(_program, "go", ask="version")),
    DoctorCheck("cargo", False, "Rust projects cannot be checked", partial(_program, "cargo")),
    DoctorCheck("java", False, "Maven and Gradle projects cannot be checked", partial(_program, "java")),
    DoctorCheck("mvn", False, "Maven projects without a wrapper (mvnw) cannot be checked", partial(_program, "mvn")),
    DoctorCheck("container engine", False, "compose.yaml cannot be started here", partial(_program, "docker podman")),
    DoctorCheck(
        "claude", False, "not needed: the Claude Agent SDK brings its own program", partial(_program, "claude")
    ),
    DoctorCheck(
        "bwrap",
        False,
        "no build starts without it, unless containers work here or --sandbox none lets agents and checks have your rights",
        _bubblewrap,
    ),
    DoctorCheck("containers", False, "--sandbox container cannot be used", _containers),
    DoctorCheck("claude-agent-sdk", False, _NO_SDK, _claude_sdk),
    DoctorCheck("home", True, "less than 1 GiB is free: lanes and mirrors need room", _home),
    DoctorCheck("database", True, "", _database),
    DoctorCheck("mode", True, "", _mode),
    DoctorCheck("postgresql", False, _OPEN_DATABASE, _postgres, "cluster"),
    DoctorCheck("redis", False, _OPEN_REDIS, _redis, "cluster"),
    DoctorCheck("hub", True, "", _hub, "cluster"),
    DoctorCheck("ANTHROPIC_API_KEY", False, _NO_MODEL, partial(_key, "ANTHROPIC_API_KEY", "sk-ant-")),
    DoctorCheck("OPENAI_API_KEY", False, _NO_MODEL, partial(_key, "OPENAI_API_KEY", "sk-")),
    DoctorCheck("GEMINI_API_KEY", False, _NO_MODEL, partial(_key, "GEMINI_API_KEY", "")),
    *(
        DoctorCheck(f"{name} online", False, _NO_WAY, partial(_reach, variable, url), "online")
        for name, variable, url in (
            ("anthropic", "ANTHROPIC_BASE_URL", "https://api.anthropic.com"),
            ("openai", "OPENAI_BASE_URL", "https://api.openai.com"),
            ("google", "GOOGLE_GEMINI_BASE_URL", "https://generativelanguage.googleapis.com"),
        )
    ),
)
"""Every check, in the order in which it is shown."""


def _print(output: Output, results: list[CheckResult]) -> None:
    """Print one line for each check, with what follows from a failed one."""
    width = max(len(result.name) for result in results)
    for result in results:
        tone = "done" if result.ok else "bad" if result.required else "dot"
        style = {"done": "green", "bad": "red", "dot": "yellow"}[tone]
        output.print(f"{getattr(output.glyphs, tone)} {result.name:<{width}}  {result.found or 'absent'}", style=style)
        if not result.ok and result.costs:
            output.print(f"  {'':<{width}}  {typed(result.costs)}")


async def _parts(settings: Settings) -> list[HomePart]:
    """Return how large the parts of the home are."""
    import asyncio

    from buildwright.maintenance.home_parts import parts_of

    return await asyncio.to_thread(parts_of, settings.home)


def _print_parts(output: Output, home: Path, parts: Sequence[HomePart]) -> None:
    """Print how large the home is, by part, and what each part goes with."""
    if not parts:
        return
    least = "" if all(part.whole for part in parts) else "at least "
    total = f"{least}{size(sum(part.bytes for part in parts))}"
    output.print(
        f"What is kept in {home}: {total} in {sum(part.files for part in parts):,} files and folders", style="bold"
    )
    columns = [Column("part"), Column("size", right=True), Column("files", right=True), Column("goes")]
    rows = [
        (
            part.name,
            ("" if part.whole else "at least ") + size(part.bytes),
            ("" if part.whole else "at least ") + f"{part.files:,}",
            typed(part.goes),
        )
        for part in parts
    ]
    output.lines(table(columns, rows, output.width))
    output.print(typed("  what would go now: buildwright prune --dry-run"))


async def _leftovers(settings: Settings, fix: bool) -> list[Leftover]:
    """Return what a crash left behind; with `fix`, mend it first. Raises StoreFailed."""
    import asyncio

    from buildwright.maintenance import repair, shared

    found = await asyncio.to_thread(repair.find, settings) + await shared.find(settings)
    return await repair.mend(found) if fix else [left for left, _ in found]


def _print_leftovers(output: Output, leftovers: list[Leftover], fix: bool) -> None:
    """Print what a crash left behind, at most 30 entries, and how to mend it."""
    if not leftovers:
        output.print("No leftovers of crashed runs.")
        return
    output.print(f"Left by crashed runs: {len(leftovers)}", style="bold")
    for left in leftovers[:_SHOWN]:
        about = [f"since {left.since:%Y-%m-%d %H:%M} UTC"] if left.since else []
        about += [size(left.bytes)] if left.bytes else []
        glyph, style = (output.glyphs.done, "green") if left.mended else (output.glyphs.bad, "yellow")
        shown = f" ({', '.join(about)})" if about else ""
        state = "fixed: " if left.mended else ""
        output.print(f"{glyph} {state}{left.what}{shown}", style=style)
        output.print(f"    {left.where}")
        if left.fix:
            output.print(f"    fix: {typed(left.fix)}")
    if len(leftovers) > _SHOWN:
        output.print(f"and {len(leftovers) - _SHOWN} more (all with --json)")
    if not fix and any(not left.fix for left in leftovers):
        output.say(typed("Clean up: buildwright doctor --fix"))
    elif any(not left.mended and not left.fix for left in leftovers):
        output.say("What was not cleaned up has come into use meanwhile.")
