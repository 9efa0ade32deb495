"""What a test file claims, as records: each live assertion is a fact. Pure data; must never read a file.

A fact is an assertion with the names of imports, local values and parameters put in, so that the same claim has the same
text in another function, another file, a loop or a parametrised test. An assertion that cannot refuse anything (after a
return, inside a try that catches it, in a function that no runner collects) is no fact. `python_facts` and
`script_facts` read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

TOP = "the top of the file"
"""The name of the test that a script with assertions at its top level is."""


class Fact(NamedTuple):
    """A claim of a test."""

    text: str
    line: int
    called: frozenset[str] = frozenset()
    """The last names of what it calls, in lower case."""
    compares: bool = False
    """Whether it compares for equality."""


@dataclass(frozen=True)
class SingleTest:
    """A test function (`name` with its class), or a test of JavaScript by its titles."""

    name: str
    line: int
    facts: tuple[Fact, ...] = ()
    body: str = ""
    """Its statements without layout and comments."""
    silent: str = ""
    """Why it refuses nothing: the name of the mark or call; "" when it runs."""
    marks: frozenset[str] = frozenset()
    """Its decorators, by their names."""
    mocks: frozenset[str] = frozenset()
    """What it replaces by something else while it runs."""


@dataclass(frozen=True)
class FileTests:
    """What one file holds of tests."""

    tests: Mapping[str, SingleTest] = field(default_factory=dict)
    helpers: tuple[Fact, ...] = ()
    """Claims of functions that are no tests."""
    mocks: frozenset[str] = frozenset()
    """What it replaces at its top level, for every test of the run."""
    automatic: frozenset[str] = frozenset()
    """What its automatic fixtures replace, for every test that they reach."""
    focused: tuple[str, ...] = ()
    """Tests beside which no other one runs (`test.only`)."""
