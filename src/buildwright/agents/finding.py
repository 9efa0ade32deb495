"""Finds the program of an agent where its usual installers put it. Must never look into a repository."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

_BELOW_HOME = (
    ".local/bin",  # native installers, pipx, uv tool
    ".npm-global/bin",
    ".npm-packages/bin",
    "node_modules/.bin",  # npm without --global, asked in the home
    ".volta/bin",
    ".bun/bin",
    ".local/share/pnpm/bin",
    ".local/share/pnpm",  # up to pnpm 10
    ".opencode/bin",
    ".codex/bin",
    ".claude/local",
)


def find(name: str, path: str) -> Path | None:
    """Return the program of this name on `path`, else in a folder that installers use; None if it is nowhere."""
    found = shutil.which(name, path=path)
    if found is None:
        found = shutil.which(name, path=os.pathsep.join(str(folder) for folder in _usual_folders()))
    return Path(found) if found is not None else None


def interpreter_of(program: Path) -> tuple[str, ...]:
    """Return the words after env(1) in a script's first line, such as `node` and its options; () where it names none.

    Also of a program that may be run and not read, which is no script.
    """
    try:
        with program.open("rb") as file:
            first = file.readline(256)
    except OSError:
        return ()
    if not first.startswith(b"#!"):
        return ()
    try:
        words = shlex.split(first[2:].decode("utf-8", "replace"))
    except ValueError:
        return ()
    if not words or Path(words[0]).name != "env":
        return ()
    words = words[2:] if words[1:2] == ["-S"] else words[1:]
    return () if not words or words[0].startswith("-") or "=" in words[0] else tuple(words)


def _usual_folders() -> Iterator[Path]:
    home = Path.home()
    yield from (home / folder for folder in _BELOW_HOME)
    versions = home / ".nvm" / "versions" / "node"
    if versions.is_dir():
        yield from (version / "bin" for version in sorted(versions.iterdir(), key=_version_of, reverse=True))
    yield Path("/usr/local/bin")
    yield Path("/opt/homebrew/bin")


def _version_of(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in folder.name.removeprefix("v").split(".") if part.isdecimal())
