"""The plan that was looked at is the plan that is built."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import WRITES, Program, shell, write_tasks


@pytest.fixture
def detailed(tmp_path: Path) -> Path:
    return write_tasks(
        tmp_path / "tasks.json",
        {
            "id": "a",
            "title": "First",
            "goal": "Lay the ground",
            "files_expected": ["a.txt"],
            "acceptance": ["there is a file"],
            "validation": {"command": "test -f a.txt"},
        },
        {"id": "b", "title": "Second", "goal": "Build on it", "depends_on": ["a"], "priority": 2},
    )


def test_a_plan_shows_goals_files_and_checks(program: Program, detailed: Path) -> None:
    shown = program("plan", detailed)
    assert shown.code == 0, shown.err
    for text in ("Lay the ground", "Build on it", "a.txt", "test -f a.txt"):
        assert text in shown.out


def test_a_plan_says_when_a_build_runs_fewer_at_once_than_could(program: Program, tmp_path: Path) -> None:
    tasks = [{"id": f"t{number}", "title": f"Task {number}"} for number in range(6)]
    assert "At most 4 tasks can run at once.\n" in program("plan", write_tasks(tmp_path / "4.json", *tasks[:4])).out
    said = "At most 6 tasks can run at once; a build runs 4 of them unless --concurrency says more.\n"
    assert said in program("plan", write_tasks(tmp_path / "6.json", *tasks)).out


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_what_was_planned_is_built_as_it_is(program: Program, repository: Path, detailed: Path, form: str) -> None:
    plan = detailed.with_name(f"plan.{form}")
    if form == "yaml":
        assert program("plan", detailed, "-o", plan).code == 0
    else:
        plan.write_text(program("plan", detailed, "--json").out, encoding="utf-8")
    built = program("build", plan, "--repo", repository, *shell(WRITES, "--no-gates"))
    assert built.code == 0, built.err
    created = program("events", "").lines[0]["spec"]["graph"]["tasks"]
    assert created == json.loads(detailed.read_text(encoding="utf-8"))["tasks"]


def test_a_plan_never_replaces_a_file(program: Program, detailed: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    said = program("plan", detailed, "-o", plan)
    assert f"buildwright build {plan} --repo PATH" in said.err
    plan.write_text("mine", encoding="utf-8")
    refused = program("plan", detailed, "-o", plan)
    assert (refused.code, plan.read_text(encoding="utf-8")) == (2, "mine")
    assert "  fix: " in refused.err
    assert program("plan", detailed, "-o", tmp_path / "no" / "plan.yaml").code == 2


@pytest.mark.parametrize(
    "form", ["# Tasks: T\n\n## Phase 1: Setup\n\n- [ ] T001 {}\n", "## 1. Setup\n\n- [ ] 1.1 {}\n"]
)
def test_a_task_of_another_tool_that_only_verifies_is_done_by_proof(
    program: Program, repository: Path, tmp_path: Path, form: str
) -> None:
    tasks = tmp_path / "tasks.md"
    tasks.write_text(form.format("Verify that `test -f README.md` passes"), encoding="utf-8")
    built = program("build", tasks, "--repo", repository, *shell("true", "--check", "true", "--attempts", "1"))
    assert built.code == 0, built.out + built.err
    assert "`test -f README.md` must pass" in built.err
    assert "by proof: nothing to change" in built.err
    tasks.write_text(form.format("Verify that `test -f missing.md` passes"), encoding="utf-8")
    refused = program(
        "build", tasks, "--repo", repository, *shell("true", "--check", "true", "--attempts", "1", "--new")
    )
    assert refused.code == 4, refused.out + refused.err
