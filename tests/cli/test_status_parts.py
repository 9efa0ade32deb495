"""`status --show` prints the parts of a build's state that its pages draw."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Program, shell, write_tasks

TASKS = (
    {"id": "a", "title": "First", "acceptance": ["says hello to everybody"]},
    {"id": "b", "title": "Second", "depends_on": ["a"]},
)


def test_each_part_is_shown_for_people_and_for_programs(program: Program, tmp_path: Path, repository: Path) -> None:
    tasks = write_tasks(tmp_path / "two.json", *TASKS)
    ended = program(
        "build", tasks, "--repo", repository, "--check", "true", "--attempts", "1", "--json",
        *shell('test "$BUILDWRIGHT_TASK_ID" = a && echo a > a.txt'),
    )  # fmt: skip
    build = ended.lines[-1]["id"]
    spec = program("status", build, "--show", "spec", "--json").object
    assert spec["counts"] == {"grey": 0, "blue": 0, "green": 2, "red": 1}
    told = program("status", build, "--show", "spec").out
    assert "2 proven, 0 in work, 1 failed, 0 open" in told
    assert "+ says hello to everybody (a)" in told
    assert "! b: Second (b)" in told
    rail = program("status", build, "--show", "phases", "--json").object
    assert [(one["done"], one["failed"]) for one in rail["phases"]] == [(1, 1)]
    assert "Longest chain: a -> b" in program("status", build, "--show", "phases").out
    choices = program("status", build, "--show", "choices", "--json").object["choices"]
    assert [(one["name"], one["price"]["lost_tasks"]) for one in choices] == [
        ("retry", []),
        ("skip", ["b"]),
        ("abort", ["b"]),
    ]
    assert "price: loses 1 task" in program("status", build, "--show", "choices").out
    assert program("status", build, "--show", "forecast", "--json").object["open_tasks"] == 1
    assert "It has cost $0.00." in program("status", build, "--show", "forecast").out
    both = program("status", build, "--show", "spec", "--watch")
    assert (both.code, "cannot be used together" in both.err) == (2, True)
