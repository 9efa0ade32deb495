"""Facts, in the past tense: the only thing a build is made of. Pure data; what each one does is in `apply`.

An event is stored as JSON in the journal and never changes meaning. `Recorded` is an event with its place in the
journal (`seq`, per build, from 1, without gaps) and its time.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, TypeAdapter

from buildwright.core.activity import FailureKind
from buildwright.core.diagnosis import TaskAdvice
from buildwright.core.finding import Finding, Verdict
from buildwright.core.graph import Graph
from buildwright.core.limits import Options
from buildwright.core.patch import Patch
from buildwright.core.record import Record, TaskId, UtcTime
from buildwright.core.spec import Spec

Outcome = Literal["succeeded", "failed", "stopped", "aborted"]
Rejection = Literal["agent", "empty", "gate", "conflict", "train"]
StepMode = Literal["auto", "plan_only", "implement_only", "verify_only"]
"""What one step of a build by hand may be: anything, or only of this kind (`core.by_hand` says what is of which)."""


class Event(Record):
    """A fact about one build."""


class BuildCreated(Event):
    """A build was asked for. Always the first event."""

    type: Literal["build.created"] = "build.created"
    build_id: str
    project_id: str
    user_id: str
    repository: str
    """Path or URL as the user gave it (made absolute); "" without lanes."""
    base: str = ""
    """Branch, tag or commit to build on; "" means what the repository has checked out."""
    spec: Spec
    options: Options
    correlation_id: str = ""
    """Leads from the command to every line that any process logs of the build (D5, D15)."""


class TargetPrepared(Event):
    """The repository is mirrored and the commit to build on is fixed. Empty ids without lanes."""

    type: Literal["target.prepared"] = "target.prepared"
    commit: str
    tree: str
    branch: str = ""
    notes: tuple[str, ...] = ()
    """What the user should know, for example that uncommitted changes are left out."""


class PlanMade(Event):
    """The spec became a graph. Each task has its place."""

    type: Literal["plan.made"] = "plan.made"
    graph: Graph


class PlanRejected(Event):
    """The planner gave no graph that can be built."""

    type: Literal["plan.rejected"] = "plan.rejected"
    message: str


class BaseJudged(Event):
    """The gates spoke on the tree the build starts from, before any change."""

    type: Literal["base.judged"] = "base.judged"
    verdict: Verdict


class TaskStarted(Event):
    """An attempt at a task was given a slot. Its lane opens at commit `base`."""

    type: Literal["task.started"] = "task.started"
    task: TaskId
    attempt: int
    base: str = ""


class TaskWaited(Event):
    """A ready task was set aside because a running task holds one of its files (P4)."""

    type: Literal["task.waited"] = "task.waited"
    task: TaskId
    file: str
    holder: TaskId


class AgentHeartbeat(Event):
    """The agent of an attempt is alive (P2). Changes nothing."""

    type: Literal["agent.heartbeat"] = "agent.heartbeat"
    task: TaskId
    attempt: int
    status: str
    percent: int = Field(ge=0, le=100)


class TokensUsed(Event):
    """A model request was answered. Input excludes cache reads and writes; cost is None when no price is known."""

    type: Literal["tokens.used"] = "tokens.used"
    task: str = ""
    """"" for an advisor: the planner, the diagnoser."""
    attempt: int = 0
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: Decimal | None = None
    request: str = ""
    """The name of the answer, if the gateway has kept it ("" if not): one that is played again is not counted again."""


class CheckpointCreated(Event):
    """An attempt could go on from here: the lane's tree, and the digest of the artifact with the agent's conversation."""

    type: Literal["checkpoint.created"] = "checkpoint.created"
    task: TaskId
    attempt: int
    tree: str
    conversation: str


class CheckpointRestored(Event):
    """An attempt whose process died goes on from its newest checkpoint."""

    type: Literal["checkpoint.restored"] = "checkpoint.restored"
    task: TaskId
    attempt: int
    tree: str


class AgentFinished(Event):
    """The agent ended its attempt and its patch was taken (None without lanes)."""

    type: Literal["agent.finished"] = "agent.finished"
    task: TaskId
    attempt: int
    patch: Patch | None = None
    summary: str = ""
    conversation: str = ""
    """Digest of the artifact that holds the agent's conversation; "" if it has none."""


class AgentBroke(Event):
    """The agent of an attempt failed; nothing of its lane is kept."""

    type: Literal["agent.broke"] = "agent.broke"
    task: TaskId
    attempt: int
    kind: FailureKind
    message: str
    conversation: str = ""


class PatchJudged(Event):
    """The gates spoke on an attempt's patch."""

    type: Literal["patch.judged"] = "patch.judged"
    task: TaskId
    attempt: int
    verdict: Verdict


class MergePrepared(Event):
    """A change was put, as a commit, on top of `onto` (the integration head or the car ahead)."""

    type: Literal["merge.prepared"] = "merge.prepared"
    task: TaskId
    attempt: int
    onto: str
    commit: str
    tree: str


class MergeConflicted(Event):
    """A change does not fit on top of `onto`. `tree` has both sides, marked, in the conflicting files."""

    type: Literal["merge.conflicted"] = "merge.conflicted"
    task: TaskId
    attempt: int
    onto: str
    files: tuple[str, ...]
    tree: str


class MergeJudged(Event):
    """The gates spoke on the tree that would land."""

    type: Literal["merge.judged"] = "merge.judged"
    task: TaskId
    attempt: int
    verdict: Verdict


class ChangeLanded(Event):
    """A change is on the integration branch. The task is done."""

    type: Literal["change.landed"] = "change.landed"
    task: TaskId
    attempt: int
    commit: str
    tree: str


class TaskRetried(Event):
    """A rejected task goes back into the queue, by rule or by the user (who may add guidance)."""

    type: Literal["task.retried"] = "task.retried"
    task: TaskId
    by: Literal["rule", "user"] = "rule"
    message: str = ""


class TaskFailed(Event):
    """A rejected task has used up its attempts."""

    type: Literal["task.failed"] = "task.failed"
    task: TaskId
    message: str
    findings: tuple[Finding, ...] = ()


class TaskSkipped(Event):
    """The user gave a task up; those that depend on it go on (P4)."""

    type: Literal["task.skipped"] = "task.skipped"
    task: TaskId


class LoopDetected(Event):
    """A task goes in circles: `attempt` made a change that was refused before, or was refused for the same findings again."""

    type: Literal["loop.detected"] = "loop.detected"
    task: TaskId
    attempt: int
    kind: Literal["patch", "finding"]
    message: str


class BuildStuck(Event):
    """Several failures in a row (P8), and what was found out about them. Older journals have only the first three fields."""

    type: Literal["build.stuck"] = "build.stuck"
    failures: int
    tasks: tuple[TaskId, ...]
    errors: tuple[str, ...] = ()
    number: int = 0
    """Which time it is, from 1; 0 in older journals."""
    context: str = ""
    """Digest of the artifact with the log, its tail and the history of errors."""
    advice: str = ""
    """What stands behind the failures, in the words of the diagnosing advisor; "" when it said nothing."""
    task_advice: tuple[TaskAdvice, ...] = ()
    ask_person: bool = False
    no_advice: str = ""
    """Why there is no advice."""


class StepRequested(Event):
    """Somebody asked a build that is driven by hand for one step. It is over with the next event that ends an action."""

    type: Literal["step.requested"] = "step.requested"
    id: str
    mode: StepMode = "auto"


class BuildPaused(Event):
    """Nothing new starts until somebody resumes."""

    type: Literal["build.paused"] = "build.paused"
    reason: Literal["user", "base", "failure", "stuck", "delivery", "plan", "budget", "trouble"]
    message: str = ""
    task: str = ""


class BuildResumed(Event):
    """Somebody let the build go on."""

    type: Literal["build.resumed"] = "build.resumed"
    by: str = "user"
    budget_usd: Decimal | None = None
    """The new budget, when the old one was used up."""


class StopRequested(Event):
    """Somebody asked the build to end; `abort` gives up a paused one."""

    type: Literal["stop.requested"] = "stop.requested"
    how: Literal["stop", "abort"] = "stop"
    message: str = ""


class MessageSent(Event):
    """The user says something to the agents (G14). `task` "" means every running agent, or the next."""

    type: Literal["message.sent"] = "message.sent"
    id: str
    text: str = Field(min_length=1, max_length=20_000)
    task: str = ""


class MessageDelivered(Event):
    """The receipt: an agent has taken the message in."""

    type: Literal["message.delivered"] = "message.delivered"
    id: str
    task: TaskId
    attempt: int


class BuildVerified(Event):
    """The gates spoke on the final tree."""

    type: Literal["build.verified"] = "build.verified"
    verdict: Verdict


class BuildDelivered(Event):
    """The result is where the user asked for it."""

    type: Literal["build.delivered"] = "build.delivered"
    kind: Literal["none", "branch", "push"]
    ref: str = ""
    commit: str = ""
    remote: str = ""


class DeliveryFailed(Event):
    """A try to deliver did not work."""

    type: Literal["delivery.failed"] = "delivery.failed"
    message: str
    temporary: bool = True


class BuildFinished(Event):
    """The end. Nothing happens to a build after this."""

    type: Literal["build.finished"] = "build.finished"
    outcome: Outcome
    message: str = ""


AnyEvent = Annotated[
    BuildCreated
    | TargetPrepared
    | PlanMade
    | PlanRejected
    | BaseJudged
    | TaskStarted
    | TaskWaited
    | AgentHeartbeat
    | TokensUsed
    | CheckpointCreated
    | CheckpointRestored
    | AgentFinished
    | AgentBroke
    | PatchJudged
    | MergePrepared
    | MergeConflicted
    | MergeJudged
    | ChangeLanded
    | TaskRetried
    | TaskFailed
    | TaskSkipped
    | LoopDetected
    | BuildStuck
    | StepRequested
    | BuildPaused
    | BuildResumed
    | StopRequested
    | MessageSent
    | MessageDelivered
    | BuildVerified
    | BuildDelivered
    | DeliveryFailed
    | BuildFinished,
    Field(discriminator="type"),
]


class Recorded(NamedTuple):
    """An event with its place (`seq`, from 1, no gaps, per build) and its time (UTC)."""

    seq: int
    at: UtcTime
    event: AnyEvent


def encode(event: Event) -> str:
    """The event as compact JSON, for the journal. Defaults are left out; `decode` puts them back."""
    return event.model_dump_json(exclude_defaults=True, exclude={"type"})


def decode(kind: str, text: str | bytes) -> AnyEvent:
    """The event from the journal's `type` column and JSON. Raises pydantic.ValidationError on anything unknown."""
    cls = EVENT_TYPES.get(kind)
    if cls is None:
        unknown: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)  # all of them, which is dear, for its error alone
        return unknown.validate_python({"type": kind})
    return cls.model_validate_json(text)  # type: ignore[return-value]


EVENT_TYPES: dict[str, type[Event]] = {cls.model_fields["type"].default: cls for cls in Event.__subclasses__()}
"""Every event class by its wire name."""
