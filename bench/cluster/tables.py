"""The cluster's results as tables: titles, headers and rows of text. Measures nothing, and imports nothing of Buildwright."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Table(NamedTuple):
    """One table of the report, and what must be said beneath it."""

    title: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    notes: tuple[str, ...] = ()


def tables(rounds: dict[str, list[Any]]) -> list[Table]:
    """A table per part that was measured; `rounds` has what each round of each part found."""
    makers: dict[str, Callable[[list[Any]], Table]] = {
        "throughput": _throughput,
        "queue": _queue,
        "recovery": _recovery,
        "waiting": _waiting,
        "reach": _reach,
    }
    return [make(rounds[part]) for part, make in makers.items() if rounds.get(part)]


def figure(value: float) -> str:
    """A number in about three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value >= 10 else f"{value:.2f}"


def spread(values: Sequence[float], scale: float = 1.0) -> str:
    """Median, least, most and how many."""
    middle, low, high = (figure(scale * value) for value in (statistics.median(values), min(values), max(values)))
    return f"{middle} ({low}..{high}, n={len(values)})"


_THROUGHPUT_NOTES = tuple(
    """\
Processes of four slots each. Ours: builds of no-op tasks without lanes, from before the first build is made to the end of all. \
Bare asyncpg: a job is taken and ended in two commits, the least that a durable task takes on PostgreSQL, over four connections \
a process. Celery alone: acks_late over the same Redis, which keeps nothing on the disk: *not durable*.
Ratios are of medians of tasks/s with the same number of workers: above 1 is faster.""".splitlines()
)
_QUEUE_NOTE = """\
Two workers of four slots. *Next of a chain*: the worker goes on by itself. *By a hint*: builds of three tasks that come one by \
one, so that a message over Redis must find a free worker. *New build*: from its creation, which sends no hint, to its first \
action: each worker looks every half second."""
_RECOVERY_NOTE = """\
To the next start of the same action by another worker. A silent worker has renewed its lease at most one heartbeat before. \
Celery's Redis transport looks for messages to deliver again every hundred seconds. DBOS takes a workflow up again when a \
process of the same name starts: the time has that start in it, and nobody else takes it up."""
_REACH_NOTE = """\
Four workers. Counted from when the word stands in the journal; *after return*: from the end of the command that the user typed \
(0.00: it had its effect before)."""


def _throughput(rounds: list[list[dict[str, Any]]]) -> Table:
    groups: dict[tuple[str, int, int], list[dict[str, Any]]] = {}
    for row in (row for found in rounds for row in found):
        groups.setdefault((row["who"], row["builds"], row["workers"]), []).append(row)
    rates = {key: statistics.median(row["rate"] for row in rows) for key, rows in groups.items()}
    table = []
    for (who, builds, workers), rows in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1], item[0][2])):
        rate = rates[who, builds, workers]
        table.append(
            (
                f"{who}, {builds} builds at once" if builds > 1 else who,
                str(workers),
                spread([row["rate"] for row in rows]),
                _over(rate, rates.get((who, builds, 1))),
                _over(rate, rates.get(("bare asyncpg", 1, workers))),
                _over(rate, rates.get(("Celery alone", 1, workers))),
                _cores([row["cores"] for row in rows if "cores" in row]),
            )
        )
    header = ("who", "workers", "tasks/s", "/ 1 worker", "/ bare asyncpg", "/ Celery alone", "cores used")
    notes = _THROUGHPUT_NOTES + _why(groups, rates)
    return Table("Cluster: no-op tasks over workers on PostgreSQL and Redis", header, table, notes)


def _over(rate: float, other: float | None) -> str:
    return "-" if not other else figure(rate / other)


def _cores(found: list[dict[str, float]]) -> str:
    if not found:
        return "-"
    return ", ".join(f"{who} {statistics.median(row[who] for row in found):.2f}" for who in found[0])


def _why(
    groups: dict[tuple[str, int, int], list[dict[str, Any]]], rates: dict[tuple[str, int, int], float]
) -> tuple[str, ...]:
    """Where it stops scaling, and what was busy then."""
    notes = []
    for who, builds in sorted({(who, builds) for who, builds, _ in groups if who == "buildwright"}):
        counts = sorted(workers for name, number, workers in groups if (name, number) == (who, builds))
        best = max(counts, key=lambda workers: rates[who, builds, workers])
        busy = [row["cores"] for row in groups[who, builds, counts[-1]]]
        total = statistics.median(sum(row.values()) for row in busy)
        notes.append(
            f"{'One build' if builds == 1 else f'{builds} builds at once'}: most tasks/s with {best} of {counts[-1]} workers; "
            f"with {counts[-1]} the workers, both servers and the driver use {total:.2f} cores together."
        )
    notes.append(
        "One build does not get faster by more workers when its tasks do nothing: each end of a task is an append to one "
        "journal, appends to one journal are one after the other."
    )
    return tuple(notes)


def _queue(rounds: list[dict[str, list[float]]]) -> Table:
    pooled = {name: [wait for found in rounds for wait in found[name]] for name in rounds[0]}
    rows = []
    for name, waits in sorted(pooled.items()):
        p50, p95 = (_part(waits, part) * 1000 for part in (0.5, 0.95))
        goal = "-" if name.startswith("new") else figure(p95 / 100)
        rows.append((name, figure(p50), figure(p95), figure(max(waits) * 1000), str(len(waits)), goal))
    header = ("an action waits", "p50 ms", "p95 ms", "most ms", "n", "p95 / goal of 100 ms")
    return Table("Cluster: queue latency, from wanted to taken", header, rows, (_QUEUE_NOTE,))


def _part(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


_GONE = {
    "killed": "kill -9, same host, default heartbeat of 30 s",
    "silent, short lease": "silent (SIGSTOP, as another host that is gone), heartbeat of 1 s: lease of 3 s",
    "silent, default lease": "silent, default heartbeat of 30 s: lease of 90 s",
    "Celery alone": "Celery alone, kill -9, visibility timeout of 3 s (its default is an hour)",
    "DBOS": "DBOS on PostgreSQL, kill -9, the same command started again at once",
}


def _recovery(rounds: list[dict[str, list[float]]]) -> Table:
    pooled = {name: [second for found in rounds for second in found.get(name, [])] for name in _GONE}
    celery = statistics.median(pooled["Celery alone"]) if pooled["Celery alone"] else None
    dbos = statistics.median(pooled["DBOS"]) if pooled["DBOS"] else None
    rows = [
        (text, spread(pooled[name]), *(_over(statistics.median(pooled[name]), other) for other in (celery, dbos)))
        for name, text in _GONE.items()
        if pooled[name]
    ]
    header = ("how the worker goes", "s (least..most, n)", "/ Celery alone", "/ DBOS")
    return Table("Cluster: recovery after a worker has gone", header, rows, (_RECOVERY_NOTE,))


def _waiting(rounds: list[dict[str, dict[str, float]]]) -> Table:
    states = list(rounds[0])
    few = states[0]
    rows = []
    for what in rounds[0][few]:
        middle = {state: statistics.median(found[state][what] for found in rounds) for state in states}
        ratios = [figure(middle[state] / middle[few]) for state in states[1:]]
        rows.append((what, *(figure(middle[state]) for state in states), *ratios))
    header = ("ms", *states, *(f"{state} / {few}" for state in states[1:]))
    notes = ("Beside 20 builds that run (held by the measuring process). The goal is that no ratio is above 1.5.",)
    return Table("Cluster: what builds that wait cost the others", header, rows, notes)


def _reach(rounds: list[dict[str, list[tuple[float, float]]]]) -> Table:
    rows = []
    for name in rounds[0]:
        pairs = [pair for found in rounds for pair in found[name]]
        since_word, since_return = ([pair[place] * 1000 for pair in pairs] for place in (0, 1))
        rows.append(
            (
                name,
                figure(statistics.median(since_word)),
                figure(max(since_word)),
                figure(statistics.median(since_return)),
                figure(max(since_return)),
                str(len(pairs)),
                figure(max(since_word) / 1000),
            )
        )
    header = ("word", "p50 ms", "most ms", "p50 after return", "most after return", "n", "most / goal of 1 s")
    return Table("Cluster: how long a word of the user takes", header, rows, (_REACH_NOTE,))
