"""A review of a change by an advisor: its answer, the report it becomes, the diff it is shown. Pure; must never judge."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from pydantic import Field, model_validator

from buildwright.core.finding import LONGEST_MESSAGE, NOT_REVIEWED, Finding, Report, Verdict
from buildwright.core.limits import Options
from buildwright.core.model_names import DEFAULT_MODEL
from buildwright.core.record import Record
from buildwright.core.sanitize import ForeignText

REVIEW: Final = "review"
"""Name of the report."""
REQUESTED: Final = "review.requested"
"""Code of a required fix."""
SUMMARY: Final = "review.summary"
CUT: Final = "review.cut"
"""Code of the warning that the reviewer saw only a part of the change."""

DIFF_LIMIT: Final = 100_000
"""Characters of a diff that a reviewer is shown."""
_LEAST_OF_A_FILE: Final = 400
"""Characters of a file's diff below which it is not shown at all."""


class RequiredFix(Record):
    """One thing that has to change before a reviewer approves."""

    path: ForeignText = Field(default="", max_length=1_000)
    line: int | None = Field(default=None, ge=1)
    change: ForeignText = Field(min_length=1, max_length=LONGEST_MESSAGE)
    """What to change, addressed to the agent."""


class Review(Record):
    """A reviewer's answer on one change."""

    decision: Literal["approve", "request_changes"]
    summary: ForeignText = Field(min_length=1, max_length=LONGEST_MESSAGE)
    required_fixes: tuple[RequiredFix, ...] = Field(default=(), max_length=20)

    @model_validator(mode="after")
    def _agrees(self) -> Review:
        if (self.decision == "request_changes") != bool(self.required_fixes):
            raise ValueError("request_changes needs at least one required fix, and approve has none")
        return self


def wants_review(options: Options) -> bool:
    """Return whether changes of a build are reviewed. Naming the model asks for it."""
    return options.review or bool(options.review_model)


def reviewing_model(options: Options) -> str:
    """Return the model that reviews: its own, else the one that plans, else the one that writes, else the default."""
    return options.advising_model(options.review_model) or DEFAULT_MODEL


def review_report(review: Review, model: str, diff: ShownDiff) -> Report:
    """Return the report of a review. It passes when nothing has to change."""
    fixes = tuple(
        Finding(code=REQUESTED, message=fix.change, file=fix.path or None, line=fix.line if fix.path else None)
        for fix in review.required_fixes
    )
    said = f"{model}: {review.summary}"[:LONGEST_MESSAGE]
    seen = (
        Finding(
            code=CUT,
            severity="warning",
            message=f"the reviewer saw {len(diff.text)} of the {diff.size} characters of the change",
            fix="look at the rest yourself, or make smaller tasks",
        ),
    )
    summary = Finding(code=SUMMARY, severity="note", message=said)
    return Report(gate=REVIEW, ok=not fixes, findings=(*fixes, summary, *(seen if diff.is_cut else ())))


def no_review(why: str) -> Report:
    """Return the report of a change that was not reviewed: it passes, with a warning that says so."""
    warning = Finding(code=NOT_REVIEWED, severity="warning", message=f"not reviewed: {why}"[:LONGEST_MESSAGE])
    return Report(gate=REVIEW, ok=True, findings=(warning,))


def was_done(report: Report) -> bool:
    """Return whether the report is that of a review that took place, and not of a check with that name."""
    return report.gate == REVIEW and report.evidence is None and report.result != "not done"


def review_in(verdict: Verdict) -> Report | None:
    """Return the report of the review in a verdict; None when there was none."""
    return next(filter(was_done, verdict.reports), None)


# --- The diff ------------------------------------------------------------------------------------------------------


class ShownDiff(NamedTuple):
    """A diff as a reviewer sees it. `size` is that of the whole, in characters."""

    text: str
    size: int
    is_cut: bool = False


def shown_diff(diff: str, limit: int = DIFF_LIMIT) -> ShownDiff:
    """Return a unified diff within a limit of characters. Small files stay whole, large ones lose their middle.

    So a large file cannot push another out of sight. Each cut is told in a sentence of its own, and so is the number of
    files for which there is no room at all.
    """
    if len(diff) <= limit:
        return ShownDiff(diff, len(diff))
    # Lines of a file begin with a space, a plus or a minus, and git quotes line ends in names: no file can begin one.
    files = [part for part in re.split(r"(?m)^(?=diff --git )", diff) if part]
    shown = files[: limit // _LEAST_OF_A_FILE]
    share = _share(map(len, shown), limit)
    text = "".join(_without_middle(part, share) for part in shown)
    if left_out := len(files) - len(shown):
        text += f"\n[cut: the changes of {left_out} more files are not shown]\n"
    return ShownDiff(text, len(diff), is_cut=True)


def _share(sizes: Iterable[int], room: int) -> int:
    """Return the most characters a file may have, so that all files fill the room and no small one is cut."""
    waiting = sorted(sizes)
    while waiting and waiting[0] * len(waiting) <= room:
        room -= waiting.pop(0)
    return room // len(waiting) if waiting else room


def _without_middle(text: str, share: int) -> str:
    if len(text) <= share:
        return text
    half = max(share - 80, 0) // 2
    cut = f"\n[cut: {len(text) - 2 * half} characters of this file's diff are not shown]\n"
    return f"{text[:half]}{cut}{text[len(text) - half :]}"
