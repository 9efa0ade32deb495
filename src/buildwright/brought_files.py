"""Files of the user's own checkout that git does not track and checks need (`.env`, fixtures): finds and copies them.

Must never bring a file that git tracks, nor one that lies behind a link or outside of the checkout.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path

from buildwright.confined_fs import write_beneath
from buildwright.core.paths import check_path
from buildwright.errors import BadSettings, UnsafePath

MOST_FILES = 2_000
MOST_BYTES = 200_000_000
"""Of all brought files together: each checkout gets a copy of its own."""
_MOST_OF_VARIABLES = 1_000_000
"""Bytes of a file that is read for the names of variables."""
_GIT_SECONDS = 30.0


def find_files(repository: str, patterns: Iterable[str]) -> dict[str, Path]:
    """Return the files that patterns name, by their path in the checkout at `repository`.

    A pattern is a path, a folder, or a glob as git has it (gitglossary(7), "pathspec": `*` stops at slashes, `**` does
    not). Raises BadSettings that names a pattern that finds nothing, and when there is too much.
    """
    wanted = tuple(patterns)
    if not wanted:
        return {}
    top = _top(repository)
    found: dict[str, Path] = {}
    size = 0
    for pattern in wanted:
        paths = [path for path in _untracked(top, pattern) if _is_plain(top, path)]
        if not paths:
            raise BadSettings(
                f"bring: {pattern!r} finds no file in {top} that git does not track", fix=_advice(top, pattern)
            )
        for path in paths:
            found[path] = top / path
            size += (top / path).stat().st_size
    if len(found) > MOST_FILES or size > MOST_BYTES:
        raise BadSettings(
            f"bring: {len(found)} files with {size // 1_000_000} MB are too much;"
            f" {MOST_FILES} files with {MOST_BYTES // 1_000_000} MB may be brought",
            fix="name fewer files, or let set-up make them",
        )
    return found


def copy_files(found: dict[str, Path], files: Path) -> list[str]:
    """Copy found files into a checkout, where nothing is yet in their place; return the paths of those copied.

    Raises BadSettings when one cannot be read any more.
    """
    copied: list[str] = []
    for path, source in found.items():
        if os.path.lexists(files / path):
            continue
        try:
            content, mode = source.read_bytes(), source.stat().st_mode
            write_beneath(files, path, content, bool(mode & stat.S_IXUSR))
        except UnsafePath:
            continue  # the tree has a link on the way: its own affair
        except OSError as error:
            raise BadSettings(
                f"bring: {source} cannot be read: {error.strerror}", fix="let yourself read it"
            ) from error
        copied.append(path)
    return copied


def is_there(repository: str, path: str) -> bool:
    """Return whether the user's checkout has a plain file at `path` that git does not track."""
    try:
        check_path(path)
        top = _top(repository)
    except (BadSettings, UnsafePath):
        return False
    return (top / path).is_file() and path in _untracked(top, path)


def file_with(repository: str, variable: str) -> str:
    """Return the file of the user's checkout that sets an environment variable and that git does not track: `.env`, or
    one that begins so. "" when there is none."""
    try:
        top = _top(repository)
    except BadSettings:
        return ""
    sets = re.compile(rf"^[ \t]*(?:export[ \t]+)?{re.escape(variable)}[ \t]*=", re.MULTILINE)
    for path in _untracked(top, ".env*"):
        if _is_plain(top, path) and (top / path).stat().st_size <= _MOST_OF_VARIABLES:
            try:
                if sets.search((top / path).read_text(encoding="utf-8", errors="replace")):
                    return path
            except OSError:
                continue
    return ""


def _top(repository: str) -> Path:
    """Return the top of the checkout that a repository lies in. Raises BadSettings when it is none on this machine."""
    said = _git(Path(repository), "rev-parse", "--show-toplevel") if repository and Path(repository).is_dir() else b""
    if not said.strip():
        raise BadSettings(
            f"bring: {repository} is not a checkout on this machine, so no file can be brought from it",
            fix="name a local checkout with --repo, or let set-up make the files",
        )
    return Path(os.fsdecode(said.removesuffix(b"\n")))


def _untracked(top: Path, pattern: str) -> list[str]:
    """Return the files that a pattern names and git does not track, whether or not it ignores them."""
    spec = f":(top,glob){pattern.removeprefix('./').rstrip('/')}"
    said = _git(top, "ls-files", "--others", "-z", "--", spec)
    return sorted(path for path in said.decode(errors="surrogateescape").split("\0") if path and path[-1] != "/")


def _is_plain(top: Path, path: str) -> bool:
    """Return whether a file lies in the checkout without a link on the way. The file itself may be the user's link."""
    folder = (top / path).parent
    return folder.resolve() == top.resolve() / folder.relative_to(top) and (top / path).is_file()


def _git(folder: Path, *words: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", *words],
            cwd=folder,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_GIT_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return b""
    return done.stdout


def _advice(top: Path, pattern: str) -> str:
    if (top / pattern).exists():
        return f"leave {pattern} out: what git tracks is there anyway"
    return "write a path or pattern as it is from the top of the repository, or make the file"
