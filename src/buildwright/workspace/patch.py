"""Finds a lane's changes by hashing every file against the base tree. Must never ask its git or follow a link."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from buildwright.confined_fs import read_beneath, read_link_beneath, write_beneath
from buildwright.core.patch import FILE_BYTES, ChangeKind, FileChange, Patch, check_changes
from buildwright.errors import UnsafePath
from buildwright.workspace.attributes import RULES, Attributes, add, changed_paths, read_attributes, write_out
from buildwright.workspace.git import Git, naming_full_disk
from buildwright.workspace.lfs import FILTER
from buildwright.workspace.mirror import Pin
from buildwright.workspace.objects import object_id
from buildwright.workspace.packs import id_hash
from buildwright.workspace.submodules import gitlinks
from buildwright.workspace.trees import MODULE, TreeEntry, Unreadable, Write, list_tree, written

_DEPTH = 200
_NAMED = 20
"""Changed files of submodules, and ignored ones, that are named."""
_LINK = "120000"
# Made by tools, not by the task. Left out only while the base tree tracks nothing below such a name.
_CACHES = frozenset(
    (
        "__pycache__",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".hypothesis",
        ".tox",
        ".nox",
        ".venv",
        "node_modules",
        ".gradle",
        ".turbo",
        ".parcel-cache",
        ".eggs",
        ".aider.tags.cache.v3",
        ".aider.tags.cache.v4",
    )
)
_CACHE_FILES = (".pyc", ".pyo", ".swp", ".DS_Store")
LEFT_OUT = (*(f"{name}/" for name in sorted(_CACHES)), *(f"*{ending}" for ending in _CACHE_FILES))
"""`_CACHES` and `_CACHE_FILES` as patterns of gitignore(5)."""


@dataclass
class _Scan:
    base: dict[str, TreeEntry]
    width: int
    tracked: frozenset[str]
    """Every directory of the base tree."""
    found: dict[str, TreeEntry] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)
    """Paths of pipes, sockets and devices, which git cannot hold."""
    rules: bool = False
    """Whether a .gitignore was found."""
    left_out: frozenset[str] = frozenset()
    """Files and directories to pass by."""
    strange: list[str] | None = None
    """If a list: directories that the base tree has not got are put here, and not looked into."""


class Stored(NamedTuple):
    """A lane as a tree, its changes against the base tree, and the first of the new files that git ignores."""

    tree: str
    changes: tuple[FileChange, ...]
    ignored: tuple[str, ...] = ()


async def write_lane(
    git: Git,
    pin: Pin,
    files: Path,
    base_tree: str,
    *,
    aside: Path | None = None,
    ignores: bool = True,
    left_out: Iterable[str] = (),
) -> Stored:
    """Store the lane's files as a tree in the mirror; return the tree and its changes against `base_tree`.

    What git needs for its rules is made in `aside`, by default beside the files. Without `ignores` the project's own
    .gitignore hides nothing; files and directories in `left_out` are passed by. Raises UnsafePath for a name or file
    that cannot be taken, GitFailed, DiskFull.
    """
    base = await list_tree(git, pin.mirror, base_tree)
    scan = await asyncio.to_thread(_scan, files, base, pin, frozenset(left_out))
    changes = _compare(base, scan.found)
    if not changes:
        return Stored(base_tree, ())
    with tempfile.TemporaryDirectory(prefix="index-", dir=aside or files.parent) as name:
        return await _write_changes(git, pin, _Store(pin, files, base, Path(name)), base_tree, changes, scan, ignores)


async def _write_changes(
    git: Git, pin: Pin, store: _Store, base_tree: str, changes: list[FileChange], scan: _Scan, ignores: bool
) -> Stored:
    """See `write_lane`."""
    index = store.aside / "index"
    fresh = [change.path for change in changes if change.kind == "added"]
    rules = ignores and (scan.rules or _says_something(pin.exclude))
    ignored = await _ignored(git, pin, store.files, fresh, scan, store.aside) if fresh and rules else frozenset()
    changes = [change for change in changes if change.path not in ignored]
    named = tuple(islice((path for path in sorted(ignored) if path and path.isprintable()), _NAMED))
    check_changes(changes)
    if not changes:
        return Stored(base_tree, (), named)
    if any(path.rpartition("/")[2] == RULES for path in (*store.base, *scan.found)):
        await git.run(pin.mirror, "read-tree", "--end-of-options", base_tree, index=index)
        untouched = await _as_written(git, pin, index, changes, scan)
        changes = [change for change in changes if change.path not in untouched]
        await _index(git, pin, index, (await asyncio.to_thread(store.write, _rules(changes))).entries)
        regular = [change.path for change in changes if change.mode.startswith("100")]
        store.attributes = await read_attributes(git, pin.mirror, index, regular)
    stored = await asyncio.to_thread(store.write, changes, base_tree)
    kept = stored.kept
    if stored.copied:
        await _index(git, pin, index, stored.entries)
        await add(git, pin.mirror, index, store.work, stored.copied)
        kept += _converted(stored.copied, await changed_paths(git, pin.mirror, index, base_tree))
    tree = base_tree if not kept else stored.tree
    if not tree:
        if not stored.copied:
            await git.run(pin.mirror, "read-tree", "--end-of-options", base_tree, index=index)
            await _index(git, pin, index, stored.entries)
        tree = (await git.run(pin.mirror, "write-tree", index=index)).text
    return Stored(tree, tuple(sorted(kept, key=lambda change: change.path)), named)


def _says_something(rules: str) -> bool:
    """Return whether rules of gitignore(5) are more than empty lines and comments."""
    return any(line.strip() and not line.startswith("#") for line in rules.splitlines())


async def _as_written(git: Git, pin: Pin, index: Path, changes: list[FileChange], scan: _Scan) -> frozenset[str]:
    """Return the paths whose files are those that a checkout of the base, which is in `index`, writes."""
    modified = [change.path for change in changes if change.kind == "modified" and change.mode == change.old_mode]
    attributes = await read_attributes(git, pin.mirror, index, modified)
    converted = [path for path, its in attributes.items() if its.change_checkouts]
    if not converted:
        return frozenset()
    folder = index.parent / "base"
    await write_out(git, pin.mirror, index, folder, converted)

    def compare() -> frozenset[str]:
        written = ((path, folder / path) for path in converted)
        return frozenset(
            path
            for path, file in written
            if file.is_file() and object_id("blob", file.read_bytes(), pin.width) == scan.found[path].object_id
        )

    return await asyncio.to_thread(compare)


async def _index(git: Git, pin: Pin, index: Path, entries: Mapping[str, TreeEntry | None]) -> None:
    """Put the entries (None: deleted) into an index (git-update-index(1), "--index-info")."""
    gone = TreeEntry("0", "0" * pin.width)
    lines = [
        b"%s %s\t%s\0" % (entry.mode.encode(), entry.object_id.encode(), path.encode(errors="surrogateescape"))
        for path, entry in ((path, found or gone) for path, found in entries.items())
    ]
    await git.run(pin.mirror, "update-index", "-z", "--index-info", stdin=b"".join(lines), index=index)


def _rules(changes: list[FileChange]) -> list[FileChange]:
    return [change for change in changes if change.path.rpartition("/")[2] == RULES]


def _converted(copied: list[FileChange], differs: Mapping[str, bool]) -> list[FileChange]:
    """Return those of the copied files that still differ from the base now that git has converted them."""
    found: list[FileChange] = []
    for change in copied:
        if change.path in differs:
            only_mode = change.kind == "modified" and not differs[change.path]
            found.append(change.model_copy(update={"kind": "mode"}) if only_mode else change)
    return found


async def take(git: Git, pin: Pin, files: Path, base_tree: str, made: Iterable[str] = ()) -> Patch:
    """Return the lane's patch without the files and directories `made` by set-up. Raises as `write_lane` does."""
    stored = await write_lane(git, pin, files, base_tree, left_out=made)
    left_out = await _in_submodules(git, pin, files, base_tree) if pin.modules else ()
    return Patch(
        base_tree=base_tree, tree=stored.tree, changes=stored.changes, left_out=left_out, ignored=stored.ignored
    )


async def made_by_setup(git: Git, pin: Pin, files: Path, tree: str) -> tuple[str, ...]:
    """Return the files and directories that lie in a lane beside its tree; changed files get their content back.

    What set-up made of a link, or put in the place of a directory, stays as it is.
    """
    base = await list_tree(git, pin.mirror, tree)
    strange: list[str] = []
    scan = await asyncio.to_thread(_scan, files, base, pin, frozenset(), strange)
    changes = _compare(base, scan.found)
    changed = [change.path for change in changes if change.kind != "added" and base[change.path].mode != _LINK]
    if changed:
        with git.aside() as aside:
            await git.run(pin.mirror, "read-tree", "--end-of-options", tree, index=aside / "index")
            filters = FILTER if pin.lfs is not None else ()
            await write_out(git, pin.mirror, aside / "index", aside / "base", changed, filters)
            await asyncio.to_thread(_bring_back, aside / "base", files, changed)
    return (*strange, *scan.odd, *(change.path for change in changes if change.kind == "added"))


def _bring_back(source: Path, files: Path, paths: Iterable[str]) -> None:
    for path in paths:
        written = source / path
        with contextlib.suppress(UnsafePath):
            write_beneath(files, path, written.read_bytes(), bool(written.stat().st_mode & stat.S_IXUSR))


async def _in_submodules(git: Git, pin: Pin, files: Path, tree: str) -> tuple[str, ...]:
    """Return the first files below submodules of a tree that differ from the submodule's commit."""
    found: list[str] = []
    for path, commit in (await gitlinks(git, pin.mirror, tree)).items():
        folder = files / path
        if commit in pin.modules and not os.path.lexists(folder):
            found.append(path)
        elif commit in pin.modules and os.path.realpath(folder) == f"{os.path.realpath(files)}/{path}":
            below = (*await _in_submodule(git, pin, folder, commit), *await _in_submodules(git, pin, folder, commit))
            found += [f"{path}/{name}" for name in below]
    return tuple(found[:_NAMED])


async def _in_submodule(git: Git, pin: Pin, folder: Path, commit: str) -> list[str]:
    base = await list_tree(git, pin.mirror, commit)
    scan = await asyncio.to_thread(_scan, folder, base, pin)
    changes = [change for change in _compare(base, scan.found) if change.kind != "added"]
    if not changes:
        return []
    with git.aside() as aside:
        index = aside / "index"
        await git.run(pin.mirror, "read-tree", "--end-of-options", commit, index=index)
        untouched = await _as_written(git, pin, index, changes, scan)
    return [change.path for change in changes if change.path not in untouched]


def _compare(base: dict[str, TreeEntry], found: dict[str, TreeEntry]) -> list[FileChange]:
    changes: list[FileChange] = []
    for path, new in found.items():
        old = base.get(path)
        if old is None:
            changes.append(FileChange.model_construct(path=path, kind="added", mode=new.mode, size=new.size))
        elif old[:2] != new[:2]:
            kind: ChangeKind = "modified"
            if old.mode[:2] != new.mode[:2]:
                kind = "type"
            elif old.object_id == new.object_id:
                kind = "mode"
            # Not validated: a name that is not UTF-8 must get as far as `_check`, whose error names it.
            changes.append(
                FileChange.model_construct(path=path, kind=kind, mode=new.mode, old_mode=old.mode, size=new.size)
            )
    for path, old in base.items():
        if path not in found and old.mode != MODULE:
            changes.append(FileChange.model_construct(path=path, kind="deleted", mode="", old_mode=old.mode, size=0))
    return sorted(changes, key=lambda change: change.path)


class _Written(NamedTuple):
    entries: dict[str, TreeEntry | None]
    """What is written, by path; None for what is deleted, and those first."""
    kept: list[FileChange]
    """The changes whose blobs are written."""
    copied: list[FileChange]
    """Files that git is to convert, copied to the store's directory `work`."""
    tree: str = ""
    """The tree with the entries; "" if git must write it."""


@dataclass
class _Store:
    """Writes the blobs of changed files. Each is read again, and this content counts, so that hash and content agree."""

    pin: Pin
    files: Path
    base: dict[str, TreeEntry]
    aside: Path
    attributes: dict[str, Attributes] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        return self.aside / "work"

    def write(self, changes: list[FileChange], base_tree: str = "") -> _Written:
        """Write what needs no conversion, copy the rest; write the tree if that is all. Raises UnsafePath, DiskFull."""
        objects = self.pin.objects
        with objects.together() as write:
            stored = self._write(changes, write)
            if base_tree and stored.kept and not stored.copied:
                with contextlib.suppress(Unreadable):
                    stored = stored._replace(tree=written(objects, base_tree, stored.entries, write))
        return stored

    def _write(self, changes: list[FileChange], write: Write) -> _Written:
        stored = _Written({}, [], [])
        for change in sorted(changes, key=lambda one: (one.kind != "deleted", one.path)):
            if change.kind == "deleted":
                stored.entries[change.path] = None
                stored.kept.append(change)
            elif change.mode != MODULE:
                content = self._read(change)
                pointer = self._pointer(change, content)
                if not pointer and self._is_converted(change, content):
                    self._copy(change, content)
                    stored.copied.append(change.model_copy(update={"size": len(content)}))
                    continue
                found = pointer or write("blob", content)
                if self.base.get(change.path, TreeEntry("", ""))[:2] == (change.mode, found):
                    continue
                stored.entries[change.path] = TreeEntry(change.mode, found)
                stored.kept.append(change.model_copy(update={"size": len(content)}))
        return stored

    def _read(self, change: FileChange) -> bytes:
        if change.mode == _LINK:
            return read_link_beneath(self.files, change.path)
        return read_beneath(self.files, change.path, FILE_BYTES + 1)

    def _pointer(self, change: FileChange, content: bytes) -> str:
        """Return the blob of the pointer for a content that the base has in Git LFS, "" for any other."""
        its = self.attributes.get(change.path)
        known = self.pin.lfs.pointers if self.pin.lfs and its and its.is_large else {}
        return known.get(object_id("blob", content, self.pin.width), "") if known else ""

    def _is_converted(self, change: FileChange, content: bytes) -> bool:
        """Return whether git stores something else. Raises UnsafePath for a content that must not be stored."""
        attributes = self.attributes.get(change.path)
        if attributes is None or change.mode == _LINK:
            return False
        attributes.check(change.path, content)
        return attributes.change(content)

    def _copy(self, change: FileChange, content: bytes) -> None:
        place = self.work / change.path
        with naming_full_disk(self.work):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            place.chmod(0o755 if change.mode == "100755" else 0o644)


async def _ignored(git: Git, pin: Pin, files: Path, fresh: list[str], scan: _Scan, aside: Path) -> frozenset[str]:
    """Return the new files that the project's .gitignore or the user's `info/exclude` leaves out, as `git add` would.

    The rules of `info/exclude` are written to the directory `aside`.
    """
    for path in scan.odd:
        if path.rpartition("/")[2] == ".gitignore":
            raise UnsafePath(f"{path!r} is not a plain file.", fix="Make .gitignore a plain file.")
    exclude = aside / "exclude"
    await asyncio.to_thread(exclude.write_text, pin.exclude, errors="surrogateescape")
    answer = await git.run(
        pin.mirror,
        *("-c", f"core.excludesFile={exclude}"),
        "check-ignore",
        "--no-index",
        "-z",
        "--stdin",
        stdin=b"".join(path.encode(errors="surrogateescape") + b"\0" for path in fresh),
        work_tree=files,
        okay=(0, 1),
        seconds=60,
    )
    return frozenset(answer.output.decode(errors="surrogateescape").split("\0"))


def _scan(
    files: Path,
    base: dict[str, TreeEntry],
    pin: Pin,
    left_out: frozenset[str] = frozenset(),
    strange: list[str] | None = None,
) -> _Scan:
    tracked: set[str] = set()
    for path in base:
        folder = path.rpartition("/")[0]
        while folder and folder not in tracked:
            tracked.add(folder)
            folder = folder.rpartition("/")[0]
    scan = _Scan(base, pin.width, frozenset(tracked), left_out=left_out, strange=strange)
    top = os.open(files, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _scan_directory(scan, top, "", 0)
    finally:
        os.close(top)
    pointers = pin.lfs.pointers if pin.lfs is not None else {}
    for path, entry in scan.found.items() if pointers else ():
        if path in base and base[path].object_id == pointers.get(entry.object_id):
            scan.found[path] = entry._replace(object_id=base[path].object_id)
    return scan


def _scan_directory(scan: _Scan, directory: int, prefix: str, depth: int) -> None:
    if depth > _DEPTH:
        raise UnsafePath(f"{prefix[:200]!r} lies more than {_DEPTH} directories deep.", fix="Use fewer directories.")
    with os.scandir(directory) as listing:
        names = [(entry.name, entry.is_dir(follow_symlinks=False), entry.is_symlink()) for entry in listing]
    for name, is_directory, is_link in names:
        path = prefix + name
        if name == ".git" or path in scan.left_out:
            continue
        try:
            if is_directory:
                _enter(scan, directory, name, path, depth)
            elif is_link:
                target = os.fsencode(os.readlink(name, dir_fd=directory))
                scan.found[path] = TreeEntry(_LINK, object_id("blob", target, scan.width), len(target))
            else:
                _hash_file(scan, directory, name, path)
        except FileNotFoundError:
            continue
        except PermissionError as error:
            raise UnsafePath(
                f"{path!r} cannot be read: it has no read permission.", fix="Let its owner read it."
            ) from error


def _enter(scan: _Scan, directory: int, name: str, path: str, depth: int) -> None:
    before = scan.base.get(path)
    if before is not None and before.mode == MODULE:
        scan.found[path] = before
        return
    if name in _CACHES and path not in scan.tracked:
        return
    if scan.strange is not None and path not in scan.tracked:
        scan.strange.append(path)
        return
    below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        _scan_directory(scan, below, f"{path}/", depth + 1)
    finally:
        os.close(below)


def _hash_file(scan: _Scan, directory: int, name: str, path: str) -> None:
    if name.endswith(_CACHE_FILES) and path not in scan.base:
        return
    try:
        # O_NONBLOCK: a pipe put in the file's place must not block this process.
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except OSError as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        scan.odd.append(path)
        return
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            scan.odd.append(path)
            return
        scan.rules = scan.rules or name == ".gitignore"
        state = id_hash(scan.width)
        state.update(b"blob %d\0" % status.st_size)
        while block := os.read(descriptor, 1 << 20):
            state.update(block)
        mode = "100755" if status.st_mode & stat.S_IXUSR else "100644"
        scan.found[path] = TreeEntry(mode, state.hexdigest(), status.st_size)
    finally:
        os.close(descriptor)
