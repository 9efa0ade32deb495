"""The advisor that reviews a change, by asking a model. Must never touch a file or the user's key.

All that it is shown is data between fences: the agent that wrote the change may have written to its reviewer too.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from buildwright.advisors.asking import Advisor, failure_of, fenced, middle_cut
from buildwright.core.finding import Report
from buildwright.core.review import Review
from buildwright.core.task import Task
from buildwright.ports import ModelEndpoint, ReviewRequest

TEXT_LIMIT: Final = 20_000
"""Characters of the task, and of the reports, that go into the prompt. The diff has its own limit."""

_REVIEWER: Final = Advisor("reviewer", Review, tool="final_result_review", tokens=8_000)
_failure: Final = partial(failure_of, what="a review")


class ModelReviewer:
    """Implements the port `Reviewer` with pydantic-ai. `retries` bounds repeated requests after transport failures."""

    def __init__(self, retries: int = 2) -> None:
        self._retries = retries

    async def review(self, request: ReviewRequest, model: str, door: ModelEndpoint) -> Review:
        """Ask for a review, with one repair turn if the answer has the wrong form. Raises ModelFailed and its kind."""
        return await _REVIEWER.ask(reviewer_prompt(request), model, door, retries=self._retries, failed=_failure)


def reviewer_prompt(request: ReviewRequest) -> str:
    """Return the user's side of the request: task, reports, earlier fixes and diff, each fenced as data. Pure."""
    parts = {
        "The task": middle_cut(_told_task(request.task), TEXT_LIMIT),
        "What the checks reported": middle_cut(_told_reports(request.reports), TEXT_LIMIT),
        "What you asked for before": "\n".join(f"- {finding}" for finding in request.earlier),
        "The change": request.diff,
    }
    return "\n\n".join(f"# {title}\n\n{fenced(text)}" for title, text in parts.items() if text) + "\n"


def _told_task(task: Task) -> str:
    lines = [f"id: {task.id}", f"title: {task.title}", f"goal: {task.goal}"]
    lines += [f"requirement: {line}" for line in task.requirements]
    lines += [f"acceptance: {line}" for line in task.acceptance]
    lines += [f"file that is expected to change: {path}" for path in task.files_expected]
    return "\n".join(lines)


def _told_reports(reports: Sequence[Report]) -> str:
    lines: list[str] = []
    for report in reports:
        tests = report.evidence.tests if report.evidence is not None else None
        ran = f", {tests} tests" if tests is not None else ""
        lines.append(f"{report.gate}: {'passed' if report.ok else 'refused'}{ran}")
        lines += [f"  {finding.severity}: {finding}" for finding in report.findings]
    return "\n".join(lines)
