"""Any agent that speaks the Agent Client Protocol, version 1, over its standard input and output.

The program runs in the sandbox, and the library `agent-client-protocol` talks with it through two pipes. Nothing that
it says of itself is believed: its files are taken from the lane, its tokens and cost come from the gateway. It is
offered no files and no terminals of ours: it reads, writes and runs by itself, inside its walls.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Literal

from buildwright.agents.acp_agents import PREFIX, known_agent, own_form, settings_of
from buildwright.agents.acp_talk import EXAMPLE, PATIENCE, Talk
from buildwright.agents.acp_wire import AgentWire, RunningAgent
from buildwright.agents.finding import find
from buildwright.agents.program_agent import EXPORT_SECONDS, first_text, lane_command, leaving_nothing, waiting_in
from buildwright.agents.programs import program
from buildwright.agents.programs.program import TAIL, ProgramPlace, Start
from buildwright.agents.session_files import KeptConversation, decode, restore, save
from buildwright.agents.unpacking import Unpacked, unpacked
from buildwright.confined_fs import write_beneath
from buildwright.core.activity import Activity, Finished, Heard, Warned
from buildwright.core.model_names import DEFAULT_MODEL
from buildwright.errors import AgentFailed, BadSettings, ToolMissing, UnsafePath
from buildwright.ports import Assignment, Command, Message, Reach, Sandbox

_SILENCE = 60.0
"""Seconds without a word after which a command that still runs at the end of a turn is given up."""


def command_words(agent: str) -> list[str]:
    """Return the words of the command in `acp:COMMAND`. Raises BadSettings when there is none."""
    try:
        words = shlex.split(agent.removeprefix(PREFIX))
    except ValueError as error:
        raise BadSettings(
            f"the command of the agent {agent!r} cannot be read: {error}", fix=f"write it like --agent '{EXAMPLE}'"
        ) from error
    if not words:
        raise BadSettings(f"the agent {agent!r} has no command", fix=f"write it like --agent '{EXAMPLE}'")
    return words


class AcpAgent:
    """Drives the program of `acp:COMMAND`. `path` is the PATH for it and its tools, `env` are the user's own variables.

    Below `kept` lies what all attempts share of a program that unpacks itself.
    `silence`: seconds without a word after which a command that still runs at the end of a turn is given up.
    """

    name = "acp"
    resumes = True
    touches_files = True
    uses_model: Literal["always", "if given", "never"] = "always"

    def __init__(
        self,
        agent: str,
        sandbox: Sandbox,
        path: str,
        env: Mapping[str, str] | None = None,
        *,
        silence: float = _SILENCE,
        kept: Path | None = None,
    ) -> None:
        self._silence = silence
        self._words = command_words(agent)
        self._sandbox = sandbox
        self._path = path
        self._env = env or {}
        self._kept = kept
        self._known = known_agent(self._words)
        self._own_form = own_form(self._known, self._words)

    async def run(self, assignment: Assignment, inbox: asyncio.Queue[Message]) -> AsyncIterator[Activity]:
        """See `ports.Agent`. Raises AgentFailed without a door, or when the program does not begin a conversation."""
        title = self._title
        if assignment.door is None:
            raise AgentFailed(
                f"{title} has no access to a language model.",
                fix="Set a provider's key (for example ANTHROPIC_API_KEY), or replay a cassette.",
            )
        executable = await asyncio.to_thread(self._find)
        parts = await self._parts(executable)
        command = await asyncio.to_thread(self._command, assignment, executable, parts)
        before = decode(assignment.conversation) if assignment.conversation else None
        if before is not None:
            restore(before, assignment)
        elif assignment.conversation:
            yield Warned(text="The conversation of the attempt before cannot be read; this attempt starts without it.")
        leaves = self._known.leaves if self._known is not None else ()
        with leaving_nothing(assignment.lane, leaves):
            async with _speaking(self._sandbox, command, title, self._silence) as talk:
                try:
                    async with aclosing(_turns(talk, assignment, before, inbox)) as activities:
                        async for activity in activities:
                            yield activity
                except AgentFailed:
                    if not talk.program.ran_out_of_time:
                        raise
                finally:
                    await talk.end()
            await self._export(assignment, executable, parts, talk.session)
        yield await asyncio.to_thread(self._finished, assignment, talk)

    @property
    def _title(self) -> str:
        return self._known.title if self._known is not None else Path(self._words[0]).name

    @property
    def _default_model(self) -> str:
        return self._known.default_model if self._known is not None else DEFAULT_MODEL

    def _find(self) -> Path:
        """Return the program. Raises AgentFailed when it is not installed."""
        executable = find(self._words[0], self._path)
        if executable is None:
            fix = (
                self._known.install
                if self._known is not None
                else f"Install it, or give its path, as in --agent '{EXAMPLE}'."
            )
            raise AgentFailed(f"{self._words[0]} is not installed.", fix=fix)
        return executable

    async def _parts(self, executable: Path) -> Unpacked:
        if self._known is None or not self._known.like:
            return Unpacked()
        return await unpacked(program(self._known.like), executable, self._sandbox, self._path, self._kept)

    def _command(self, assignment: Assignment, executable: Path, parts: Unpacked) -> Command:
        """Return the command; its settings are written to the home."""
        (assignment.home / "tmp").mkdir(mode=0o700, exist_ok=True)
        for path, content in self._settings(assignment).files.items():
            write_beneath(assignment.home, path, content.encode("utf-8", "replace"))
        first = self._own_form.imports(self._place(assignment, executable, "")) if self._own_form else ()
        return self._in_lane(assignment, executable, (*first, str(executable), *self._words[1:]), parts)

    def _settings(self, assignment: Assignment) -> Start:
        return settings_of(self._known, assignment, assignment.model or self._default_model)

    def _in_lane(self, assignment: Assignment, executable: Path, argv: tuple[str, ...], parts: Unpacked) -> Command:
        env = {**self._env, **self._settings(assignment).env}
        command = lane_command(assignment, argv, (executable, self._path), env, parts)
        return replace(command, on_refused=assignment.on_denied)

    async def _export(self, assignment: Assignment, executable: Path, parts: Unpacked, session: str) -> None:
        """Have the program write its conversation down, if it holds it in a form of its own.

        What does not work out only costs the conversation.
        """
        if self._own_form is None or not _is_name(session):
            return
        argv = self._own_form.exports(self._place(assignment, executable, session))
        with suppress(ToolMissing, UnsafePath, OSError):
            command = await asyncio.to_thread(self._in_lane, assignment, executable, argv, parts)
            await self._sandbox.run(replace(command, seconds=EXPORT_SECONDS))

    def _place(self, assignment: Assignment, executable: Path, session: str) -> ProgramPlace:
        assert assignment.door is not None
        model = assignment.model or self._default_model
        return ProgramPlace(str(executable), assignment.lane, assignment.home, assignment.door, model, session)

    def _finished(self, assignment: Assignment, talk: Talk) -> Finished:
        kept = None
        if talk.can_load and _is_name(one := talk.session):
            # All others name the files of a conversation, or their folder, by its id or the first part of it.
            patterns = (f"**/*{one}*", f"**/*{one}*/**/*", f"**/*-{one[:8]}.json*")
            more = self._known.keeps if self._known is not None else ()
            kept = save(one, self._own_form.files if self._own_form is not None else (*patterns, *more), assignment)
        if talk.failure is None and talk.session:
            return Finished(ok=True, summary=talk.run.said.strip()[-TAIL:], conversation=kept)
        if talk.failure is None or talk.program.ran_out_of_time:
            why = f"{self._title} timed out after {assignment.limits.task_seconds:g} s."
            return Finished(ok=False, failure="timeout", summary=why, conversation=kept)
        kind, why = talk.failure
        return Finished(ok=False, failure=kind, summary=f"{self._title}: {why}"[:TAIL], conversation=kept)


def _is_name(session: str) -> bool:
    """Return whether this names a conversation: it is a word of a pattern and of a command."""
    return re.fullmatch(r"[\w-]{8,100}", session) is not None


async def _turns(
    talk: Talk, assignment: Assignment, before: KeptConversation | None, inbox: asyncio.Queue[Message]
) -> AsyncGenerator[Activity]:
    """Begin, and take turns as long as the user has something to say: a program at work reads nothing."""
    resumed = await talk.begin(os.path.realpath(assignment.lane), before.session if before is not None else "")
    if before is not None and not resumed:
        yield Warned(text=f"{talk.title} cannot continue its conversation; this attempt starts without it.")
    if assignment.model:
        await talk.choose_model(assignment.model)
    text = first_text(assignment, resumed=resumed)
    while True:
        async with aclosing(talk.turn(text)) as activities:
            async for activity in activities:
                yield activity
        messages = waiting_in(inbox)
        if talk.failure is not None or not messages:
            return
        text = "\n\n".join(f"The user says: {message.text}" for message in messages)
        yield Heard(message_ids=tuple(message.id for message in messages))


async def introduce(
    agent: str, sandbox: Sandbox, path: str, home: Path, on_refused: Callable[[str], None] | None = None
) -> tuple[str, bool]:
    """Start the agent in an empty folder; return its version ("" unless it tells one) and whether it loads conversations.

    `on_refused` is told what it asks for and may not reach. Raises AgentFailed when it does not begin to speak.
    """
    words = command_words(agent)
    executable = find(words[0], path)
    if executable is None:
        raise AgentFailed(f"{words[0]} is not installed.")
    env = {"PATH": f"{executable.parent}:{path}", "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8"}
    argv = (str(executable), *words[1:])
    command = Command(argv, home, env, seconds=PATIENCE, reach=Reach(), on_refused=on_refused)
    async with _speaking(sandbox, command, words[0]) as talk:
        await talk.greet()
        return talk.version, talk.can_load


@asynccontextmanager
async def _speaking(sandbox: Sandbox, command: Command, title: str, silence: float = _SILENCE) -> AsyncIterator[Talk]:
    """Yield the talk with a program that is started here. When the context is left, nothing of it is left."""
    # In a thread: it takes a second, and would block the event loop for every other lane.
    await asyncio.to_thread(import_module, "acp.connection")
    program = RunningAgent(sandbox, command)
    reader, writer = await program.start()
    talk = Talk(program, command.cwd, title, silence)
    try:
        talk.connect(AgentWire(reader, writer, talk.stray))
        yield talk
    finally:
        await program.end()
        await talk.disconnect()
