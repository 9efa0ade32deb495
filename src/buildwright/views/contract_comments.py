"""Comments on paragraphs of contracts as they are shown: where the paragraph is now, or since when it is another one.

Pure; must never change a comment.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate
from typing import NamedTuple

from buildwright.core.contract_types import ContractType
from buildwright.core.record import Record


class ContractComment(Record):
    """A comment on lines `first` to `last` of a version of a contract, which were `passage` then."""

    id: str
    contract_type: ContractType
    version: int
    first: int
    last: int
    passage: str
    text: str
    by: str
    """Who wrote it."""
    at: datetime
    resolved: bool
    resolved_by: str = ""
    resolved_at: datetime | None = None
    line: int
    """The first line of the paragraph in the newest version; 0 when it is not there as it was."""
    changed_in: int = 0
    """The first version without the paragraph as it was; 0 while it is there."""
    words: str
    """Where it stands, in words."""


class CommentList(Record):
    """Comments on contracts, oldest first."""

    items: tuple[ContractComment, ...]
    more: bool = False
    """Whether there are older ones, which are left out."""


class VersionText(NamedTuple):
    """A version of a contract."""

    version: int
    content: str


class CommentedPlace(NamedTuple):
    """A paragraph that was commented on line `first` of `version`, and where it is in the last version looked at."""

    passage: str
    first: int
    version: int
    line: int
    """Where it is, or was last."""
    changed_in: int = 0
    """As in `ContractComment`."""

    @property
    def words(self) -> str:
        """Return where it is, in words."""
        if self.changed_in:
            return f"The paragraph has changed in version {self.changed_in}, since this was written."
        moved = "" if self.line == self.first else f", now at line {self.line}"
        return f"On line {self.first} of version {self.version}{moved}."


def followed(places: Sequence[CommentedPlace], texts: Sequence[VersionText]) -> list[CommentedPlace]:
    """Look for paragraphs in more versions of their contract, and return where they are then, in the order given.

    Each version is split once. Takes O(characters) for each paragraph that a version has not where it was before.
    """
    found = list(places)
    for version, content in sorted(texts):
        text = _VersionLines(content)
        found = [_in(text, version, place) if version > place.version else place for place in found]
    return found


def _in(text: _VersionLines, version: int, place: CommentedPlace) -> CommentedPlace:
    line = text.line_of(place.passage, place.line)
    if line:
        return place._replace(line=line, changed_in=0)  # also a paragraph that came back
    return place if place.changed_in else place._replace(changed_in=version)


class _VersionLines:
    """A text in which whole lines are looked for."""

    def __init__(self, content: str) -> None:
        self._text = f"\n{content}\n"
        self._backwards = self._text[::-1]
        lines = content.split("\n")
        self._lines = frozenset(lines)
        self._breaks = [0, *accumulate(len(line) + 1 for line in lines)][:-1]

    def line_of(self, passage: str, near: int) -> int:
        """Return the line at which a passage begins, the one nearest to `near` of several; 0 when it is not there."""
        if not self._lines.issuperset(passage.split("\n")):
            return 0
        wanted = f"\n{passage}\n"
        here = self._breaks[min(near, len(self._breaks)) - 1]
        found = [self._text.find(wanted, here)]
        if found[0] != here:
            # Backwards, as `rfind` takes O(text * passage) at worst, which `find` does not.
            back = self._backwards.find(wanted[::-1], max(0, len(self._text) + 1 - here - len(wanted)))
            found.insert(0, len(self._text) - back - len(wanted) if back >= 0 else -1)
        lines = [bisect_left(self._breaks, at) + 1 for at in found if at >= 0]
        return min(lines, key=lambda line: abs(line - near), default=0)
