"""The events of all builds as JSON lines in files, for programs that read files. Must never be read back as the truth.

Lines go to `events.jsonl`, which becomes `events-000001.jsonl.gz` and so on when it is full. They are made from the
journals: `cursor.json` says up to which event each is written, and how long the file was then. What a killed process
wrote after that is cut off and written again, so that no event is lost and none stands twice.
"""

from __future__ import annotations

import asyncio
import fcntl
import gzip
import json
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from pydantic_core import to_json

from buildwright.core.event import Recorded, event_fields
from buildwright.errors import BadSettings, BuildwrightError, CouldNot
from buildwright.maintenance.retention_rules import duration
from buildwright.ports import BuildReader, BuildRow, Clock
from buildwright.views.frames import stamp

EVENTS = "BUILDWRIGHT_EVENTS"
"""Names the folder that is kept up to date; without it there are no such files."""
EVENTS_FOR = "BUILDWRIGHT_EVENTS_FOR"
KEPT_FOR = timedelta(days=30)
LARGEST = 1_000_000
"""Bytes of a full file."""
NEWEST = "events.jsonl"
SCHEMA = 1
"""The version of a line, which is that of the lines that `buildwright events` prints."""
_OLD = re.compile(r"events-(\d{6,})\.jsonl\.gz")
EVERY_SECONDS = 5.0
_PAGE = 1000


class EventFile(NamedTuple):
    """One of the files. `number` counts from 1; the one that is written to has the largest."""

    name: str
    number: int
    size: int
    changed_at: datetime


class _Cursor(NamedTuple):
    """What is written: up to event `seen` of each build, `size` bytes of the newest file, which has `number`."""

    number: int = 1
    size: int = 0
    seen: Mapping[str, int] = {}


def folder_of(environment: Mapping[str, str]) -> Path | None:
    """Return the folder that is to be kept up to date; None for none. Raises BadSettings."""
    named = environment.get(EVENTS, "").strip()
    if named and not named.startswith("/"):
        raise BadSettings(f"{EVENTS} is {named!r}, which is not an absolute path", fix="give one that begins with /")
    return Path(named) if named else None


def kept_for(environment: Mapping[str, str]) -> timedelta:
    """Return how long a full file is kept. Raises BadSettings."""
    named = environment.get(EVENTS_FOR, "").strip()
    try:
        return duration(named) if named else KEPT_FOR
    except BuildwrightError as error:
        raise BadSettings(f"{EVENTS_FOR}: {error}", fix=error.fix) from error


class EventFiles:
    """The files of one folder. `mask` takes secrets out of a line; full files older than `keep` are removed."""

    def __init__(self, folder: Path, keep: timedelta, mask: Callable[[str], str], largest: int = LARGEST) -> None:
        self._folder = folder
        self._keep = keep
        self._mask = mask
        self._largest = largest

    def all(self) -> list[EventFile]:
        """Return the files, oldest first."""
        found = []
        for path in self._folder.glob("events*.jsonl*"):
            old = _OLD.fullmatch(path.name)
            if old or path.name == NEWEST:
                about = path.stat()
                number = int(old[1]) if old else self._cursor().number
                changed = datetime.fromtimestamp(about.st_mtime).astimezone()
                found.append(EventFile(path.name, number, about.st_size, changed))
        return sorted(found, key=lambda one: one.number)

    async def update(self, builds: BuildReader, now: datetime) -> int:
        """Write the events that are new, and remove files that are too old. Return how many events were written.

        Does nothing while another process does it. Raises CouldNot when a file cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _locked(self._folder / ".lock") as mine:
                return await self._update(builds, now) if mine else 0
        except OSError as error:
            raise CouldNot(f"the events cannot be written to {self._folder}: {error}") from error

    async def _update(self, builds: BuildReader, now: datetime) -> int:
        rows = await builds.rows(limit=10_000_000)
        writer = _Writer(self._folder, self._cursor(), self._largest)
        await asyncio.to_thread(writer.begin)
        await asyncio.to_thread(self._expire, writer, now)
        written = 0
        for row in sorted(rows, key=lambda one: (one.created_at, one.build_id)):
            async for page in _new_events(builds, row, writer.seen.get(row.build_id, 0)):
                lines = [(one.seq, self._line(row.build_id, one)) for one in page if one.at >= now - self._keep]
                await asyncio.to_thread(writer.add, row.build_id, lines, page[-1].seq)
                written += len(lines)
        await asyncio.to_thread(writer.end)
        return written

    def _line(self, build_id: str, recorded: Recorded) -> bytes:
        fields = {"build": build_id, "schema": SCHEMA, **event_fields(recorded), "at": stamp(recorded.at)}
        return self._mask(to_json(fields).decode()).encode() + b"\n"

    def _expire(self, writer: _Writer, now: datetime) -> None:
        for file in self.all():
            if file.changed_at < now - self._keep:
                if file.name == NEWEST:
                    writer.begin_anew()
                else:
                    (self._folder / file.name).unlink(missing_ok=True)

    def _cursor(self) -> _Cursor:
        try:
            return _Cursor(**json.loads((self._folder / "cursor.json").read_bytes()))
        except FileNotFoundError:
            return _Cursor()
        except (ValueError, TypeError) as error:
            fix = f"remove the folder {self._folder}: the files are made again"
            raise CouldNot(f"cursor.json there cannot be read: {error}", fix=fix) from error


@asynccontextmanager
async def kept_events(
    environment: Mapping[str, str],
    mask: Callable[[str], str],
    builds: BuildReader,
    clock: Clock,
    tell: Callable[[str], None],
) -> AsyncIterator[None]:
    """Keep the folder that the environment names up to date during the block and at its end. Raises BadSettings.

    `tell` hears of what cannot be written: no build fails for it, and it is tried again.
    """
    folder, keep = folder_of(environment), kept_for(environment)
    if folder is None:
        yield
        return
    files = EventFiles(folder, keep, mask)

    async def update() -> None:
        try:
            await files.update(builds, clock.now())
        except CouldNot as error:
            tell(str(error))

    async def often() -> None:
        while True:
            await clock.sleep(EVERY_SECONDS)
            await update()

    keeping = asyncio.create_task(often(), name="files of events")
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await update()


async def _new_events(builds: BuildReader, row: BuildRow, after: int) -> AsyncIterator[Sequence[Recorded]]:
    """Yield what a journal has after an event. One that cannot be read, or is removed meanwhile, is left for later."""
    while after < row.version:
        try:
            page = await builds.read(row.build_id, after, _PAGE)
        except BuildwrightError:
            return
        if not page:
            return
        yield page
        after = page[-1].seq


class _Writer:
    """Appends to the newest file and moves the cursor, always the file first."""

    def __init__(self, folder: Path, cursor: _Cursor, largest: int) -> None:
        self._folder = folder
        self._largest = largest
        self._newest = folder / NEWEST
        self._number = cursor.number
        self._size = self._saved_size = cursor.size
        self.seen = dict(cursor.seen)
        self._saved = dict(cursor.seen)

    def begin(self) -> None:
        """Cut off what no cursor knows: a process was killed before it had noted it."""
        with self._newest.open("ab") as file:
            if file.tell() > self._size:  # else its time stays as it is
                file.truncate(self._size)

    def add(self, build_id: str, lines: Sequence[tuple[int, bytes]], last: int) -> None:
        """Append lines of a build, each with its event's number, up to event `last`. A full file is put away."""
        ready: list[bytes] = []
        for seq, line in lines:
            if self._size and self._size + len(line) > self._largest:
                self._write(ready)
                ready = []
                self._put_away()
            ready.append(line)
            self._size += len(line)
            self.seen[build_id] = seq
        self._write(ready)
        self.seen[build_id] = last

    def begin_anew(self) -> None:
        """Drop what the newest file has: it is too old."""
        self._number, self._size = self._number + 1, 0
        self._save()
        _replace(self._newest, b"")

    def end(self) -> None:
        """Note what is written."""
        if self.seen != self._saved or self._size != self._saved_size:
            self._save()

    def _write(self, lines: Sequence[bytes]) -> None:
        with self._newest.open("ab") as file:
            file.writelines(lines)

    def _put_away(self) -> None:
        """Compress the full file and begin a new one. Killed anywhere in between, it is done again or was done."""
        old = self._folder / f"events-{self._number:06}.jsonl.gz"
        _replace(old, gzip.compress(self._newest.read_bytes(), mtime=0))
        self.begin_anew()

    def _save(self) -> None:
        with self._newest.open("ab") as file:
            os.fsync(file.fileno())
        cursor = _Cursor(self._number, self._size, self.seen)
        _replace(self._folder / "cursor.json", to_json(cursor._asdict()))
        self._saved, self._saved_size = dict(self.seen), self._size


def _replace(path: Path, content: bytes) -> None:
    """Put a whole file in the place of another, durably."""
    aside = path.with_name(f".{path.name}.new")
    with aside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Yield whether no other process has the lock; it is kept to the end of the block."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = True
        except BlockingIOError:
            mine = False
        yield mine
    finally:
        os.close(descriptor)
