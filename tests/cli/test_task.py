"""Tasks that are added, edited and dropped while a build goes on, and an edited list that changes the build it began."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Program, shell, write_tasks

A = {"id": "a", "title": "First"}
B = {"id": "b", "title": "Second", "depends_on": ["a"], "validation": {"command": "test -e never"}}
OPTIONS = shell('echo "$BUILDWRIGHT_TASK_ID" > "$BUILDWRIGHT_TASK_ID.txt"', "--check", "ok=true", "--attempts", "1")


@pytest.fixture
def failed(program: Program, repository: Path, tmp_path: Path) -> Path:
    """A list whose first task has landed, while its second one failed for its own check and paused the build."""
    listed = write_tasks(tmp_path / "list.json", A, B)
    assert program("build", listed, "--repo", repository, *OPTIONS).code != 0
    assert program("status", "--json").object["counts"] == {"done": 1, "failed": 1}
    return listed


def started(program: Program) -> list[str]:
    return [event["task"] for event in program("events", "").lines if event["type"] == "task.started"]


def test_an_edited_list_changes_the_build_that_it_began(program: Program, repository: Path, failed: Path) -> None:
    mended = {**B, "validation": {"command": "test -e b.txt"}}
    write_tasks(failed, A, mended, {"id": "c", "title": "Third", "depends_on": ["b"]})
    built = program("build", failed, "--repo", repository, *OPTIONS)
    assert built.code == 0, built.err
    assert "  ~ b: validation" in built.err
    assert "  + c: Third" in built.err
    assert len(program("status", "--all", "--json").object["builds"]) == 1
    assert started(program) == ["a", "b", "b", "c"]


def test_a_list_without_a_task_drops_it_and_what_is_done_stays(
    program: Program, repository: Path, failed: Path
) -> None:
    write_tasks(failed, {**A, "title": "First, in other words"}, {"id": "c", "title": "Third", "depends_on": ["a"]})
    built = program("build", failed, "--repo", repository, *OPTIONS)
    assert built.code == 0, built.err
    assert "  - b: Second" in built.err
    assert "  = a: stays as it is, for it is done" in built.err
    assert started(program) == ["a", "b", "c"]


def test_an_edited_list_opens_the_build_that_has_ended(program: Program, repository: Path, tmp_path: Path) -> None:
    listed = write_tasks(tmp_path / "list.json", A)
    assert program("build", listed, "--repo", repository, *OPTIONS).code == 0
    write_tasks(listed, A, {"id": "c", "title": "Third", "depends_on": ["a"]})
    built = program("build", listed, "--repo", repository, *OPTIONS)
    assert built.code == 0, built.err
    assert "has ended and has the same name" in built.err
    assert "  + c: Third" in built.err
    assert started(program) == ["a", "c"]
    assert len(program("status", "--all", "--json").object["builds"]) == 1
    same = program("build", listed, "--repo", repository, *OPTIONS)
    assert same.code == 0, same.err
    write_tasks(listed, {**A, "title": "Another first"}, {"id": "d", "title": "Fourth"})
    nothing_spared = program("build", listed, "--repo", repository, *OPTIONS)
    assert nothing_spared.code == 0, nothing_spared.err
    assert len(program("status", "--all", "--json").object["builds"]) == 3


def test_another_list_or_other_options_begin_a_build_of_their_own(
    program: Program, repository: Path, failed: Path, tmp_path: Path
) -> None:
    other = write_tasks(tmp_path / "other.json", {"id": "x", "title": "X"}, title="Other")
    assert program("build", other, "--repo", repository, *OPTIONS).code == 0
    assert program("build", failed, "--repo", repository, *OPTIONS, "--new", "--no-gates").code == 0
    assert len(program("status", "--all", "--json").object["builds"]) == 3


def test_tasks_are_added_edited_and_dropped_by_name(program: Program, failed: Path) -> None:
    added = program("task", "add", "newest", "--title", "Third thing", "--after", "a", "--json").object
    assert (added["added"], added["total"]) == (["third-thing"], 3)
    assert program("task", "add", "newest", "--id", "d", "--title", "Fourth").code == 0
    assert program("task", "drop", "newest", "d").code == 0
    edited = program("task", "edit", "newest", "b", "--validation", "test -e b.txt", "--goal", "Do it")
    assert (edited.code, edited.out) == (0, "Edited b.\nThat answers the pause: the build continues.\n")
    ended = program("run", "newest")
    assert ended.code == 0, ended.err
    assert started(program) == ["a", "b", "b", "third-thing"]


def test_a_list_adds_the_tasks_that_are_not_there(program: Program, failed: Path, tmp_path: Path) -> None:
    more = write_tasks(tmp_path / "more.json", A, {"id": "c", "title": "Third"})
    assert program("task", "add", "newest", more).out == "Added c.\n"
    assert program("task", "add", "newest", more).code == 2


def test_what_cannot_be_changed_is_refused_with_a_fix(program: Program, failed: Path) -> None:
    for words, code, said in (
        (("edit", "newest", "a", "--goal", "x"), 7, "done"),
        (("edit", "newest", "nix", "--goal", "x"), 2, "no task nix"),
        (("edit", "newest", "b"), 2, "nothing is to change"),
        (("drop", "newest", "a"), 7, "done"),
        (("add", "newest"), 2, "no title"),
        (("add", "newest", "--title", "x", "--id", "b"), 2, "there is a task b"),
        (("add", "newest", "--title", "x", "--after", "nix"), 2, "nix"),
        (("add", "newest", "--title", "x", "--id", "../x"), 2, "not an id"),
    ):
        refused = program("task", *words)
        assert (refused.code, said in refused.err, "  fix: " in refused.err) == (code, True, True), (words, refused.err)


def test_an_unfinished_build_that_began_with_other_options_is_named_and_left(
    program: Program, repository: Path, failed: Path
) -> None:
    other = (*OPTIONS[:-1], "2", "--gate-time", "60")
    built = program("build", failed, "--repo", repository, *other, "--no-gates")
    short = program("status", "--all", "--json").object["builds"][-1]["build_id"][:8]
    assert f"build {short} of the same name is unfinished" in " ".join(built.err.split())
    assert "began with another --no-gates, --attempts, --gate-time, so this is a new build" in " ".join(
        built.err.split()
    )
    again = program("build", failed, "--repo", repository, *other, "--no-gates", "--new")
    assert "is unfinished" not in again.err
