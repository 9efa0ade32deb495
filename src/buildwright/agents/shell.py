"""The agent that is any command: `/bin/sh -c` in the lane, in the sandbox. Must never pass on our own environment."""

from __future__ import annotations

import asyncio
import codecs
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from buildwright.agents.programs.program import door_variables
from buildwright.confined_fs import append_beneath, delete_beneath
from buildwright.core.activity import Activity, Finished, Heard, Said, Warned
from buildwright.errors import AgentFailed, ToolMissing, UnsafePath
from buildwright.ports import Assignment, Command, Completed, Message, Reach, Sandbox
from buildwright.shared_folders import shared_in
from buildwright.time_advice import ended_by

MOST_LINES = 2_000
"""Lines of output passed on as they come; further lines are only counted."""
LONGEST_PIECE = 2_000
"""Characters; a longer line comes in pieces."""
TAIL_BYTES = 4_000
LONGEST_SHOWN = 200
"""Characters of its last line that stand beside the exit code of a command that failed."""


class ShellAgent:
    """Runs `assignment.command`; exit code 0 means done.

    The environment is that of the assignment, PATH (else as given here), `env` (the user's own), HOME, LANG, TMPDIR, CI
    and the following; every file is in the agent's home: BUILDWRIGHT_BUILD_ID, BUILDWRIGHT_TASK_ID, BUILDWRIGHT_ATTEMPT;
    BUILDWRIGHT_PROMPT_FILE (the task and, if any, the feedback); BUILDWRIGHT_FEEDBACK_FILE when there is feedback;
    BUILDWRIGHT_MESSAGES_FILE, to which the user's messages are appended; with a door also ANTHROPIC_BASE_URL,
    ANTHROPIC_API_KEY, OPENAI_BASE_URL, OPENAI_API_KEY, GOOGLE_GEMINI_BASE_URL and GEMINI_API_KEY for it. Standard input
    is empty.
    """

    name = "shell"
    resumes = False
    touches_files = True
    uses_model: Literal["always", "if given", "never"] = "if given"

    def __init__(self, sandbox: Sandbox, path: str, env: Mapping[str, str] | None = None) -> None:
        self._sandbox = sandbox
        self._path = path
        self._env = env or {}

    async def run(self, assignment: Assignment, inbox: asyncio.Queue[Message]) -> AsyncIterator[Activity]:
        """See `ports.Agent`. Raises AgentFailed without a command or when the sandbox has no shell to run it."""
        if not assignment.command.strip():
            raise AgentFailed(
                "The shell agent has no command.", fix="Give one, for example --agent-command './build.sh'."
            )
        files = _prepare(assignment)
        command = Command(
            argv=("/bin/sh", "-c", assignment.command),
            cwd=assignment.lane,
            env=_environment(assignment, {"PATH": self._path, **assignment.env, **self._env}, files),
            seconds=assignment.limits.task_seconds,
            output_bytes=assignment.limits.output_bytes,
            memory_bytes=assignment.limits.memory_bytes,
            disk_bytes=assignment.limits.disk_bytes,
            processes=assignment.limits.processes,
            relays=assignment.door.relays if assignment.door is not None else {},
            reach=assignment.door.reach if assignment.door is not None else Reach(),
            on_refused=assignment.on_denied,
            writable=(assignment.home,),
            shared=shared_in(assignment.lane),
        )
        output = _Output()
        running = asyncio.create_task(self._sandbox.run(command, output.feed))
        try:
            while not running.done():
                messages = await _first_of(running, output.changed, inbox)
                for said in output.take():
                    yield said
                if messages:
                    yield _pass_on(messages, files.messages)
            completed = await running
        except ToolMissing as missing:
            raise AgentFailed(f"The command could not be started: {missing}", fix=missing.fix) from missing
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError, ToolMissing):
                await running
        for said in (*output.take(), *output.rest()):
            yield said
        if output.dropped:
            yield Warned(text=f"{output.dropped} more lines of output are not shown.")
        yield _finished(assignment, completed)


@dataclass(frozen=True, slots=True)
class _Files:
    prompt: Path
    feedback: Path | None
    messages: Path
    temporary: Path


def _prepare(assignment: Assignment) -> _Files:
    home = assignment.home
    whole = assignment.prompt if not assignment.feedback else f"{assignment.prompt}\n\n{assignment.feedback}"
    prompt, messages, temporary = home / "prompt.md", home / "messages.md", home / "tmp"
    _write_private(prompt, whole)
    _write_private(messages, "")
    temporary.mkdir(mode=0o700, exist_ok=True)
    feedback = None
    if assignment.feedback:
        feedback = home / "feedback.md"
        _write_private(feedback, assignment.feedback)
    return _Files(prompt, feedback, messages, temporary)


def _write_private(path: Path, text: str) -> None:
    # An agent before may have laid a link, a pipe or another name of a file there.
    delete_beneath(path.parent, path.name)
    append_beneath(path.parent, path.name, text.encode("utf-8", "replace"))


def _environment(assignment: Assignment, own: Mapping[str, str], files: _Files) -> dict[str, str]:
    env = {
        **own,
        "HOME": str(assignment.home),
        "LANG": "C.UTF-8",
        "TMPDIR": str(files.temporary),
        "CI": "1",
        "BUILDWRIGHT_BUILD_ID": assignment.build_id,
        "BUILDWRIGHT_TASK_ID": assignment.task.id,
        "BUILDWRIGHT_ATTEMPT": str(assignment.attempt),
        "BUILDWRIGHT_PROMPT_FILE": str(files.prompt),
        "BUILDWRIGHT_MESSAGES_FILE": str(files.messages),
    }
    if files.feedback is not None:
        env["BUILDWRIGHT_FEEDBACK_FILE"] = str(files.feedback)
    if assignment.door is not None:
        env |= door_variables(assignment.door)
    return env


@dataclass(slots=True)
class _Output:
    """Splits output into lines, and only counts them after `MOST_LINES`."""

    changed: asyncio.Event = field(default_factory=asyncio.Event)
    dropped: int = 0
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )
    _partial: str = ""
    _lines: deque[Said] = field(default_factory=deque)
    _count: int = 0
    _mid_line: bool = False

    def feed(self, piece: bytes) -> None:
        *lines, self._partial = (self._partial + self._decoder.decode(piece)).split("\n")
        for line in lines:
            self._add(line)
        if len(self._partial) >= LONGEST_PIECE:
            self._add(self._partial, more=True)
            self._partial = ""
        self.changed.set()

    def _add(self, line: str, *, more: bool = False) -> None:
        if not line.strip() and not self._mid_line and not more:
            return
        pieces = [line[start : start + LONGEST_PIECE] for start in range(0, len(line), LONGEST_PIECE)] or [""]
        for number, text in enumerate(pieces, 1):
            self._mid_line = more or number < len(pieces)
            if self._count < MOST_LINES:
                self._count += 1
                self._lines.append(Said(text=text if self._mid_line else f"{text}\n", more=self._mid_line))
            else:
                self.dropped += 1

    def take(self) -> Iterator[Said]:
        self.changed.clear()
        while self._lines:
            yield self._lines.popleft()

    def rest(self) -> Iterator[Said]:
        """Yield the last line, which had no end."""
        if self._partial or self._mid_line:
            self._add(self._partial)
            self._partial = ""
        yield from self.take()


async def _first_of(
    running: asyncio.Task[Completed], changed: asyncio.Event, inbox: asyncio.Queue[Message]
) -> list[Message]:
    """Wait until the command ends, writes, or the user sends a message; return the user's messages."""
    output, message = asyncio.create_task(changed.wait()), asyncio.create_task(inbox.get())
    try:
        await asyncio.wait({running, output, message}, return_when=asyncio.FIRST_COMPLETED)
        messages = [message.result()] if message.done() else []
    finally:
        output.cancel()
        message.cancel()
    while not inbox.empty():
        messages.append(inbox.get_nowait())
    return messages


def _pass_on(messages: list[Message], file: Path) -> Heard | Warned:
    """Append the messages to the file, which the agent may have replaced by anything meanwhile."""
    text = "".join(f"{message.text}\n\n" for message in messages)
    try:
        append_beneath(file.parent, file.name, text.encode("utf-8", "replace"))
    except UnsafePath as error:
        return Warned(text=f"What you said could not be passed on to the agent, which has changed its file: {error}")
    return Heard(message_ids=tuple(message.id for message in messages))


def _finished(assignment: Assignment, completed: Completed) -> Finished:
    tail = completed.output[-TAIL_BYTES:].decode("utf-8", "replace").strip()
    if completed.exit_code == 0:
        return Finished(ok=True, summary=tail)
    if completed.exit_code is None:
        why = f"The command timed out after {assignment.limits.task_seconds:g} s."
        return Finished(ok=False, failure="timeout", summary=f"{why}\n{tail}".strip())
    if completed.limit:
        return Finished(ok=False, failure="crashed", summary=f"{ended_by(completed.limit)}\n{tail}")
    last = tail.rpartition("\n")[2].strip()[:LONGEST_SHOWN]
    why = f"The command exited with {completed.exit_code}{f': {last}' if last else '.'}"
    more = "" if tail == last else tail
    return Finished(ok=False, failure="crashed", summary=f"{why}\n{more}".strip())
