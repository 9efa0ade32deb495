"""What a run of a check is worth, from its exit code, its tests and what was seen of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from buildwright.core.limits import Check
from buildwright.gates.junit import Tally
from buildwright.gates.project_run import CheckRun, findings_alone
from buildwright.gates.reporting import finding
from buildwright.gates.surface import is_prose
from buildwright.ports import Completed

WARNING = finding("canaries.left_out", "No canary could be placed.", severity="warning")
CHECK = Check(name="tests", command="node --test")


def ran(exit_code: int, tests: Tally) -> CheckRun:
    done = Completed(exit_code, b"3 tests", False, 1.0, datetime(2026, 1, 1, tzinfo=UTC))
    return CheckRun(CHECK, done, tests, (WARNING,))


def test_a_failed_run_that_was_only_warned_of_is_still_a_failure() -> None:
    codes = {one.code: one.severity for one in findings_alone(ran(1, Tally(3)), Path("/checkout"))}
    assert codes == {"canaries.left_out": "warning", "check.failed": "error"}
    assert not ran(1, Tally(3)).result.ok


def test_a_warning_alone_does_not_make_a_run_a_failure() -> None:
    assert findings_alone(ran(0, Tally(3)), Path("/checkout")) == [WARNING]
    assert ran(0, Tally(3)).result.ok


@pytest.mark.parametrize(
    ("path", "prose"),
    [
        ("README", True),
        ("docs/todo.md", True),
        ("NEWS", True),
        ("todo.py", False),
        ("src/newsletter.py", False),
        ("readme_parser.js", False),
        ("requirements.txt", False),
    ],
)
def test_code_with_a_name_like_a_text_is_code(path: str, prose: bool) -> None:
    assert is_prose(path) is prose
