"""What was measured of the pages in a browser, as a table. Measures nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.cluster.tables import Table, spread

LARGEST_FIRST_PAGE = 350_000
MOST_ROWS = 80
GOALS_MS = {"log": 1_000.0, "graph": 700.0, "longest": 100.0, "p95": 300.0}
GROWTH = 1.3


def tables(rounds: Sequence[dict[str, Any]]) -> list[Table]:
    """First paint, a long log, a large graph, events until they are seen, memory; none when nothing was measured."""
    if not rounds:
        return []
    first = rounds[0]
    logs = [found["log"]["seconds"] for found in rounds]
    oldest, searched = ([found["log"][name] for found in rounds] for name in ("oldest", "searched"))
    html = [found["log"]["html"] / found["log"]["searched"] for found in rounds]
    rows_drawn = [float(found["log"]["rows"]) for found in rounds]
    drawn = [one["seconds"] for found in rounds for one in found["graph"]]
    longest = [one["longest"] for found in rounds for one in found["graph"]]
    waits = [float(found["events"]["p95"]) for found in rounds]
    growth = [found["heaps"][1] / found["heaps"][0] for found in rounds]
    cold = [found["cold_ms"]["server"] + found["cold_ms"]["whole"] for found in rounds]
    size = [found["first_page_bytes"] / 1000 for found in rounds]
    lines, nodes = f"{first['log']['lines']:,} lines", f"{first['graph'][0]['drawn']} tasks"
    rows = [
        ("first page, compressed", "kB", spread(size), _over(size, LARGEST_FIRST_PAGE / 1000)),
        ("a build's page from the start of the server", "ms", spread(cold), "-"),
        ("of that the server until it listens", "ms", spread([found["cold_ms"]["server"] for found in rounds]), "-"),
        ("first paint, warm", "ms", spread([one["first"] for found in rounds for one in found["warm_ms"]]), "-"),
        ("a build's page, warm", "ms", spread([one["whole"] for found in rounds for one in found["warm_ms"]]), "-"),
        (f"the newest of {lines} in the page, and the number of all", "ms", spread(logs), _over(logs, GOALS_MS["log"])),
        ("the first of them, when it is scrolled to", "ms", spread(oldest), "-"),
        ("all of them searched, with the reading", "ms", spread(searched), "-"),
        ("rows of them that are drawn", "", spread(rows_drawn), _over(rows_drawn, float(MOST_ROWS))),
        ("the same lines as HTML that is appended, over the search of all", "x", spread(html), "-"),
        (f"a graph of {nodes}", "ms", spread(drawn), _over(drawn, GOALS_MS["graph"])),
        ("the longest task of the browser meanwhile", "ms", spread(longest), _over(longest, GOALS_MS["longest"])),
        ("an event until it is seen, p95", "ms", spread(waits), _over(waits, GOALS_MS["p95"])),
        ("memory after an hour over that after ten minutes", "x", spread(growth), _over(growth, GROWTH)),
    ]
    sent, seen = (sum(found["events"][name] for found in rounds) for name in ("sent", "seen"))
    loads = ", ".join(str(found["load"]) for found in rounds)
    note = (
        f"Chromium without a screen beside the server, load {loads}. Of {sent:,} events, 50 a second, {seen:,} were seen: the "
        f"page lists the newest 20. An hour is {first['replayed']:,} events, ten minutes a sixth of them."
    )
    return [Table("The pages in a browser", ("what", "in", "median (least..most, n)", "/ goal"), rows, (note,))]


def _over(values: list[float], goal: float) -> str:
    ordered = sorted(values)
    return f"{ordered[len(ordered) // 2] / goal:.2f}"
