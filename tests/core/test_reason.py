"""Which lines of a finding a person is shown."""

from __future__ import annotations

from buildwright.core.finding import Finding
from buildwright.core.terminal import REASON_LINES, lines_of


def test_the_first_line_and_the_last_that_say_something_are_shown() -> None:
    said = "\n".join(["it failed", *(f"line {n}" for n in range(40)), "", "=====", "E   assert 3 == 4", "-----", ""])
    first, *rest = lines_of(said)
    assert first == "it failed"
    assert len(rest) == REASON_LINES
    assert rest[-2:] == ["line 39", "E   assert 3 == 4"]


def test_the_fix_comes_last() -> None:
    one = Finding(code="check.failed", message="no\nbecause", fix="mend it")
    assert one.reason == ("no", "because [check.failed]", "fix: mend it")


def test_nothing_said_is_nothing_shown() -> None:
    assert lines_of(" \n==\n") == ()
