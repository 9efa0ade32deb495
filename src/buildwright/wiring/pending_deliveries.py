"""Results that this home waits for: builds which workers carry out and whose branch belongs into a repository on this machine.

A worker delivers where it can reach, and that may be the hub, or a repository of the same path on its own machine. So the home
in which a build was started looks once, when the build has ended, that the branch is there. Must never touch a build that was
started elsewhere, nor look a second time: the user may have removed the branch meanwhile.
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
    """A build as it stands on this machine: its result is where `delivered` says. `now`: this call has brought it."""

    build: Build
    now: bool


class PendingDeliveries:
    """The notes below `home`, a file for each build: empty while it is waited for, then the ref that was brought."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self._folder = home / FOLDER
        self._environment = environment

    def note(self, build_id: str, options: Options, repository: str) -> None:
        """Wait for the result of a build, if it is to become a branch of a repository on this machine."""
        from buildwright.workspace.source import locate

        if options.delivery.kind == "branch" and locate(repository, self._environment).git_dir is not None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._folder / build_id).touch()

    def waiting(self) -> list[str]:
        """The builds whose result is still waited for."""
        if not self._folder.is_dir():
            return []
        return sorted(note.name for note in self._folder.iterdir() if note.stat().st_size == 0)

    async def bring(self, build: Build, workspace: GitWorkspace) -> Fetched:
        """See that the result of a build that has ended is in the user's repository. Harmless to repeat.

        Raises Conflict (the branch is checked out, or has other commits), BadRepository, GitFailed, DiskFull; then it is
        still waited for.
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
        locate(build.repository, self._environment)  # gone, it would be taken for another machine's
        found = await workspace.deliver(build.id, build.repository, build.delivered_commit, build.options.delivery)
        note.write_text(found.ref, "utf-8")
        return Fetched(replace(build, delivered=found.ref), found.ref != build.delivered)
