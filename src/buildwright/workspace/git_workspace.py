"""The port `Workspace` on git: each method finds the build's pin and hands on. Holds no state a restart would miss."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from buildwright.core.limits import Delivery
from buildwright.core.patch import Patch
from buildwright.core.paths import check_path
from buildwright.errors import UnsafePath
from buildwright.ports import Checkpoint, Conflicted, Delivered, Lane, LaneKey, Merged, Target
from buildwright.workspace import deliver, merge, patch
from buildwright.workspace.git import Git
from buildwright.workspace.lane import Lanes
from buildwright.workspace.mirror import Mirrors
from buildwright.workspace.source import locate


class GitWorkspace:
    """Mirrors, lanes and checkouts below `home`; `environment` is the user's, of which git sees a chosen few names."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self._environment = environment
        home = home.absolute()
        self._git = Git(home, environment)
        self._mirrors = Mirrors(home / "mirrors", self._git)
        self._lanes = Lanes(home, self._git)

    async def prepare(self, build_id: str, repository: str, base: str = "") -> Target:
        """See `Workspace.prepare`. The first call pins the commit; later ones give it again."""
        source = locate(repository, self._environment)
        return (await self._mirrors.prepare(build_id, source, base)).target

    async def open_lane(self, key: LaneKey, base: str, carry: str = "") -> Lane:
        """See `Workspace.open_lane`."""
        return await self._lanes.open(await self._mirrors.pin(key.build_id), key, base, carry)

    async def checkpoint(self, lane: Lane) -> Checkpoint:
        """See `Workspace.checkpoint`."""
        pin = await self._mirrors.pin(lane.key.build_id)
        tree, _ = await patch.write_lane(self._git, pin, lane.files, lane.base_tree)
        return Checkpoint(lane.key, tree)

    async def restore(self, lane: Lane, checkpoint: Checkpoint) -> None:
        """See `Workspace.restore`."""
        if checkpoint.key != lane.key:
            raise UnsafePath(
                f"The checkpoint is of {checkpoint.key.task} attempt {checkpoint.key.attempt}, not of this lane.",
                fix="Restore a checkpoint of the same attempt.",
            )
        await self._lanes.refill(
            await self._mirrors.pin(lane.key.build_id), checkpoint.tree, lane.files, lane.base_tree
        )

    async def take_patch(self, lane: Lane) -> Patch:
        """See `Workspace.take_patch`. New files that the project's .gitignore names, and caches, are left out."""
        pin = await self._mirrors.pin(lane.key.build_id)
        return await patch.take(self._git, pin, lane.files, lane.base_tree)

    async def close_lane(self, key: LaneKey) -> None:
        """See `Workspace.close_lane`."""
        await self._lanes.close(key)

    @asynccontextmanager
    async def checkout(self, build_id: str, tree: str) -> AsyncIterator[Path]:
        """See `Workspace.checkout`."""
        async with self._lanes.checkout(await self._mirrors.pin(build_id), build_id, tree) as files:
            yield files

    async def rebase(
        self, build_id: str, base: str, tree: str, onto: str, message: str, at: datetime
    ) -> Merged | Conflicted:
        """See `Workspace.rebase`."""
        pin = await self._mirrors.pin(build_id)
        return await merge.rebase(self._git, pin, base, tree, onto, message, at)

    async def land(self, build_id: str, commit: str, onto: str) -> None:
        """See `Workspace.land`."""
        await merge.land(self._git, await self._mirrors.pin(build_id), build_id, commit, onto)

    async def deliver(self, build_id: str, repository: str, commit: str, delivery: Delivery) -> Delivered:
        """See `Workspace.deliver`."""
        pin = await self._mirrors.pin(build_id)
        return await deliver.deliver(self._git, self._environment, pin, build_id, repository, commit, delivery)

    async def diff(self, build_id: str, old: str, new: str) -> str:
        """See `Workspace.diff`. Bytes that are no UTF-8 show as the replacement character."""
        pin = await self._mirrors.pin(build_id)
        answer = await self._git.run(
            pin.mirror, "diff", "--no-ext-diff", "--no-textconv", "--no-color", "-M", "--end-of-options", old, new, "--"
        )
        return answer.output.decode(errors="replace")

    async def read_file(self, build_id: str, tree: str, path: str, limit: int = 200_000) -> bytes | None:
        """See `Workspace.read_file`. Raises UnsafePath for a path that could be none in a tree."""
        pin = await self._mirrors.pin(build_id)
        answer = await self._git.run(
            pin.mirror,
            "cat-file",
            "--end-of-options",
            "blob",
            f"{tree}:{check_path(path)}",
            okay=(0, 1, 128),
            limit=limit,
        )
        return answer.output if answer.code == 0 or len(answer.output) >= limit else None

    async def list_files(self, build_id: str, tree: str) -> list[str]:
        """See `Workspace.list_files`."""
        pin = await self._mirrors.pin(build_id)
        return sorted(await patch.list_tree(self._git, pin.mirror, tree))

    async def forget(self, build_id: str) -> None:
        """See `Workspace.forget`."""
        await self._lanes.forget(build_id)

    async def release(self, build_id: str) -> None:
        """Undo `prepare`, for a plan that is only shown. A build needs its preparation as long as it can be asked about."""
        await self._mirrors.release(build_id)
