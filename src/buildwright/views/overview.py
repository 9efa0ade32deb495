"""The view of a build for people and programs: state, tasks, pause and plan. Must never decide or change anything.

`GET /api/builds/{id}` and `buildwright status --json` return a `BuildView`; the library returns one with more fields
(`summary.BuildResult`). Words for people are made here, but never a command to type. Large because one record is what
all doors show, and each of its parts is made here alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Literal

from pydantic import Field

from buildwright.core.build import Build, Control, Pause, Stage, TaskPhase, TaskState, landed_before, unapproved
from buildwright.core.complexity import Complexity, Level, complexity_of
from buildwright.core.decide import allowed_modes
from buildwright.core.event import StepMode
from buildwright.core.fault import Fault
from buildwright.core.finding import Finding
from buildwright.core.graph import Graph, Plan, compile_plan
from buildwright.core.judged_base import base_troubles
from buildwright.core.models import named
from buildwright.core.record import Record
from buildwright.core.spec import Feature
from buildwright.core.task import TaskAction, Validation
from buildwright.core.timed_out import time_limit_of
from buildwright.views.estimate import EstimateView
from buildwright.views.later_delivery import LaterDelivery, later_delivery
from buildwright.views.money import LimitView, limits_that_last, ways_on
from buildwright.views.statuses import BUSY, BuildPhase, doing, phase_shown, runtime_phase, stream_status
from buildwright.views.stuck import proposal_lines

ChoiceName = Literal["go", "retry", "skip", "abort"]


class TaskView(Record):
    """One task as a list shows it. `seconds` is its working time, from its first attempt to its end, or to now."""

    id: str
    title: str
    phase: str
    """A `TaskPhase` value."""
    attempt: int = 0
    agent: str = ""
    """Who makes the current attempt, or made the last one; before the first, the one that is to make it."""
    model: str = ""
    """What the attempt asks, where models have names: the name, and the model itself in parentheses."""
    complexity: Level | None = None
    wave: int = 0
    """Counted from 1."""
    milestone: str = ""
    seconds: float | None = None
    cost_usd: Decimal = Decimal(0)
    tokens: int = 0
    commit: str = ""
    reason: str = ""
    """Why the task was rejected, failed or waits, in one line."""
    warnings: tuple[str, ...] = ()
    """What the gates let pass and a person should see, for example a deleted file that the task did not name."""


class Choice(Record):
    """One way out of a pause."""

    name: ChoiceName
    words: str
    takes: str = ""
    """Field of the request to resume that goes with it, such as `budget_usd`; "" without one."""
    value: str = ""
    """A value of that field that lets the build go on: twice what it has now."""
    also: dict[str, str] = Field(default_factory=dict)
    """Further fields with their values, where that one alone would not do: several budgets are spent."""


class PauseView(Record):
    """Why a build is paused and what can be done about it; the findings come first."""

    reason: str
    message: str
    task: str = ""
    since: datetime
    findings: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    fault: Fault = ""
    """Whose fault it is, where that is known."""
    until: datetime | None = None
    """When it ends by itself, if it does."""
    proposed: tuple[str, ...] = ()
    """How the plan that the diagnosis proposes differs, a line each; () where none is proposed."""
    approvable: tuple[str, ...] = ()
    """Fingerprints of the findings whose approval has the task's change judged again; () when that would not do."""
    asked_by: str = ""
    """The user who paused it, if that is not the build's own; else ""."""


class MessageView(Record):
    """A message of the user that no agent has heard yet. `task` is "" when it is for all."""

    id: str
    text: str
    task: str = ""


class TotalSpent(Record):
    """Tokens and US dollars; `unpriced` counts requests without a known price."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    unpriced: int = 0


class UsageView(TotalSpent):
    """Tokens and money of the whole build. `unpriced` counts requests whose price is not known."""

    tokens: int = 0
    """All tokens of the kinds above."""


class StepsView(Record):
    """The steps of a build driven by hand."""

    asked: StepMode | None = None
    """The step that the build makes now; None while it waits for one."""
    allowed: tuple[StepMode, ...] = ()
    """The modes that can be asked for now, `auto` first."""


class ForkedFrom(Record):
    """The point of another build that a build goes on from."""

    build: str
    event: int
    changed: tuple[str, ...] = ()
    """What is different here: of `model`, `plan` and `note`."""
    note: str = ""
    """What every attempt is told beside its task."""
    tasks: int = 0
    """Number of tasks that were done there and are not done again."""


class BuildView(Record):
    """Everything that a status page needs. `seconds` is the working time until its end, or now."""

    id: str
    correlation_id: str
    version: int
    title: str
    repository: str
    forked_from: ForkedFrom | None = None
    """None for a build that did not begin at a point of another one."""
    stage: str
    control: str
    outcome: str = ""
    message: str = ""
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None = None
    seconds: float = 0.0
    total: int = 0
    counts: dict[str, int] = Field(default_factory=dict)
    """Numbers of tasks by phase; `waiting` has all without any event. Zeros are left out."""
    running: tuple[TaskView, ...] = ()
    tasks: tuple[TaskView, ...] = ()
    omitted: int = 0
    """Number of tasks that the limit left out of `tasks`."""
    usage: UsageView = Field(default_factory=UsageView)
    budget_usd: Decimal | None = None
    sandbox: str = ""
    """What contains agents and checks; `none` if nothing does, `auto` if each worker chooses."""
    pause: PauseView | None = None
    steps: StepsView | None = None
    """None for a build that goes on by itself."""
    diagnosis: str = ""
    """The cause of the failures in a row, while the build is stuck."""
    base: str = ""
    head: str = ""
    delivered: str = ""
    """Full name of the ref that holds the result, once it exists."""
    delivery_error: str = ""
    """Why the newest delivery failed; "" when it did not."""
    delivering: LaterDelivery | None = None
    """The delivery that was asked for after its end, while it is under way."""
    pull_request: str = ""
    """Address of the pull request's page; "" for none."""
    findings: tuple[str, ...] = ()
    """Why the final tree was refused, if it was."""
    warnings: tuple[str, ...] = ()
    """What the checks of this build do not prove: no test command, parts that no check runs, hidden exit codes."""
    notes: tuple[str, ...] = ()
    unheard: tuple[MessageView, ...] = ()
    limits: tuple[LimitView, ...] = ()
    """The limits of providers that its requests wait for."""


class WorkerHolds(Record):
    """One action that a worker holds. `task` is "" for an action of the whole build."""

    action: str
    task: str
    worker: str
    state: str = Field(description="`alive`, `suspect` or `gone`.")


class Standing(Record):
    """The state of a build in short: the answer to a request that steers it."""

    build_id: str
    project_id: str
    state: str = Field(description="`paused` or `stopping`, else the phase.")
    phase: BuildPhase
    control: str
    outcome: str
    version: int
    pause: PauseView | None = None


class PlannedTaskView(Record):
    """One task of a plan of which nothing has run yet."""

    id: str
    title: str
    wave: int
    milestone: str = ""
    depends_on: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    minutes: float
    on_critical_path: bool = False
    complexity: Complexity | None = None
    """How complex it is likely to be, and why."""
    goal: str = ""
    action: TaskAction = "change"
    requirements: tuple[str, ...] = ()
    acceptance: tuple[str, ...] = ()
    validation: Validation | None = None
    """A check of the task's own, beside the project's."""
    tests_first: tuple[str, ...] = ()
    priority: int = 0
    critical: bool = False
    code_template: str = ""
    agent: str = ""
    """The agent that the task names, if it names one."""


class FeatureView(Record):
    """A feature of the spec, and the tasks that build it, in their order."""

    name: str
    line: int = 0
    """Its line in the spec; 0 if it has none."""
    tasks: tuple[str, ...] = ()


class PlanView(Record):
    """A plan before anything runs. Minutes are the planner's estimates."""

    tasks: tuple[PlannedTaskView, ...]
    waves: tuple[tuple[str, ...], ...]
    milestones: tuple[str, ...]
    critical_path: tuple[str, ...]
    minutes: float
    """Length of the critical path: no schedule can be shorter."""
    total_minutes: float
    widest: int
    """Most tasks of one wave: more agents than this gain nothing."""
    notes: str = ""
    title: str = ""
    """Title of the spec."""
    checks: tuple[str, ...] = ()
    """Commands that would judge each change, where a repository was given."""
    warnings: tuple[str, ...] = ()
    """What those do not prove: no test command, parts that no check runs, hidden exit codes."""
    estimate: EstimateView | None = None
    """What it is likely to take; None where it was not asked for."""
    features: tuple[FeatureView, ...] = ()
    """What the spec calls its features."""
    spec_notes: tuple[str, ...] = ()
    """What became of lines of the spec that are no task, and of marks that do not speak for themselves."""


def build_view(build: Build, now: datetime, limit: int = 200) -> BuildView:
    """Return the view of a build with at most `limit` tasks. Takes O(active tasks + limit), or O(tasks) when cut."""
    plan = build.plan
    tasks = _listed(build, plan, limit) if plan is not None else ()
    return BuildView(
        id=build.id,
        correlation_id=build.correlation_id,
        version=build.version,
        title=build.spec.title,
        repository=build.repository,
        forked_from=forked_from(build),
        stage=build.stage.value,
        control=build.control.value,
        outcome=build.outcome or "",
        message=build.message,
        created_at=build.created_at,
        updated_at=build.updated_at,
        finished_at=build.finished_at,
        seconds=seconds_of(build, now),
        total=build.total,
        counts=task_counts(build),
        running=tuple(task_view(build, task_id, now) for task_id in running_tasks(build)),
        tasks=tuple(task_view(build, task_id, now) for task_id in tasks),
        omitted=build.total - len(tasks),
        usage=UsageView(tokens=build.usage.tokens, **build.usage._asdict()),
        budget_usd=build.budget_usd,
        sandbox=sandbox_of(build),
        pause=pause_view(build, build.pause) if build.pause is not None else None,
        steps=steps_view(build) if build.options.by_hand else None,
        diagnosis=build.diagnosis,
        base=build.base,
        head=build.head,
        delivered=build.delivered,
        delivery_error=build.delivery_error,
        delivering=later_delivery(build),
        pull_request=build.pull_request,
        findings=tuple(map(str, build.verdict.findings)) if build.verdict is not None else (),
        warnings=_warnings(build),
        notes=build.notes,
        unheard=messages_waiting(build),
        limits=limits_that_last(build, now),
    )


def sandbox_of(build: Build) -> str:
    """Return what contains agents and checks, as `BuildView.sandbox` says it; "none" where nothing does."""
    name = build.options.sandbox
    return f"{name}, its limits watched" if build.options.limits_watched and name != "none" else name


def forked_from(build: Build) -> ForkedFrom | None:
    """Return which point of another build this one goes on from, if it does."""
    fork = build.fork
    if fork is None:
        return None
    kept = sum(map(landed_before, build.tasks.values()))
    return ForkedFrom(build=fork.source, event=fork.last, changed=fork.changed, note=fork.note, tasks=kept)


def _warnings(build: Build) -> tuple[str, ...]:
    verdicts = [verdict for verdict in (build.base_verdict, build.verdict) if verdict is not None]
    return tuple(dict.fromkeys(str(warning) for verdict in verdicts for warning in verdict.warnings))


def seconds_of(build: Build, now: datetime) -> float:
    """Return the seconds that a build has been at work, until its end or now."""
    return build.clock.seconds(build.created_at, now)


def clocks_stand(build: Build) -> bool:
    """Return whether no time of its view runs on: the build has ended, is paused, or waits for a step."""
    return build.clock.since is not None


def running_clocks(build: Build) -> dict[str, datetime]:
    """Return the times of its view that run on, by task ("" for the build), each with its start, later by the rests."""
    if clocks_stand(build):
        return {}
    rested = build.clock.rested
    started = {"": build.created_at + rested}
    for name in build.plan.position if build.plan is not None else ():
        state = build.task(name)
        if state.started_at is not None and state.finished_at is None:
            started[name] = state.started_at + (rested - state.rested_before) + state.over
    return started


def running_tasks(build: Build) -> list[str]:
    """Return the tasks in work, in plan order: as many as the concurrency and the train allow, not the whole plan."""
    active = [task_id for task_id in build.active if phase_shown(build, build.task(task_id)) in BUSY]
    if build.plan is not None:
        active.sort(key=build.plan.position.__getitem__)
    return active


def task_counts(build: Build) -> dict[str, int]:
    """Return the number of tasks by phase, in O(active tasks), so that a display may ask often."""
    counts = {"done": build.done}
    for task_id in build.active:
        phase = phase_shown(build, build.task(task_id)).value
        counts[phase] = counts.get(phase, 0) + 1
    counts["failed"] = len(build.failed)
    counts["skipped"] = build.skipped
    counts["waiting"] = build.total - (sum(counts.values()) - counts.get("waiting", 0))
    return {phase: count for phase, count in counts.items() if count}


def task_view(build: Build, task_id: str, now: datetime) -> TaskView:
    """Return the view of one task. Raises KeyError for an unknown task, or without a plan."""
    if build.plan is None:
        raise KeyError(task_id)
    index = build.plan.position[task_id]
    task, state = build.plan.graph.tasks[index], build.task(task_id)
    return TaskView(
        id=task.id,
        title=task.title,
        phase=phase_shown(build, state).value,
        attempt=state.attempt,
        agent=state.agent or build.options.agent_for(task),
        model=_model(build, state),
        complexity=complexity_of(task, len(build.plan.dependents[index])).level,
        wave=build.plan.depth[index] + 1,
        milestone=task.milestone,
        seconds=state.seconds(build.clock, now),
        cost_usd=state.cost_usd,
        tokens=state.tokens,
        commit=state.commit,
        reason=_reason(build, state),
        warnings=tuple(str(one) for one in findings_of(state) if one.severity == "warning"),
    )


def _model(build: Build, state: TaskState) -> str:
    chosen = named(build.options.models, state.model)
    return f"{chosen.name} ({chosen.id})" if chosen is not None else ""


def findings_of(state: TaskState) -> tuple[Finding, ...]:
    """Return all findings of the newest verdict on a task, those of gates that passed too."""
    reports = state.verdict.reports if state.verdict is not None else ()
    return tuple(finding for report in reports for finding in report.findings)


def approvable_in(state: TaskState) -> tuple[str, ...]:
    """Return the fingerprints of the findings whose approval would do for the task's change; () when it would not."""
    left = unapproved(state)
    return tuple(one.fingerprint for one in left) if all(one.can_be_approved for one in left) else ()


def steps_view(build: Build) -> StepsView:
    """Return the step that a build driven by hand makes, or those it could make."""
    asked = build.step.mode if build.step is not None else None
    return StepsView(asked=asked, allowed=tuple(sorted(allowed_modes(build))))


def pause_view(build: Build, pause: Pause) -> PauseView:
    """Return why the build is paused, the findings, and the ways out of this kind of pause."""
    findings = build.task(pause.task).findings if pause.task else ()
    if not findings and not pause.task and build.verdict is not None and not build.verdict.ok:
        findings = build.verdict.findings
    if pause.reason == "base":
        findings = base_troubles(build)
    return PauseView(
        reason=pause.reason,
        message=pause.message,
        task=pause.task,
        since=pause.since,
        findings=tuple(map(str, findings)),
        choices=tuple(_choices(pause, build)),
        fault=pause.fault,
        until=pause.until,
        proposed=proposal_lines(build.plan, build.proposal) if build.plan and build.proposal else (),
        approvable=approvable_in(build.task(pause.task)) if pause.task else (),
        asked_by=pause.asked_by if pause.asked_by != build.user_id else "",
    )


_AS_PLANNED = (
    "goal",
    "action",
    "requirements",
    "acceptance",
    "validation",
    "tests_first",
    "priority",
    "critical",
    "code_template",
    "agent",
)
"""Fields of a task that its view has unchanged."""


def plan_view(graph: Graph, title: str = "", features: tuple[Feature, ...] = ()) -> PlanView:
    """Return the view of a checked plan with its spec's title and features. Raises BadGraph when the tasks form none."""
    plan = compile_plan(graph)
    critical = plan.critical_path
    on_path = set(critical)
    order = sorted(range(len(graph.tasks)), key=lambda i: (plan.depth[i], plan.rank[i]))
    tasks = tuple(
        PlannedTaskView(
            id=graph.tasks[i].id,
            title=graph.tasks[i].title,
            wave=plan.depth[i] + 1,
            milestone=graph.tasks[i].milestone,
            depends_on=graph.tasks[i].depends_on,
            files=graph.tasks[i].files_expected,
            minutes=graph.tasks[i].minutes,
            on_critical_path=graph.tasks[i].id in on_path,
            complexity=complexity_of(graph.tasks[i], len(plan.dependents[i])),
            **{name: getattr(graph.tasks[i], name) for name in _AS_PLANNED},
        )
        for i in order
    )
    waves = plan.waves
    return PlanView(
        tasks=tasks,
        waves=waves,
        milestones=plan.milestones if any(plan.milestones) else (),
        critical_path=critical,
        minutes=plan.minutes,
        total_minutes=sum(task.minutes for task in graph.tasks),
        widest=max(map(len, waves), default=0),
        notes=graph.notes,
        title=title,
        features=tuple(
            FeatureView(
                name=feature.name,
                line=feature.line,
                tasks=tuple(task.id for task in tasks if feature.is_named_in(task.requirements)),
            )
            for feature in features
        ),
    )


def headline(build: Build) -> str:
    """Return the state of the build in a few words."""
    if build.control is not Control.RUNNING:
        return stream_status(build)
    if build.waits_for_step:
        return "waits for a step"
    if build.stage is Stage.WORKING and build.needs_diagnosis:
        return "looking for the cause of the failures"
    return doing(build)


def state_word(build: Build) -> str:
    """Return the state of the build in one word: paused or stopping, else its phase."""
    return build.control.value if build.control in {Control.PAUSED, Control.STOPPING} else runtime_phase(build).value


def standing_of(build: Build) -> Standing:
    """Return the build's state in short."""
    return Standing(
        build_id=build.id,
        project_id=build.project_id,
        state=state_word(build),
        phase=runtime_phase(build),
        control=build.control.value,
        outcome=build.outcome or "",
        version=build.version,
        pause=pause_view(build, build.pause) if build.pause is not None else None,
    )


def messages_waiting(build: Build) -> tuple[MessageView, ...]:
    """Return the user's messages that no agent has heard yet."""
    return tuple(MessageView(id=note.id, text=note.text, task=note.task) for note in build.notes_to_agents)


def _listed(build: Build, plan: Plan, limit: int) -> tuple[str, ...]:
    """Return the ids for the list, wave by wave; when not all fit, those that need attention come first."""
    tasks = plan.graph.tasks
    order = sorted(range(len(tasks)), key=lambda i: (plan.milestone[i], plan.depth[i], plan.rank[i]))
    if len(order) > limit:
        urgent = {*build.failed, *build.active}
        order.sort(key=lambda i: tasks[i].id not in urgent)
    return tuple(tasks[i].id for i in order[:limit])


def _reason(build: Build, state: TaskState) -> str:
    if state.phase is TaskPhase.PARKED:
        holder = build.holders.get(state.waits_for)
        return f"waits for {state.waits_for}" + (f", held by {holder}" if holder else "")
    if state.phase in {TaskPhase.REJECTED, TaskPhase.FAILED, TaskPhase.WORKING} and state.findings:
        more = len(state.findings) - 1
        return f"{state.findings[0]}" + (f" (and {more} more)" if more else "")
    if build.is_terminal and state.phase in BUSY:
        return "cut short: the build ended before"
    return state.reason if state.phase in {TaskPhase.REJECTED, TaskPhase.FAILED} else ""


_LONGEST = 7 * 86_400.0
"""Seconds that a request may give to a check or a phase."""


def _twice(seconds: float) -> str:
    return f"{min(2 * seconds, _LONGEST):g}"


_GO_ON = {
    "base": "continue anyway (the tasks are meant to fix this)",
    "undo": "continue and leave the change as it is",
    "audit": "accept what the audit found, and continue",
    "delivery": "try to deliver again",
    "plan": "plan again",
    "approval": "build this plan",
}
"""What going on means after a pause of this reason, where it takes no value."""


def _retry(names: str, build: Build, task: str) -> Choice:
    """Return the way to try failed tasks again: with more time, where it was a limit of time that ended the first."""
    limits, limit = build.options.limits, time_limit_of(build.task(task)) if task else ""
    if not limit:
        return Choice(name="retry", words=f"try {names} again; a message tells the agent what to do differently")
    what = "a check" if limit == "gate_seconds" else "an attempt"
    seconds = limits.gate_seconds if limit == "gate_seconds" else limits.task_seconds
    words = f"try {names} again with more time for {what}"
    return Choice(name="retry", words=words, takes=f"options.{limit}", value=_twice(seconds))


def _choices(pause: Pause, build: Build) -> Iterator[Choice]:
    if build.proposal is not None:
        yield Choice(name="go", words="take the plan that the diagnosis proposes", takes="accept_plan")
    failed, limits = build.failed, build.options.limits
    names = ", ".join(failed[:3]) + (f" and {len(failed) - 3} more" if len(failed) > 3 else "")
    match pause.reason:
        case "failure" if failed:
            yield _retry(names, build, pause.task)
            yield Choice(name="skip", words=f"give up {names} and continue with the rest")
        case "base" if pause.fault == "limits":
            words = "check it again with more time; with no other limit, continue anyway"
            yield Choice(name="go", words=words, takes="options.gate_seconds", value=_twice(limits.gate_seconds))
        case "phase":
            words = "continue with more time for the phase; with no other limit, it gets the same time again"
            yield Choice(
                name="go", words=words, takes="options.phase_seconds", value=_twice(limits.phase_seconds or _LONGEST)
            )
        case "stuck":
            yield Choice(name="go", words="continue, once you have done what the diagnosis asks for")
            yield Choice(name="retry", words="continue; a message tells the agents what to do differently")
        case "delivery" if "--branch" in pause.message:
            branch = build.options.delivery.branch or f"buildwright/{build.id[:8]}"
            words = "deliver to another branch; without its name, try again"
            yield Choice(name="go", words=words, takes="options.branch", value=f"{branch}-2")
        case "budget":
            for words, takes, value, also in ways_on(build, pause.since):
                yield Choice(name="go", words=words, takes=takes, value=value, also=dict(also))
        case reason:
            yield Choice(name="go", words=_GO_ON.get(reason, "continue"))
    yield Choice(name="abort", words="end the build here")
