"""What contains a build is said on the screen, and never left out without a word."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
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
    status = program("status", "--json").lines[-1]
    assert status["sandbox"] == "bubblewrap", "not auto: it stays behind this wall"
    options = program("events", status["id"]).lines[0]["options"]
    assert (options["project"], options.get("limits_watched", False)) == (repository.name, False)
    bare = program(*words, "--sandbox", "none", "--new", "--branch", "bare")
    assert bare.code == 0, bare.err
    assert "No sandbox: agents and checks run with the rights of the user who builds it" in " ".join(bare.out.split())
    assert "No sandbox" in program("status").out


def test_where_no_sandbox_works_nothing_starts(program: Program, repository: Path, one: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("git", "sh", "cp", "env", "python3"):
        (tools / name).symlink_to(str(shutil.which(name, path="/usr/local/bin:/usr/bin:/bin")))
    program.environment |= {"PATH": os.fspath(tools), "DOCKER_HOST": "unix:///nowhere"}
    ended = program(
        "build", one, "--repo", repository, "--agent", "shell", "--agent-command", "true", "--check", "true"
    )
    assert ended.code == 78, ended.out + ended.err
    assert "no sandbox works here" in ended.err
    assert "--sandbox none" in ended.err
    assert "there is no build yet" in program("status").out + program("status").err


def test_a_command_runs_in_the_box_and_ends_with_its_code(program: Program, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    ended = program("sandbox", "run", "--in", place, "--", "sh", "-c", "echo here > made; ls -a ~; exit 7")
    assert ended.code == 7, ended.err
    assert (place / "made").read_text() == "here\n"
    assert "sandbox: bubblewrap" in ended.err
    asked = program("sandbox", "run", "--allow", "far.example", "--", "curl", "-sS", "https://other.example")
    assert asked.code != 0
    assert "it tried to reach other.example:443, which is not allowed: --allow other.example:443" in asked.err
    wrong = program("sandbox", "run", "--allow", "*.example", "--", "true")
    assert (wrong.code, "is not a host" in wrong.err) == (2, True)
    echoed = program("sandbox", "run", "--", "echo", "--json", "x", "--accept-base")
    assert (echoed.code, echoed.out) == (0, "--json x --accept-base\n"), "its words are its own"
    late = program("sandbox", "run", "--time", "0.5", "--", "sleep", "60")
    assert late.code == 124


@pytest.mark.parametrize(
    ("typed", "option", "options", "words"),
    [
        ("sandbox run --json -- true", "--json", "--in, --allow, --time, --sandbox", "COMMAND"),
        ("sandbox run ls -l", "-l", "--in, --allow, --time, --sandbox", "COMMAND"),
        ("task drop newest a --new", "--new", "--json", "NAMES"),
    ],
)
def test_a_word_before_the_dashes_is_an_option_or_wrong(
    program: Program, typed: str, option: str, options: str, words: str
) -> None:
    wrong = program(*typed.split())
    assert wrong.code == 2, wrong.out + wrong.err
    said = " ".join(wrong.err.split())
    assert f"Unknown option: {option}." in said
    assert f"the options are {options}; a word of {words} that begins with `-` goes after `--`" in said


def test_only_what_stands_before_the_dashes_asks_for_json(program: Program) -> None:
    refused = program("sandbox", "run", "--allow", "*.example", "--", "echo", "--json")
    assert (refused.code, refused.out) == (2, "")


def test_containers_without_an_engine_are_refused_with_what_to_do(program: Program) -> None:
    for named, said, fix in (
        (
            {"DOCKER_HOST": "unix:///nowhere"},
            "no container engine answers at unix:///nowhere",
            "start Docker or podman",
        ),
        (
            {"DOCKER_HOST": "tcp://far.example:2375"},
            "an engine on another machine cannot see",
            "DOCKER_HOST=unix:///PATH",
        ),
        ({"BUILDWRIGHT_CONTAINER_MEMORY": "much"}, "BUILDWRIGHT_CONTAINER_MEMORY is 'much'", "such as 512m or 2g"),
        ({"BUILDWRIGHT_CONTAINER_CPUS": "-1"}, "BUILDWRIGHT_CONTAINER_CPUS is '-1'", "such as 1 or 0.5"),
    ):
        ended = program("sandbox", "run", "--sandbox", "container", "--", "true", **named)
        assert (ended.code, said in ended.err, fix in ended.err) == (78, True, True), ended.err


def test_every_attack_on_the_box_is_tried_and_held(program: Program) -> None:
    ended = program("sandbox", "prove", "--json")
    (view,) = ended.lines
    assert [
        (one["name"], one["through"], one["failed"]) for one in view["attacks"] if one["through"] or one["failed"]
    ] == []
    assert (ended.code, view["sandbox"], view["tried"], view["through"]) == (0, "bubblewrap", len(view["attacks"]), 0)


def test_without_the_box_the_same_attacks_get_through(program: Program) -> None:
    ended = program("sandbox", "prove", "--json", "--sandbox", "none")
    (view,) = ended.lines
    got = {one["name"] for one in view["attacks"] if one["through"]}
    assert ended.code == 3
    assert got >= {"read_outside", "write_outside", "environments", "processes", "kill_outside", "loopback", "sockets"}
    assert "outlive" not in got, "what a command starts ends with it, with and without a box"


KILLED = """
import os, sys
from pathlib import Path
from buildwright.temporary_folders import make_temporary_folder
print(make_temporary_folder("tmp", Path(sys.argv[1])), flush=True)
os.kill(os.getpid(), 9)
"""


def test_the_doctor_names_and_removes_what_a_killed_process_left(program: Program, tmp_path: Path) -> None:
    words = [sys.executable, "-c", KILLED, str(tmp_path)]
    program.home.mkdir(exist_ok=True)
    for _ in range(20):
        folder = Path(subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip())
        told = program("doctor", "--json").out
        if folder.is_dir():  # else another process, of a test beside this one, was the next to begin
            break
    assert str(folder) in told
    program("doctor", "--fix")
    assert not folder.exists()
