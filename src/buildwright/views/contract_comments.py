"""Comments on paragraphs of contracts as they are shown: where the paragraph is now, or since when it is another one.

Pure; must never change a comment.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
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


class VersionText(NamedTuple):
    """A version of a contract."""

    version: int
    content: str


class Placed(NamedTuple):
    """Where a commented paragraph is: `line` in the newest version (0: not there), `changed_in` as in `ContractComment`."""

    line: int
    changed_in: int
    words: str


def placed(passage: str, first: int, version: int, texts: Sequence[VersionText]) -> Placed:
    """Find a paragraph in the versions of its contract, given in any order. O(lines of all versions since)."""
    line, at, changed_in = first, first, 0
    for one in sorted(texts):
        if one.version <= version:
            continue
        line = _line_of(passage, one.content, at)
        if line:
            at, changed_in = line, 0  # also a paragraph that came back
        elif not changed_in:
            changed_in = one.version
    if changed_in:
        return Placed(0, changed_in, f"The paragraph has changed in version {changed_in}, since this was written.")
    moved = "" if line == first else f", now at line {line}"
    return Placed(line, 0, f"On line {first} of version {version}{moved}.")


def _line_of(passage: str, text: str, near: int) -> int:
    """Return the line of a text at which a passage begins, the one nearest to `near` of several; 0 when it is not there."""
    wanted, lines = passage.split("\n"), text.split("\n")
    found = [
        start + 1
        for start in range(len(lines) - len(wanted) + 1)
        if lines[start] == wanted[0] and lines[start : start + len(wanted)] == wanted
    ]
    return min(found, key=lambda line: abs(line - near), default=0)
