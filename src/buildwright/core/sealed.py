"""Sealed tests: what judges a change beside all that its agent can read. Pure data; must never reach an agent.

Another advisor writes them before the coding starts. The artifact that holds them is named in the journal, and opened
only by the gate that runs them and for the user.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from buildwright.core.record import Record

Language = Literal["python", "node"]


class SealedFile(Record):
    """A test file about one acceptance line. It stands for itself and runs at the top of the repository."""

    line: str
    """The acceptance line."""
    language: Language
    text: str
    tests: tuple[str, ...] = ()
    """Names of its tests that failed on the base: only they count. Empty before they were tried there."""


class SealedTests(Record):
    """The sealed tests of one task, or why it has none."""

    files: tuple[SealedFile, ...] = ()
    why_none: str = ""

    @property
    def count(self) -> int:
        """Return how many tests there are."""
        return sum(len(file.tests) for file in self.files)


class SealedRun(NamedTuple):
    """What a sealed file did on one tree. `broken` says why it could not be run or believed, "" when it could."""

    passed: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    broken: str = ""
    output: bytes = b""
    seconds: float = 0.0
