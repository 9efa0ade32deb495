"""What is asked on a terminal: Ctrl-C ends it at any moment, and is the editor's while one is open."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.cli.conftest import Program, shell, write_tasks
from tests.cli.terminal import terminal


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    return write_tasks(tmp_path / "one.json", {"id": "one", "title": "One", "goal": "one"})


@pytest.mark.parametrize("typed", ["", "ye"])
def test_ctrl_c_at_a_question_ends_the_command_and_nothing_is_begun(
    program: Program, repository: Path, tasks: Path, typed: str
) -> None:
    command: list[str | Path] = [
        "build",
        tasks,
        "--repo",
        repository,
        "--push",
        "origin",
        *shell("echo a > a", "--no-gates"),
    ]
    with terminal(program, *command) as asking:
        asking.wait_for("[y/N] ")
        asking.press(typed.encode())
        asking.process.send_signal(signal.SIGINT)
        assert asking.end() == 130
    assert program("status", "--all", "--json").object["builds"] == []


def test_a_terminal_that_goes_away_answers_no(program: Program, repository: Path, tasks: Path) -> None:
    command: list[str | Path] = [
        "build",
        tasks,
        "--repo",
        repository,
        "--push",
        "origin",
        *shell("echo a > a", "--no-gates"),
    ]
    with terminal(program, *command) as asking:
        asking.wait_for("[y/N] ")
        asking.press(b"\x04")
        assert asking.end() == 2
    assert program("status", "--all", "--json").object["builds"] == []


def test_ctrl_c_in_the_editor_is_the_editors(program: Program, repository: Path, tasks: Path, tmp_path: Path) -> None:
    editor = tmp_path / "editor.sh"
    editor.write_text("#!/bin/sh\ntrap '' INT\nkill -INT 0\nsed -i 's/One/Another/' \"$1\"\n")
    editor.chmod(0o755)
    with terminal(program, "plan", tasks, "--edit", GIT_EDITOR=str(editor)) as editing:
        assert editing.end() == 0, editing.shown
    assert "Another" in tasks.read_text()
