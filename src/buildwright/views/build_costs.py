"""What one build cost, by phase, task, model, agent and requirement, summed from its journal. Pure; must never judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Literal, get_args

from buildwright.core import event as e
from buildwright.core.build import Build
from buildwright.core.event import Recorded, TokensUsed
from buildwright.core.record import Record
from buildwright.views.costs import RESULTS, CostSum
from buildwright.views.estimate import EstimateOutcome
from buildwright.views.forecast import lost_attempts
from buildwright.views.project import PLANNING, phase_name

BuildCostKey = Literal["phase", "task", "model", "agent", "requirement", "result"]
ADVISORS = "Planning, diagnosis and review"
"""What stands for a task or an agent where a request was made for none."""
NO_REQUIREMENT = "(no requirement)"


class CostTable(Record):
    """The sums of one build by one key, the dearest first. By requirement they overlap; the total counts a request once."""

    by: BuildCostKey
    rows: tuple[CostSum, ...]


class BuildCosts(Record):
    """What one build cost so far."""

    build: str
    version: int
    total: CostSum
    cached: float
    """The part of all input tokens that was read from the provider's cache, from 0 to 1."""
    tables: tuple[CostTable, ...]
    estimated: EstimateOutcome | None = None
    """What was to be expected from earlier builds, beside what was used; None where nothing was known."""


def build_costs(build: Build, events: Sequence[Recorded], estimated: EstimateOutcome | None = None) -> BuildCosts:
    """Return the sums of a build over its whole journal, in O(events)."""
    lost = lost_attempts(build, events)
    used = [recorded.event for recorded in events if isinstance(recorded.event, TokensUsed)]
    landed = {
        (recorded.event.task, recorded.event.attempt)
        for recorded in events
        if isinstance(recorded.event, e.ChangeLanded)
    }
    total = _sum("total", used, lost)
    asked = total.input_tokens + total.cache_tokens
    results = {key: _result(key, lost, landed) for key in {(one.task, one.attempt) for one in used}}
    tables = tuple(CostTable(by=by, rows=_rows(build, by, used, lost, results)) for by in get_args(BuildCostKey))
    named = tuple(row.model_copy(update={"key": RESULTS[row.key]}) for row in tables[-1].rows)
    return BuildCosts(
        build=build.id,
        version=build.version,
        total=total,
        cached=total.cache_read_tokens / asked if asked else 0.0,
        tables=(*tables[:-1], CostTable(by="result", rows=named)),
        estimated=estimated,
    )


Attempt = tuple[str, int]


def _result(attempt: Attempt, lost: dict[Attempt, str], landed: set[Attempt]) -> str:
    return "" if not attempt[0] else lost.get(attempt) or ("landed" if attempt in landed else "open")


def _rows(
    build: Build, by: BuildCostKey, used: Sequence[TokensUsed], lost: dict[Attempt, str], results: dict[Attempt, str]
) -> tuple[CostSum, ...]:
    of: dict[str, list[TokensUsed]] = {}
    for one in used:
        for key in _keys(build, by, one, results):
            of.setdefault(key, []).append(one)
    rows = [_sum(key, events, lost) for key, events in of.items()]
    return tuple(sorted(rows, key=lambda row: (-row.cost_usd, row.key)))


def _keys(build: Build, by: BuildCostKey, one: TokensUsed, results: dict[Attempt, str]) -> Iterator[str]:
    plan, known = build.plan, build.plan is not None and one.task in build.plan.position
    match by:
        case "phase":
            yield phase_name(build, one.task) if known else PLANNING
        case "task":
            yield one.task or ADVISORS
        case "model":
            yield one.model
        case "agent":
            yield one.agent or (build.options.agent if one.task else ADVISORS)
        case "requirement":
            wanted = plan.task(one.task).requirements if plan is not None and known else ()
            yield from dict.fromkeys(wanted or (NO_REQUIREMENT,))
        case "result":
            yield results[one.task, one.attempt]


def _sum(key: str, used: Sequence[TokensUsed], lost: dict[Attempt, str]) -> CostSum:
    def spent(one: TokensUsed) -> Decimal:
        return one.cost_usd or Decimal(0)

    return CostSum(
        key=key,
        requests=len(used),
        input_tokens=sum(one.input_tokens for one in used),
        output_tokens=sum(one.output_tokens for one in used),
        cache_tokens=sum(one.cache_read_tokens + one.cache_write_tokens for one in used),
        cache_read_tokens=sum(one.cache_read_tokens for one in used),
        cost_usd=sum(map(spent, used), Decimal(0)),
        thrown_away_usd=sum((spent(one) for one in used if (one.task, one.attempt) in lost), Decimal(0)),
        unpriced=sum(one.cost_usd is None for one in used),
    )
