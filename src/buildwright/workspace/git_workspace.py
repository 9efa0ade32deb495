"""The port `Workspace` on git: finds the build's pin and passes calls on. Must hold no state a restart would miss.

Kept work, which is what attempts made that did not land, are commits below `refs/buildwright/<build>/attempts/`, one ref
for each attempt, `<task>/<attempt>`. Its commit lies on the commit that the attempt began at, so that it is a change
like any other; what the ref held before is its second parent, so that nothing kept is ever lost. The refs go with those
of the build.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from buildwright.core.limits import Delivery
from buildwright.core.patch import Patch
from buildwright.core.paths import check_path
from buildwright.errors import NotFound, UnsafePath
from buildwright.ports import (
    BUILD_TRAILER,
    Checkpoint,
    Conflicted,
    Delivered,
    FirstCommit,
    Guard,
    KeptWork,
    Lane,
    LaneKey,
    Merged,
    Target,
)
from buildwright.workspace import merge, patch
from buildwright.workspace.contents import read_blobs
from buildwright.workspace.deliver import Delivering
from buildwright.workspace.exchange import Exchange
from buildwright.workspace.git import IDENTITY, Git, check_name
from buildwright.workspace.hub import Hub, ref_of
from buildwright.workspace.lane import Lanes
from buildwright.workspace.mirror import Mirrors, Pin, commits_gone
from buildwright.workspace.signing import sign
from buildwright.workspace.source import Source
from buildwright.workspace.trees import Unreadable, content_at, list_tree


class GitWorkspace:
    """Mirrors, lanes and checkouts below `home`; git sees a few chosen variables of `environment`, the user's.

    `hub` is a bare repository by absolute path or URL through which homes of many machines share builds. What a method
    returns is in the hub by then, and what it is given is fetched from the hub when this home has not got it.

    Large because it is the port's one face: each method hands on to the module that does the work.
    """

    def __init__(self, home: Path, environment: Mapping[str, str], hub: str = "") -> None:
        home = home.absolute()
        self._environment = environment
        self._git = Git(home, environment)
        self._hub = Hub(hub, environment, self._git) if hub else None
        self._exchange = Exchange(self._hub, self._git) if self._hub else None
        self._mirrors = Mirrors(home / "mirrors", self._git, environment, self._hub)
        self._lanes = Lanes(home, self._git)
        self._delivery = Delivering(self._git, environment, self._hub)

    async def create_hub(self) -> None:
        """Create the hub if it is a path with nothing there; do nothing otherwise."""
        if self._hub is not None:
            await self._hub.create()

    async def check_hub(self) -> None:
        """Check that the hub exists and answers. Raises BadRepository, GitFailed."""
        if self._hub is not None:
            await self._hub.check()

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
        """See `Workspace.prepare`. The first call pins the commit; later calls, in any home, return the same pin.

        A `repository` on another machine need not be reachable once the hub has the pin.
        """
        pin = await self._mirrors.prepare(build_id, repository, base, lfs=lfs, first=first)
        if delivery is not None:
            await self._delivery.check(pin, build_id, repository, delivery)
        return pin.target

    async def branch_off(
        self, build_id: str, repository: str, source: str, base: str, head: str, delivery: Delivery | None = None
    ) -> Target:
        """See `Workspace.branch_off`. With a hub, the new build's refs are in the hub too."""
        pin = await self._mirrors.known(build_id)
        if pin is None:
            try:
                await self._ready(source, base, head)
            except NotFound as gone:
                raise commits_gone(source) from gone
            pin = await self._mirrors.branch_off(build_id, source, base, head)
        if delivery is not None:
            await self._delivery.check(pin, build_id, repository, delivery)
        return pin.target

    async def foresee(self, build_id: str, repository: str, base: str, delivery: Delivery) -> None:
        """Raise what bars a build on a repository of this machine, before anything of it is made or fetched.

        Raises BadRepository (no such base), Conflict (a branch in the way, or checked out), ToolMissing (git). What only
        a server knows is found by `prepare`.
        """
        await self._mirrors.check_base(repository, base)
        await self._delivery.foresee(build_id, repository, delivery)

    async def address_of(self, repository: str, remote: str) -> str:
        """Return the address that a push to a remote of the user's repository goes to. Raises BadRepository, GitFailed."""
        return await self._delivery.address(repository, remote)

    async def open_lane(self, key: LaneKey, base: str, carry: str = "") -> Lane:
        """See `Workspace.open_lane`."""
        return await self._lanes.open(await self._ready(key.build_id, base, carry), key, base, carry)

    async def leave_out(self, lane: Lane, tree: str) -> Lane:
        """See `Workspace.leave_out`."""
        pin = await self._mirrors.pin(lane.key.build_id)
        return replace(lane, left_out=await patch.made_by_setup(self._git, pin, lane.files, tree))

    async def checkpoint(self, lane: Lane) -> Checkpoint:
        """See `Workspace.checkpoint`."""
        pin = await self._mirrors.pin(lane.key.build_id)
        stored = await patch.write_lane(self._git, pin, lane.files, lane.base_tree, left_out=lane.left_out)
        await self._share(lane.key.build_id, pin, stored.tree)
        return Checkpoint(lane.key, stored.tree)

    async def restore(self, lane: Lane, checkpoint: Checkpoint) -> None:
        """See `Workspace.restore`."""
        if checkpoint.key != lane.key:
            raise UnsafePath(
                f"The checkpoint is of {checkpoint.key.task} attempt {checkpoint.key.attempt}, not of this lane.",
                fix="Restore a checkpoint of the same attempt.",
            )
        pin = await self._ready(lane.key.build_id, checkpoint.tree)
        await self._lanes.refill(pin, checkpoint.tree, lane.files, lane.base_tree)

    async def take_patch(self, lane: Lane) -> Patch:
        """See `Workspace.take_patch`. Caches and new files that the project's .gitignore names are left out."""
        pin = await self._mirrors.pin(lane.key.build_id)
        taken = await patch.take(self._git, pin, lane.files, lane.base_tree, lane.left_out)
        await self._share(lane.key.build_id, pin, taken.tree)
        return taken

    async def close_lane(self, key: LaneKey) -> None:
        """See `Workspace.close_lane`."""
        await self._lanes.close(key)

    @asynccontextmanager
    async def checkout(self, build_id: str, tree: str) -> AsyncIterator[Path]:
        """See `Workspace.checkout`."""
        async with self._lanes.checkout(await self._ready(build_id, tree), build_id, tree) as files:
            yield files

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
        """See `Workspace.rebase`."""
        pin = await self._ready(build_id, base, tree, onto)
        by = partial(sign, self._environment, key) if key else None
        result = await merge.rebase(self._git, pin, base, tree, onto, message, at, author, by)
        await self._share(build_id, pin, result.tree, result.commit if isinstance(result, Merged) else "")
        return result

    async def take_back(
        self, build_id: str, commit: str, onto: str, message: str, at: datetime, author: str = "", key: str = ""
    ) -> Merged | Conflicted:
        """See `Workspace.take_back`."""
        pin = await self._ready(build_id, commit, onto)
        by = partial(sign, self._environment, key) if key else None
        result = await merge.take_back(self._git, pin, commit, onto, message, at, author, by)
        await self._share(build_id, pin, result.tree, result.commit if isinstance(result, Merged) else "")
        return result

    async def rebase_target(
        self,
        build_id: str,
        repository: str,
        base: str = "",
        delivery: Delivery | None = None,
        first: FirstCommit | None = None,
    ) -> Target:
        """Fetch the commit that `base` names now, for `stand_on`; until then the build stands where it stood.

        Raises what `prepare` does, and NotFound for a build that was not prepared.
        """
        before = await self._mirrors.pin(build_id)
        pin = await self._mirrors.fetch_base(build_id, repository, base, first)
        if delivery is not None and pin.target.commit != before.target.commit:
            await self._delivery.check(pin, build_id, repository, delivery, ours=pin.target.commit)
        return pin.target

    async def renew_first(self, build_id: str, base: str, first: FirstCommit) -> Target:
        """Write another first commit in the place of `base`, the one that the build stands on, for `stand_on`.

        Raises NotFound for a build that was not prepared, and GitFailed.
        """
        await self.stand_on(build_id, base)
        await self._ready(build_id, base)
        return (await self._mirrors.renew_first(build_id, first)).target

    async def stand_on(self, build_id: str, base: str) -> None:
        """See `Workspace.stand_on`."""
        await self._mirrors.stand_on(build_id, base)

    async def keep(self, key: LaneKey, base: str, tree: str, message: str, at: datetime, author: str = "") -> str:
        """See `Workspace.keep`. With a hub, the ref is in the hub too."""
        files = self._lanes.files_of(key)
        if not tree and not files.is_dir():
            return ""
        pin = await self._ready(key.build_id, base, tree)
        (base_tree,) = await merge.trees_of(self._git, pin, base)
        found = tree or (await patch.write_lane(self._git, pin, files, base_tree))[0]
        if found == base_tree:
            return ""
        await self._bring_kept(key.build_id, pin)  # another home may have made the ref
        commit = await _keep_work(self._git, pin, key, base, found, message, at, author)
        if self._hub is not None:
            await self._hub.push(pin.mirror, key.build_id, {_attempt_ref(key): commit})
        return commit

    async def kept(self, build_id: str) -> tuple[KeptWork, ...]:
        """See `Workspace.kept`."""
        pin = await self._mirrors.pin(build_id)
        if not pin.mirror.is_dir():
            raise NotFound(f"The copy of the repository of build {build_id} is gone, and what was kept in it.")
        await self._bring_kept(build_id, pin)
        return await _read_kept(self._git, pin, build_id)

    async def _bring_kept(self, build_id: str, pin: Pin) -> None:
        if self._hub is not None:
            await self._hub.fetch(pin.mirror, build_id, ref_of(build_id, "attempts", "*"))

    async def land(self, build_id: str, commit: str, onto: str, guard: Guard | None = None, *, number: int = 0) -> None:
        """See `Workspace.land`. With a hub, the hub's integration branch decides."""
        pin = await self._mirrors.pin(build_id)
        if self._exchange is None:
            await merge.land(self._git, pin, build_id, commit, onto, guard, number)
        else:
            await self._exchange.land(build_id, pin, commit, onto, guard, number)

    async def deliver(
        self, build_id: str, repository: str, commit: str, delivery: Delivery, guard: Guard | None = None
    ) -> Delivered:
        """See `Workspace.deliver`. With a hub, a branch for a repository on another machine goes to the hub."""
        pin = await self._ready(build_id, commit)
        return await self._delivery.deliver(pin, build_id, repository, commit, delivery, guard)

    async def diff(self, build_id: str, old: str, new: str, *, binary: bool = False, ignore_space: bool = False) -> str:
        """See `Workspace.diff`. Bytes that are not UTF-8 become the replacement character."""
        pin = await self._ready(build_id, old, new)
        more = (*(("--binary",) if binary else ()), *(("-w", "--ignore-blank-lines") if ignore_space else ()))
        options = ("--no-ext-diff", "--no-textconv", "--no-color", "-M", *more)
        answer = await self._git.run(pin.mirror, "diff", *options, "--end-of-options", old, new, "--")
        return answer.output.decode(errors="replace")

    async def log_of_lines(self, build_id: str, old: str, new: str, path: str = "") -> str:
        """Return the change of each commit of a straight history from commit `old` to `new`, oldest first.

        Each is a NUL, the commit's id and a diff without context and renames; with `path`, a checked one, of that file
        alone. Raises GitFailed.
        """
        pin = await self._ready(build_id, old, new)
        options = (
            "--reverse",
            "--format=%x00%H",
            "-p",
            "-U0",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
            "--no-color",
        )
        only = ("--", f":(literal){path}") if path else ()
        answer = await self._git.run(pin.mirror, "log", *options, "--end-of-options", f"{old}..{new}", *only)
        return answer.output.decode(errors="replace")

    async def read_file(self, build_id: str, tree: str, path: str, limit: int = 200_000) -> bytes | None:
        """See `Workspace.read_file`. Raises UnsafePath for a path that no tree can have."""
        pin = await self._ready(build_id, tree)
        named = f"{tree}:{check_path(path)}"
        with contextlib.suppress(Unreadable):
            return await asyncio.to_thread(content_at, pin.objects, tree, check_path(path), limit)
        answer = await self._git.run(
            pin.mirror, "cat-file", "--end-of-options", "blob", named, okay=(0, 1, 128), limit=limit
        )
        return answer.output if answer.code == 0 or len(answer.output) >= limit else None

    async def list_files(self, build_id: str, tree: str) -> list[str]:
        """See `Workspace.list_files`."""
        pin = await self._ready(build_id, tree)
        return list(await list_tree(self._git, pin.mirror, tree))

    async def blobs(self, build_id: str, tree: str) -> dict[str, str]:
        """Return the blob of each regular file of a tree by its path."""
        pin = await self._ready(build_id, tree)
        entries = await list_tree(self._git, pin.mirror, tree)
        return {path: entry.object_id for path, entry in entries.items() if entry.mode.startswith("100")}

    async def contents(
        self, build_id: str, tree: str, blobs: Sequence[str], most: int
    ) -> AsyncGenerator[tuple[str, bytes | None]]:
        """Yield each of these blobs of a tree with its content, None for one of more than `most` bytes."""
        pin = await self._ready(build_id, tree)
        asked = "".join(f"{blob}\n" for blob in blobs).encode()
        answer = await self._git.run(pin.mirror, "cat-file", "--batch-check=%(objectsize)", stdin=asked)
        sizes = dict(zip(blobs, answer.text.split("\n"), strict=False))
        small = [blob for blob in blobs if sizes[blob].isdecimal() and int(sizes[blob]) <= most]
        for blob in sizes.keys() - set(small):
            yield blob, None
        source = Source(str(pin.mirror), "file", pin.mirror)
        async for one in read_blobs(self._git, source, ((blob, blob) for blob in small)):
            yield one.blob, one.content

    async def file_sizes(self, build_id: str, tree: str, paths: Sequence[str]) -> dict[str, int]:
        """Return the bytes of these files of a tree, in O(paths), without paths that are no file. Raises UnsafePath."""
        pin = await self._ready(build_id, tree)
        asked = b"".join(f"{tree}:{check_path(path)}".encode() + b"\0" for path in paths)
        # One line for each path, in order (git-cat-file(1), "BATCH OUTPUT"); no path holds a newline.
        answer = await self._git.run(
            pin.mirror, "cat-file", "-z", "--batch-check=%(objecttype) %(objectsize)", stdin=asked
        )
        lines = answer.output.decode(errors="replace").split("\n")[: len(paths)] if paths else []
        found = ((path, line.split(" ")) for path, line in zip(paths, lines, strict=True))
        return {path: int(words[1]) for path, words in found if words[0] == "blob" and len(words) == 2}

    async def mirror_with(self, build_id: str, *commits: str) -> Path:
        """Return the build's repository on this machine, with these commits in it. Raises GitFailed."""
        return (await self._ready(build_id, *commits)).mirror

    async def forget(self, build_id: str) -> None:
        """See `Workspace.forget`."""
        await self._lanes.forget(build_id)
        if self._exchange is not None:
            self._exchange.forget(build_id)

    async def release(self, build_id: str) -> None:
        """Undo `prepare` for a plan that is only shown. A build needs its preparation as long as it can be queried."""
        await self.retire(build_id)

    async def retire(self, build_id: str) -> None:
        """Remove a finished build's refs, pin and lanes, here and in the hub. Delivered branches stay."""
        await self.forget(build_id)
        await self._mirrors.retire(build_id)

    async def compact_hub(self) -> None:
        """Remove unreachable objects from the hub, if it is on this machine."""
        if self._hub is not None:
            await self._hub.compact()

    async def builds_in_hub(self) -> set[str]:
        """Return the builds that have refs in the hub; none when it is not on this machine."""
        return await self._hub.builds() if self._hub is not None else set()

    async def _share(self, build_id: str, pin: Pin, tree: str, commit: str = "") -> None:
        if self._exchange is not None:
            await self._exchange.share(build_id, pin, tree, commit)

    async def _ready(self, build_id: str, *names: str) -> Pin:
        """Return the build's pin, with these commits and trees in its mirror."""
        pin = await self._mirrors.pin(build_id)
        if self._exchange is not None:
            await self._exchange.need(build_id, pin, *names)
        return pin


_FORMAT = "%00".join(("%(refname)", "%(objectname)", "%(tree)", "%(parent)", "%(committerdate:unix)", "%(contents)"))
_TRAILERS = f"\n\n{BUILD_TRAILER}: "


def _attempt_ref(key: LaneKey) -> str:
    """Return the ref of an attempt. Raises BadRepository for ids that no ref can hold."""
    return ref_of(key.build_id, "attempts", check_name(key.task, "task"), str(int(key.attempt)))


async def _keep_work(
    git: Git, pin: Pin, key: LaneKey, base: str, tree: str, message: str, at: datetime, author: str
) -> str:
    """Write the commit and its ref; return the commit. The same work kept again with the same words stays as it is.

    Raises GitFailed, DiskFull.
    """
    ref = _attempt_ref(key)
    text = (
        f"{message.strip()}{_TRAILERS}{key.build_id}\nBuildwright-Task: {key.task}\nBuildwright-Attempt: {key.attempt}"
    )
    before = next(iter(await _read_kept(git, pin, key.build_id, ref)), None)
    words = message.strip().partition("\n\n")[2].strip()
    if before is not None and (before.tree, before.base, before.reason) == (tree, base, words):
        return before.commit
    parents = (base, before.commit) if before is not None else (base,)
    commit = await asyncio.to_thread(pin.objects.commit, tree, parents, text, at, author or IDENTITY)
    await git.run(pin.mirror, "update-ref", "--end-of-options", ref, commit)
    return commit


async def _read_kept(git: Git, pin: Pin, build_id: str, ref: str = "") -> tuple[KeptWork, ...]:
    """Return the kept work of a build, or of one ref, by task and attempt. Raises GitFailed."""
    place = ref or ref_of(build_id, "attempts")
    listed = await git.run(pin.mirror, "for-each-ref", f"--format={_FORMAT}%00", "--end-of-options", place)
    fields = listed.output.decode(errors="replace").split("\0")[:-1]
    found = []
    for start in range(0, len(fields), 6):
        name, commit, tree, parents, at, text = fields[start : start + 6]
        task, number = name.strip().split("/")[-2:]
        reason = text.partition("\n\n")[2].rpartition(_TRAILERS)[0].strip()
        moment = datetime.fromtimestamp(int(at), UTC)
        found.append(
            KeptWork(LaneKey(build_id, task, int(number)), parents.split(" ")[0], commit, tree, reason, moment)
        )
    return tuple(sorted(found, key=lambda one: (one.key.task, one.key.attempt)))
