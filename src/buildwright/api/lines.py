"""Pages of a build's log, also of the lines that somebody looks for. Reads a bounded part at a time; changes nothing."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import AwareDatetime, BaseModel, Field

from buildwright.ports import Builds, LogLine

BLOCK = 1000
"""Lines read at once."""
FARTHEST = 20_000
"""Lines that one request looks through; the next goes on from there."""


class Line(BaseModel):
    """One line of a build's log."""

    seq: int
    at: AwareDatetime
    task: str
    attempt: int
    kind: str
    text: str


class LogPage(BaseModel):
    """Lines of a build's log, oldest first."""

    items: list[Line]
    next_after: int = Field(description="`after` of the next page, also when there is nothing new yet.")
    more: bool = Field(description="There may be more lines after these.")


class Reading(NamedTuple):
    """What is looked for. "" means any; `tail` wants the newest lines, and heeds no `after`."""

    after: int = 0
    limit: int = 100
    task: str = ""
    kind: str = ""
    search: str = ""
    tail: bool = False


async def read_page(builds: Builds, build_id: str, reading: Reading) -> LogPage:
    """The lines that fit. With `tail` those among the newest `FARTHEST` lines. Raises StoreFailed."""
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


def _shown(lines: list[LogLine]) -> list[Line]:
    return [Line(**line._asdict()) for line in lines]
