"""One attempt: open a lane, brief the agent, follow its work, take its patch. Must never believe the agent's word.

The lane is always fresh: leftovers of an attempt that died are removed. An agent that goes on from its rejected change
finds it in the lane, on top of the newest head; any other starts from the head itself. An attempt that died goes on
from its newest checkpoint, if its agent can; else it begins anew, and the gateway replays the answers it had. A
checkpoint is the lane's tree and the agent's conversation: losing one costs only work that is done again.

A lane is made ready as the checkouts of the checks are, so that an agent can run the project's own tests there. What
set-up makes there must never be in a patch. A set-up that fails ends no attempt: the agent is told, and the gates judge
what comes of it.
Large because every end of an attempt is told apart here, by one order of questions.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple, assert_never

from buildwright.core import event as e
from buildwright.core.action import RunAgent
from buildwright.core.activity import (
    Activity,
    Compacted,
    FailureKind,
    Finished,
    Heard,
    Printed,
    Ran,
    Said,
    Saved,
    UsedTokens,
    Warned,
    Wrote,
)
from buildwright.core.build import Build, TaskState
from buildwright.core.event import AnyEvent
from buildwright.core.limits import Options
from buildwright.core.proof import can_be_proven
from buildwright.core.routing import model_instead, options_of_attempt
from buildwright.core.task import Task
from buildwright.core.terminal import clean
from buildwright.engine.action_context import ActionContext
from buildwright.engine.disk_space import check_disk_space
from buildwright.engine.kept_work import (
    INTERRUPTED,
    KILLED,
    carried_change,
    cut_short,
    findings_of_attempt,
    keep_lane,
)
from buildwright.engine.lessons import give
from buildwright.engine.usage import access, pause_for, shut_door, spent
from buildwright.errors import AgentFailed, BadSettings, CouldNot, GateBroken, Refused
from buildwright.ports import (
    Agent,
    Assignment,
    Briefing,
    BriefingRequest,
    Furnished,
    Judged,
    Lane,
    LaneKey,
    ModelEndpoint,
    ModelTrouble,
    Workspace,
)
from buildwright.time_advice import time_advice

METER_SECONDS = 0.5
LONGEST_SUMMARY = 4_000
"""Characters of an agent's last text that the journal keeps."""
NOT_THE_TASKS_FAULT = {"auth", "rate_limit", "overloaded", "unavailable", "unknown_model", "budget"}
"""Failures of the model's provider, or no money left: they pause the build and use up no attempt."""
VAGUE = {"crashed", "unavailable"}
"""What an agent says that does not know why it failed: the gateway knows how its last request ended."""


class Workdir(NamedTuple):
    """The place where an attempt works. Without lanes `lane` is None and `files` a scratch directory."""

    files: Path
    home: Path
    lane: Lane | None
    tree: str
    carried: bool
    conflicts: tuple[str, ...]
    talk: str | None = None
    """The conversation of the checkpoint that the lane holds, None when it holds none."""


async def run_attempt(bench: ActionContext, action: RunAgent, build: Build) -> Sequence[AnyEvent]:
    """Return the facts of one attempt, the last of them its end. Raises the errors of the workspace and the gateway."""
    assert build.plan is not None
    task, state = build.plan.task(action.task), build.task(action.task)
    hired, scratch = bench.world.hired(build.options, state.agent), bench.world.scratch
    if not hired.agent.touches_files:
        assignment = Assignment(build.id, task, action.attempt, scratch, scratch, task.goal, build.options.limits)
        return await _follow(bench, hired.agent, build, assignment, None)
    state = await give(bench, build, action.task, state)
    world = replace(bench.world, agent=hired.agent, furnish=hired.furnish)
    bench = replace(bench, world=world)
    key, options = LaneKey(build.id, action.task, action.attempt), options_of_attempt(build.options, state)
    reason = INTERRUPTED
    try:
        await keep_lane(bench, build, key, KILLED)  # of a process that had begun this attempt
        ground = await _open_ground(bench, build, key, state)
        ready = await set_up_lane(bench, build, task, ground.lane, ground.tree) if ground.lane is not None else None
        if ready is not None:
            ground = ground._replace(lane=ready.lane)
        async with _door(bench, options, key, ground) as door, _denials(bench, key) as on_denied:
            briefing = await _brief(bench, build, task, state, ground)
            assignment = Assignment(
                build_id=build.id,
                task=task,
                attempt=action.attempt,
                lane=ground.files,
                home=ground.home,
                prompt=f"{briefing.prompt}\n\n{ready.told}" if ready is not None and ready.told else briefing.prompt,
                feedback=briefing.feedback,
                conversation=await _conversation(bench, state) if ground.talk is None else ground.talk,
                resumed=ground.talk is not None,
                model=options.model,
                door=door,
                limits=build.options.limits,
                protected=build.options.protected,
                allow=build.options.allow,
                command=options.agent_command,
                env=ready.env if ready is not None else {},
                on_denied=on_denied,
            )
            facts = await _follow(bench, hired.agent, build, assignment, ground.lane)
        reason = cut_short(facts)
        return facts
    finally:
        try:
            if reason:
                await keep_lane(bench, build, key, reason)
        finally:
            if world.workspace is not None and build.options.lanes:
                await _close_lane(bench, world.workspace, key)


async def _close_lane(bench: ActionContext, workspace: Workspace, key: LaneKey) -> None:
    """Remove the lane completely, even when cancelled: the next attempt of that name uses the same place.

    A lane that cannot be removed is no reason to drop the agent's work in it.
    """
    closing = asyncio.ensure_future(workspace.close_lane(key))
    cancelled: asyncio.CancelledError | None = None
    while not closing.done():
        try:
            await asyncio.wait([closing])
        except asyncio.CancelledError as cancel:
            cancelled = cancel
    try:
        await closing
    except (CouldNot, OSError) as trouble:
        bench.logbook.note("engine", f"the lane is left behind: {trouble}", key.task, key.attempt)
    if cancelled is not None:
        raise cancelled


async def _open_ground(bench: ActionContext, build: Build, key: LaneKey, state: TaskState) -> Workdir:
    world = bench.world
    if world.workspace is None or not build.options.lanes:
        scratch = world.scratch / key.build_id / f"{key.task}-{key.attempt}"
        files, home = scratch / "files", scratch / "home"
        for folder in (files, home):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Workdir(files, home, None, "", carried=False, conflicts=())
    if world.agent.resumes and (restored := await restore(bench, key, state)) is not None:
        lane, talk = restored
        return Workdir(lane.files, lane.home, lane, state.checkpoint_tree, carried=True, conflicts=(), talk=talk)
    carried = await carried_change(world.builds, world.workspace, build, key, state.base, resumes=world.agent.resumes)
    if carried.missing:
        text = f"attempt {carried.missing} left no change to continue from"
        bench.logbook.note("engine", text, key.task, key.attempt)
    lane = await world.workspace.open_lane(key, state.base, carried.tree)
    tree = carried.tree or lane.base_tree
    return Workdir(lane.files, lane.home, lane, tree, bool(carried.tree), carried.conflicts)


async def _brief(bench: ActionContext, build: Build, task: Task, state: TaskState, ground: Workdir) -> Briefing:
    wrong = await findings_of_attempt(bench.world.builds, build, task.id, state.carry_from) if state.carry_from else ()
    request = BriefingRequest(build, task, state, ground.tree, ground.carried, ground.conflicts, wrong)
    return await bench.world.brief(request)


async def _conversation(bench: ActionContext, state: TaskState) -> str:
    if not state.conversation or not bench.world.agent.resumes:
        return ""
    return (await bench.world.builds.get_artifact(state.conversation)).decode()


@asynccontextmanager
async def _door(
    bench: ActionContext, options: Options, key: LaneKey, ground: Workdir
) -> AsyncIterator[ModelEndpoint | None]:
    gateway, uses = bench.world.gateway, bench.world.agent.uses_model
    door: ModelEndpoint | None = None
    if gateway is not None and uses != "never":
        try:
            door = await gateway.open(access(bench.newest(), key.task, key.attempt, options=options, lane=ground.files))
        except BadSettings:
            if uses == "always":
                raise
    metering = asyncio.create_task(_meter(bench, door)) if door else None
    try:
        yield door
    finally:
        if metering is not None and door is not None and gateway is not None:
            metering.cancel()
            await asyncio.gather(metering, return_exceptions=True)
            if key.task and (places := gateway.denied(door)):
                bench.report(e.AgentDenied(task=key.task, attempt=key.attempt, places=places))
            await shut_door(bench, door)


@asynccontextmanager
async def _denials(bench: ActionContext, key: LaneKey) -> AsyncIterator[Callable[[str], None]]:
    """Note what an agent asks for and may not reach, and report it however the attempt ends."""
    places: list[str] = []

    def denied(place: str) -> None:
        if place not in places:
            places.append(place)

    try:
        yield denied
    finally:
        if places:
            bench.report(e.AgentDenied(task=key.task, attempt=key.attempt, places=tuple(places)))
            asked = f"asked for {', '.join(places)}, which it may not reach"
            bench.logbook.note("denied", asked, key.task, key.attempt)


async def _meter(bench: ActionContext, door: ModelEndpoint) -> None:
    gateway = bench.world.gateway
    assert gateway is not None
    while True:
        await bench.world.clock.sleep(METER_SECONDS)
        for fact in spent(gateway, door, bench.newest()):
            bench.report(fact)


async def _follow(
    bench: ActionContext, agent: Agent, build: Build, assignment: Assignment, lane: Lane | None
) -> Sequence[AnyEvent]:
    """Let the agent work within its time limit and return its end as facts."""
    task, attempt = assignment.task.id, assignment.attempt
    seconds = build.options.limits.task_seconds
    broke = partial(e.AgentBroke, task=task, attempt=attempt)
    try:
        async with asyncio.timeout(seconds) as time_limit, _stopping_the_clock(bench, assignment.door, time_limit):
            with bench.conversations.inbox(bench.newest(), task) as inbox:
                finished = await _listen(
                    bench, agent.run(assignment, inbox), assignment, Checkpoints(bench, lane, assignment.door)
                )
    except TimeoutError:
        if (trouble := _trouble(bench, assignment)) is not None and _explains(trouble, "timeout"):
            told = clean(f"{trouble.message} (it was still asking after {seconds:g} s)", bench.world.mask)
            if switch := _another_model(bench, assignment, trouble.kind, trouble):
                return (switch,)
            if trouble.kind in NOT_THE_TASKS_FAULT:
                return (pause_for(bench, assignment.door, trouble.kind, told, trouble.model or assignment.model, task),)
            return (broke(kind=trouble.kind, message=told),)
        limit = f"the agent timed out after {seconds:g} s, the limit for one attempt"
        return (broke(kind="timeout", message=f"{limit}: {time_advice('--task-time', bench.world.load())}"),)
    except AgentFailed as failure:
        fix = f" Fix: {failure.fix}" if failure.fix else ""
        return (
            e.BuildPaused(reason="trouble", message=f"the agent cannot run: {failure}{fix}", task=task, fault="agent"),
        )
    conversation = ""
    if finished.conversation:
        conversation = await bench.world.builds.put_artifact(finished.conversation.encode())
    summary = clean(finished.summary, bench.world.mask)[:LONGEST_SUMMARY]
    patch, trouble = None, _trouble(bench, assignment)
    if finished.ok and lane is not None and bench.world.workspace is not None:
        patch = await bench.world.workspace.take_patch(lane)
    # Some agents say that they are done when their last request has failed.
    cut_off = trouble is not None and (trouble.kind == "request_limit" or (patch is not None and patch.is_empty))
    if not finished.ok or cut_off:
        kind = finished.failure or "crashed"
        if trouble is not None and _explains(trouble, kind):
            kind = trouble.kind
            summary = f"{trouble.message} ({summary})" if summary else trouble.message
            summary = clean(summary, bench.world.mask)[:LONGEST_SUMMARY]
        if switch := _another_model(bench, assignment, kind, trouble):
            return (switch,)
        if kind in NOT_THE_TASKS_FAULT:
            model = trouble.model if trouble is not None else ""
            return (pause_for(bench, assignment.door, kind, summary, model or assignment.model, task),)
        check_disk_space(assignment.lane)
        return (broke(kind=kind, message=summary, conversation=conversation),)
    done = e.AgentFinished(
        task=task,
        attempt=attempt,
        patch=patch,
        summary=summary,
        conversation=conversation,
        to_prove=patch is not None and patch.is_empty and build.options.gates and can_be_proven(assignment.task),
    )
    return (done,)


def _another_model(
    bench: ActionContext, assignment: Assignment, kind: FailureKind, trouble: ModelTrouble | None
) -> AnyEvent | None:
    """Return that the attempt goes on with another model. An agent whose own time is over had no slow provider."""
    if kind == "timeout" and (trouble is None or trouble.kind != kind):
        return None
    return model_instead(bench.newest(), assignment.task.id, assignment.attempt, kind)


def _explains(trouble: ModelTrouble, kind: FailureKind) -> bool:
    """Return whether the end of its last request says better why the agent failed than the agent does.

    One that is still asking when its time is over has been held up by what it is answered.
    """
    if kind == "timeout":
        return trouble.kind in {*NOT_THE_TASKS_FAULT, "refused", "context_length", "request_limit"}
    return kind in VAGUE or trouble.kind == "request_limit"


@asynccontextmanager
async def _stopping_the_clock(
    bench: ActionContext, door: ModelEndpoint | None, time_limit: asyncio.Timeout
) -> AsyncIterator[None]:
    """Let the time limit of an attempt stand still while a provider's limit lasts that one of its requests has met."""
    gateway = bench.world.gateway

    async def watch() -> None:
        while gateway is not None and door is not None:
            await bench.world.clock.sleep(METER_SECONDS)
            ends = time_limit.when()
            limit = gateway.limit(door)
            if ends is not None and limit is not None and limit > bench.world.clock.now():
                time_limit.reschedule(ends + METER_SECONDS)

    watching = asyncio.create_task(watch(), name="clock of an attempt")
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def _trouble(bench: ActionContext, assignment: Assignment) -> ModelTrouble | None:
    gateway = bench.world.gateway
    return gateway.trouble(assignment.door) if gateway is not None and assignment.door is not None else None


async def _listen(
    bench: ActionContext, work: AsyncIterator[Activity], assignment: Assignment, checkpoints: Checkpoints
) -> Finished:
    task, attempt = assignment.task.id, assignment.attempt
    with bench.logbook.stream("said", task, attempt) as say:
        async with aclosing(work) as activities:  # type: ignore[type-var]
            return await _take_in(bench, assignment, activities, checkpoints, say)


async def _take_in(
    bench: ActionContext,
    assignment: Assignment,
    activities: AsyncIterator[Activity],
    checkpoints: Checkpoints,
    say: Callable[[str], None],
) -> Finished:
    task, attempt = assignment.task.id, assignment.attempt
    mid_line = False
    async for activity in activities:
        if isinstance(activity, Said):
            say(activity.text if activity.more else f"{activity.text}\n")
            mid_line = activity.more
            continue
        if mid_line:  # the agent said it before it did this
            say("\n")
            mid_line = False
        if isinstance(activity, Finished):
            return activity
        if isinstance(activity, Saved):
            await checkpoints.keep(activity)
        if isinstance(activity, Compacted):
            sizes = {"tokens_before": activity.tokens_before, "tokens_after": activity.tokens_after}
            bench.report(e.ConversationCompacted(task=task, attempt=attempt, cut=activity.cut, **sizes))
        if isinstance(activity, Heard):
            waiting = {note.id for note in bench.newest().notes_to_agents}
            for message in waiting.intersection(activity.message_ids):
                bench.report(e.MessageDelivered(id=message, task=task, attempt=attempt))
        bench.logbook.note(activity.type, _line(activity), task, attempt)
    raise AgentFailed("the agent ended without saying whether it had finished")


def _line(activity: Activity) -> str:
    match activity:
        case Said() | Printed() | Warned():
            return activity.text
        case Wrote():
            verb = "deleted" if activity.deleted else f"wrote {activity.size_bytes} bytes"
            return f"{activity.path}: {verb}"
        case Ran():
            code = "" if activity.exit_code is None else f" (exit code {activity.exit_code})"
            return f"$ {activity.command}{code}\n{activity.output}"
        case Heard():
            count = len(activity.message_ids)
            return f"received {'a message' if count == 1 else f'{count} messages'} of the user"
        case UsedTokens():
            return f"{activity.model}: {activity.input_tokens} tokens in, {activity.output_tokens} out"
        case Compacted():
            left = f"about {activity.tokens_after:,} of {activity.tokens_before:,} tokens are left"
            return f"the conversation is near the model's limit: {activity.cut} older messages were cut, {left}"
        case Saved():
            return ""
        case Finished():
            return activity.summary
        case _:
            assert_never(activity)


class Restored(NamedTuple):
    """A lane that holds a checkpoint's files, and the conversation up to there."""

    lane: Lane
    conversation: str


async def restore(bench: ActionContext, key: LaneKey, state: TaskState) -> Restored | None:
    """Open the lane as it was at the attempt's newest checkpoint; None when there is none, or it is lost."""
    workspace = bench.world.workspace
    if workspace is None or not state.checkpoint_tree:
        return None
    try:
        conversation = await bench.world.builds.get_artifact(state.checkpoint_conversation)
        lane = await workspace.open_lane(key, state.base, state.checkpoint_tree)
    except (CouldNot, Refused) as lost:
        text = f"the checkpoint of {key.task} is lost, so its attempt begins again: {lost}"
        bench.logbook.note("engine", text, key.task, key.attempt)
        return None
    bench.report(e.CheckpointRestored(task=key.task, attempt=key.attempt, tree=state.checkpoint_tree))
    return Restored(lane, conversation.decode())


class Checkpoints:
    """The checkpoints of one attempt. Without a lane there is nothing to keep."""

    def __init__(self, bench: ActionContext, lane: Lane | None, door: ModelEndpoint | None) -> None:
        self._bench = bench
        self._lane = lane
        self._door = door
        self._next: datetime | None = None

    async def keep(self, saved: Saved) -> None:
        """Keep this checkpoint, unless the last one is only moments old. What changes meanwhile may be part of it."""
        world, lane = self._bench.world, self._lane
        if lane is None or world.workspace is None or not world.agent.resumes:
            return
        if self._next is not None and world.clock.now() < self._next:
            return
        task, attempt = lane.key.task, lane.key.attempt
        try:
            tree = (await world.workspace.checkpoint(lane)).tree
            conversation = await world.builds.put_artifact(saved.conversation.encode())
        except (CouldNot, Refused, OSError) as failure:
            # A file that cannot be taken (Refused) is judged when the attempt ends; one may go while it is read (OSError).
            self._bench.logbook.note("engine", f"no checkpoint of {task}: {failure}", task, attempt)
        else:
            # Recorded before the checkpoint: an agent that goes on from it does not ask again for the answers up to it.
            if world.gateway is not None and self._door is not None:
                for fact in spent(world.gateway, self._door, self._bench.newest()):
                    self._bench.report(fact)
            self._bench.report(e.CheckpointCreated(task=task, attempt=attempt, tree=tree, conversation=conversation))
        self._next = world.clock.now() + timedelta(seconds=world.checkpoint_seconds)


_LONGEST = 2_000


class ReadyLane(NamedTuple):
    """A lane after its set-up, the variables for the agent's commands, and what the agent is told of the set-up."""

    lane: Lane
    env: Mapping[str, str]
    told: str = ""


async def set_up_lane(bench: ActionContext, build: Build, task: Task, lane: Lane, tree: str) -> ReadyLane:
    """Run the project's set-up in a lane that is filled from `tree`. Raises the errors of the workspace."""
    furnish, workspace = bench.world.furnish, bench.world.workspace
    if furnish is None or workspace is None:
        return ReadyLane(lane, {})
    attempt = lane.key.attempt
    caches = lane.home / "caches"
    caches.mkdir(mode=0o700, exist_ok=True)
    try:
        with bench.logbook.stream("setup", task.id, attempt) as say:
            done = await furnish(_asked(build, task, lane, tree, say), caches)
    except (BadSettings, GateBroken) as trouble:
        bench.logbook.note("engine", f"the lane is not set up: {trouble}", task.id, attempt)
        return ReadyLane(lane, {})
    if not done.judgements:
        return ReadyLane(lane, done.env)
    told = clean(_told(done), bench.world.mask)
    bench.logbook.note("engine", told or "the lane is set up", task.id, attempt)
    return ReadyLane(await workspace.leave_out(lane, tree), done.env, told)


def _asked(build: Build, task: Task, lane: Lane, tree: str, say: Callable[[str], None]) -> Judged:
    return Judged(
        build_id=build.id,
        task=task,
        tree=tree,
        patch=None,
        files=lane.files,
        options=build.options,
        on_output=say,
        repository=build.repository,
    )


def _told(done: Furnished) -> str:
    """Return what an agent is told of a set-up that failed, "" of one that did not."""
    errors = [one for judgement in done.judgements for one in judgement.report.findings if one.severity == "error"]
    said = "\n".join(one.message for one in errors)[:_LONGEST]
    return f"The project's set-up failed in your directory, so its tests may not run there:\n{said}" if said else ""
