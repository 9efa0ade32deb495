"""What was measured over HTTP, as tables: titles, headers and rows of text. Measures nothing."""

from __future__ import annotations

import statistics
from typing import Any

from bench.cluster.tables import Table

_WHO = {
    "empty": "a build in an empty store",
    "full": "a build among {builds:,}",
    "long": "a build of {events:,} events among them",
}
_PATHS = {"build": "`GET /api/build/{id}`", "status": "`GET /api/builds/{id}` (status)"}
_NOTE = """\
{rate:.0f} requests a second, whether answers have come or not, to one address after the other in turn; every build has 100 \
tasks, so that the answers are of one size. A server process of its own; times are the client's. Ratios are of medians over the \
rounds, against the same address on the empty store."""


def tables(rounds: list[dict[str, Any]]) -> list[Table]:
    """A table for what is read, and one for what is started; none when nothing was measured."""
    if not rounds:
        return []
    sizes = rounds[0]["sizes"]
    reads = []
    for path, words in _PATHS.items():
        for who, described in _WHO.items():
            values = {part: _median(rounds, "reads", path, who, part) for part in ("p50", "p99")}
            ratio = values["p99"] / _median(rounds, "reads", path, "empty", "p99")
            reads.append((words, described.format(**sizes), *map(_figure, values.values()), _figure(ratio)))
    starts = [
        (words, *(_figure(_median(rounds, "starts", words, part)) for part in ("p50", "p95")))
        for words in rounds[0]["starts"]
    ]
    starts.append(("a page of 50 builds", *(_figure(_median(rounds, "page", part)) for part in ("p50", "p95"))))
    return [
        Table(
            "Over HTTP: looking at a build",
            ("what", "where", "p50 ms", "p99 ms", "p99 / empty"),
            reads,
            (_NOTE.format(**sizes),),
        ),
        Table("Over HTTP: starting, and a list, in the full store", ("what", "p50 ms", "p95 ms"), starts),
    ]


def _median(rounds: list[dict[str, Any]], *path: str) -> float:
    values = []
    for found in rounds:
        here: Any = found
        for name in path:
            here = here[name]
        values.append(float(here))
    return statistics.median(values)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value >= 10 else f"{value:.2f}"
