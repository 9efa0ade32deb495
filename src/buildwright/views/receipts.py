"""The way of each message of the user: queued, taken in by whom and at which turn, and what came of it. Pure.

The words that go along when a task is tried again are messages, too: the next attempt at that task begins with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from buildwright.core import event as e
from buildwright.core.build import Build, TaskPhase
from buildwright.core.event import Recorded
from buildwright.core.figures import count
from buildwright.core.record import Record

MessageState = Literal["queued", "delivered", "acted", "lost"]
"""`acted`: an attempt that has heard it has made a change since. `lost`: no agent heard it before the build ended or its
task was given up."""


class TakenIn(Record):
    """An agent that has heard a message."""

    task: str
    attempt: int
    turn: int
    """Which answer of its model came next, from 1: the message was in the request before it."""
    at: datetime
    seq: int
    """Number of the event that says so."""
    changed: tuple[str, ...] = ()
    """Files of the change that this attempt then made."""
    outcome: str
    """What became of the attempt after that, in words."""
    commit: str = ""
    """That landed of it."""
    evidence: str
    """Path of what there is to read about it."""


class MessageReceipt(Record):
    """A message with its way."""

    id: str
    text: str
    task: str
    """"" when it is for all."""
    sent_at: datetime
    seq: int
    state: MessageState
    words: str
    taken_in: tuple[TakenIn, ...] = ()


class Receipts(Record):
    """The messages of a build, oldest first."""

    build: str
    version: int
    messages: tuple[MessageReceipt, ...] = ()
    omitted: int = 0
    """Number of older ones that the limit left out."""


def receipts_of(build: Build, events: Sequence[Recorded], most: int = 1_000) -> Receipts:
    """Return the way of each of the newest messages from the whole journal. O(events * messages that were heard)."""
    all_sent = [one for recorded in events if (one := _sent(recorded)) is not None]
    sent = {one.id: one for one in all_sent[-most:]}
    heard: dict[str, list[TakenIn]] = {}
    turns: dict[tuple[str, int], int] = {}
    begins: dict[str, list[str]] = {}
    for place, recorded in enumerate(events):
        match recorded.event:
            case e.TaskRetried(task=task) | e.UndoRequested(task=task) if (again := _sent(recorded)) is not None:
                begins.setdefault(task, []).append(again.id)
            case e.TaskStarted(task=task) as event:
                for name in begins.pop(task, ()):
                    if name in sent:
                        heard[name] = [_taken_in(build, recorded, event, 1, events[place:])]
            case e.TokensUsed(task=task, attempt=attempt):
                turns[task, attempt] = turns.get((task, attempt), 0) + 1
            case e.MessageDelivered() as event if event.id in sent:
                turn = turns.get((event.task, event.attempt), 0) + 1
                heard.setdefault(event.id, []).append(_taken_in(build, recorded, event, turn, events[place:]))
            case _:
                pass  # is no part of the way of a message
    waiting = {note.id for note in build.notes_to_agents}.union(*begins.values())
    return Receipts(
        build=build.id,
        version=build.version,
        messages=tuple(
            _receipt(build, one, tuple(heard.get(one.id, ())), waits=one.id in waiting) for one in sent.values()
        ),
        omitted=len(all_sent) - len(sent),
    )


class _Sent(NamedTuple):
    """Words of the user in the journal."""

    id: str
    text: str
    task: str
    at: datetime
    seq: int


def _sent(recorded: Recorded) -> _Sent | None:
    """Return the words to agents in an event, if it has some."""
    match recorded.event:
        case e.MessageSent(id=name, text=text, task=task):
            return _Sent(name, text, task, recorded.at, recorded.seq)
        case e.TaskRetried(by="user", task=task, message=text) if text:
            return _Sent(f"retry-{recorded.seq}", text, task, recorded.at, recorded.seq)
        case e.UndoRequested(redo=True, task=task, message=text) if text:
            return _Sent(f"redo-{recorded.seq}", text, task, recorded.at, recorded.seq)
        case _:
            return None


def _receipt(build: Build, sent: _Sent, taken: tuple[TakenIn, ...], *, waits: bool) -> MessageReceipt:
    given_up = bool(sent.task) and build.task(sent.task).phase is TaskPhase.SKIPPED
    state: MessageState = "queued" if waits and not (build.is_terminal or given_up) else "lost"
    words = "No agent heard it before " + ("its task was given up." if given_up else "the build ended.")
    if state == "queued":
        words = "It waits for an agent."
    if taken:
        state = "acted" if any(one.changed for one in taken) else "delivered"
        words = "; ".join(f"{one.task} heard it in attempt {one.attempt} before turn {one.turn}" for one in taken)
        files = len({path for one in taken for path in one.changed})
        words += f"; then {count(files, 'file')} changed." if files else "."
    return MessageReceipt(
        id=sent.id,
        text=sent.text,
        task=sent.task,
        sent_at=sent.at,
        seq=sent.seq,
        state=state,
        words=words,
        taken_in=taken,
    )


def _taken_in(
    build: Build, recorded: Recorded, heard: e.MessageDelivered | e.TaskStarted, turn: int, later: Sequence[Recorded]
) -> TakenIn:
    """Return an agent's receipt, with what became of its attempt."""
    changed, commit, outcome = tuple[str, ...](), "", "It is at work."
    for one in later:
        event = one.event
        if getattr(event, "task", None) != heard.task or getattr(event, "attempt", None) != heard.attempt:
            continue
        match event:
            case e.AgentFinished(patch=patch):
                changed = patch.paths if patch is not None else ()
                outcome = "It has finished." if changed else "It changed nothing."
            case e.AgentBroke(kind=kind):
                outcome = f"It failed: {kind}."
            case e.PatchJudged(verdict=verdict) | e.MergeJudged(verdict=verdict):
                outcome = "Its change has passed the checks." if verdict.ok else "Its change was refused."
            case e.ChangeLanded():
                commit, outcome = event.commit, "Its change has landed."
            case _:
                pass  # tells nothing of its end
    return TakenIn(
        task=heard.task,
        attempt=heard.attempt,
        turn=turn,
        at=recorded.at,
        seq=recorded.seq,
        changed=changed,
        outcome=outcome,
        commit=commit,
        evidence=f"/api/builds/{build.id}/why/{heard.task}",
    )
