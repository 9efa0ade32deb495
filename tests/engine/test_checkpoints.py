"""Checkpoints of attempts: kept while an agent works, given back to it in another life, and no loss when they are gone."""

from __future__ import annotations

import asyncio
from pathlib import Path

from buildwright.core import event as e
from buildwright.core.build import Build
from buildwright.engine import commands
from buildwright.ports import Builds
from tests.adapters.scripted_agent import Save, ScriptedAgent, Sleep, Step, Wait, Write
from tests.engine.harness import FunctionGate, Site, make_site, tasks

FIRST: list[Step] = [Write("a.txt", "first life\n"), Save(), Write("late.txt", "after it\n"), Sleep(600)]
SECOND: list[Step] = [Write("a.txt", "second life\n"), Save(), Write("b.txt", "goes on\n")]


async def one_life(site: Site, until: str) -> None:
    """Run until an event is in the journal, then end as a process does that is told to go."""
    running = asyncio.create_task(site.run())
    while until not in site.kinds():
        await asyncio.sleep(0.01)
    site.detach.set()
    await running
    site.detach = asyncio.Event()


async def next_life(site: Site, *, resumes: bool = True) -> Build:
    site.agent = ScriptedAgent({("a", 0): SECOND}, resumes=resumes)
    return await site.run()


def made(site: Site) -> list[e.CheckpointCreated]:
    return [recorded.event for recorded in site.journal if isinstance(recorded.event, e.CheckpointCreated)]


async def test_an_attempt_goes_on_from_its_checkpoint(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds)
    site.agent = ScriptedAgent({("a", 0): FIRST}, resumes=True)
    await site.start(tasks("a"), gates=False)
    await one_life(site, "checkpoint.created")
    (kept,) = made(site)
    assert (await builds.load(site.build_id)).task("a").checkpoint_tree == kept.tree
    build = await next_life(site)
    (given,) = site.agent.assignments
    assert (given.resumed, given.conversation, given.attempt) == (True, "2", 1)
    assert site.files() == {"README.md": "hello", "a.txt": "first life", "b.txt": "goes on"}
    restored = [recorded.event for recorded in site.journal if isinstance(recorded.event, e.CheckpointRestored)]
    assert restored == [e.CheckpointRestored(task="a", attempt=1, tree=kept.tree)]
    assert (build.task("a").checkpoint_tree, build.task("a").checkpoint_conversation) == ("", "")


async def test_an_agent_that_cannot_go_on_begins_anew(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds)
    site.agent = ScriptedAgent({("a", 0): [*FIRST[:2], Sleep(600)]}, resumes=True)
    await site.start(tasks("a"), gates=False)
    await one_life(site, "checkpoint.created")
    await next_life(site, resumes=False)
    assert not site.agent.assignments[0].resumed
    assert site.files()["a.txt"] == "second life"
    assert "checkpoint.restored" not in site.kinds()
    assert len(made(site)) == 1, "and none is made of an agent that could not use it"


async def test_a_checkpoint_that_is_lost_costs_only_work(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds)
    site.agent = ScriptedAgent({("a", 0): [*FIRST[:1], Sleep(600)]}, resumes=True)
    await site.start(tasks("a"), gates=False)
    await one_life(site, "task.started")
    conversation = await builds.put_artifact(b"2")
    for tree, talk in (("0" * 40, conversation), ("0" * 40, "f" * 64)):
        version = await builds.version(site.build_id)
        lost = e.CheckpointCreated(task="a", attempt=1, tree=tree, conversation=talk)
        await builds.append(site.build_id, version, [lost], site.clock.now())
        site.agent = ScriptedAgent({("a", 0): [Sleep(600)]}, resumes=True)
        running = asyncio.create_task(site.run())
        while not site.agent.assignments:
            await asyncio.sleep(0.01)
        site.detach.set()
        await running
        site.detach = asyncio.Event()
        assert not site.agent.assignments[0].resumed
    await next_life(site)
    assert site.files() == {"README.md": "hello", "a.txt": "second life", "b.txt": "goes on"}
    log = [line.text for line in await builds.read_log(site.build_id)]
    assert sum("begins again" in line for line in log) == 3


async def test_checkpoints_are_not_made_all_the_time_and_do_not_outlive_their_attempt(
    tmp_path: Path, builds: Builds
) -> None:
    refusing = FunctionGate(
        lambda files, _: ["not good"] if (files / "a.txt").exists() and not (files / "good.txt").exists() else []
    )
    site = make_site(tmp_path, builds, gates=[refusing])
    steps: list[Step] = [Write("a.txt", "1\n"), Save(), Save(), Save()]
    site.agent = ScriptedAgent({("a", 1): steps, ("a", 2): [Write("good.txt", "1\n"), *steps]}, resumes=True)
    build = await site.build(tasks("a"))
    assert build.outcome == "succeeded"
    assert [(kept.attempt, kept.conversation != "") for kept in made(site)] == [(1, True), (2, True)]
    assert [given.resumed for given in site.agent.assignments] == [False, False]


async def test_what_the_dead_life_was_told_after_its_checkpoint_is_told_again(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds)
    site.agent = ScriptedAgent({("a", 0): [Wait(), Save(), Wait(), Sleep(600)]}, resumes=True)
    await site.start(tasks("a"), gates=False)
    early = (await commands.ask(builds, site.clock, site.build_id, commands.SendMessage("before it"))).id
    running = asyncio.create_task(site.run())
    while not made(site):
        await asyncio.sleep(0.01)
    late = (await commands.ask(builds, site.clock, site.build_id, commands.SendMessage("after it"))).id
    while site.kinds().count("message.delivered") < 2:
        await asyncio.sleep(0.01)
    site.detach.set()
    await running
    site.detach = asyncio.Event()
    site.agent = ScriptedAgent({("a", 0): [Wait(), Save(), Wait(), Write("b.txt")]}, resumes=True)
    build = await site.run()
    assert [message.id for message in site.agent.heard] == [late]
    receipts = [recorded.event for recorded in site.journal if isinstance(recorded.event, e.MessageDelivered)]
    assert [receipt.id for receipt in receipts] == [early, late]
    assert build.task("a").heard == ()
