"""What the program prints as a command can be typed as it stands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from buildwright.cli.argv0 import typed, words_for
from tests.cli.conftest import Program, shell


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "a project" / ".venv" / "bin" / "buildwright"
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_the_name_is_short_only_where_it_leads_to_this_program(script: Path, tmp_path: Path) -> None:
    project = script.parents[2]
    assert words_for(str(script), str(script.parent), tmp_path) == ["buildwright"]
    assert words_for(str(script), "/usr/bin:/bin", project) == [".venv/bin/buildwright"]
    assert words_for(str(script), "/usr/bin:/bin", script.parent) == ["./buildwright"]
    assert words_for(str(script), "/usr/bin:/bin", script.parent.parent / "other") == [f"'{script}'"]
    other = tmp_path / "bin" / "buildwright"
    other.parent.mkdir()
    other.symlink_to("/bin/true")
    assert words_for(str(script), str(other.parent), project) == [".venv/bin/buildwright"]


def test_a_module_is_run_by_its_python(tmp_path: Path) -> None:
    python = Path(sys.executable)
    started = str(tmp_path / "buildwright" / "__main__.py")
    assert words_for(started, str(tmp_path), tmp_path) == [str(python), "-m", "buildwright"]
    assert words_for("/usr/lib/pytest/__main__.py", str(tmp_path), tmp_path) == ["buildwright"]


def test_only_commands_are_made_typable() -> None:
    assert typed("buildwright is a name, my-buildwright run is another, x/buildwright run too") == (
        "buildwright is a name, my-buildwright run is another, x/buildwright run too"
    )
    assert typed(typed("see `buildwright status`")) == typed("see `buildwright status`")


def test_the_command_of_a_pause_works_in_another_shell(program: Program, repository: Path, three: Path) -> None:
    """Without BUILDWRIGHT_HOME there, and from another folder."""
    paused = program("build", three, "--repo", repository, *shell("exit 1", "--no-gates", "--attempts", "1"), "--json")
    assert paused.code == 4
    command = next(each["command"] for each in paused.lines[-1]["pause"]["choices"] if each["name"] == "abort")
    environment = {name: value for name, value in program.environment.items() if name != "BUILDWRIGHT_HOME"}
    done = subprocess.run(
        ["sh", "-c", f"{command} --json"], env=environment, cwd="/", capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["outcome"] == "aborted"


def test_a_printed_command_names_the_server_that_was_asked(program: Program) -> None:
    told = program("status", BUILDWRIGHT_URL="http://127.0.0.1:9", BUILDWRIGHT_TOKEN="a.b.c")
    assert "`BUILDWRIGHT_URL=http://127.0.0.1:9 BUILDWRIGHT_HOME=" in told.err
    assert "a.b.c" not in told.err


def test_a_word_too_many_is_named(program: Program) -> None:
    told = program("costs", "newest", "--by", "task")
    assert (told.code, told.out) == (2, "")
    assert "error: newest: `costs` takes no more words here" in told.err
    assert "costs --help" in told.err
