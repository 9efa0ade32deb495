"""python -m bench.orchestrator [--repo NAME] [--seed N] [--seeds N] [--agents honest|mixed|hostile] [--tasks N] [--peer NAME]

Gives the way from one release of a project to the next, as a graph of tasks, to a contestant whose agents are scripted, and
says what became of it. Prints tables, or with --json all counts. Results are kept in `.bench/orchestrator.json`, by
what was asked for; a run that is there already is not made again unless --again. --html writes what it prints as one page.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

from bench.machine import load, machine
from bench.measure import RunFailed
from bench.orchestrator.by_buildwright import Buildwright
from bench.orchestrator.by_script import PlainScript
from bench.orchestrator.contest import Contestant, Rules, make_site
from bench.orchestrator.course import Course, prepare
from bench.orchestrator.draws import WEIGHTS
from bench.orchestrator.projects import PROJECTS, Project
from bench.orchestrator.provider import Model, serve
from bench.orchestrator.report import html_page, text
from bench.orchestrator.score import Score, score

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".bench" / "orchestrator"
RESULTS = ROOT / ".bench" / "orchestrator.json"
CONTESTANTS: Mapping[str, Contestant] = {
    one.name: one for one in (Buildwright(), PlainScript(strict=False), PlainScript(strict=True))
}


def part_of(course: Course, tasks: int, seed: int) -> Course:
    """Return a course of at most so many tasks, drawn by the seed with all that they wait for."""
    if not tasks or tasks >= len(course.tasks):
        return course
    by_id = {task.id: task for task in course.tasks}
    order = sorted(by_id)
    Random(seed).shuffle(order)
    taken: set[str] = set()
    for one in order:
        wanted, more = [one], set()
        while wanted:
            now = wanted.pop()
            if now not in taken and now not in more:
                more.add(now)
                wanted += by_id[now].depends_on
        if len(taken | more) <= tasks:
            taken |= more
    return course._replace(tasks=tuple(task for task in course.tasks if task.id in taken))


def run(
    project: Project, contestant: Contestant, given: argparse.Namespace, seed: int, cache: Path = CACHE
) -> dict[str, Any]:
    """Make one run and return it as a row. Raises RunFailed."""
    course = part_of(prepare(project, cache, say), given.tasks, seed)
    model = Model(course, given.agents, seed, given.seconds)
    rules = Rules(given.at_once, given.kill_every, given.longest)
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as made, serve(model) as address:
        site = make_site(Path(made).resolve(), course, project.setup, address, rules)
        outcome = contestant.run(site)
        found = score(course, outcome, model.asked, given.at_once, given.seconds)
        if given.keep:
            shutil.copytree(made, given.keep, dirs_exist_ok=True, symlinks=True)
    return {
        "contestant": contestant.name,
        "agents": given.agents,
        "project": project.name,
        "seed": seed,
        "kill_every": given.kill_every,
        "tasks": given.tasks,
        "at_once": given.at_once,
        "seconds": given.seconds,
        "load": round(load(), 1),
        "score": found._asdict(),
    }


def say(line: str) -> None:
    """Tell the user how far it is."""
    print(line, file=sys.stderr, flush=True)


def _rows(given: argparse.Namespace, kept: list[dict[str, Any]]) -> Iterator[dict[str, Any] | None]:
    """Yield every row that is asked for, made now or kept; None for a run that failed."""
    projects = [one for one in PROJECTS if not given.repo or one.name in given.repo]
    for seed in range(given.seed, given.seed + given.seeds):
        for project in projects:
            for name in given.peer or ["buildwright"]:
                told = (
                    name,
                    given.agents,
                    project.name,
                    seed,
                    given.kill_every,
                    given.tasks,
                    given.at_once,
                    given.seconds,
                )
                old = next((row for row in kept if _key(row) == told), None)
                if old is not None and not given.again:
                    yield old
                    continue
                began = time.monotonic()
                try:
                    row = run(project, CONTESTANTS[name], given, seed)
                except RunFailed as failed:
                    say(f"{name}, {project.name}, seed {seed}: failed: {failed}")
                    yield None
                    continue
                done = Score(**row["score"])
                say(
                    f"{name}, {project.name}, seed {seed}: {done.right} right, {done.false_seen + done.missed} + "
                    f"{done.false_unseen} false of {done.landed} done, {done.tasks} tasks, {time.monotonic() - began:.0f} s"
                )
                yield row


def _kept() -> list[dict[str, Any]]:
    return list(json.loads(RESULTS.read_text(encoding="utf-8"))["rows"]) if RESULTS.exists() else []


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    names = ("contestant", "agents", "project", "seed", "kill_every", "tasks", "at_once", "seconds")
    return tuple(row[name] for name in names)


def main() -> int:
    """Run what is asked for, and print it."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.orchestrator", description=(__doc__ or "").partition("\n\n")[2]
    )
    names = [one.name for one in PROJECTS]
    parser.add_argument("--repo", action="append", choices=names, help="one project; may be repeated (default: all)")
    parser.add_argument("--seed", type=int, default=1, help="the first seed (default 1)")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, one after the other (default 1)")
    parser.add_argument("--agents", choices=list(WEIGHTS), default="mixed", help="what agents are like (default mixed)")
    parser.add_argument("--tasks", type=int, default=0, help="at most so many tasks of each project (default: all)")
    parser.add_argument("--peer", action="append", choices=list(CONTESTANTS), help="who does it (default buildwright)")
    parser.add_argument("--at-once", type=int, default=8, help="agents at once (default 8)")
    parser.add_argument("--seconds", type=float, default=4.0, help="mean time for which an agent thinks (default 4)")
    parser.add_argument("--kill-every", type=float, default=0.0, help="kill it each so many seconds (default: never)")
    parser.add_argument("--longest", type=float, default=3600.0, help="seconds after which a run is given up")
    parser.add_argument("--again", action="store_true", help="make runs anew that are kept")
    parser.add_argument("--keep", default="", metavar="FOLDER", help="copy the last run's folder there")
    parser.add_argument("--json", action="store_true", help="print all counts")
    parser.add_argument("--html", default="", metavar="FILE", help="write them as one page, too")
    given = parser.parse_args()
    rows, failed = [], 0
    for row in _rows(given, _kept()):
        if row is None:
            failed += 1
            continue
        rows.append(row)
        others = [one for one in _kept() if _key(one) != _key(row)]
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps({"machine": machine(ROOT), "rows": [*others, row]}, indent=1), encoding="utf-8")
    print(json.dumps(rows, indent=1) if given.json else text(rows, machine(ROOT)))
    if given.html:
        Path(given.html).write_text(html_page(rows, machine(ROOT)), encoding="utf-8")
    return int(bool(failed) or not rows)


if __name__ == "__main__":
    sys.exit(main())
