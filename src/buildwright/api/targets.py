"""The repositories and commands that a server lets its users name. Must never fetch anything, nor run their code.

Users of the server must not reach, through it, files and hosts that are not theirs (a path to the system's folders, an
address inside the network).
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from buildwright.agents.acp_agents import is_acp
from buildwright.core.addresses import is_inside
from buildwright.errors import BadRepository, BadSettings, Forbidden

if TYPE_CHECKING:
    from buildwright.api.state import Caller, ServerState
    from buildwright.core.limits import Options
    from buildwright.core.spec import Spec

LONGEST = 2000
NAME_SECONDS = 3.0
_USUAL = "bin boot dev etc lib lib32 lib64 libx32 proc run sbin sys usr var Library System private/etc private/var"
SYSTEM = tuple(Path("/", name) for name in _USUAL.split())
"""Folders that hold no user's project, unless a root inside them is named."""

_SCP = re.compile(
    r"(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9._-]*)@)?(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*):(?P<path>[A-Za-z0-9~._][^\s:]*)"
)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)")
_INSIDE = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "corp", "private", "arpa")
"""Last labels of host names that mean this machine or its network."""


def check_repository(text: str, environment: Mapping[str, str], *, own_machine: bool = True) -> str:
    """Return the repository to build on: a path with its links resolved, or the URL as it was given.

    Paths are absolute and below BUILDWRIGHT_ROOTS (separated by colons); without that setting below the home directory
    for the machine's owner (`own_machine`), and nowhere for other users. URLs are https or ssh; http and file only with
    BUILDWRIGHT_INSECURE_URLS=1. A host inside the network must be named in BUILDWRIGHT_GIT_HOSTS. Looks up no name:
    `check_host` does. Raises BadRepository.
    """
    if not text or len(text) > LONGEST or not text.isprintable() or text != text.strip():
        raise BadRepository(
            f"a repository is a path or URL of 1 to {LONGEST} characters, without any that do not show",
            fix="check the path or address",
        )
    if text.startswith("-"):
        raise BadRepository("a repository's name does not begin with a hyphen", fix="give an absolute path or a URL")
    if "::" in text.split("/", 1)[0] and "://" not in text:
        raise BadRepository("helpers of git (`name::address`) are not used", fix="give an https:// or ssh:// address")
    if "://" in text:
        return _url(text, environment, own_machine=own_machine)
    if text.startswith("/"):
        return _path(text, environment, own_machine=own_machine)
    scp = _SCP.fullmatch(text)
    if scp is None:
        raise BadRepository(
            f"{_short(text)} is neither an absolute path nor an address", fix="give an absolute path or a URL"
        )
    _check_name(scp["host"], environment)
    return text


async def checked_repository(text: str, environment: Mapping[str, str], *, own_machine: bool = True) -> str:
    """Return the result of `check_repository`, whose host must not resolve to an address inside the network either.

    Raises BadRepository.
    """
    checked = await asyncio.to_thread(check_repository, text, environment, own_machine=own_machine)
    host = _host_of(checked)
    if host:
        await check_host(host, environment)
    return checked


def open_folder(text: str, environment: Mapping[str, str], *, own_machine: bool) -> bool:
    """Make a repository of a path with nothing there, or of a folder that is in no repository.

    Return whether builds deliver to its files: it was made so, now or before. Raises BadRepository, GitFailed.
    """
    from buildwright.workspace.deliver import make_repository

    path, opens = would_open(text, environment, own_machine=own_machine)
    if opens:
        make_repository(path, environment)
    return opens


def would_open(text: str, environment: Mapping[str, str], *, own_machine: bool) -> tuple[Path, bool]:
    """Return the path with its links resolved, and whether `open_folder` makes a repository of it, or has made it before.

    Raises BadRepository.
    """
    from buildwright.workspace.deliver import is_in_place

    roots = folders(environment, own_machine=own_machine)
    path = _allowed(text, roots)
    top = next((place for place in (path, *path.parents) if (place / ".git").exists()), None)
    if top is not None:
        return path, top == path and is_in_place(path, environment)
    if (path / "HEAD").exists() or (path.exists() and not path.is_dir()):
        return path, False
    below = next(path.relative_to(root) for root in roots if path.is_relative_to(root))
    if not below.parts or any(part.startswith(".") for part in below.parts):
        raise BadRepository(
            f"{_short(text)} cannot be made a repository", fix="name a folder of its own for the project"
        )
    return path, True


async def check_host(host: str, environment: Mapping[str, str]) -> None:
    """Look up the host: none of its addresses may be inside the network. An unknown name is left for git to report.

    Raises BadRepository.
    """
    if host in _allowed_hosts(environment) or _insecure(environment):
        return
    try:
        async with asyncio.timeout(NAME_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError):
        return
    if any(is_inside(ipaddress.ip_address(str(place[0]).partition("%")[0])) for *_, place in found):
        raise _inside(host)


def is_owner(site: ServerState, caller: Caller) -> bool:
    """Return whether the caller is the user whose machine and server process this is."""
    return caller.user_id == site.app.settings.user


def may_run_commands(site: ServerState, caller: Caller) -> bool:
    """Return whether the caller's builds may run commands of their own; see `check_commands`."""
    allowed = _who_may(site.app.settings.environment)
    return allowed == "all" or (allowed == "owner" and (is_owner(site, caller) or caller.may_run_commands))


def check_commands(site: ServerState, caller: Caller, spec: Spec, options: Options) -> None:
    """Refuse a build that runs commands, or reads files, of this machine unless the caller may. Raises Forbidden.

    BUILDWRIGHT_ALLOW_COMMANDS says which users may: `owner` (the user of the server's process, and users with that
    right; the default), `all` or `none`.
    """
    if may_run_commands(site, caller):
        return
    tasks = spec.graph.tasks if spec.graph is not None else ()
    asked = {
        "agent": is_acp(options.agent),
        "second_agent": is_acp(options.second_agent),
        "agent_rules": any(is_acp(rule.agent) for rule in options.agent_rules),
        "agent_command": bool(options.agent_command),
        "agents": bool(options.agents),
        "tasks with a command as their agent": any(is_acp(task.agent) for task in tasks),
        "checks": bool(options.checks),
        "setup": bool(options.setup),
        "cassette": bool(options.cassette),
        "bring": bool(options.bring),
        "grant_needs": options.grant_needs,
        "package_settings": options.package_settings,
        "sandbox": options.sandbox == "none",
        "tasks with a validation": any(task.validation is not None for task in tasks),
    }
    named = [name for name, given in asked.items() if given]
    if named:
        raise Forbidden(
            f"you may not run commands on this server: {', '.join(named)}",
            fix="leave them out, or ask an owner of the server for `buildwright user set NAME --commands`",
        )


def check_settings(environment: Mapping[str, str]) -> None:
    """Check the settings of this module before a request needs them. Raises BadSettings naming every wrong one."""
    wrong = []
    if _who_may(environment) not in {"owner", "all", "none"}:
        wrong.append("BUILDWRIGHT_ALLOW_COMMANDS is none of owner, all and none")
    named = [name for name in environment.get("BUILDWRIGHT_ROOTS", "").strip().split(":") if name]
    wrong += [f"BUILDWRIGHT_ROOTS has {name}, which is not an absolute path" for name in named if name[0] not in "/~"]
    if wrong:
        raise BadSettings("; ".join(wrong), fix="fix or unset them")


def _who_may(environment: Mapping[str, str]) -> str:
    return environment.get("BUILDWRIGHT_ALLOW_COMMANDS", "").strip().lower() or "owner"


def _url(text: str, environment: Mapping[str, str], *, own_machine: bool) -> str:
    try:
        parts = urlsplit(text)
        host, user, password, _port = parts.hostname or "", parts.username, parts.password, parts.port
    except ValueError as error:
        raise BadRepository(f"the address is not a URL: {error}", fix="check the address") from error
    insecure = _insecure(environment)
    allowed = ("https", "ssh", *(("http", "file") if insecure else ()))
    if parts.scheme not in allowed:
        raise BadRepository(
            f"addresses of the kind {parts.scheme[:20]!r} are not used", fix=f"use {' or '.join(allowed)}"
        )
    if any(letter.isspace() for letter in text) or "\\" in text or parts.query or parts.fragment:
        raise BadRepository("the address has characters that no repository's has", fix="check the address")
    if password is not None or (user is not None and (parts.scheme != "ssh" or not _USER.fullmatch(user))):
        raise BadRepository(
            "the address holds a name or password", fix="leave it out; the server has credentials of its own"
        )
    if parts.scheme == "file":
        if host not in {"", "localhost"}:
            raise BadRepository("the address names a file of another machine", fix="use https or ssh")
        return _path(unquote(parts.path), environment, own_machine=own_machine)
    _check_name(host, environment)
    if not parts.path.strip("/"):
        raise BadRepository("the address names a host, and no repository there", fix="check the address")
    return text


def _check_name(host: str, environment: Mapping[str, str]) -> None:
    host = host.lower()
    if host in _allowed_hosts(environment):
        return
    address = _address(host)
    if address is not None:
        if is_inside(address) and not _insecure(environment):
            raise _inside(host)
        return
    labels = host.removesuffix(".").split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) and len(label) <= 63 for label in labels):
        raise BadRepository(f"{_short(host)} is not a host name", fix="check the address")
    if _insecure(environment):
        return
    if len(labels) == 1 or labels[-1] in _INSIDE:
        raise _inside(host)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a host spells (0x7f.1, 2130706433, 127.1), None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        if not all(_NUMBER.fullmatch(part) for part in host.removesuffix(".").split(".")):
            return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host.removesuffix(".")))
    except OSError as error:
        raise BadRepository(f"{_short(host)} is not a host name", fix="check the address") from error


def _path(text: str, environment: Mapping[str, str], *, own_machine: bool) -> str:
    from buildwright.workspace.source import locate

    roots = folders(environment, own_machine=own_machine)
    path = _allowed(text, roots)
    if not path.is_dir():
        raise BadRepository(f"there is no folder {_short(text)}", fix="give the path of a git repository on the server")
    # A folder below a root can lead out of it: its repository may be a folder above, or a link to another.
    source = locate(str(path), environment)
    for place in (source.location, source.git_dir, source.work_tree):
        if place is not None:
            _allowed(str(place), roots)
    return str(path)


def _allowed(text: str, roots: tuple[Path, ...]) -> Path:
    """Return the path with its links resolved. Raises BadRepository when it is below no root."""
    try:
        path = Path(text).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise BadRepository(f"{_short(text)} cannot be looked at", fix="check the path") from error
    system = [folder for folder in SYSTEM if path.is_relative_to(folder)]
    for root in roots:
        if path.is_relative_to(root) and all(root.is_relative_to(folder) for folder in system):
            return path
    where = ", ".join(map(str, roots))
    others = "BUILDWRIGHT_ROOTS names the folders for all users where the server runs; or build on an address"
    raise BadRepository(
        f"{_short(text)} is not where this server may build" + ("" if where else " for you"),
        fix=f"it builds below {where}; BUILDWRIGHT_ROOTS names others where it runs" if where else others,
    )


def folders(environment: Mapping[str, str], *, own_machine: bool) -> tuple[Path, ...]:
    """Return the folders below which a user may build, none for nowhere; `own_machine` says that it is the user's own."""
    named = environment.get("BUILDWRIGHT_ROOTS", "").strip()
    if named:
        given = [Path(name).expanduser() for name in named.split(":") if name]
        return tuple(path.resolve() for path in given if path.is_absolute())
    home = environment.get("HOME", "")
    if not own_machine or not home.startswith("/") or Path(home).resolve() == Path("/"):
        return ()
    return (Path(home).resolve(),)


def _insecure(environment: Mapping[str, str]) -> bool:
    return environment.get("BUILDWRIGHT_INSECURE_URLS", "").strip().lower() in {"1", "true", "yes"}


def _allowed_hosts(environment: Mapping[str, str]) -> frozenset[str]:
    return frozenset(environment.get("BUILDWRIGHT_GIT_HOSTS", "").replace(",", " ").lower().split())


def _host_of(checked: str) -> str:
    if "://" in checked:
        return (urlsplit(checked).hostname or "").lower()
    scp = None if checked.startswith("/") else _SCP.fullmatch(checked)
    return scp["host"].lower() if scp else ""


def _inside(host: str) -> BadRepository:
    return BadRepository(
        f"{_short(host)} is this machine, or inside its network",
        fix="name the host in BUILDWRIGHT_GIT_HOSTS where the server runs, if that is meant",
    )


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:199]}…"
