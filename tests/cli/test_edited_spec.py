"""An edited spec becomes a change of the build that was planned from it: what landed is kept, and paid for once."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.cli.conftest import WRITES, Program, shell, write_tasks
from tests.cli.test_remote import serving
from tests.git import git

FIRST, SECOND = "# A thing\n\nIt writes one.\nIt writes two.\n", "# A thing\n\nIt writes one.\nIt writes three.\n"
_PLANNED = "goal: g, acceptance: [a], minutes: 1"
CASSETTE = f"""\
version: 1
turns:
  - when: {{task: plan, tool: final_result_revision, contains: "+It writes nothing more."}}
    reply: {{json: {{drop: [one]}}}}
  - when: {{task: plan, tool: final_result_revision, contains: "+It writes three."}}
    reply:
      json:
        drop: [two]
        tasks: [{{id: three, title: Three, files_expected: [three.txt], depends_on: [one], {_PLANNED}}}]
    usage: {{input: 10, output: 20}}
  - when: {{task: plan, tool: final_result_revision, contains: "+It writes four."}}
    reply: {{json: {{tasks: [{{id: four, title: Four, files_expected: [four.txt], {_PLANNED}}}]}}}}
  - when: {{task: plan}}
    reply:
      json:
        tasks:
          - {{id: one, title: One, files_expected: [one.txt], {_PLANNED}}}
          - {{id: two, title: Two, files_expected: [two.txt], depends_on: [one], {_PLANNED}}}
    usage: {{input: 100, output: 200}}
"""
ONCE = f'test "$BUILDWRIGHT_TASK_ID" != two && {WRITES}'
"""What the agent of `two` never manages."""


def test_an_edited_spec_changes_its_build_paused_or_ended(program: Program, repository: Path, tmp_path: Path) -> None:
    model, spec = tmp_path / "model.yaml", tmp_path / "SPEC.md"
    model.write_text(CASSETTE, "utf-8")
    spec.write_text(FIRST, "utf-8")
    words: tuple[str | Path, ...] = (
        "build",
        spec,
        "--repo",
        repository,
        "--cassette",
        model,
        *shell(ONCE, "--no-gates", "--attempts", "1"),
    )
    assert program(*words).code == 4

    spec.write_text(SECOND, "utf-8")
    refused = program(*words)
    assert refused.code == 2, refused.err
    assert "-It writes two." in refused.err
    assert "+It writes three." in refused.err
    assert "--yes" in refused.err.partition("fix: ")[2]
    assert "--new" in refused.err.partition("fix: ")[2]
    changed = program(*words, "--yes", "--json")
    assert changed.code == 0, changed.err
    assert changed.lines[-1]["counts"] == {"done": 2}
    journal = program("events", "").lines
    kinds = [event["type"] for event in journal]
    assert (kinds.count("plan.made"), kinds.count("build.created"), kinds.count("plan.changed")) == (1, 1, 1)
    (said,) = [event for event in journal if event["type"] == "spec.changed"]
    (plan,) = [event for event in journal if event["type"] == "plan.changed"]
    assert said["text"] == SECOND
    assert ([task["id"] for task in plan["tasks"]], plan["dropped"], plan["spec"]) == (["three"], ["two"], 1)
    digests = program("version", "--json").object["instructions"]
    (made,) = [event for event in journal if event["type"] == "plan.made"]
    assert (made["instructions"], plan["instructions"]) == (digests["planner"], digests["reviser"])
    started = [event["task"] for event in journal if event["type"] == "task.started"]
    assert (started.count("one"), started.count("three")) == (1, 1)
    asked = [(event["input_tokens"], event["output_tokens"]) for event in journal if event["type"] == "tokens.used"]
    assert asked == [(100, 200), (10, 20)]

    spec.write_text(SECOND + "It writes four.\n", "utf-8")
    opened = program(*words, "--yes")
    assert opened.code == 0, opened.err
    assert "has ended and has the same name" in opened.err
    assert program("status", "--json").object["counts"] == {"done": 3}
    files = subprocess.run(
        ["git", "log", "--format=%s", "--branches=buildwright/*", "--not", "main"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert files.splitlines() == ["Task four: Four", "Task three: Three", "Task one: One"]

    spec.write_text(SECOND + "It writes four.\nIt writes nothing more.\n", "utf-8")
    wrong = program(*words, "--yes")  # the planner drops what has landed, twice: refused, and nothing is lost
    assert (wrong.code, "task one is done: it cannot be changed any more" in wrong.err) == (4, True), wrong.err
    paused = program("status", "--json").object
    assert (paused["pause"]["reason"], paused["counts"]["done"]) == ("plan", 3)
    spec.write_text(SECOND + "It writes four.\n", "utf-8")
    back = program(*words, "--yes")  # taken back: the planner is not asked, and the build ends as it was
    assert back.code == 0, back.err
    assert [event["type"] for event in program("events", "").lines].count("build.created") == 1


WAITS = f'until test -e "$GO"; do sleep 0.1; done; {WRITES}'


def happens(program: Program, kind: str) -> None:
    """Wait until the newest build has such an event."""
    until = time.monotonic() + program.patience
    while kind not in [event["type"] for event in program("events", "newest").lines]:
        assert time.monotonic() < until
        time.sleep(0.1)


def edited_meanwhile(
    program: Program, driver: str, line: Sequence[str | Path], edit: Callable[[], object], kind: str
) -> str:
    """Give the command again with an edited file while the agent of its build works; return what it says then."""
    with serving(program) if driver == "server" else nullcontext() as server:
        there = server.environment if server is not None else {}
        first = program.start(*line, **there)
        happens(program, "task.started")
        edit()
        second = program.start(*line, "--yes", **there)
        happens(program, kind)
        if driver == "process":
            _, said = second.communicate(timeout=program.patience)
            assert "The process that runs it takes that in." in said
            again = program(*line)
            assert (again.code, "is being run by" in again.err) == (7, True), "nothing was changed then"
        Path(program.environment["GO"]).touch()
        assert first.communicate(timeout=program.patience) is not None
        if driver == "server":
            _, said = second.communicate(timeout=program.patience)
    assert (first.returncode, second.returncode) == (0, 0), said
    assert [event["type"] for event in program("events", "newest").lines].count("build.created") == 1
    return said


def subjects(repository: Path) -> list[str]:
    return git(repository, "log", "--format=%s", "--branches=buildwright/*", "--not", "main").splitlines()


@pytest.mark.parametrize("driver", ["process", "server"])
def test_an_edited_list_is_a_change_of_the_build_that_another_process_drives(
    program: Program, repository: Path, tmp_path: Path, driver: str
) -> None:
    program.environment["GO"] = str(tmp_path / "go")
    a, b = {"id": "a", "title": "A"}, {"id": "b", "title": "B", "depends_on": ["a"]}
    listed = write_tasks(tmp_path / "list.json", a, b)
    command = WAITS.replace("$GO", program.environment["GO"])
    said = edited_meanwhile(
        program,
        driver,
        ("build", listed, "--repo", repository, *shell(command, "--no-gates")),
        lambda: write_tasks(listed, a, {**b, "title": "B in another way"}, {"id": "c", "title": "C"}),
        "plan.changed",
    )
    assert "  ~ b: title" in said
    assert "  + c: C" in said
    assert sorted(subjects(repository)) == ["Task a: A", "Task b: B in another way", "Task c: C"]


@pytest.mark.parametrize("driver", ["process", "server"])
def test_an_edited_spec_is_a_change_of_the_build_that_another_process_drives(
    program: Program, repository: Path, tmp_path: Path, driver: str
) -> None:
    program.environment["GO"] = str(tmp_path / "go")
    model, spec = tmp_path / "model.yaml", tmp_path / "SPEC.md"
    model.write_text(CASSETTE, "utf-8")
    spec.write_text(FIRST, "utf-8")
    words = shell(WAITS.replace("$GO", program.environment["GO"]), "--no-gates")
    said = edited_meanwhile(
        program,
        driver,
        ("build", spec, "--repo", repository, "--cassette", model, *words),
        lambda: spec.write_text(SECOND, "utf-8"),
        "spec.changed",
    )
    assert "+It writes three." in said
    assert subjects(repository) == ["Task three: Three", "Task one: One"]
