"""The evidence of a build: from each line that was asked to the commit, its checks and its cost. Must never judge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from buildwright.core import event as e
from buildwright.core.build import Build, TaskPhase, Usage, usage_of
from buildwright.core.event import Recorded
from buildwright.core.finding import Report, Verdict
from buildwright.core.judged_base import base_waived
from buildwright.core.record import Record
from buildwright.core.work_clock import ClockHistory
from buildwright.views.explain import attempts_of
from buildwright.views.overview import TotalSpent, sandbox_of
from buildwright.views.verdicts import ApprovalView, approvals_of


class JudgedAttempt(Record):
    """One attempt at a task: how it ended, the checks that judged it, and what it cost."""

    number: int
    started_at: datetime
    agent: str = ""
    """Who made it; "" in older journals: the build's."""
    seconds: float | None = None
    outcome: str = ""
    detail: str = ""
    findings: tuple[str, ...] = ()
    verdict: Verdict | None = None
    """On the attempt's own tree."""
    merge_verdict: Verdict | None = None
    """On the tree that it became on top of what had landed."""
    spent: TotalSpent = TotalSpent()


class LandedChange(Record):
    """The commit of a task, the one it lies on, and its tree."""

    task: str
    attempt: int
    commit: str
    tree: str
    onto: str
    at: datetime


class TaskEvidence(Record):
    """One task: what was asked of it, its attempts and what landed."""

    id: str
    title: str
    requirements: tuple[str, ...] = ()
    acceptance: tuple[str, ...] = ()
    phase: str = ""
    attempts: tuple[JudgedAttempt, ...] = ()
    landed: LandedChange | None = None
    approvals: tuple[ApprovalView, ...] = ()
    """What would have kept its change from landing, and a person let pass."""


class PhaseEvidence(Record):
    """The audit of one phase: the commits it is about, what each check said, and its entry in the signed ledger."""

    phase: str
    base: str
    head: str
    tree: str
    ok: bool
    reports: tuple[Report, ...] = ()
    entry: int | None = None
    at: datetime


class MarkedPhase(Record):
    """A commit that changes no file and says that a phase is complete."""

    phase: str
    commit: str
    onto: str


class BuildEvidence(Record):
    """All evidence of one build."""

    build: str
    title: str
    repository: str
    outcome: str
    created_at: datetime
    base: str
    head: str
    agent: str
    """The agent that the build was given; each attempt says who made it."""
    model: str
    sandbox: str = ""
    """What contained agents and checks; `none` if nothing did, `auto` if each worker chose, "" in older bundles."""
    tasks: tuple[TaskEvidence, ...] = ()
    final: tuple[Report, ...] = ()
    """The checks of the whole result."""
    audits: tuple[PhaseEvidence, ...] = ()
    marks: tuple[MarkedPhase, ...] = ()
    accepted: tuple[str, ...] = ()
    """What the gates refuse in the tree that the build began with, and a person has accepted."""
    delivered: str = ""
    """The ref that the result was delivered to."""
    dependencies: str = ""
    """SHA-256 of the statement about what manifests declare anew and no more; "" when there is none."""
    spent: TotalSpent = TotalSpent()
    """Of all attempts and advisors."""

    @property
    def landed(self) -> tuple[LandedChange, ...]:
        return tuple(sorted((one.landed for one in self.tasks if one.landed), key=lambda one: one.at))


def evidence_of(build: Build, events: Sequence[Recorded]) -> BuildEvidence:
    """Return the evidence of a build from its state and its whole journal."""
    plan = build.plan
    by_task: dict[str, list[Recorded]] = {}
    for recorded in events:
        by_task.setdefault(getattr(recorded.event, "task", ""), []).append(recorded)
    before = {one.task: one for one in _before(events) if one.counts}
    clock = ClockHistory(events)
    delivered = [one.event.ref for one in events if isinstance(one.event, e.BuildDelivered)]
    return BuildEvidence(
        build=build.id,
        title=build.spec.title,
        repository=build.repository,
        outcome=build.outcome or "",
        created_at=build.created_at,
        base=build.base,
        head=build.head,
        agent=build.options.agent,
        model=build.options.model,
        sandbox=sandbox_of(build),
        tasks=(
            *_replaced(events),
            *(
                _task(build, name, by_task.get(name, ()), before.get(name), clock)
                for name in (plan.position if plan is not None else ())
            ),
        ),
        marks=_marks(build, events),
        accepted=tuple(map(str, base_waived(build))),
        final=build.verdict.reports if build.verdict is not None else (),
        audits=tuple(_audits(build, events)),
        delivered=delivered[-1] if delivered else "",
        spent=_spent(one.event for one in events if isinstance(one.event, e.TokensUsed)),
    )


def _audits(build: Build, events: Sequence[Recorded]) -> Iterator[PhaseEvidence]:
    for recorded in events:
        event = recorded.event
        if isinstance(event, e.PhaseAudited):
            yield PhaseEvidence(
                phase=build.phase_name(event.phase),
                base=event.base,
                head=event.head,
                tree=event.verdict.tree,
                ok=event.verdict.ok,
                reports=event.verdict.reports,
                entry=event.entry,
                at=recorded.at,
            )


def _marks(build: Build, events: Sequence[Recorded]) -> tuple[MarkedPhase, ...]:
    """Return the marks on the base that the build stands on now."""
    marks: list[MarkedPhase] = []
    for recorded in events:
        match recorded.event:
            case e.BuildForked(marks=inherited):
                marks = [
                    MarkedPhase(phase=build.phase_name(one.phase), commit=one.head, onto=one.base) for one in inherited
                ]
            case e.BaseChanged():
                marks = []
            case e.PhaseMarked(phase=phase, commit=commit, onto=onto):
                marks.append(MarkedPhase(phase=build.phase_name(phase), commit=commit, onto=onto))
    return tuple(marks)


def _before(events: Sequence[Recorded]) -> tuple[e.LandedBefore, ...]:
    """Return what had landed before the build was forked from another one."""
    return next((one.event.landed for one in events[:2] if isinstance(one.event, e.BuildForked)), ())


def _replaced(events: Sequence[Recorded]) -> Iterator[TaskEvidence]:
    """Yield what had landed before the fork of tasks that the build has no more, or does in another way."""
    for one in _before(events):
        if not one.counts and one.commit:
            yield TaskEvidence(
                id=one.task,
                title="landed before the fork",
                phase=TaskPhase.DONE.value,
                attempts=(_attempt_before(one),),
                landed=_landed_before(one),
            )


def _landed_before(one: e.LandedBefore) -> LandedChange:
    names = ("task", "attempt", "commit", "tree", "onto", "at")
    return LandedChange(**{name: getattr(one, name) for name in names})


def _attempt_before(one: e.LandedBefore) -> JudgedAttempt:
    """Return the attempt of a change that had landed, with the verdict on it; what it cost, another build has paid."""
    return JudgedAttempt(
        number=one.attempt,
        started_at=one.at,
        agent=one.agent,
        outcome="landed",
        detail="landed before the fork",
        verdict=one.verdict,
    )


def _task(
    build: Build, name: str, events: Sequence[Recorded], before: e.LandedBefore | None, clock: ClockHistory
) -> TaskEvidence:
    assert build.plan is not None
    task = build.plan.task(name)
    onto: dict[str, str] = {}
    landed = _landed_before(before) if before is not None and before.commit else None
    for recorded in events:
        match recorded.event:
            case e.MergePrepared() as event:
                onto[event.commit] = event.onto
            case e.ChangeLanded() as event:
                landed = LandedChange(
                    task=name,
                    attempt=event.attempt,
                    commit=event.commit,
                    tree=event.tree,
                    onto=onto.get(event.commit, ""),
                    at=recorded.at,
                )
    return TaskEvidence(
        id=name,
        title=task.title,
        requirements=task.requirements,
        acceptance=task.acceptance,
        phase=build.task(name).phase.value,
        attempts=(*([_attempt_before(before)] if before is not None else []), *_attempts(name, events, clock)),
        landed=landed,
        approvals=approvals_of(name, build.task(name)),
    )


def _attempts(name: str, events: Sequence[Recorded], clock: ClockHistory) -> tuple[JudgedAttempt, ...]:
    judged: dict[tuple[type, int], Verdict] = {}
    spent: dict[int, list[e.TokensUsed]] = {}
    for recorded in events:
        event = recorded.event
        if isinstance(event, e.PatchJudged | e.MergeJudged):
            judged[type(event), event.attempt] = event.verdict
        elif isinstance(event, e.TokensUsed):
            spent.setdefault(event.attempt, []).append(event)
    return tuple(
        JudgedAttempt(
            number=one.number,
            started_at=one.started_at,
            agent=one.agent,
            seconds=one.seconds,
            outcome=one.outcome,
            detail=one.detail,
            findings=one.findings,
            verdict=judged.get((e.PatchJudged, one.number)),
            merge_verdict=judged.get((e.MergeJudged, one.number)),
            spent=_spent(spent.get(one.number, ())),
        )
        for one in attempts_of(name, events, clock)
    )


def _spent(events: Iterable[object]) -> TotalSpent:
    total = Usage()
    for event in events:
        if isinstance(event, e.TokensUsed):
            total = total.plus(usage_of(event))
    return TotalSpent(**total._asdict())
