"""One purse of workers that are processes of their own, on PostgreSQL: no more is spent than the budget and one answer."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from buildwright.core.limits import Options
from buildwright.gateway import LocalGateway
from buildwright.ports import ModelAccess
from tests.cli.conftest import Program, write_tasks
from tests.e2e.test_cluster import machine, program_in
from tests.engine.harness import make_repository
from tests.git import git
from tests.services import fresh_database, redis_of_this_worker

TASKS = "abcdef"
BUDGET = Decimal(1)
ANSWER = Decimal("0.3")
"""What each answer costs: 100,000 tokens of input at 3 dollars for a million."""


def cassette(folder: Path) -> Path:
    turns = [
        {
            "when": {"contains": f"# Task {name}"},
            "reply": {"files": {f"{name}.txt": "done"}},
            "usage": {"input": 100_000, "output": 0},
        }
        for name in TASKS
    ]
    file = folder / "paid.yaml"
    file.write_text(json.dumps({"version": 1, "model": "claude-sonnet-4-5", "turns": turns}), encoding="utf-8")
    return file


async def paused(user: Program, *words: str | Path) -> dict[str, Any]:
    """The status of a build of six tasks at once, from when its purse has stopped it and nothing of it runs."""
    built = await asyncio.to_thread(lambda: user("build", *words, "--detach", "--json"))
    assert built.code == 0, built.err
    while True:
        seen = (await asyncio.to_thread(lambda: user("status", built.object["build"], "--json"))).object
        assert not seen["outcome"], seen
        if seen["control"] == "paused" and not seen["workers"]:
            return dict(seen)
        await asyncio.sleep(0.5)


@pytest.mark.timeout(420)
async def test_two_workers_never_overrun_a_purse_by_more_than_one_answer(tmp_path: Path) -> None:
    provider = LocalGateway({}, tmp_path / "provider")
    door = await provider.open(ModelAccess("", "", 1, Options(cassette=str(cassette(tmp_path)))))
    hub = tmp_path / "hub.git"
    git(tmp_path, "init", "-q", "--bare", str(hub))
    listed = [{"id": name, "title": name.upper(), "goal": f"write {name}.txt"} for name in TASKS]
    tasks = write_tasks(tmp_path / "tasks.json", *listed)
    given = ("--no-gates", "--sandbox", "none", "--concurrency", str(len(TASKS)))
    async with fresh_database() as database:
        shared = {
            "DATABASE_URL": database,
            "REDIS_URL": redis_of_this_worker(),
            "BUILDWRIGHT_HUB": str(hub),
            "ANTHROPIC_BASE_URL": door.url,
            "ANTHROPIC_API_KEY": door.token,
        }
        user = replace(program_in(tmp_path / "user", tmp_path / "desk", None, **shared), patience=240.0)
        with ExitStack() as workers:
            logs = [workers.enter_context(machine(tmp_path / name, shared)) for name in ("one", "two")]
            before = Decimal(0)
            for purse in ("--max-cost", "--max-project-cost", "--max-day-cost"):
                # Each a project of its own; the day is that of all of them.
                repository = make_repository(tmp_path / purse.strip("-"))
                most = BUDGET + (before if purse == "--max-day-cost" else 0)
                seen = await paused(user, tasks, "--repo", repository, *given, purse, str(most))
                spent = Decimal(seen["usage"]["cost_usd"])
                assert seen["pause"]["reason"] == "budget", seen["pause"]
                assert BUDGET <= spent <= BUDGET + ANSWER, f"{purse}: {spent}"
                before += spent
            taken = [
                [line for line in log.read_text("utf-8").splitlines() if '"taken"' in line and "run-agent" in line]
                for log in logs
            ]
            assert all(taken), "both workers had attempts"
    await provider.shut(door)
    await provider.close()
