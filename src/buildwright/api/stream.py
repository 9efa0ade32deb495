"""One reader of a stream: replay after a cursor, then live. WebSocket, SSE and REST all read through it; it sends nothing.

A reader that is quick enough is handed what its tails have. One that is not loses its queue, not its place: it goes on
from the store. Only one that takes nothing for a while is dropped, with the cursor of what it had.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from typing import Any, NamedTuple

from buildwright.api.cursor import START, Cursor, Newest, Place, decode, microseconds
from buildwright.api.frames import Fields, Names
from buildwright.api.tails import Piece, Tail, Tails
from buildwright.ports import BuildRow, Mark

MOST_BUILDS = 64
"""Builds in one stream of a project; of more, the newest."""


class Selection(NamedTuple):
    """What a stream is of: one build, or a user's builds of a project (`build` None)."""

    user_id: str
    project_id: str
    build: BuildRow | None = None


class Topics(NamedTuple):
    """Which of the news a reader wants."""

    events: bool = True
    journal: bool = False
    """Every event whole, as the journal has it."""
    log: bool = True
    log_of: frozenset[str] = frozenset()
    """Builds whose log is wanted although `log` is not."""

    @classmethod
    def parse(cls, words: Iterable[str]) -> Topics:
        """From `events`, `journal`, `log` and `log:BUILD`. Raises ValueError naming what is none of them."""
        given = set(words)
        logs = {word.removeprefix("log:") for word in given if word.startswith("log:")}
        unknown = {word for word in given if not word.startswith("log:")} - {"events", "journal", "log"}
        if unknown:
            raise ValueError(f"no such topic: {', '.join(sorted(unknown))[:200]}")
        return cls("events" in given, "journal" in given, "log" in given, frozenset(logs))

    @property
    def any_event(self) -> bool:
        return self.events or self.journal

    def wants_log(self, build_id: str) -> bool:
        """Whether the log of this build is wanted."""
        return self.log or build_id in self.log_of

    def words(self) -> list[str]:
        """As they are written."""
        plain = [name for name in ("events", "journal", "log") if getattr(self, name)]
        return plain + [f"log:{build_id}" for build_id in sorted(self.log_of)]


class Member:
    """One build of a reader's selection."""

    __slots__ = ("build_id", "done", "lapsed", "place", "project_id", "tail", "upto")

    def __init__(self, row: BuildRow, place: Place, tail: Tail | None, upto: Place) -> None:
        self.build_id = row.build_id
        self.project_id = row.project_id
        self.place = place
        self.tail = tail
        self.upto = upto
        """All until there is read from the store."""
        self.lapsed = True
        """The store has to be read before what the tail offers can be taken."""
        self.done = False
        """Nothing comes after `upto` and what waits in the queue."""


class Reader:
    """Reads a selection for one client. Made by `open_reader`; use it as a context that leaves its tails at the end."""

    def __init__(self, tails: Tails, selection: Selection, names: Names, topics: Topics) -> None:
        self._tails = tails
        self.selection = selection
        self.names: Names = names
        self.topics = topics
        self.members: dict[str, Member] = {}
        self.stopped: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Why it must end before its time: `slow`, `closing`, `vanished`."""
        self._newest: Newest | None = None
        self._events: deque[Piece] = deque()
        self._lines: deque[Piece] = deque()
        self._fresh: deque[BuildRow] = deque()
        self._size = 0
        self._wake = asyncio.Event()
        self._busy_since: float | None = None
        self._loop = asyncio.get_running_loop()

    # --- what tails do; nothing here waits ---------------------------------------------------------------------------

    def offer(self, piece: Piece) -> None:
        """Queue a piece, or lose the queue when it is full."""
        member = self.members.get(piece.build_id)
        if member is None or member.lapsed:
            return
        if piece.moment is not None:
            if not self.topics.any_event or piece.last <= member.upto.event:
                return
            self._events.append(piece)
        else:
            if not self.topics.wants_log(piece.build_id) or piece.last <= member.upto.line:
                return
            self._lines.append(piece)
        self._size += sum(map(len, piece.bodies(self.names)))
        limits = self._tails.limits
        if self._size > limits.size or len(self._events) + len(self._lines) > limits.frames:
            self._overflow(limits.stall_seconds)
        self._wake.set()

    def finish(self, build_id: str) -> None:
        """A build has ended, and all of it was offered."""
        self.members[build_id].done = True
        self._wake.set()

    def vanish(self, build_id: str) -> None:
        """A build was removed from the store."""
        if self.selection.build is not None:
            self.stop("vanished")
        else:
            self.members[build_id].done = True
            self._wake.set()

    def admit(self, row: BuildRow) -> None:
        """There is a new build in the project."""
        self._fresh.append(row)
        self._wake.set()

    def stop(self, why: str) -> None:
        """End it, even in the middle of sending."""
        if not self.stopped.done():
            self.stopped.set_result(why)

    def is_stuck(self, now: float) -> bool:
        """Whether the client has taken nothing for longer than anybody's patience."""
        return self._busy_since is not None and now - self._busy_since > self._tails.limits.patience_seconds

    def _overflow(self, stall_seconds: float) -> None:
        self._clear()
        for member in self.members.values():
            member.lapsed = True
        if self._busy_since is not None and self._loop.time() - self._busy_since > stall_seconds:
            self.stop("slow")

    def _clear(self) -> None:
        self._events.clear()
        self._lines.clear()
        self._size = 0

    # --- what the client's side does ---------------------------------------------------------------------------------

    @property
    def form(self) -> str:
        """What the frames are."""
        return f"{self.names[0]}{'e' if self.topics.events else ''}{'j' if self.topics.journal else ''}"

    def cursor(self) -> Cursor:
        """Where the client stands with all that `texts` has given. What it does not want it has had."""
        places = {member.build_id: self._shown(member) for member in self.members.values() if not _is_over(member)}
        if self.selection.build is not None and not places:
            places = {member.build_id: member.place for member in self.members.values()}
        return Cursor(self.form, places, self._newest)

    def change(self, topics: Topics) -> None:
        """Want something else from here on. Use it between two texts."""
        for member in self.members.values():
            member.place = self._shown(member)._replace(part=0)
            member.lapsed = True
        self.topics = topics
        self._clear()
        self._wake.set()

    async def texts(self, *, live: bool = True) -> AsyncIterator[str]:
        """The frames as JSON, each with the cursor behind it; until the build has ended, or all that is there was given."""
        while True:
            lapsed = next((member for member in self.members.values() if member.lapsed), None)
            if lapsed is not None:
                async for text in self._replayed(lapsed):
                    yield text
            elif self._events or self._lines:
                for text in self._queued():
                    yield self._timed(text)
                    self._busy_since = None
            elif not live or (self.selection.build is not None and all(m.done for m in self.members.values())):
                return
            elif self._fresh:
                await self._add(self._fresh.popleft(), Place())
            else:
                self._wake.clear()
                await self._wake.wait()

    async def leave(self) -> None:
        """Let go of the tails."""
        self._tails.leave(self)

    def _queued(self) -> Iterable[str]:
        """The next piece of the queue: events come before lines."""
        piece = self._events.popleft() if self._events else self._lines.popleft()
        self._size -= sum(map(len, piece.bodies(self.names)))
        return self._given(piece)

    def _timed(self, text: str) -> str:
        self._busy_since = self._loop.time()
        return text

    async def _replayed(self, member: Member) -> AsyncIterator[str]:
        """What the store has between the member's place and what its tail will offer."""
        if member.tail is not None:
            member.upto = member.tail.place
        member.lapsed = False
        if member.tail is not None and member.tail.ended:
            member.done = True
        async for piece in self._past(member):
            for text in self._given(piece):
                yield self._timed(text)
                self._busy_since = None
            while self._events and not member.lapsed:
                for text in self._queued():
                    yield self._timed(text)
                    self._busy_since = None

    async def _past(self, member: Member) -> AsyncIterator[Piece]:
        history, upto = self._tails.history, member.upto
        if self.topics.any_event and member.place.event < upto.event:
            recent = member.tail.recent if member.tail is not None else ()
            if recent and recent[0].first <= member.place.event + 1:
                start = member.place.event
                for piece in [piece for piece in recent if start < piece.first <= upto.event]:
                    yield piece
            else:
                async for moments in history.moments(member.build_id, member.place.event, upto.event):
                    for moment in moments:
                        yield Piece(member.build_id, member.project_id, moment)
        if self.topics.wants_log(member.build_id):
            async for lines in history.lines(member.build_id, member.place.line, upto.line):
                yield Piece(member.build_id, member.project_id, None, lines)

    def _given(self, piece: Piece) -> Iterable[str]:
        """The texts of a piece; the member's place moves with each that is taken."""
        member = self.members[piece.build_id]
        place, alone = member.place, self.selection.build is not None
        if piece.moment is not None and piece.last <= place.event:
            return
        bodies = self._bodies(piece)
        after = piece.after(self._shown(member))
        if not bodies:
            member.place = after
            return
        key = (self.form, self._shown(member), after)
        if alone and piece.memo is not None and piece.memo[0] == key:
            texts = piece.memo[1]
        else:
            texts = []
            for number, body in enumerate(bodies, 1):
                last = number == len(bodies)
                member.place = after if last else place._replace(part=number)
                texts.append(_with_cursor(body, self.cursor().encoded()))
            if alone:
                piece.memo = (key, texts)
        for number, text in enumerate(texts, 1):
            member.place = after if number == len(texts) else place._replace(part=number)
            if number > place.part or piece.moment is None:
                yield text

    def _bodies(self, piece: Piece) -> Sequence[bytes]:
        if piece.moment is None:
            return piece.bodies(self.names)
        found = piece.bodies(self.names) if self.topics.events else []
        return [*found, *piece.bodies("journal")] if self.topics.journal else found

    def _shown(self, member: Member) -> Place:
        """The member's place; of what the client does not want, all that is there."""
        place = member.place
        newest = member.tail.place if member.tail is not None else member.upto
        if not self.topics.any_event:
            place = place._replace(event=newest.event, at=newest.at)
        if not self.topics.wants_log(member.build_id):
            place = place._replace(line=newest.line)
        return place

    async def _add(self, row: BuildRow, place: Place | None, *, live: bool = True, mark: Mark | None = None) -> None:
        """Take a build in, from `place` or from now on. Raises NotFound, StoreFailed."""
        if row.build_id in self.members:
            return
        tail = await self._tails.tail(row.build_id) if live else None
        if tail is not None:
            newest = tail.place
        else:
            newest = Place(mark.version, mark.last_line, microseconds(row.updated_at)) if mark else Place()
        member = Member(row, newest if place is None else place, tail, newest)
        self.members[row.build_id] = member
        if tail is not None:
            tail.audience.add(self)
        if self.selection.build is None:
            created = Newest(microseconds(row.created_at), row.build_id)
            self._newest = max(self._newest, created) if self._newest is not None else created


class Hello(NamedTuple):
    """What a stream starts with."""

    resume: str
    """`live` (nothing was missed), `replay` (what was missed follows), `reset` (read it anew by REST)."""
    cursor: str
    head: Fields
    oldest: Fields

    def payload(self, reader: Reader) -> dict[str, Any]:
        """For the frame."""
        row = reader.selection.build
        one = {"executionId": row.build_id} if row is not None else {}
        return {**one, **self._asdict(), "topics": reader.topics.words(), "names": reader.names}


async def open_reader(
    tails: Tails, selection: Selection, names: Names, topics: Topics, after: str, *, live: bool = True
) -> tuple[Reader, Hello]:
    """A reader that stands after the cursor `after`: "" for now, "start" for the first event. Raises NotFound, StoreFailed.

    With `live` False it reads what is there and hears of nothing new.
    """
    reader = Reader(tails, selection, names, topics)
    cursor = decode(after) if after not in {"", START} else None
    rows = await _selected(tails, selection, cursor, everything=after == START)
    marks = await tails.builds.marks([row.build_id for row in rows])
    lost = after not in {"", START} and (cursor is None or not await _is_known(tails, selection, cursor, marks))
    if live:
        await tails.enter(reader)
    try:
        for row in rows:
            place = None if after == "" or lost else _place_of(cursor, row.build_id, reader.form)
            await reader._add(row, place, live=live, mark=marks.get(row.build_id))  # noqa: SLF001  it is made here
        if live and selection.build is None:
            known = [row.build_id for row in rows]
            await tails.watch_project(reader, selection.user_id, selection.project_id, known)
    except BaseException:
        tails.leave(reader)
        raise
    heads = {member.build_id: member.tail.place if member.tail else member.upto for member in reader.members.values()}
    missed = any(
        (topics.any_event and member.place.event < heads[member.build_id].event)
        or (topics.wants_log(member.build_id) and member.place.line < heads[member.build_id].line)
        for member in reader.members.values()
    )
    hello = Hello(
        "reset" if lost else "replay" if missed else "live",
        reader.cursor().encoded(),
        {build_id: {"event": place.event, "line": place.line} for build_id, place in heads.items()},
        {build_id: {"event": 1, "line": mark.first_line} for build_id, mark in marks.items()},
    )
    return reader, hello


def _is_over(member: Member) -> bool:
    """The client has had all of a build that has ended."""
    tail = member.tail
    return tail is not None and tail.ended and not member.lapsed and member.place >= tail.place


def _place_of(cursor: Cursor | None, build_id: str, form: str) -> Place:
    place = cursor.places.get(build_id, Place()) if cursor is not None else Place()
    return place if cursor is None or cursor.form == form else place._replace(part=0)


async def _selected(tails: Tails, selection: Selection, cursor: Cursor | None, *, everything: bool) -> list[BuildRow]:
    """The builds of a selection, in the order of their creation."""
    if selection.build is not None:
        return [selection.build]
    newest = await tails.runs.page(selection.user_id, MOST_BUILDS, project_id=selection.project_id)
    if everything:
        return newest[::-1]
    unfinished = [
        row for row in await tails.runs.unfinished(selection.user_id) if row.project_id == selection.project_id
    ]
    wanted: Collection[str] = cursor.places if cursor is not None else ()
    known = cursor.newest if cursor is not None else None
    found = {row.build_id: row for row in unfinished}
    for row in newest:
        later = known is not None and Newest(microseconds(row.created_at), row.build_id) > known
        if later or row.build_id in wanted or (cursor is not None and known is None):
            found[row.build_id] = row
    ordered = sorted(found.values(), key=lambda row: (row.created_at, row.build_id))
    return ordered[-MOST_BUILDS:]


async def _is_known(tails: Tails, selection: Selection, cursor: Cursor, marks: dict[str, Mark]) -> bool:
    """Whether the store can say what came after this cursor: it knows the builds, and what the cursor has seen of them."""
    if selection.build is not None and selection.build.build_id not in cursor.places:
        return False
    for build_id, place in cursor.places.items():
        mark = marks.get(build_id)
        if mark is None or place.event > mark.version or place.line > mark.last_line:
            return False
        if place.line < mark.first_line - 1:
            return False
        if place.event:
            found = await tails.builds.read(build_id, place.event - 1, 1)
            if not found or microseconds(found[0].at) != place.at:
                return False
    return True


def _with_cursor(body: bytes, cursor: str) -> str:
    return f'{body[:-2].decode()},"cursor":"{cursor}"}}}}'
