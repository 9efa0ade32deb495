"""Results of workers that belong into a repository on this machine. Must never touch a build started elsewhere.

A worker delivers where it can reach: the hub, or a repository of the same path on its own machine. So the home in which
a build was started checks once, after the build has ended, that the branch is in the user's repository. It must never
check a second time: the user may have removed the branch meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from buildwright.core.build import Build
from buildwright.core.limits import Options

if TYPE_CHECKING:
    from buildwright.workspace import GitWorkspace

FOLDER = "awaited"


class Fetched(NamedTuple):
    """A build with `delivered` as it is on this machine. `now` says that this call has brought the result."""

    build: Build
    now: bool


class PendingDeliveries:
    """The notes below `home`, a file for each build: empty while its result is due, then with the ref brought."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self._folder = home / FOLDER
        self._environment = environment

    def note(self, build_id: str, options: Options, repository: str) -> None:
        """Note that the result of a build is due, if it is to become a branch of a repository on this machine."""
        from buildwright.workspace.source import locate

        if options.delivery.kind == "branch" and locate(repository, self._environment).git_dir is not None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._folder / build_id).touch()

    def waiting(self) -> list[str]:
        """Return the ids of the builds whose result is still due."""
        if not self._folder.is_dir():
            return []
        return sorted(note.name for note in self._folder.iterdir() if note.stat().st_size == 0)

    async def bring(self, build: Build, workspace: GitWorkspace) -> Fetched:
        """Bring the result of a build that has ended into the user's repository. Harmless to repeat.

        Raises Conflict (the branch is checked out, or has other commits), BadRepository, GitFailed, DiskFull; the
        result then stays due.
        """
        from buildwright.workspace.source import locate

        note = self._folder / build.id
        if not build.is_terminal or not note.exists():
            return Fetched(build, False)
        if ref := note.read_text("utf-8"):
            return Fetched(replace(build, delivered=ref), False)
        if not build.delivered:
            note.unlink()
            return Fetched(build, False)
        locate(build.repository, self._environment)  # a removed one raises; else it would count as elsewhere
        found = await workspace.deliver(build.id, build.repository, build.delivered_commit, build.options.delivery)
        note.write_text(found.ref, "utf-8")
        return Fetched(replace(build, delivered=found.ref), found.ref != build.delivered)
