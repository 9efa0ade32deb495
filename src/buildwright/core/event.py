"""Facts, named in the past tense: a build is made of nothing else. Pure data; must never change a build (see `apply`).

An event is stored as JSON in the journal and never changes meaning. `Recorded` is an event with its place in the
journal (`seq`, per build, from 1, without gaps) and its time. The traits of an event are on its class: see `Event`. Large
because the journal has one list of kinds, and a reader finds all of them here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple, get_args, get_origin

from pydantic import Field, TypeAdapter

from buildwright.core.activity import FailureKind
from buildwright.core.fault import Fault
from buildwright.core.finding import Finding, PlanProposal, TaskAdvice, Verdict
from buildwright.core.graph import Graph
from buildwright.core.lessons import GivenLesson
from buildwright.core.limits import Delivery, Options
from buildwright.core.patch import Patch
from buildwright.core.record import Record, TaskId, UtcTime
from buildwright.core.sanitize import ForeignText, Identifier, Origin, UserText, sanitizer_of
from buildwright.core.spec import Spec
from buildwright.core.task import Task

Outcome = Literal["succeeded", "failed", "stopped", "aborted"]
Rejection = Literal["agent", "empty", "gate", "conflict", "train", "undone"]
ModelReason = Literal[FailureKind, "complexity", "named", "failed_attempt", "same"]
"""Why an attempt asks its model: the kind of failure that led to it, the task's complexity, the user's choice, an attempt
before that was refused, or nothing that has changed since then."""
StepMode = Literal["auto", "plan_only", "implement_only", "verify_only"]
"""What one step of a build driven by hand may be: anything, or only one kind of action (see `mode` of each action)."""


BESIDE: Final = frozenset({"schema", "build", "seq", "at", "type"})
"""What is told beside the fields of an event, wherever it is shown as one object. No event has a field of such a name."""
_QUESTION = 300
"""Characters of an agent's question, from its end, that a reason repeats."""


class Event(Record):
    """A fact about one build.

    Each text declares its origin: `ForeignText`, `UserText` or `Identifier`. A class with an undeclared text, or a
    field that has a name of `BESIDE`, raises TypeError when it is made. Traits are given beside the name: `class
    BuildPaused(Event, ends_step=True)`.
    """

    ends_step: ClassVar[bool] = False
    """Whether the event ends the step of a build driven by hand: its action is done, or the build rests."""
    keeps_moment: ClassVar[bool] = False
    """Whether a build keeps the first and last time of this event. A change here needs a new `snapshot.FORMAT`."""

    judges: ClassVar[bool] = False
    """Whether it is what a judging found: it has the `round` of judging that it belongs to."""

    def __init_subclass__(cls, *, ends_step: bool = False, keeps_moment: bool = False) -> None:
        cls.ends_step, cls.keeps_moment = ends_step, keeps_moment

    @classmethod
    def __pydantic_init_subclass__(cls, **_traits: bool) -> None:
        cls.judges = "round" in cls.model_fields
        own = cls.model_fields.keys()
        if taken := sorted((BESIDE & own) - {"type"}):
            raise TypeError(
                f"{cls.__name__}.{taken[0]} stands beside the fields of every event already: name it otherwise"
            )
        kind = cls.model_fields["type"] if "type" in own else None
        if kind is not None and (get_origin(kind.annotation), get_args(kind.annotation)) != (Literal, (kind.default,)):
            raise TypeError(f"{cls.__name__}.type is the name of the event: declare it as a Literal, with that default")
        sanitizer_of(cls)  # raises TypeError; the fields are known only now


class BuildCreated(Event, keeps_moment=True):
    """A build was requested. Always the first event."""

    type: Literal["build.created"] = "build.created"
    build_id: Identifier
    project_id: Identifier
    user_id: Identifier
    repository: UserText
    """Path or URL as the user gave it (made absolute); "" without lanes."""
    base: UserText = ""
    """Branch, tag or commit to build on; "" means what the repository has checked out."""
    spec: Annotated[Spec, Origin.USER]
    options: Annotated[Options, Origin.USER]
    correlation_id: Identifier = ""
    """Leads from the command to every line that any process logs about the build."""


class LandedBefore(Record):
    """A change that had landed in the build that another one is forked from."""

    task: TaskId
    attempt: int
    agent: Identifier = ""
    base: Identifier = ""
    """Commit that its attempt began at."""
    patch: Patch | None = None
    verdict: Verdict | None = None
    """The newest on it."""
    summary: ForeignText = ""
    commit: Identifier = ""
    """"" without lanes."""
    tree: Identifier = ""
    onto: Identifier = ""
    """The commit below it."""
    at: UtcTime
    counts: bool = True
    """Whether its task is done in the new build; False where that has no such task, or another one of its name."""


class PhaseCommits(Record):
    """A phase, by the place of its milestone in the plan from 0, from commit `base` to `head`."""

    phase: int = Field(ge=0)
    base: Identifier
    head: Identifier


class BuildForked(Event):
    """The build goes on from a point of another one. Only ever the second event; nothing of the other build changes."""

    type: Literal["build.forked"] = "build.forked"
    source: Identifier
    last: int = Field(ge=1)
    """Number of the other build's last event that counts."""
    ancestors: tuple[Identifier, ...]
    """That build and those that it was forked from itself, the nearest first: their kept answers are played for free."""
    changed: tuple[Identifier, ...] = ()
    """What is different here: of `model`, `plan` and `note`."""
    note: UserText = Field("", max_length=20_000)
    """What every attempt is told beside its task."""
    base: Identifier = ""
    base_tree: Identifier = ""
    branch: Identifier = ""
    head: Identifier = ""
    """Head of the other build's integration branch at that point; "" where nothing was prepared, or without lanes."""
    head_tree: Identifier = ""
    head_judged: bool = False
    base_verdict: Verdict | None = None
    """None where the base is to be judged, for the first time or by other checks."""
    base_accepted: bool = False
    graph: Graph | None = None
    """The plan; None where one is to be made."""
    approved: bool = False
    """Whether the user has seen this plan."""
    landed: tuple[LandedBefore, ...] = ()
    """In the order of their landing."""
    skipped: tuple[TaskId, ...] = ()
    phase_base: Identifier = ""
    unaudited: tuple[PhaseCommits, ...] = ()
    marks: tuple[PhaseCommits, ...] = ()
    """Commits that say that a phase is complete: `head` lies on `base`."""


class TargetPrepared(Event, ends_step=True, keeps_moment=True):
    """The repository is mirrored and the commit to build on is fixed. Empty ids without lanes."""

    type: Literal["target.prepared"] = "target.prepared"
    commit: Identifier
    tree: Identifier
    branch: Identifier = ""
    notes: tuple[ForeignText, ...] = ()
    """What the user should know, for example that uncommitted changes are left out."""


class PlanMade(Event, ends_step=True, keeps_moment=True):
    """The spec became a graph. Each task has its place."""

    type: Literal["plan.made"] = "plan.made"
    graph: Graph
    instructions: Identifier = ""
    """Digest (SHA-256) of what the advisor was instructed; "" when no model was asked, and in older journals."""


class PlanRejected(Event, ends_step=True):
    """The planner gave no graph that can be built."""

    type: Literal["plan.rejected"] = "plan.rejected"
    message: ForeignText
    instructions: Identifier = ""
    """Digest (SHA-256) of what the advisor was instructed; "" when no model was asked, and in older journals."""


class BaseJudged(Event, ends_step=True):
    """The gates judged the tree the build starts from, before any change."""

    type: Literal["base.judged"] = "base.judged"
    verdict: Verdict
    round: int = 0
    """How often the user had changed what judges, when this judging began; so of every verdict."""


class TaskStarted(Event, keeps_moment=True):
    """An attempt at a task was given a slot. Its lane opens at commit `base`."""

    type: Literal["task.started"] = "task.started"
    task: TaskId
    attempt: int
    base: Identifier = ""
    agent: Identifier = ""
    """Who makes it; "" in older journals, where every attempt is the build's agent's."""


class ModelChosen(Event):
    """The attempt asks this model from now on. Only where models have names: else it asks what the options say."""

    type: Literal["model.chosen"] = "model.chosen"
    task: TaskId
    attempt: int
    name: Identifier
    """The user's name for it, such as `middle`."""
    model: Identifier
    """The model that is asked."""
    kind: ModelReason
    reason: ForeignText
    before: Identifier = ""
    """The name of the model that the same attempt asked before, or the attempt before it; "" for the first."""


class TestsSealed(Event, ends_step=True):
    """The sealed tests of a task are kept, or it has none. Their texts are in the artifact alone."""

    type: Literal["tests.sealed"] = "tests.sealed"
    task: TaskId
    artifact: Identifier = ""
    """Digest of the artifact that holds them; "" without any."""
    files: int = 0
    tests: int = 0
    """Number of tests that failed on the base, as they should."""
    dropped: tuple[ForeignText, ...] = ()
    """Tests that prove nothing, each with its reason: they passed on the base, or could not be run."""
    why_none: ForeignText = ""
    instructions: Identifier = ""
    """Digest (SHA-256) of what the advisor was instructed; "" when no model was asked, and in older journals."""


class TaskWaited(Event):
    """A ready task was set aside because a running task holds one of its files."""

    type: Literal["task.waited"] = "task.waited"
    task: TaskId
    file: Identifier
    holder: TaskId


class AgentHeartbeat(Event):
    """The agent of an attempt is alive: `initializing`, `running`, or `idle` while its change is judged.

    Changes nothing. Before there were states, it was always `running`.
    """

    type: Literal["agent.heartbeat"] = "agent.heartbeat"
    task: TaskId
    attempt: int
    status: Identifier
    percent: int = Field(ge=0, le=100)


class TokensUsed(Event):
    """A model request was answered. Input excludes cache reads and writes; cost is None when no price is known."""

    type: Literal["tokens.used"] = "tokens.used"
    task: Identifier = ""
    """"" for an advisor of the whole build: the planner, the diagnoser."""
    attempt: int = 0
    agent: Identifier = ""
    """The agent of the attempt; "" for an advisor, and in older journals."""
    model: ForeignText
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: Decimal | None = None
    request: Identifier = ""
    """Name of the answer, if the gateway kept it ("" if not): an answer that is replayed is not counted again."""


class BudgetReached(Event):
    """One of the marks of a budget is reached, at which users are warned."""

    type: Literal["budget.reached"] = "budget.reached"
    percent: int
    spent_usd: Decimal
    budget_usd: Decimal
    purse: Literal["build", "task", "day", "project", "month"] = "build"
    """Whose budget: the build's, a task's, that of all the user's builds of a `day` or month (in UTC), or of the project."""
    task: Identifier = ""
    day: Identifier = ""


class LimitMet(Event):
    """A provider answers no request with this key for this model until then: requests wait. Changes nothing else."""

    type: Literal["limit.met"] = "limit.met"
    provider: Identifier
    model: ForeignText
    until: UtcTime
    kind: Literal["rate_limit", "overloaded"] = "rate_limit"


class CheckpointCreated(Event):
    """A point where an attempt can go on: the lane's tree, and the digest of the artifact with the conversation."""

    type: Literal["checkpoint.created"] = "checkpoint.created"
    task: TaskId
    attempt: int
    tree: Identifier
    conversation: Identifier


class CheckpointRestored(Event):
    """An attempt whose process died goes on from its newest checkpoint."""

    type: Literal["checkpoint.restored"] = "checkpoint.restored"
    task: TaskId
    attempt: int
    tree: Identifier


class LessonsGiven(Event):
    """The lessons for a task were chosen, before its first attempt: all its attempts are given these."""

    type: Literal["lessons.given"] = "lessons.given"
    task: TaskId
    attempt: int
    given: tuple[GivenLesson, ...] = ()
    held_out: tuple[Identifier, ...] = ()
    """Ids of lessons that fit and that the task does without, so that their effect is known."""


class LessonLearned(Event):
    """An accepted change taught something: a new lesson, or one that is surer now. Changes nothing."""

    type: Literal["lesson.learned"] = "lesson.learned"
    task: TaskId
    attempt: int
    lesson: Identifier
    pattern: ForeignText
    content: ForeignText
    confidence: float
    by: ForeignText = ""
    """The model that worded it; "" for none."""
    prompt: Identifier = ""
    """SHA-256 of the instructions that the model had."""


class AgentDenied(Event):
    """The agent of an attempt, or a program it started, asked for what it may not reach. Changes nothing."""

    type: Literal["agent.denied"] = "agent.denied"
    task: TaskId
    attempt: int
    places: tuple[ForeignText, ...]
    """`host:port` of each place it asked the proxy for, the request that the gateway refused, or what it tried past the
    proxy and how often.
    """


class ConversationCompacted(Event):
    """An agent's conversation came near its model's limit, and its oldest messages were cut. Changes nothing.

    What an agent is told at first, all feedback, the user's messages and the last two turns always stay.
    """

    type: Literal["conversation.compacted"] = "conversation.compacted"
    task: TaskId
    attempt: int
    cut: int
    """Number of messages that were cut."""
    tokens_before: int
    """Of the whole conversation, by a safe estimate."""
    tokens_after: int


class AgentFinished(Event, ends_step=True, keeps_moment=True):
    """The agent ended its attempt and its patch was taken (None without lanes)."""

    type: Literal["agent.finished"] = "agent.finished"
    task: TaskId
    attempt: int
    patch: Patch | None = None
    summary: ForeignText = ""
    conversation: Identifier = ""
    """Digest of the artifact that holds the agent's conversation; "" if it has none."""
    to_prove: bool = False
    """Nothing was changed, and the task's own command is to prove that there was nothing to change."""

    @property
    def nothing(self) -> str:
        """What is said of it where it changed no file. A question at its end is named: no user was there to answer it."""
        without = self.patch.without if self.patch is not None else ""
        last = self.summary.strip().rpartition("\n")[2].strip(" *_`")
        asked = f" It asked, and no user answers while it works: {last[-_QUESTION:]}" if last.endswith("?") else ""
        return f"the agent changed no file{without}{'.' if asked else ''}{asked}"


class AgentBroke(Event, ends_step=True, keeps_moment=True):
    """The agent of an attempt failed; nothing of its lane becomes a patch."""

    type: Literal["agent.broke"] = "agent.broke"
    task: TaskId
    attempt: int
    kind: FailureKind
    message: ForeignText
    conversation: Identifier = ""


class PatchJudged(Event, ends_step=True, keeps_moment=True):
    """The gates judged an attempt's patch."""

    type: Literal["patch.judged"] = "patch.judged"
    task: TaskId
    attempt: int
    verdict: Verdict
    round: int = 0


class FindingApproved(Event):
    """A person lets a finding of a task pass: from now on it is a note there. Its time is that of the approval."""

    type: Literal["finding.approved"] = "finding.approved"
    task: TaskId
    finding: Identifier
    """Its fingerprint."""
    code: ForeignText
    reason: UserText = Field(min_length=1, max_length=20_000)
    by: Identifier
    """The user who approved it."""


class JudgingReopened(Event):
    """A refused change is judged again as it is, because all that it was refused for is approved."""

    type: Literal["judging.reopened"] = "judging.reopened"
    task: TaskId
    attempt: int


class MergePrepared(Event, ends_step=True, keeps_moment=True):
    """A change became a commit on top of `onto` (the integration head or the car ahead)."""

    type: Literal["merge.prepared"] = "merge.prepared"
    task: TaskId
    attempt: int
    onto: Identifier
    commit: Identifier
    tree: Identifier


class MergeConflicted(Event, ends_step=True, keeps_moment=True):
    """A change does not fit on top of `onto`. `tree` has both sides, marked, in the conflicting files."""

    type: Literal["merge.conflicted"] = "merge.conflicted"
    task: TaskId
    attempt: int
    onto: Identifier
    files: tuple[Identifier, ...]
    tree: Identifier


class MergeJudged(Event, ends_step=True, keeps_moment=True):
    """The gates judged the tree that would land."""

    type: Literal["merge.judged"] = "merge.judged"
    task: TaskId
    attempt: int
    verdict: Verdict
    round: int = 0


class ChangeLanded(Event, ends_step=True, keeps_moment=True):
    """A change is on the integration branch. The task is done."""

    type: Literal["change.landed"] = "change.landed"
    task: TaskId
    attempt: int
    commit: Identifier
    tree: Identifier
    proof: ForeignText = ""
    """"by proof: nothing to change" when the task's own command passed without a change: an empty commit says so."""


class TaskRetried(Event):
    """A rejected task goes back into the queue, by rule or by the user (then perhaps with guidance)."""

    type: Literal["task.retried"] = "task.retried"
    task: TaskId
    by: Literal["rule", "user"] = "rule"
    message: UserText = ""
    from_attempt: int = 0
    """The attempt whose work the next one finds in its lane, by the user's wish; 0: the last, if the agent can."""
    asked_by: Identifier = ""
    """The user whose request it was; "" when no user asked, or it is not known."""


class TaskFailed(Event):
    """A rejected task has used up its attempts."""

    type: Literal["task.failed"] = "task.failed"
    task: TaskId
    message: ForeignText
    findings: tuple[Finding, ...] = ()


class TaskSkipped(Event):
    """The user gave a task up; those that depend on it go on."""

    type: Literal["task.skipped"] = "task.skipped"
    task: TaskId


class LoopDetected(Event):
    """A task goes in circles: `attempt` made a change, or was refused for findings, that were refused before."""

    type: Literal["loop.detected"] = "loop.detected"
    task: TaskId
    attempt: int
    kind: Literal["patch", "finding"]
    message: ForeignText


class BuildStuck(Event, ends_step=True):
    """Several attempts failed in a row, with the diagnosis. Older journals have only the first three fields."""

    type: Literal["build.stuck"] = "build.stuck"
    failures: int
    tasks: tuple[TaskId, ...]
    errors: tuple[ForeignText, ...] = ()
    number: int = 0
    """Counts from 1 how often the build was stuck; 0 in older journals."""
    context: Identifier = ""
    """Digest of the artifact with the log, its last lines and the history of errors."""
    advice: ForeignText = ""
    """The cause of the failures, in the words of the diagnosing advisor; "" when it gave none."""
    task_advice: tuple[TaskAdvice, ...] = ()
    ask_person: bool = False
    no_advice: ForeignText = ""
    """Why there is no advice."""
    proposal: PlanProposal | None = None
    """The changed plan that the advisor proposes; the user may accept it."""
    no_proposal: ForeignText = ""
    """Why what it proposed cannot be had."""
    instructions: Identifier = ""
    """Digest (SHA-256) of what the advisor was instructed; "" when no model was asked, and in older journals."""


class StepRequested(Event):
    """The user asked a build driven by hand for one step. The next event that ends an action ends the step."""

    type: Literal["step.requested"] = "step.requested"
    id: Identifier
    mode: StepMode = "auto"
    asked_by: Identifier = ""
    """The user whose request it was; "" when no user asked, or it is not known."""


class BuildPaused(Event, ends_step=True, keeps_moment=True):
    """Nothing new starts until the user resumes."""

    type: Literal["build.paused"] = "build.paused"
    reason: Literal[
        "user",
        "base",
        "failure",
        "stuck",
        "delivery",
        "plan",
        "budget",
        "trouble",
        "audit",
        "undo",
        "phase",
        "approval",
    ]
    message: ForeignText = ""
    task: Identifier = ""
    fault: Annotated[Fault, Origin.IDENTIFIER] = ""
    until: UtcTime | None = None
    """When the build goes on by itself, if it does: at the end of a provider's limit."""
    asked_by: Identifier = ""
    """The user whose request it was; "" when no user asked, or it is not known."""


class BuildResumed(Event, keeps_moment=True):
    """The user let the build go on, or (`by` is `clock`) the time had come."""

    type: Literal["build.resumed"] = "build.resumed"
    by: Identifier = "user"
    budget_usd: Decimal | None = None
    """The new budget, when the old one was used up."""
    asked_by: Identifier = ""
    """The user whose request it was; "" when no user asked, or it is not known."""


class OptionsChanged(Event, keeps_moment=True):
    """The user changed how a paused build runs. Verdicts of other checks count no more."""

    type: Literal["options.changed"] = "options.changed"
    options: Annotated[Options, Origin.USER]
    """All options from now on."""
    changed: tuple[Identifier, ...] = ()
    """Names of those that are new, such as `limits.attempts`."""
    asked_by: Identifier = ""
    """The user whose request it was; "" when no user asked, or it is not known."""


class SpecChanged(Event):
    """The user changed the text of the spec that the plan is made of. The planner is asked what that means for it."""

    type: Literal["spec.changed"] = "spec.changed"
    text: UserText
    """Without secrets."""
    asked_by: Identifier = ""
    """The user whose request it was; "" when no user asked, or it is not known."""


class PlanChanged(Event):
    """The user, or the planner for a changed spec, changed the plan of a build that has begun. What has landed stays."""

    type: Literal["plan.changed"] = "plan.changed"
    tasks: Annotated[tuple[Task, ...], Origin.USER] = ()
    """Tasks that are new, or take the place of the one with their id."""
    dropped: tuple[TaskId, ...] = ()
    """Tasks that are no longer to be done; those that needed them do not wait for them."""
    spec: int = 0
    """The number of the change of the spec that the planner answers; 0 when the user changed the plan."""
    instructions: Identifier = ""
    """Digest (SHA-256) of what the advisor was instructed; "" when no model was asked, and in older journals."""
    asked_by: Identifier = ""
    """The user whose request it was; "" when no user asked, or it is not known."""


class UndoRequested(Event):
    """The user wants the landed change of a task taken back, by a commit on top. A task that was skipped has none.

    With `redo` the task is attempted anew afterwards, else it is skipped.
    """

    type: Literal["undo.requested"] = "undo.requested"
    task: TaskId
    redo: bool = False
    message: UserText = ""
    """What the user says to the agent of the next attempt."""
    from_attempt: int = 0
    """The attempt whose work the next one finds in its lane; 0 for none."""
    asked_by: Identifier = ""
    """The user whose request it was; "" when no user asked, or it is not known."""


class ChangeUndone(Event, ends_step=True, keeps_moment=True):
    """The change of a task is taken back: `commit` lies on the integration branch."""

    type: Literal["change.undone"] = "change.undone"
    task: TaskId
    attempt: int
    commit: Identifier
    tree: Identifier


class ContractsChanged(Event, keeps_moment=True):
    """The user took newer contracts into a build that had begun. What has landed stays, and is brought up to date."""

    type: Literal["contracts.changed"] = "contracts.changed"
    spec: Annotated[Spec, Origin.USER]
    """What the build is made from now on: the contracts, and their own plan."""
    graph: Annotated[Graph, Origin.USER]
    """The build's plan from now on."""


class BaseChanged(Event, keeps_moment=True):
    """The user put a build on another commit. What has landed is put on top of it anew, in order."""

    type: Literal["base.changed"] = "base.changed"
    commit: Identifier
    tree: Identifier
    branch: Identifier = ""
    base: UserText = ""
    """Branch, tag or commit that names it; "" means what the repository has checked out."""
    number: int = Field(ge=1)
    """Counts how often the build was put on another base."""
    notes: tuple[ForeignText, ...] = ()


class BuildReopened(Event, keeps_moment=True):
    """A build that had ended goes on: the user has something left for it to do."""

    type: Literal["build.reopened"] = "build.reopened"


class StopRequested(Event):
    """The user, or a pause that lasted too long, asked the build to end; `abort` gives up a paused build."""

    type: Literal["stop.requested"] = "stop.requested"
    how: Literal["stop", "abort"] = "stop"
    message: UserText = ""
    asked_by: Identifier = ""
    """The user whose request it was; "" when no user asked, or it is not known."""


class DeliveryRequested(Event):
    """The user asked to have what a build that has ended has landed delivered, once more or elsewhere."""

    type: Literal["delivery.requested"] = "delivery.requested"
    delivery: Annotated[Delivery, Origin.USER]
    asked_by: Identifier = ""
    """The user whose request it was; "" when it is not known."""


class MessageSent(Event):
    """The user sent a message to the agents. `task` "" means every running agent, or else the next one."""

    type: Literal["message.sent"] = "message.sent"
    id: Identifier
    text: UserText = Field(min_length=1, max_length=20_000)
    task: Identifier = ""
    asked_by: Identifier = ""
    """The user whose request it was; "" when no user asked, or it is not known."""


class ReviewComment(Record):
    """What a person says of some lines of a file."""

    path: Annotated[Identifier, Field(min_length=1, max_length=1_000)]
    line: int = Field(ge=1, le=10**9)
    """Of the new version, or of the old one by `side`."""
    end_line: int = Field(0, ge=0, le=10**9)
    """The last line; 0 for `line` alone."""
    side: Literal["new", "old"] = "new"
    text: UserText = Field(min_length=1, max_length=5_000)
    task: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,79})?$"), Origin.IDENTIFIER] = ""
    """The task that made these lines; "" when it is not known."""


class ReviewSent(Event):
    """A person has reviewed a change. What follows from it are messages, and tasks for what has landed. Changes nothing."""

    type: Literal["review.sent"] = "review.sent"
    id: Identifier
    comments: tuple[ReviewComment, ...]
    message: UserText = Field("", max_length=20_000)
    tasks: tuple[TaskId, ...] = ()
    """Tasks that are made of it."""
    asked_by: Identifier = ""
    """The user whose request it was; "" when no user asked, or it is not known."""


class MessageDelivered(Event):
    """An agent has heard the message: its receipt."""

    type: Literal["message.delivered"] = "message.delivered"
    id: Identifier
    task: TaskId
    attempt: int


class BuildVerified(Event, ends_step=True, keeps_moment=True):
    """The gates judged the final tree."""

    type: Literal["build.verified"] = "build.verified"
    verdict: Verdict
    round: int = 0


class PhaseAudited(Event, keeps_moment=True):
    """The audit judged all that a phase of the plan changed. A phase is audited once, after its last task."""

    type: Literal["phase.audited"] = "phase.audited"
    phase: int = Field(ge=0)
    """The place of its milestone in the plan, from 0."""
    base: Identifier
    """The commit that the phase began at."""
    head: Identifier
    verdict: Verdict
    """One report per check of the audit, on the tree of `head`."""
    entry: int | None = None
    """The number of the entry in the signed ledger; None when it took none."""
    mark: Identifier = ""
    """The commit on top of `head` that will say that the phase is complete; "" in a build that marks none."""


class PhaseMarked(Event):
    """The commit that says that a phase is complete is the head of the integration branch. It changes no file."""

    type: Literal["phase.marked"] = "phase.marked"
    phase: int = Field(ge=0)
    onto: Identifier
    commit: Identifier


class BuildDelivered(Event, ends_step=True, keeps_moment=True):
    """The result is where the user asked for it."""

    type: Literal["build.delivered"] = "build.delivered"
    kind: Literal["none", "branch", "push", "files", "pr"]
    ref: Identifier = ""
    commit: Identifier = ""
    remote: Identifier = ""
    pull_request: ForeignText = ""
    """Address of its page; "" where none was asked for."""
    draft: bool = False
    """Whether the pull request is a draft: the result is not verified, or not whole."""
    in_part: bool = False
    """Whether it is what a failing build had proven: if the build goes on after all, its result is delivered anew."""


class DeliveryFailed(Event, ends_step=True):
    """An attempt to deliver failed."""

    type: Literal["delivery.failed"] = "delivery.failed"
    message: ForeignText
    temporary: bool = True


class BuildFinished(Event, ends_step=True):
    """The build ended. Nothing happens to it after this, unless the user opens it again."""

    type: Literal["build.finished"] = "build.finished"
    outcome: Outcome
    message: ForeignText = ""


AnyEvent = Annotated[
    BuildCreated
    | BuildForked
    | TargetPrepared
    | PlanMade
    | PlanRejected
    | BaseJudged
    | TaskStarted
    | ModelChosen
    | TestsSealed
    | TaskWaited
    | AgentHeartbeat
    | TokensUsed
    | BudgetReached
    | LimitMet
    | CheckpointCreated
    | CheckpointRestored
    | LessonsGiven
    | LessonLearned
    | AgentDenied
    | ConversationCompacted
    | AgentFinished
    | AgentBroke
    | PatchJudged
    | FindingApproved
    | JudgingReopened
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
    | OptionsChanged
    | SpecChanged
    | PlanChanged
    | UndoRequested
    | ChangeUndone
    | ContractsChanged
    | BaseChanged
    | BuildReopened
    | StopRequested
    | MessageSent
    | ReviewSent
    | DeliveryRequested
    | MessageDelivered
    | BuildVerified
    | PhaseAudited
    | PhaseMarked
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
    """Return the event as compact JSON, for the journal. Defaults are left out; `decode` puts them back."""
    return event.model_dump_json(exclude_defaults=True, exclude={"type"})


def decode(kind: str, text: str | bytes) -> AnyEvent:
    """Return the event from the journal's `type` column and JSON. Raises pydantic.ValidationError for unknown ones."""
    cls = EVENT_TYPES.get(kind)
    if cls is None:
        unknown: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)  # slow, with all classes: only for its error
        return unknown.validate_python({"type": kind})
    return cls.model_validate_json(text)  # type: ignore[return-value]


EVENT_TYPES: dict[str, type[Event]] = {cls.model_fields["type"].default: cls for cls in Event.__subclasses__()}
"""Every event class by its wire name."""


def event_fields(recorded: Recorded) -> dict[str, Any]:
    """Return an event's number, time and type beside its own fields. Fields with their default are left out."""
    return {"seq": recorded.seq, "at": recorded.at, "type": recorded.event.type, **json.loads(encode(recorded.event))}


def from_fields(fields: Mapping[str, Any]) -> Recorded:
    """Return the event that `event_fields` wrote, also after a round trip through JSON: enough to `apply`.

    Raises KeyError for fields that are no event, pydantic.ValidationError for an unknown event.
    """
    at = fields["at"]
    moment = at if isinstance(at, datetime) else datetime.fromisoformat(at)
    own = {name: value for name, value in fields.items() if name not in BESIDE}
    return Recorded(int(fields["seq"]), moment, decode(fields["type"], json.dumps(own)))
