"""What was measured of interrupts, as a table. Measures nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from bench.cluster.tables import Table, figure

GOAL = 1.0
"""Seconds from an interrupt to the end of an agent's last process, p95."""


def percentile(values: Sequence[float], part: float) -> float:
    """The least of the values that so much of them do not exceed."""
    return sorted(values)[max(0, math.ceil(part * len(values)) - 1)]


def tables(rounds: list[dict[str, Any]]) -> list[Table]:
    """Each agent that was interrupted, over all rounds; none when nothing was measured."""
    if not rounds:
        return []
    seconds: dict[str, list[float]] = {}
    for found in rounds:
        for agent, values in found["seconds"].items():
            seconds.setdefault(agent, []).extend(values)
    seconds["all of them"] = [value for values in seconds.values() for value in values]
    rows = [
        (
            agent,
            f"{len(values)}",
            *(f"{percentile(values, part) * 1000:.0f}" for part in (0.5, 0.95)),
            figure(percentile(values, 0.95) / GOAL),
        )
        for agent, values in seconds.items()
    ]
    note = (
        "From the interrupt to the end of the last process of the agent, which has run a command in the background that "
        "ignores signals; in bubblewrap, with every processor busy. Goal: p95 within a second."
    )
    return [Table("Interrupts of agents", ("agent", "times", "p50 ms", "p95 ms", "/ goal"), rows, (note,))]
