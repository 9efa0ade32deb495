"""Attempts by different agents in one build, through the real engine: each gets only what is its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from buildwright.core.limits import Options
from buildwright.engine.adapters import HiredAgent
from buildwright.engine.held_build import run
from buildwright.ports import Builds
from tests.adapters.scripted_agent import ScriptedAgent, Write
from tests.engine.harness import ONE_PROCESS, FunctionGate, make_site, tasks


@ONE_PROCESS
@pytest.mark.parametrize(("second_after", "circles"), [(2, False), (9, True)])
async def test_a_second_opinion_starts_from_the_head_and_hears_why_the_first_was_refused(
    tmp_path: Path, builds: Builds, second_after: int, circles: bool
) -> None:
    """After so many attempts, or as soon as the first goes in circles."""
    script = {("a", 0): (Write("a.txt", "one\n"),), **({} if circles else {("a", 2): (Write("a.txt", "two\n"),)})}
    agents = {
        "scripted": ScriptedAgent(script, resumes=True),
        "other": ScriptedAgent({("a", 0): (Write("a.txt", "other\n"),)}, resumes=True),
    }
    asked: list[str] = []

    def hire(_options: Options, name: str) -> HiredAgent:
        asked.append(name)
        return HiredAgent(agents[name])

    def judge(files: Path, _judged: object) -> list[str]:
        made = files / "a.txt"
        return ["not good"] if made.exists() and made.read_text() != "other\n" else []

    site = make_site(tmp_path, builds)
    site.gates = [FunctionGate(judge)]
    await site.start(tasks("a"), second_agent="other", second_after=second_after)
    build = await run(replace(site.world(), hire=hire), site.build_id)
    assert build.outcome == "succeeded", build.message
    assert asked == ["scripted", "scripted", "other"]
    one, two = agents["scripted"].assignments
    (three,) = agents["other"].assignments
    assert (one.conversation, two.conversation, three.conversation) == ("", "1;", "")
    assert "not good" in three.feedback
    started = [one.event for one in site.journal if one.event.type == "task.started"]
    assert [(event.attempt, event.agent) for event in started] == [(1, "scripted"), (2, "scripted"), (3, "other")]
    assert ("loop.detected" in site.kinds()) is circles
    assert build.task("a").agent == "other"
