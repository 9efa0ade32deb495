"""`step`: a build that is driven by hand, as a user types it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from buildwright.core.action import RunAgent
from buildwright.core.graph import Graph
from buildwright.core.limits import Options
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.engine.commands import NewBuild, StopBuild, TakeStep
from buildwright.errors import Unreachable
from buildwright.settings import Settings
from buildwright.store.journal_sqlite import SqliteBuilds
from buildwright.store.lease_holders import this_process
from buildwright.wiring import open_app
from tests.cli.conftest import WRITES, Program, shell, write_tasks


def start(program: Program, repository: Path, tmp_path: Path, *more: str) -> str:
    """A build by hand of two tasks; its id."""
    spec = write_tasks(tmp_path / "two.json", {"id": "a", "title": "A"}, {"id": "b", "title": "B", "depends_on": ["a"]})
    ended = program(
        "build",
        spec,
        "--repo",
        repository,
        *shell(WRITES, "--by-hand", "--json", *(more or ("--check", "build:ok=true"))),
    )
    assert ended.code == 0, ended.err
    summary = ended.lines[-1]
    assert summary["steps"] == {"asked": None, "allowed": ["auto", "plan_only"]}
    assert "buildwright step" in summary["next"]
    build: str = summary["id"]
    return build


def kinds(program: Program, build: str) -> list[str]:
    return [event["type"] for event in program("events", build).lines]


def test_steps_bring_it_to_its_end(program: Program, repository: Path, tmp_path: Path) -> None:
    build = start(program, repository, tmp_path)
    status = program("status")
    assert "waits for a step" in status.out
    assert f"buildwright step {build[:8]}" in status.out
    assert "No process runs it" not in status.err
    lines: list[dict[str, Any]] = []
    for mode in ("plan_only", "plan_only", "verify_only", "implement_only"):
        ended = program("step", build, "--mode", mode, "--json")
        assert ended.code == 0, ended.err
        lines += ended.lines[:-1]
        assert ended.lines[-1]["type"] == "summary"
    assert [line["type"] for line in lines if line["type"] != "agent.heartbeat"] == kinds(program, build)[1:]
    ended = program("step", "-m", "keep it short")
    assert "you asked for a step (whatever comes next)" in ended.err
    assert "you said: keep it short" in ended.err
    assert "waits for a step" in ended.out
    assert "waits to be merged" in program("why", build, "a").out
    for _ in range(10):
        summary = program("step", build, "--json").lines[-1]
        if summary["outcome"]:
            break
    assert summary["outcome"] == "succeeded"
    branch = subprocess.run(
        ["git", "ls-tree", "--name-only", f"buildwright/{build[:8]}"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    assert branch.stdout.split() == ["README.md", "a.txt", "b.txt"]
    over = program("step", build, "--json")
    assert (over.code, over.object["error"]["message"]) == (7, "the build has ended (succeeded)")


def test_what_cannot_be_done_now_is_refused(program: Program, repository: Path, tmp_path: Path) -> None:
    build = start(program, repository, tmp_path)
    refused = program("step", build, "--mode", "implement_only")
    assert (refused.code, refused.out) == (7, "")
    assert "implement_only cannot be done now: the build is planning" in refused.err
    assert "fix: ask for auto or plan_only" in refused.err
    program("pause", build)
    assert "resume" in program("step", build).err
    assert f"buildwright resume {build[:8]}" in program("say", build, "shorter").err
    for ended in (program("resume", build, "--no-run"), program("say", build, "longer")):
        assert (f"buildwright step {build[:8]}" in ended.err, "No process" in ended.err) == (True, False), ended.err
    assert program("step", build, "--mode", "sideways").code == 2


@pytest.mark.parametrize("point", ["store.append.after:1", "perform.RunAgent.after:1", "perform.RunAgent.before:1"])
def test_a_step_is_made_once_whenever_its_process_is_killed(
    program: Program, repository: Path, tmp_path: Path, point: str
) -> None:
    build = start(program, repository, tmp_path, "--no-gates")
    for _ in range(2):
        program("step", build)
    assert program("step", build, BUILDWRIGHT_FAILPOINT=point).code == -9
    status = program("status", build, "--json").object
    assert status["steps"] == {"asked": "auto", "allowed": []}
    again = program("step", build)
    assert again.code == 7
    assert "buildwright run" in again.err
    assert program("run", build).code == 0
    seen = kinds(program, build)
    assert [seen.count(kind) for kind in ("step.requested", "task.started", "agent.finished")] == [3, 1, 1]
    assert program("status", build, "--json").object["steps"]["asked"] is None


async def test_whoever_asks_waits_for_the_process_that_has_the_build(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    """It has the build, and lets go of it without having seen the step: then the step is made by who has asked."""
    build = start(program, repository, tmp_path)
    settings = Settings.load({"BUILDWRIGHT_HOME": str(program.home)})
    builds = await SqliteBuilds.open(settings.database, settings.artifacts)
    try:
        lease = await builds.acquire(build, this_process(), 600)
        asking = program.start("step", build, "--json")
        async with asyncio.timeout(60):
            while await builds.version(build) == 1:
                await asyncio.sleep(0.05)
        assert program("step", build).code == 7
        assert asking.poll() is None
        await builds.release(lease)
    finally:
        await builds.close()
    out, err = asking.communicate(timeout=60)
    assert asking.returncode == 0, err
    assert [json.loads(line)["type"] for line in out.splitlines()] == ["step.requested", "target.prepared", "summary"]


async def test_in_a_cluster_the_board_has_it_at_once(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    hub = tmp_path / "hub.git"
    subprocess.run(["git", "init", "--quiet", "--bare", hub], check=True)
    named = {"DATABASE_URL": postgres_url, "REDIS_URL": redis_url, "BUILDWRIGHT_HUB": str(hub)}
    settings = Settings.load({**os.environ, **named, "BUILDWRIGHT_HOME": str(tmp_path / "home")}, tmp_path)
    spec = Spec(title="t", graph=Graph(tasks=(Task(id="a", title="A"),)))
    async with open_app(settings) as app:
        build_id = await app.start(NewBuild(spec, Options(agent="noop", lanes=False, gates=False, by_hand=True)))
        for kind in ("target.prepared", "plan.made"):  # which take no worker
            build = await app.stepped(build_id, (await app.ask(build_id, TakeStep("plan_only"))).id)
            assert build.waits_for_step
            assert (await app.builds.read(build_id))[-1].event.type == kind
        step_id = (await app.ask(build_id, TakeStep("implement_only", "hello"))).id
        (row,) = [row for row in await app.board.board(build_id) if row.wanted]
        assert row.key == RunAgent("a", 1).key
        assert not row.live
        build = await app.stepped(build_id, step_id, 0.01)
        assert build.step is not None
        with pytest.raises(Unreachable, match="no worker is running"):
            await app.run(build_id)
        assert ((await app.ask(build_id, StopBuild())).build).outcome == "stopped"


def test_a_program_drives_one_too(program: Program, tmp_path: Path) -> None:
    script = """
import asyncio
from buildwright import Options, Orchestrator
from buildwright.core.spec import Spec
from buildwright.core.graph import Graph
from buildwright.core.task import Task

async def main():
    options = Options(agent="noop", lanes=False, gates=False, by_hand=True)
    async with Orchestrator(options=options) as orchestrator:
        build = await orchestrator.run(Spec(title="t", graph=Graph(tasks=(Task(id="a", title="A"),))))
        steps = 0
        while not build.outcome:
            build = await orchestrator.step(build.build_id)
            steps += 1
        print(build.outcome, steps)

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=program.environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "succeeded 4\n"
