"""A plan that a person shapes: in an editor before a build or while it goes on, and approved before anything is built."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import WRITES, Program, shell, write_tasks
from tests.git import git

SPLIT = """\
import json, sys, yaml
path = sys.argv[1]
plan = yaml.safe_load(open(path))
first, second = plan["tasks"][:2]
first["title"] = "First, edited"
plan["tasks"] = [first, {**second, "id": "b1", "title": "One half"}, {**second, "id": "b2", "title": "Other half"}]
open(path, "w").write(json.dumps(plan))
"""


def editor(tmp_path: Path, body: str) -> dict[str, str]:
    """The variable that names an editor which runs this program of Python on the file."""
    import sys

    program = tmp_path / "editor.py"
    program.write_text(body)
    return {"GIT_EDITOR": f"{sys.executable} {program}"}


def two(tmp_path: Path) -> Path:
    return write_tasks(
        tmp_path / "two.json", {"id": "a", "title": "First"}, {"id": "b", "title": "Second", "depends_on": ["a"]}
    )


def test_a_build_waits_until_its_plan_is_approved(program: Program, tmp_path: Path, repository: Path) -> None:
    paused = program("build", two(tmp_path), "--repo", repository, "--no-gates", "--approve-plan", *shell(WRITES))
    assert paused.code == 4, paused.err
    assert "the plan waits for your approval: 2 tasks in 2 waves" in paused.out
    assert "build this plan" in paused.out
    assert "task.started" not in program("events", "").out
    build = program("status", "--json").object["id"]
    assert program("run", build).code == 4, "only the user's word lets it go on"

    changed = program("task", "edit", build, "--yes", **editor(tmp_path, SPLIT))
    assert changed.code == 0, changed.err
    assert "~ a: title" in changed.err
    assert "+ b1: One half" in changed.err
    assert "- b: Second" in changed.err
    assert changed.out.splitlines()[:3] == ["Added b1, b2.", "Edited a.", "Dropped b."]
    assert list((program.home / "plans").iterdir()) == []

    done = program("resume", build, "--json")
    assert done.code == 0, done.err
    subjects = git(repository, "log", "--format=%s", f"buildwright/{build[:8]}")
    assert "First, edited" in subjects
    assert "Other half" in subjects


def test_an_edited_plan_that_cannot_be_used_is_kept(program: Program, tmp_path: Path, repository: Path) -> None:
    paused = program("build", two(tmp_path), "--repo", repository, "--no-gates", "--approve-plan", *shell(WRITES))
    assert paused.code == 4, paused.err
    circle = 'import sys; p = sys.argv[1]; t = open(p).read(); open(p, "w").write(t.replace("depends_on: []", "depends_on: [b]"))'
    refused = program("task", "edit", "newest", **editor(tmp_path, circle))
    assert refused.code == 2
    assert "circle" in refused.err
    (kept,) = (program.home / "plans").iterdir()
    assert "depends_on: [b]" in kept.read_text() or "- b" in kept.read_text()
    fixed = 'import sys; p = sys.argv[1]; t = open(p).read(); open(p, "w").write(t.replace("depends_on: [b]", "depends_on: []"))'
    again = program("task", "edit", "newest", **editor(tmp_path, fixed))
    assert (again.code, "was edited before" in again.err, "Nothing is changed." in again.err) == (0, True, True)
    assert not kept.exists()
    fails = program("task", "edit", "newest", GIT_EDITOR="false")
    assert (fails.code, "exit code 1" in fails.err) == (2, True)


def test_a_plan_is_taken_from_a_file_and_done_tasks_stay(program: Program, tmp_path: Path, repository: Path) -> None:
    built = program("build", two(tmp_path), "--repo", repository, "--no-gates", "--json", *shell(WRITES))
    assert built.code == 0, built.err
    more = write_tasks(tmp_path / "more.json", {"id": "a", "title": "Other"}, {"id": "c", "title": "Third"})
    changed = program("task", "edit", "newest", "--plan", more, "--json")
    assert changed.code == 0, changed.err
    assert (changed.object["added"], changed.object["edited"], changed.object["dropped"]) == (["c"], [], [])
    assert "= a: stays as it is" in changed.err
    assert program("run", "newest").code == 0


def test_a_plan_is_edited_before_a_build(program: Program, tmp_path: Path) -> None:
    out = tmp_path / "plan.yaml"
    shown = program("plan", two(tmp_path), "-o", out, "--edit", "--json", **editor(tmp_path, SPLIT))
    assert shown.code == 0, shown.err
    assert [task["id"] for task in shown.object["tasks"]] == ["a", "b1", "b2"]
    assert "First, edited" in out.read_text()
    in_place = program("plan", out, "--edit", GIT_EDITOR="true")
    assert "3 tasks in 2 waves" in in_place.out
    spec = tmp_path / "SPEC.md"
    spec.write_text("# Do something\n\nAnything.\n")
    refused = program("plan", spec, "--edit")
    assert (refused.code, "-o plan.yaml" in refused.err) == (2, True)
    broken = program("plan", out, "--edit", **editor(tmp_path, 'import sys; open(sys.argv[1], "w").write("tasks: 3")'))
    assert (broken.code, out.read_text()) == (2, "tasks: 3")
    assert json.loads(program("plan", two(tmp_path), "--json").out)["waves"] == [["a"], ["b"]]
