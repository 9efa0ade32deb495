"""A cluster, seen from the process of a user: its workers, what is due for them, and their results that come home.

Must never carry out an action itself. A worker delivers where it can reach: the hub, or a repository of the same path
on its own machine. So the home in which a build was started checks once, after the build has ended, that the branch is
in the user's repository; never a second time: the user may have removed the branch meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from buildwright.core.build import Build, for_a_look
from buildwright.core.limits import Options
from buildwright.errors import Unreachable
from buildwright.ports import ActionQueue, Builds, Clock, Hints
from buildwright.store.lease_holders import this_process
from buildwright.wiring.adapters import NoHints, no_world

if TYPE_CHECKING:
    from buildwright.engine.follow import Onlooker
    from buildwright.engine.worker import Worker
    from buildwright.wiring.telemetry import Telemetry
    from buildwright.workspace import GitWorkspace

FOLDER = "awaited"
"""Folder of the notes of pending deliveries, below the home."""
_NOTHING = "-"
"""The note of a build that has ended without a result."""


async def follow_workers(builds: Builds, board: ActionQueue, build: Build, onlooker: Onlooker) -> Build:
    """Watch the workers build until the build rests; return it.

    Raises Unreachable when no worker is alive: the build waits.
    """
    from buildwright.engine.follow import follow_to_rest

    if not build.is_terminal and not [row for row in await board.workers() if row.alive]:
        raise Unreachable(
            f"no worker is running, so build {build.id} waits",
            fix="start one with `buildwright worker` or `buildwright cluster up`; the build then continues by itself",
        )
    return await follow_to_rest(builds, board, build, onlooker)


class Advancer:
    """The decider for builds that workers carry out: it posts what is due.

    It sends no hints until `send_hints` is called.
    """

    def __init__(self, builds: Builds, clock: Clock, telemetry: Telemetry) -> None:
        self._builds = builds
        self._clock = clock
        self._telemetry = telemetry
        self._hints: Hints = NoHints()
        self._hand: Worker | None = None

    def send_hints(self, redis_url: str) -> None:
        """Tell workers through Redis, from now on, which work waits for them."""
        from buildwright.engine.running_action import is_long
        from buildwright.jobs.celery import CeleryJobs

        self._hints, self._hand = CeleryJobs(redis_url, is_long), None

    async def advance(self, build_id: str) -> Build | None:
        """Post what a build wants now and return it; None when a process holds the whole build.

        Raises NotFound, StoreFailed.
        """
        if self._hand is None:
            from buildwright.engine.worker import Worker

            board = cast("ActionQueue", self._builds)
            self._hand = Worker(self._builds, board, self._hints, self._clock, this_process(), no_world)
        self._hand.listen(self._telemetry.on_event())
        return await self._hand.advance(build_id)

    async def close(self) -> None:
        """Close the connection to Redis."""
        await self._hints.close()


class Fetched(NamedTuple):
    """A build with `delivered` as it is on this machine. `now` says that this call has brought the result."""

    build: Build
    now: bool


class PendingDeliveries:
    """Results of workers that belong into a repository on this machine. Never touches a build started elsewhere.

    Its notes are below `home`, a file for each build: empty while its result is due, then with the ref brought.
    """

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self._folder = home / FOLDER
        self._environment = environment

    def note(self, build_id: str, options: Options, repository: str) -> None:
        """Note that the result of a build is due, if it may become a branch of a repository on this machine."""
        from buildwright.workspace.source import locate

        kinds = {"branch", "files"} if options.on_failure == "pause" else {"branch", "files", "push"}
        if options.delivery.kind in kinds and locate(repository, self._environment).git_dir is not None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._folder / build_id).touch()

    def note_again(self, build: Build) -> None:
        """Note that the result of a build is due once more if this home has brought an earlier one, or waits for one."""
        if not build.is_terminal and (self._folder / build.id).exists():
            (self._folder / build.id).write_text("", "utf-8")

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
        if (ref := note.read_text("utf-8")) == _NOTHING:
            return Fetched(build, False)
        if ref:
            return Fetched(replace(build, delivered=ref), False)
        delivery = for_a_look(build.options.delivery) if build.delivered_in_part else build.options.delivery
        if not build.delivered or delivery.kind == "push":
            note.write_text(_NOTHING, "utf-8")  # it is due again when the build is opened again
            return Fetched(build, False)
        locate(build.repository, self._environment)  # a removed one raises; else it would count as elsewhere
        found = await workspace.deliver(build.id, build.repository, build.delivered_commit, delivery)
        note.write_text(found.ref, "utf-8")
        return Fetched(replace(build, delivered=found.ref), found.ref != build.delivered)
