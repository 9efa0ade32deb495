"""Why a task is where it is, and how it came there: answered from state and journal. Must never change anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from buildwright.core import event as e
from buildwright.core.build import (
    Approval,
    Build,
    Control,
    TaskPhase,
    TaskState,
    can_be_reopened,
    is_undone,
    landed_before,
    unapproved,
)
from buildwright.core.complexity import Complexity, complexity_of
from buildwright.core.event import Recorded
from buildwright.core.fault import FAULTS
from buildwright.core.figures import count
from buildwright.core.finding import Report, Verdict
from buildwright.core.graph import Plan
from buildwright.core.judged_base import base_fault, base_troubles
from buildwright.core.record import Record
from buildwright.core.task import Task
from buildwright.core.work_clock import ClockHistory
from buildwright.errors import NotFound
from buildwright.ports import KeptWork, LaneKey
from buildwright.views.money import limit_words, limits_that_last
from buildwright.views.overview import TaskView, findings_of, headline, task_view
from buildwright.views.statuses import MET
from buildwright.views.verdicts import ApprovalView, approvals_of


class Dependency(Record):
    """A task that this one needs, and how far that one is."""

    id: str
    phase: str
    met: bool


class ModelUse(Record):
    """A model that an attempt asked, and why: `kind` as in `model.chosen`."""

    name: str
    model: str
    kind: str
    reason: str


class AttemptView(Record):
    """One attempt at the task and its result. `seconds` is its working time, None while it runs."""

    number: int
    started_at: datetime
    agent: str = ""
    """Who made it; "" in older journals: the build's."""
    models: tuple[ModelUse, ...] = ()
    """What it asked, in order, where models have names."""
    seconds: float | None = None
    outcome: str = "running"
    detail: str = ""
    findings: tuple[str, ...] = ()
    changes: int | None = None
    """Number of files that its change touched; None when no change was taken."""
    kept: str = ""
    """Commit that keeps what it made, while it has not landed; "" when nothing is kept."""
    kept_because: str = ""
    """Why it did not land, in full."""
    has_change: bool = False
    """Whether it has left a change, which can be looked at and compared."""
    denied: tuple[str, ...] = ()
    """What its agent asked for and may not reach."""


class KeptWorkView(Record):
    """What an attempt made that did not land: `commit` has `tree` and lies on `base`, where the attempt began."""

    task: str
    attempt: int
    base: str
    commit: str
    tree: str
    reason: str
    at: datetime

    @classmethod
    def of(cls, work: KeptWork) -> KeptWorkView:
        """Return the view of kept work."""
        names = ("base", "commit", "tree", "reason", "at")
        return cls(task=work.key.task, attempt=work.key.attempt, **{name: getattr(work, name) for name in names})

    def as_work(self, build_id: str) -> KeptWork:
        """Return the kept work of a build that this is the view of."""
        key = LaneKey(build_id, self.task, self.attempt)
        return KeptWork(key, self.base, self.commit, self.tree, self.reason, self.at)


class ApprovableFinding(Record):
    """A finding that keeps the task's change from landing, and asks for a person's consent."""

    finding: str
    """Its fingerprint."""
    words: str


class WhyView(Record):
    """The answer for one task: `answer` in one sentence, then its reasons."""

    build: str
    task: Task
    """The task as it was planned: goal, requirements, acceptance."""
    state: TaskView
    complexity: Complexity
    """How complex the task is likely to be, and why."""
    answer: str
    depends_on: tuple[Dependency, ...] = ()
    holder: str = ""
    """The task that holds the file this one waits for."""
    attempts: tuple[AttemptView, ...] = ()
    findings: tuple[str, ...] = ()
    """Why the last attempt was refused."""
    guidance: tuple[str, ...] = ()
    """What the user told its agent."""
    diagnosis: str = ""
    """What the diagnosing advisor said about it when the build was stuck."""
    summary: str = ""
    """The agent's summary of its work."""
    commit: str = ""
    changed: tuple[str, ...] = ()
    """Paths of the newest patch."""
    outside: tuple[str, ...] = ()
    """Those of them that the task did not name, and that belong to none that it named."""
    approvals: tuple[ApprovalView, ...] = ()
    approvable: tuple[ApprovableFinding, ...] = ()
    """What a person may let pass now, each by itself."""
    consent: str = ""
    """What comes of it when all of them are let pass, in a sentence; "" when there is none."""
    reports: tuple[Report, ...] = ()
    """The newest verdict, gate by gate, with its evidence."""
    accepted_by: tuple[str, ...] = ()
    """Of these gates those that judged the change by what the task itself asks for; () when none did."""


class BaseView(Record):
    """What the gates say of the tree that the build started from, before any change."""

    build: str
    tree: str
    answer: str
    reasons: tuple[tuple[str, ...], ...] = ()
    """For each finding of a gate that refuses: the lines that matter, and the fix."""
    reports: tuple[Report, ...] = ()


BASE = "base"
"""What `why` is asked about instead of a task, unless a task has that id."""


def why_base(build: Build) -> BaseView:
    """Explain what the base comes to: whether it was judged, what refuses it, and who accepts that."""
    verdict, troubles = build.base_verdict, base_troubles(build)
    accepted = build.base_accepted or build.options.accept_base
    match verdict:
        case None if not build.options.gates or not build.options.lanes:
            answer = "It is not checked: this build runs without checks (--no-gates)."
        case None:
            answer = "It has not been checked yet; nothing is planned or attempted before that."
        case _ if not troubles:
            answer = (
                "It passes its own checks." if verdict.ok else "It fails checks that were accepted before the start."
            )
        case _:
            fault = FAULTS[base_fault(build) or "base"]
            end = ", and the build continues anyway" if accepted else f": {fault} is at fault, not a task"
            answer = f"It does not pass its own checks{end}."
    return BaseView(
        build=build.id,
        tree=build.base_tree,
        answer=answer,
        reasons=tuple(finding.reason for finding in (verdict.findings if verdict is not None else ())),
        reports=verdict.reports if verdict is not None else (),
    )


def why(
    build: Build, task_id: str, events: Sequence[Recorded], now: datetime, kept: Sequence[KeptWork] = ()
) -> WhyView:
    """Explain one task from the build, its journal and its `kept` work.

    Raises NotFound, naming similar tasks, for an unknown one.
    """
    plan = build.plan
    if plan is None:
        raise NotFound(
            "this build has no plan yet, so it has no tasks", fix=f"wait for it: `buildwright status {build.id}`"
        )
    if task_id not in plan.position:
        raise NotFound(
            f"there is no task {task_id} in this build", fix=f"name one of these: {_some_ids(plan, task_id)}"
        )
    task, state = plan.task(task_id), build.task(task_id)
    approvable = _approvable(build, state)
    return WhyView(
        build=build.id,
        task=task,
        state=task_view(build, task_id, now),
        complexity=complexity_of(task, len(plan.dependents[plan.position[task_id]])),
        answer=answer_for(build, plan, task, now),
        depends_on=_needs(build, task),
        holder=build.holders.get(state.waits_for, "") if state.phase is TaskPhase.PARKED else "",
        attempts=_with_kept(build, task_id, events, kept),
        findings=tuple(map(str, state.findings)),
        guidance=state.guidance,
        diagnosis=state.later_diagnosis or state.diagnosis,
        summary=state.summary,
        commit=state.commit,
        changed=state.patch.paths if state.patch is not None else (),
        outside=tuple(one.file for one in findings_of(state) if one.code == "scope.outside" and one.file),
        approvals=approvals_of(task_id, state),
        approvable=approvable,
        consent=_consent(build, state) if approvable else "",
        reports=state.verdict.reports if state.verdict is not None else (),
        accepted_by=_accepted_by(state),
    )


def _approvable(build: Build, state: TaskState) -> tuple[ApprovableFinding, ...]:
    later = build.past_end is not None  # only the delivery of the ended build is tried again
    if build.is_terminal or later or state.phase in {TaskPhase.DONE, TaskPhase.SKIPPED}:
        return ()
    found = (one for one in unapproved(state) if one.can_be_approved)
    return tuple(ApprovableFinding(finding=one.fingerprint, words=str(one)) for one in found)


def _consent(build: Build, state: TaskState) -> str:
    left = unapproved(state)
    others = sum(not one.can_be_approved for one in left)
    if others:
        these = "another finding keeps" if others == 1 else f"{others} other findings keep"
        return f"With all of them let pass {these} the change from landing still."
    passed = tuple(Approval(one.fingerprint, "", "", "", build.updated_at) for one in left)
    if can_be_reopened(state._replace(approvals=(*state.approvals, *passed))):
        return "With all of them let pass the change is judged again as it is."
    return "The task is being worked on, so the change is not judged again at once."


def answer_for(build: Build, plan: Plan, task: Task, now: datetime) -> str:
    """Return why a task of the plan waits, or where it is, in a sentence or two."""
    state = build.task(task.id)
    return " ".join((_answer(build, plan, task, state, _needs(build, task)), *_limits(build, state, now)))


def _needs(build: Build, task: Task) -> tuple[Dependency, ...]:
    return tuple(
        Dependency(id=needed, phase=build.task(needed).phase.value, met=build.task(needed).phase in MET)
        for needed in dict.fromkeys(task.depends_on)
    )


_OF_THE_TASK = ("acceptance", "sealed", "validation", "review")
"""Gates that ask what the task asks for; all others ask what is asked of every change."""


def _accepted_by(state: TaskState) -> tuple[str, ...]:
    """Return which gates have passed a change by what its task asks for."""
    passed = {report.gate for report in state.verdict.reports if report.result == "passed"} if state.verdict else set()
    return tuple(gate for gate in _OF_THE_TASK if gate in passed)


def attempts_of(task_id: str, events: Sequence[Recorded], clock: ClockHistory) -> tuple[AttemptView, ...]:
    """Return the attempts at a task, oldest first, from its events and the clock of the build."""
    attempts: list[AttemptView] = []
    for recorded in events:
        event = recorded.event
        if getattr(event, "task", None) != task_id:
            continue
        if isinstance(event, e.TaskStarted):
            attempts.append(AttemptView(number=event.attempt, started_at=recorded.at, agent=event.agent))
            continue
        if isinstance(event, e.ModelChosen) and attempts:
            use = ModelUse(name=event.name, model=event.model, kind=event.kind, reason=event.reason)
            attempts[-1] = attempts[-1].model_copy(update={"models": (*attempts[-1].models, use)})
            continue
        if isinstance(event, e.AgentDenied) and attempts:
            denied = tuple(dict.fromkeys((*attempts[-1].denied, *event.places)))
            attempts[-1] = attempts[-1].model_copy(update={"denied": denied})
            continue
        tell = _OUTCOMES.get(type(event))
        told = tell(event) if tell is not None else None
        if told is not None and attempts:
            last = attempts[-1]
            took = clock.seconds(last.started_at, recorded.at)
            attempts[-1] = last.model_copy(update={**told, "seconds": took})
    return tuple(attempts)


def _with_kept(
    build: Build, task_id: str, events: Sequence[Recorded], kept: Sequence[KeptWork]
) -> tuple[AttemptView, ...]:
    """Return the attempts with what is kept of each; why one did not end that the build's end cut short is kept too."""
    works = {work.key.attempt: work for work in kept if work.key.task == task_id}
    told = []
    for attempt in attempts_of(task_id, events, ClockHistory(events)):
        work = works.get(attempt.number)
        changes: dict[str, Any] = {}
        if work is not None and attempt.outcome != "landed":
            changes = {"kept": work.commit, "kept_because": work.reason}
        if build.is_terminal and attempt.outcome == "running":
            cut = {
                "outcome": "cut short",
                "detail": work.reason if work is not None else f"the build was {build.outcome}",
            }
            changes = {**changes, **cut}
        changes["has_change"] = work is not None or bool(attempt.changes)
        told.append(attempt.model_copy(update=changes))
    return tuple(told)


def _refused(verdict: Verdict, words: str) -> dict[str, Any]:
    gates = ", ".join(report.gate for report in verdict.reports if not report.ok)
    return {"outcome": "refused", "detail": f"{words} {gates}", "findings": tuple(map(str, verdict.findings))}


def _judged(event: e.PatchJudged) -> dict[str, Any]:
    if event.verdict.ok:
        return {"outcome": "passed", "detail": "passed the checks, waits to be merged"}
    return _refused(event.verdict, "refused by")


def _merge_judged(event: e.MergeJudged) -> dict[str, Any] | None:
    return None if event.verdict.ok else _refused(event.verdict, "on top of what landed meanwhile, refused by")


def _agent_finished(event: e.AgentFinished) -> dict[str, Any]:
    changes = {"changes": len(event.patch.changes)} if event.patch is not None else {}
    if event.to_prove:
        return {
            "outcome": "finished",
            "detail": "the agent changed no file; the task's own command is to prove its work",
        }
    if event.patch is not None and event.patch.is_empty:
        return {"outcome": "empty", "detail": event.nothing}
    return {"outcome": "finished", "detail": "the agent finished", **changes}


def _landed(event: e.ChangeLanded) -> dict[str, Any]:
    proof = f", {event.proof}" if event.proof else ""
    return {"outcome": "landed", "detail": f"landed as {event.commit[:12]}{proof}"}


_OUTCOMES: dict[type[e.Event], Callable[[Any], dict[str, Any] | None]] = {
    e.AgentFinished: _agent_finished,
    e.AgentBroke: lambda event: {"outcome": "agent failed", "detail": f"{event.kind}: {event.message}"},
    e.PatchJudged: _judged,
    e.MergeJudged: _merge_judged,
    e.MergeConflicted: lambda event: {"outcome": "conflict", "detail": f"conflicted in {', '.join(event.files)}"},
    e.LoopDetected: lambda event: {"outcome": "refused", "detail": event.message} if event.kind == "patch" else None,
    e.ChangeLanded: _landed,
    e.ChangeUndone: lambda event: {"outcome": "undone", "detail": f"taken back as {event.commit[:12]}"},
}


def _answer(build: Build, plan: Plan, task: Task, state: TaskState, needs: Sequence[Dependency]) -> str:
    match state.phase:
        case TaskPhase.DONE:
            where = f" and landed as {state.commit[:12]}" if state.commit else ""
            if landed_before(state) and build.fork is not None:
                there = f"build {build.fork.source[:8]}, which this one was forked from"
                return f"It is done: attempt {state.attempt} passed{where} in {there}."
            return f"It is done: attempt {state.attempt} passed{where}."
        case TaskPhase.SKIPPED:
            was = "Its change was taken back by the user" if state.landed else "It was given up by the user"
            return f"{was}; tasks that need it continue without it."
        case TaskPhase.FAILED:
            return f"It failed after {count(state.attempt, 'attempt')}: {_sentence(state.reason)}"
        case TaskPhase.REJECTED:
            return f"Attempt {state.attempt} was refused: {_sentence(state.reason)}"
        case TaskPhase.WORKING | TaskPhase.JUDGING | TaskPhase.MERGING:
            return _at_work(build, task.id, state)
        case TaskPhase.PARKED:
            holder = build.holders.get(state.waits_for)
            return f"It waits for {state.waits_for}" + (f", which {holder} works on." if holder else ".")
        case TaskPhase.WAITING | TaskPhase.READY:
            return " ".join(_waiting(build, plan, task, needs))


def _limits(build: Build, state: TaskState, now: datetime) -> Iterator[str]:
    """Yield what an agent at work is likely to wait for."""
    if state.phase is TaskPhase.WORKING:
        for limit in limits_that_last(build, now):
            yield f"It {limit_words(limit.provider, limit.model, limit.until, now)}."


def _at_work(build: Build, task_id: str, state: TaskState) -> str:
    """Say what happens to the task's attempt now, what it waits for, or that the build's end has cut it short."""
    if build.is_terminal:
        return f"Attempt {state.attempt} was cut short: the build ended before ({build.outcome})."
    waits = build.waits_for_step
    if state.phase is TaskPhase.WORKING:
        if waits:
            return f"Attempt {state.attempt} of {state.allowed} was begun and continues with the next step."
        return f"An agent works on attempt {state.attempt} of {state.allowed}."
    if state.phase is TaskPhase.JUDGING:
        if waits:
            return f"Attempt {state.attempt} is made and waits for a step to be checked."
        return f"The checks run on attempt {state.attempt}."
    place = next((i for i, car in enumerate(build.train, 1) if car.task == task_id), 0)
    held = " It continues with the next step." if waits else ""
    if is_undone(state):
        return f"Its change is being taken back: place {place} of {len(build.train)} in the queue.{held}"
    if state.again:
        return f"Its change is put on the new base: place {place} of {len(build.train)} in the queue.{held}"
    if build.control is not Control.RUNNING:
        held = f" The build is {headline(build)}, so it does not land now."
    return f"It passed the checks and waits to be merged: place {place} of {len(build.train)} in the queue.{held}"


def _waiting(build: Build, plan: Plan, task: Task, needs: Sequence[Dependency]) -> Iterator[str]:
    """Yield everything that keeps the task from starting, the nearest cause first."""
    if build.is_terminal:
        yield f"It never started: the build ended before ({build.outcome or 'stopped'})."
    dead = [need.id for need in needs if need.phase == TaskPhase.FAILED]
    unmet = [need for need in needs if not need.met and need.id not in dead]
    if dead:
        yield f"It cannot start: {', '.join(dead)} failed."
    if unmet:
        yield "It waits for " + ", ".join(f"{need.id} ({need.phase})" for need in unmet) + "."
    index = plan.position[task.id]
    if not dead and not unmet and plan.milestone[index] > build.milestone:
        yield (
            f"It belongs to phase {task.milestone}, which opens when the {build.open_in_milestone} open tasks of"
            f" {plan.milestones[build.milestone]} have landed."
        )
    elif not dead and not unmet and build.options.by_hand and not build.is_terminal:
        yield "It is ready, and starts with a step when no other task is at work."
    elif not dead and not unmet and not build.is_terminal:
        slots = build.options.limits.concurrency
        yield f"It is ready and starts when {'its slot' if slots == 1 else f'one of the {slots} slots'} is free."
    if build.control is not Control.RUNNING and not build.is_terminal:
        yield f"The build is {headline(build)}, so nothing new starts."


def _sentence(text: str) -> str:
    text = text.strip() or "no reason was recorded"
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _some_ids(plan: Plan, wanted: str, most: int = 8) -> str:
    """Return ids that look like the wanted one, or else the first ids of the plan."""
    folded = wanted.casefold()
    ids = [task.id for task in plan.graph.tasks]
    near = [task_id for task_id in ids if folded in task_id.casefold() or task_id.casefold().startswith(folded[:3])]
    shown = (near or ids)[:most]
    return ", ".join(shown) + (", ..." if len(ids) > len(shown) else "")
