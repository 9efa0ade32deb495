"""Runs a coding agent that is a program of its own: in the lane, in the sandbox, understood by its own event stream.

Nothing that it says of itself is believed: its files are taken from the lane, its tokens and cost come from the gateway.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from buildwright.agents.finding import find, interpreter_of
from buildwright.agents.programs.program import PROMPT, PROMPT_FILE, TAIL, AgentProgram, ProgramPlace, Run
from buildwright.agents.session_files import decode, restore, save
from buildwright.agents.unpacking import Unpacked, unpacked
from buildwright.confined_fs import write_beneath
from buildwright.core.activity import Activity, Finished, Heard, Printed, Ran, Said, Saved, Warned, Wrote
from buildwright.errors import AgentFailed, ToolMissing, UnsafePath
from buildwright.ports import GO_ON, Assignment, Command, Completed, Message, Reach, Sandbox
from buildwright.shared_folders import shared_in
from buildwright.time_advice import ended_by

LONGEST_ARGUMENT = 100_000
"""Bytes; Linux takes 128 KiB in one argument. A longer prompt is put into a file that the argument names."""

_LONGEST_LINE = 16 * 1024 * 1024
_MOST_PLAIN_LINES = 2_000
_SAVES_EVERY = 1.0
"""Seconds from one time on which a conversation is read while its agent works to the next: it may be megabytes."""
EXPORT_SECONDS = 60.0
"""Seconds that a program may take to write its conversation down."""
_READ_PROMPT = 'file=$1; shift; exec "$@" < "$file"'


class ProgramAgent:
    """Drives one `AgentProgram`. `path` is the PATH for it and its tools, `arguments` and `env` are the user's own.

    Below `kept` lies what all attempts share of a program that unpacks itself; None: each attempt unpacks it.
    """

    touches_files = True
    uses_model: Literal["always", "if given", "never"] = "always"

    def __init__(
        self,
        program: AgentProgram,
        sandbox: Sandbox,
        path: str,
        arguments: tuple[str, ...] = (),
        env: dict[str, str] | None = None,
        kept: Path | None = None,
    ) -> None:
        self.name = program.name
        self.resumes = program.session_files is not None
        self._program = program
        self._sandbox = sandbox
        self._path = path
        self._arguments = arguments
        self._env = env or {}
        self._kept = kept
        self._unpacked = Unpacked()

    async def run(self, assignment: Assignment, inbox: asyncio.Queue[Message]) -> AsyncIterator[Activity]:
        """See `ports.Agent`. Raises AgentFailed without a door, or when the program is not installed."""
        program = self._program
        if assignment.door is None:
            raise AgentFailed(
                f"{program.title} has no access to a language model.",
                fix="Set a provider's key (for example OPENAI_API_KEY), or replay a cassette.",
            )
        executable = await asyncio.to_thread(find, program.program, self._path)
        if executable is None:
            raise AgentFailed(f"{program.title} is not installed.", fix=program.install)
        self._unpacked = await unpacked(program, executable, self._sandbox, self._path, self._kept)
        before = decode(assignment.conversation) if assignment.conversation else None
        if before is not None:
            restore(before, assignment)
        elif assignment.conversation:
            yield Warned(text="The conversation of the attempt before cannot be read; this attempt starts without it.")
        elif assignment.feedback and not self.resumes:
            yield Warned(text=f"{program.title} cannot continue a conversation: it begins again, with the findings.")
        run = Run(assignment.lane, before.session if before is not None else "")
        text = first_text(assignment, resumed=before is not None)
        if before is not None and assignment.resumed:
            text = GO_ON
        with leaving_nothing(assignment.lane, program.leaves):
            async with aclosing(self._work(assignment, executable, run, text, inbox)) as activities:
                async for activity in activities:
                    yield activity

    async def _work(
        self, assignment: Assignment, executable: Path, run: Run, text: str, inbox: asyncio.Queue[Message]
    ) -> AsyncGenerator[Activity]:
        """Run turn by turn, as long as the user has something to say; the last activity is `Finished`."""
        goes_on = bool(run.session)
        while True:
            turn = _Turn(self, assignment, executable, run, text)
            async with aclosing(turn.follow(inbox)) as activities:
                async for activity in activities:
                    yield activity
            if goes_on and turn.found(self._program.lost):
                yield Warned(
                    text=f"{self._program.title} does not find its conversation; this attempt starts without it."
                )
                run.session, text, goes_on = "", first_text(assignment, resumed=False), False
                continue
            messages = [*turn.waiting, *waiting_in(inbox)]
            if not turn.is_done or not messages:
                break
            if not self.resumes or not run.session:
                yield Warned(
                    text=f"{self._program.title} cannot be told anything while it works: its next attempt hears it."
                )
                break
            # A program that reads nothing while it works hears the user in a turn of its own.
            text = "\n\n".join(f"The user says: {message.text}" for message in messages)
            yield Heard(message_ids=tuple(message.id for message in messages))
        await self._export(assignment, executable, run)
        yield await asyncio.to_thread(self._finished, assignment, turn, run)

    def command(self, assignment: Assignment, executable: Path, run: Run, text: str) -> Command:
        """Return the command of one turn; its settings and prompt are written to the home."""
        program, home = self._program, assignment.home
        start = program.start(self._place(assignment, executable, run))
        run.session = start.session or run.session
        for path, content in {**start.files, PROMPT_FILE: text}.items():
            # Confined: an earlier turn may have laid links there.
            write_beneath(home, path, content.encode("utf-8", "replace"))
        argv = (*start.argv, *self._arguments)
        if PROMPT in argv:
            short = len(text.encode("utf-8", "replace")) <= LONGEST_ARGUMENT
            said = text if short else f"Your task is in the file {home}/{PROMPT_FILE}. Read all of it, then do it."
            argv = tuple(said if argument == PROMPT else argument for argument in argv)
        else:
            argv = ("/bin/sh", "-c", _READ_PROMPT, "sh", str(home / PROMPT_FILE), *argv)
        return self._in_lane(assignment, executable, argv, start.env)

    def _place(self, assignment: Assignment, executable: Path, run: Run) -> ProgramPlace:
        assert assignment.door is not None
        model = assignment.model or self._program.default_model
        return ProgramPlace(str(executable), assignment.lane, assignment.home, assignment.door, model, run.session)

    def _in_lane(
        self, assignment: Assignment, executable: Path, argv: tuple[str, ...], env: Mapping[str, str]
    ) -> Command:
        env = {"NO_COLOR": "1", "TERM": "dumb", **self._env, **env}
        return lane_command(assignment, argv, (executable, self._path), env, self._unpacked)

    async def _export(self, assignment: Assignment, executable: Path, run: Run) -> None:
        """Have the program write its conversation into the home. What does not work out only costs the conversation."""
        if self._program.own_form is None or not run.session:
            return
        place = self._place(assignment, executable, run)
        argv, env = self._program.own_form.exports(place), self._program.start(place).env
        with suppress(AgentFailed, UnsafePath, OSError):  # it may have laid anything into its home
            command = replace(self._in_lane(assignment, executable, argv, env), seconds=EXPORT_SECONDS)
            await self.start(command, LineOutput())

    async def start(self, command: Command, output: LineOutput) -> Completed:
        """Run the command. Raises AgentFailed when it cannot be started."""
        try:
            return await self._sandbox.run(command, output.feed)
        except ToolMissing as missing:
            raise AgentFailed(f"{self._program.title} could not be started: {missing}", fix=missing.fix) from missing

    def read(self, run: Run, line: bytes) -> Iterator[Activity]:
        """Return what one line of its output tells."""
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if self._program.read is not None and text.startswith("{"):
            try:
                event = json.loads(text)
            except (ValueError, RecursionError):
                event = None
            if isinstance(event, dict):
                yield from self._program.read(run, event)
                return
        if not text.strip():
            return
        if self._program.read is not None:
            yield Printed(text=text[:TAIL])
            return
        if self._program.aside is None or not self._program.aside.search(text):
            run.said = text
        if self._program.fails is not None and self._program.fails.search(text):
            run.trouble = text
        yield Said(text=f"{text[:TAIL]}\n")

    def conversation(self, assignment: Assignment, run: Run) -> str | None:
        """Return the conversation as text to keep; None where there is none, or it is too large."""
        if self._program.session_files is None or not run.session:
            return None
        return save(run.session, self._program.session_files(run.session), assignment)

    @property
    def saves(self) -> bool:
        """Whether its conversation can be kept while it works.

        It has to tell when it has run a command or written, and to lay nothing of its own into the lane: that would be
        the project's in the next life.
        """
        program = self._program
        return program.read is not None and program.own_form is None and not program.leaves

    def _finished(self, assignment: Assignment, turn: _Turn, run: Run) -> Finished:
        kept = self.conversation(assignment, run)
        if turn.is_done:
            return Finished(ok=True, summary=run.said[-TAIL:], conversation=kept)
        if turn.completed is not None and turn.completed.exit_code is None:
            why = f"{self._program.title} timed out after {assignment.limits.task_seconds:g} s."
            return Finished(ok=False, failure="timeout", summary=why, conversation=kept)
        if turn.completed is not None and turn.completed.limit:
            return Finished(ok=False, failure="crashed", summary=ended_by(turn.completed.limit), conversation=kept)
        code = turn.completed.exit_code if turn.completed is not None else None
        why = run.trouble or "\n".join(turn.plain) or run.said
        text = f"{self._program.title} ended with exit code {code}. {why}".strip()
        return Finished(ok=False, failure="crashed", summary=text[-TAIL:], conversation=kept)


@dataclass(slots=True)
class _Turn:
    """One run of the program, from its start to its end."""

    agent: ProgramAgent
    assignment: Assignment
    executable: Path
    run: Run
    text: str
    completed: Completed | None = None
    waiting: list[Message] = field(default_factory=list)
    """What the user said meanwhile."""
    plain: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    """The end of what it wrote beside its events."""
    _plain_count: int = 0
    _next_save: float = 0.0
    _is_ahead: bool = False
    """Whether it has changed something since its conversation was last kept."""

    @property
    def is_done(self) -> bool:
        """Whether it says that it has done its work."""
        return self.completed is not None and self.completed.exit_code == 0 and not self.run.trouble

    def found(self, pattern: re.Pattern[str] | None) -> bool:
        """Whether it has failed with words like these."""
        return pattern is not None and not self.is_done and any(pattern.search(text) for text in self.plain)

    async def follow(self, inbox: asyncio.Queue[Message]) -> AsyncGenerator[Activity]:
        """Start it and yield what it tells until its end."""
        self.run.trouble = ""
        command = await asyncio.to_thread(self.agent.command, self.assignment, self.executable, self.run, self.text)
        command = replace(command, on_refused=self.assignment.on_denied)
        output = LineOutput()
        running = asyncio.create_task(self.agent.start(command, output))
        try:
            while not running.done():
                changed = asyncio.create_task(output.changed.wait())
                try:
                    await asyncio.wait({running, changed}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    changed.cancel()
                async for activity in self._told(output):
                    yield activity
            self.completed = await running
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError, AgentFailed):
                await running
        output.end()
        async for activity in self._told(output):
            yield activity
        self.waiting = waiting_in(inbox)

    async def _told(self, output: LineOutput) -> AsyncGenerator[Activity]:
        for line in output.take():
            now = asyncio.get_running_loop().time()
            if self._is_ahead and self.agent.saves and now >= self._next_save:
                self._next_save = now + _SAVES_EVERY
                # At the line after, because a program may tell what it did before it writes that down. The lane, which
                # is looked at later, may be ahead of the conversation, as after a crash, and never behind it.
                kept = await asyncio.to_thread(self.agent.conversation, self.assignment, self.run)
                self._is_ahead = False
                if kept is not None:
                    yield Saved(conversation=kept)
            for activity in self.agent.read(self.run, line):
                if isinstance(activity, Printed | Said) and not line.startswith(b"{"):
                    self.plain.append(activity.text.strip())
                    self._plain_count += 1
                    if self._plain_count > _MOST_PLAIN_LINES:
                        continue
                self._is_ahead = self._is_ahead or isinstance(activity, Ran | Wrote)
                yield activity


@dataclass(slots=True)
class LineOutput:
    """Splits output into lines. One that has no end is given up, so that it does not fill the memory."""

    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _lines: deque[bytes] = field(default_factory=deque)
    _partial: bytearray = field(default_factory=bytearray)

    def feed(self, piece: bytes) -> None:
        self._partial += piece
        if b"\n" in piece:
            *lines, rest = bytes(self._partial).split(b"\n")
            self._lines.extend(lines)
            self._partial = bytearray(rest)
        elif len(self._partial) > _LONGEST_LINE:
            self._partial.clear()
        self.changed.set()

    def end(self) -> None:
        if self._partial:
            self._lines.append(bytes(self._partial))
            self._partial.clear()

    def take(self) -> Iterator[bytes]:
        self.changed.clear()
        while self._lines:
            yield self._lines.popleft()


def first_text(assignment: Assignment, *, resumed: bool) -> str:
    """Return what the agent is told first; only the feedback when it goes on with its conversation."""
    if resumed and assignment.feedback:
        return assignment.feedback
    return "\n\n".join(part for part in (assignment.prompt, assignment.feedback) if part)


@contextmanager
def leaving_nothing(lane: Path, patterns: tuple[str, ...]) -> Iterator[None]:
    """Take away what an agent has left for itself at the top of the lane under one of these names."""
    own = {path for pattern in patterns for path in lane.glob(pattern)}
    try:
        yield
    finally:
        for path in {path for pattern in patterns for path in lane.glob(pattern)} - own:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def lane_command(
    assignment: Assignment, argv: tuple[str, ...], found: tuple[Path, str], env: Mapping[str, str], parts: Unpacked
) -> Command:
    """Return the command that runs a program in the lane: with its home, its limits, and the gateway alone to reach.

    `found` is the program and the PATH for it. What it runs finds the tools that the project's checks find, first.
    """
    home, limits = assignment.home, assignment.limits
    (home / "tmp").mkdir(mode=0o700, exist_ok=True)
    program, path = found
    path = f"{program.parent}:{path}"
    of_checks = assignment.env.get("PATH", "")
    path_inside = os.pathsep.join(dict.fromkeys(filter(None, f"{of_checks}:{path}".split(os.pathsep))))
    start = _start_of(program, path, path_inside, home)
    own = {"HOME": str(home), "LANG": "C.UTF-8", "TMPDIR": str(home / "tmp")}
    return Command(
        argv=tuple(start if word == str(program) else word for word in argv),
        cwd=assignment.lane,
        env={**assignment.env, "PATH": path_inside, **env, **parts.env, **own},
        seconds=limits.task_seconds,
        output_bytes=limits.output_bytes,
        memory_bytes=limits.memory_bytes,
        disk_bytes=limits.disk_bytes,
        processes=limits.processes,
        relays=assignment.door.relays if assignment.door is not None else {},
        reach=assignment.door.reach if assignment.door is not None else Reach(),
        writable=(home,),
        readable=parts.folders,
        shared=shared_in(assignment.lane),
    )


def _start_of(program: Path, path: str, path_inside: str, home: Path) -> str:
    """Return what starts the program: itself, or a script in the home where `path_inside` has another interpreter for it.

    The interpreter on its own `path` is the one that it was installed for; the project may have pinned an older one.
    """
    name, *options = interpreter_of(program) or ("",)
    own = shutil.which(name, path=path) if name else None
    if own is None or shutil.which(name, path=path_inside) == own:
        return str(program)
    script = f'#!/bin/sh\nexec {shlex.join((own, *options, str(program)))} "$@"\n'
    write_beneath(home, f"start/{program.name}", script.encode(), executable=True)
    return str(home / "start" / program.name)


def waiting_in(inbox: asyncio.Queue[Message]) -> list[Message]:
    """Take what the user has said meanwhile."""
    found = []
    while not inbox.empty():
        found.append(inbox.get_nowait())
    return found
