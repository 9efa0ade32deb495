"""Checkpoints of attempts: kept while an agent works, restored after its process died. Must never end an attempt.

A checkpoint is the lane's tree and the agent's conversation. Losing one costs only work that is done again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from buildwright.core import event as e
from buildwright.core.activity import Saved
from buildwright.core.build import TaskState
from buildwright.engine.action_context import ActionContext
from buildwright.engine.usage import spent
from buildwright.errors import CouldNot, Refused
from buildwright.ports import Lane, LaneKey, ModelEndpoint


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
        text = f"the checkpoint of {key.task} is lost, so its attempt begins anew: {lost}"
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
        """Keep this checkpoint, unless the last one is only moments old. The lane must not change meanwhile."""
        world, lane = self._bench.world, self._lane
        if lane is None or world.workspace is None or not world.agent.resumes:
            return
        if self._next is not None and world.clock.now() < self._next:
            return
        task, attempt = lane.key.task, lane.key.attempt
        try:
            tree = (await world.workspace.checkpoint(lane)).tree
            conversation = await world.builds.put_artifact(saved.conversation.encode())
        except (CouldNot, Refused) as failure:
            # A file that cannot be taken (Refused) is judged when the attempt ends.
            self._bench.logbook.note("engine", f"no checkpoint of {task}: {failure}", task, attempt)
        else:
            # Recorded before the checkpoint: an agent that goes on from it does not ask again for the answers up to it.
            if world.gateway is not None and self._door is not None:
                for fact in spent(world.gateway, self._door, self._bench.newest()):
                    self._bench.report(fact)
            self._bench.report(e.CheckpointCreated(task=task, attempt=attempt, tree=tree, conversation=conversation))
        self._next = world.clock.now() + timedelta(seconds=world.checkpoint_seconds)
