"""Makes a lane ready as the checkouts of the checks are, so that an agent can run the project's own tests there.

What set-up makes there must never be in a patch. A set-up that fails ends no attempt: the agent is told, and the gates
judge what comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from buildwright.core.build import Build
from buildwright.core.task import Task
from buildwright.core.terminal import clean
from buildwright.engine.action_context import ActionContext
from buildwright.errors import BadSettings, GateBroken
from buildwright.ports import Furnished, Judged, Lane

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
