"""The verb `compare`: prints two builds side by side. Must never say which one is better."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.output import Output, one_line
from buildwright.cli.session import session
from buildwright.cli.table import Column, duration, table
from buildwright.core.figures import money

if TYPE_CHECKING:
    from buildwright.views.compare import ComparedBuild, ComparedTask, CompareView

_NONE = "-"


async def compare(
    first: Annotated[str, Parameter(help="Id of a build, its first characters, or `newest`.")],
    second: Annotated[str, Parameter(help="Id of the build to compare it with.")],
    /,
    *,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> None:
    """Show two builds side by side: result, gates, attempts, tokens, cost and time, as a whole and task by task."""
    from buildwright.views.compare import compare as side_by_side

    output = Output(json)
    async with session() as app:
        ids = [await app.find(build) for build in (first, second)]
        builds = [await app.builds.load(one) for one in ids]
        histories = [await app.builds.read(one) for one in ids]
        view = side_by_side(builds[0], histories[0], builds[1], histories[1], app.clock.now())
    if output.json:
        output.data(view.model_dump(mode="json"))
    else:
        _print(output, view)


def _print(output: Output, view: CompareView) -> None:
    left, right = view.builds
    columns = (
        Column(""),
        Column(left.id[:8], right=True),
        Column(right.id[:8], right=True),
        Column("ratio", right=True),
    )
    output.lines(table(columns, [*_rows(left, right)], output.width))
    output.print()
    output.print("The results are the same files." if view.same_result else "The results differ.")
    for one in view.builds:
        if (fork := one.forked_from) is not None:
            changed = f", with another {' and '.join(fork.changed)}" if fork.changed else ""
            kept = f", with {fork.tasks} of its tasks done there" if fork.tasks else ""
            output.print(f"{one.id[:8]} was forked from {fork.build[:8]} at event {fork.event}{changed}{kept}.")
    if not view.same_base:
        output.print("They start from different files.")
    if view.options:
        output.print(f"Options that differ: {', '.join(view.options)}", wrap=True)
    if not view.tasks:
        return
    output.print()
    heads = ("state", "attempts", "cost", "time")
    named = (
        Column("task"),
        *(Column(head) for head in heads),
        Column("refused by", leaves=1),
        Column("title", leaves=2),
    )
    rows = []
    for pair in view.tasks:
        sides = [_task_cells(task) for task in pair.tasks]
        cells = [one if one == other else f"{one} / {other}" for one, other in zip(*sides, strict=True)]
        rows.append((pair.id, *cells, one_line(pair.title)))
    output.lines(table(named, rows, output.width))


def _rows(left: ComparedBuild, right: ComparedBuild) -> Iterator[tuple[str, str, str, str]]:
    yield "state", left.state, right.state, ""
    numbers = (
        ("tasks done", left.counts.get("done", 0), right.counts.get("done", 0)),
        ("done at the first attempt", left.first_pass, right.first_pass),
        ("attempts", left.attempts, right.attempts),
        ("requests", left.usage.requests, right.usage.requests),
        ("tokens", left.usage.tokens, right.usage.tokens),
        ("from the cache", left.usage.cache_read_tokens, right.usage.cache_read_tokens),
    )
    for name, one, other in numbers:
        yield name, f"{one:,}", f"{other:,}", _ratio(one, other)
    costs = (left.usage.cost_usd, right.usage.cost_usd)
    yield "cost", money(costs[0]), money(costs[1]), _ratio(*map(float, costs))
    yield "time", duration(left.seconds), duration(right.seconds), _ratio(left.seconds, right.seconds)
    for gate in sorted(left.refused_by.keys() | right.refused_by.keys()):
        one, other = left.refused_by.get(gate, 0), right.refused_by.get(gate, 0)
        yield f"refused by {gate}", str(one), str(other), _ratio(one, other)


def _ratio(one: float, other: float) -> str:
    """Return how many times the first the second is, "" when the first is nothing."""
    return f"{other / one:.2f}x" if one else ""


def _task_cells(task: ComparedTask | None) -> tuple[str, ...]:
    if task is None:
        return (_NONE,) * 5
    time = duration(task.seconds) if task.seconds is not None else _NONE
    attempts = "reused" if task.reused else str(task.attempts)
    return task.phase, attempts, money(task.cost_usd), time, _gates(task.refused_by) or _NONE


def _gates(refused_by: dict[str, int]) -> str:
    return ", ".join(f"{gate} x{times}" if times > 1 else gate for gate, times in refused_by.items())
