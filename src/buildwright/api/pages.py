"""Pages of long lists: their opaque cursors, and pages of a build's log. Must never change anything."""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

from pydantic import AwareDatetime, BaseModel, Field

from buildwright.errors import Refused
from buildwright.ports import Builds, LogLine


def cursor_for(place: int | str) -> str:
    """Return the cursor of the page after this place."""
    return base64.urlsafe_b64encode(str(place).encode()).decode().rstrip("=")


def text_in(cursor: str) -> str:
    """Return the place in a cursor, "" for the first page. Raises Refused for a cursor that was never given out."""
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error) as error:
        raise _refused() from error


def number_in(cursor: str) -> int:
    """Return the number in a cursor, 0 for the first page. Raises Refused."""
    text = text_in(cursor) or "0"
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise _refused()
    return int(text)


def _refused() -> Refused:
    return Refused("the cursor is none that was given out", fix="take `next_cursor` of the page before")


BLOCK = 1000
"""Lines read at once."""
FARTHEST = 20_000
"""Lines that one request looks through; the next request continues there."""


class LogPageLine(BaseModel):
    """One line of a build's log."""

    seq: int
    at: AwareDatetime
    task: str
    attempt: int
    kind: str
    text: str


class LogPage(BaseModel):
    """Lines of a build's log, oldest first."""

    items: list[LogPageLine]
    next_after: int = Field(description="`after` of the next page, also when there is nothing new yet.")
    more: bool = Field(description="There may be more lines after these.")


class Reading(NamedTuple):
    """The lines that a caller wants. "" means any; with `tail` the newest ones, and `after` is ignored."""

    after: int = 0
    limit: int = 100
    task: str = ""
    kind: str = ""
    search: str = ""
    tail: bool = False


async def read_page(builds: Builds, build_id: str, reading: Reading) -> LogPage:
    """Return the matching lines. With `tail` those among the newest `FARTHEST` lines. Raises StoreFailed."""
    plain = not reading.kind and not reading.search
    if reading.tail:
        looked = reading.limit if plain else FARTHEST
        lines = await builds.read_log(build_id, task=reading.task, limit=looked, tail=True)
        fitting = [line for line in lines if _fits(line, reading)][-reading.limit :]
        return LogPage(items=_shown(fitting), next_after=lines[-1].seq if lines else 0, more=False)
    found: list[LogLine] = []
    after, looked = reading.after, 0
    while True:
        block = min(BLOCK, reading.limit + 1) if plain else BLOCK
        lines = await builds.read_log(build_id, after=after, task=reading.task, limit=block)
        looked += len(lines)
        for line in lines:
            if _fits(line, reading):
                if len(found) == reading.limit:
                    return LogPage(items=_shown(found), next_after=found[-1].seq, more=True)
                found.append(line)
            after = line.seq
        if len(lines) < block or looked >= FARTHEST:
            return LogPage(items=_shown(found), next_after=after, more=len(lines) == block)


def _fits(line: LogLine, reading: Reading) -> bool:
    return reading.kind in {"", line.kind} and reading.search.casefold() in line.text.casefold()


def _shown(lines: list[LogLine]) -> list[LogPageLine]:
    return [LogPageLine(**line._asdict()) for line in lines]
