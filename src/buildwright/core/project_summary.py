"""What a build came to: phases, tokens and money by phase and model, verdicts, messages, the result. Pure; decides nothing.

`Summing` takes the journal event by event, so that a long one need never be in memory as a whole.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from buildwright.core import event as e
from buildwright.core.build import Build, TaskState, Usage
from buildwright.core.event import Recorded
from buildwright.core.finding import Verdict
from buildwright.core.project_views import (
    PLANNING,
    BuildStatusName,
    PhaseStatus,
    phase_name,
    phases_of,
    refused_attempts,
    status_name,
    written_paths,
)
from buildwright.core.record import Record
from buildwright.core.views import seconds_of, task_counts


class PhaseSummary(Record):
    """What one phase took. `seconds` runs from the start of its first task to the end of its last, or to now."""

    number: int
    name: str
    status: PhaseStatus
    tasks: int
    done: int
    skipped: int
    failed: int
    seconds: float
    attempts: int
    loopbacks: int
    tokens: int
    cost_usd: Decimal


class BuildCost(Record):
    """Tokens and money of one phase with one model. Input tokens exclude what was read from or written to a cache."""

    phase: str
    model: str
    requests: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    estimated_cost_usd: Decimal
    unpriced: int
    """Requests whose price is not known; they are not in the cost."""


class Audits(Record):
    """Verdicts of the gates on changes and on what they were merged to."""

    total: int = 0
    passed: int = 0
    failed: int = 0
    reports: int = 0
    """Reports of single gates in them."""


class Interjection(Record):
    """A message of the user, and which agents have taken it in."""

    id: str
    message: str
    task: str = ""
    sent_at: datetime
    delivered_at: datetime | None = None
    delivered_to: tuple[str, ...] = ()


class Delivery(Record):
    """Where the result is."""

    kind: str
    ref: str = ""
    branch: str = ""
    commit: str = ""
    remote: str = ""
    """"" for the repository of the build itself."""
    at: datetime


class BuildSummary(Record):
    """What a build came to, so far or for good."""

    build_id: str
    project_id: str
    title: str
    status: BuildStatusName
    message: str = ""
    started_at: datetime
    completed_at: datetime | None = None
    seconds: float
    phases: tuple[PhaseSummary, ...] = ()
    tasks: dict[str, int]
    tasks_total: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    tokens: int
    estimated_cost_usd: Decimal
    unpriced: int
    costs: tuple[BuildCost, ...] = ()
    turns: int
    """Answers of models."""
    attempts: int
    """Attempts that agents have begun."""
    audits: Audits
    loopbacks: int
    """Attempts that came to nothing and were, or will have to be, made again."""
    pauses: int
    files_written: int
    commits: int
    """Changes that have landed, a commit each."""
    interjections: tuple[Interjection, ...] = ()
    delivered: Delivery | None = None


@dataclass(slots=True)
class Summing:
    """The journal of a build, added up. `add` every event in order, then ask `summary`."""

    costs: dict[tuple[str, str], Usage] = field(default_factory=dict)
    verdicts: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    messages: dict[str, Interjection] = field(default_factory=dict)
    delivered: Delivery | None = None

    def add(self, recorded: Recorded) -> None:
        """One more event."""
        _, at, event = recorded
        match event:
            case e.TokensUsed():
                self._spend(event)
            case e.PatchJudged() | e.MergeJudged() | e.BuildVerified():
                self._judge(event.verdict)
            case e.TaskStarted() | e.ChangeLanded() | e.BuildPaused():
                self.counts[event.type] += 1
            case e.MessageSent():
                self.messages[event.id] = Interjection(id=event.id, message=event.text, task=event.task, sent_at=at)
            case e.MessageDelivered() if event.id in self.messages:
                before = self.messages[event.id]
                heard = {"delivered_at": before.delivered_at or at, "delivered_to": (*before.delivered_to, event.task)}
                self.messages[event.id] = before.model_copy(update=heard)
            case e.BuildDelivered():
                branch = event.ref.removeprefix("refs/heads/")
                self.delivered = Delivery(
                    kind=event.kind, ref=event.ref, branch=branch, commit=event.commit, remote=event.remote, at=at
                )
            case _:
                pass  # says nothing that is summed up

    def _spend(self, event: e.TokensUsed) -> None:
        # By task, for which phase a task is in is known at the end.
        key = (event.task, event.model)
        self.costs[key] = _sum(self.costs.get(key, Usage()), _usage(event))

    def _judge(self, verdict: Verdict) -> None:
        self.verdicts["passed" if verdict.ok else "failed"] += 1
        self.verdicts["reports"] += len(verdict.reports)


def summary_of(build: Build, summing: Summing, now: datetime) -> BuildSummary:
    """The summary, from the newest state and the journal up to it."""
    passed, failed = summing.verdicts["passed"], summing.verdicts["failed"]
    usage = build.usage
    return BuildSummary(
        build_id=build.id,
        project_id=build.project_id,
        title=build.spec.title,
        status=status_name(build.control, build.outcome or "", build.version),
        message=build.message,
        started_at=build.created_at,
        completed_at=build.finished_at,
        seconds=seconds_of(build, now),
        phases=_phases(build, now),
        tasks=task_counts(build),
        tasks_total=build.total,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        tokens=usage.tokens,
        estimated_cost_usd=usage.cost_usd,
        unpriced=usage.unpriced,
        costs=_costs(build, summing),
        turns=usage.requests,
        attempts=summing.counts["task.started"],
        audits=Audits(total=passed + failed, passed=passed, failed=failed, reports=summing.verdicts["reports"]),
        loopbacks=sum(refused_attempts(state) for state in build.tasks.values()),
        pauses=summing.counts["build.paused"],
        files_written=len(written_paths(build)),
        commits=summing.counts["change.landed"],
        interjections=tuple(summing.messages.values()),
        delivered=summing.delivered,
    )


def _usage(event: e.TokensUsed) -> Usage:
    return Usage(
        requests=1,
        input_tokens=event.input_tokens,
        output_tokens=event.output_tokens,
        cache_read_tokens=event.cache_read_tokens,
        cache_write_tokens=event.cache_write_tokens,
        cost_usd=event.cost_usd or Decimal(0),
        unpriced=int(event.cost_usd is None),
    )


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(
        requests=one.requests + other.requests,
        input_tokens=one.input_tokens + other.input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        cache_read_tokens=one.cache_read_tokens + other.cache_read_tokens,
        cache_write_tokens=one.cache_write_tokens + other.cache_write_tokens,
        cost_usd=one.cost_usd + other.cost_usd,
        unpriced=one.unpriced + other.unpriced,
    )


def _costs(build: Build, summing: Summing) -> tuple[BuildCost, ...]:
    """By phase and model, phases in order, what was used for no task first."""
    sums: dict[tuple[str, str], Usage] = {}
    for (task, model), used in summing.costs.items():
        key = (_phase_of(build, task), model)
        sums[key] = _sum(sums.get(key, Usage()), used)
    order = {phase.name: phase.number for phase in phases_of(build)}
    return tuple(
        BuildCost(
            phase=phase,
            model=model,
            requests=used.requests,
            input_tokens=used.input_tokens,
            output_tokens=used.output_tokens,
            cache_read_tokens=used.cache_read_tokens,
            cache_write_tokens=used.cache_write_tokens,
            estimated_cost_usd=used.cost_usd,
            unpriced=used.unpriced,
        )
        for (phase, model), used in sorted(sums.items(), key=lambda item: (order.get(item[0][0], 0), *item[0]))
    )


def _phase_of(build: Build, task: str) -> str:
    """What advisors use belongs to no phase of the plan."""
    return phase_name(build, task) if build.plan is not None and task in build.plan.position else PLANNING


def _phases(build: Build, now: datetime) -> tuple[PhaseSummary, ...]:
    plan = build.plan
    if plan is None:
        return ()
    states: dict[str, list[TaskState]] = {}
    for task_id, state in build.tasks.items():
        states.setdefault(phase_name(build, task_id), []).append(state)
    return tuple(
        PhaseSummary(
            **phase.model_dump(),
            seconds=_seconds(states.get(phase.name, []), phase.status, build.finished_at or now),
            attempts=sum(state.attempt for state in states.get(phase.name, [])),
            loopbacks=sum(map(refused_attempts, states.get(phase.name, []))),
            tokens=sum(state.tokens for state in states.get(phase.name, [])),
            cost_usd=sum((state.cost_usd for state in states.get(phase.name, [])), Decimal(0)),
        )
        for phase in phases_of(build)
    )


def _seconds(states: list[TaskState], status: PhaseStatus, now: datetime) -> float:
    begun = [state.started_at for state in states if state.started_at is not None]
    if not begun:
        return 0.0
    ends = [state.finished_at for state in states if state.finished_at is not None]
    end = max(ends) if status == "completed" and ends else now
    return max(0.0, (end - min(begun)).total_seconds())
