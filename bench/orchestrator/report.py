"""Rows of runs as tables in Markdown, and as one page of HTML. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from bench.orchestrator.score import Score, interval, total

COLUMNS = (
    "who",
    "agents",
    "tasks",
    "done",
    "false done, seen",
    "false done, unseen",
    "right refused",
    "right landed",
    "left to a person",
    "attempts",
    "tokens per landed",
    "thrown away",
    "wall over critical",
    "kills",
    "s to the next request",
)


def together(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str, float], tuple[Score, list[float]]]:
    """Return the sum of the runs of each contestant, agents and killing, and the ratio of each run's time."""
    grouped: dict[tuple[str, str, float], list[Score]] = {}
    for row in rows:
        grouped.setdefault((row["contestant"], row["agents"], row["kill_every"]), []).append(Score(**row["score"]))
    return {
        key: (total(scores), [one.seconds / one.critical for one in scores if one.critical])
        for key, scores in grouped.items()
    }


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of these runs: counts, shares with their 95 % interval, ratios with least and most."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    for (who, agents, kill_every), (counts, ratios) in together(rows).items():
        name = f"{who}, killed every {kill_every:.0f} s" if kill_every else who
        lines.append(f"| {' | '.join((name, agents, *_cells(counts, ratios)))} |")
    return "\n".join(lines)


def _cells(counts: Score, ratios: list[float]) -> Iterator[str]:
    yield str(counts.tasks)
    yield str(counts.landed)
    yield _share(counts.false_seen + counts.missed, counts.landed)
    yield _share(counts.false_unseen, counts.landed)
    yield _share(counts.refusals, counts.right_attempts)
    yield _share(counts.right, counts.offered)
    yield str(counts.persons)
    yield f"{counts.attempts / max(counts.tasks, 1):.2f} a task"
    yield f"{counts.tokens / max(counts.right, 1):,.0f}"
    yield f"{1 - counts.tokens_landed / max(counts.tokens, 1):.0%}"
    middle = sorted(ratios)[len(ratios) // 2] if ratios else 0.0
    yield f"{middle:.2f} ({min(ratios, default=0):.2f} to {max(ratios, default=0):.2f})"
    yield str(counts.kills)
    yield f"{counts.recovery / counts.kills:.1f}" if counts.kills else "-"


def _share(part: int, whole: int) -> str:
    low, high = interval(part, whole)
    return f"{part} of {whole} ({low:.1%} to {high:.1%})"


_STYLE = (
    "body{font:1rem/1.5 sans-serif;margin:2rem}table{border-collapse:collapse}"
    "td,th{border:1px solid #999;padding:.3rem .6rem;text-align:left}"
)


def text(rows: Sequence[Mapping[str, Any]], machine: Mapping[str, Any]) -> str:
    """Return what was measured, and on what, in Markdown."""
    return "\n\n".join([taken(rows, machine), table(rows), by_project(rows), caught(rows)])


def html_page(rows: Sequence[Mapping[str, Any]], machine: Mapping[str, Any]) -> str:
    """Return the same as one page of HTML that needs nothing else."""
    parts = [f"<p>{escape(taken(rows, machine))}</p>"]
    for name, made in (
        ("Results", table(rows)),
        ("By project", by_project(rows)),
        ("Which gate caught what", caught(rows)),
    ):
        parts += [f"<h2>{name}</h2>", _html_table(made)]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Orchestrators</title><style>{_STYLE}</style>'
        f"<h1>Orchestrators, measured</h1>{''.join(parts)}</html>\n"
    )


def _html_table(markdown: str) -> str:
    head, _, *body = [[escape(cell.strip()) for cell in line.strip("|").split("|")] for line in markdown.splitlines()]
    rows = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in line)}</tr>" for line in body)
    return f"<table><tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr>{rows}</table>"


def taken(rows: Sequence[Mapping[str, Any]], machine: Mapping[str, Any]) -> str:
    """Return in one sentence what was run, and where."""
    loads = sorted(row["load"] for row in rows) or [0.0]
    seeds = sorted({row["seed"] for row in rows})
    return (
        f"On {machine['cpu']}, {machine['cores']} cores; {len(rows)} runs, seeds {', '.join(map(str, seeds))}; "
        f"the load of the machine was {loads[0]} to {loads[-1]}."
    )


def by_project(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of every run."""
    names = (
        "project",
        "seed",
        "who",
        "agents",
        "tasks",
        "done",
        "right",
        "false, seen",
        "false, unseen",
        "strange",
        "seconds",
        "load",
    )
    lines = [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]
    for row in rows:
        one = Score(**row["score"])
        counts = (one.tasks, one.landed, one.right, one.false_seen + one.missed, one.false_unseen, one.strange)
        cells = (
            row["project"],
            row["seed"],
            row["contestant"],
            row["agents"],
            *counts,
            f"{one.seconds:.0f}",
            row["load"],
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def caught(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return for each contestant what refused how many attempts, and what those agents had done."""
    lines = ["| who | refused by | agents' attempts |", "| --- | --- | --- |"]
    for who in dict.fromkeys(row["contestant"] for row in rows):
        counts: Counter[str] = Counter()
        for row in rows:
            counts += Counter(row["score"]["caught"]) if row["contestant"] == who else Counter()
        by_gate: dict[str, list[str]] = {}
        for name, count in counts.most_common():
            gate, _, kind = name.rpartition(" / ")
            by_gate.setdefault(gate, []).append(f"{kind} {count}")
        lines += [f"| {who} | {gate} | {', '.join(kinds)} |" for gate, kinds in sorted(by_gate.items())]
    return "\n".join(lines)
