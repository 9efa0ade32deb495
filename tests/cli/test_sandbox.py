"""What contains a build is said on the screen, and never left out without a word."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Program, write_tasks


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return write_tasks(tmp_path / "one.json", {"id": "a", "title": "A"})


def test_what_contains_a_build_is_said_and_kept(program: Program, repository: Path, one: Path) -> None:
    words = ("build", one, "--repo", repository, "--agent", "shell", "--agent-command", "echo y > y.txt", "--no-gates")
    walled = program(*words)
    assert walled.code == 0, walled.err
    assert "sandbox bubblewrap" in walled.out
    assert program("status", "--json").lines[-1]["sandbox"] == "bubblewrap", "not auto: it stays behind this wall"
    bare = program(*words, "--sandbox", "none", "--new", "--branch", "bare")
    assert bare.code == 0, bare.err
    assert "No sandbox: agents and checks run with your rights" in bare.out
    assert "No sandbox" in program("status").out


def test_where_no_sandbox_works_nothing_starts(program: Program, repository: Path, one: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("git", "sh", "cp", "env", "python3"):
        (tools / name).symlink_to(str(shutil.which(name, path="/usr/local/bin:/usr/bin:/bin")))
    program.environment["PATH"] = os.fspath(tools)
    ended = program(
        "build", one, "--repo", repository, "--agent", "shell", "--agent-command", "true", "--check", "true"
    )
    assert ended.code == 78, ended.out + ended.err
    assert "no sandbox works here" in ended.err
    assert "--sandbox none" in ended.err
    assert "there is no build yet" in program("status").out + program("status").err
