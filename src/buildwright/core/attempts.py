"""What a running attempt leaves for its next life, and what it costs. Pure; bookkeeping behind `apply`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

from buildwright.core import event as e
from buildwright.core.build import Build, TaskState
from buildwright.core.progress import set_task
from buildwright.errors import IllegalMove

Changes: TypeAlias = dict[str, Any]


def tokens_used(build: Build, event: e.TokensUsed, _at: datetime) -> Changes:
    """Tokens and money are added up. Raises IllegalMove for a kept answer that is counted already."""
    cost = event.cost_usd or Decimal(0)
    used = event.input_tokens + event.output_tokens + event.cache_read_tokens + event.cache_write_tokens
    total = build.usage
    changes: Changes = {
        "usage": total._replace(
            requests=total.requests + 1,
            input_tokens=total.input_tokens + event.input_tokens,
            output_tokens=total.output_tokens + event.output_tokens,
            cache_read_tokens=total.cache_read_tokens + event.cache_read_tokens,
            cache_write_tokens=total.cache_write_tokens + event.cache_write_tokens,
            cost_usd=total.cost_usd + cost,
            unpriced=total.unpriced + (event.cost_usd is None),
        )
    }
    if event.task and build.plan and event.task in build.plan.position:
        state = build.task(event.task)
        counted = _counted(state.counted, event.request)
        state = replace(state, tokens=state.tokens + used, cost_usd=state.cost_usd + cost, counted=counted)
        changes["tasks"] = build.tasks.set(event.task, state)
    else:
        changes["planning_counted"] = _counted(build.planning_counted, event.request)
    return changes


def _counted(names: tuple[str, ...], request: str) -> tuple[str, ...]:
    """The names with this one. An answer that was bought once and played again counts once, whoever tells of it."""
    if request and request in names:
        raise IllegalMove(f"the answer {request} is counted already")
    return (*names, request) if request else names


def checkpoint_created(build: Build, event: e.CheckpointCreated, _at: datetime) -> Changes:
    """The newest checkpoint is the one to go on from; what the user said before it is part of it."""
    state = build.task(event.task)
    return set_task(
        build,
        event.task,
        replace(state, checkpoint_tree=event.tree, checkpoint_conversation=event.conversation, heard=()),
    )


def checkpoint_restored(build: Build, event: e.CheckpointRestored, _at: datetime) -> Changes:
    """Changes nothing. Raises IllegalMove for any checkpoint but the attempt's newest."""
    if event.tree != build.task(event.task).checkpoint_tree:
        raise IllegalMove(f"{event.tree} is not the newest checkpoint of task {event.task}, attempt {event.attempt}")
    return {}


def end_attempt(state: TaskState) -> TaskState:
    """The attempt is over: what was kept to go on with it goes."""
    return replace(state, checkpoint_tree="", checkpoint_conversation="", heard=())
