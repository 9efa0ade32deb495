"""A changed plan that the diagnosing advisor proposes: read, and tried on the build. Must never change the build.

What a model answers is data: a text in a log may have asked for it. So it is a proposal, which a user sees and accepts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from buildwright.core import event as e
from buildwright.core.build import Build, TaskPhase
from buildwright.core.finding import PlanProposal
from buildwright.core.graph import compile_plan
from buildwright.core.record import Record, TaskId
from buildwright.core.replan import changed_graph, plan_changed
from buildwright.core.sanitize import ForeignText, Mask, sanitize
from buildwright.core.task import Task
from buildwright.engine.task_commands import SplitTask, plan_of, task_of
from buildwright.errors import BadGraph, IllegalMove, NotFound, Refused

MOST_TASKS = 100
LARGEST = 60_000
"""Characters of a proposal, as JSON."""


class _Split(Record):
    task: TaskId
    into: tuple[Task, ...]


class _Answered(Record):
    """What the advisor may say of a plan. A task with the id of one that there is changes the fields that it names."""

    reason: ForeignText = ""
    tasks: tuple[Task, ...] = ()
    drop: tuple[TaskId, ...] = ()
    split: tuple[_Split, ...] = ()


def read_proposal(build: Build, told: object, mask: Mask) -> tuple[PlanProposal | None, str]:
    """Return the proposal in an answer, or why it cannot be had; nothing of both for an answer without one."""
    if not told:
        return None, ""
    try:
        answered = sanitize(_Answered.model_validate_json(_whole(build, told)), mask)
        proposal = _proposal(build, answered)
        if len(proposal.tasks) > MOST_TASKS:
            raise Refused(f"it has {len(proposal.tasks)} tasks, more than {MOST_TASKS}")
        changed = e.PlanChanged(tasks=proposal.tasks, dropped=proposal.dropped)
        plan_changed(_as_paused(build), changed, build.updated_at)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return None, mask(f"a changed plan was proposed that cannot be read: {where}: {first['msg']}"[:500])
    except (BadGraph, IllegalMove, NotFound, Refused) as error:
        return None, mask(f"a changed plan was proposed that cannot be built: {error}"[:500])
    return proposal, ""


def _whole(build: Build, told: object) -> str:
    """Return the answer as JSON whose tasks are whole. The agent of a task is the user's choice. Raises Refused."""
    text = json.dumps(told)
    if len(text) > LARGEST:
        raise Refused(f"it has {len(text):,} characters, more than {LARGEST:,}")
    if not isinstance(told, Mapping):
        return text
    whole: dict[str, Any] = dict(told)
    if isinstance(listed := told.get("tasks"), list):
        whole["tasks"] = [_whole_task(build, one) for one in listed]
    return json.dumps(whole)


def _whole_task(build: Build, one: object) -> object:
    if not isinstance(one, Mapping):
        return one
    given = {name: value for name, value in one.items() if name != "agent"}
    known = build.plan is not None and given.get("id") in build.plan.position
    old = build.plan.task(str(given["id"])).model_dump(mode="json") if build.plan is not None and known else {}
    return {**old, **given}


def _proposal(build: Build, answered: _Answered) -> PlanProposal:
    """Return the answer as tasks to give and to drop. Raises Refused, NotFound, IllegalMove, BadGraph."""
    plan = plan_of(build)
    ids = [*(task.id for task in answered.tasks), *answered.drop, *(one.task for one in answered.split)]
    if not ids:
        raise Refused("it changes nothing")
    if twice := sorted({one for one in ids if ids.count(one) > 1}):
        raise Refused(f"task {twice[0]} is named twice")
    given, dropped = {task.id: task for task in answered.tasks}, [*answered.drop]
    for split in answered.split:
        parts = tuple(part.model_copy(update={"agent": task_of(build, split.task).agent}) for part in split.into)
        now = build.evolve({"plan": compile_plan(changed_graph(plan, given.values(), dropped))})
        for fact in SplitTask(split.task, parts).facts(now, ""):
            if isinstance(fact, e.PlanChanged):
                given |= {task.id: task for task in fact.tasks}
                dropped += fact.dropped
    return PlanProposal(tasks=tuple(given.values()), dropped=tuple(dropped), reason=answered.reason)


def _as_paused(build: Build) -> Build:
    """Return the build as it will be when the user answers: what was refused waits then."""
    states = {
        task: state._replace(phase=TaskPhase.FAILED)
        for task, state in build.tasks.items()
        if state.phase is TaskPhase.REJECTED
    }
    return build.evolve({"tasks": build.tasks.update(states)})
