"""What every agent must do, whatever program it is: one suite over the direct, claude, shell and scripted agents."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from buildwright.agents.claude import ClaudeAgent
from buildwright.agents.direct import DirectAgent
from buildwright.agents.programs import program
from buildwright.agents.shell import ShellAgent
from buildwright.core.activity import Activity, Finished, Heard, Wrote
from buildwright.core.agents import KNOWN, OURS, OwnAgent
from buildwright.core.limits import Limits, Options
from buildwright.core.task import Task
from buildwright.errors import UnsafePath
from buildwright.ports import Agent, Assignment, Message, ModelEndpoint
from buildwright.sandbox import Bubblewrap, NoSandbox
from buildwright.settings import Settings
from buildwright.wiring.adapters import agent_for
from tests.adapters.scripted_agent import Say, ScriptedAgent, Sleep, Step, Wait, Write
from tests.adapters.scripted_model import ScriptedModel
from tests.agents.fake_messages import Round, Use, serving

PATH = os.pathsep.join((os.environ["PATH"], str(Path(sys.executable).parent)))
NAMES = ["direct", "claude", "claude in a box", "shell", "scripted"]


class Stage(NamedTuple):
    """An agent made to write `path`, to wait for ever, or to listen to a message; and its assignment."""

    agent: Agent
    assignment: Assignment


Make = Callable[..., Any]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Make]:
    """`await stage(name, does, path)`: does is "write", "wait" or "listen"."""
    lane, home = tmp_path / "lane", tmp_path / "home"
    lane.mkdir()
    home.mkdir()
    async with AsyncExitStack() as stack:

        async def make(name: str, does: str, path: str = "new.txt") -> Stage:
            door = ModelEndpoint("http://127.0.0.1:9", "token")
            command = ""
            agent: Agent
            if name == "direct":
                agent = DirectAgent(_model(does, path))
            elif name.startswith("claude"):
                fake = await stack.enter_async_context(serving(_rounds(does, lane, path)))
                door = ModelEndpoint(fake.url, "token")
                agent = ClaudeAgent(NoSandbox() if name == "claude" else Bubblewrap(), PATH)
            elif name == "shell":
                command = _command(does, path)
                agent = ShellAgent(NoSandbox(), PATH)
            else:
                steps: dict[str, tuple[Step, ...]] = {
                    "write": (Write(path, "x\n"),),
                    "wait": (Say("waiting"), Sleep(3600)),
                    "listen": (Wait(), Write(path, "x\n")),
                }
                agent = ScriptedAgent({("T1", 1): steps[does]})
            task = Task(id="T1", title="a task")
            assignment = Assignment("b1", task, 1, lane, home, "Do it.", Limits(), door=door, command=command)
            return Stage(agent, assignment)

        yield make


def _model(does: str, path: str) -> ScriptedModel:
    block = f"=== FILE: {path} ===\nx\n=== END FILE ===\n"
    return ScriptedModel(None) if does == "wait" else ScriptedModel(block, block, block)


def _rounds(does: str, lane: Path, path: str) -> Callable[[int, dict[str, Any]], Round]:
    def answer(turn: int, body: dict[str, Any]) -> Round:
        if does == "wait":
            return ["waiting", Use("Bash", {"command": "python3 -c 'import time; time.sleep(3600)'"})]
        if turn == 0:
            return [Use("Write", {"file_path": f"{lane}/{path}", "content": "x\n"})]
        return ["Done."]

    return answer


def _command(does: str, path: str) -> str:
    write = f"mkdir -p \"$(dirname '{path}')\" && echo x > '{path}'"
    wait = 'while ! test -s "$BUILDWRIGHT_MESSAGES_FILE"; do sleep 0.02; done;'
    return {"write": write, "wait": "echo waiting; sleep 3600", "listen": f"{wait} {write}"}[does]


def descendants() -> set[psutil.Process]:
    return {
        process for process in psutil.Process().children(recursive=True) if process.status() != psutil.STATUS_ZOMBIE
    }


def open_below(directory: Path) -> list[str]:
    """Files below the directory that this process holds open."""
    return [file.path for file in psutil.Process().open_files() if file.path.startswith(str(directory))]


@pytest.mark.parametrize("name", NAMES)
async def test_the_last_activity_is_finished_and_the_only_one(stage: Make, name: str) -> None:
    agent, assignment = await stage(name, "write")
    assert agent.name == name.partition(" ")[0]
    out: list[Activity] = [activity async for activity in agent.run(assignment, asyncio.Queue())]
    assert [isinstance(activity, Finished) for activity in out] == [False] * (len(out) - 1) + [True]
    assert isinstance(out[-1], Finished)
    assert out[-1].ok, out[-1]
    assert (assignment.lane / "new.txt").read_text() == "x\n"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", ["cancel", "close"])
async def test_ending_the_iteration_leaves_no_process_and_no_open_file(stage: Make, name: str, how: str) -> None:
    before = descendants()
    agent, assignment = await stage(name, "wait")
    begun = asyncio.Event()

    async def consume() -> None:
        async with aclosing(agent.run(assignment, asyncio.Queue())) as activities:
            async for _ in activities:
                begun.set()
                if how == "close":
                    return

    task = asyncio.create_task(consume())
    await begun.wait()
    if how == "cancel":
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        await task
    assert descendants() - before == set()
    assert open_below(assignment.lane) + open_below(assignment.home) == []


@pytest.mark.parametrize("name", NAMES)
async def test_messages_are_heard(stage: Make, name: str) -> None:
    agent, assignment = await stage(name, "listen")
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    inbox.put_nowait(Message("m1", "hello"))
    inbox.put_nowait(Message("m2", "again"))
    out: list[Activity] = [activity async for activity in agent.run(assignment, inbox)]
    assert isinstance(out[-1], Finished)
    assert out[-1].ok, out[-1]
    heard = [identity for activity in out if isinstance(activity, Heard) for identity in activity.message_ids]
    assert heard == ["m1", "m2"]


@pytest.mark.parametrize("name", ["direct", "claude", "claude in a box", "scripted"])
@pytest.mark.parametrize("path", ["../out.txt", "link/out.txt", ".git/config", ".vscode/tasks.json"])
async def test_writes_stay_in_the_lane(stage: Make, tmp_path: Path, name: str, path: str) -> None:
    agent, assignment = await stage(name, "write", path)
    outside = tmp_path / "outside"
    outside.mkdir()
    (assignment.lane / "link").symlink_to(outside)
    out: list[Activity] = []
    with suppress(UnsafePath):
        out += [activity async for activity in agent.run(assignment, asyncio.Queue())]
    assert not any(isinstance(activity, Wrote) for activity in out)
    assert list(outside.iterdir()) == []
    assert sorted(each.name for each in tmp_path.iterdir()) == ["home", "lane", "outside"]
    assert [each.name for each in assignment.lane.iterdir()] == ["link"]


@pytest.mark.parametrize("name", KNOWN)
def test_every_agent_of_the_table_can_be_had_by_its_name_and_by_one_of_the_users(tmp_path: Path, name: str) -> None:
    options = Options(agent=name, agents=(OwnAgent(name="mine", agent=name),))
    settings = Settings.load({"HOME": str(tmp_path), "PATH": PATH}, tmp_path)
    for called in (name, "mine"):
        agent = agent_for(options, settings, NoSandbox(), called)
        assert agent.name == name
        assert agent.uses_model in {"always", "if given", "never"}
        assert isinstance(agent.resumes, bool)
        assert agent.touches_files
    assert name in OURS or program(name).name == name
    assert set(OURS) <= {each.partition(" ")[0] for each in NAMES}
