"""What a user can ask of a build, from any process: each is a few facts appended to its journal. Never does an effect."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Literal

from buildwright.core import event as e
from buildwright.core.apply import apply
from buildwright.core.build import Build, Control, TaskPhase
from buildwright.core.decide import allowed_modes
from buildwright.core.event import AnyEvent, Recorded, StepMode
from buildwright.core.limits import Options
from buildwright.core.spec import Spec
from buildwright.errors import IllegalMove, NotFound, StaleVersion
from buildwright.ports import Builds, Clock
from buildwright.views.statuses import runtime_phase

Choice = Literal["go", "retry", "skip", "abort"]


async def create(
    builds: Builds,
    clock: Clock,
    spec: Spec,
    options: Options,
    repository: str,
    base: str,
    project_id: str,
    user_id: str,
    build_id: str = "",
    correlation_id: str = "",
) -> str:
    """A new build; returns its id (a UUID). Without an id or a correlation id it gets a new one."""
    build_id = build_id or str(uuid.uuid4())
    created = e.BuildCreated(
        build_id=build_id,
        project_id=project_id,
        user_id=user_id,
        repository=repository,
        base=base,
        spec=spec,
        options=options,
        correlation_id=correlation_id or uuid.uuid4().hex,
    )
    await builds.create(build_id, [created], clock.now())
    return build_id


async def pause(builds: Builds, clock: Clock, build_id: str, message: str = "") -> Build:
    """Nothing new starts; what runs goes on to its end."""

    def facts(build: Build) -> Sequence[AnyEvent]:
        if build.pause is not None:
            raise IllegalMove("the build is paused already", fix=f"go on with `buildwright resume {build_id}`")
        return (e.BuildPaused(reason="user", message=message),)

    return await _append(builds, clock, build_id, facts)


async def stop(builds: Builds, clock: Clock, build_id: str, message: str = "") -> Build:
    """End the build: agents are ended, nothing more lands."""
    return await _append(builds, clock, build_id, lambda _: (e.StopRequested(message=message),))


async def say(builds: Builds, clock: Clock, build_id: str, text: str, task: str = "") -> str:
    """Tell the agents something; returns the message's id, which its receipt (`message.delivered`) names.

    Raises NotFound for a task that is not in the plan, IllegalMove for one that is over.
    """
    message_id = uuid.uuid4().hex[:12]

    def facts(build: Build) -> Sequence[AnyEvent]:
        if task and build.plan is not None:
            if task not in build.plan.position:
                raise NotFound(f"there is no task {task} in this build", fix="see `buildwright status` for its tasks")
            phase = build.task(task).phase
            if phase in {TaskPhase.DONE, TaskPhase.SKIPPED}:
                raise IllegalMove(f"task {task} is {phase}: no agent works on it again", fix="leave --task out")
        return (e.MessageSent(id=message_id, text=text, task=task),)

    await _append(builds, clock, build_id, facts)
    return message_id


async def step(builds: Builds, clock: Clock, build_id: str, mode: StepMode = "auto", message: str = "") -> str:
    """Ask a build that is driven by hand for one step; returns the step's id. A message reaches the next agent, as with `say`.

    Raises NotFound, and IllegalMove when the build has ended, is paused, goes on by itself, makes a step already, or has
    nothing to do now that the mode allows.
    """
    step_id = uuid.uuid4().hex

    def facts(build: Build) -> Sequence[AnyEvent]:
        if build.pause is not None:
            raise IllegalMove("the build is paused", fix=f"resume it first: `buildwright resume {build_id}`")
        if build.options.by_hand and build.step is not None:
            raise IllegalMove(
                f"the build has not made the step yet that it was asked for ({build.step.mode})",
                fix=f"wait until it has; if nobody runs it, `buildwright run {build_id}` makes it",
            )
        if build.options.by_hand and mode not in (allowed := allowed_modes(build)):
            raise IllegalMove(
                f"mode {mode} cannot be done now: the build is {runtime_phase(build)}",
                fix=f"ask for {' or '.join(sorted(allowed))}" if allowed else f"see `buildwright status {build_id}`",
            )
        told = (e.MessageSent(id=uuid.uuid4().hex[:12], text=message),) if message else ()
        return (*told, e.StepRequested(id=step_id, mode=mode))

    await _append(builds, clock, build_id, facts)
    return step_id


async def resume(
    builds: Builds,
    clock: Clock,
    build_id: str,
    choice: Choice = "go",
    message: str = "",
    budget_usd: Decimal | None = None,
) -> Build:
    """Let a paused build go on: as it is, with the failed tasks tried again or skipped, or give it up."""

    def facts(build: Build) -> Sequence[AnyEvent]:
        resumed = e.BuildResumed(budget_usd=budget_usd)
        if build.pause is None:
            if choice == "abort":
                raise IllegalMove(
                    "the build is not paused, so there is no pause to answer",
                    fix=f"end it with `buildwright stop {build_id}`",
                )
            raise IllegalMove(
                "the build is not paused, so there is nothing to resume",
                fix=f"see `buildwright status {build_id}`; if nobody runs it, `buildwright run {build_id}` goes on",
            )
        match choice:
            case "abort":
                return (e.StopRequested(how="abort", message=message or "given up by the user"),)
            case "retry":
                told = (e.MessageSent(id=uuid.uuid4().hex[:12], text=message),) if message and not build.failed else ()
                again = (e.TaskRetried(task=task, by="user", message=message) for task in build.failed)
                return (*again, *told, resumed)
            case "skip":
                if not build.failed:
                    raise IllegalMove("there is no failed task to skip", fix="resume without --skip")
                return (*(e.TaskSkipped(task=task) for task in build.failed), resumed)
            case "go":
                if build.failed and build.options.on_failure == "pause":
                    raise IllegalMove(
                        f"task {build.failed[0]} has failed and needs your choice",
                        fix="say --retry (with -m to guide the agent), --skip or --abort",
                    )
                return (resumed,)

    return await _append(builds, clock, build_id, facts)


async def _append(builds: Builds, clock: Clock, build_id: str, facts: Callable[[Build], Sequence[AnyEvent]]) -> Build:
    """Append what `facts` makes of the newest state, checked against it. Raises IllegalMove, NotFound."""
    while True:
        build = await builds.load(build_id)
        if build.control is Control.STOPPING or build.is_terminal:
            how = f"has ended ({build.outcome})" if build.outcome else "is ending"
            raise IllegalMove(f"the build {how}", fix=f"see `buildwright status {build_id}`, or start a new build")
        events, at, expected = list(facts(build)), max(clock.now(), build.updated_at), build.version
        for event in events:
            build = apply(build, Recorded(build.version + 1, at, event))
        try:
            await builds.append(build_id, expected, events, at)
        except StaleVersion:
            continue
        return build
