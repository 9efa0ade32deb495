"""A passage of a text: whole lines of it, such as a paragraph that is to be rewritten. Pure; must never read a file."""

from __future__ import annotations

from typing import Final, NamedTuple

from pydantic import Field

from buildwright.core.record import Record
from buildwright.core.sanitize import ForeignText
from buildwright.errors import Refused

LONGEST_PASSAGE: Final = 20_000
"""Characters of a passage that a model is asked to rewrite."""


class RewrittenPassage(Record):
    """What a model puts in place of a passage."""

    text: ForeignText = Field(max_length=2 * LONGEST_PASSAGE)


class RewriteWish(NamedTuple):
    """What a person asks of a passage. `last` 0 means the paragraph around line `first`."""

    text: str
    first: int
    last: int = 0
    content: str = ""
    """The text that has the passage; "" for that of the newest version."""
    model: str = ""
    cassette: str = ""
    """Path of a file that plays the model."""


class Remark(NamedTuple):
    """What a person has to say of lines of a text. `last` 0: the paragraph around line `first`; `version` 0: the newest."""

    text: str
    first: int
    last: int = 0
    version: int = 0


class Passage(NamedTuple):
    """Whole lines of a text, from `first` to `last`, counted from 1."""

    first: int
    last: int

    def of(self, text: str) -> str:
        """Return these lines of a text that has them."""
        return "\n".join(text.split("\n")[self.first - 1 : self.last])

    def replaced(self, text: str, new: str) -> str:
        """Return the text with `new` in place of these lines; an empty line at an end of `new` is left out."""
        lines = text.split("\n")
        return "\n".join([*lines[: self.first - 1], new.strip("\n"), *lines[self.last :]])


def passage_in(text: str, first: int, last: int = 0) -> Passage:
    """Return lines `first` to `last` of a text; with `last` 0 the paragraph, between empty lines, around line `first`.

    Raises Refused for lines that it does not have, an empty one in place of a paragraph, and more than LONGEST_PASSAGE.
    """
    lines = text.removesuffix("\n").split("\n")
    if not 1 <= first <= len(lines) or last > len(lines) or (last and last < first):
        raise Refused(f"there are no lines {first} to {last or first}", fix=f"name lines from 1 to {len(lines)}")
    found = Passage(first, last)
    if not last:
        if not lines[first - 1].strip():
            raise Refused(f"line {first} is empty", fix="name a line of the paragraph")
        start = next((at for at in range(first - 1, 0, -1) if not lines[at - 1].strip()), 0)
        end = next((at for at in range(first, len(lines)) if not lines[at].strip()), len(lines))
        found = Passage(start + 1, end)
    if len(found.of(text)) > LONGEST_PASSAGE:
        raise Refused(f"these lines have more than {LONGEST_PASSAGE:,} characters", fix="name fewer lines")
    return found
