"""The throw-away repository of a lane or checkout, for commands that work better in one. Must never be read.

Written once, before foreign code starts: one commit with the files of the base, and its own objects, so that no change
to it reaches others. Nothing in it tells a lane from a checkout that judges.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
from pathlib import Path

from buildwright.errors import DiskFull, GitFailed
from buildwright.ports import BUILD_TRAILER
from buildwright.workspace.git import IDENTITY, Git, naming_full_disk
from buildwright.workspace.lfs import LANE_FILTER
from buildwright.workspace.mirror import Pin
from buildwright.workspace.objects import ObjectStore
from buildwright.workspace.packs import packed, write_pack
from buildwright.workspace.patch import LEFT_OUT
from buildwright.workspace.trees import FOLDER, MODULE, Kept, Unreadable, entries_of, list_tree

MOST_FILES = 50_000
MOST_BYTES = 500_000_000
"""Of all files together. A larger tree gets no repository: copying its objects would take longer than it helps."""

_FEW, _FEW_BYTES = 400, 4_000_000
"""Objects, and bytes of them together, that are packed in this process."""
_packed = Kept[str, bytes](16_000_000, len)
"""Objects by id, of all mirrors: an id stands for kind and content, which were hashed when they were read."""

_STAMP = "Developer <developer@localhost> 1577836800 +0000"
_HEAD = f"author {_STAMP}\ncommitter {_STAMP}\n\nbase\n".encode()
"""A commit without its tree and parents, where the build's base gives none that can be shown."""
_CONFIGURATION = """\
[core]
	repositoryFormatVersion = {version}
	bare = false
	fileMode = true
	autocrlf = false
	checkStat = minimal
	trustctime = false
	fsync = none
[user]
	name = Developer
	email = developer@localhost
[gc]
	auto = 0
[maintenance]
	auto = false
[commit]
	gpgSign = false
"""


class LaneGit:
    """A repository that is made beside the files it is for and moved among them when it is complete."""

    def __init__(self, git: Git, pin: Pin, files: Path) -> None:
        self._git = git
        self._pin = pin
        self._files = files
        self._folder = files.parent / f"{files.name}-git-{secrets.token_hex(4)}"

    async def make(self, base: str, tree: str) -> bool:
        """Write all but the index: a commit of tree `base`, and the objects of `tree`. Returns False when left out.

        Raises DiskFull. After any other failure there is no repository: no build depends on it.
        """
        try:
            if len(await list_tree(self._git, self._pin.mirror, tree)) > MOST_FILES:
                return False
            few = await asyncio.to_thread(self._objects, base, tree)
            if few is None and not await self._is_small(tree):
                return False
            head = _without_ancestry(await self._base_commit())
            with naming_full_disk(self._folder):
                history = await asyncio.to_thread(self._write, base, head)
                if few is not None:
                    await asyncio.to_thread(write_pack, self._folder / "objects" / "pack", few, self._pin.width)
                    return True
            await self._git.run(
                self._pin.mirror,
                "-c",
                "core.fsync=none",
                "pack-objects",
                "--quiet",
                "--revs",
                "--window=0",
                "--end-of-options",
                str(self._folder / "objects" / "pack" / "pack"),
                stdin="".join(f"{name}\n" for name in (base, tree, *history)).encode(),
            )
        except DiskFull:
            raise
        except GitFailed:
            return False
        return True

    async def place(self, index: Path) -> None:
        """Add the index that the files were written with, and move the repository to `.git` among the files."""
        with naming_full_disk(self._folder):
            await asyncio.to_thread(shutil.copyfile, index, self._folder / "index")
            try:
                # Renamed, never written in place: what is there by now may be a link that the agent made.
                self._folder.rename(self._files / ".git")
            except (FileExistsError, NotADirectoryError, IsADirectoryError):
                return

    async def discard(self) -> None:
        """Remove a repository that was not placed."""
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _base_commit(self) -> bytes:
        commit = self._pin.target.commit
        content = self._pin.objects.read(commit, "commit")
        if content is not None:
            return content
        found = await self._git.run(self._pin.mirror, "cat-file", "--end-of-options", "commit", commit, okay=(0, 128))
        return found.output

    def _objects(self, *trees: str) -> dict[str, bytes] | None:
        """Return the objects of trees, packed, if they are few and all that is needed; else None: git packs faster."""
        if any(tag.distance for tag in self._pin.tags):
            return None
        store, left = self._pin.objects, _FEW_BYTES
        found: dict[str, bytes] = {}
        waiting = [("tree", tree) for tree in trees]
        while waiting:
            kind, name = waiting.pop()
            if name in found:
                continue
            entry = _packed.get(name)
            if entry is None:
                content = store.read(name, kind, left)
                if content is None:
                    return None
                entry = packed(kind, content)
                _packed.put(name, entry)
            found[name], left = entry, left - len(entry)
            if left < 0 or len(found) > _FEW:
                return None
            try:
                below = entries_of(store, name).values() if kind == "tree" else ()
            except Unreadable:
                return None
            waiting += [
                ("tree" if one.mode == FOLDER else "blob", one.object_id) for one in below if one.mode != MODULE
            ]
        return found

    async def _is_small(self, tree: str) -> bool:
        answer = await self._git.run(
            self._pin.mirror, "ls-tree", "-r", "-l", "-z", "--full-tree", "--end-of-options", tree
        )
        # "mode SP type SP object SP size TAB path" (git-ls-tree(1)); a submodule's size is "-".
        sizes = [line.partition(b"\t")[0].rpartition(b" ")[2] for line in answer.output.split(b"\0") if line]
        return sum(int(size) for size in sizes if size.isdigit()) <= MOST_BYTES

    def _write(self, base: str, head: bytes) -> tuple[str, ...]:
        """Write the repository without what lies in the mirror; return the commits that are to come from there."""
        folder = self._folder
        for name in ("objects/pack", "refs/heads", "refs/tags", "info"):
            (folder / name).mkdir(parents=True)
        sha256 = self._pin.width == 64
        form = "[extensions]\n\tobjectFormat = sha256\n" if sha256 else ""
        large = LANE_FILTER if self._pin.lfs is not None else ""
        (folder / "config").write_text(_CONFIGURATION.format(version=int(sha256)) + form + large)
        (folder / "HEAD").write_text("ref: refs/heads/main\n")
        exclude = "".join(f"{name}\n" for name in LEFT_OUT)
        (folder / "info" / "exclude").write_text(exclude + self._pin.exclude, errors="surrogateescape")
        past = self._past()
        store = ObjectStore(folder, self._pin.width)
        commit = store.write("commit", _commit(base, past[-1:], head), durable=False)
        (folder / "refs" / "heads" / "main").write_text(f"{commit}\n")
        self._write_tags(store, (*past, commit))
        return past[-1:]

    def _past(self) -> tuple[str, ...]:
        """Write empty commits before the one with the files, as many as tags are away from the base; return them.

        A version made of the nearest tag and the commits since then (git-describe(1)) is so the one of a clone.
        """
        length = max((tag.distance for tag in self._pin.tags), default=0)
        made: list[str] = []
        if length:
            empty = self._pin.objects.write("tree", b"", durable=False)
            for _ in range(length):
                made.append(self._pin.objects.write("commit", _commit(empty, made[-1:], _HEAD), durable=False))
        return tuple(made)

    def _write_tags(self, store: ObjectStore, commits: tuple[str, ...]) -> None:
        """Write the tags to `packed-refs` (gitrepository-layout(5)); the last of `commits` holds the files."""
        lines = ["# pack-refs with: peeled fully-peeled \n"]
        for tag in self._pin.tags:
            commit = commits[-1 - tag.distance]
            text = f"object {commit}\ntype commit\ntag {tag.name}\ntagger {_STAMP}\n\n{tag.name}\n"
            content = text.encode(errors="surrogateescape")
            found = store.write("tag", content, durable=False) if tag.annotated else commit
            lines.append(f"{found} refs/tags/{tag.name}\n" + (f"^{commit}\n" if tag.annotated else ""))
        (self._folder / "packed-refs").write_text("".join(lines), errors="surrogateescape")


def _commit(tree: str, parents: tuple[str, ...] | list[str], rest: bytes) -> bytes:
    return "".join((f"tree {tree}\n", *(f"parent {parent}\n" for parent in parents))).encode() + rest


def _without_ancestry(commit: bytes) -> bytes:
    """Return a commit's author, committer, encoding and message; neutral ones for a commit that Buildwright made."""
    head, _, message = commit.partition(b"\n\n")
    names = (b"author ", b"committer ", b"encoding ")
    lines = [line for line in head.split(b"\n") if line.startswith(names)]
    if len(lines) < 2 or IDENTITY.encode() in head or BUILD_TRAILER.encode() in message:
        return _HEAD
    return b"\n".join(lines) + b"\n\n" + message
