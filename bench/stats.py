"""What asking for the stats takes over 10,000 and over 1,000,000 events, in turn; and what counting the events took.

python -m bench.stats [--state DIR] [--events N] [--rounds N]

Both have builds on each of the same thirty days, so that the answers have as many rows. The journals are written into
SQLite in bulk, and counted once, as the first to ask does. After that is measured: asking when nothing is new, and when
a hundred events are; in processor time, because others may use the machine, and as people wait for it. Prints lines,
then one of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import sqlite3
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from bench.machine import load
from buildwright.core import event as e
from buildwright.core.event import AnyEvent
from buildwright.core.finding import Report, Verdict
from buildwright.core.limits import Options
from buildwright.core.spec import Spec
from buildwright.store.build_queries import BuildQueries
from buildwright.store.journal_sqlite import SqliteBuilds
from buildwright.store.rows import encode_all, event_rows
from buildwright.store.values import to_text

ROOT = Path(__file__).parent.parent
FEW = 10_000
DAYS = 30
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
TASKS = 12
"""Tasks of each build: few enough that the few events, too, have a build on every day."""
NEW = 100
"""Events that are appended between two questions."""
_PASSED = Verdict(tree="t", reports=(Report(gate="checks", kind="test", ok=True),))
_INSERT = "INSERT INTO events (build_id, seq, at, type, data, crc) VALUES (?, ?, ?, ?, ?, ?)"
_HEAD = (
    "INSERT INTO build_runs (build_id, project_id, user_id, title, phase, control, outcome, version, current_task_id,"
    " created_at, updated_at, completed_at) VALUES (?, 'p', 'u', 'x', 'ready', 'finished', 'succeeded', ?, '', ?, ?, ?)"
)


class Asked(NamedTuple):
    """Seconds of the clock and of the processor that one question took."""

    wall: float
    processor: float


def journal(build_id: str, began: datetime, chance: random.Random) -> Iterator[tuple[datetime, AnyEvent]]:
    """The events of a build that succeeds, each with its time."""
    at = began
    yield (
        at,
        e.BuildCreated(
            build_id=build_id, project_id="p", user_id="u", repository="", spec=Spec(title="x"), options=Options()
        ),
    )
    for number in range(TASKS):
        task, took = f"t{number}", timedelta(milliseconds=round(chance.lognormvariate(11, 1)))
        yield at, e.TaskStarted(task=task, attempt=1)
        for percent in (10, 30, 50, 70, 90):
            yield at, e.AgentHeartbeat(task=task, attempt=1, status="running", percent=percent)
        for _ in range(3):
            cost = Decimal(chance.randint(1000, 90_000)) / 1_000_000
            yield at, e.TokensUsed(task=task, attempt=1, model="m", input_tokens=9000, output_tokens=500, cost_usd=cost)
        yield at + took, e.AgentFinished(task=task, attempt=1)
        yield at + took, e.PatchJudged(task=task, attempt=1, verdict=_PASSED)
        yield at + took, e.MergePrepared(task=task, attempt=1, onto="c", commit="d", tree="t")
        yield at + took, e.MergeJudged(task=task, attempt=1, verdict=_PASSED)
        yield at + took, e.ChangeLanded(task=task, attempt=1, commit="d", tree="t")
    yield at, e.BuildFinished(outcome="succeeded")


async def fill(path: Path, events: int) -> int:
    """Write so many events of ended builds, and a build that runs; return how many there are."""
    store = await SqliteBuilds.open(path, path.parent / "artifacts")
    running = [event for _, event in journal("running", FIRST, random.Random(1))][:1]
    await store.create("running", running, FIRST)
    await store.close()
    conn = sqlite3.connect(path)
    conn.execute("PRAGMA synchronous=OFF")
    chance, made, number = random.Random(2), 0, 0
    while made < events:
        began = FIRST + timedelta(days=number % DAYS, seconds=chance.randint(0, 86_399))
        build_id = f"b{number:06}"
        rows: list[tuple[Any, ...]] = []
        for at, event in journal(build_id, began, chance):
            rows += event_rows(build_id, len(rows), to_text(at), encode_all([event]))
        moment = to_text(began)
        conn.execute(_HEAD, (build_id, len(rows), moment, moment, moment))
        conn.executemany(_INSERT, rows)
        made, number = made + len(rows), number + 1
    conn.commit()
    conn.close()
    return made + 1


async def append(path: Path, number: int) -> None:
    """Append some events to the build that runs."""
    store = await SqliteBuilds.open(path, path.parent / "artifacts")
    events = [event for _, event in journal("x", FIRST, random.Random(number))][1 : NEW + 1]
    await store.append("running", await store.version("running"), events, FIRST + timedelta(days=1))
    await store.close()


async def ask(path: Path) -> Asked:
    """Ask once, as the verb does: opened for it, and closed."""
    began, processor = time.perf_counter(), time.process_time()
    runs = BuildQueries.open(path)
    await runs.stats("day")
    await runs.close()
    return Asked(time.perf_counter() - began, time.process_time() - processor)


async def measure(state: Path, many: int, rounds: int) -> dict[str, Any]:
    """Fill two stores and ask them in turn."""
    found: dict[str, Any] = {"rounds": rounds, "load": round(load(), 2)}
    paths = {"few": state / "few" / "buildwright.db", "many": state / "many" / "buildwright.db"}
    for name, path in paths.items():
        found[f"events_{name}"] = await fill(path, FEW if name == "few" else many)
        found[f"counting_{name}"] = (await ask(path))._asdict()
    for state_of, news in (("nothing_new", False), ("new_events", True)):
        asked: dict[str, list[Asked]] = {name: [] for name in paths}
        for turn in range(rounds):
            for name, path in paths.items():
                if news:
                    await append(path, turn)
                asked[name].append(await ask(path))
        for name, times in asked.items():
            medians = {part: statistics.median(getattr(one, part) for one in times) for part in Asked._fields}
            found[f"{state_of}_{name}"] = medians
        few, plenty = found[f"{state_of}_few"], found[f"{state_of}_many"]
        found[f"{state_of}_ratio"] = {part: plenty[part] / few[part] for part in Asked._fields}
    return found


def lines(found: dict[str, Any]) -> Iterator[str]:
    """What was found, in words."""
    yield f"load {found['load']}, {found['rounds']} rounds in turn, medians"
    for name in ("few", "many"):
        took = found[f"counting_{name}"]
        number = found[f"events_{name}"]
        each = took["processor"] / number * 1e6
        yield f"counting {number:,} events once: {took['wall']:.2f} s, {each:.1f} us of processor for each event"
    for state_of, words in (("nothing_new", "nothing new"), ("new_events", f"{NEW} new events")):
        few, many, ratio = (found[f"{state_of}_{name}"] for name in ("few", "many", "ratio"))
        yield (
            f"stats, {words}: over {found['events_many']:,} events {many['wall'] * 1000:.1f} ms"
            f" ({many['processor'] * 1000:.1f} ms of processor), over {found['events_few']:,} {few['wall'] * 1000:.1f} ms"
            f" ({few['processor'] * 1000:.1f} ms): {ratio['wall']:.2f}x, {ratio['processor']:.2f}x of processor"
        )


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.stats", description="Measure what asking for the stats takes."
    )
    parser.add_argument("--state", type=Path, default=ROOT / ".bench" / "stats")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--tiny", action="store_true", help="few events: to see that it works")
    given = parser.parse_args()
    shutil.rmtree(given.state, ignore_errors=True)
    given.state.mkdir(parents=True)
    try:
        many, rounds = (FEW, 2) if given.tiny else (given.events, given.rounds)
        found = asyncio.run(measure(given.state, many, rounds))
    finally:
        shutil.rmtree(given.state, ignore_errors=True)
    for line in lines(found):
        print(line)
    print(json.dumps({"stats": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
