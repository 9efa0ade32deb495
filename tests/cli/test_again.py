"""Tasks of an ended build are taken back and redone, and builds are put on another base: from the command line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Program, shell, write_tasks

A = {"id": "a", "title": "First"}
B = {"id": "b", "title": "Second", "depends_on": ["a"]}
COMMAND = 'echo "$BUILDWRIGHT_TASK_ID" >> "$BUILDWRIGHT_TASK_ID.txt"'
OPTIONS = shell(COMMAND, "--check", "ok=true", "--attempts", "1", "--branch", "made")


@pytest.fixture
def ended(program: Program, repository: Path, tmp_path: Path) -> Path:
    """The list of a build that has succeeded."""
    listed = write_tasks(tmp_path / "list.json", A, B)
    built = program("build", listed, "--repo", repository, *OPTIONS)
    assert built.code == 0, built.err
    return listed


def git(repository: Path, *words: str) -> str:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid")
    return subprocess.run(["git", *who, *words], cwd=repository, capture_output=True, text=True, check=True).stdout


def started(program: Program) -> list[str]:
    return [event["task"] for event in program("events", "").lines if event["type"] == "task.started"]


def commit(repository: Path, name: str, text: str) -> None:
    (repository / name).write_text(text, encoding="utf-8")
    git(repository, "add", name)
    git(repository, "commit", "-q", "-m", f"Write {name}")


def test_what_rests_on_a_task_is_named_and_taken_back_by_choice(
    program: Program, repository: Path, ended: Path
) -> None:
    refused = program("task", "undo", "newest", "a")
    assert refused.code != 0
    assert "task b needs task a, and has landed on top of it" in refused.err
    assert "--with-dependents" in refused.err
    asked = program("task", "undo", "newest", "a", "--with-dependents")
    assert asked.code == 0, asked.err
    assert "What a, b landed will be taken back." in asked.out
    (line,) = [one for one in asked.err.splitlines() if "buildwright run" in one]
    again = program(*line[line.index("buildwright run") :].split("`")[0].split()[1:])
    assert again.code == 0, again.err
    assert git(repository, "ls-tree", "--name-only", "made").split() == ["README.md"]
    assert git(repository, "log", "--format=%s", "-2", "made").splitlines() == [
        "Take back task a: First",
        "Take back task b: Second",
    ]
    status = program("status", "--json").object
    assert (status["outcome"], status["counts"]) == ("succeeded", {"skipped": 2})
    assert "taken back" in program("why", "newest", "a").out


def test_a_task_is_redone_and_no_other_is_paid_for(program: Program, repository: Path, ended: Path) -> None:
    asked = program("task", "redo", "newest", "b", "-m", "once more", "--from-attempt", "1")
    assert asked.code == 0, asked.err
    assert "What b landed will be taken back, then made again." in asked.out
    ran = program("run", "newest")
    assert ran.code == 0, ran.err
    assert started(program) == ["a", "b", "b"]
    assert git(repository, "show", "made:b.txt") == "b\nb\n"  # it went on from what attempt 1 had made
    missing = program("task", "redo", "newest", "b", "--from-attempt", "7")
    assert missing.code != 0
    assert "attempt 7 of b left no change" in missing.err


def test_an_ended_build_is_opened_by_a_task_and_says_when_nothing_is_left(
    program: Program, repository: Path, ended: Path
) -> None:
    nothing = program("resume")
    assert nothing.code != 0
    assert "nothing of it is left to do" in nothing.err
    assert "--title TEXT" in nothing.err, "as it is printed it works"
    added = program("task", "add", "newest", "--title", "Third", "--id", "c", "--after", "b")
    assert added.code == 0, added.err
    assert program("status", "--json").object["outcome"] == ""
    assert program("run", "newest").code == 0
    assert started(program) == ["a", "b", "c"]
    assert git(repository, "ls-tree", "--name-only", "made").split() == ["README.md", "a.txt", "b.txt", "c.txt"]
    assert len(program("status", "--all", "--json").object["builds"]) == 1


def test_an_ended_build_is_put_on_the_newest_commit(program: Program, repository: Path, ended: Path) -> None:
    same = program("resume", "--rebase")
    assert same.code != 0
    assert "already" in same.err
    commit(repository, "base.txt", "newer\n")
    barred = program("resume", "--rebase")
    assert barred.code != 0
    assert "--branch" in barred.err
    moved = program("resume", "--rebase", "--branch", "again")
    assert moved.code == 0, moved.err
    assert "what has landed is put on top of it" in moved.err
    assert git(repository, "show", "again:base.txt") == "newer\n"
    subjects = git(repository, "log", "--format=%s", "-3", "again").splitlines()
    assert subjects == ["Task b: Second", "Task a: First", "Write base.txt"]
    assert started(program) == ["a", "b"]


def test_a_paused_build_is_put_on_a_branch_where_a_task_does_not_fit(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    listed = write_tasks(tmp_path / "list.json", A, {**B, "validation": {"command": "test -e never"}})
    assert program("build", listed, "--repo", repository, *OPTIONS).code != 0
    git(repository, "checkout", "-q", "-b", "other")
    commit(repository, "a.txt", "of the base\n")
    git(repository, "checkout", "-q", "main")
    asked = program("resume", "--skip", "--base", "other")
    assert asked.code != 0
    status = program("status", "--json").object
    assert (status["pause"]["reason"], status["pause"]["task"]) == ("failure", "a")
    assert "does not fit on the new base: it conflicts in a.txt" in status["pause"]["message"]
    retried = program("resume", "--retry")
    assert retried.code == 0, retried.err
    assert git(repository, "show", "made:a.txt") == "of the base\na\n"
    assert started(program) == ["a", "b", "a"]


def test_the_agent_is_told_why_the_attempt_was_refused_that_it_goes_on_from(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    command = (
        'test "$BUILDWRIGHT_ATTEMPT" != 3 || rm 1.txt; touch "$BUILDWRIGHT_ATTEMPT.txt";'
        ' cp "${BUILDWRIGHT_FEEDBACK_FILE:-/dev/null}" heard.txt'
    )
    listed = write_tasks(tmp_path / "list.json", A)
    check = "first=test ! -e 1.txt || { echo the first is unwanted; exit 1; }"
    options = shell(command, "--check", check, "--attempts", "2", "--branch", "made")
    built = program("build", listed, "--repo", repository, *options)
    assert built.code == 0, built.err
    assert program("task", "redo", "newest", "a", "--from-attempt", "1").code == 0
    assert program("run", "newest").code == 0
    heard = git(repository, "show", "made:heard.txt")
    assert heard.startswith("# Taken back: ")
    assert "## What was wrong with attempt 1" in heard
    assert "the first is unwanted" in heard
    assert "what attempt 1 at this task had made: it is in the files" in heard
    assert git(repository, "ls-tree", "--name-only", "made").split() == ["3.txt", "README.md", "heard.txt"]
