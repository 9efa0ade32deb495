"""A world of git in memory: trees, commits, one integration branch per build, remotes, and the lanes of each process.

Every landing and delivery that changes something is kept as an Effect, with its time and who did it: that is what the outside
has seen. Ids are hashes of content, so the same change is the same commit. Must never touch a file.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

from buildwright.core.limits import Delivery
from buildwright.core.patch import FileChange, Patch
from buildwright.errors import Conflict, CouldNot, GitFailed, UnsafePath
from buildwright.ports import Checkpoint, Conflicted, Delivered, FirstCommit, KeptWork, Lane, LaneKey, Merged, Target
from tests.simulation.process import Process

T = TypeVar("T")
Files = Mapping[str, str]
"""Text by path."""


class Commit(NamedTuple):
    """A commit: its tree and the one before it ("" for none)."""

    tree: str
    parent: str


Guard = Callable[[], Awaitable[None]]


class Effect(NamedTuple):
    """Something that the outside has seen: a ref that moved, `at` virtual seconds; who did it had begun it when it was `sent`."""

    sent: float
    at: float
    process: str
    kind: str
    build_id: str
    ref: str
    commit: str


class SimulatedGit:
    """All repositories of a simulated world: what no process takes with it when it dies."""

    def __init__(self) -> None:
        self.trees: dict[str, dict[str, str]] = {}
        self.commits: dict[str, Commit] = {}
        self.repositories: dict[str, str] = {}
        """Newest commit of each user's repository."""
        self.pins: dict[str, str] = {}
        self.integration: dict[str, str] = {}
        self.remote: dict[str, str] = {}
        self.kept: dict[LaneKey, KeptWork] = {}
        self.effects: list[Effect] = []
        self.on_begin: Callable[[Process, str, str, str], None] = _nobody_asks
        """Called when a process (first) begins to land or deliver (second), for a build, a commit."""
        self.folders: dict[Path, dict[str, str]] = {}
        """Files of each lane and checkout that is open, by its directory."""

    def tree(self, files: Files) -> str:
        """Keep a tree and return its id."""
        ordered = dict(sorted(files.items()))
        digest = _digest("tree", repr(ordered))
        self.trees[digest] = ordered
        return digest

    def commit(self, tree: str, parent: str, message: str) -> str:
        digest = _digest("commit", tree, parent, message)
        self.commits[digest] = Commit(tree, parent)
        return digest

    def is_behind(self, old: str, new: str) -> bool:
        """`old` is `new` or one that it was made from."""
        while new and new != old:
            new = self.commits[new].parent
        return new == old

    def merge(self, base: Files, ours: Files, theirs: Files) -> tuple[dict[str, str], tuple[str, ...]]:
        """Three-way, file by file. Files that both sides changed differently hold both, marked, and are named."""
        merged: dict[str, str] = {}
        conflicts: list[str] = []
        for path in sorted({*base, *ours, *theirs}):
            old, our, their = base.get(path), ours.get(path), theirs.get(path)
            if our in {old, their}:
                chosen = their
            elif their == old:
                chosen = our
            else:
                conflicts.append(path)
                chosen = f"<<<<<<<\n{our or ''}=======\n{their or ''}>>>>>>>\n"
            if chosen is not None:
                merged[path] = chosen
        return merged, tuple(conflicts)


class SimulatedWorkspace:
    """The port Workspace for one process, over the shared world."""

    def __init__(self, process: Process, git: SimulatedGit) -> None:
        self._process = process
        self._git = git
        self._opened = 0

    async def prepare(
        self,
        build_id: str,
        repository: str,
        base: str = "",
        delivery: Delivery | None = None,
        *,
        lfs: bool = False,
        first: FirstCommit | None = None,
    ) -> Target:
        def effect() -> Target:
            commit = self._git.pins.setdefault(build_id, self._git.repositories[repository])
            self._git.integration.setdefault(build_id, commit)
            return Target(commit, self._git.commits[commit].tree, "main")

        return await self._ask("prepare", effect, 2.0)

    async def branch_off(
        self, build_id: str, repository: str, source: str, base: str, head: str, delivery: Delivery | None = None
    ) -> Target:
        def effect() -> Target:
            self._git.pins.setdefault(build_id, base)
            self._git.integration.setdefault(build_id, head)
            return Target(base, self._git.commits[base].tree, "main")

        return await self._ask("branch_off", effect, 2.0)

    async def open_lane(self, key: LaneKey, base: str, carry: str = "") -> Lane:
        def effect() -> Lane:
            folder, tree = self._folder(key), carry or self._git.commits[base].tree
            self._git.folders[folder] = dict(self._git.trees[tree])
            return Lane(key, folder, folder / "home", tree)

        return await self._ask("open_lane", effect)

    async def leave_out(self, lane: Lane, tree: str) -> Lane:
        """Nothing is set up in a simulated lane."""
        assert tree in self._git.trees
        return lane

    async def checkpoint(self, lane: Lane) -> Checkpoint:
        return await self._ask("checkpoint", lambda: Checkpoint(lane.key, self._git.tree(self._files(lane.files))))

    async def restore(self, lane: Lane, checkpoint: Checkpoint) -> None:
        if checkpoint.key != lane.key:
            raise UnsafePath("the checkpoint is of another lane")

        def effect() -> None:
            self._files(lane.files)
            self._git.folders[lane.files] = dict(self._git.trees[checkpoint.tree])

        await self._ask("restore", effect)

    async def take_patch(self, lane: Lane) -> Patch:
        def effect() -> Patch:
            old, new = self._git.trees[lane.base_tree], self._files(lane.files)
            changes = tuple(_change(path, old, new) for path in sorted({*old, *new}) if old.get(path) != new.get(path))
            return Patch(base_tree=lane.base_tree, tree=self._git.tree(new), changes=changes)

        return await self._ask("take_patch", effect)

    async def close_lane(self, key: LaneKey) -> None:
        await self._ask("close_lane", lambda: self._git.folders.pop(self._folder(key), None))

    @asynccontextmanager
    async def checkout(self, build_id: str, tree: str) -> AsyncIterator[Path]:
        self._opened += 1
        folder = self._home(build_id) / f"checkout-{self._opened}"

        def effect() -> None:
            self._git.folders[folder] = dict(self._git.trees[tree])

        try:
            await self._ask("checkout", effect)
            yield folder
        finally:
            if self._process.alive:
                self._git.folders.pop(folder, None)

    async def rebase(
        self,
        build_id: str,
        base: str,
        tree: str,
        onto: str,
        message: str,
        at: datetime,
        author: str = "",
        key: str = "",
    ) -> Merged | Conflicted:
        def effect() -> Merged | Conflicted:
            git = self._git
            trees = (git.commits[base].tree, tree, git.commits[onto].tree)
            files, conflicts = git.merge(*(git.trees[name] for name in trees))
            merged = git.tree(files)
            if conflicts:
                return Conflicted(merged, conflicts)
            return Merged(git.commit(merged, onto, f"{message}{at.isoformat()}"), merged)

        return await self._ask("rebase", effect)

    async def keep(self, key: LaneKey, base: str, tree: str, message: str, at: datetime, author: str = "") -> str:
        def effect() -> str:
            git, files = self._git, self._git.folders.get(self._folder(key))
            found = tree or (git.tree(files) if files is not None else "")
            if found in {"", git.commits[base].tree}:
                return ""
            commit = git.commit(found, base, message)
            git.kept[key] = KeptWork(key, base, commit, found, message.partition("\n\n")[2], at)
            return commit

        return await self._ask("keep", effect)

    async def kept(self, build_id: str) -> tuple[KeptWork, ...]:
        def effect() -> tuple[KeptWork, ...]:
            return tuple(work for key, work in sorted(self._git.kept.items()) if key.build_id == build_id)

        return await self._ask("kept", effect)

    async def take_back(
        self, build_id: str, commit: str, onto: str, message: str, at: datetime, author: str = "", key: str = ""
    ) -> Merged | Conflicted:
        before = self._git.commits[self._git.commits[commit].parent].tree
        return await self.rebase(build_id, commit, before, onto, message, at, author, key)

    async def stand_on(self, build_id: str, base: str) -> None:
        """A commit of the world is everywhere: the user has chosen one of the repository."""
        assert base in self._git.commits

    async def land(self, build_id: str, commit: str, onto: str, guard: Guard | None = None, *, number: int = 0) -> None:
        if guard is not None:
            await guard()
        sent = self._begin("land", build_id, commit)
        branch = f"{build_id}-{number}" if number else build_id

        def effect() -> None:
            now = self._git.integration.get(branch, onto if number else "")
            if now == commit:
                return
            if now != onto:
                raise Conflict(f"the integration branch is at {now[:8]}, not at {onto[:8]}")
            self._git.integration[branch] = commit
            self._note("land", sent, build_id, branch, commit)

        await self._ask("land", effect)

    async def deliver(
        self, build_id: str, repository: str, commit: str, delivery: Delivery, guard: Guard | None = None
    ) -> Delivered:
        ref = f"refs/heads/{delivery.branch or build_id}"
        remote = "origin" if delivery.kind == "push" else ""
        if guard is not None:
            await guard()
        sent = self._begin("deliver", build_id, commit)

        def effect() -> Delivered:
            before = self._git.remote.get(ref, "")
            if before == commit:
                return Delivered(ref, commit, remote)
            if before and not self._git.is_behind(before, commit):
                raise Conflict(f"the branch {ref} has commits that are not of this build")
            self._git.remote[ref] = commit
            self._note("deliver", sent, build_id, ref, commit)
            return Delivered(ref, commit, remote)

        return await self._ask("deliver", effect, 3.0)

    async def diff(self, build_id: str, old: str, new: str, *, binary: bool = False, ignore_space: bool = False) -> str:
        return await self._ask("diff", lambda: f"{old}..{new}\n")

    async def read_file(self, build_id: str, tree: str, path: str, limit: int = 200_000) -> bytes | None:
        def effect() -> bytes | None:
            text = self._git.trees[tree].get(path)
            return None if text is None else text.encode()[:limit]

        return await self._ask("read_file", effect)

    async def list_files(self, build_id: str, tree: str) -> list[str]:
        return await self._ask("list_files", lambda: sorted(self._git.trees[tree]))

    async def forget(self, build_id: str) -> None:
        def effect() -> None:
            home = self._home(build_id)
            for folder in [folder for folder in self._git.folders if home in folder.parents]:
                del self._git.folders[folder]

        await self._ask("forget", effect)

    def _home(self, build_id: str) -> Path:
        """Lives of the same program share a home: its name up to the life's number."""
        return Path("/simulated") / self._process.name.partition(".")[0] / build_id

    def _folder(self, key: LaneKey) -> Path:
        return self._home(key.build_id) / f"{key.task}-{key.attempt}"

    def _files(self, folder: Path) -> dict[str, str]:
        if folder not in self._git.folders:
            raise GitFailed(f"the lane {folder} is gone")
        return self._git.folders[folder]

    def _begin(self, kind: str, build_id: str, commit: str) -> float:
        """From here on the effect cannot be called back."""
        self._git.on_begin(self._process, kind, build_id, commit)
        return self._process.time()

    def _note(self, kind: str, sent: float, build_id: str, ref: str, commit: str) -> None:
        process = self._process
        process.trace.note(process.name, f"{kind}: {ref} moves to {commit[:8]}")
        self._git.effects.append(Effect(sent, process.time(), process.name, kind, build_id, ref, commit))

    async def _ask(self, name: str, effect: Callable[[], T], seconds: float = 0.4) -> T:
        return await self._process.request(f"git.{name}", effect, _git_failed, seconds, ends=True)


def _git_failed(message: str) -> CouldNot:
    return GitFailed(message)


def _change(path: str, old: Files, new: Files) -> FileChange:
    kind = "added" if path not in old else "deleted" if path not in new else "modified"
    return FileChange(path=path, kind=kind, size=len(new.get(path, "")))


def _digest(*parts: str) -> str:
    return hashlib.sha1("\0".join(parts).encode(), usedforsecurity=False).hexdigest()


def _nobody_asks(process: Process, kind: str, build_id: str, commit: str) -> None:
    """Whether it may is nobody's question."""
