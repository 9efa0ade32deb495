"""Which paths inside a lane may be named, and which need a person's consent. Pure; must never look at a file system.

Paths are those of git: relative, parts separated by "/", case-sensitive.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache

from buildwright.core.protected import reach_of
from buildwright.errors import UnsafePath

PART_BYTES = 255
PATH_BYTES = 4096

# Characters that HFS+ ignores when it compares names (git's utf8.c, next_hfs_char): ".g\u200cit" is ".git" there.
_HFS_IGNORED = dict.fromkeys([*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF])
_UNSEEN = frozenset("\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def normal_path(path: str) -> str:
    """Return the one spelling of a path that a task names: no "./" and no "//". A "/" at the end, of a folder, stays.

    Whatever else is wrong with it stays visible: a leading "/", "..", an empty path.
    """
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if not parts:
        return path
    return f"{'/' if path.startswith('/') else ''}{'/'.join(parts)}{'/' if path.endswith('/') else ''}"


def overlap(one: str, other: str) -> bool:
    """Return whether two paths that tasks name can hold the same file: equal, or one is a folder or glob around both.

    Of a glob ("*", "?") the folder above its first wildcard counts.
    """
    first, second = _region(one), _region(other)
    return first == second or not first or not second or _is_in(first, second) or _is_in(second, first)


def overlapping(paths: Iterable[str], held: Mapping[str, str], task: str) -> tuple[str, str] | None:
    """Return a held path that overlaps one of `paths`, and the task that holds it; None when all are free for `task`.

    `held` gives the holder of each path. Takes O(paths * held).
    """
    for path in paths:
        holder = held.get(path)
        if holder is not None and holder != task:
            return path, holder
        for other, holder in held.items():
            if holder != task and overlap(path, other):
                return other, holder
    return None


class HeldPaths:
    """Paths that are held up to a number, for many questions: each takes O(depth of the path)."""

    def __init__(self) -> None:
        self._held: dict[str, int] = {}
        self._around: dict[str, int] = {}

    def hold(self, paths: Iterable[str], until: int) -> None:
        """Hold some paths. For one path the number must not become smaller."""
        for region in map(_region, paths):
            self._held[region] = until
            for folder in _folders(region):
                self._around[folder] = max(until, self._around.get(folder, 0))

    def until(self, path: str) -> int:
        """Return the largest number up to which a path that overlaps this one is held; 0 without any."""
        region = _region(path)
        held = (self._held.get(folder, 0) for folder in _folders(region))
        return max(self._around.get(region, 0), *held)


def _folders(region: str) -> Iterator[str]:
    """Yield a region, and all folders around it up to the top (the empty name)."""
    while region:
        yield region
        region = region.rpartition("/")[0]
    yield ""


@lru_cache(maxsize=20_000)
def _region(path: str) -> str:
    parts: list[str] = []
    for part in normal_path(path).rstrip("/").split("/"):
        if "*" in part or "?" in part:
            break
        parts.append(part)
    return "" if parts == ["."] else "/".join(parts)


def _is_in(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")


def check_path(path: str) -> str:
    """Return the path in its normal form (one leading "./" dropped). Raises UnsafePath if it is ambiguous."""
    if path.startswith("./"):
        path = path[2:]
    if not path:
        raise UnsafePath("An empty path names no file.", fix="Name a file relative to the top of the repository.")
    if path.startswith("/"):
        raise _unsafe(path, "it is absolute")
    if "\\" in path:
        raise _unsafe(path, "it has a backslash, which separates directories on some systems")
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        raise _unsafe(path, "it is not valid UTF-8") from None
    if len(encoded) > PATH_BYTES:
        raise _unsafe(path, f"it is longer than {PATH_BYTES} bytes")
    for part in path.split("/"):
        _check_part(path, part)
    return path


def _check_part(path: str, part: str) -> None:
    if part in {"", ".", ".."}:
        raise _unsafe(path, f'"{part}" is not a name')
    if len(part.encode()) > PART_BYTES:
        raise _unsafe(path, f"a part of it is longer than {PART_BYTES} bytes")
    if any(unicodedata.category(letter) == "Cc" or letter in _UNSEEN for letter in part):
        raise _unsafe(path, "it has a control character")


def _unsafe(path: str, why: str) -> UnsafePath:
    shown = ascii(path if len(path) <= 200 else f"{path[:200]}...")
    return UnsafePath(
        f"The path {shown} is refused: {why}.",
        fix="Use a plain path relative to the top of the repository, such as src/app.py.",
    )


def is_git_part(part: str) -> bool:
    """Return whether any file system takes this name for `.git` (git's own fsck rules: HFS+, NTFS, short names)."""
    folded = _fold_part(part)
    return folded in {".git", "git~1"}


def in_part(path: str, part: str, is_there: Callable[[str], bool]) -> str:
    """Return a path of a task from the top of the repository: one that is not there may be meant from the part."""
    plain = path.removeprefix("./")
    if not part or plain.startswith(f"{part}/") or is_there(plain):
        return path
    return f"{part}/{plain}"


def is_protected(
    path: str, extra: Iterable[str] = (), allow: Iterable[str] = (), named: Iterable[str] = ()
) -> str | None:
    """Return why a person must agree before this path is changed, None when no consent is needed.

    `extra` adds paths, directories or globs ("*" crosses "/"); `allow` lifts the protection of the paths it names, but
    never that of a git directory; `named` are the paths of the task, which lift it from what projects write themselves.
    Compared without case and compatibility forms, as some file systems do.
    """
    folded = fold_path(path)
    if any(part in {".git", "git~1"} for part in folded.split("/")):
        return "it lies in a git directory"
    if is_covered(folded, allow):
        return None
    if reason := reach_of(folded, path, is_named=folded in {fold_path(one.removeprefix("./")) for one in named}):
        return reason
    if is_covered(folded, extra):
        return "the project protects it"
    return None


def fold_path(path: str) -> str:
    """Return a path as file systems without case and with compatibility forms compare it."""
    return "/".join(_fold_part(part) for part in path.split("/"))


def is_covered(path: str, patterns: Iterable[str]) -> bool:
    """Return whether a path is, lies below or matches ("*" crosses "/") one of the patterns, however it is spelt."""
    folded = fold_path(path)
    for pattern in patterns:
        wanted = fold_path(pattern.removeprefix("./").rstrip("/"))
        if folded == wanted or folded.startswith(f"{wanted}/") or fnmatchcase(folded, wanted):
            return True
    return False


@lru_cache(maxsize=20_000)
def _fold_part(part: str) -> str:
    # NTFS drops trailing dots and spaces and takes "name:stream" and "name::$INDEX_ALLOCATION" for the name.
    plain = part.translate(_HFS_IGNORED)
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", plain).casefold())
    return folded.split(":", 1)[0].rstrip(". ") or folded
