"""Paths of this machine that a sandboxed command sees: system, tools, its own directories. Must never show a home."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from buildwright.ports import Command

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
_SETTINGS = (
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/group",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/maven/logging",
    "/etc/maven/m2.conf",  # settings.xml beside it may hold a password of a registry
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/pki",
    "/etc/ssl",
)
_NETWORK = ("/etc/resolv.conf",)
_PARTS = ("bin", "lib", "lib64", "libexec", "include", "share", "opt", "Cellar", "pyvenv.cfg")
"""The parts of an installation (venv, "How venvs work")."""
_OF_A_PROJECT = (".git", ".env", ".hg", ".netrc", ".npmrc")
"""What lies in a project or a home, and in no installation."""
_SURE_NS = 2_000_000_000
"""Age of a change after which a further one has another time on every file system."""


def system_paths(network: bool) -> Iterator[Path]:
    """Yield paths of the system to show read-only; a symbolic link must be shown as one."""
    for path in (*_SYSTEM, *_SETTINGS, *(_NETWORK if network else ())):
        if os.path.lexists(path):
            yield Path(path)
    yield from sorted(Path("/etc").glob("java*"))


def tool_paths(command: Command) -> list[Path]:
    """Return directories outside the system that the command reads, or its program and its PATH need, none inside another.

    Our own installation is not shown for nothing: by it judged code could tell where it runs.
    """
    wanted = set(command.readable)
    beside = str(Path(command.argv[0]).parent)
    for entry in (beside, *command.env.get("PATH", "").split(os.pathsep)):
        folder = Path(entry)
        if folder.is_absolute() and folder.is_dir():
            wanted.update(_needed_by(folder))
            for target in _led_out_of(folder):
                wanted.update(_needed_by(target))
    if toolchains := command.env.get("RUSTUP_HOME"):
        wanted.add(Path(toolchains))
    covered = [Path(path) for path in _SYSTEM]
    found: list[Path] = []
    for path in sorted(wanted):
        if path.exists() and not any(path.is_relative_to(other) for other in (*covered, *found)):
            found.append(path)
    return found


def _led_out_of(folder: Path) -> set[Path]:
    """Return the folders of the programs that links in `folder` lead to; all packages for npm's `node_modules/.bin`."""
    if folder.name == ".bin":
        return {folder.parent}
    real = folder.resolve()
    changed = real.stat().st_mtime_ns
    targets = _kept(real, changed) if time.time_ns() - changed > _SURE_NS else _targets(real)
    return {one for one in targets - {real, folder} if not _holds_a_home(one)}


def _holds_a_home(folder: Path) -> bool:
    return folder == Path("/") or folder in (Path.home(), *Path.home().parents) or (folder / ".ssh").exists()


@lru_cache(maxsize=256)
def _kept(folder: Path, _changed: int) -> frozenset[Path]:
    """Look once at a folder until it has `_changed`: it may have thousands of links, and each judged command asks."""
    return _targets(folder)


def _targets(folder: Path) -> frozenset[Path]:
    """Return the folders of the programs that links in a folder lead to; of one of npm's packages, all that lie with it."""
    with os.scandir(folder) as entries:
        links = [entry.path for entry in entries if entry.is_symlink() and entry.is_file()]
    return frozenset(_packages_around(Path(os.path.realpath(link))) for link in links)


def _packages_around(program: Path) -> Path:
    """Return the folder of a program, or all packages that npm or Bun has put beside its own: it may need any of them."""
    outermost = (folder for folder in reversed(program.parents) if folder.name == "node_modules")
    return next(outermost, program.parent)


def _needed_by(folder: Path) -> Iterator[Path]:
    """Yield a directory of programs, and the installation around it if there is one; never a user's home."""
    yield folder
    prefix = folder.parent
    configuration = prefix / "pyvenv.cfg"
    if configuration.is_file():
        yield from _programs_of(prefix)
        for line in configuration.read_text("utf-8", "replace").splitlines():
            key, _, value = line.partition("=")
            if key.strip() == "home":
                yield Path(value.strip()).parent
    elif prefix.name == ".cargo":
        # The programs there only call a toolchain; .cargo itself may hold a registry token.
        yield prefix.parent / ".rustup"
    elif folder.name == "bin" and prefix.name == "pnpm":
        # Scripts there start programs below `global`, whose files are links into `store`.
        yield from (prefix / name for name in ("global", "store"))
    elif folder.name == "bin" and _is_installation(prefix):
        yield from _programs_of(prefix)


def _programs_of(prefix: Path) -> Iterator[Path]:
    """Yield an installation: all of it, or only its own parts where it lies in a home or a project beside other files."""
    if _holds_a_home(prefix) or any((prefix / name).exists() for name in _OF_A_PROJECT):
        yield from (prefix / name for name in _PARTS if (prefix / name).exists())
    else:
        yield prefix


def _is_installation(prefix: Path) -> bool:
    """Return whether `prefix` holds programs only: ~/.local has a lib too, but also the user's own data."""
    if prefix == Path("/") or prefix.name == ".local" or prefix == Path.home() or (prefix / ".ssh").exists():
        return False
    return (prefix / "lib").is_dir() or (prefix / "pkg").is_dir()
