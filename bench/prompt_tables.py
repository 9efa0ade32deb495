"""What was measured of prompts, the map and harnesses, as tables. Measures nothing."""

from __future__ import annotations

import statistics
from typing import Any

from bench.cluster.tables import Table, figure, spread

PROMPT_SECONDS, MAP_RATIO, HARNESS_BYTES = 0.25, 0.1, 4_000
"""Goals: a prompt made warm, the map refreshed over anew, what the direct agent's harness adds to a turn."""


def tables(rounds: list[dict[str, Any]]) -> list[Table]:
    """The prompt and the map, then what harnesses add; none when nothing was measured."""
    if not rounds:
        return []
    rows = []
    for part, of_what in (("wall", "as people wait"), ("processor", "processor time")):
        made = [found["prompt"][part] for found in rounds]
        over = figure(statistics.median(made) / PROMPT_SECONDS)
        rows.append((f"the prompt of a task, warm, {of_what}", spread(made, 1000), "-", over))
        anew, again = ([found["map"][name][part] for found in rounds] for name in ("anew", "refreshed"))
        ratio = statistics.median(found["map"]["ratio"][part] for found in rounds)
        rows.append((f"the map anew, {of_what}", spread(anew, 1000), "-", "-"))
        rows.append(
            (f"the map after a commit, {of_what}", spread(again, 1000), figure(ratio), figure(ratio / MAP_RATIO))
        )
    first = rounds[0]
    note = (
        f"The commit changed five files and added one. Goals: 250 ms, and a tenth of making the map anew. "
        f"Load {first['load']}."
    )
    title = f"The prompt and the map in a repository of {first['files']:,} files"
    return [Table(title, ("what", "ms", "/ anew", "/ goal"), rows, (note,)), _harness(first)]


def _harness(found: dict[str, Any]) -> Table:
    rows = []
    for name, one in found["harness"].items():
        if "not_here" in one:
            rows.append((name, one["not_here"], "-", "-", "-", "-"))
            continue
        goal = figure(one["bytes"] / HARNESS_BYTES) if name == "direct" else "-"
        counts = (f"{one[key]:,}" for key in ("bytes", "tokens", "requests", "all_bytes"))
        rows.append((name, *counts, goal))
    header = ("agent", "bytes added", "about tokens", "requests of the task", "bytes of them all", "/ goal of 4 kB")
    note = (
        "The bytes of the first request that has the task, without the task: instructions, tools and all else that the "
        "harness sends. Measured at the door to the model; every agent has the same task and the same answers. A token "
        "is taken for four bytes."
    )
    return Table("What the harness of an agent adds to a turn", header, rows, (note,))
