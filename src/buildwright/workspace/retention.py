"""Removes builds, unused mirrors and unreachable objects. Must never touch a mirror that a live build uses.

No object is removed by guess: each id in a kept journal gets a ref first, and objects younger than an hour always stay.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path

from buildwright.core.failpoint import failpoint
from buildwright.errors import BadRepository
from buildwright.workspace.git import Git, check_name
from buildwright.workspace.git_workspace import GitWorkspace
from buildwright.workspace.lane import remove
from buildwright.workspace.locks import guarded
from buildwright.workspace.sizes import entries, size_of

_HALF = re.compile(r"\.(new|broken|old)-[0-9a-f]{8}$")
_YOUNG = "1.hour.ago"
_LONGEST_SECONDS = 3600.0
_KEPT_TYPES = ("commit", "tree")

Ids = Callable[[str], Awaitable[Collection[str]]]
"""Returns the git ids that the journal of a build names."""


class MirrorPruner:
    """The mirrors, lanes and scratch folders of one home, as pruning sees them."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self._home = home.absolute()
        self._mirrors = self._home / "mirrors"
        self._git = Git(self._home, environment)

    def pins(self) -> dict[str, Path]:
        """Return the mirror of every build that has a pin."""
        found = {}
        for file in entries(self._mirrors / "builds"):
            try:
                found[check_name(file.name, "build")] = self._mirrors / str(json.loads(file.read_text())["mirror"])
            except (OSError, ValueError, KeyError, TypeError, BadRepository):
                continue
        return found

    def mirrors(self) -> list[Path]:
        """Return every complete mirror."""
        return [path for path in entries(self._mirrors) if (path / "objects").is_dir() and "." not in path.name]

    def halves(self) -> list[Path]:
        """Return mirrors half made, replaced or removed. Without the lock, another process may be making one."""
        return [path for path in entries(self._mirrors) if _HALF.search(path.name)]

    def weigh(self, build_id: str) -> int:
        """Return the bytes of the lanes, checkouts and scratch folders of a build."""
        below = [self._home / name / check_name(build_id, "build") for name in ("lanes", "checkouts", "scratch")]
        elsewhere = [entry.resolve() for entry in below[1].glob("*") if entry.is_symlink()]
        return sum(map(size_of, (*below, *elsewhere)))

    def unused(self, going: Collection[str] = ()) -> list[Path]:
        """Return the mirrors that no build uses once the builds in `going` are gone."""
        used = {mirror for build_id, mirror in self.pins().items() if build_id not in going}
        return [mirror for mirror in self.mirrors() if mirror not in used]

    async def retire(self, build_id: str, workspace: GitWorkspace) -> None:
        """Remove a build's lanes, refs and pin, here and in the hub. Its objects go when the mirror is compacted."""
        check_name(build_id, "build")
        failpoint("prune.refs.before")
        await workspace.retire(build_id)
        failpoint("prune.refs.after")
        await remove(self._home / "scratch" / build_id)

    async def drop_unused(self) -> bool:
        """Remove mirrors that no build uses; return False while a process prepares a repository."""
        if not self.mirrors() and not self.halves():
            return True
        async with guarded(self._mirrors, alone=True) as alone:
            if not alone:
                return False
            for half in self.halves():
                await remove(half)
            for mirror in self.unused():
                going = self._mirrors / f"{mirror.name}.old-{secrets.token_hex(4)}"
                failpoint("prune.mirror.before")
                mirror.rename(going)
                failpoint("prune.mirror.after")
                await remove(going)
            return True

    async def compact(self, ended: Collection[str], named: Ids, tell: Callable[[str], None]) -> int | None:
        """Remove the objects that no kept build needs, in every mirror whose builds have all `ended`.

        `tell` receives progress. Returns how many mirrors must wait for a live build, None while a process prepares
        a repository. Raises GitFailed, DiskFull.
        """
        waiting = 0
        if not self.mirrors():
            return 0
        async with guarded(self._mirrors, alone=True) as alone:
            if not alone:
                return None
            for mirror in self.mirrors():
                builds = [build_id for build_id, place in self.pins().items() if place == mirror]
                if not set(builds) <= set(ended):
                    waiting += 1
                    continue
                tell(f"compacting {mirror.name}")
                for build_id in builds:
                    await self._hold(mirror, build_id, await named(build_id))
                failpoint("prune.repack.before")
                seconds = _LONGEST_SECONDS
                await self._git.run(mirror, "pack-refs", "--all", seconds=seconds)
                await self._git.run(
                    mirror, "repack", "-A", "-d", "-l", "-q", f"--unpack-unreachable={_YOUNG}", seconds=seconds
                )
                await self._git.run(mirror, "prune", f"--expire={_YOUNG}", seconds=seconds)
                failpoint("prune.repack.after")
        return waiting

    async def _hold(self, mirror: Path, build_id: str, ids: Collection[str]) -> None:
        """Give a ref to every commit and tree in a build's journal: `diff` and `why` show them, no branch has them."""
        if not ids:
            return
        asked = "\n".join(sorted(ids)).encode() + b"\n"
        answer = await self._git.run(mirror, "cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=asked)
        lines = (line.split() for line in answer.text.splitlines())
        there = [words[0] for words in lines if len(words) == 2 and words[1] in _KEPT_TYPES]
        if there:
            orders = "".join(f"update refs/buildwright/{build_id}/named/{found} {found}\n" for found in there)
            await self._git.run(mirror, "update-ref", "--stdin", stdin=orders.encode())
