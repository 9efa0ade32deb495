"""What a build is likely to take, before it is paid for, and how that was: on the screen and in JSON."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.cli.conftest import WRITES, Program, shell, write_tasks

SIX = tuple({"id": f"t{number}", "title": f"Task {number}"} for number in range(6))


def test_an_estimate_is_made_of_the_builds_before(program: Program, tmp_path: Path, repository: Path) -> None:
    tasks = write_tasks(tmp_path / "six.json", *SIX)
    guess = program("plan", tasks)
    assert "(a guess from published prices: nothing like it was built here yet)" in " ".join(guess.out.split())
    estimated = program("plan", tasks, "--json").object["estimate"]
    assert (estimated["basis"], estimated["tasks"], estimated["waves"]) == ("prices", 6, 1)
    assert estimated["cost_usd"]["low"] > 0

    command: tuple[str | Path, ...] = ("build", tasks, "--repo", repository, "--new", "--no-gates", *shell(WRITES))
    first = program(*command)
    assert first.code == 0, first.err
    assert "Estimate:" not in first.err, "there is nothing yet that it could be made from"
    second = program(*command, "--branch", "second")
    assert second.code == 0, second.err
    assert "Estimate: " in second.err
    assert "(from 6 tasks of 1 build here)" in " ".join(second.err.split())
    third = program(*command, "--branch", "third", "--json")
    known = third.lines[-1]["estimated"]
    assert (known["estimate"]["of_tasks"], known["estimate"]["of_builds"]) == (12, 2)
    assert isinstance(known["within"], bool)
    assert program("plan", program_plan(program, tasks, tmp_path)).code == 0


def program_plan(program: Program, tasks: Path, tmp_path: Path) -> Path:
    """What `plan --json` prints, as a file: it is a task list, whatever is shown beside the tasks."""
    shown = tmp_path / "shown.json"
    shown.write_text(program("plan", tasks, "--json").out)
    return shown


CASSETTE = """
version: 1
model: claude-sonnet-5-5
turns:
  - when: {task: plan}
    reply: {json: {tasks: [{id: one, title: One, goal: Write one, acceptance: [it is there], files_expected: [one.txt]}]}}
  - when: {task: one}
    reply: {files: {one.txt: "1"}}
"""


def test_the_build_of_a_spec_says_what_its_plan_is_likely_to_take_before_its_agents_work(
    program: Program, tmp_path: Path, repository: Path
) -> None:
    spec, model = tmp_path / "SPEC.md", tmp_path / "model.yaml"
    spec.write_text("# One file\n\nWrite one.txt.\n", "utf-8")
    model.write_text(CASSETTE, "utf-8")
    words = ("--agent", "direct", "--sandbox", "none", "--no-gates", "--cassette", model)
    ended = program("build", spec, "--repo", repository, *words)
    assert ended.code == 0, ended.err
    said = " ".join(ended.err.split())
    planned, estimate, done = (said.index(part) for part in ("planned 1 task", "Estimate: ", "one done in"))
    assert planned < estimate < done
    assert "(a guess from published prices" in said
    quiet = program("build", spec, "--repo", repository, "--new", "--branch", "quiet", "--quiet", *words)
    assert quiet.code == 0, quiet.err
    estimates = [line for line in quiet.err.splitlines() if "Estimate: " in line]
    assert [line.startswith("It took ") for line in estimates] == [True], "only how it ends"


def _one_task(folder: Path) -> tuple[Path, tuple[str | Path, ...]]:
    """Write a list of one task; return it, and the words that have a played model do it."""
    model = folder / "model.yaml"
    model.write_text(CASSETTE, "utf-8")
    tasks = write_tasks(folder / "one.json", {"id": "one", "title": "One", "files_expected": ["one.txt"]})
    return tasks, ("--agent", "direct", "--sandbox", "none", "--no-gates", "--cassette", model)


def test_the_build_of_a_list_says_at_its_start_what_published_prices_let_expect(
    program: Program, tmp_path: Path, repository: Path
) -> None:
    tasks, words = _one_task(tmp_path)
    ended = program("build", tasks, "--repo", repository, *words)
    assert ended.code == 0, ended.err
    said = " ".join(ended.err.split())
    estimate, started = said.index("Estimate: "), said.index("one started")
    assert estimate < started
    assert "(a guess from published prices" in said[estimate:started]


def test_a_plan_that_waits_for_approval_says_what_it_is_likely_to_take(
    program: Program, tmp_path: Path, repository: Path
) -> None:
    tasks, played = _one_task(tmp_path)
    words = (*played, "--approve-plan")
    paused = program("build", tasks, "--repo", repository, *words)
    assert paused.code == 4, paused.err
    _before, waits, after = paused.err.rpartition("waits for your approval")
    assert waits, paused.err
    assert "Estimate: " in after + paused.out
    told = program("build", tasks, "--repo", repository, *words, "--json").lines[-1]
    assert (told["estimate"]["tasks"], told["estimate"]["basis"], told["estimated"]) == (1, "prices", None)
    choices = program("status", "--show", "choices", "--json").object["choices"]
    (go,) = (one["price"] for one in choices if one["name"] == "go")
    assert go["cost_usd"] == told["estimate"]["cost_usd"]
    assert (go["basis"], go["words"][:14]) == ("a guess from published prices", "1 task to do: ")


def test_a_plan_that_was_edited_is_shown_with_its_own_title_and_estimate(program: Program, tmp_path: Path) -> None:
    tasks, plan = write_tasks(tmp_path / "six.json", *SIX), tmp_path / "plan.yaml"
    two = "title: Two\ntasks: [{id: a, title: First}, {id: b, title: Second, depends_on: [a]}]\n"
    editor = tmp_path / "editor.py"
    editor.write_text(f"import sys; open(sys.argv[1], 'w').write({two!r})")
    shown = program("plan", tasks, "-o", plan, "--edit", GIT_EDITOR=f"{sys.executable} {editor}")
    assert shown.code == 0, shown.err
    assert shown.out.startswith("Two: 2 tasks in 2 waves\n")
    assert "Estimate: " in shown.out
    listed = program("plan", plan, "--json").object["estimate"]
    assert (listed["tasks"], listed["waves"]) == (2, 2)
