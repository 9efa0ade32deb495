"""The state of one build, frozen: `apply` makes it from the journal, `decide` reads it. Must never hold a rule.

Every field is immutable (tuples, persistent maps), so a version of a build can be kept, compared and shared at no cost,
and the next version costs O(log n), not O(n).
Large because it is a list of records: what is known of a build, said once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from operator import add
from typing import Final, Literal, NamedTuple

from immutables import Map

from buildwright.core.event import BuildForked, Outcome, Rejection, StepMode, TokensUsed
from buildwright.core.fault import Fault
from buildwright.core.finding import Finding, PlanProposal, Report, Verdict
from buildwright.core.graph import Plan
from buildwright.core.heap import Heap
from buildwright.core.lessons import GivenLesson
from buildwright.core.limits import Delivery, Options
from buildwright.core.patch import Patch
from buildwright.core.spec import Spec
from buildwright.core.work_clock import WorkClock
from buildwright.errors import NotFound


class Stage(StrEnum):
    """How far a build has come."""

    CREATED = "created"
    PLANNING = "planning"
    WORKING = "working"
    VERIFYING = "verifying"
    DELIVERING = "delivering"
    FINISHED = "finished"


class Control(StrEnum):
    """Whether a build may go on: separate from its stage."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FINISHED = "finished"


class RefusedAttempt(NamedTuple):
    """An attempt that the gates refused, as the loop detector sees it. `reasons` is equal for equivalent findings."""

    attempt: int
    base_tree: str
    tree: str
    reasons: str
    findings: tuple[Finding, ...] = ()
    """The first findings of the refusal."""


class Approval(NamedTuple):
    """A person's consent to one finding of a task."""

    finding: str
    """Fingerprint of the finding."""
    code: str
    reason: str
    by: str
    at: datetime

    def __str__(self) -> str:
        return f"{self.by}: {self.reason}"


class Sealing(NamedTuple):
    """The sealed tests of a task: digest of their artifact ("" without any), their number, or why there are none."""

    artifact: str = ""
    tests: int = 0
    why_none: str = ""


Again = Literal["", "replay", "undo", "redo"]
"""Why a change that had landed is in the train once more: put on another base, or taken back (before a new attempt)."""


class TaskPhase(StrEnum):
    """The phase of a task. `rejected`: its last attempt was refused, and a decision about it is due."""

    WAITING = "waiting"
    READY = "ready"
    PARKED = "parked"
    WORKING = "working"
    JUDGING = "judging"
    MERGING = "merging"
    REJECTED = "rejected"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


class TaskState(NamedTuple):
    """The history of one task. A task without any event has no state: it waits.

    A tuple, because each event of a task makes a new one, and copying a dataclass of 38 fields takes four times as long.
    """

    phase: TaskPhase
    attempt: int = 0
    """Attempts started so far; also the number of the current one."""
    allowed: int = 0
    """Attempts it may use; a retry by the user adds to them."""
    agent: str = ""
    """Who makes the current attempt, or made the last one."""
    model: str = ""
    """The user's name for the model that the attempt asks, or the last one asked; "" where models have no names."""
    model_reason: str = ""
    """The kind of the event that chose it."""
    model_attempt: int = 0
    """The attempt that it was chosen for; 0 once the user has named another."""
    models_down: tuple[str, ...] = ()
    """Names of models that failed in this attempt, until the user resumes."""
    failure: str = ""
    """How the agent failed when it last did, as a `FailureKind`."""
    tried: int = 0
    """Attempts that failed since the user had a say, without those that only came too late for the base."""
    base: str = ""
    sealed: Sealing | None = None
    """None until its tests were sealed, or known to be none."""
    patch: Patch | None = None
    verdict: Verdict | None = None
    """The newest verdict on its work, passed or not."""
    review: Report | None = None
    """The newest review of its work; the newest verdict may be one without."""
    reviewed_at: datetime | None = None
    rejection: Rejection | None = None
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    """Why the last attempt was rejected; feedback for the next."""
    guidance: tuple[str, ...] = ()
    """What the user said with a retry; given to the next attempt."""
    diagnosis: str = ""
    """What the diagnosing advisor said about it when the build was stuck; given to the attempt that runs, or the next."""
    later_diagnosis: str = ""
    """What it said while an attempt ran; given to the one after that."""
    refused: tuple[RefusedAttempt, ...] = ()
    """Attempts that the gates refused since the user's last retry. Empty once the task is done."""
    loop: str = ""
    """How the task goes in circles; "" while it does not."""
    approvals: tuple[Approval, ...] = ()
    """Findings that a person lets pass, in whatever attempt they come."""
    kept_base: str = ""
    """Commit that the rejected change was made on; "" when no change is kept."""
    kept_tree: str = ""
    carry_from: int = 0
    """Attempt whose work the next one, or the one that runs, finds in its lane by the user's wish; 0 without one."""
    summary: str = ""
    conversation: str = ""
    lessons: tuple[GivenLesson, ...] | None = None
    """The lessons that its attempts are given; None while none were chosen."""
    commit: str = ""
    landed: int = 0
    """Number of the event with which its change landed, also when it was taken back since; 0 in a new attempt, negative
    when it landed in the build that this one was forked from."""
    again: Again = ""
    waits_for: str = ""
    """While parked: the file that another task holds."""
    started_at: datetime | None = None
    """Start of the first attempt."""
    rested_before: timedelta = timedelta()
    """How long the build had rested at that start (`WorkClock`)."""
    rested_until: timedelta = timedelta()
    """How long the build had rested when the task ended."""
    over: timedelta = timedelta()
    """Working time of the build in which the task was over, before it went on: after a retry, for example."""
    attempt_at: datetime | None = None
    rested_before_attempt: timedelta = timedelta()
    finished_at: datetime | None = None
    cost_usd: Decimal = Decimal(0)
    tokens: int = 0
    counted: tuple[str, ...] = ()
    """Kept answers (`TokensUsed.request`) that `tokens` and `cost_usd` include, of all attempts: a worker taken for
    dead may still report an answer that its successor has counted."""
    checkpoint_tree: str = ""
    """Tree of the running attempt's lane at its newest checkpoint; "" without one."""
    heard: tuple[Note, ...] = ()
    """The user's messages to the running attempt since its newest checkpoint: a restart must hear them again."""
    checkpoint_conversation: str = ""
    """Digest of the artifact with the agent's conversation up to that checkpoint."""

    def seconds(self, clock: WorkClock, now: datetime) -> float | None:
        """Return its working time in seconds: from its first attempt to its end, or to now; None before it started."""
        if self.started_at is None:
            return None
        until = self.finished_at or now
        rested = clock.rested_at(now) if self.finished_at is None else self.rested_until
        return max(0.0, (until - self.started_at - (rested - self.rested_before) - self.over).total_seconds())


def landed_before(state: TaskState) -> bool:
    """Return whether the task was done already in the build that this one was forked from."""
    return state.phase is TaskPhase.DONE and state.landed < 0


def no_task(build: Build, task_id: str) -> NotFound:
    """Return the error for a task that there is not in the build."""
    return NotFound(
        f"there is no task {task_id} in this build", fix=f"see `buildwright status {build.id}` for its tasks"
    )


def unapproved(state: TaskState) -> tuple[Finding, ...]:
    """Return the errors of the newest refusal that no user has approved."""
    approved = {approval.finding for approval in state.approvals}
    return tuple(one for one in state.findings if one.severity == "error" and one.fingerprint not in approved)


def can_be_reopened(state: TaskState) -> bool:
    """Return whether the gates refused the task's newest change for nothing but findings that are approved by now."""
    waits = state.phase in {TaskPhase.REJECTED, TaskPhase.READY, TaskPhase.FAILED}
    refused = state.rejection in {"gate", "train"} and any(one.severity == "error" for one in state.findings)
    return waits and refused and state.patch is not None and bool(state.approvals) and not unapproved(state)


def is_undone(state: TaskState) -> bool:
    """Return whether the task's change is in the train to be taken back."""
    return state.again in {"undo", "redo"}


NOT_STARTED = TaskState(TaskPhase.WAITING)


class Car(NamedTuple):
    """A change in the merge train. `onto` "" means that it must be prepared (again) on top of the cars ahead of it."""

    task: str
    attempt: int
    onto: str = ""
    commit: str = ""
    tree: str = ""
    passed: bool = False
    alone: bool = False
    """It failed on top of changes that had not landed: it is tried again only as the first car, on the head."""


BUDGET_MARKS: Final = (50, 80, 100)
"""Percents of the budget at which the user is warned."""


def budget_mark(spent: Decimal, budget: Decimal) -> int:
    """Return the highest mark of the budget that is reached, 0 for none."""
    return max((mark for mark in BUDGET_MARKS if spent * 100 >= budget * mark), default=0)


def for_a_look(delivery: Delivery) -> Delivery:
    """Return where what a failing build has proven goes: half of a result is not for a remote, nor into a checkout."""
    return Delivery() if delivery.kind in {"push", "files"} else delivery


class PurseMark(NamedTuple):
    """The highest mark that was told of a purse that is not the build's own, and the budget that it is a mark of."""

    purse: Literal["task", "day", "project", "month"]
    part: str
    """The task, or the day or month."""
    percent: int
    spent_usd: Decimal
    budget_usd: Decimal


class ProviderLimit(NamedTuple):
    """Until when a provider answers no request for a model."""

    provider: str
    model: str
    until: datetime


class PhaseSpan(NamedTuple):
    """What a phase of the plan (by the place of its milestone, from 0) changed: from commit `base` to `head`."""

    phase: int
    base: str
    head: str


class PhaseMark(NamedTuple):
    """The commit that says that a phase (by the place of its milestone, from 0) is complete, and the one it is on."""

    phase: int
    onto: str
    commit: str


class Usage(NamedTuple):
    """Summed tokens and money. `unpriced` counts requests without a known price."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    unpriced: int = 0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens

    def plus(self, other: Usage) -> Usage:
        return Usage._make(map(add, self, other))


def usage_of(event: TokensUsed) -> Usage:
    """Return the tokens and the money of one request."""
    return Usage(
        requests=1,
        input_tokens=event.input_tokens,
        output_tokens=event.output_tokens,
        cache_read_tokens=event.cache_read_tokens,
        cache_write_tokens=event.cache_write_tokens,
        cost_usd=event.cost_usd or Decimal(0),
        unpriced=int(event.cost_usd is None),
    )


class Note(NamedTuple):
    """A message of the user that no agent has heard yet."""

    id: str
    text: str
    task: str


class Moments(NamedTuple):
    """The first and the last time that a kind of event happened to a build."""

    first: datetime
    last: datetime


class AskedStep(NamedTuple):
    """The step that the user asked of a build driven by hand and that it has not made yet."""

    id: str
    mode: StepMode


class Pause(NamedTuple):
    """Why and since when a build is paused."""

    reason: str
    message: str
    task: str
    since: datetime
    fault: Fault = ""
    until: datetime | None = None
    """When it ends by itself, if it does."""
    asked_by: str = ""
    """The user who asked for it; "" when no user did, or it is not known."""


class PastEnd(NamedTuple):
    """How a build had ended before its user asked to have it delivered; then it ends so again."""

    outcome: Outcome
    message: str
    at: datetime


@dataclass(frozen=True)
class Build:
    """One durable run of a graph against a target, as of event `version`."""

    id: str
    version: int
    project_id: str
    user_id: str
    repository: str
    base_ref: str
    spec: Spec
    options: Options
    created_at: datetime
    updated_at: datetime
    clock: WorkClock = WorkClock()
    """How long it has rested: for its working time."""
    correlation_id: str = ""
    fork: BuildForked | None = None
    """Which build, and which point of it, this one was forked from; without graph and landed changes once it has a plan."""
    stage: Stage = Stage.CREATED
    control: Control = Control.RUNNING
    outcome: Outcome | None = None
    message: str = ""
    finished_at: datetime | None = None
    moments: Map[str, Moments] = field(default_factory=Map)
    """Moments of the kinds of event that keep them (`Event.keeps_moment`)."""
    # target
    base: str = ""
    base_tree: str = ""
    branch: str = ""
    notes: tuple[str, ...] = ()
    head: str = ""
    """Integration head: the last commit that landed."""
    head_tree: str = ""
    head_judged: bool = False
    """Whether the gates have passed on exactly `head_tree`."""
    # tasks
    plan: Plan | None = None
    tasks: Map[str, TaskState] = field(default_factory=Map)
    unmet: Map[int, int] = field(default_factory=Map)
    """Open dependencies of each task that has lost at least one; any other task still has all of its own."""
    ready: Heap = None
    """Ranks of tasks that may start now (see `Plan.rank`)."""
    later: Map[int, Heap] = field(default_factory=Map)
    """Ranks of tasks that may start once their milestone (by index) opens."""
    parked: Map[str, Heap] = field(default_factory=Map)
    """Ranks of tasks set aside, by the file they wait for."""
    holders: Map[str, str] = field(default_factory=Map)
    """The task that holds each expected file."""
    active: Map[str, None] = field(default_factory=Map)
    """Tasks that are working, judging, merging or rejected."""
    train: tuple[Car, ...] = ()
    working: int = 0
    """Number of tasks that hold a slot."""
    milestone: int = 0
    milestone_sizes: tuple[int, ...] = ()
    open_in_milestone: int = 0
    over_early: Map[int, int] = field(default_factory=Map)
    """Tasks that are over of milestones that are not open: there are some when a task of an earlier one is redone."""
    phase_began: datetime | None = None
    """When the first task of the open milestone started, later by the pauses since; None before and between phases."""
    done: int = 0
    skipped: int = 0
    failed: tuple[str, ...] = ()
    failures_in_row: tuple[str, ...] = ()
    """Tasks of the newest failures since anything landed, at most as many as make it stuck, in journal order."""
    stuck: bool = False
    """Whether the failures in a row have been diagnosed; until something lands or the user resumes."""
    diagnoses: int = 0
    """How often the build has been stuck."""
    diagnosis: str = ""
    """The cause of the failures, while the build is stuck; "" when no cause was found."""
    asks_person: bool = False
    """While the build is stuck: whether the diagnosis says that a person has to act first."""
    proposal: PlanProposal | None = None
    """While the build is stuck: the changed plan that the diagnosis proposes."""
    base_verdict: Verdict | None = None
    """The verdict of the gates on the tree the build started from."""
    base_accepted: bool = False
    plan_approved: bool = False
    """Whether the user has seen the plan as it is, for a build that waits for that (`Options.approve_plan`)."""
    """Whether the user goes on although the base itself does not pass."""
    judging_round: int = 0
    """How often the user has changed what judges: verdicts of an earlier round count no more."""
    undo_refused: str = ""
    """Why a landed change could not be taken back, until the user resumes."""
    undo_refused_of: str = ""
    """The task of that change."""
    undone: tuple[str, ...] = ()
    """Commits on the integration branch that were taken back, each followed by the commit that did so."""
    new_spec: str = ""
    """Text of a changed spec, until the planner has said what it means for the plan: nothing begins before that."""
    spec_changes: int = 0
    """How often the user has changed the spec."""
    rebases: int = 0
    """How often the user has put the build on another base."""
    # audits
    phase_base: str = ""
    """Commit that the newest phase with changes ended at; "" before there is one."""
    unaudited: tuple[PhaseSpan, ...] = ()
    """Phases whose tasks have all landed or were given up, in order, until the audit has judged them."""
    unmarked: tuple[PhaseMark, ...] = ()
    """Audited phases that the history of the result does not name as complete yet: nothing lands before that."""
    audit_refusals: tuple[str, ...] = ()
    """What audits say no to, until the user resumes."""
    # the end of the road
    verdict: Verdict | None = None
    delivered: str = ""
    delivered_commit: str = ""
    pull_request: str = ""
    """Address of the newest pull request's page; it stays when the build goes on."""
    pull_request_ref: str = ""
    """Full name of its branch; "" in journals of before, whose `delivered` ends with it."""
    delivered_in_part: bool = False
    """Whether what was delivered last is what a failing build had proven, to look at, and not its result."""
    deliveries: int = 0
    delivery_error: str = ""
    delivery_temporary: bool = True
    past_end: PastEnd | None = None
    """While what a build that has ended has landed is delivered at the user's request: how it had ended."""
    usual_delivery: Delivery | None = None
    """Where the result goes if the build goes on, where it was last delivered elsewhere for once."""
    # talk and money
    pause: Pause | None = None
    step: AskedStep | None = None
    stop_how: str = ""
    notes_to_agents: tuple[Note, ...] = ()
    usage: Usage = Usage()
    plan_error: str = ""
    plans_rejected: int = 0
    planning_counted: tuple[str, ...] = ()
    """Kept answers of the planner that `usage` includes; those of agents are in the state of their tasks."""
    budget_usd: Decimal | None = None
    budget_mark: int = 0
    """The highest of `BUDGET_MARKS` that was told, or was passed already when the budget was set anew."""
    purse_marks: tuple[PurseMark, ...] = ()
    """What was told of other purses, one for each."""
    provider_limits: tuple[ProviderLimit, ...] = ()
    """The newest limit that was met of each provider and model; it may be over."""

    @property
    def is_terminal(self) -> bool:
        return self.control in {Control.FINISHED, Control.STOPPED}

    @property
    def lasting_delivery(self) -> Delivery:
        """Where the result goes if the build goes on."""
        return self.usual_delivery or self.options.delivery

    @property
    def is_whole(self) -> bool:
        """Whether what is delivered now is the result, and not what a failing or stopped build has proven."""
        ended = self.past_end is None or self.past_end.outcome == "succeeded"
        return ended and self.stage is not Stage.WORKING

    @property
    def waits_for_step(self) -> bool:
        """Whether the build is driven by hand and nothing begins until a user asks for a step."""
        return self.options.by_hand and self.control is Control.RUNNING and self.step is None

    @property
    def waits_for_user(self) -> bool:
        """Whether nothing goes on until a user acts: the build is paused or waits for a step."""
        by_itself = self.pause is not None and self.pause.until is not None
        return (self.control is Control.PAUSED and not by_itself) or self.waits_for_step

    @property
    def total(self) -> int:
        return len(self.plan.graph.tasks) if self.plan else 0

    @property
    def all_tasks_done(self) -> bool:
        """Whether every task has landed or was given up by the user."""
        return self.plan is not None and self.done + self.skipped == self.total

    @property
    def marks_phases(self) -> bool:
        """Whether a commit says of each phase that the plan names that it is complete, after its audit."""
        named = self.plan is not None and any(self.plan.milestones)
        return named and self.options.is_audited and self.options.commits.mark_phases

    @property
    def waits_for_mark(self) -> bool:
        """Whether a phase has ended and is not marked as complete yet: nothing of the next one begins or lands before it."""
        return bool(self.unmarked or (self.unaudited and self.marks_phases))

    def phase_name(self, place: int) -> str:
        """Return the name of a phase by the place of its milestone; `Phase` and its number where the plan gives none."""
        names = self.plan.milestones if self.plan is not None else ()
        return (names[place] if place < len(names) else "") or f"Phase {self.phase_number(place)}"

    def phase_number(self, place: int) -> int:
        """Return the number, from 1, of the phase at the place of a milestone: those without tasks are not counted."""
        return sum(1 for size in self.milestone_sizes[:place] if size) + 1

    @property
    def needs_diagnosis(self) -> bool:
        """Whether `stuck_after` attempts in a row have failed without a diagnosis: nothing new starts before it."""
        return not self.stuck and len(self.failures_in_row) >= self.options.limits.stuck_after

    @property
    def ancestors(self) -> tuple[str, ...]:
        """The builds that it was forked from, the nearest first."""
        return self.fork.ancestors if self.fork is not None else ()

    def task(self, task_id: str) -> TaskState:
        return self.tasks.get(task_id, NOT_STARTED)

    def evolve(self, changes: Mapping[str, object]) -> Build:
        """Return the build with some fields changed. `dataclasses.replace` takes ten times as long as this copy.

        Raises TypeError for a name that is no field.
        """
        if not changes.keys() <= self.__dict__.keys():
            raise TypeError(f"Build has no field {', '.join(sorted(changes.keys() - self.__dict__.keys()))}")
        evolved = object.__new__(Build)
        evolved.__dict__.update(self.__dict__)
        evolved.__dict__.update(changes)
        return evolved
