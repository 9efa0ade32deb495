"""Moves a build's git objects between this home's mirror and the hub. Must never send a tree without a commit.

A tree travels inside a commit on top of the build's base: git leaves out what the other side has only where it can
compare commits, and would send all files of a lone tree.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from buildwright.errors import Conflict, GitFailed, LostLease
from buildwright.ports import Guard
from buildwright.workspace.git import Git
from buildwright.workspace.hub import Hub, ref_of
from buildwright.workspace.merge import integration_ref
from buildwright.workspace.mirror import Pin

_AT = datetime(2020, 1, 1, tzinfo=UTC)
_MOST = 20_000


class Exchange:
    """Brings the objects of all builds of one home to and from the hub."""

    def __init__(self, hub: Hub, git: Git) -> None:
        self._hub = hub
        self._git = git
        self._here: set[tuple[str, str]] = set()
        """Builds and objects known to be complete in the mirror. A cache: it may be emptied at any time."""
        self._there: set[tuple[str, str]] = set()

    async def need(self, build_id: str, pin: Pin, *names: str) -> None:
        """Make sure that these commits and trees are complete in the mirror. Uses no network when they are."""
        for name in dict.fromkeys(names):
            if not name or name in {pin.target.commit, pin.target.tree} or (build_id, name) in self._here:
                continue
            if not await self._git.holds(pin.mirror, name, f"^{pin.target.commit}"):
                await self._bring(build_id, pin, name)
            self._note(self._here, build_id, name)

    async def share(self, build_id: str, pin: Pin, tree: str, commit: str = "") -> None:
        """Make sure that the tree, and its commit if there is one, are in the hub and can be fetched by name."""
        refs: dict[str, str] = {}
        leases: dict[str, str] = {}
        if (build_id, tree) not in self._there:
            write = pin.objects.commit
            carrier = await asyncio.to_thread(write, tree, (pin.target.commit,), "tree", _AT, durable=False)
            place = ref_of(build_id, "trees", tree)
            refs[place], leases[place] = carrier, ""
        if commit and (build_id, commit) not in self._there:
            refs[ref_of(build_id, "commits", commit)] = commit
        if refs:
            try:
                await self._hub.push(pin.mirror, build_id, refs, leases=leases)
            except Conflict:  # the tree is there, carried on top of a base that the build stood on before
                if left := {ref: new for ref, new in refs.items() if ref not in leases}:
                    await self._hub.push(pin.mirror, build_id, left)
        for name in (tree, commit):
            if name:
                self._note(self._here, build_id, name)
                self._note(self._there, build_id, name)

    async def land(self, build_id: str, pin: Pin, commit: str, onto: str, guard: Guard | None, number: int) -> None:
        """Move the hub's integration branch from `onto` to `commit`. Raises Conflict when it is at neither."""
        await self.need(build_id, pin, commit)
        ref = integration_ref(build_id, number)
        if number and ref not in await self._hub.look(build_id, ref):
            onto = ""
        try:
            await self._hub.push(
                pin.mirror, build_id, {ref: commit}, leases={ref: onto}, guard=guard, point="workspace.hub-land"
            )
        except LostLease:
            raise
        except Conflict as error:
            raise Conflict(
                f"The integration branch of build {build_id} is not at {onto[:12]} any more.",
                fix="Merge the change onto where it is now.",
            ) from error

    def forget(self, build_id: str) -> None:
        """Drop what is cached of the build."""
        for known in (self._here, self._there):
            known.difference_update([one for one in known if one[0] == build_id])

    async def _bring(self, build_id: str, pin: Pin, name: str) -> None:
        for kind in ("trees", "commits", "bases"):
            if await self._hub.fetch(pin.mirror, build_id, ref_of(build_id, kind, name)):
                return
        raise GitFailed(
            f"The hub {self._hub.name} has nothing named {name[:12]} of build {build_id}.",
            fix="Start the build again if its refs were removed from the hub.",
        )

    @staticmethod
    def _note(known: set[tuple[str, str]], build_id: str, name: str) -> None:
        if len(known) >= _MOST:
            known.clear()
        known.add((build_id, name))
