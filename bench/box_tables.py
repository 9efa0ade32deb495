"""What was measured of boxes, the gateway and the engine's memory, as tables. Measures nothing."""

from __future__ import annotations

import statistics
from typing import Any

from bench.boxes import MOST_KEPT_P50, MOST_KEPT_P95, MOST_OVER_BARE
from bench.cluster.tables import Table, figure, spread
from bench.crew import MOST_BYTES
from bench.gateway import ASKED, MOST_CPU, MOST_FIRST_BYTE, MOST_IN_ALL

_HEADER = ("what", "in", "median (least..most, n)", "/ goal")


def tables(results: dict[str, Any]) -> list[Table]:
    """One table for each of the three that was measured."""
    rounds = {part: results.get(part, {}).get("rounds", []) for part in ("boxes", "gateway", "crew")}
    return [
        *_boxes(rounds["boxes"]),
        *_gateway(rounds["gateway"]),
        *_crew(rounds["crew"]),
    ]


def _row(what: str, unit: str, values: list[float], goal: float = 0.0, scale: float = 1.0) -> tuple[str, ...]:
    return what, unit, spread(values, scale), figure(statistics.median(values) / goal) if goal else "-"


def _boxes(rounds: list[dict[str, Any]]) -> list[Table]:
    if not rounds:
        return []
    over = [found["bubblewrap"]["p50"] - found["bare"]["p50"] for found in rounds]
    rows = [
        _row("a bare command, p50", "ms", [found["bare"]["p50"] for found in rounds], scale=1000),
        _row("bubblewrap over that, p50", "ms", over, MOST_OVER_BARE, 1000),
    ]
    for kind, part, goal in (
        ("container new", "p50", 0.0),
        ("container kept", "p50", MOST_KEPT_P50),
        ("container kept", "p95", MOST_KEPT_P95),
    ):
        values = [found[kind][part] for found in rounds if kind in found]
        rows += [_row(f"{kind}, {part}", "ms", values, goal, 1000)] if values else []
    notes = tuple(dict.fromkeys(f"Containers: {found['containers']}." for found in rounds if "containers" in found))
    return [Table("Boxes: `true`, from the call to its end", _HEADER, rows, notes)]


def _gateway(rounds: list[dict[str, Any]]) -> list[Table]:
    if not rounds:
        return []
    rows = []
    for protocol in ASKED:
        for key, words, unit, goal, scale in (
            ("first_byte_added", "first byte later by", "ms", MOST_FIRST_BYTE, 1000),
            ("in_all", "whole answer", "x", MOST_IN_ALL, 1),
            ("cpu_of_32", "processor time of 32 at once", "x", MOST_CPU, 1),
        ):
            rows.append(_row(f"{protocol}: {words}", unit, [found[protocol][key] for found in rounds], goal, scale))
    note = "Through the gateway, over the same server asked directly, which answers in events of 500 characters."
    return [Table("The gateway: a streamed answer of 200 kB", _HEADER, rows, (note,))]


def _crew(rounds: list[dict[str, Any]]) -> list[Table]:
    if not rounds:
        return []
    rows = [
        _row(f"`{agent}`, {words}", "MB", [found[agent][key] for found in rounds], MOST_BYTES, 1e-6)
        for agent in ("shell", "direct")
        for key, words in (("resident", "resident"), ("own", "of that shared with nobody"))
    ]
    title = f"The engine's memory beside {rounds[0]['agents']} agents at work"
    note = "`direct` is a conversation in the engine's own process; `shell` is a process in a box, whose memory is its own."
    return [Table(title, _HEADER, rows, (note,))]
