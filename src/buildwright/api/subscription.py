"""One client's subscription to a stream: replay after a cursor, then live. Must never send anything itself.

WebSocket, SSE and REST all read through it. A quick client gets what the broadcasts offer. A slower one loses its
queue, not its place: it continues from the store. Only a client that takes nothing for a while is dropped, with the
cursor of what it had.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import NamedTuple

from buildwright.api.broadcast import Broadcast, Broadcasts, EncodedFrames, Why
from buildwright.api.cursor import Cursor, Newest, Place, microseconds
from buildwright.errors import NotFound, Refused
from buildwright.ports import BuildRow, Mark
from buildwright.views.frames import Names


class Selection(NamedTuple):
    """The builds of a stream: one build, or a user's builds of a project (`build` None); "" is of all its users."""

    user_id: str
    project_id: str
    build: BuildRow | None = None
    session: str = ""
    """The id of the session or token that it ends with; "" for none."""
    caller: str = ""
    """The user of the stream."""


class Topics(NamedTuple):
    """The kinds of news that a client wants."""

    events: bool = True
    journal: bool = False
    """Every event whole, as in the journal."""
    log: bool = True
    log_of: frozenset[str] = frozenset()
    """Builds whose log is wanted although `log` is not."""

    @classmethod
    def parse(cls, words: Iterable[str]) -> Topics:
        """Return the topics from `events`, `journal`, `log` and `log:BUILD`. Raises Refused naming unknown words."""
        given = set(words)
        logs = {word.removeprefix("log:") for word in given if word.startswith("log:")}
        unknown = {word for word in given if not word.startswith("log:")} - {"events", "journal", "log"}
        if unknown:
            text = f"no such topic: {', '.join(sorted(unknown))[:200]}"
            raise Refused(text, fix="topics are events, journal, log and log:BUILD")
        return cls("events" in given, "journal" in given, "log" in given, frozenset(logs))

    @classmethod
    def of_query(cls, text: str) -> Topics:
        """Return the topics in the query of an address, with commas between them. Raises Refused."""
        return cls.parse(word.strip() for word in text.split(",") if word.strip())

    @property
    def any_event(self) -> bool:
        return self.events or self.journal

    def wants_log(self, build_id: str) -> bool:
        """Return whether the log of this build is wanted."""
        return self.log or build_id in self.log_of

    def words(self) -> list[str]:
        """Return the words that `parse` takes."""
        plain = [name for name in ("events", "journal", "log") if getattr(self, name)]
        return plain + [f"log:{build_id}" for build_id in sorted(self.log_of)]


class Sent(NamedTuple):
    """One frame for the client, and the cursor after it."""

    text: str
    """The frame as JSON; it holds the cursor too."""
    cursor: str
    of_log: bool = False
    """Whether it holds lines of a log, in which no word is ours."""


class Member:
    """One build of a subscription."""

    __slots__ = ("build_id", "done", "lapsed", "over", "place", "project_id", "tail", "upto")

    def __init__(self, row: BuildRow, place: Place, tail: Broadcast | None, upto: Place) -> None:
        self.build_id = row.build_id
        self.project_id = row.project_id
        self.place = place
        self.tail = tail
        self.upto = upto
        """The store is read up to this place; what follows comes from the broadcast."""
        self.lapsed = True
        """Whether the store must be read before what the broadcast offers can be taken."""
        self.over = row.completed_at is not None
        """Whether the build had ended when it was added."""
        self.done = False
        """Whether nothing comes after `upto` and the queue."""


class Subscription:
    """The subscription of one client to a selection. Made by `open_reader`; its owner calls `leave` at the end.

    Large because replay and the live part share one position: apart, each would have to trust the other's.
    """

    def __init__(self, tails: Broadcasts, selection: Selection, names: Names, topics: Topics) -> None:
        self._tails = tails
        self.selection = selection
        self.names: Names = names
        self.topics = topics
        self.members: dict[str, Member] = {}
        self.stopped: asyncio.Future[Why] = asyncio.get_running_loop().create_future()
        """Why it must end before its time: `slow`, `closing`, `vanished`, `signed-out`."""
        self._newest: Newest | None = None
        self._events: deque[EncodedFrames] = deque()
        self._lines: deque[EncodedFrames] = deque()
        self._fresh: deque[BuildRow] = deque()
        self._size = 0
        self._wake = asyncio.Event()
        self._busy_since: float | None = None
        self._loop = asyncio.get_running_loop()

    # --- called by broadcasts; nothing here waits ---------------------------------------------------------------------

    def offer(self, piece: EncodedFrames) -> None:
        """Queue a piece, or drop the whole queue when it is full."""
        member = self.members.get(piece.build_id)
        if member is None:
            return
        if member.lapsed:
            self._drop_if_stalled()
            return
        if piece.moment is not None:
            if not self.topics.any_event or piece.last <= member.upto.event:
                return
            self._events.append(piece)
        else:
            if not self.topics.wants_log(piece.build_id) or piece.last <= member.upto.line:
                return
            self._lines.append(piece)
        self._size += _weight(piece, self.names, self.topics)
        limits = self._tails.limits
        if self._size > limits.size or len(self._events) + len(self._lines) > limits.frames:
            self._overflow()
        self._wake.set()

    def finish(self, build_id: str) -> None:
        """Note that a build has ended and all of it was offered."""
        if build_id in self.members:
            self.members[build_id].done = True
            self._wake.set()

    def vanish(self, build_id: str) -> None:
        """Note that a build was removed from the store."""
        if self.selection.build is not None:
            self.stop("vanished")
        else:
            self.finish(build_id)

    def admit(self, row: BuildRow) -> None:
        """Note that the project has a new build."""
        self._fresh.append(row)
        self._wake.set()

    def stop(self, why: Why) -> None:
        """End the subscription, even in the middle of sending."""
        if not self.stopped.done():
            self.stopped.set_result(why)

    def is_stuck(self, now: float) -> bool:
        """Return whether the client has taken nothing for longer than the limit."""
        return self._busy_since is not None and now - self._busy_since > self._tails.limits.patience_seconds

    @property
    def is_at_end(self) -> bool:
        """Whether its one build has ended and the client has had all of it, with the last lines of its log."""
        members = self.members.values()
        return self.selection.build is not None and all(_is_over(m, self._shown(m, m.place)) for m in members)

    @property
    def is_busy(self) -> bool:
        """Whether the client is taking a frame."""
        return self._busy_since is not None

    @property
    def waiting(self) -> int:
        """Bytes that wait here for the client."""
        return self._size

    def _overflow(self) -> None:
        self._clear()
        for member in self.members.values():
            member.lapsed = True
        self._drop_if_stalled()

    def _drop_if_stalled(self) -> None:
        """Stop a client that cannot take what comes and has not taken a frame for a while."""
        if self._busy_since is not None and self._loop.time() - self._busy_since > self._tails.limits.stall_seconds:
            self.stop("slow")

    def _clear(self) -> None:
        self._events.clear()
        self._lines.clear()
        self._size = 0

    # --- called for the client ----------------------------------------------------------------------------------------

    @property
    def form(self) -> str:
        """The form of the frames."""
        return f"{self.names[0]}{'e' if self.topics.events else ''}{'j' if self.topics.journal else ''}"

    def cursor(self, places: Mapping[str, Place] | None = None) -> str:
        """Return the client's cursor after all that it has had; `places` replace some. Unwanted topics count as had."""
        found = {}
        for member in self.members.values():
            place = self._shown(member, (places or {}).get(member.build_id, member.place))
            if self.selection.build is not None or not _is_over(member, place):
                found[member.build_id] = place
        return Cursor(self.form, found, self._newest).encoded()

    async def frames(self, *, live: bool = True) -> AsyncGenerator[Sent, None]:
        """Yield the frames in order until the build has ended or, with `live` False, until all that is there was given.

        A frame counts as had when the next one is asked for.
        """
        while True:
            lapsed = next((member for member in self.members.values() if member.lapsed), None)
            if lapsed is not None:
                async with aclosing(self._replayed(lapsed)) as replayed:
                    async for sent in replayed:
                        yield sent
            elif self._events or self._lines:
                for sent in self._queued():
                    yield sent
            elif not live or (self.selection.build is not None and all(m.done for m in self.members.values())):
                return
            elif self._fresh:
                with suppress(NotFound):  # it was removed as soon as it was there
                    await self.add(self._fresh.popleft(), Place())
            else:
                self._forget_ended()
                self._wake.clear()
                await self._wake.wait()

    def leave(self) -> None:
        """Leave the broadcasts."""
        self._tails.leave(self)

    async def add(self, row: BuildRow, place: Place | None, *, live: bool = True, mark: Mark | None = None) -> None:
        """Add a build, from `place` on or, with None, from now on. Raises NotFound, StoreFailed."""
        if self.selection.build is None:
            created = Newest(microseconds(row.created_at), row.build_id)
            self._newest = max(self._newest, created) if self._newest is not None else created
        if row.build_id in self.members:
            return
        tail = await self._tails.tail(row.build_id) if live else None
        if tail is not None:
            newest = tail.place
        else:
            newest = Place(mark.version, mark.last_line, microseconds(row.updated_at)) if mark else Place()
        self.members[row.build_id] = Member(row, newest if place is None else place, tail, newest)
        if tail is not None:
            tail.audience.add(self)

    def _forget_ended(self) -> None:
        """Drop builds that have ended from the stream of a project."""
        if self.selection.build is None:
            for member in [member for member in self.members.values() if member.done and not member.lapsed]:
                del self.members[member.build_id]
                if member.tail is not None:
                    member.tail.audience.discard(self)

    def _queued(self) -> Iterator[Sent]:
        """Return the frames of the next piece in the queue: events come before lines."""
        piece = self._events.popleft() if self._events else self._lines.popleft()
        self._size -= _weight(piece, self.names, self.topics)
        return self._given(piece)

    async def _replayed(self, member: Member) -> AsyncGenerator[Sent, None]:
        """Yield what the store has between the member's place and what its broadcast will offer."""
        if member.tail is not None:
            member.upto = member.tail.place
            member.done = member.tail.ended
        member.lapsed = False
        async with aclosing(self._past(member)) as past:
            async for piece in past:
                for sent in self._given(piece):
                    yield sent
                # Events do not wait for a long log, but never overtake older ones.
                while piece.moment is None and self._events:
                    for sent in self._queued():
                        yield sent

    async def _past(self, member: Member) -> AsyncGenerator[EncodedFrames, None]:
        history, upto = self._tails.history, member.upto
        if self.topics.any_event and member.place.event < upto.event:
            recent = tuple(member.tail.recent) if member.tail is not None else ()
            start = member.place.event
            if recent and recent[0].first <= start + 1:
                for piece in [piece for piece in recent if start < piece.first <= upto.event]:
                    yield piece
            else:
                async with aclosing(history.moments(member.build_id, start, upto.event)) as pages:
                    async for moments in pages:
                        for moment in moments:
                            yield EncodedFrames(member.build_id, member.project_id, moment)
        if self.topics.wants_log(member.build_id):
            async with aclosing(history.lines(member.build_id, member.place.line, upto.line)) as runs:
                async for lines in runs:
                    yield EncodedFrames(member.build_id, member.project_id, None, lines)

    def _given(self, piece: EncodedFrames) -> Iterator[Sent]:
        """Yield the frames of a piece; the member's place moves with each frame that is had."""
        member = self.members[piece.build_id]
        if piece.last <= (member.place.event if piece.moment is not None else member.place.line):
            return
        place, shown = member.place, self._shown(member, member.place)
        steps = self._steps(piece, place)
        key = (self.form, shown, steps)
        alone = self.selection.build is not None
        if not alone or piece.memo is None or piece.memo[0] != key:
            made = []
            for body, step in zip(_bodies(piece, self.names, self.topics), steps, strict=True):
                cursor = self.cursor({piece.build_id: step})
                made.append(Sent(_with_cursor(body, cursor), cursor, of_log=piece.moment is None))
            if alone:
                piece.memo = (key, made)
        else:
            made = piece.memo[1]
        for sent, step in zip(made, steps, strict=True):
            if piece.moment is None or step.part == 0 or step.part > place.part:
                self._busy_since = self._loop.time()
                yield sent
                self._busy_since = None
            member.place = step
        if not steps:
            member.place = piece.after(place)

    def _steps(self, piece: EncodedFrames, place: Place) -> tuple[Place, ...]:
        """Return the client's place after each frame of a piece."""
        if piece.moment is None:
            return tuple(place._replace(line=last) for last in piece.last_lines(self.names))
        count = len(_bodies(piece, self.names, self.topics))
        between = [place._replace(part=number) for number in range(1, count)]
        return (*between, piece.after(place)) if count else ()

    def _shown(self, member: Member, place: Place) -> Place:
        """Return a place in which unwanted topics count as had."""
        newest = member.tail.place if member.tail is not None else member.upto
        if not self.topics.any_event:
            place = place._replace(event=newest.event, at=newest.at)
        if not self.topics.wants_log(member.build_id):
            place = place._replace(line=newest.line)
        return place


def _bodies(piece: EncodedFrames, names: Names, topics: Topics) -> Sequence[bytes]:
    if piece.moment is None:
        return piece.bodies(names)
    found = piece.bodies(names) if topics.events else []
    return [*found, *piece.bodies("journal")] if topics.journal else found


def _weight(piece: EncodedFrames, names: Names, topics: Topics) -> int:
    return sum(map(len, _bodies(piece, names, topics)))


def _is_over(member: Member, place: Place) -> bool:
    """Return whether the client has had all of a build that has ended."""
    newest = member.tail.place if member.tail is not None else member.upto
    ended = member.tail.ended if member.tail is not None else member.over
    return ended and place.event >= newest.event and place.line >= newest.line


def _with_cursor(body: bytes, cursor: str) -> str:
    return f'{body[:-2].decode()},"cursor":"{cursor}"}}}}'
