"""Git's trees, read, compared, merged and written in this process. Must never look at a file of a lane.

A tree is named by its content, so what was read of one is kept. What cannot be read here is left to git: trees that
are too large, damaged or lie in another repository (`objects/info/alternates`), those with a name twice, and the
parents of commits where a history is cut (`shallow`) or grafted. git runs without `refs/replace`, so none counts here.
"""

from __future__ import annotations

import asyncio
import re
import stat
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

from buildwright.workspace.git import Git
from buildwright.workspace.objects import ObjectStore

FOLDER = "040000"
MODULE = "160000"
_MODE = re.compile(rb"[0-7]{1,12}")
_COMMIT = re.compile(rb"tree ([0-9a-f]+)\n(?:parent ([0-9a-f]+)\n)?")
_MOST_KEPT = 200_000
"""Entries of all trees that are kept together; about 250 bytes each."""
_MOST_READ = 200
"""Trees that are read one by one for a list; git lists more faster."""

Write = Callable[[str, bytes], str]
"""Writes an object of a kind and returns its id."""


class TreeEntry(NamedTuple):
    """One path of a tree: git's octal mode and the object's id; `size` in bytes is 0 where it was not measured."""

    mode: str
    object_id: str
    size: int = 0


Entries = dict[str, TreeEntry]
Name = TypeVar("Name")
Value = TypeVar("Value")


class Unreadable(Exception):
    """A tree or commit cannot be read in this process."""


class Kept(Generic[Name, Value]):
    """What was read last, by names that stand for its content. It is all dropped when it is too much."""

    def __init__(self, most: int, size_of: Callable[[Value], int]) -> None:
        """`most` is the size that everything together may have."""
        self._most, self._size_of = most, size_of
        self._values: dict[Name, Value] = {}
        self._size = 0
        self._lock = Lock()

    def get(self, name: Name) -> Value | None:
        """Return what is kept by a name."""
        return self._values.get(name)

    def put(self, name: Name, value: Value) -> None:
        """Keep a value that must not be changed any more."""
        with self._lock:
            if self._size > self._most:
                self._values, self._size = {}, 0
            self._values[name] = value
            self._size += self._size_of(value) + 1


_kept = Kept[tuple[Path, str], Entries](_MOST_KEPT, len)


def entries_of(store: ObjectStore, tree: str) -> Entries:
    """Return the entries of one tree by name; bytes that are not UTF-8 become surrogates. Raises Unreadable."""
    found = _kept.get((store.git_dir, tree))
    if found is None:
        content = store.read(tree, "tree")
        if content is None:
            raise Unreadable(tree)
        found, place, size = {}, 0, store.width // 2
        while place < len(content):
            space = content.find(b" ", place)
            end = content.find(b"\0", space)
            mode = _canonical(content[place : max(space, place)])
            name = content[space + 1 : end].decode(errors="surrogateescape")
            place = end + 1 + size
            if not mode or end < 0 or not name or "/" in name or name in found or place > len(content):
                raise Unreadable(tree)
            found[name] = TreeEntry(mode, content[end + 1 : place].hex())
        _kept.put((store.git_dir, tree), found)
    return found


@lru_cache(64)
def _canonical(mode: bytes) -> str:
    """Return the mode that git takes for one that stands in a tree, "" for what is none.

    git knows five modes; old and other programs wrote more, such as 100664 for a file.
    """
    number = int(mode, 8) if _MODE.fullmatch(mode) else 1 << 16
    if number >= 1 << 16:
        return ""
    match stat.S_IFMT(number):
        case stat.S_IFREG:
            return "100755" if number & stat.S_IXUSR else "100644"
        case stat.S_IFLNK:
            return "120000"
        case stat.S_IFDIR:
            return FOLDER
        case _:
            return MODULE


def tree_of(store: ObjectStore, name: str) -> str:
    """Return the tree of a commit; `COMMIT^` names its first parent. Raises Unreadable."""
    commit, parent = name.removesuffix("^"), name.endswith("^")
    found = _COMMIT.match(store.read(commit, "commit") or b"")
    if found is None:
        raise Unreadable(name)
    if not parent:
        return found[1].decode()
    if found[2] is None or any((store.git_dir / one).exists() for one in ("shallow", "info/grafts")):
        raise Unreadable(name)
    return tree_of(store, found[2].decode())


def content_at(store: ObjectStore, tree: str, path: str, limit: int) -> bytes | None:
    """Return the content of a file of a tree, None for none. Raises Unreadable, also for more than `limit` bytes."""
    *folders, name = path.split("/")
    for folder in folders:
        entry = entries_of(store, tree).get(folder)
        if entry is None or entry.mode != FOLDER:
            return None
        tree = entry.object_id
    entry = entries_of(store, tree).get(name)
    if entry is None or entry.mode in (FOLDER, MODULE):
        return None
    content = store.read(entry.object_id, "blob", limit)
    if content is None:
        raise Unreadable(entry.object_id)
    return content


async def list_tree(git: Git, mirror: Path, tree: str) -> Entries:
    """Return every file of a tree, or of a commit's, by path, sorted. Raises GitFailed when it is not there."""
    store = ObjectStore(mirror, len(tree))
    try:
        return await asyncio.to_thread(_flat, store, tree, _MOST_READ)
    except Unreadable:
        pass
    answer = await git.run(mirror, "ls-tree", "-r", "-t", "-z", "--full-tree", "--end-of-options", tree)
    return await asyncio.to_thread(_listed, store, tree, answer.output)


def _flat(store: ObjectStore, tree: str, most: int) -> Entries:
    if _kept.get((store.git_dir, tree)) is None and store.read(tree, "commit") is not None:
        tree = tree_of(store, tree)
    found: Entries = {}
    waiting = [("", tree)]
    while waiting:
        prefix, one = waiting.pop()
        if _kept.get((store.git_dir, one)) is None:
            most -= 1
            if most < 0:
                raise Unreadable(tree)
        for name, entry in entries_of(store, one).items():
            if entry.mode == FOLDER:
                waiting.append((f"{prefix}{name}/", entry.object_id))
            else:
                found[prefix + name] = entry
    return dict(sorted(found.items()))


def _listed(store: ObjectStore, tree: str, output: bytes) -> Entries:
    """Return the files of git-ls-tree(1) with `-r -t`, and keep each tree, unless a name has a slash or comes twice."""
    found: Entries = {}
    inside: dict[str, Entries] = {"": {}}
    names, is_plain = {"": tree}, True
    for line in output.decode(errors="surrogateescape").split("\0"):
        head, _, path = line.partition("\t")
        if not path:
            continue
        mode, _, name = head.split(" ")
        entry = TreeEntry(mode, name)
        folder, _, last = path.rpartition("/")
        is_plain &= folder in inside and last not in inside[folder]
        inside.setdefault(folder, {})[last] = entry
        if mode == FOLDER:
            inside[path], names[path] = {}, name
        else:
            found[path] = entry
    if is_plain and len(found) + len(inside) <= _MOST_KEPT:
        for folder, entries in inside.items():
            _kept.put((store.git_dir, names[folder]), entries)
    return dict(sorted(found.items()))


Difference = dict[str, tuple[TreeEntry | None, TreeEntry | None]]
"""Files that two trees do not have alike, by path: what the one and the other have there."""


def difference(store: ObjectStore, old: str, new: str) -> Difference:
    """Return where two trees differ; "" is the empty tree. Folders that are alike are not looked into. Raises Unreadable."""
    found: Difference = {}
    waiting = [("", old, new)]
    while waiting:
        prefix, one, other = waiting.pop()
        before = entries_of(store, one) if one else {}
        after = entries_of(store, other) if other else {}
        for name in before.keys() | after.keys():
            was, now = before.get(name), after.get(name)
            if was == now:
                continue
            if (folders := (_folder(was), _folder(now))) != ("", ""):
                waiting.append((f"{prefix}{name}/", *folders))
            if (files := (was if not folders[0] else None, now if not folders[1] else None)) != (None, None):
                found[prefix + name] = files
    return found


def _folder(entry: TreeEntry | None) -> str:
    """Return the tree of a folder, "" for anything else."""
    return entry.object_id if entry is not None and entry.mode == FOLDER else ""


def merged(store: ObjectStore, base: str, ours: str, theirs: str, write: Write) -> str | None:
    """Return the tree with the changes of both sides, None where git must see for itself: they may touch each other.

    Sides touch in a path, where a file of one is a folder of the other, and where one may have renamed a folder that
    the other adds a file to. Raises Unreadable.
    """
    sides = difference(store, base, ours), difference(store, base, theirs)
    for one, other in (sides, sides[::-1]):
        if any(path in other or any(folder in other for folder in _folders(path)) for path in one):
            return None
        deletes = any(new is None for _, new in one.values())
        if deletes and _adds(one) and _adds(other):
            return None
    return written(store, ours, {path: new for path, (_, new) in sides[1].items()}, write)


def _adds(side: Difference) -> bool:
    return any(old is None for old, _ in side.values())


def _folders(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def written(store: ObjectStore, tree: str, changes: Mapping[str, TreeEntry | None], write: Write) -> str:
    """Write the tree that `changes` (None: deleted) make of a tree; return its id. Raises Unreadable."""
    return _written(store, tree, changes, write) or write("tree", b"")


def _written(store: ObjectStore, tree: str, changes: Mapping[str, TreeEntry | None], write: Write) -> str:
    """See `written`; "" is a tree without entries."""
    here = dict(entries_of(store, tree)) if tree else {}
    below: dict[str, dict[str, TreeEntry | None]] = {}
    for path, entry in changes.items():
        name, _, rest = path.partition("/")
        old = here.get(name)
        if rest:
            below.setdefault(name, {})[rest] = entry
        elif entry is not None:
            here[name] = entry
        elif old is not None and old.mode != FOLDER:
            del here[name]
    for name, inner in below.items():
        folder = _folder(here.get(name))
        found = _written(store, folder, inner, write)
        if found:
            here[name] = TreeEntry(FOLDER, found)
        elif folder:
            del here[name]
    if not here:
        return ""
    found = write("tree", b"".join(line for _, line in sorted(map(_line, here.items()))))
    _kept.put((store.git_dir, found), {name: TreeEntry(*entry[:2]) for name, entry in here.items()})
    return found


def _line(item: tuple[str, TreeEntry]) -> tuple[bytes, bytes]:
    """Return an entry as a tree has it, behind what it is sorted by: a folder's name ends with a slash."""
    name, entry = item[0].encode(errors="surrogateescape"), item[1]
    place = name + b"/" if entry.mode == FOLDER else name
    return place, b"%s %s\0" % (entry.mode.lstrip("0").encode(), name) + bytes.fromhex(entry.object_id)
