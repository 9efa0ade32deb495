"""Budgets beyond one build, and a provider's limit, as a user meets them: on real builds of the program."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from buildwright.core.limits import Options
from buildwright.gateway import LocalGateway
from buildwright.ports import ModelAccess
from tests.cli.conftest import Program, write_tasks
from tests.git import git

GIVEN = ("--no-gates", "--sandbox", "none")


def two_tasks(tmp_path: Path) -> Path:
    return write_tasks(
        tmp_path / "two.json",
        {"id": "a", "title": "A", "goal": "write a.txt"},
        {"id": "b", "title": "B", "goal": "write b.txt", "depends_on": ["a"]},
    )


PLANNED = {
    "id": "a",
    "title": "A",
    "goal": "write a.txt",
    "files_expected": ["a.txt"],
    "acceptance": ["a.txt is there"],
}
"""A task as the planner answers it."""


def paid(tmp_path: Path, **more: object) -> Path:
    """A cassette that writes both files, for 0.30 dollars each: 100,000 tokens of input at 3 dollars for a million."""
    turns = [
        {
            "when": {"contains": f"# Task {name}"},
            "reply": {"files": {f"{name}.txt": "done"}},
            "usage": {"input": 100_000, "output": 0},
            **more,
        }
        for name in ("a", "b")
    ]
    file = tmp_path / "paid.yaml"
    file.write_text(json.dumps({"version": 1, "model": "claude-sonnet-4-5", "turns": turns}), encoding="utf-8")
    return file


@pytest.mark.timeout(240)
def test_a_day_is_one_purse_of_all_builds_and_a_pause_at_its_end(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    tasks, cassette = two_tasks(tmp_path), paid(tmp_path)
    first = program("build", tasks, "--repo", repository, "--cassette", cassette, *GIVEN, "--branch", "one")
    assert first.code == 0, first.err
    # 0.60 dollars are spent; 0.90 are for the day, so that one task of the second build is paid, and the next one waits.
    day = ("--max-day-cost", "0.9", "--branch", "two")
    second = program("build", tasks, "--repo", repository, "--cassette", cassette, *GIVEN, *day)
    assert second.code == 5, second.err
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert f"100 % of the budget of the day ({today}, UTC) are spent" in second.err
    assert "The day's budget" in second.out
    assert "of $0.9 is spent ($0.90)" in second.out
    assert "resume" in second.out
    assert "--max-day-cost 1.80" in second.out
    assert "wait until tomorrow" in second.out
    still = program("resume")
    assert still.code == 5, still.err  # nothing has changed
    raised = program("resume", "--max-day-cost", "20")
    assert raised.code == 0, raised.err
    reached = [line for line in program("events", "").lines if line["type"] == "budget.reached"]
    assert [(line["purse"], line["percent"], line["day"]) for line in reached] == [("day", 100, today)]
    (costs,) = program("cost", "--by", "day", "--json").lines
    assert [(each["key"], each["requests"]) for each in costs["sums"]] == [(today, 4)]
    assert costs["cost_usd"].startswith("1.2")


@pytest.mark.timeout(240)
def test_a_task_and_a_project_have_purses_of_their_own(program: Program, repository: Path, tmp_path: Path) -> None:
    tasks, cassette = two_tasks(tmp_path), paid(tmp_path)
    purses = ("--max-task-cost", "0.6", "--max-project-cost", "0.3")
    paused = program("build", tasks, "--repo", repository, "--cassette", cassette, *GIVEN, *purses)
    assert paused.code == 5, paused.err
    assert "50 % of the budget of task a are spent" in paused.err
    assert "The budget of project target of $0.3 is spent" in paused.out
    assert "--max-project-cost 0.60" in paused.out
    assert program("resume", "--max-project-cost", "5").code == 0


@pytest.mark.timeout(240)
def test_budgets_that_are_spent_at_once_are_raised_at_once(program: Program, repository: Path, tmp_path: Path) -> None:
    tasks, cassette = two_tasks(tmp_path), paid(tmp_path)
    budgets = ("--max-cost", "0.3", "--max-day-cost", "0.3", "--max-project-cost", "0.3", "--max-task-cost", "0.3")
    paused = program("build", tasks, "--repo", repository, "--cassette", cassette, *GIVEN, *budgets)
    assert paused.code == 5, paused.err
    (build,) = program("status", "", "--json").lines
    (choice, abort) = build["pause"]["choices"]
    assert abort["name"] == "abort"
    assert (
        choice["words"] == "continue with larger budgets for the project, for the day, for each task and for the build"
    )
    command = "--max-project-cost 0.60 --max-day-cost 0.60 --max-task-cost 0.60 --max-cost 0.60"
    assert f"resume {build['id'][:8]} {command}" in choice["command"]
    assert choice["command"] in paused.out
    (waiting,) = program("inbox", "--json").object["inbox"]
    assert waiting["remedies"][0]["body"] == {
        "choice": "go",
        "options": {"project_budget_usd": "0.60", "day_budget_usd": "0.60", "task_budget_usd": "0.60"},
        "budget_usd": "0.60",
    }
    assert program("resume", *command.replace("0.60", "9").split()).code == 0


@pytest.mark.timeout(240)
def test_a_planner_that_an_empty_purse_refuses_pauses_with_the_raise_as_a_choice(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    first = program("build", two_tasks(tmp_path), "--repo", repository, "--cassette", paid(tmp_path), *GIVEN)
    assert first.code == 0, first.err
    planned = {"tasks": [PLANNED]}
    turns = [
        {"when": {"task": "plan"}, "reply": {"json": planned}},
        {"when": {"task": "a"}, "reply": {"files": {"a.txt": "planned"}}},
    ]
    cassette = tmp_path / "planned.yaml"
    cassette.write_text(json.dumps({"version": 1, "model": "claude-sonnet-4-5", "turns": turns}), encoding="utf-8")
    spec = tmp_path / "spec.md"
    spec.write_text("# Words\n\nWrite a.txt.\n", encoding="utf-8")
    day = ("--max-day-cost", "0.5", "--branch", "planned")
    paused = program("build", spec, "--repo", repository, "--cassette", cassette, *GIVEN, *day)
    assert paused.code == 5, paused.err
    assert "The day's budget" in paused.out
    assert "of $0.5 is spent ($0.60)" in paused.out
    assert "--max-day-cost 1.20" in paused.out
    assert "plan again" not in paused.out
    (build,) = program("status", "", "--json").lines
    assert build["pause"]["reason"] == "budget"
    first_choice = build["pause"]["choices"][0]
    assert first_choice["name"] == "go"
    assert first_choice["command"].endswith("--max-day-cost 1.20")
    still = program("resume")
    assert still.code == 5, still.err
    raised = program("resume", "--max-day-cost", "20")
    assert raised.code == 0, raised.err
    kinds = [line["type"] for line in program("events", "").lines]
    assert kinds.count("build.paused") == 2
    assert "plan.rejected" not in kinds
    assert git(repository, "show", "planned:a.txt") == "planned"


@pytest.mark.timeout(240)
def test_a_plan_is_paid_from_the_purses_of_the_day_and_the_project(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    planned = {"tasks": [PLANNED]}
    turn = {"when": {"task": "plan"}, "reply": {"json": planned}, "usage": {"input": 100_000, "output": 0}}
    cassette = tmp_path / "planned.yaml"
    cassette.write_text(json.dumps({"version": 1, "model": "claude-sonnet-4-5", "turns": [turn]}), encoding="utf-8")
    spec = tmp_path / "spec.md"
    spec.write_text("# Words\n\nWrite a.txt.\n", encoding="utf-8")
    ask = ("plan", spec, "--repo", repository, "--cassette", cassette, "--accept-base")
    assert program(*ask, "--max-day-cost", "0.5").code == 0
    # 0.30 dollars are spent, and a second plan costs as much.
    for purse, words in (("--max-day-cost", "day"), ("--max-project-cost", "project")):
        refused = program(*ask, purse, "0.3")
        assert refused.code == 5, refused.err
        assert words in refused.err
        assert f"{purse}" in refused.err
    assert program(*ask, "--max-day-cost", "5").code == 0
    (models,) = program("costs", "--by", "model", "--json").lines
    assert [(one["key"], one["requests"], one["cost_usd"]) for one in models["sums"]] == [
        ("claude-sonnet-4-5", 2, "0.600000")
    ]
    (days,) = program("costs", "--json").lines
    assert sum(one["requests"] for one in days["sums"]) == 2
    (plans,) = program("costs", "--by", "build", "--json").lines
    assert [one["key"].startswith("plan-") for one in plans["sums"]] == [True, True]


def test_a_repository_cannot_raise_the_budget_of_a_day(program: Program, repository: Path, tmp_path: Path) -> None:
    (repository / "buildwright.toml").write_text("max_day_cost = 1000\n", encoding="utf-8")
    refused = program("build", two_tasks(tmp_path), "--repo", repository, *GIVEN)
    assert refused.code not in {0, 5}
    assert "max_day_cost" in refused.err


@pytest.mark.timeout(240)
async def test_a_limit_of_the_provider_is_waited_out_and_seen(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    """The provider is a gateway that replays a cassette, which refuses once, for longer than an attempt may take."""
    cassette = paid(tmp_path, faults=[{"kind": 429, "retry_after": 20}])
    provider = LocalGateway({}, tmp_path / "provider")
    door = await provider.open(ModelAccess("", "", 1, Options(cassette=str(cassette))))
    keys = {"ANTHROPIC_BASE_URL": door.url, "ANTHROPIC_API_KEY": door.token}
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "A", "goal": "write a.txt"})
    words = ("build", tasks, "--repo", repository, *GIVEN, "--task-time", "8", "--json")
    building = asyncio.create_task(asyncio.to_thread(lambda: program(*words, **keys)))
    try:
        waits = "waits for the provider's limit until"
        said, why = "", ""
        while not (waits in said and waits in why) and not building.done():
            await asyncio.sleep(0.2)
            shown = await asyncio.gather(
                *(asyncio.to_thread(partial(program, *asked)) for asked in (("status",), ("why", "", "a")))
            )
            said, why = (one.out for one in shown)
        built = await building
    finally:
        await provider.shut(door)
        await provider.close()
    assert f"It {waits}" in said
    assert f"It {waits}" in why
    assert "UTC (anthropic, claude-sonnet" in said
    assert built.code == 0, built.err
    assert len([line for line in built.lines if line.get("type") == "limit.met"]) == 1
    assert [line["attempt"] for line in built.lines if line.get("type") == "task.started"] == [1]
