"""The attempts at some tasks that came to nothing, as a journal tells them: what a diagnosis starts from. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from buildwright.core import event as e
from buildwright.core.event import AnyEvent, Recorded, Rejection
from buildwright.core.record import Record, TaskId


class RejectedAttempt(Record):
    """One attempt and why it was rejected."""

    task: TaskId
    attempt: int
    at: datetime
    kind: Rejection
    reason: str
    findings: tuple[str, ...] = ()


def rejections(events: Sequence[Recorded], tasks: Collection[str]) -> tuple[RejectedAttempt, ...]:
    """Every rejection of these tasks, in the journal's order.

    A conflict or a refusal on top of changes that had not landed only makes a change wait, so a word against it counts once
    the task is retried or failed, or nothing more is said of it.
    """
    found: list[RejectedAttempt] = []
    open_words: dict[str, RejectedAttempt] = {}
    for recorded in events:
        event = recorded.event
        task = getattr(event, "task", "")
        if task not in tasks:
            continue
        if isinstance(event, e.TaskRetried | e.TaskFailed):
            if task in open_words:
                found.append(open_words.pop(task))
        elif isinstance(event, e.ChangeLanded):
            open_words.pop(task, None)
        elif (said := _against(event)) is not None:
            kind, reason, findings = said
            attempt: int = event.attempt  # type: ignore[union-attr]
            open_words[task] = RejectedAttempt(
                task=task, attempt=attempt, at=recorded.at, kind=kind, reason=reason, findings=findings
            )
    return (*found, *sorted(open_words.values(), key=lambda word: (word.at, word.task)))


def _against(event: AnyEvent) -> tuple[Rejection, str, tuple[str, ...]] | None:
    match event:
        case e.AgentBroke():
            return "agent", f"{event.kind}: {event.message}", ()
        case e.AgentFinished() if event.patch is not None and event.patch.is_empty:
            return "empty", "the agent changed no file", ()
        case e.PatchJudged() if not event.verdict.ok:
            return "gate", "the gates refused the change", tuple(map(str, event.verdict.findings))
        case e.LoopDetected() if event.kind == "patch":
            return "gate", event.message, ()
        case e.MergeConflicted():
            return "conflict", f"the change conflicts with what landed in {', '.join(event.files)}", ()
        case e.MergeJudged() if not event.verdict.ok:
            reason = "the gates refused the change on top of what landed meanwhile"
            return "train", reason, tuple(map(str, event.verdict.findings))
        case _:
            return None
