"""An agent that plays a script of writes, words, failures and pauses per (task, attempt). Must never run a command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple, TypeAlias, assert_never

from buildwright.confined_fs import delete_beneath, write_beneath
from buildwright.core.activity import Activity, FailureKind, Finished, Heard, Said, Saved, UsedTokens, Wrote
from buildwright.core.paths import check_path, is_protected
from buildwright.errors import AgentFailed, UnsafePath
from buildwright.ports import Assignment, Message


class Write(NamedTuple):
    """Write a file of the lane."""

    path: str
    content: str = "written by the scripted agent\n"
    executable: bool | None = None


class Delete(NamedTuple):
    """Delete a file of the lane."""

    path: str


class Say(NamedTuple):
    """Say something."""

    text: str


class Sleep(NamedTuple):
    """Work for so many seconds; messages are heard meanwhile."""

    seconds: float


class Wait(NamedTuple):
    """Work until the next message comes (for ever, if none does)."""


class Spend(NamedTuple):
    """Use tokens."""

    input_tokens: int = 1_000
    output_tokens: int = 100
    model: str = "scripted"
    cost_usd: str | None = "0.01"


class Save(NamedTuple):
    """Say that the attempt could go on from here. Resumed, it goes on with the steps after this one."""


class Fail(NamedTuple):
    """End the attempt with this failure."""

    kind: FailureKind = "crashed"
    summary: str = "The script says so."


class Refuse(NamedTuple):
    """Raise AgentFailed, as an agent that cannot even start."""

    message: str = "The script says so."


_Played: TypeAlias = Write | Delete | Say | Sleep | Wait | Spend | Fail | Refuse
Step: TypeAlias = _Played | Save


class ScriptedAgent:
    """Plays the steps for (task id, attempt); else those for (task id, 0), which stand for every attempt.

    A task without a script writes `<task id>.txt`. With `resumes` it goes on from its checkpoints, too. `assignments` keeps
    what it was given, in order.
    """

    name = "scripted"
    touches_files = True
    uses_model: Literal["always", "if given", "never"] = "never"

    def __init__(
        self, script: Mapping[tuple[str, int], Sequence[Step]] | None = None, *, resumes: bool = False
    ) -> None:
        self.resumes = resumes
        self._script = dict(script or {})
        self.assignments: list[Assignment] = []
        self.heard: list[Message] = []

    async def run(self, assignment: Assignment, inbox: asyncio.Queue[Message]) -> AsyncIterator[Activity]:
        """See `ports.Agent`. Raises AgentFailed where the script says `Refuse`, UnsafePath for a path out of the lane."""
        self.assignments.append(assignment)
        task = assignment.task.id
        steps = self._script.get(
            (task, assignment.attempt), self._script.get((task, 0), (Write(f"{task}.txt", f"{task}\n"),))
        )
        played = int(assignment.conversation) if assignment.resumed else 0
        conversation = f"{assignment.conversation}{assignment.attempt};"
        for number, step in enumerate(steps[played:], played + 1):
            if isinstance(step, Save):
                yield Saved(conversation=str(number))
                continue
            activity = await self._play(step, assignment, inbox)
            if activity is not None:
                yield activity
            if isinstance(activity, Finished):
                return
            if not inbox.empty():
                yield self._hear([inbox.get_nowait() for _ in range(inbox.qsize())])
        yield Finished(ok=True, summary=f"played {len(steps)} steps", conversation=conversation)

    async def _play(self, step: _Played, assignment: Assignment, inbox: asyncio.Queue[Message]) -> Activity | None:
        match step:
            case Write(path, content, executable):
                checked = _checked(path, assignment)
                write_beneath(assignment.lane, checked, content.encode(), executable)
                return Wrote(path=checked, size_bytes=len(content.encode()))
            case Delete(path):
                checked = _checked(path, assignment)
                delete_beneath(assignment.lane, checked)
                return Wrote(path=checked, size_bytes=0, deleted=True)
            case Say(text):
                return Said(text=text)
            case Sleep(seconds):
                await asyncio.sleep(seconds)
                return None
            case Wait():
                return self._hear([await inbox.get()])
            case Spend(input_tokens, output_tokens, model, cost):
                return UsedTokens(
                    model=model,
                    input_tokens=input_tokens,
                    output_tokens=output_tokens,
                    cost_usd=None if cost is None else Decimal(cost),
                )
            case Fail(kind, summary):
                return Finished(ok=False, failure=kind, summary=summary, conversation=assignment.conversation)
            case Refuse(message):
                raise AgentFailed(message, fix="Change the script.")
            case _:
                assert_never(step)

    def _hear(self, messages: list[Message]) -> Heard:
        self.heard += messages
        return Heard(message_ids=tuple(message.id for message in messages))


def _checked(path: str, assignment: Assignment) -> str:
    checked = check_path(path)
    why = is_protected(checked, assignment.protected, assignment.allow, assignment.task.files_expected)
    if why is not None:
        raise UnsafePath(f"{checked} is protected: {why}.")
    return checked
