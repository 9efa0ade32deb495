"""Rejected attempts, and whether a task goes in circles. Pure; must never decide what follows from it.

A task goes in circles when the same change comes back, or the same findings do. Only refusals by the gates count. A
conflict, or a refusal on top of newly landed changes, says that the base has moved, and an agent that broke has no
change: neither is remembered here, and both end a row of equal findings.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from datetime import datetime

from buildwright.core import event as e
from buildwright.core.build import RefusedAttempt, TaskState
from buildwright.core.event import AnyEvent, Recorded, Rejection
from buildwright.core.finding import Finding
from buildwright.core.patch import Patch
from buildwright.core.record import Record, TaskId

KEPT_FINDINGS = 10
"""Findings kept of each refused change, to be reported again if the change comes back."""

_VARYING = re.compile(r"0x[0-9a-fA-F]+|\d+")
"""The parts that differ between two runs that fail alike: addresses, lines, times, counts."""


def refused(state: TaskState, patch: Patch, findings: Sequence[Finding]) -> tuple[RefusedAttempt, ...]:
    """Return the task's refused attempts with this patch added: at most as many as attempts since the last retry."""
    newest = RefusedAttempt(
        state.attempt, patch.base_tree, patch.tree, same_reasons(findings), tuple(findings[:KEPT_FINDINGS])
    )
    return (*state.refused, newest)


def same_reasons(findings: Sequence[Finding]) -> str:
    """Return a digest that is equal for findings that differ only in numbers and order; "" without, equal to none."""
    errors = [finding for finding in findings if finding.severity == "error"] or findings
    if not errors:
        return ""
    said = {(finding.code, finding.file or "", _VARYING.sub("#", finding.message)) for finding in errors}
    return hashlib.sha256(repr(sorted(said)).encode("utf-8", "replace")).hexdigest()


def same_change(state: TaskState) -> RefusedAttempt | None:
    """Return the newest refused attempt that made, on the same base, exactly the tree of the current patch."""
    patch = state.patch
    if patch is None:
        return None
    same = (patch.base_tree, patch.tree)
    return next((old for old in reversed(state.refused) if (old.base_tree, old.tree) == same), None)


def same_findings(state: TaskState) -> int:
    """Return how many attempts in a row, the current one last, were refused for the same findings."""
    row = 0
    for old in reversed(state.refused):
        if old.attempt != state.attempt - row or not old.reasons or old.reasons != state.refused[-1].reasons:
            break
        row += 1
    return row


# --- Rejected attempts in a journal: the start of a diagnosis --------------------------------------------------------


class RejectedAttempt(Record):
    """One attempt and why it was rejected."""

    task: TaskId
    attempt: int
    at: datetime
    kind: Rejection
    reason: str
    findings: tuple[str, ...] = ()


def rejections(events: Sequence[Recorded], tasks: Collection[str]) -> tuple[RejectedAttempt, ...]:
    """Return every rejection of these tasks, in the journal's order.

    A conflict or a refusal on top of changes that had not landed only makes a change wait, so it counts once the task
    is retried or failed, or when no later event is about it. A refusal that a person has approved does not count.
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
        elif isinstance(event, e.ChangeLanded | e.JudgingReopened):
            open_words.pop(task, None)
        elif (said := _against(event)) is not None:
            kind, reason, findings = said
            attempt: int = event.attempt  # type: ignore[union-attr]
            open_words[task] = RejectedAttempt(
                task=task, attempt=attempt, at=recorded.at, kind=kind, reason=reason, findings=findings
            )
    return (*found, *sorted(open_words.values(), key=lambda word: (word.at, word.task)))


def rejection_of(event: AnyEvent) -> Rejection | None:
    """Return why an event speaks against the attempt that it is about; None when it does not."""
    said = _against(event)
    return said[0] if said is not None else None


def _against(event: AnyEvent) -> tuple[Rejection, str, tuple[str, ...]] | None:
    match event:
        case e.AgentBroke():
            return "agent", f"{event.kind}: {event.message}", ()
        case e.AgentFinished() if event.patch is not None and event.patch.is_empty and not event.to_prove:
            return "empty", event.nothing, ()
        case e.PatchJudged() if not event.verdict.ok:
            return "gate", "the change did not pass the checks", tuple(map(str, event.verdict.findings))
        case e.LoopDetected() if event.kind == "patch":
            return "gate", event.message, ()
        case e.MergeConflicted():
            return "conflict", f"the change conflicts with what landed in {', '.join(event.files)}", ()
        case e.MergeJudged() if not event.verdict.ok:
            reason = "the change did not pass the checks on top of what landed meanwhile"
            return "train", reason, tuple(map(str, event.verdict.findings))
        case _:
            return None
