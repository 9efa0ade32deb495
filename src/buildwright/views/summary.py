"""The results of builds: phases, tokens and money, verdicts, messages, delivery; and sums over several. Pure.

`Summing` takes the journal event by event: it must never need a long one in memory as a whole.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from buildwright.core import event as e
from buildwright.core.build import Build, TaskPhase, TaskState, Usage, usage_of
from buildwright.core.event import Recorded
from buildwright.core.finding import Verdict
from buildwright.core.record import Record
from buildwright.views.overview import BuildView, TaskView, build_view, seconds_of, task_counts
from buildwright.views.project import PLANNING, PhaseView, phase_name, phases_of, refused_attempts, written_paths
from buildwright.views.statuses import BuildStatusName, PhaseStatus, project_status


class PhaseSummary(PhaseView):
    """The figures of one phase. `seconds` is the working time from its first task's start to its last one's end, or to now."""

    seconds: float
    attempts: int
    loopbacks: int
    tokens: int
    cost_usd: Decimal


class BuildCost(Record):
    """Tokens and money of one phase with one model. Input tokens exclude cache reads and writes."""

    phase: str
    model: str
    requests: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    estimated_cost_usd: Decimal
    unpriced: int
    """Requests without a known price; they are not in the cost."""


class Audits(Record):
    """Verdicts of the gates on changes and on their merged trees."""

    total: int = 0
    passed: int = 0
    failed: int = 0
    reports: int = 0
    """Number of single gates' reports in them."""


class Interjection(Record):
    """A message of the user, and the agents that have heard it."""

    id: str
    message: str
    task: str = ""
    sent_at: datetime
    delivered_at: datetime | None = None
    delivered_to: tuple[str, ...] = ()


class DeliveredResult(Record):
    """The place of the result."""

    kind: str
    ref: str = ""
    branch: str = ""
    commit: str = ""
    remote: str = ""
    """"" for the repository of the build itself."""
    pull_request: str = ""
    """Address of its page; "" for none."""
    draft: bool = False
    """Whether the pull request is a draft: the result is not verified, or not whole."""
    at: datetime


class BuildSummary(Record):
    """The results of a build, so far or final."""

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
    """Number of answers of models."""
    attempts: int
    """Number of attempts that agents have begun."""
    audits: Audits
    loopbacks: int
    """Number of rejected attempts that were, or will have to be, made again."""
    pauses: int
    files_written: int
    commits: int
    """Number of changes that have landed, and of marks of phases, a commit each."""
    interjections: tuple[Interjection, ...] = ()
    delivered: DeliveredResult | None = None
    contracts: int = 0
    """Number of the contracts that it was made from."""


@dataclass(slots=True)
class Summing:
    """The sums over a build's journal. `add` every event in order, then ask `summary_of`."""

    costs: dict[tuple[str, str], Usage] = field(default_factory=dict)
    verdicts: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    messages: dict[str, Interjection] = field(default_factory=dict)
    delivered: DeliveredResult | None = None

    def add(self, recorded: Recorded) -> None:
        """Add one more event."""
        _, at, event = recorded
        match event:
            case e.TokensUsed():
                self._spend(event)
            case e.PatchJudged() | e.MergeJudged() | e.BuildVerified():
                self._judge(event.verdict)
            case e.TaskStarted() | e.ChangeLanded() | e.PhaseMarked() | e.BuildPaused():
                self.counts[event.type] += 1
            case e.MessageSent():
                self.messages[event.id] = Interjection(id=event.id, message=event.text, task=event.task, sent_at=at)
            case e.MessageDelivered() if event.id in self.messages:
                before = self.messages[event.id]
                heard = {"delivered_at": before.delivered_at or at, "delivered_to": (*before.delivered_to, event.task)}
                self.messages[event.id] = before.model_copy(update=heard)
            case e.BuildDelivered():
                branch = event.ref.removeprefix("refs/heads/")
                self.delivered = DeliveredResult(
                    kind=event.kind,
                    ref=event.ref,
                    branch=branch,
                    commit=event.commit,
                    remote=event.remote,
                    pull_request=event.pull_request,
                    draft=event.draft,
                    at=at,
                )
            case _:
                pass  # has nothing to sum up

    def _spend(self, event: e.TokensUsed) -> None:
        # By task, since the phase of a task is known only at the end.
        key = (event.task, event.model)
        self.costs[key] = self.costs.get(key, Usage()).plus(usage_of(event))

    def _judge(self, verdict: Verdict) -> None:
        self.verdicts["passed" if verdict.ok else "failed"] += 1
        self.verdicts["reports"] += len(verdict.reports)


def summary_of(build: Build, summing: Summing, now: datetime) -> BuildSummary:
    """Return the summary, from the newest state and the journal up to it."""
    passed, failed = summing.verdicts["passed"], summing.verdicts["failed"]
    usage = build.usage
    return BuildSummary(
        build_id=build.id,
        project_id=build.project_id,
        title=build.spec.title,
        status=project_status(build.control, build.outcome or "", build.version),
        message=build.message,
        started_at=build.created_at,
        completed_at=build.finished_at,
        seconds=seconds_of(build, now),
        phases=_phases(build, now),
        tasks=task_counts(build),
        tasks_total=build.total,
        tokens=usage.tokens,
        **_figures(usage),
        costs=_costs(build, summing),
        turns=usage.requests,
        attempts=summing.counts["task.started"],
        audits=Audits(total=passed + failed, passed=passed, failed=failed, reports=summing.verdicts["reports"]),
        loopbacks=sum(refused_attempts(state) for state in build.tasks.values()),
        pauses=summing.counts["build.paused"],
        files_written=len(written_paths(build)),
        commits=summing.counts["change.landed"] + summing.counts["phase.marked"],
        interjections=tuple(summing.messages.values()),
        delivered=summing.delivered,
        contracts=len(build.spec.contracts.contracts) if build.spec.contracts is not None else 0,
    )


def _figures(usage: Usage) -> dict[str, Any]:
    """Return the figures that a summary and each of its costs have in common."""
    figures = usage._asdict()
    del figures["requests"]
    return figures | {"estimated_cost_usd": figures.pop("cost_usd")}


def _costs(build: Build, summing: Summing) -> tuple[BuildCost, ...]:
    """Return the costs by phase and model, phases in order, those of no task first."""
    sums: dict[tuple[str, str], Usage] = {}
    for (task, model), used in summing.costs.items():
        key = (_phase_of(build, task), model)
        sums[key] = sums.get(key, Usage()).plus(used)
    order = {phase.name: phase.number for phase in phases_of(build)}
    return tuple(
        BuildCost(
            phase=phase,
            model=model,
            requests=used.requests,
            **_figures(used),
        )
        for (phase, model), used in sorted(sums.items(), key=lambda item: (order.get(item[0][0], 0), *item[0]))
    )


def _phase_of(build: Build, task: str) -> str:
    """Return the phase of a task. What advisors use belongs to no phase of the plan."""
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
            seconds=_seconds(build, states.get(phase.name, []), phase.status, now),
            attempts=sum(state.attempt for state in states.get(phase.name, [])),
            loopbacks=sum(map(refused_attempts, states.get(phase.name, []))),
            tokens=sum(state.tokens for state in states.get(phase.name, [])),
            cost_usd=sum((state.cost_usd for state in states.get(phase.name, [])), Decimal(0)),
        )
        for phase in phases_of(build)
    )


def _seconds(build: Build, states: list[TaskState], status: PhaseStatus, now: datetime) -> float:
    start, before = min(((one.started_at, one.rested_before) for one in states if one.started_at), default=(None, None))
    if start is None or before is None:
        return 0.0
    ends = [(one.finished_at, one.rested_until) for one in states if one.finished_at is not None]
    end, rested = max(ends) if status == "completed" and ends else (now, build.clock.rested_at(now))
    return max(0.0, (end - start - (rested - before)).total_seconds())


# --- What a program gets of the builds that it ran -----------------------------------------------------------------


class TaskResult(TaskView):
    """The result of one task."""

    findings: tuple[str, ...] = ()
    """Why its last attempt was refused, if it was."""

    @property
    def ok(self) -> bool:
        return self.phase == TaskPhase.DONE

    @property
    def attempts(self) -> int:
        """Return the number of attempts begun so far."""
        return self.attempt


class BuildResult(BuildView):
    """The result of one build, or its state when it is paused or was detached from."""

    tasks: tuple[TaskResult, ...] = ()
    """All tasks, wave by wave."""
    runner: str = ""
    """The process that carries it out, `workers` where live ones do; "" when no process does, whatever `control` says."""

    @property
    def ok(self) -> bool:
        return self.outcome == "succeeded"

    @property
    def build_id(self) -> str:
        return self.id

    @property
    def paused(self) -> str:
        """Why the build is paused and needs a person; "" when it does not."""
        return "" if self.pause is None else self.pause.message or self.pause.reason

    @property
    def tokens(self) -> int:
        return self.usage.tokens

    @property
    def cost_usd(self) -> Decimal:
        return self.usage.cost_usd

    @property
    def commit(self) -> str:
        """The last commit that landed."""
        return self.head


def result_of(build: Build, now: datetime, runner: str = "") -> BuildResult:
    """Return the build with all of its tasks and who carries it out now, in O(tasks)."""
    view = build_view(build, now, build.total)
    tasks = (TaskResult(**dict(task), findings=tuple(map(str, build.task(task.id).findings))) for task in view.tasks)
    return BuildResult(**{**dict(view), "tasks": tuple(tasks), "runner": runner})


@dataclass(frozen=True, slots=True)
class BatchResult:
    """A list of tasks that was run as one build: the same tasks, in the order they were given."""

    build: BuildResult
    results: tuple[TaskResult, ...]

    @property
    def successes(self) -> tuple[TaskResult, ...]:
        return tuple(result for result in self.results if result.ok)

    @property
    def failures(self) -> tuple[TaskResult, ...]:
        return tuple(result for result in self.results if result.phase == TaskPhase.FAILED)

    @property
    def ok(self) -> bool:
        return self.build.ok and all(result.ok for result in self.results)


@dataclass(frozen=True, slots=True)
class Summary:
    """Sums over some builds. Seconds are of wall time per build, added up."""

    builds: int = 0
    succeeded: int = 0
    failed: int = 0
    """Number of builds that ended as failed, stopped or aborted."""
    unfinished: int = 0
    tasks: int = 0
    successes: int = 0
    failures: int = 0
    skipped: int = 0
    attempts: int = 0
    usage: Usage = Usage()
    seconds: float = 0.0
    longest_seconds: float = 0.0

    @property
    def tokens(self) -> int:
        return self.usage.tokens

    @property
    def cost_usd(self) -> Decimal:
        return self.usage.cost_usd

    @property
    def unpriced_requests(self) -> int:
        """Requests without a known price; they are not in `cost_usd`."""
        return self.usage.unpriced

    def plus(self, build: Build, now: datetime) -> Summary:
        """Return the figures with one more build."""
        seconds = seconds_of(build, now)
        return Summary(
            builds=self.builds + 1,
            succeeded=self.succeeded + (build.outcome == "succeeded"),
            failed=self.failed + (build.outcome not in {None, "succeeded"}),
            unfinished=self.unfinished + (build.outcome is None),
            tasks=self.tasks + build.total,
            successes=self.successes + build.done,
            failures=self.failures + len(build.failed),
            skipped=self.skipped + build.skipped,
            attempts=self.attempts + sum(state.attempt for state in build.tasks.values()),
            usage=self.usage.plus(build.usage),
            seconds=self.seconds + seconds,
            longest_seconds=max(self.longest_seconds, seconds),
        )
