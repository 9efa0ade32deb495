"""`task merge`, `split` and `reorder`: the plan before its first task, while tasks have landed, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Program, shell, write_tasks

WRITES = 'echo "$BUILDWRIGHT_TASK_ID" > "$BUILDWRIGHT_TASK_ID.txt"'
LISTED = (
    {"id": "a", "title": "First", "goal": "Do a.", "acceptance": ["a works"]},
    {
        "id": "b",
        "title": "Second",
        "goal": "Do b.",
        "depends_on": ["a"],
        "validation": {"command": "test -e README.md"},
    },
    {"id": "c", "title": "Third", "depends_on": ["b"]},
    {"id": "d", "title": "Fourth"},
)


@pytest.fixture
def waiting(program: Program, repository: Path, tmp_path: Path) -> str:
    """A build of four tasks that waits for its plan to be approved."""
    listed = write_tasks(tmp_path / "list.json", *LISTED)
    words = shell(WRITES, "--check", "ok=true", "--approve-plan")
    assert program("build", listed, "--repo", repository, *words).code == 4
    return str(program("status", "--json").object["id"])


def planned(program: Program, build: str) -> dict[str, list[str]]:
    """What each task of the plan needs."""
    names = [task["id"] for task in program("status", build, "--json").object["tasks"]]
    return {name: [one["id"] for one in program("why", build, name, "--json").object["depends_on"]] for name in names}


def test_tasks_are_merged_split_and_reordered_before_anything_runs(program: Program, waiting: str) -> None:
    merged = program("task", "merge", waiting, "a", "b", "--title", "Both")
    assert merged.code == 0, merged.err
    assert ("  - b: Second" in merged.err, "  ~ c: depends on" in merged.err) == (True, True)
    assert planned(program, waiting) == {"a": [], "c": ["a"], "d": []}
    task = program("why", waiting, "a", "--json").object["task"]
    assert (task["title"], task["goal"], task["acceptance"]) == ("Both", "Do a.\n\nDo b.", ["a works"])
    assert task["validation"]["command"] == "test -e README.md"

    split = program("task", "split", waiting, "c", "--into", "Half", "--into", "Other half", "--json").object
    assert (split["added"], split["dropped"], split["total"]) == (["c-1", "c-2"], ["c"], 4)
    assert planned(program, waiting) == {"a": [], "d": [], "c-1": ["a"], "c-2": ["c-1"]}

    assert program("task", "reorder", waiting, "d", "a").code == 0
    assert planned(program, waiting)["a"] == ["d"]
    before = len(program("events", waiting).lines)
    circle = program("task", "reorder", waiting, "c-2", "d")
    assert (circle.code != 0, "circle" in circle.err) == (True, True)
    assert program("task", "reorder", waiting, "d", "a").code != 0, "that is their order already"
    assert len(program("events", waiting).lines) == before, "what is refused changes nothing"

    done = program("resume", waiting)
    assert done.code == 0, done.err
    landed = [one["task"] for one in program("events", waiting).lines if one["type"] == "change.landed"]
    assert landed == ["d", "a", "c-1", "c-2"]
    late = program("task", "merge", waiting, "a", "d")
    assert (late.code, "it cannot be changed any more" in late.err) == (7, True)


def test_a_task_list_takes_the_place_of_a_task_and_what_needed_it_needs_all(
    program: Program, waiting: str, tmp_path: Path
) -> None:
    parts = write_tasks(
        tmp_path / "parts.json",
        {"id": "x", "title": "X"},
        {"id": "y", "title": "Y"},
        {"id": "a", "title": "A, smaller"},
    )
    assert program("task", "split", waiting, "a", parts).code == 0
    assert planned(program, waiting) == {"a": [], "b": ["x", "y", "a"], "c": ["b"], "d": [], "x": [], "y": []}
    assert program("task", "edit", waiting, "d", "--priority", "5").code == 0
    assert program("why", waiting, "d", "--json").object["task"]["priority"] == 5
    taken = program("task", "merge", waiting, "x", "y", "--id", "d")
    assert "there is a task d already" in taken.err
    assert program("task", "split", waiting, "a").code == 2
    assert program("task", "merge", waiting, "x", "x").code == 2
    through = program("task", "merge", waiting, "x", "b", "--id", "both")  # b needs y and a besides
    assert through.code == 0, through.err
    assert planned(program, waiting)["both"] == ["y", "a"]
    assert planned(program, waiting)["c"] == ["both"]
