"""Reads what changed between two commits of any repository. Must never let git run what the repository configures.

Names of commits are looked up in the repository; all else is read from an empty repository of our own that borrows its
objects, so that no configuration, attribute, graft, filter or hook of the audited one takes part.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from buildwright.core.patch import ChangeKind, FileChange, Patch
from buildwright.errors import BadRepository
from buildwright.gates.imports import Import, SourceLanguage, imports_of, source_language
from buildwright.ports import BUILD_TRAILER, Target
from buildwright.workspace.git import Git, check_revision
from buildwright.workspace.lane import Lanes
from buildwright.workspace.mirror import Pin
from buildwright.workspace.patch import write_lane
from buildwright.workspace.source import Source, locate
from buildwright.workspace.trees import TreeEntry, list_tree

LARGEST_FILE = 5_000_000
"""In bytes; the content of a larger file is not looked at."""
_DEFAULT_BRANCHES = ("refs/remotes/origin/HEAD", "refs/heads/main", "refs/heads/master")
_HUNK = re.compile(rb"@@ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@")


class AuditRange(NamedTuple):
    """What is compared, as the user names it: `base` "" for where HEAD left the default branch; `head` "" for HEAD."""

    base: str = ""
    head: str = ""
    work_tree: bool = False
    """Whether the files of the working tree count as the head."""


class Commit(NamedTuple):
    """One commit between base and head. Addresses are as the commit has them; nothing vouches for them."""

    id: str
    tree: str
    author: str
    committer: str
    build: str
    """The build that the message says it is of."""
    subject: str


class Rename(NamedTuple):
    """A file that is found again elsewhere; `similarity` in percent."""

    old: str
    new: str
    similarity: int


class Lines(NamedTuple):
    """The lines of one file that changed: those added, with their numbers in the new file, and those removed."""

    added: tuple[tuple[int, str], ...] = ()
    removed: tuple[str, ...] = ()


@dataclass
class Comparison:
    """Two trees of one repository and what differs, found by comparing trees and never by parsing a diff's names."""

    git: Git
    pin: Pin
    """Our own repository that borrows the objects."""
    source: Source
    base: str
    head: str
    before: Mapping[str, TreeEntry]
    after: Mapping[str, TreeEntry]
    patch: Patch
    commits: tuple[Commit, ...]
    """Newest first. Empty when base and head are not related."""
    is_related: bool
    """Whether the head descends from the base."""
    renames: tuple[Rename, ...] = ()
    lines: Mapping[str, Lines] = field(default_factory=dict)
    _blobs: dict[str, bytes] = field(default_factory=dict)
    _imports: dict[tuple[str, SourceLanguage | None], tuple[Import, ...]] = field(default_factory=dict)

    async def read(self, entries: Iterable[TreeEntry]) -> None:
        """Make the contents of these files ready for `text`; those too large or no file are left out."""
        wanted = {one.object_id for one in entries if one.mode.startswith("100")} - self._blobs.keys()
        if not wanted:
            return
        asked = "\n".join(sorted(wanted)).encode() + b"\n"
        sizes = await self.git.run(
            self.pin.mirror, "cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=asked
        )
        words = [line.split(" ") for line in sizes.text.splitlines()]
        small = [name for name, size in (pair for pair in words if len(pair) == 2) if int(size or 0) <= LARGEST_FILE]
        answer = await self.git.run(
            self.pin.mirror, "cat-file", "--batch", "--buffer", stdin="\n".join(small).encode() + b"\n"
        )
        self._blobs.update(_batch(answer.output))

    async def read_changed(self) -> None:
        """Make both sides of every changed file ready for `text`."""
        sides = (self.before, self.after)
        await self.read(side[path] for path in self.patch.paths for side in sides if path in side)

    def content(self, entry: TreeEntry | None) -> bytes | None:
        """Return a file's content if `read` has made it ready."""
        return self._blobs.get(entry.object_id) if entry is not None else None

    def text(self, entry: TreeEntry | None) -> str | None:
        """Return a file's text if `read` has made it ready, None for what is no text."""
        content = self.content(entry)
        return None if content is None or b"\0" in content[:8000] else content.decode("utf-8", "replace")

    def imports(self, path: str, entry: TreeEntry | None) -> tuple[Import, ...]:
        """Return what a file imports if `read` has made it ready; each content is parsed once."""
        content = self.content(entry)
        if entry is None or content is None:
            return ()
        key = (entry.object_id, source_language(path))
        if key not in self._imports:
            self._imports[key] = imports_of(path, content)
        return self._imports[key]

    async def authors(self, most: int = 20_000) -> frozenset[str]:
        """Return the addresses of all who wrote or made commits up to the base."""
        if not self.base:
            return frozenset()
        answer = await self.git.run(
            self.pin.mirror, "log", f"--max-count={most}", "--format=%ae%x00%ce", "--end-of-options", self.base
        )
        return frozenset(one.lower() for line in answer.text.splitlines() for one in line.split("\0"))

    def checkout(self, tree: str) -> AbstractAsyncContextManager[Path]:
        """Yield a private directory with exactly the files of a tree."""
        lanes = Lanes(self.pin.mirror.parent, self.git)
        return lanes.checkout(self.pin, "audit", tree)


@asynccontextmanager
async def compare(
    git: Git, repository: str, environment: Mapping[str, str], asked: AuditRange
) -> AsyncIterator[Comparison]:
    """Yield the comparison of two commits of a local repository, or of a commit and the working tree.

    Raises BadRepository with the fix when there is no such repository or commit, UnsafePath for a file of the working
    tree that cannot be taken, GitFailed.
    """
    source = locate(repository, environment)
    if source.git_dir is None:
        raise BadRepository("Only a repository on this machine can be audited.", fix="Clone it, and audit the clone.")
    if asked.base:
        base, head = await asyncio.gather(_commit(git, source, asked.base), _commit(git, source, asked.head or "HEAD"))
    else:
        head = await _commit(git, source, asked.head or "HEAD")
        base = await _default_base(git, source, head)
    with git.aside() as folder:
        pin = await _shadow(git, source, folder, base, head)
        yield await _compared(git, pin, source, base, head, work_tree=asked.work_tree)


async def _commit(git: Git, source: Source, name: str) -> str:
    assert source.git_dir is not None
    check_revision(name)
    found = await _look_up(git, source.git_dir, name)
    if not found:
        raise BadRepository(f"There is no branch, tag or commit {name!r}.", fix="Name one that `git log` shows.")
    return found


async def _look_up(git: Git, git_dir: Path, name: str) -> str:
    wanted = f"{name}^{{commit}}"
    answer = await git.run(git_dir, "rev-parse", "--verify", "--quiet", "--end-of-options", wanted, okay=(0, 1, 128))
    return answer.text.strip() if answer.code == 0 else ""


async def _default_base(git: Git, source: Source, head: str) -> str:
    """Return where the head left the default branch; its first parent on that branch itself, "" without one."""
    assert source.git_dir is not None
    for name in _DEFAULT_BRANCHES:
        if (tip := await _look_up(git, source.git_dir, name)) and tip != head:
            answer = await git.run(source.git_dir, "merge-base", "--end-of-options", tip, head, okay=(0, 1, 128))
            if answer.code == 0 and answer.text.strip() != head:
                return answer.text.strip()
    return await _look_up(git, source.git_dir, f"{head}~1")


async def _shadow(git: Git, source: Source, folder: Path, base: str, head: str) -> Pin:
    """Make an empty repository that borrows the objects of the source."""
    shadow = folder / "git"
    form = "sha256" if len(head) == 64 else "sha1"
    await git.run(shadow, "init", "--quiet", "--bare", f"--object-format={form}")
    common = Path(source.location)
    (shadow / "objects" / "info" / "alternates").write_text(f"{common}/objects\n", errors="surrogateescape")
    if (common / "shallow").is_file():
        (shadow / "shallow").write_bytes((common / "shallow").read_bytes())
    return Pin(shadow, Target(base, "", ""), len(head))


async def _compared(git: Git, pin: Pin, source: Source, base: str, head: str, *, work_tree: bool) -> Comparison:
    base_tree, head_tree = await asyncio.gather(_tree(git, pin, base), _tree(git, pin, head))
    if work_tree:
        if source.work_tree is None:
            raise BadRepository("A bare repository has no working tree.", fix="Leave --work-tree out.")
        head_tree, *_ = await write_lane(git, pin, source.work_tree, head_tree, aside=pin.mirror.parent, ignores=False)
    # Started at once: each is a process that another processor can run.
    before, after, (changes, renames), diff, (is_related, commits) = await asyncio.gather(
        list_tree(git, pin.mirror, base_tree),
        list_tree(git, pin.mirror, head_tree),
        _changes(git, pin, base_tree, head_tree),
        _diff(git, pin, base_tree, head_tree),
        _commits(git, pin, base, head),
    )
    lines = _lines(diff, changes)
    patch = Patch.model_construct(base_tree=base_tree, tree=head_tree, changes=changes)
    return Comparison(git, pin, source, base, head, before, after, patch, commits, is_related, renames, lines)


async def _tree(git: Git, pin: Pin, commit: str) -> str:
    if not commit:
        return (await git.run(pin.mirror, "hash-object", "-t", "tree", "-w", "/dev/null")).text.strip()
    return (await git.run(pin.mirror, "rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}")).text.strip()


async def _changes(git: Git, pin: Pin, base: str, head: str) -> tuple[tuple[FileChange, ...], tuple[Rename, ...]]:
    """Return the paths that differ, both sides of a rename on their own, and the renames beside them."""
    raw = await git.run(pin.mirror, "diff-tree", "-r", "-z", "--raw", "--no-renames", "--end-of-options", base, head)
    fields = raw.output.decode(errors="surrogateescape").split("\0")
    changes = []
    for told, path in zip(fields[::2], fields[1::2], strict=False):
        old_mode, new_mode, old, new, status = told.removeprefix(":").split(" ")
        kinds: dict[str, ChangeKind] = {"A": "added", "D": "deleted", "T": "type"}
        kind: ChangeKind = kinds.get(status[0]) or ("mode" if old == new else "modified")
        modes = [mode if set(mode) != {"0"} else "" for mode in (new_mode, old_mode)]
        changes.append(FileChange.model_construct(path=path, kind=kind, mode=modes[0], old_mode=modes[1], size=0))
    if not any(one.kind == "deleted" for one in changes) or not any(one.kind == "added" for one in changes):
        return tuple(changes), ()
    raw = await git.run(
        pin.mirror, "diff-tree", "-r", "-z", "--name-status", "-M50%", "--diff-filter=R", "--end-of-options", base, head
    )
    moved = raw.output.decode(errors="surrogateescape").split("\0")
    renames = [
        Rename(old, new, int(told[1:] or 0))
        for told, old, new in zip(moved[::3], moved[1::3], moved[2::3], strict=False)
    ]
    return tuple(changes), tuple(renames)


async def _diff(git: Git, pin: Pin, base: str, head: str) -> bytes:
    answer = await git.run(
        pin.mirror,
        *("diff-tree", "-r", "-p", "-U0", "--text", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color"),
        *("--end-of-options", base, head),
    )
    return answer.output


def _lines(diff: bytes, changes: tuple[FileChange, ...]) -> dict[str, Lines]:
    """Return the changed lines of each file. The parts of a diff come in the order of the changes (a type's is two)."""
    order = iter([one.path for one in changes for _ in range(2 if one.kind == "type" else 1)])
    added: dict[str, list[tuple[int, str]]] = {}
    removed: dict[str, list[str]] = {}
    path, number, in_hunk = "", 0, False
    for line in diff.split(b"\n"):
        if line.startswith(b"diff --git "):
            path, in_hunk = next(order, ""), False
        elif line.startswith(b"@@") and (hunk := _HUNK.match(line)):
            number, in_hunk = int(hunk[1]), True
        elif in_hunk and line.startswith(b"+"):
            added.setdefault(path, []).append((number, line[1:].decode("utf-8", "replace")))
            number += 1
        elif in_hunk and line.startswith(b"-"):
            removed.setdefault(path, []).append(line[1:].decode("utf-8", "replace"))
    return {one.path: Lines(tuple(added.get(one.path, ())), tuple(removed.get(one.path, ()))) for one in changes}


async def _commits(git: Git, pin: Pin, base: str, head: str) -> tuple[bool, tuple[Commit, ...]]:
    if base:
        answer = await git.run(
            pin.mirror, "merge-base", "--is-ancestor", "--end-of-options", base, head, okay=(0, 1, 128)
        )
        if answer.code:
            return False, ()
    build = f"%(trailers:key={BUILD_TRAILER},valueonly,separator=%x2C)"
    form = f"--format=%H%x00%T%x00%ae%x00%ce%x00{build}%x00%s"
    excluded = (f"^{base}",) if base else ()
    answer = await git.run(pin.mirror, "log", form, "--end-of-options", head, *excluded)
    parts = [line.split("\0", 5) for line in answer.text.splitlines()]
    return True, tuple(Commit(*part) for part in parts if len(part) == 6)


def _batch(output: bytes) -> dict[str, bytes]:
    """Read the answer of `git cat-file --batch`: a line `id type size`, the content, a newline, for each object."""
    found: dict[str, bytes] = {}
    at = 0
    while at < len(output):
        end = output.index(b"\n", at)
        words = output[at:end].decode().split(" ")
        at = end + 1
        if len(words) == 3:
            size = int(words[2])
            found[words[0]] = output[at : at + size]
            at += size + 1
    return found


class HistoryCommit(NamedTuple):
    """A commit's tree and parents."""

    tree: str
    parents: tuple[str, ...]


async def read_history(
    git: Git, repository: str, environment: Mapping[str, str], base: str, head: str
) -> dict[str, HistoryCommit]:
    """Return the commits from `base` to `head`, by id; none when the repository does not have them.

    Raises BadRepository when there is no such repository, GitFailed.
    """
    source = locate(repository, environment)
    if source.git_dir is None:
        raise BadRepository(
            "Evidence is verified against a repository on this machine.", fix="Clone it, and name the clone."
        )
    names = [name for name in (head, base) if name]
    if not names or not all(re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", name) for name in names):
        return {}
    with git.aside() as folder:
        pin = await _shadow(git, source, folder, base, head)
        excluded = (f"^{base}",) if base else ()
        answer = await git.run(
            pin.mirror, "log", "--format=%H%x00%T%x00%P", "--end-of-options", head, *excluded, okay=(0, 128)
        )
    parts = [line.split("\0") for line in answer.text.splitlines()] if answer.code == 0 else []
    return {one[0]: HistoryCommit(one[1], tuple(one[2].split())) for one in parts if len(one) == 3}


async def landed_commits(git: Git, home: Path) -> frozenset[str]:
    """Return the commits that builds of this home have landed, by the refs of its mirrors. Raises GitFailed."""
    found: set[str] = set()
    for mirror in sorted((home / "mirrors").glob("*/HEAD")):
        refs = await git.run(mirror.parent, "for-each-ref", "--format=%(refname)", "refs/buildwright/*/integration")
        for ref in refs.text.splitlines():
            base = f"^{ref.removesuffix('integration')}base"
            answer = await git.run(mirror.parent, "rev-list", "--end-of-options", ref, base, okay=(0, 128))
            found.update(answer.text.split() if answer.code == 0 else ())
    return frozenset(found)
