"""Which commands can prove that a task's work is there: only those that could have failed."""

from __future__ import annotations

import pytest

from buildwright.core.proof import can_be_proven, can_fail
from buildwright.core.task import Task, Validation


@pytest.mark.parametrize(
    "command",
    [
        "test -f app.py",
        "[ -d src ] && grep -q main src/app.py",
        "python3 -m unittest tests.test_app",
        "CI=1 pytest tests/test_add.py",
        "python -c 'import app; assert app.one() == 1'",
        "sh -c 'test -x run.sh'",
        "bash scripts/verify.sh",
        "cd web && npm run build",
    ],
)
def test_a_command_that_can_fail(command: str) -> None:
    assert can_fail(command)


@pytest.mark.parametrize(
    "command",
    [
        "true",
        ":",
        "/bin/true",
        "exit 0",
        "echo all fine",
        "echo 'test -f app.py'",
        "cd . && true",
        "X=1 true",
        "test 1 = 1",
        "[ -n x ]",
        "pytest tests || true",
        "pytest tests | tail -1",
        "pytest tests; exit 0",
        "pytest tests\ntrue",
        "pytest tests &",
        "true # test -f app.py",
        "python -c pass",
        "node -e 0",
        "sh -c true",
        "bash -lc 'echo fine'",
        "python --version",
        "echo `pytest`",
        "'unbalanced",
        "",
    ],
)
def test_a_command_that_cannot_or_that_hides_it(command: str) -> None:
    assert not can_fail(command)


def test_a_task_without_a_command_cannot_be_proven() -> None:
    assert not can_be_proven(None)
    assert not can_be_proven(Task(id="a", title="A"))
    assert not can_be_proven(Task(id="a", title="A", validation=Validation(command="true")))
    assert can_be_proven(Task(id="a", title="A", validation=Validation(command="test -f a")))
