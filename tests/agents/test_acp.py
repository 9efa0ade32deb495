"""Agents by the Agent Client Protocol: a small one that misbehaves as told, and real ones against a cassette."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from shutil import copyfile

import psutil
import pytest

from buildwright.agents.acp import AcpAgent, introduce
from buildwright.agents.acp_agents import KNOWN_AGENTS, KnownAgent
from buildwright.agents.session_files import KeptConversation, restore
from buildwright.core.activity import Activity, Heard, Ran, Said, Warned, Wrote
from buildwright.core.limits import Limits
from buildwright.errors import AgentFailed, BadSettings
from buildwright.gateway import LocalGateway
from buildwright.ports import Assignment, ModelEndpoint
from buildwright.sandbox import Bubblewrap, NoSandbox
from tests.agents.conftest import Assign
from tests.agents.installed import FULL, programs
from tests.agents.test_kinds import KILLS_ALL, tool_of
from tests.agents.test_programs import WRITES, elsewhere, finish, gateway, git, play, script, scripted

__all__ = ["gateway"]

PATH = os.environ["PATH"]
SCRIPT = Path(__file__).with_name("acp_agent.py")


def small(*words: str, silence: float = 60) -> AcpAgent:
    return AcpAgent(f"acp:{shlex.join((sys.executable, str(SCRIPT), *words))}", NoSandbox(), PATH, silence=silence)


def text(out: list[Activity]) -> str:
    return "".join(
        activity.text if activity.more else f"{activity.text}\n" for activity in out if isinstance(activity, Said)
    )


async def test_its_work_is_told_and_a_later_process_goes_on_with_its_conversation(
    assign: Assign, tmp_path: Path
) -> None:
    out = await play(small("work"), assign(), "use tabs")
    assert text(out).startswith("(thinks) hm\nI write it.\n")
    assert [activity.path for activity in out if isinstance(activity, Wrote)] == ["new.txt", "new.txt"]
    ran = next(activity for activity in out if isinstance(activity, Ran))
    assert (ran.command, ran.exit_code) == ("make 'all of it'", 2)
    assert [activity.message_ids for activity in out if isinstance(activity, Heard)] == [("m0",)]
    assert finish(out).ok
    assert finish(out).summary == "I was told: Do it.\nThe user says: use tabs"
    for folder in ("lane", "home"):
        (tmp_path / "second" / folder).mkdir(parents=True)
    again = assign(
        lane=tmp_path / "second/lane",
        home=tmp_path / "second/home",
        conversation=finish(out).conversation,
        feedback="mend",
    )
    out = await play(small("work"), again)
    assert finish(out).summary == "I was told: Do it.\nThe user says: use tabs\nmend"
    assert "told again" not in text(out)
    # What it cannot load it begins anew, with the whole task.
    kept = json.loads(again.conversation)
    lost = replace(again, conversation=json.dumps({**kept, "session": "another-talk-1", "files": {}}))
    out = await play(small("work"), lost)
    assert any(isinstance(activity, Warned) and "starts without it" in activity.text for activity in out)
    assert finish(out).summary == "I was told: Do it.\n\nmend"


async def test_in_a_box_what_it_may_not_reach_is_told(assign: Assign) -> None:
    denied: list[str] = []
    assignment = assign(on_denied=denied.append, door=ModelEndpoint("http://127.0.0.1:9999", "token"))
    copyfile(SCRIPT, assignment.lane / SCRIPT.name)
    agent = AcpAgent(f"acp:{sys.executable} {SCRIPT.name} reach", Bubblewrap(), PATH)
    out = await play(agent, assignment)
    assert finish(out).ok, out
    assert denied == ["far.invalid:443"]
    assert text(out).startswith("56: "), "what the proxy refuses ends curl with this code"


async def test_every_end_of_a_turn_has_its_kind(assign: Assign) -> None:
    kinds = {
        ("stop", "refusal"): "refused",
        ("stop", "max_tokens"): "output_limit",
        ("stop", "max_turn_requests"): "request_limit",
        ("stop", "cancelled"): "crashed",
        ("stop", "unknown"): "crashed",
        ("error",): "crashed",
        ("crash",): "crashed",
    }
    ends = await asyncio.gather(*(play(small(*words), assign()) for words in kinds))
    for (words, kind), out in zip(kinds.items(), ends, strict=True):
        finished = finish(out)
        assert (words, finished.ok, finished.failure) == (words, False, kind)
        if words == ("error",):
            assert "the model said 500" in finished.summary
        if words == ("crash",):
            assert finished.summary.endswith("It ended with exit code 7. what was wrong")


async def test_its_time_is_limited_whatever_it_does(assign: Assign) -> None:
    limited = assign(limits=Limits(task_seconds=1))
    assert finish(await play(small("stubborn"), limited)).failure == "timeout"


async def test_permission_is_given_once_and_nothing_else_is_offered(assign: Assign) -> None:
    out = await play(small("permission"), assign())
    assert text(out).strip() == "once, cancelled, Method not found, Method not found, Method not found"


async def test_lines_that_are_no_messages_do_no_harm(assign: Assign, capfd: pytest.CaptureFixture[str]) -> None:
    out = await play(small("garbage"), assign())
    assert finish(out).ok
    assert text(out) == "Done."
    assert len([activity for activity in out if isinstance(activity, Warned)]) == 7
    assert capfd.readouterr().err == ""


async def test_a_command_that_goes_on_after_the_turn_is_waited_for(assign: Assign) -> None:
    assignment = assign()
    out = await play(small("background", "ends"), assignment)
    assert finish(out).ok
    assert (assignment.lane / "late.txt").exists()
    assert [activity.command for activity in out if isinstance(activity, Ran)] == ["slow"]
    out = await play(small("background", "never", silence=0.5), assignment)
    assert finish(out).ok
    assert any(isinstance(activity, Warned) and "still ran" in activity.text for activity in out)


async def listen(agent: AcpAgent, assignment: Assignment, said: asyncio.Event) -> None:
    async for activity in agent.run(assignment, asyncio.Queue()):
        if isinstance(activity, Said):
            said.set()


async def test_an_interrupt_asks_and_then_ends_all(assign: Assign) -> None:
    for scene, politely in (("polite", True), ("stubborn", False)):
        assignment = assign()
        before = set(psutil.Process().children(recursive=True))
        said = asyncio.Event()
        running = asyncio.create_task(listen(small(scene), assignment, said))
        await said.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert (assignment.lane / "cancelled.txt").exists() or not politely
        left = set(psutil.Process().children(recursive=True)) - before
        assert {process for process in left if process.status() != psutil.STATUS_ZOMBIE} == set()


async def test_it_logs_in_with_its_key_and_tells_its_version(assign: Assign, tmp_path: Path) -> None:
    assert finish(await play(small("login"), assign())).ok
    command = f"acp:{sys.executable} {SCRIPT} work"
    assert await introduce(command, NoSandbox(), PATH, tmp_path) == ("1.2.3", True)


async def test_what_cannot_begin_is_named(assign: Assign) -> None:
    for agent, said in (
        (small("mute"), "ended with exit code 1. Its last words: I speak nothing of the kind."),
        (small("newer"), "version 2 of the protocol"),
        (AcpAgent("acp:no-such-agent --acp", NoSandbox(), PATH), "no-such-agent is not installed"),
    ):
        with pytest.raises(AgentFailed, match=said):
            await play(agent, assign())
    with pytest.raises(AgentFailed, match="no access"):
        await play(small("work"), assign(door=None))
    for wrong in ("acp:", "acp:'"):
        with pytest.raises(BadSettings):
            AcpAgent(wrong, NoSandbox(), PATH)


@pytest.mark.parametrize("laid", ["", "start", "tmp"])
async def test_it_hands_its_conversation_over_by_the_interpreter_that_it_was_installed_for(
    assign: Assign, tmp_path: Path, laid: str
) -> None:
    works = shlex.join((sys.executable, str(SCRIPT), "work"))
    spoils = f'rm -r "$HOME/{laid}"; ln -s /etc/hostname "$HOME/{laid}"; ' if laid else ""
    new = f'#!/bin/sh\ncase "$2" in export) echo "new $3";; *) {spoils}exec {works};; esac\n'
    for folder, text in (("old", "#!/bin/sh\necho old\n"), ("new", new)):
        script(tmp_path / folder / "no-node", text)
    script(tmp_path / "new" / "opencode", "#!/usr/bin/env no-node\n")
    assignment = assign(env={"PATH": f"{tmp_path}/old:/usr/bin:/bin"})
    out = await play(AcpAgent("acp:opencode acp", NoSandbox(), f"{tmp_path}/new:/usr/bin:/bin"), assignment)
    assert finish(out).ok, out
    kept = finish(out).conversation
    if laid:
        assert kept is None, "what does not work out only costs the conversation"
    else:
        assert kept is not None
        told = KeptConversation.model_validate_json(kept)
        assert told.files == {"talk.json": f"new {told.session}\n"}


REAL = [each for each in KNOWN_AGENTS if FULL or each.program == "gemini"]
"""The lightest one runs with all tests, the others by `make agents`."""


MENDS = (
    "  - {when: {contains: mend it, message: 0}, reply: {text: Who are you?}}\n"
    "  - {when: {contains: mend it}, reply: {text: Mended.}}\n"
)


LOST = (
    # Where the answer was lost in a crash, Gemini has both in one message, and opencode puts the second to the result.
    '  - {when: {contains: "Do it.\\nmend it", message: 0}, reply: {text: Mended.}}\n'
    "  - {when: {contains: Do it., turn: 1}, reply: {text: Mended.}}\n"
)


async def mends(agent: AcpAgent, assignment: Assignment, kept: str | None) -> None:
    """The next attempt, in another lane and home, goes on with what was kept."""
    assert kept is not None, "the next attempt would begin anew"
    out = await play(agent, elsewhere(assignment, conversation=kept, feedback="mend it"))
    assert not [activity for activity in out if isinstance(activity, Warned)]
    # Copilot says first that the call of a tool was cut off.
    assert finish(out).summary.endswith("Mended.")


@pytest.mark.parametrize("known", REAL, ids=[each.program for each in REAL])
async def test_a_real_agent(gateway: LocalGateway, assign: Assign, tmp_path: Path, known: KnownAgent) -> None:
    path = f"{programs(known.program)}{os.pathsep}{PATH}"
    agent = AcpAgent(f"acp:{known.command}", Bubblewrap(), path)
    turns = (
        f"{MENDS}"
        "  - {when: {contains: use tabs}, reply: {text: With tabs.}}\n"
        f"  - {{reply: {WRITES}, usage: {{input: 9, output: 4}}}}\n"
    )
    assignment = await scripted(gateway, assign(), turns)
    git(assignment.lane, "init", "--quiet")
    out = await play(agent, assignment, "use tabs")
    assert finish(out).ok, out
    assert finish(out).summary == "With tabs."
    assert (assignment.lane / "new.txt").read_text() == "x\n"
    assert sorted(entry.name for entry in assignment.lane.iterdir()) == [".git", "new.txt"]
    assert "I write it." in text(out)
    (done,) = [activity for activity in out if isinstance(activity, Ran | Wrote)]
    assert "new.txt" in (done.command if isinstance(done, Ran) else done.path)
    assert assignment.door is not None
    assert (9, 4) in [spend[4:6] for spend in gateway.metered(assignment.door)]
    kept = finish(out).conversation
    await mends(agent, assignment, kept)


def test_a_conversation_is_not_restored_under_the_minute_in_which_it_was_begun(assign: Assign) -> None:
    # What Gemini loads in that minute it empties. After a load it has two files, one of them without a word.
    names = (f"chats/session-2026-12-01T12-{minute}-9a003412.jsonl" for minute in (54, 55))
    files = dict(zip(names, ("all that was said", "nothing"), strict=True)) | {"chats/session-9a003412.jsonl": "whole"}
    assignment = assign()
    restore(KeptConversation(session="9a003412", lane="/l", home="/h", files=files), assignment)
    assert {one.name: one.read_text() for one in (assignment.home / "chats").iterdir()} == {
        "session-2000-01-01T00-00-9a003412.jsonl": "all that was said",
        "session-2000-01-01T00-01-9a003412.jsonl": "nothing",
        "session-9a003412.jsonl": "whole",
    }


@pytest.mark.parametrize("known", REAL, ids=[each.program for each in REAL])
async def test_a_real_agent_that_crashed_goes_on_with_its_conversation(
    gateway: LocalGateway, assign: Assign, known: KnownAgent
) -> None:
    path = f"{programs(known.program)}{os.pathsep}{PATH}"
    agent = AcpAgent(f"acp:{known.command}", Bubblewrap(), path)
    tool, key = tool_of(f"acp:{known.command}") or ("", "")
    more = ", is_background: false" if tool == "run_shell_command" else ""
    call = f"{{name: {tool}, input: {{{key}: {json.dumps(KILLS_ALL)}, description: end{more}}}}}"
    assignment = await scripted(gateway, assign(), f"{LOST}{MENDS}  - {{reply: {{tools: [{call}]}}}}\n")
    git(assignment.lane, "init", "--quiet")
    out = await play(agent, assignment)
    assert (finish(out).ok, finish(out).failure) == (False, "crashed"), out
    await mends(agent, assignment, finish(out).conversation)
