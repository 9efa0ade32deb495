"""Commands of a user to a build: records, each with the rule that makes its facts. Must never do an effect.

A command is a record in `COMMANDS`; `ask` appends its facts to the build's journal, from any process. The HTTP route
and the body of its request are made from the record, and every client sends it unchanged.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field

from buildwright.core import event as e
from buildwright.core.apply import apply
from buildwright.core.build import Approval, Build, Control, TaskPhase, can_be_reopened, no_task
from buildwright.core.decide import allowed_modes
from buildwright.core.event import AnyEvent, Recorded, StepMode
from buildwright.core.finding import CONSENT, Finding, needs_consent
from buildwright.core.limits import Options
from buildwright.core.spec import Spec
from buildwright.engine.build_command import BuildCommand, Words
from buildwright.engine.deliver_command import DeliverBuild
from buildwright.engine.feedback_command import TakeFeedback
from buildwright.engine.resume_command import ResumeBuild
from buildwright.engine.review_command import SendReview
from buildwright.engine.task_commands import (
    ChangeSpec,
    ChangeTasks,
    MergeTasks,
    RedoTask,
    ReorderTasks,
    SplitTask,
    UndoTask,
)
from buildwright.errors import Conflict, IllegalMove, NotFound, Refused, StaleVersion
from buildwright.ports import BuildReader, Builds, Clock
from buildwright.views.statuses import runtime_phase

_SHORTEST_NAME = 4
"""Digits of a fingerprint that name a finding if no other begins so."""
OneTask = Annotated[
    str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,79})?$", description='Id of a task; "" for all.')
]


@dataclass(frozen=True, slots=True)
class NewBuild:
    """A build to be made. The project defaults to the repository's folder; "" in other fields means the default."""

    spec: Spec
    options: Options = field(default_factory=Options)
    repository: str = ""
    """Path or URL; "" with `options.lanes` off."""
    base: str = ""
    """Branch or commit to start from."""
    project_id: str = ""
    user_id: str = ""
    """The owner; "" for the user of this process, or of the token."""
    build_id: str = ""
    """A UUID chosen by the caller: with it the build is made once, however often it is asked for."""
    correlation_id: str = ""

    @property
    def project(self) -> str:
        """The id of its project."""
        return self.project_id or (Path(self.repository).name if self.repository else "") or "default"


class CommandResult(NamedTuple):
    """The build with a command's facts applied, and the id that these facts carry: of a message or a step."""

    build: Build
    id: str


@dataclass(frozen=True, slots=True)
class PauseBuild(BuildCommand):
    """Let nothing new start; what runs may finish. A paused build stays as it is."""

    name = "pause"
    message: Annotated[Words, Field(description="Why, for the record.")] = ""

    def facts(self, build: Build, new_id: str) -> Sequence[AnyEvent]:  # noqa: ARG002
        if build.pause is not None:
            raise IllegalMove("the build is paused already", fix=f"continue with `buildwright resume {build.id}`")
        return (e.BuildPaused(reason="user", message=self.message),)

    def holds(self, build: Build) -> bool:
        return build.control is Control.PAUSED


@dataclass(frozen=True, slots=True)
class ApproveFinding(BuildCommand):
    """Let a finding pass that asks for a person's consent. When it was the last, the refused change is judged again."""

    name = "approve"
    wakes = True
    finding: Annotated[str, Field(pattern=r"^[0-9a-f]{4,12}$", description="Its fingerprint, or how that begins.")]
    reason: Annotated[Words, Field(min_length=1, description="Why, for the record and the evidence.")]

    def facts(self, build: Build, new_id: str) -> Sequence[AnyEvent]:  # noqa: ARG002
        _check_words(self.reason, "an approval needs a reason", "say why with -m; it stays in the evidence")
        task, found = self._find(build)
        by = build.user_id or "user"
        approved = e.FindingApproved(task=task, finding=found.fingerprint, code=found.code, reason=self.reason, by=by)
        state = build.task(task)
        after = state._replace(approvals=(*state.approvals, Approval(found.fingerprint, "", "", "", build.updated_at)))
        if not can_be_reopened(after):
            return (approved,)
        reopened = e.JudgingReopened(task=task, attempt=state.attempt)
        waits = build.pause is not None and (build.pause.reason, build.pause.task) == ("failure", task)
        return (approved, reopened, e.BuildResumed()) if waits else (approved, reopened)

    def holds(self, build: Build) -> bool:
        known = (one for state in build.tasks.values() for one in state.approvals)
        same = any(one.finding.startswith(self.finding) and one.reason == self.reason for one in known)
        return same and not build.is_terminal

    def _find(self, build: Build) -> tuple[str, Finding]:
        """Return the task and the finding. Raises NotFound, and IllegalMove when it cannot be approved."""
        states = build.tasks.items()
        if any(one.finding.startswith(self.finding) for _, state in states for one in state.approvals):
            raise IllegalMove(f"finding {self.finding} is approved already", fix=f"see `buildwright gates {build.id}`")
        found = {
            one.fingerprint: (task, one)
            for task, state in states
            if state.phase not in {TaskPhase.DONE, TaskPhase.SKIPPED}
            for one in state.findings
            if len(self.finding) >= _SHORTEST_NAME and one.fingerprint.startswith(self.finding)
        }
        if not found:
            message = f"no finding {self.finding} keeps a change of this build from landing"
            raise NotFound(message, fix=f"see `buildwright gates {build.id}` for its findings")
        if len(found) > 1:
            raise NotFound(f"{self.finding} is the beginning of {len(found)} findings", fix="type more of it")
        ((task, one),) = found.values()
        _check_approvable(build, task, one)
        return task, one


def _check_words(words: str, message: str, fix: str) -> None:
    """Raises Refused for a text without words."""
    if not words.strip():
        raise Refused(message, fix=fix)


def _check_approvable(build: Build, task: str, finding: Finding) -> None:
    """Raises IllegalMove for a finding that no person's consent can make good."""
    if finding.severity != "error":
        raise IllegalMove(
            f"finding {finding.fingerprint} is a {finding.severity}: it keeps no change from landing",
            fix=f"see `buildwright why {build.id} {task}` for what does",
        )
    if not needs_consent(finding.code):
        families = ", ".join(f"{name}.*" for name, may in CONSENT.items() if may)
        raise IllegalMove(
            f"{finding.code} cannot be approved: it says that something does not work, and saying yes does not fix it"
            f" (what asks for consent can be approved: {families})",
            fix=f"tell an agent what to do: `buildwright resume {build.id} --retry -m TEXT`",
        )
    verdict = build.task(task).verdict
    for report in verdict.reports if verdict is not None else ():
        if finding in report.findings and report.dropped and all(one.severity == "error" for one in report.findings):
            raise IllegalMove(
                f"{report.gate} found {report.dropped} more than it lists, so approving what it lists is not enough",
                fix="start a new build with `--allow PATH` for what it may change",
            )


@dataclass(frozen=True, slots=True)
class SendMessage(BuildCommand):
    """Tell the agents something while they work. When none runs, the next one gets it."""

    name = "say"
    receipt = "message_id"
    text: Annotated[Words, Field(min_length=1)]
    task: OneTask = ""

    def facts(self, build: Build, new_id: str) -> Sequence[AnyEvent]:
        _check_words(self.text, "the message is empty", "say what the agents should know")
        if self.task and build.plan is not None:
            if self.task not in build.plan.position:
                raise no_task(build, self.task)
            phase = build.task(self.task).phase
            if phase in {TaskPhase.DONE, TaskPhase.SKIPPED}:
                raise IllegalMove(f"task {self.task} is {phase}: no agent works on it again", fix="leave --task out")
        return (e.MessageSent(id=new_id, text=self.text, task=self.task),)


@dataclass(frozen=True, slots=True)
class TakeStep(BuildCommand):
    """Ask for one step of a build that is driven by hand. A message reaches the next agent."""

    name = "step"
    receipt = "step_id"
    wakes = True
    mode: StepMode = "auto"
    message: Words = ""

    def facts(self, build: Build, new_id: str) -> Sequence[AnyEvent]:
        if build.pause is not None:
            raise IllegalMove("the build is paused", fix=f"resume it first: `buildwright resume {build.id}`")
        if build.options.by_hand and build.step is not None:
            raise IllegalMove(
                f"the build has not made the step yet that it was asked for ({build.step.mode})",
                fix=f"wait until it has; if no process runs it, `buildwright run {build.id}` makes it",
            )
        if build.options.by_hand and self.mode not in (allowed := allowed_modes(build)):
            raise IllegalMove(
                f"mode {self.mode} cannot be done now: the build is {runtime_phase(build)}",
                fix=f"ask for {' or '.join(sorted(allowed))}" if allowed else f"see `buildwright status {build.id}`",
            )
        told = (e.MessageSent(id=new_id, text=self.message),) if self.message else ()
        return (*told, e.StepRequested(id=new_id, mode=self.mode))


@dataclass(frozen=True, slots=True)
class StopBuild(BuildCommand):
    """End the build: agents are ended, nothing more lands. A build that was stopped stays as it is."""

    name = "stop"
    message: Annotated[Words, Field(description="Why, for the record.")] = ""

    def facts(self, build: Build, new_id: str) -> Sequence[AnyEvent]:  # noqa: ARG002
        return (e.StopRequested(message=self.message),)

    def holds(self, build: Build) -> bool:
        return build.control in {Control.STOPPING, Control.STOPPED}


COMMANDS: tuple[type[BuildCommand], ...] = (
    PauseBuild,
    ResumeBuild,
    ChangeTasks,
    MergeTasks,
    SplitTask,
    ReorderTasks,
    ChangeSpec,
    RedoTask,
    UndoTask,
    ApproveFinding,
    SendMessage,
    SendReview,
    TakeFeedback,
    DeliverBuild,
    TakeStep,
    StopBuild,
)
"""All commands. Each is a route of the HTTP API."""


async def ask(builds: Builds, clock: Clock, build_id: str, command: BuildCommand, asked_by: str = "") -> CommandResult:
    """Append a command's facts for the newest state, checked against it. `asked_by` is the user whose command it is.

    Raises IllegalMove, NotFound, StoreFailed.
    """
    new_id = uuid.uuid4().hex[:12]
    while True:
        build = await builds.load(build_id)
        at, expected = max(clock.now(), build.updated_at), build.version
        facts, build = after(build, command, new_id, at, asked_by)
        try:
            await builds.append(build_id, expected, facts, at, after=build)
        except StaleVersion:
            continue
        return CommandResult(build, new_id)


def after(
    build: Build, command: BuildCommand, new_id: str, at: datetime, asked_by: str = ""
) -> tuple[Sequence[AnyEvent], Build]:
    """Return the facts of a command, and the build with them. Raises IllegalMove, NotFound; records nothing."""
    if build.control is Control.STOPPING or (build.is_terminal and not command.reopens):
        how = f"has ended ({build.outcome})" if build.outcome else "is ending"
        raise IllegalMove(f"the build {how}", fix=f"see `buildwright status {build.id}`, or start a new build")
    if build.past_end is not None and not isinstance(command, StopBuild):
        raise IllegalMove("what has landed is being delivered", fix="wait until it is, or stop that")
    facts = tuple(_signed(fact, asked_by) for fact in command.facts(build, new_id))
    for fact in facts:
        build = apply(build, Recorded(build.version + 1, at, fact))
    return facts, build


def _signed(fact: AnyEvent, asked_by: str) -> AnyEvent:
    """Return the fact with the user whose command it comes from, if it says that."""
    if not asked_by:
        return fact
    if isinstance(fact, e.FindingApproved):
        return fact.model_copy(update={"by": asked_by})
    return fact.model_copy(update={"asked_by": asked_by}) if "asked_by" in type(fact).model_fields else fact


async def create(builds: Builds, clock: Clock, new: NewBuild, *more: AnyEvent) -> str:
    """Make a build, and return its id (a UUID). A build made with the same `build_id` before stays as it is.

    `more` are the events that follow at once.

    Validates nothing in `new`. Raises StoreFailed.
    """
    created = e.BuildCreated(
        build_id=new.build_id or str(uuid.uuid4()),
        project_id=new.project,
        user_id=new.user_id,
        repository=new.repository,
        base=new.base,
        spec=new.spec,
        options=new.options,
        correlation_id=new.correlation_id or uuid.uuid4().hex,
    )
    try:
        await builds.create(created.build_id, [created, *more], clock.now())
    except Conflict:
        if not new.build_id:
            raise
    return created.build_id


async def find(builds: BuildReader, build: str = "", elsewhere: str = "") -> str:
    """Return the full id of a build, from an id, a unique beginning of one, or "" or `newest` for the newest.

    Raises NotFound; `elsewhere` is then the advice about builds that are not visible here, if there are any.
    """
    build = "" if build == "newest" else build
    rows = await builds.rows(limit=20, build_prefix=build)
    exact = [row for row in rows if row.build_id == build]
    if exact or (rows and (not build or len(rows) == 1)):
        return (exact or rows)[0].build_id
    if rows:
        some = ", ".join(row.build_id[:12] for row in rows[:5])
        raise NotFound(f"{build} is the beginning of {len(rows)} builds: {some}", fix="type more of the id")
    if not build:
        fix = elsewhere or "start one with `buildwright build SPEC --repo PATH`"
        raise NotFound("there is no build yet", fix=fix)
    fix = elsewhere or "see `buildwright status --all` for the builds there are"
    raise NotFound(f"there is no build {build}", fix=fix)
