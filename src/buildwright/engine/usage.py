"""The requests metered by the gateway, as facts. Must never hold prices."""

from __future__ import annotations

from decimal import Decimal

from buildwright.core.build import Build
from buildwright.core.event import TokensUsed
from buildwright.ports import Budget, Gateway, ModelEndpoint


def budget(build: Build) -> Budget:
    """Return what the build may spend (a resume can have raised it), and what it has spent in all processes."""
    return Budget(build.budget_usd, build.usage.cost_usd)


def counted(build: Build, task: str) -> tuple[str, ...]:
    """Return the kept answers whose cost the journal has."""
    return build.task(task).counted if task else build.planning_counted


def spent(gateway: Gateway, door: ModelEndpoint, build: Build) -> tuple[TokensUsed, ...]:
    """Return the door's requests since the last call, without those that `build` counted before a restart."""
    return tuple(
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
