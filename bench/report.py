"""Makes tables of .bench/results.json: for the terminal, and docs/benchmarks.md. Measures nothing; no figure is typed by hand.

python -m bench.report
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.box_tables import tables as box_tables
from bench.cluster.tables import Table, tables
from bench.complexity import section as complexity_section
from bench.interrupt_table import tables as interrupt_tables
from bench.money_table import tables as money_tables
from bench.over_http.tables import tables as http_tables
from bench.page_tables import tables as page_tables
from bench.prompt_tables import tables as prompt_tables
from bench.stats_tables import tables as stats_tables
from bench.stream_tables import tables as stream_tables

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / ".bench" / "results.json"
PAGE = ROOT / "docs" / "benchmarks.md"

TITLES = {
    "w1": "W1: chain of 200 no-op tasks",
    "w2": "W2: 1,000 no-op tasks and a join",
    "w3": "W3: layered graph of 300 tasks sleeping 50-250 ms, 16 at once",
    "w3-lanes-memory": "W3 with lanes, all state in memory: the same without the speed of this machine's disk",
    "w3-lanes": "W3 with lanes: the same graph with 0.5-2.5 s, a git lane, a patch, a gate and a merge per task",
    "w4": "W4: kill -9 in a chain of 100 tasks of 20 ms, the same command again",
    "size": "Sizes: layered graphs of no-op tasks",
}
HEADER = (
    "workload",
    "engine",
    "median (min..max, n)",
    "time / floor",
    "time / best peer",
    "CPU ms/task",
    "peak MB",
    "first task s",
)
LANE = ("step of a lane", "bare git ms", "buildwright ms", "ratio")


class Row(NamedTuple):
    """One engine on one workload. `value` is in `unit`, ratios are of times: above 1 is slower."""

    workload: str
    n: int
    engine: str
    unit: str
    values: tuple[float, ...]
    over_floor: float | None
    over_peer: float | None
    cpu_ms: float | None
    peak_mb: float
    first_seconds: float | None
    again: tuple[int, ...]


def _time(run: dict[str, Any]) -> float:
    """What is compared: for w4 the time to the first resumed task, else the time of the workload."""
    return float(run["first_task_seconds"] if run["workload"] == "w4" else run["seconds"])


def _value(run: dict[str, Any], ideal: dict[str, Any]) -> tuple[float, str]:
    match run["workload"]:
        case "w1" | "size":
            return run["seconds"] / run["tasks"] * 1000, "ms/task"
        case "w2":
            return run["tasks"] / run["seconds"], "tasks/s"
        case "w3" | "w3-lanes" | "w3-lanes-memory":
            return run["seconds"] / ideal[run["workload"]]["lower_bound"], "x bound"
        case _:
            return _time(run), "s"


def rows_of(results: dict[str, Any]) -> list[Row]:
    """One row per workload, size and engine, in the order of TITLES, the floor first."""
    engines = results["engines"]
    groups: dict[tuple[str, int], dict[str, list[dict[str, Any]]]] = {}
    for run in results["runs"]:
        groups.setdefault((run["workload"], run["n"]), {}).setdefault(run["engine"], []).append(run)
    rows: list[Row] = []
    for workload, n in sorted(groups, key=lambda key: (list(TITLES).index(key[0]), key[1])):
        group = groups[workload, n]
        times = {engine: statistics.median(map(_time, runs)) for engine, runs in group.items()}
        floor = times.get("floor")
        best = min((time for engine, time in times.items() if engines[engine]["peer"]), default=None)
        for engine in (name for name in engines if name in group):
            runs = group[engine]
            values = [_value(run, results["ideal"]) for run in runs]
            firsts = [run["first_task_seconds"] for run in runs if run["first_task_seconds"]]
            rows.append(
                Row(
                    workload,
                    n,
                    engine,
                    values[0][1],
                    tuple(value for value, _ in values),
                    times[engine] / floor if floor else None,
                    times[engine] / best if best else None,
                    None if workload == "w4" else statistics.median(r["cpu_seconds"] / r["tasks"] * 1000 for r in runs),
                    statistics.median(r["peak_rss_bytes"] for r in runs) / 1e6,
                    statistics.median(firsts) if firsts else None,
                    tuple(run["again"] for run in runs if "again" in run),
                )
            )
    return rows


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value >= 10 else f"{value:.2f}"


def _spread(values: Sequence[float], unit: str) -> str:
    figure = _figure if max(values) >= 0.1 else "{:.3f}".format
    middle, low, high = (figure(value) for value in (statistics.median(values), min(values), max(values)))
    return f"{middle} {unit} ({low}..{high}, n={len(values)})"


def _or_dash(value: float | None) -> str:
    return "-" if value is None else _figure(value)


def _cells(row: Row) -> tuple[str, ...]:
    again = f", run again: {', '.join(map(str, row.again))}" if row.again else ""
    return (
        f"size {row.n:,}" if row.workload == "size" else row.workload,
        row.engine,
        _spread(row.values, row.unit) + again,
        _or_dash(row.over_floor),
        _or_dash(row.over_peer),
        _or_dash(row.cpu_ms),
        _figure(row.peak_mb),
        _or_dash(row.first_seconds),
    )


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]


def _notes(results: dict[str, Any], rows: list[Row]) -> list[str]:
    """Sentences that the tables need, each made of results."""
    notes = []
    ran = {row.workload for row in rows}
    for workload, ideal in ((name, about) for name, about in results["ideal"].items() if name in ran):
        notes.append(
            f"{workload}: no schedule is shorter than {ideal['lower_bound']:.3f} s (critical path, or all work over 16 slots); "
            f"a greedy scheduler without any cost takes {ideal['perfect'] / ideal['lower_bound']:.3f} of it."
        )
    for engine in results["engines"]:
        steps = {
            row.n: statistics.median(row.values) for row in rows if row.workload == "size" and row.engine == engine
        }
        peaks = {row.n: row.peak_mb for row in rows if row.workload == "size" and row.engine == engine}
        if len(steps) > 1:
            small, large = min(peaks), max(peaks)
            each = (peaks[large] - peaks[small]) * 1000 / (large - small)
            notes.append(
                f"size, {engine}: from {small:,} to {large:,} tasks the time per task goes from {_figure(steps[small])} to "
                f"{_figure(steps[large])} ms (largest over smallest: {max(steps.values()) / min(steps.values()):.2f}), "
                f"memory grows by {each:.1f} kB per task."
            )
    notes += [
        f"{run['workload']}, {run['engine']}: when the flow returned, the end of {run['recorded_at_return']} of "
        f"{run['tasks']} tasks was on the disk."
        for run in results["runs"]
        if "recorded_at_return" in run and run["round"] == 0
    ]
    notes += [
        f"FAILED: {failure['workload']} {failure['engine']} (round {failure['round'] + 1}): {_last_line(failure['message'])}"
        for failure in results["failures"]
    ]
    notes += [f"FAILED: {_last_line(failure)}" for failure in results.get("startup", {}).get("failures", [])]
    for part in (
        "first_branch",
        "http",
        "streams",
        "boxes",
        "gateway",
        "crew",
        "interrupt",
        "stats",
        "money",
        "prompts",
        "cluster",
    ):
        notes += [f"FAILED: {_last_line(failure)}" for failure in results.get(part, {}).get("failures", [])]
    if "failure" in results.get("lane", {}):
        notes.append(f"FAILED: {_last_line(results['lane']['failure'])}")
    return notes


def _milliseconds(part: dict[str, float], times: int) -> str:
    middle, low, high = (f"{part[name] * 1000:.0f}" for name in ("seconds", "least", "most"))
    return f"{middle} ms ({low}..{high}, n={times})"


def _startup(results: dict[str, Any]) -> list[tuple[str, ...]]:
    words = {
        "python": "an interpreter that does nothing",
        "help": "`buildwright --help`",
        "build_help": "`buildwright build --help`",
        "prompt": "`buildwright status --short`",
        "status": "`buildwright status`",
        "running": "`buildwright status` of a build that runs",
        "list": "`buildwright status --all`",
        "check": "`buildwright check`, the second time",
        "first_task": "`buildwright build`, to the first act of the first agent",
    }
    found = results.get("startup", {})
    return [
        (
            text,
            _milliseconds(found[name], found["times"]),
            f"{found[name]['cpu_seconds'] * 1000:.0f} ms"
            + (f", {found[name]['cpu_of_help']:.1f} x help" if "cpu_of_help" in found[name] else ""),
            _figure(found[name]["peak_rss_bytes"] / 1e6),
        )
        for name, text in words.items()
        if name in found
    ]


def _lane(results: dict[str, Any]) -> list[tuple[str, ...]]:
    """Each step of a lane: bare git, Buildwright, in ms, and the ratio."""
    medians = results.get("lane", {}).get("medians_ms")
    if not medians:
        return []
    git, ours = medians["bare git"], medians["buildwright"]
    return [(step, _figure(git[step]), _figure(ours[step]), _figure(ours[step] / git[step])) for step in git]


def _first_branch(results: dict[str, Any]) -> list[Table]:
    """Each project: once by hand, to the first branch, and the ratio."""
    found = results.get("first_branch", {})
    rows = [
        (
            name,
            *(f"{part[key]:.1f} s" for key in ("setup", "tests", "whole", "first")),
            *(_figure(part[key]) for key in ("first_branch", "second_setup")),
        )
        for name, part in found.items()
        if isinstance(part, dict)
    ]
    header = ("project", "set-up", "tests", "by hand", "first branch", "over by hand", "second set-up over the first")
    notes = ("The first branch runs the tests twice: on the base, before an agent is paid for, and on the change.",)
    return [Table("From `git clone` to the first branch", header, rows, notes)] if rows else []


def _cluster(results: dict[str, Any]) -> list[Table]:
    return [
        *_first_branch(results),
        *tables(results.get("cluster", {}).get("rounds", {})),
        *http_tables(results.get("http", {}).get("rounds", [])),
        *stream_tables(results.get("streams", {}).get("rounds", [])),
        *page_tables(results.get("pages", {}).get("rounds", [])),
        *interrupt_tables(results.get("interrupt", {}).get("rounds", [])),
        *money_tables(results.get("money", {}).get("rounds", [])),
        *box_tables(results),
        *stats_tables(results.get("stats", {}).get("rounds", [])),
        *prompt_tables(results.get("prompts", {}).get("rounds", [])),
    ]


def _machine(results: dict[str, Any]) -> str:
    about = results["machine"]
    loads = ", ".join(str(turn["load"]) for turn in results["rounds"])
    return (
        f"{about['cpu']}, {about['cores']} cores, {about['memory_gb']} GB; {about['kernel']}, {about['file_system']}; "
        f"Python {about['python']}, SQLite {about['sqlite']}; load before each round: {loads}"
    )


def _versions(results: dict[str, Any]) -> dict[str, str]:
    return {run["engine"]: run["version"] for run in results["runs"]}


def _padded(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    table = [tuple(header), *map(tuple, rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (header, ["---"] * len(header), *rows)]


def as_text(results: dict[str, Any]) -> str:
    """The comparison for a terminal."""
    rows = rows_of(results)
    lines = [_machine(results), ""]
    if rows:
        lines += [*_padded(HEADER, map(_cells, rows)), ""]
    if _lane(results):
        lines += [*_padded(LANE, _lane(results)), ""]
    if _startup(results):
        lines += [*_padded(("start-up", "median (min..max, n)", "mean CPU", "peak MB"), _startup(results)), ""]
    for table in _cluster(results):
        lines += [table.title, *_padded(table.header, table.rows), *table.notes, ""]
    return "\n".join([*lines, *_notes(results, rows)])


def as_page(results: dict[str, Any]) -> str:
    """The comparison as docs/benchmarks.md."""
    rows = rows_of(results)
    versions = _versions(results)
    lines = [
        "# Buildwright beside other engines",
        "",
        "<!-- Generated by `python -m bench.report` from .bench/results.json. Do not edit: run `make bench`, then it. -->",
        "",
        f"Taken {results['at']} by `{results['command']}`: {len(results['rounds'])} round(s), engines in turn,",
        "each run in a fresh process with fresh state.",
        "",
        f"Machine: {_machine(results)}.",
        "",
        "Ratios are of median times: above 1 is slower. *Best peer* is the fastest of the other engines on that workload.",
        "CPU is user and system time of the process and its children during the timed part; peak memory is theirs from their",
        "start. *First task* is from the start of the process to the first body of a task. A short chain that is not timed",
        "comes first for every engine (not in W4).",
        "",
        "## What is on the disk before a dependant starts",
        "",
        *_markdown(
            ("engine", "version", "durable means"),
            [
                (name, f"SQLite {versions[name]}" if name == "floor" else versions[name], about["durable"])
                for name, about in results["engines"].items()
                if name in versions
            ],
        ),
        "",
    ]
    for workload, title in TITLES.items():
        chosen = [row for row in rows if row.workload == workload]
        if chosen:
            lines += [
                f"## {title}",
                "",
                *_markdown(HEADER[1:] if workload != "size" else HEADER, _page_cells(chosen)),
                "",
            ]
    if _lane(results):
        about = results["lane"]
        title = f"## A lane in a repository of {about['files']:,} files, {about['rounds']} round(s)"
        lines += [title, "", *_markdown(LANE, _lane(results)), ""]
    if _startup(results):
        lines += [
            "## Start-up",
            "",
            *_markdown(("what", "median (min..max, n)", "mean CPU", "peak MB"), _startup(results)),
            "",
        ]
    for table in _cluster(results):
        lines += [
            f"## {table.title}",
            "",
            *_markdown(table.header, table.rows),
            "",
            *(f"- {note}" for note in table.notes),
            "",
        ]
    lines += complexity_section()
    lines += ["## Notes", "", *(f"- {note}" for note in _notes(results, rows)), *(f"- {note}" for note in METHOD), ""]
    lines += [
        "## Again",
        "",
        "```",
        "make bench                                    # everything; makes the other engines' environments once (network)",
        "python -m bench --rounds 5 --only w1 --only w4",
        "python -m bench --no-peers                    # the floor and Buildwright; no network",
        "python -m bench --only cluster --rounds 2     # PostgreSQL, Redis and workers",
        "python -m bench.report                        # this page",
        "```",
        "",
        "The other engines are pinned and hashed in `bench/peers/requirements/`; their environments live in",
        "`$BUILDWRIGHT_BENCH_CACHE` or `~/.cache/buildwright-bench`.",
        "",
    ]
    return "\n".join(lines)


METHOD = """\
W2 and W3 in DBOS and in LangGraph's functional interface: all tasks are called in a fixed order and wait inside their bodies \
for what they need, so that a replay numbers them alike. LangGraph's graph runs in super-steps, by its design.
Prefect: W2 in 16 threads; W3 with a thread for every task and a semaphore of 16, because waiting tasks hold threads of its pool.
W4: the process group is killed half-way through a task, after 30, 40, 50, 60 tasks in turn. *Run again* counts tasks whose \
body had ended before the kill. Buildwright's first task is counted at its first event after the restart.
Prefect starts from a home whose database is migrated; its very first start takes longer.""".splitlines()


def _page_cells(rows: list[Row]) -> list[tuple[str, ...]]:
    return [_cells(row) if row.workload == "size" else _cells(row)[1:] for row in rows]


def main() -> int:
    if not RESULTS.exists():
        print("there are no results yet: run `make bench` (or `python -m bench --quick`) first", file=sys.stderr)
        return 1
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(as_page(json.loads(RESULTS.read_text())))
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
