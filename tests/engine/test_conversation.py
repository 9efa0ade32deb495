"""What the user says is not lost with the process of the agent that heard it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from buildwright.core import event as e
from buildwright.engine import commands
from buildwright.ports import Builds
from tests.adapters.scripted_agent import Fail, Sleep, Wait, Write
from tests.engine.harness import Script, make_site, tasks


async def test_an_attempt_that_begins_again_is_told_again_and_signs_once(tmp_path: Path, builds: Builds) -> None:
    """The receipt is in the journal, but the agent that signed it was ended before it could act on the word."""
    site = make_site(tmp_path, builds, {("a", 1): [Wait(), Sleep(60)]})
    await site.start(tasks("a"), gates=False)
    word = (await commands.ask(builds, site.clock, site.build_id, commands.SendMessage("be careful", "a"))).id
    running = asyncio.create_task(site.run())
    async with asyncio.timeout(20):
        while "message.delivered" not in site.kinds():
            await asyncio.sleep(0.01)
    site.detach.set()
    await running

    site.detach = asyncio.Event()
    again: Script = {("a", 1): [Wait(), Write("a.txt")]}
    site.agent = make_site(tmp_path / "again", builds, again).agent
    async with asyncio.timeout(20):
        build = await site.run()
    assert build.outcome == "succeeded"
    assert [message.text for message in site.agent.heard] == ["be careful"]
    receipts = [r.event.id for r in site.journal if isinstance(r.event, e.MessageDelivered)]
    assert receipts == [word]


async def test_the_next_attempt_is_not_told_again(tmp_path: Path, builds: Builds) -> None:
    """It is another attempt, with feedback of its own; what holds for it must be said with the retry."""
    site = make_site(tmp_path, builds, {("a", 1): [Wait(), Fail()], ("a", 2): [Write("a.txt")]})
    await site.start(tasks("a"), gates=False)
    await commands.ask(builds, site.clock, site.build_id, commands.SendMessage("be careful"))
    build = await site.run()
    assert build.outcome == "succeeded"
    assert len(site.agent.heard) == 1
    assert build.task("a").heard == ()
