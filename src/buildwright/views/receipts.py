"""The way of each message of the user: queued, taken in by whom and at which turn, and what came of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from buildwright.core import event as e
from buildwright.core.build import Build
from buildwright.core.event import Recorded
from buildwright.core.record import Record

MessageState = Literal["queued", "delivered", "acted", "lost"]
"""`acted`: an attempt that has heard it has made a change since. `lost`: the build ended before an agent heard it."""


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
    all_sent = [one.event.id for one in events if isinstance(one.event, e.MessageSent)]
    wanted = set(all_sent[-most:])
    sent: dict[str, tuple[Recorded, e.MessageSent]] = {}
    heard: dict[str, list[TakenIn]] = {}
    turns: dict[tuple[str, int], int] = {}
    for place, recorded in enumerate(events):
        match recorded.event:
            case e.MessageSent() as event if event.id in wanted:
                sent[event.id] = (recorded, event)
            case e.TokensUsed(task=task, attempt=attempt):
                turns[task, attempt] = turns.get((task, attempt), 0) + 1
            case e.MessageDelivered() as event if event.id in wanted:
                turn = turns.get((event.task, event.attempt), 0) + 1
                heard.setdefault(event.id, []).append(_taken_in(build, recorded, event, turn, events[place:]))
            case _:
                pass  # is no part of the way of a message
    waiting = {note.id for note in build.notes_to_agents}
    return Receipts(
        build=build.id,
        version=build.version,
        messages=tuple(
            _receipt(
                recorded, event, tuple(heard.get(event.id, ())), waits=event.id in waiting, ended=build.is_terminal
            )
            for recorded, event in sent.values()
        ),
        omitted=len(all_sent) - len(sent),
    )


def _receipt(
    recorded: Recorded, event: e.MessageSent, taken: tuple[TakenIn, ...], *, waits: bool, ended: bool
) -> MessageReceipt:
    state: MessageState = "queued" if waits and not ended else "lost"
    words = "It waits for an agent." if state == "queued" else "No agent heard it before the build ended."
    if taken:
        state = "acted" if any(one.changed for one in taken) else "delivered"
        words = "; ".join(f"{one.task} heard it in attempt {one.attempt} before turn {one.turn}" for one in taken)
        files = len({path for one in taken for path in one.changed})
        words += f"; then {files} file{'' if files == 1 else 's'} changed." if files else "."
    return MessageReceipt(
        id=event.id,
        text=event.text,
        task=event.task,
        sent_at=recorded.at,
        seq=recorded.seq,
        state=state,
        words=words,
        taken_in=taken,
    )


def _taken_in(
    build: Build, recorded: Recorded, heard: e.MessageDelivered, turn: int, later: Sequence[Recorded]
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
