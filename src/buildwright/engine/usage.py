"""The requests metered by the gateway, as facts. Must never hold prices."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from buildwright.core.activity import FailureKind, provider_trouble
from buildwright.core.build import Build
from buildwright.core.event import AnyEvent, BudgetReached, BuildPaused, LimitMet, TokensUsed
from buildwright.core.limits import Limits, Options
from buildwright.engine.action_context import ActionContext
from buildwright.errors import ModelFailed
from buildwright.ports import Gateway, MarkReached, ModelAccess, ModelEndpoint, Purse, PurseName

PASSES: Final = frozenset({"rate_limit", "overloaded", "budget"})
"""Failures of a request that time or money ends: no reason to ask otherwise."""


def purses(build: Build, task: str = "") -> tuple[Purse, ...]:
    """Return what requests are paid from: limits that a resume can have raised, and what the journal knows is spent."""
    limits = build.options.limits
    of_task = PurseName("task", build.id, task)
    return (
        Purse(PurseName("build", build.id), build.budget_usd, build.usage.cost_usd),
        *((Purse(of_task, limits.task_budget_usd, build.task(task).cost_usd),) if task else ()),
        *shared_purses(build.user_id, build.project_id, limits),
    )


def shared_purses(user_id: str, project_id: str, limits: Limits) -> tuple[Purse, ...]:
    """Return the purses of a user's day and month and of a project, from which all that is asked for them is paid.

    The limit of a month is the user's, and no option of a build: the gateway asks the ledger for it.
    """
    return (
        Purse(PurseName("month", user_id)),
        Purse(PurseName("day", user_id), limits.day_budget_usd),
        Purse(PurseName("project", user_id, project_id), limits.project_budget_usd),
    )


def access(
    build: Build,
    task: str = "",
    attempt: int = 1,
    *,
    options: Options | None = None,
    lane: Path | None = None,
    model: str = "",
) -> ModelAccess:
    """Return what a door is opened for: an attempt, or an advisor's request; paid from the build's purses."""
    paid_from, ancestors = purses(build, task), build.ancestors
    given = build.options if options is None else options
    return ModelAccess(build.id, task, attempt, given, lane, paid_from, model=model, ancestors=ancestors)


def why_failed(gateway: Gateway, door: ModelEndpoint, failure: ModelFailed) -> str:
    """Return in words why an advisor has no answer: an empty purse of ours is no failure of the model."""
    trouble = gateway.trouble(door)
    if trouble is not None and trouble.kind == "budget":
        return f"the model was not asked: {trouble.message}"
    return f"the model failed ({failure.kind}): {failure}"


def counted(build: Build, task: str) -> tuple[str, ...]:
    """Return the kept answers whose cost the journal has."""
    return build.task(task).counted if task else build.planning_counted


def spent(gateway: Gateway, door: ModelEndpoint, build: Build) -> tuple[AnyEvent, ...]:
    """Return what is to be recorded since the last call: the door's requests, and marks and limits that were met.

    Without the requests that `build` counted before a restart.
    """
    used = tuple(
        TokensUsed(
            task=spend.task,
            attempt=spend.attempt,
            agent=build.task(spend.task).agent if spend.task else "",
            model=spend.model,
            input_tokens=spend.input_tokens,
            output_tokens=spend.output_tokens,
            cache_read_tokens=spend.cache_read_tokens,
            cache_write_tokens=spend.cache_write_tokens,
            cost_usd=Decimal(spend.cost_usd) if spend.cost_usd is not None else None,
            request=spend.request,
        )
        for spend in gateway.metered(door)
        if not spend.request or spend.request not in counted(build, spend.task)
    )
    return (*used, *_noticed(gateway, build))


async def shut_door(bench: ActionContext, door: ModelEndpoint) -> None:
    """Shut an action's door and report what is to be recorded of it. What requests under way came to counts too."""
    gateway = bench.world.gateway
    assert gateway is not None
    try:
        await gateway.shut(door)
    finally:
        for fact in spent(gateway, door, bench.newest()):
            bench.report(fact)


def pause_for(
    bench: ActionContext, door: ModelEndpoint | None, kind: FailureKind, told: str, model: str, task: str = ""
) -> BuildPaused:
    """Return the pause for a provider's failure, or for an empty purse. The end of a limit ends it, be it past already."""
    gateway, until = bench.world.gateway, None
    if gateway is not None and door is not None and kind in {"rate_limit", "overloaded"}:
        until = gateway.limit(door)
    return BuildPaused(
        reason="budget" if kind == "budget" else "trouble",
        message=provider_trouble(kind, told, model),
        task=task,
        fault="limits" if kind == "budget" else "provider",
        until=until,
    )


def _noticed(gateway: Gateway, build: Build) -> list[AnyEvent]:
    found: list[AnyEvent] = []
    for notice in gateway.noticed(build.id):
        if isinstance(notice, MarkReached):
            kind, _, part = notice.purse
            reached = BudgetReached(
                percent=notice.percent,
                spent_usd=notice.spent_usd,
                budget_usd=notice.most_usd,
                purse=kind,
                task=part if kind == "task" else "",
                day=part if kind in {"day", "month"} else "",
            )
            found.append(reached)
        else:
            until = datetime.fromtimestamp(notice.until, UTC)
            found.append(LimitMet(provider=notice.provider, model=notice.model, until=until, kind=notice.kind))
    return found
