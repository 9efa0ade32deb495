"""Stats: what is counted bit by bit is what the journals say, whatever happens in between; on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from buildwright.core import event as e
from buildwright.core.event import AnyEvent
from buildwright.core.finding import Report, Verdict
from buildwright.core.limits import Options
from buildwright.errors import Conflict
from buildwright.store import revisions
from buildwright.store.build_queries import BuildQueries
from buildwright.store.database import Database
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.store.journal_sqlite import SqliteBuilds
from buildwright.views.stats import Stats, bucket_of, seconds_of_bucket
from tests.store.process import AT, beat, created, open_in, steps_above

Store = SqliteBuilds | PostgresBuilds
TABLES = ("metrics_sums", "metrics_durations", "metrics_tasks", "metrics_attempts", "metrics_positions")
DAY = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
REFUSED = Verdict(tree="u", reports=(Report(gate="checks", ok=False),))


@pytest.fixture
async def journals(database: Path | str) -> AsyncIterator[Store]:
    opened: Store = await (PostgresBuilds.open(database) if isinstance(database, str) else open_in(database.parent))
    yield opened
    await opened.close()


@pytest.fixture
async def runs(database: Path | str, journals: Store) -> AsyncIterator[BuildQueries]:
    del journals  # it has made the tables
    opened = BuildQueries.open(database)
    yield opened
    await opened.close()


async def kept(database: Path | str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the tables of stats."""
    opened = Database.open(database)
    rows = {name: await opened.fetch(text(f"SELECT * FROM {name} ORDER BY 1, 2, 3")) for name in TABLES}
    await opened.close()
    return {name: sorted(tuple(row) for row in found) for name, found in rows.items()}


async def begin(store: Store, build_id: str, user: str = "u", **options: Any) -> None:
    more = {"user_id": user, "options": Options(**options)}
    await store.create(build_id, [created(build_id).model_copy(update=more)], DAY)


async def tell(store: Store, build_id: str, at: datetime, *events: AnyEvent) -> None:
    await store.append(build_id, await store.version(build_id), events, at)


def used(task: str = "", attempt: int = 0, cost: str | None = "0.25", **tokens: int) -> e.TokensUsed:
    price = Decimal(cost) if cost is not None else None
    return e.TokensUsed(task=task, attempt=attempt, model="m", cost_usd=price, **tokens)


def landed(task: str, attempt: int) -> e.ChangeLanded:
    return e.ChangeLanded(task=task, attempt=attempt, commit="c", tree="t")


def shown(stats: Stats) -> list[tuple[Any, ...]]:
    return [(row.start, row.succeeded, row.failed, row.skipped, row.first_pass, row.attempts) for row in stats.rows]


async def test_the_figures_of_hours_days_and_weeks(journals: Store, runs: BuildQueries) -> None:
    await begin(journals, "b")
    hour = timedelta(hours=1)
    await tell(journals, "b", DAY, e.TaskStarted(task="a", attempt=1), e.TaskStarted(task="b", attempt=1))
    await tell(journals, "b", DAY + timedelta(seconds=100), landed("a", 1), beat("x"))
    await tell(journals, "b", DAY + hour, used("b", 1, input_tokens=5, cache_read_tokens=3), used(cost=None))
    await tell(journals, "b", DAY + 2 * hour, e.AgentBroke(task="b", attempt=1, kind="crashed", message="no"))
    await tell(journals, "b", DAY + 2 * hour, e.TaskRetried(task="b"), e.TaskStarted(task="b", attempt=2))
    await tell(journals, "b", DAY + 26 * hour, landed("b", 2), e.TaskSkipped(task="c"))
    hours = await runs.stats("hour")
    assert shown(hours) == [
        (DAY, 1, 0, 0, 1, 2),
        (DAY + hour, 0, 0, 0, 0, 0),
        (DAY + 2 * hour, 0, 0, 0, 0, 1),
        (DAY + 26 * hour, 1, 0, 1, 0, 0),
    ]
    asked = hours.rows[1]
    assert (asked.requests, asked.input_tokens, asked.tokens, asked.cost_usd) == (2, 5, 8, Decimal("0.25"))
    assert (asked.unpriced, asked.mean_seconds, asked.first_pass_rate) == (1, None, None)
    days = await runs.stats("day")
    assert shown(days) == [(DAY, 1, 0, 0, 1, 3), (DAY + 24 * hour, 1, 0, 1, 0, 0)]
    assert [row.mean_seconds for row in days.rows] == [100, 26 * 3600]
    weeks = await runs.stats("week")
    assert shown(weeks) == [(DAY, 2, 0, 1, 1, 3)]
    assert weeks.total == weeks.rows[0].model_copy(update={"start": None})
    assert (weeks.total.tasks, weeks.total.first_pass_rate, weeks.total.mean_seconds) == (3, 0.5, 46850)
    assert weeks.total.p95_seconds == pytest.approx(26 * 3600, rel=0.016)
    later = await runs.stats("day", DAY + 24 * hour, DAY + 25 * hour + timedelta(seconds=1))
    assert shown(later) == []
    assert shown(await runs.stats("day", DAY + 24 * hour)) == shown(days)[1:]
    assert shown(await runs.stats("day", end=DAY + timedelta(seconds=1))) == [(DAY, 1, 0, 0, 1, 2)]
    assert (await runs.stats("day", user_id="u")).rows == days.rows
    assert (await runs.stats("day", user_id="another")).rows == ()


async def test_a_task_counts_once_where_it_ended_last(journals: Store, runs: BuildQueries) -> None:
    days = [DAY + timedelta(days=number) for number in range(7)]
    await begin(journals, "b")
    await tell(journals, "b", days[0], e.TaskStarted(task="a", attempt=1), e.TaskFailed(task="a", message="no"))
    assert shown(await runs.stats("day")) == [(days[0], 0, 1, 0, 0, 1)]
    await tell(journals, "b", days[1], e.TaskRetried(task="a", by="user"))
    assert shown(await runs.stats("day")) == [(days[0], 0, 0, 0, 0, 1)]
    await tell(journals, "b", days[1], e.TaskStarted(task="a", attempt=2), landed("a", 2))
    assert shown(await runs.stats("day")) == [(days[0], 0, 0, 0, 0, 1), (days[1], 1, 0, 0, 0, 1)]
    await tell(journals, "b", days[2], landed("a", 2))  # on another base
    assert shown(await runs.stats("day")) == [(days[0], 0, 0, 0, 0, 1), (days[1], 1, 0, 0, 0, 1)]
    await tell(journals, "b", days[3], e.ChangeUndone(task="a", attempt=2, commit="d", tree="t"))
    assert (await runs.stats("day")).total.tasks == 0
    await tell(journals, "b", days[4], e.TaskStarted(task="a", attempt=3), landed("a", 3))
    assert shown(await runs.stats("day"))[-1] == (days[4], 1, 0, 0, 0, 1)
    assert (await runs.stats("day")).total.mean_seconds == 0  # from the attempt after it was taken back


async def test_times_are_working_times(journals: Store, runs: BuildQueries) -> None:
    """Neither a pause, nor what lies between an end and going on, is in the time of a task."""
    second = timedelta(seconds=1)
    pause = e.BuildPaused(reason="user", message="")
    steps: list[tuple[int, AnyEvent]] = [
        (0, e.TaskStarted(task="a", attempt=1)),
        (2, pause),
        (100, e.BuildResumed()),
        (103, e.TaskFailed(task="a", message="no")),  # 5 s
        (110, e.TaskRetried(task="a", by="user")),
        (110, e.TaskStarted(task="a", attempt=2)),
        (114, e.BuildFinished(outcome="stopped")),  # 9 s
        (500, e.BuildReopened()),
        (500, pause),
        (900, e.BuildResumed()),
        (901, landed("a", 2)),  # 10 s
    ]
    await begin(journals, "b")
    await begin(journals, "h", by_hand=True)
    for at, event in steps:
        await tell(journals, "b", DAY + at * second, event)
        if at == 103:
            assert (await runs.stats("day")).total.mean_seconds == 5
        elif at == 114:
            await runs.stats("day")  # all of it is counted, and forgotten where
    assert (await runs.stats("day")).total.mean_seconds == 10
    await runs.recount_stats()
    assert (await runs.stats("day")).total.mean_seconds == 10
    step = e.StepRequested(id="1", mode="implement_only")
    for at, event in ((50, step), (51, e.TaskStarted(task="x", attempt=1)), (55, landed("x", 1))):
        await tell(journals, "h", DAY + at * second, event)
    assert (await runs.stats("day")).total.mean_seconds == 7


async def test_without_lanes_a_task_succeeds_when_its_agent_has_finished(journals: Store, runs: BuildQueries) -> None:
    await begin(journals, "b", lanes=False)
    await tell(journals, "b", DAY, e.TaskStarted(task="a", attempt=1))
    assert (await runs.stats("day")).total.succeeded == 0
    await tell(journals, "b", DAY, e.AgentFinished(task="a", attempt=1))
    assert (await runs.stats("day")).total.first_pass == 1


def anything(chance: random.Random) -> AnyEvent:
    """An event of any kind that is counted: whether it may follow is not for those who count."""
    task, attempt = chance.choice("abcdefghijklmnop"), chance.randint(1, 3)
    return chance.choice(
        (
            e.TaskStarted(task=task, attempt=attempt),
            landed(task, attempt),
            e.TaskFailed(task=task, message="no"),
            e.TaskRetried(task=task),
            e.TaskSkipped(task=task),
            e.AgentFinished(task=task, attempt=attempt),
            e.AgentBroke(task=task, attempt=attempt, kind="crashed", message="no"),
            e.PatchJudged(task=task, attempt=attempt, verdict=REFUSED),
            e.ChangeUndone(task=task, attempt=attempt, commit="d", tree="t"),
            used(task, attempt, cost=f"0.{chance.randint(0, 9999999):07}", output_tokens=chance.randint(0, 99)),
            beat("x"),
        )
    )


async def test_counted_bit_by_bit_is_what_the_journals_say(
    database: Path | str, journals: Store, runs: BuildQueries
) -> None:
    chance = random.Random(3)
    for build_id in "xyz":
        await begin(journals, build_id, user=chance.choice("uv"), lanes=build_id != "z")
    at = DAY
    for _ in range(60):
        at += timedelta(minutes=chance.randint(0, 90), microseconds=chance.randint(0, 999_999))
        await tell(journals, chance.choice("xyz"), at, *(anything(chance) for _ in range(chance.randint(1, 9))))
        if chance.random() < 0.3:
            await runs.stats("hour")
    before = await runs.stats("week")
    rows = await kept(database)
    assert len(rows["metrics_sums"]) > 10
    assert len(rows["metrics_durations"]) > 3
    await runs.recount_stats()
    assert await kept(database) == rows
    assert await runs.stats("week") == before


async def test_a_build_that_has_ended_is_looked_at_again_only_when_it_goes_on(
    database: Path | str, journals: Store, runs: BuildQueries
) -> None:
    await begin(journals, "b")
    await tell(journals, "b", DAY, e.BuildFinished(outcome="failed"))
    await runs.stats("day")
    assert (await kept(database))["metrics_positions"] == []
    await tell(journals, "b", DAY, e.BuildReopened())
    assert (await kept(database))["metrics_positions"] == [("b", 2, None, None)]
    await tell(journals, "b", DAY, e.TaskStarted(task="a", attempt=1), landed("a", 1))
    assert (await runs.stats("day")).total.succeeded == 1
    await tell(journals, "b", DAY, e.TaskStarted(task="c", attempt=1), e.BuildFinished(outcome="failed"))
    assert (await runs.stats("day")).total.attempts == 2
    assert (await kept(database))["metrics_positions"] == []


async def test_what_a_pruned_build_came_to_stays(database: Path | str, journals: Store, runs: BuildQueries) -> None:
    for build_id in ("going", "staying"):
        await begin(journals, build_id)
        await tell(journals, build_id, DAY, e.TaskStarted(task="a", attempt=1), used("a", 1, cost="0.0000000003"))
        await tell(journals, build_id, DAY + timedelta(hours=1), landed("a", 1), e.BuildFinished(outcome="succeeded"))
    counted_by_retiring = await kept(database)
    assert counted_by_retiring["metrics_sums"] == []
    await journals.retire("going")
    before = await runs.stats("hour")
    assert (before.total.succeeded, before.total.requests, before.total.mean_seconds) == (2, 2, 3600)
    rows = await kept(database)
    assert {row[0] for name in TABLES[2:] for row in rows[name]} == {"staying"}
    assert sorted(row[2] for row in rows["metrics_sums"]) == [0, 0, 1, 1]
    await runs.recount_stats()
    assert await kept(database) == rows
    await journals.retire("going")
    assert await runs.stats("hour") == before
    with pytest.raises(Conflict, match="metrics_durations, metrics_sums"):
        await revisions.rollback(database, steps_above("0005"))


async def test_two_who_count_at_once_count_once(database: Path | str, journals: Store, runs: BuildQueries) -> None:
    for number in range(5):
        await begin(journals, f"b{number}")
        events = [event for task in range(300) for event in (e.TaskStarted(task=f"t{task}", attempt=1), beat("x"))]
        await tell(journals, f"b{number}", DAY, *events, e.BuildFinished(outcome="failed"))
    other = BuildQueries.open(database)
    found = await asyncio.gather(runs.stats("day"), other.stats("day"), other.stats("hour"))
    await other.close()
    assert [each.total.attempts for each in found] == [1500] * 3
    assert (await runs.stats("day")).total.attempts == 1500


COUNT = """
import asyncio, sys
from pathlib import Path
from buildwright.store.build_queries import BuildQueries
async def main():
    runs = BuildQueries.open(Path(sys.argv[1]))
    await runs.stats("day")
asyncio.run(main())
"""


async def test_a_killed_process_has_counted_whole_transactions(tmp_path: Path) -> None:
    store = await open_in(tmp_path)
    await begin(store, "b")
    events: list[AnyEvent] = [used("a", 1, cost="0.1") for _ in range(500)]
    for _ in range(30):
        await tell(store, "b", DAY, *events)
    await store.close()
    path = tmp_path / "buildwright.db"
    seen = _killed_while_counting(path)
    assert 0 < seen < 15_001
    runs = BuildQueries.open(path)
    total = (await runs.stats("day")).total
    rows = await kept(path)
    await runs.recount_stats()
    assert await kept(path) == rows
    await runs.close()
    assert (total.requests, total.cost_usd) == (15_000, Decimal(1500))


def _killed_while_counting(path: Path) -> int:
    """Return up to which event a process has counted that was killed meanwhile."""
    look = sqlite3.connect(path)
    with subprocess.Popen([sys.executable, "-c", COUNT, str(path)]) as child:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if look.execute("SELECT seq FROM metrics_positions").fetchone()[0]:
                break
        child.send_signal(signal.SIGKILL)
    seq: int = look.execute("SELECT seq FROM metrics_positions").fetchone()[0]
    look.close()
    return seq


async def test_journals_from_before_are_counted_and_a_step_down_brings_the_views_back(
    database: Path | str, journals: Store, runs: BuildQueries
) -> None:
    await begin(journals, "b")
    await tell(journals, "b", DAY, e.TaskStarted(task="a", attempt=1), used("a", 1))
    before = await runs.stats("day")
    assert await revisions.rollback(database, steps_above("0005")) == "0005"
    opened = Database.open(database)
    assert [tuple(row) for row in await opened.fetch(text("SELECT total_cost_usd FROM metrics_daily"))] == [
        (Decimal("0.25"),)
    ]
    await opened.close()
    await revisions.migrate(database)
    assert await runs.stats("day") == before


@given(st.lists(st.integers(min_value=0, max_value=10**11), min_size=1))
def test_buckets_are_in_order_and_close(durations: Sequence[int]) -> None:
    for milliseconds in durations:
        close = seconds_of_bucket(bucket_of(milliseconds)) * 1000
        assert abs(close - milliseconds) <= milliseconds / 64
    ordered = sorted(durations)
    assert [bucket_of(each) for each in ordered] == sorted(bucket_of(each) for each in ordered)


async def test_the_percentile_of_a_week_is_that_of_its_tasks(journals: Store, runs: BuildQueries) -> None:
    chance = random.Random(5)
    took = [timedelta(milliseconds=round(chance.lognormvariate(11, 1.5))) for _ in range(200)]
    await begin(journals, "b")
    for number, each in enumerate(took):
        at = DAY + timedelta(hours=chance.randint(0, 100))
        await tell(journals, "b", at, e.TaskStarted(task=f"t{number}", attempt=1))
        await tell(journals, "b", at + each, landed(f"t{number}", 1))
    exact = sorted(took)[189].total_seconds()
    week = await runs.stats("week")
    assert week.rows[0].p95_seconds == week.total.p95_seconds == pytest.approx(exact, rel=0.016)
    assert week.total.mean_seconds == pytest.approx(sum(took, timedelta()).total_seconds() / 200, abs=0.001)


async def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    store = await open_in(tmp_path)
    await begin(store, "b")
    await tell(store, "b", DAY, used(), used(), used())
    await store.close()
    conn = sqlite3.connect(tmp_path / "buildwright.db")
    conn.execute("UPDATE events SET data = '{' WHERE seq = 3")
    conn.commit()
    conn.close()
    runs = BuildQueries.open(tmp_path / "buildwright.db")
    assert (await runs.stats("day")).total.requests == 2
    await runs.close()


async def test_costs_say_what_was_thrown_away_and_why(journals: Store, runs: BuildQueries) -> None:
    await begin(journals, "b")
    attempts = [
        (e.TaskStarted(task="a", attempt=1), used("a", 1), e.PatchJudged(task="a", attempt=1, verdict=REFUSED)),
        (e.TaskRetried(task="a"), e.TaskStarted(task="a", attempt=2), used("a", 2, cost="1"), landed("a", 2)),
        (e.TaskStarted(task="c", attempt=1), used("c", 1, cost="4", cache_read_tokens=7, cache_write_tokens=1)),
        (used(cost="8"),),
    ]
    for events in attempts:
        await tell(journals, "b", AT, *events)

    async def costs(by: Any) -> list[tuple[str, Decimal, Decimal]]:
        return [(each.key, each.cost_usd, each.thrown_away_usd) for each in await runs.costs(by)]

    refused = Decimal("0.25")
    assert await costs("result") == [("", 8, 0), ("gate", refused, refused), ("landed", 1, 0), ("open", 4, 0)]
    assert await costs("task") == [("b", 8, 0), ("b/a", refused + 1, refused), ("b/c", 4, 0)]
    assert [each[0] for each in await costs("attempt")] == ["b", "b/a#1", "b/a#2", "b/c#1"]
    assert [each.key for each in await runs.costs("task", build_id="b")] == ["b", "b/a", "b/c"]
    assert await runs.costs("task", build_id="c") == []
    assert await runs.costs("task", user_id="another", build_id="b") == []
    cached = (await runs.costs("attempt"))[3]
    assert (cached.cache_tokens, cached.cache_read_tokens) == (8, 7)
    await tell(journals, "b", AT, e.MergeConflicted(task="a", attempt=2, onto="d", files=("x",), tree="t"))
    assert ("landed", Decimal(1), Decimal(0)) in await costs("result")  # it could not be taken back
    await tell(journals, "b", AT, e.ChangeUndone(task="a", attempt=2, commit="d", tree="t"))
    await tell(journals, "b", AT, e.BuildFinished(outcome="failed"))
    assert await costs("result") == [("", 8, 0), ("gate", refused, refused), ("stopped", 4, 4), ("undone", 1, 1)]
    assert await costs("user") == [("u", refused + 13, refused + 5)]


async def test_costs_by_requirement_count_a_request_for_each(journals: Store, runs: BuildQueries) -> None:
    tasks = (
        {"id": "a", "title": "A", "requirements": ("R1", "R2")},
        {"id": "b", "title": "B", "requirements": ("R2",)},
        {"id": "c", "title": "C"},
    )
    await begin(journals, "b")
    await tell(journals, "b", AT, e.PlanMade.model_validate({"graph": {"tasks": tasks}}), used("a", 1), used("c", 1))
    await tell(journals, "b", AT, used("b", 1, cost="1"), used(cost="8"))
    sums = {each.key: each.cost_usd for each in await runs.costs("requirement")}
    assert sums == {"": Decimal("8.25"), "R1": Decimal("0.25"), "R2": Decimal("1.25")}
    changed = ({"id": "c", "title": "C", "requirements": ("R3",)},)
    await tell(journals, "b", AT, e.PlanChanged.model_validate({"tasks": changed}))
    assert [(each.key, each.requests) for each in await runs.costs("requirement")] == [
        ("", 1),
        ("R1", 1),
        ("R2", 2),
        ("R3", 1),
    ]
