"""One broadcast for each watched build: news is read once, encoded once, and handed to all subscribers.

A broadcast wakes when this process has news of its build, and ten times a second one query for all builds looks for
news from other processes. It must never wait for a subscriber: `offer` only puts into a bounded queue.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

from buildwright.api.cursor import Place, microseconds
from buildwright.api.history import MOST_LINES, History, moments_of, runs_of
from buildwright.core.build import Build
from buildwright.errors import BuildwrightError, NotFound, StoreFailed
from buildwright.ports import BuildRow, Builds, LogLine
from buildwright.views.frames import Moment, Names, event_frames, log_frames

if TYPE_CHECKING:
    from buildwright.store.build_queries import BuildQueries

LOOK_SECONDS = 0.1
GATHER_SECONDS = 0.05
"""Seconds. The first news goes out at once; news within this time after it goes out together."""
PROJECT_SECONDS = 0.25
LINGER_SECONDS = 10.0
"""Seconds that a broadcast without subscribers stays: a client that was cut off comes back soon."""
LAST_LINES_SECONDS = 0.5
"""Seconds. The last lines of a build may be written a moment after its last event."""
_RECENT = 512
_PAGE = 200
_LONG_AGO = timedelta(seconds=5)
_NEWEST = 50
"""Builds of a project that are examined for new ones."""


class BroadcastLimits(NamedTuple):
    """Limits on what may wait for one subscriber (frames, bytes), and on the seconds it may take over one frame."""

    frames: int = 512
    size: int = 2_000_000
    stall_seconds: float = 5.0
    patience_seconds: float = 60.0
    """A subscriber that takes longer than this over one frame is dropped, however little waits for it."""


class EncodedFrames:
    """News of one build: an event, or a run of log lines.

    Shared by all subscribers, and encoded once for each set of names.
    """

    __slots__ = ("_encoded", "build_id", "first", "last", "lines", "memo", "moment", "project_id")

    def __init__(self, build_id: str, project_id: str, moment: Moment | None, lines: Sequence[LogLine] = ()) -> None:
        self.build_id = build_id
        self.project_id = project_id
        self.moment = moment
        self.lines = lines
        self.first = moment.recorded.seq if moment is not None else lines[0].seq
        self.last = moment.recorded.seq if moment is not None else lines[-1].seq
        self._encoded: dict[Names, tuple[list[bytes], list[int]]] = {}
        self.memo: tuple[object, list[Any]] | None = None
        """The frames that subscribers of this build alone got last, and the key that these depended on."""

    def bodies(self, names: Names) -> list[bytes]:
        """Return the frames by these names, as JSON whose last member is the payload."""
        return self._frames(names)[0]

    def last_lines(self, names: Names) -> list[int]:
        """Return the last line in each of the frames of a run of log lines."""
        return self._frames(names)[1]

    def _frames(self, names: Names) -> tuple[list[bytes], list[int]]:
        found = self._encoded.get(names)
        if found is None:
            if self.moment is not None:
                found = [frame.encoded() for frame in event_frames(names, self.moment)], []
            else:
                frames = log_frames(names, self.build_id, self.project_id, self.lines)
                found = [one.frame.encoded() for one in frames], [one.last for one in frames]
            self._encoded[names] = found
        return found

    def after(self, place: Place) -> Place:
        """Return the place of a subscriber at `place` once it has had all of this piece."""
        if self.moment is None:
            return place._replace(line=self.last)
        return place._replace(event=self.last, at=microseconds(self.moment.recorded.at), part=0)


Why: TypeAlias = Literal["ended", "slow", "closing", "vanished", "signed-out", "failed", "gone"]
"""Why the frames of a subscription end.

The build has ended, the client is too slow, the server ends, the build was removed, its user has signed out, the
store does not answer, the client has gone.
"""


class Audience(Protocol):
    """A subscriber as a broadcast sees it. No method may block."""

    @property
    def waiting(self) -> int: ...

    def offer(self, piece: EncodedFrames) -> None: ...
    def finish(self, build_id: str) -> None: ...
    def vanish(self, build_id: str) -> None: ...
    def admit(self, row: BuildRow) -> None: ...
    def stop(self, why: Why) -> None: ...
    def is_stuck(self, now: float) -> bool: ...


class Broadcast:
    """The newest news of one build. Up to `build` and `line`, its subscribers have been offered everything."""

    def __init__(self, tails: Broadcasts, build: Build, line: int) -> None:
        self._history = tails.history
        self._builds = tails.builds
        self._tell = tails.tell
        self._handed_over = tails.handed_over
        self.build = build
        self.line = line
        self.ended = False
        self.vanished = False
        """Whether the build is no longer in the store."""
        self.audience: set[Audience] = set()
        self.recent: deque[EncodedFrames] = deque(maxlen=_RECENT)
        """The newest events, for a client that was cut off for a moment."""
        self._news = asyncio.Event()
        self._news.set()
        self._task = asyncio.create_task(self._follow(), name=f"tail {build.id}")

    def wake(self) -> None:
        """Look for news soon."""
        self._news.set()

    @property
    def place(self) -> Place:
        """The place of a subscriber that has had everything so far."""
        return Place(self.build.version, self.line, microseconds(self.build.updated_at))

    async def close(self) -> None:
        """End the broadcast without telling its subscribers."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        long_ago = self.build.is_terminal and datetime.now(UTC) - self.build.updated_at > _LONG_AGO
        quiet = LAST_LINES_SECONDS - GATHER_SECONDS if long_ago else 0.0
        while not (self.build.is_terminal and quiet >= LAST_LINES_SECONDS):
            try:
                if not self.build.is_terminal:
                    await self._news.wait()
                self._news.clear()
                more = await self._read()
            except NotFound:
                self.ended = self.vanished = True
                for reader in tuple(self.audience):
                    reader.vanish(self.build.id)
                return
            except BuildwrightError as error:
                self._tell("stream-not-read", level="warning", executionId=self.build.id, why=str(error))
                self._news.set()
                await asyncio.sleep(1.0)
                continue
            quiet = quiet + GATHER_SECONDS if more is False else 0.0
            if more is not None:
                await asyncio.sleep(GATHER_SECONDS)
        self.ended = True
        for reader in tuple(self.audience):
            reader.finish(self.build.id)

    async def _read(self) -> bool | None:
        """Offer all that is new.

        Return True when there was news, False when there was none, None when more waits in the store.
        """
        build_id, project_id = self.build.id, self.build.project_id
        events = await self._builds.read(build_id, self.build.version, _PAGE)
        for moment in await moments_of(self.build, events):
            piece = EncodedFrames(build_id, project_id, moment)
            self.build = moment.after
            self.recent.append(piece)
            self._offer(piece)
            if self.audience:
                self._handed_over(moment.recorded.at)
        if events:
            self._history.remember(self.build)
        lines = await self._builds.read_log(build_id, self.line, limit=MOST_LINES)
        for run in runs_of(lines):
            self.line = run[-1].seq
            self._offer(EncodedFrames(build_id, project_id, None, run))
        if len(events) == _PAGE or len(lines) == MOST_LINES:
            self._news.set()
            return None
        return bool(events or lines)

    def _offer(self, piece: EncodedFrames) -> None:
        for reader in tuple(self.audience):
            reader.offer(piece)


class _Project:
    """The builds of one user in one project, and the subscribers to new ones."""

    def __init__(self, known: set[str]) -> None:
        self.known = known
        self.audience: set[Audience] = set()


class Broadcasts:
    """All broadcasts of a server. The search for news starts with the first subscriber; `close` ends all."""

    def __init__(
        self,
        builds: Builds,
        runs: BuildQueries,
        tell: Callable[..., None],
        handed_over: Callable[[datetime], None],
        limits: BroadcastLimits | None = None,
    ) -> None:
        """`tell` logs failures. `handed_over` gets the time of each event that goes to subscribers."""
        self.builds = builds
        self.tell = tell
        self.handed_over = handed_over
        self.runs = runs
        self.history = History(builds)
        self.limits = limits or BroadcastLimits()
        self.readers: set[Audience] = set()
        self._tails: dict[str, Broadcast] = {}
        self._starting: dict[str, asyncio.Future[Broadcast]] = {}
        self._projects: dict[tuple[str, str], _Project] = {}
        self._strangers = False
        self._looking: asyncio.Task[None] | None = None
        self._closed = False

    def hear(self, build_id: str) -> None:
        """Note that this process has news of a build; for `LocalRunner.on_news`."""
        tail = self._tails.get(build_id)
        if tail is not None:
            tail.wake()
        elif self._projects:
            self._strangers = True

    async def enter(self, reader: Audience) -> None:
        """Add a subscriber. Raises StoreFailed when the server is about to end."""
        if self._closed:
            raise StoreFailed("the server is shutting down", fix="connect again in a moment")
        self.readers.add(reader)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="tails")

    def leave(self, reader: Audience) -> None:
        """Remove a subscriber."""
        self.readers.discard(reader)
        for build_id, tail in self._tails.items():
            if reader in tail.audience:
                tail.audience.discard(reader)
                if not tail.audience:
                    asyncio.get_running_loop().call_later(LINGER_SECONDS, self._forget, build_id, tail)
        for key, project in tuple(self._projects.items()):
            project.audience.discard(reader)
            if not project.audience:
                del self._projects[key]

    async def tail(self, build_id: str) -> Broadcast:
        """Return the broadcast of a build, started if need be. Raises NotFound, StoreFailed."""
        found = self._tails.get(build_id)
        if found is not None and not found.vanished:
            return found
        starting = self._starting.get(build_id)
        if starting is None:
            starting = asyncio.ensure_future(self._start(build_id))
            self._starting[build_id] = starting
            starting.add_done_callback(lambda _: self._starting.pop(build_id, None))
        return await asyncio.shield(starting)

    async def watch_project(self, reader: Audience, user_id: str, project_id: str, known: Collection[str]) -> None:
        """Tell a subscriber (`admit`) of every build of the project that is not in `known`."""
        project = self._projects.setdefault((user_id, project_id), _Project(set()))
        fresh = [row for row in await self._newest(user_id, project_id) if row.build_id not in known]
        project.known |= {*known, *(row.build_id for row in fresh)}
        project.audience.add(reader)
        for row in fresh:
            reader.admit(row)

    async def close(self) -> None:
        """End all subscribers, then all broadcasts."""
        self._closed = True
        for reader in tuple(self.readers):
            reader.stop("closing")
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await asyncio.gather(*(tail.close() for tail in self._tails.values()))
        self._tails.clear()

    async def _start(self, build_id: str) -> Broadcast:
        build = await self.builds.load(build_id)
        mark = (await self.builds.marks([build_id])).get(build_id)
        self.history.remember(build)
        tail = Broadcast(self, build, mark.last_line if mark else 0)
        self._tails[build_id] = tail
        return tail

    def _forget(self, build_id: str, tail: Broadcast) -> None:
        if not tail.audience and self._tails.get(build_id) is tail and not self._closed:
            del self._tails[build_id]
            closing = asyncio.ensure_future(tail.close())
            self._starting.pop(build_id, None)
            closing.add_done_callback(lambda _: None)

    async def _newest(self, user_id: str, project_id: str) -> list[BuildRow]:
        """Return the newest builds of a user's project, oldest first."""
        return (await self.runs.page(user_id, _NEWEST, project_id=project_id))[::-1]

    async def _look(self) -> None:
        """Look for news from other processes, and drop subscribers that are stuck, while there are any."""
        loop = asyncio.get_running_loop()
        projects_at = patience_at = loop.time()
        while self.readers:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self._look_at_builds()
                if self._projects and (self._strangers or loop.time() >= projects_at):
                    self._strangers = False
                    projects_at = loop.time() + PROJECT_SECONDS
                    await self._look_at_projects()
            except BuildwrightError as error:
                self.tell("streams-not-looked-at", level="warning", why=str(error))
                await asyncio.sleep(1.0)
            if loop.time() >= patience_at:
                patience_at = loop.time() + 1.0
                for reader in tuple(self.readers):
                    if reader.is_stuck(loop.time()):
                        reader.stop("slow")

    async def _look_at_builds(self) -> None:
        watched = [build_id for build_id, tail in self._tails.items() if tail.audience and not tail.ended]
        marks = await self.builds.marks(watched) if watched else {}
        for build_id in watched:
            tail, mark = self._tails.get(build_id), marks.get(build_id)
            if tail is not None and (mark is None or mark.version != tail.build.version or mark.last_line != tail.line):
                tail.wake()

    async def _look_at_projects(self) -> None:
        for (user_id, project_id), project in tuple(self._projects.items()):
            for row in await self._newest(user_id, project_id):
                if row.build_id not in project.known:
                    project.known.add(row.build_id)
                    for reader in tuple(project.audience):
                        reader.admit(row)
