"""Builds that are driven by hand, over real git: steps to the end, what a step tells the agent, and processes that die in one."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from buildwright.core.build import Build
from buildwright.core.event import StepMode
from buildwright.core.limits import Limits
from buildwright.engine import commands
from buildwright.engine.follow import stepped
from buildwright.engine.held_build import run
from buildwright.engine.resume_command import ResumeBuild
from buildwright.errors import IllegalMove
from buildwright.ports import Builds
from tests.adapters.scripted_agent import Say, Sleep, Wait, Write
from tests.engine.harness import ONE_PROCESS, FunctionGate, Script, Site, make_site, tasks


async def step(site: Site, mode: StepMode = "auto", message: str = "") -> Build:
    """Ask for one and see it made."""
    step_id = (await commands.ask(site.builds, site.clock, site.build_id, commands.TakeStep(mode, message))).id
    build = await site.run()
    assert build.step is None or build.step.id != step_id
    return build


async def kinds(site: Site) -> list[str]:
    return [recorded.event.type for recorded in await site.builds.read(site.build_id)]


async def test_steps_alone_bring_a_build_to_its_end(tmp_path: Path, builds: Builds) -> None:
    def judge(files: Path, _judged: object) -> list[str]:
        return ["b.txt is wrong"] if (files / "b.txt").exists() and "right" not in (files / "b.txt").read_text() else []

    script: Script = {("b", 1): [Write("b.txt", "wrong\n")], ("b", 2): [Write("b.txt", "right\n")]}
    site = make_site(tmp_path, builds, script, [FunctionGate(judge)])
    # The pause limit is for pauses: a build that waits for a step may wait.
    await site.start(tasks("a", "b: a"), by_hand=True, limits=Limits(pause_seconds=0.01))
    build = await site.run()
    assert (build.version, build.waits_for_step) == (1, True)
    plan: list[tuple[StepMode, str]] = [
        ("plan_only", "target.prepared"),
        ("plan_only", "plan.made"),
        ("auto", "base.judged"),
        ("implement_only", "agent.finished"),
        ("verify_only", "patch.judged"),
        ("verify_only", "merge.prepared"),
        ("verify_only", "change.landed"),
        ("auto", "agent.finished"),
        ("auto", "patch.judged"),
        ("implement_only", "agent.finished"),
        ("verify_only", "patch.judged"),
        ("verify_only", "merge.prepared"),
        ("auto", "change.landed"),
        ("verify_only", "build.delivered"),
    ]
    for mode, end in plan:
        before = Counter(await kinds(site))
        build = await step(site, mode)
        new = Counter(await kinds(site)) - before
        ends = {"task.started", "task.retried", "step.requested", "build.finished"}
        assert [kind for kind in new.elements() if kind not in ends] == [end]
    assert build.outcome == "succeeded"
    assert site.files() == {"README.md": "hello", "a.txt": "a", "b.txt": "right"}
    assert build.task("b").attempt == 2


async def test_a_word_with_a_step_reaches_its_agent(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {("a", 1): [Wait(), Write("a.txt", "a\n")]})
    await site.start(tasks("a"), by_hand=True, gates=False)
    await step(site)
    await step(site)
    build = await step(site, "implement_only", "use tabs")
    assert [message.text for message in site.agent.heard] == ["use tabs"]
    assert build.notes_to_agents == ()
    seen = await kinds(site)
    assert seen.index("step.requested", seen.index("message.sent")) == seen.index("message.sent") + 1


async def test_what_cannot_be_done_now_is_refused(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds)
    alone = await site.start(tasks("a"), gates=False)
    by_hand = await site.start(tasks("a"), gates=False, by_hand=True)

    async def refused(build_id: str, mode: StepMode, words: str, fix: str) -> None:
        version = await builds.version(build_id)
        with pytest.raises(IllegalMove, match=words) as caught:
            await commands.ask(builds, site.clock, build_id, commands.TakeStep(mode, "hello"))
        assert fix in str(caught.value.fix)
        assert await builds.version(build_id) == version

    await refused(alone, "auto", "runs by itself", "--by-hand")
    await refused(by_hand, "implement_only", "implement_only cannot be done now: the build is planning", "plan_only")
    await commands.ask(builds, site.clock, by_hand, commands.PauseBuild())
    await refused(by_hand, "auto", "paused", "resume it first")
    await commands.ask(builds, site.clock, by_hand, ResumeBuild())
    await commands.ask(builds, site.clock, by_hand, commands.TakeStep())
    await refused(by_hand, "auto", "has not made the step", "wait")
    await commands.ask(builds, site.clock, by_hand, commands.StopBuild())
    await refused(by_hand, "auto", "is ending", "status")
    await site.run()
    await refused(by_hand, "auto", r"has ended \(stopped\)", "status")


async def test_a_step_whose_process_ended_is_made_once_by_the_next(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {("a", 1): [Say("begun"), Sleep(1.0), Write("a.txt", "a\n")]})
    await site.start(tasks("a"), by_hand=True, gates=False)
    await step(site)
    await step(site)
    step_id = (await commands.ask(builds, site.clock, site.build_id, commands.TakeStep())).id
    running = asyncio.create_task(site.run())
    async with asyncio.timeout(30):
        while not site.agent.assignments:
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    build = await builds.load(site.build_id)
    assert build.step is not None
    assert build.step.id == step_id
    build = await site.run()
    assert build.waits_for_step
    seen = await kinds(site)
    assert (seen.count("step.requested"), seen.count("task.started"), seen.count("agent.finished")) == (3, 1, 1)
    assert [each.attempt for each in site.agent.assignments] == [1, 1]


async def test_steps_reach_whoever_runs_the_build(tmp_path: Path, builds: Builds) -> None:
    """A process that stays makes each step that anybody asks for; one who asks can wait for it, and not for ever."""
    site = make_site(tmp_path, builds, {("a", 1): [Sleep(0.5), Write("a.txt", "a\n")]})
    site.stay = True
    await site.start(tasks("a"), by_hand=True, gates=False)
    running = asyncio.create_task(site.run())
    told: list[str] = []
    build = await builds.load(site.build_id)
    while not build.is_terminal:
        before = build
        step_id = (await commands.ask(builds, site.clock, site.build_id, commands.TakeStep())).id
        async with asyncio.timeout(30):
            build = await stepped(
                builds,
                site.build_id,
                step_id,
                on_event=lambda r, _: told.append(r.event.type),
                since=before,
            )
        assert build.step is None
    assert (await running).outcome == "succeeded"
    assert told == (await kinds(site))[1:]


async def test_waiting_for_a_step_ends_when_its_time_is_over(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds)
    await site.start(tasks("a"), by_hand=True)
    step_id = (await commands.ask(builds, site.clock, site.build_id, commands.TakeStep())).id
    build = await stepped(builds, site.build_id, step_id, 0.01)
    assert build.step is not None
    await commands.ask(builds, site.clock, site.build_id, commands.PauseBuild())
    build = await stepped(builds, site.build_id, step_id)
    assert (build.step, build.pause is not None) == (None, True)


@ONE_PROCESS
async def test_a_pause_lets_the_agent_of_a_step_end(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {("a", 1): [Sleep(0.3), Write("a.txt", "a\n")]})
    await site.start(tasks("a"), by_hand=True, gates=False)
    await step(site)
    await step(site)
    await commands.ask(builds, site.clock, site.build_id, commands.TakeStep())
    running = asyncio.create_task(run(replace(site.world(), poll_seconds=0.01), site.build_id))
    async with asyncio.timeout(30):
        while not site.agent.assignments:
            await asyncio.sleep(0.01)
    await commands.ask(builds, site.clock, site.build_id, commands.PauseBuild())
    build = await running
    assert build.pause is not None
    assert (await kinds(site))[-2:] == ["build.paused", "agent.finished"]
    await commands.ask(builds, site.clock, site.build_id, ResumeBuild())
    build = await site.run()
    assert build.waits_for_step
    for _ in range(3):
        build = await step(site)
    assert build.outcome == "succeeded"
