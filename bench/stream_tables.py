"""What was measured of the streams, as a table. Measures nothing."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from bench.cluster.tables import Table, figure, spread


def tables(rounds: list[dict[str, Any]]) -> list[Table]:
    """A thousand clients of one server, of which some never read; none when nothing was measured."""
    if not rounds:
        return []
    first = rounds[0]
    lost = sum(found["expected"] - found["lines"] for found in rounds)
    waits = [
        (
            f"a line to a client, {part}",
            "ms",
            spread(_of(rounds, "waits", part), 1000),
            _over(rounds, 0.2, "waits", part),
        )
        for part in ("p50", "p95", "p99", "most")
    ]
    each = [(f["rss"]["at_end"] - f["rss"]["before"]) / f["clients"] for f in rounds]
    lines = f"{first['long_log']['lines']:,} lines to one client"
    long_log = [
        (f"{lines}, {words}", "s", spread(_of(rounds, *path)), _over(rounds, 1.0, *path))
        for words, path in (
            ("WebSocket", ("long_log", "seconds", "ws")),
            ("SSE", ("long_log", "seconds", "sse")),
        )
    ]
    handshakes = ("handshakes", "p95")
    rows = [
        *waits,
        ("handshake, p95", "ms", spread(_of(rounds, *handshakes), 1000), _over(rounds, 0.3, *handshakes)),
        ("cores that the server uses", "", spread(_of(rounds, "server_cores")), "-"),
        ("memory of the server with all clients", "MB", spread(_of(rounds, "rss", "at_end"), 1e-6), "-"),
        ("of that for each client", "kB", spread(each, 1e-3), "-"),
        *long_log,
    ]
    title = f"Streams: {first['clients']:,} WebSockets on one build at 2 kB/s each, {first['never_read']} of them never read"
    note = (
        "From the time in a line that another process writes to its arrival; server, clients and writer share the machine. "
        f"Of {sum(_of(rounds, 'expected')):,.0f} lines to those who read, {lost:,.0f} did not come. Goals: 200 ms, a handshake "
        "within 300 ms, a long log within a second."
    )
    return [Table(title, ("what", "in", "median (least..most, n)", "/ goal"), rows, (note,))]


def _of(rounds: list[dict[str, Any]], *path: str) -> list[float]:
    found: list[Any] = list(rounds)
    for name in path:
        found = [inner[name] for inner in found]
    return found


def _over(rounds: list[dict[str, Any]], goal: float, *path: str) -> str:
    values: Sequence[float] = _of(rounds, *path)
    return figure(statistics.median(values) / goal)
