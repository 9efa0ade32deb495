"""Pages of long lists: their opaque cursors, and pages of a build's log. Must never change anything."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime

from pydantic import AwareDatetime, BaseModel, Field

from buildwright.errors import Refused
from buildwright.ports import Builds, LogLine
from buildwright.views.frames import LineLevel, level_of


def cursor_for(place: int | str) -> str:
    """Return the cursor of the page after this place."""
    return base64.urlsafe_b64encode(str(place).encode()).decode().rstrip("=")


def cursor_of(moment: datetime, name: str) -> str:
    """Return the cursor for the page after a row, from the row's time and id."""
    return cursor_for(f"{moment.isoformat()} {name}")


def text_in(cursor: str) -> str:
    """Return the place in a cursor, "" for the first page. Raises Refused for a cursor that was never given out."""
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise _refused() from error


def number_in(cursor: str) -> int:
    """Return the number in a cursor, 0 for the first page. Raises Refused."""
    text = text_in(cursor) or "0"
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise _refused()
    return int(text)


def place_of(cursor: str) -> tuple[datetime, str] | None:
    """Return the time and id in a cursor of `cursor_of`, None for "". Raises Refused."""
    if not cursor:
        return None
    moment, _, name = text_in(cursor).partition(" ")
    try:
        when = datetime.fromisoformat(moment)
        if when.tzinfo is None or not name.isascii() or not name.isprintable():
            raise _refused()
        return when.astimezone(UTC), name
    except (ValueError, OverflowError) as error:
        raise _refused() from error


def _refused() -> Refused:
    return Refused("the cursor is not one that this server gave out", fix="take `next_cursor` of the page before")


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
    level: LineLevel
    """As in the stream."""
    text: str


class LogPage(BaseModel):
    """Lines of a build's log, oldest first."""

    items: list[LogPageLine]
    next_after: int = Field(description="`after` of the next page, also when there is nothing new yet.")
    more: bool = Field(description="There may be more lines after these.")


async def find_lines(
    builds: Builds,
    build_id: str,
    after: int,
    limit: int,
    *,
    task: str = "",
    tail: bool = False,
    fits: Callable[[LogLine], bool] | None = None,
) -> tuple[list[LogLine], int, bool]:
    """Return log lines, the number after which the next page begins, and whether it may have any.

    The lines are those after the number `after` or, with `tail`, the newest; with `fits` only those for which it is
    true. At most `FARTHEST` lines are looked through, so that a page may have few lines or none and still have a next
    one. Raises StoreFailed.
    """
    if tail:
        looked = FARTHEST if fits is not None else limit
        lines = await builds.read_log(build_id, after=after, task=task, limit=looked, tail=True)
        return [line for line in lines if fits is None or fits(line)][-limit:], lines[-1].seq if lines else 0, False
    found: list[LogLine] = []
    block, looked = BLOCK if fits is not None else min(BLOCK, limit + 1), 0
    while True:
        lines = await builds.read_log(build_id, after=after, task=task, limit=block)
        looked += len(lines)
        for line in lines:
            if fits is None or fits(line):
                if len(found) == limit:
                    return found, found[-1].seq, True
                found.append(line)
            after = line.seq
        if len(lines) < block or looked >= FARTHEST:
            return found, after, len(lines) == block


async def read_page(
    builds: Builds, build_id: str, after: int, limit: int, *, task: str, kind: str, search: str, tail: bool
) -> LogPage:
    """Return the lines of that kind with that text ("" for any); with `tail`, `after` is ignored. Raises StoreFailed."""

    def fits(line: LogLine) -> bool:
        return kind in {"", line.kind} and search.casefold() in line.text.casefold()

    chosen = fits if kind or search else None
    lines, following, more = await find_lines(
        builds, build_id, 0 if tail else after, limit, task=task, tail=tail, fits=chosen
    )
    return LogPage(
        items=[LogPageLine(**line._asdict(), level=level_of(line)) for line in lines], next_after=following, more=more
    )
