"""What was measured of the stats, as a table. Measures nothing."""

from __future__ import annotations

import statistics
from typing import Any

from bench.cluster.tables import Table, figure, spread

_GOAL_SECONDS = 0.1


def tables(rounds: list[dict[str, Any]]) -> list[Table]:
    """Asking for the stats over few and over many events; none when nothing was measured."""
    if not rounds:
        return []
    rows = []
    for asked, words in (("nothing_new", "nothing new"), ("new_events", "a hundred new events")):
        for part, of_what in (("wall", "as people wait"), ("processor", "processor time")):
            few, many = ([found[f"{asked}_{size}"][part] for found in rounds] for size in ("few", "many"))
            ratio = statistics.median(found[f"{asked}_ratio"][part] for found in rounds)
            over_goal = figure(statistics.median(many) / _GOAL_SECONDS)
            rows.append((f"{words}, {of_what}", spread(few, 1000), spread(many, 1000), figure(ratio), over_goal))
    few_events, many_events = (f"{rounds[0][f'events_{size}']:,}" for size in ("few", "many"))
    header = ("`stats` by day, of thirty days", f"over {few_events}, ms", f"over {many_events}, ms", "ratio", "/ goal")
    counted = spread([found["counting_many"]["wall"] for found in rounds])
    note = (
        f"Each figure is the median of {rounds[0]['rounds']} questions, in turn over both; goals: 100 ms, a ratio of 1.5. "
        f"The first who asks counts all events: {counted} s for the many. Load {rounds[0]['load']}."
    )
    return [Table("Stats over few and over many events", header, rows, (note,))]
