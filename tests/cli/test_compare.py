"""`compare` shows two builds side by side, task by task; over HTTP the same."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Program, shell, write_tasks

WORKS = 'word=bad; test "$BUILDWRIGHT_ATTEMPT" -lt {least} || word=good; echo $word > "$BUILDWRIGHT_TASK_ID.txt"'


def built(program: Program, repository: Path, tasks: Path, branch: str, least: int, *more: str) -> str:
    """A build whose attempts pass from the number `least` on."""
    check = "! grep -q bad *.txt"
    ended = program(
        "build", tasks, "--repo", repository, "--new", "--branch", branch, "--check", check, "--json", *more,
        *shell(WORKS.format(least=least)),
    )  # fmt: skip
    assert ended.code == 0, ended.err
    return str(ended.lines[-1]["id"])


def test_two_builds_of_one_list_are_shown_side_by_side(program: Program, tmp_path: Path, repository: Path) -> None:
    tasks = write_tasks(tmp_path / "two.json", {"id": "a", "title": "First"}, {"id": "b", "title": "Second"})
    slow = built(program, repository, tasks, "slow", 2)
    quick = built(program, repository, tasks, "quick", 1, "--attempts", "5")
    view = program("compare", slow, quick, "--json").object
    assert (view["same_base"], view["same_result"]) == (True, True)
    assert {"agent_command", "limits.attempts"} <= set(view["options"])
    left, right = view["builds"]
    assert (left["attempts"], left["first_pass"], sum(left["refused_by"].values())) == (4, 0, 2)
    assert (right["attempts"], right["first_pass"], right["refused_by"]) == (2, 2, {})
    assert (left["state"], right["state"]) == ("succeeded", "succeeded")
    assert [pair["id"] for pair in view["tasks"]] == ["a", "b"]
    assert [side["attempts"] for side in view["tasks"][0]["tasks"]] == [2, 1]

    told = program("compare", slow, "newest").out
    assert "The results are the same files." in told
    assert "limits.attempts" in told
    (attempts,) = (line.split() for line in told.splitlines() if line.startswith("attempts"))
    assert attempts == ["attempts", "4", "2", "0.50x"]
    (first,) = (line.split() for line in told.splitlines() if line.startswith("a "))
    assert first[:5] == ["a", "done", "2", "/", "1"]


def test_tasks_that_only_one_has_stand_alone(program: Program, tmp_path: Path, repository: Path) -> None:
    one = write_tasks(tmp_path / "one.json", {"id": "a", "title": "First"}, title="One")
    other = write_tasks(tmp_path / "other.json", {"id": "z", "title": "Last"}, title="Other")
    builds = [built(program, repository, tasks, tasks.stem, 1) for tasks in (one, other)]
    view = program("compare", *builds, "--json").object
    assert view["same_result"] is False
    assert [(pair["id"], [side is None for side in pair["tasks"]]) for pair in view["tasks"]] == [
        ("a", [False, True]),
        ("z", [True, False]),
    ]
    assert "The results differ." in program("compare", *builds).out
    none = program("compare", builds[0], "nothing-like-it")
    assert (none.code, none.out) == (2, "")
