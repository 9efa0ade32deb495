"""Which gates judged which tree of a build, what they found and what was not run. Pure; must never judge anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from buildwright.core import event as e
from buildwright.core.build import Build, TaskState, no_task
from buildwright.core.event import Recorded
from buildwright.core.finding import Finding, Report, Verdict
from buildwright.core.judged_base import base_refusal
from buildwright.core.record import Record
from buildwright.views.overview import PauseView, pause_view

Subject = Literal["base", "patch", "merge", "result", "phase"]
"""What was judged: the tree a build starts from, an attempt's patch, that patch on the newest head, the final tree, all
that a phase changed (by the audit)."""

_NOT_RUN = frozenset({"not_run", "tool_missing", "part_not_run", "part_unjudged", "not_done"})
"""Last parts of the codes that say that something was not run."""


class NotRun(Record):
    """Something that was not run, and why."""

    what: str
    why: str


class VerdictView(Record):
    """One verdict of the gates on one tree. `task` is "" and `attempt` 0 for the base and the final tree."""

    subject: Subject
    task: str = ""
    attempt: int = 0
    phase: str = ""
    """The name of the phase that was audited."""
    tree: str
    at: datetime
    ok: bool
    seconds: float = 0.0
    """Of the commands that the gates ran."""
    reports: tuple[Report, ...] = ()
    """Gate by gate. The evidence of a command says whose tests and settings it had (`surface`)."""
    not_run: tuple[NotRun, ...] = ()


class ApprovalView(Record):
    """A finding that a person let pass."""

    task: str
    finding: str
    code: str
    reason: str
    by: str
    at: datetime


class GatesView(Record):
    """What the gates said in a build, or of one task of it."""

    build: str
    task: str = ""
    verdicts: tuple[VerdictView, ...] = ()
    """Of a task all, oldest first; of a build the newest of each subject and task."""
    approvals: tuple[ApprovalView, ...] = ()
    not_run: tuple[NotRun, ...] = ()
    """What was not run in the whole build."""


def gates_view(build: Build, events: Sequence[Recorded], task: str = "") -> GatesView:
    """Return the verdicts in a journal, of one task if it is named. Raises NotFound for a task that there is not."""
    if task and (build.plan is None or task not in build.plan.position):
        raise no_task(build, task)
    found = [verdict for recorded in events if (verdict := _verdict(build, recorded)) is not None]
    if task:
        shown = [verdict for verdict in found if verdict.task == task]
    else:
        newest = {(verdict.subject, verdict.task, verdict.phase): verdict for verdict in found}
        shown = sorted(newest.values(), key=lambda verdict: verdict.at)
    off = () if build.options.gates else (NotRun(what="every gate", why="the gates are off (--no-gates)"),)
    tasks = [task] if task else sorted(build.tasks)
    approvals = tuple(approval for one in tasks for approval in approvals_of(one, build.task(one)))
    return GatesView(build=build.id, task=task, verdicts=tuple(shown), approvals=approvals, not_run=off)


class PhaseAnswer(Record):
    """What the audit says of one phase. `ok` is None where it was not audited: then `answer` says why."""

    phase: str
    ok: bool | None = None
    answer: str
    findings: tuple[Finding, ...] = ()
    """What refuses it, then what it is warned of, each with its place and the smallest change that passes."""


class WhyBuildView(Record):
    """Why a build stands where it does as a whole: its pause or end, and the audit of each of its phases."""

    build: str
    title: str
    outcome: str = ""
    """How it ended, "" while it has not."""
    message: str = ""
    """Why it ended so, where it did not succeed."""
    base_refused: bool = False
    """Whether it ended on its base, before any task: `why_base` says more."""
    pause: PauseView | None = None
    audits: tuple[PhaseAnswer, ...] = ()


def why_build(build: Build, gates: GatesView) -> WhyBuildView:
    """Return why a build is paused or ended as it did, and the audits of its phases in the order of the plan.

    `gates` are the verdicts of the whole build.
    """
    found = {one.phase: one for one in gates.verdicts if one.subject == "phase"}
    places = sorted(set(build.plan.milestone)) if build.plan is not None else ()
    names = [build.phase_name(place) for place in places]
    return WhyBuildView(
        build=build.id,
        title=build.spec.title,
        outcome=build.outcome or "",
        message=build.message if build.outcome not in {None, "succeeded"} else "",
        base_refused=build.is_terminal and bool(base_refusal(build)),
        pause=pause_view(build, build.pause) if build.pause is not None else None,
        audits=tuple(_answer(build, name, found.get(name)) for name in names),
    )


def _answer(build: Build, phase: str, audit: VerdictView | None) -> PhaseAnswer:
    if audit is None:
        off = "the build runs without audits, gates or lanes, or by hand"
        why = (
            f"It is not audited: {off}."
            if not build.options.is_audited
            else "It was not audited yet: that follows its last task."
        )
        return PhaseAnswer(phase=phase, answer=why)
    refused = [report for report in audit.reports if not report.ok]
    said = f"{', '.join(one.gate for one in refused)} refused it." if refused else "Every check passed it."
    order = {"error": 0, "warning": 1}
    told = [one for report in audit.reports for one in report.findings if one.severity in order]
    told.sort(key=lambda one: order[one.severity])
    return PhaseAnswer(phase=phase, ok=audit.ok, answer=said, findings=tuple(told))


def _verdict(build: Build, recorded: Recorded) -> VerdictView | None:
    match recorded.event:
        case e.BaseJudged(verdict=verdict):
            return _view("base", verdict, recorded.at)
        case e.BuildVerified(verdict=verdict):
            return _view("result", verdict, recorded.at)
        case e.PhaseAudited(verdict=verdict, phase=phase):
            audited = _view("phase", verdict, recorded.at)
            return audited.model_copy(update={"phase": build.phase_name(phase)})
        case e.PatchJudged(verdict=verdict, task=task, attempt=attempt):
            return _view("patch", verdict, recorded.at, task, attempt)
        case e.MergeJudged(verdict=verdict, task=task, attempt=attempt):
            return _view("merge", verdict, recorded.at, task, attempt)
        case _:
            return None


def _view(subject: Subject, verdict: Verdict, at: datetime, task: str = "", attempt: int = 0) -> VerdictView:
    return VerdictView(
        subject=subject,
        task=task,
        attempt=attempt,
        tree=verdict.tree,
        at=at,
        ok=verdict.ok,
        seconds=sum(report.evidence.seconds for report in verdict.reports if report.evidence is not None),
        reports=verdict.reports,
        not_run=tuple(_not_run(verdict)),
    )


def _not_run(verdict: Verdict) -> Iterator[NotRun]:
    for report in verdict.reports:
        for finding in report.findings:
            if finding.code.rpartition(".")[2] in _NOT_RUN:
                yield NotRun(what=report.gate, why=finding.message)
    refused = ", ".join(report.gate for report in verdict.reports if not report.ok)
    for gate in verdict.not_reached:
        yield NotRun(what=gate, why=f"not asked, because {refused} refused before")


def approvals_of(task: str, state: TaskState) -> tuple[ApprovalView, ...]:
    """Return what a person has approved of a task, oldest first."""
    return tuple(ApprovalView(task=task, **approval._asdict()) for approval in state.approvals)
