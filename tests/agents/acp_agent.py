"""A small agent that speaks the Agent Client Protocol, written with its library: it does what its argument says."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import acp
from acp.schema import AgentCapabilities, AuthMethodAgent, Implementation, PermissionOption, ToolCallUpdate

WHAT = sys.argv[1]
TALKS = Path(os.environ["HOME"]) / "talks"


class ScriptedAgent:
    """Turns are told in `talks/ID.txt` below the home, where a later process finds them."""

    conn: Any
    logged_in = False
    session = ""
    cancelled = asyncio.Event()

    def on_connect(self, conn: Any) -> None:
        self.conn = conn

    async def initialize(self, protocol_version: int, **_: Any) -> acp.InitializeResponse:
        return acp.InitializeResponse(
            protocol_version=2 if WHAT == "newer" else protocol_version,
            agent_capabilities=AgentCapabilities(load_session=True),
            agent_info=Implementation(name="scripted", version="1.2.3"),
            auth_methods=[AuthMethodAgent(id="browser", name="Browser"), AuthMethodAgent(id="api-key", name="Key")],
        )

    async def authenticate(self, method_id: str, **_: Any) -> acp.AuthenticateResponse:
        self.logged_in = method_id == "api-key"
        return acp.AuthenticateResponse()

    async def new_session(self, cwd: str, **_: Any) -> acp.NewSessionResponse:
        if WHAT == "login" and not self.logged_in:
            raise acp.RequestError.auth_required()
        self.session = f"talk-{os.getpid()}-0000"
        return acp.NewSessionResponse(session_id=self.session)

    async def load_session(self, cwd: str, session_id: str, **_: Any) -> acp.LoadSessionResponse:
        if not (TALKS / f"{session_id}.txt").is_file():
            raise acp.RequestError.resource_not_found()
        self.session = session_id
        await self.say("told again")
        return acp.LoadSessionResponse()

    async def cancel(self, session_id: str, **_: Any) -> None:
        self.cancelled.set()

    async def prompt(self, session_id: str, prompt: list[Any], **_: Any) -> acp.PromptResponse:
        TALKS.mkdir(exist_ok=True)
        talk = TALKS / f"{session_id}.txt"
        talk.write_text(f"{talk.read_text() if talk.exists() else ''}{prompt[0].text}\n")
        scene = getattr(self, f"do_{WHAT}", None)
        stop = await scene(talk) if scene is not None else None
        return acp.PromptResponse(stop_reason=stop or "end_turn")

    async def say(self, text: str) -> None:
        await self.conn.session_update(self.session, acp.update_agent_message_text(text))

    async def raw(self, text: str) -> None:
        """Write beside the library."""
        await asyncio.sleep(0.05)
        print(text, flush=True)

    async def do_work(self, talk: Path) -> None:
        await self.conn.session_update(self.session, acp.update_agent_thought_text("hm"))
        await self.say("I write")
        await self.say(" it.\n")
        Path("new.txt").write_text("x\n")
        await self.conn.session_update(
            self.session,
            acp.start_tool_call("t1", "new.txt", kind="edit", content=[acp.tool_diff_content("new.txt", "x")]),
        )
        await self.conn.session_update(self.session, acp.update_tool_call("t1", status="completed"))
        given = {"command": ["make", "all of it"]}
        await self.conn.session_update(self.session, acp.start_tool_call("t2", "make", kind="execute", raw_input=given))
        await self.conn.session_update(
            self.session, acp.update_tool_call("t2", status="failed", raw_output={"exit_code": 2})
        )
        await self.say(f"I was told: {talk.read_text()}")

    async def do_reach(self, talk: Path) -> None:
        """Ask for a place that it may not reach, by a program, and tell what came of it."""
        curl = await asyncio.create_subprocess_exec("curl", "-sS", "https://far.invalid/", stderr=subprocess.PIPE)
        _, said = await curl.communicate()
        await self.say(f"{curl.returncode}: {said.decode()}")

    async def do_stop(self, talk: Path) -> str:
        await self.say("So far.")
        if sys.argv[2] == "unknown":
            self.conn = None
            os.write(1, b'{"jsonrpc":"2.0","id":2,"result":{"stopReason":"bored"}}\n')
            await asyncio.sleep(3600)
        return sys.argv[2]

    async def do_error(self, talk: Path) -> None:
        raise acp.RequestError(-32603, "Internal error", {"details": "the model said 500"})

    async def do_permission(self, talk: Path) -> None:
        call = ToolCallUpdate(tool_call_id="t1", title="write", kind="edit")
        kinds: dict[str, Any] = {"always": "allow_always", "once": "allow_once", "no": "reject_once"}
        every: Any = [PermissionOption(option_id=one, name=one, kind=kind) for one, kind in kinds.items()]
        answers = [await self.conn.request_permission(self.session, call, some) for some in (every, every[2:])]
        told = [getattr(answer.outcome, "option_id", answer.outcome.outcome) for answer in answers]
        for ask in (
            self.conn.read_text_file(self.session, "/etc/passwd"),
            self.conn.write_text_file(self.session, "/tmp/x", "x"),
            self.conn.create_terminal(self.session, "id"),
        ):
            try:
                told.append(f"got {await ask}")
            except acp.RequestError as error:
                told.append(str(error))
        await self.say(", ".join(told))

    async def do_crash(self, talk: Path) -> None:
        await self.say("So far.")
        await asyncio.sleep(0.1)
        print("what was wrong", file=sys.stderr, flush=True)
        os._exit(7)

    async def do_garbage(self, talk: Path) -> None:
        for line in (
            "not json",
            "[1]",
            "7",
            '{"id": {}, "result": 1}',
            '{"id": 5, "error": 5}',
            "[" * 20_000,
            '{"method": 1}',
        ):
            await self.raw(line)
        update = f'{{"sessionId": "{self.session}", "update": {{"sessionUpdate": "new_kind"}}}}'
        await self.raw(f'{{"jsonrpc": "2.0", "method": "session/update", "params": {update}}}')
        await self.raw('{"jsonrpc": "2.0", "method": "_own/news", "params": {}}')
        await self.say("Done.")

    async def do_background(self, talk: Path) -> None:
        await self.conn.session_update(
            self.session, acp.start_tool_call("t1", "slow", kind="execute", status="in_progress")
        )
        if sys.argv[2] == "ends":
            self.later = asyncio.create_task(self.finish())

    async def finish(self) -> None:
        await asyncio.sleep(1)
        Path("late.txt").write_text("x\n")
        await self.conn.session_update(self.session, acp.update_tool_call("t1", status="completed"))

    async def do_stubborn(self, talk: Path) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, 1); time.sleep(3600)"])
        await self.say("I sleep.")
        await asyncio.sleep(3600)

    async def do_polite(self, talk: Path) -> str:
        await self.say("I sleep.")
        await self.cancelled.wait()
        Path("cancelled.txt").touch()
        return "cancelled"


if WHAT == "mute":
    sys.exit("I speak nothing of the kind.")
asyncio.run(acp.run_agent(ScriptedAgent()))  # type: ignore[arg-type]
