"""One suite for the port `Builds`, over SQLite in memory and in a file, and over PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from buildwright.core import event as e
from buildwright.core.apply import fold
from buildwright.core.build import Stage
from buildwright.core.event import AnyEvent
from buildwright.core.graph import Graph
from buildwright.core.limits import Options
from buildwright.core.spec import ProjectBrief, Spec
from buildwright.core.task import Task
from buildwright.errors import BuildIsRunning, Conflict, IllegalMove, LostLease, NotFound, StaleVersion
from buildwright.ports import Builds, Lease, LogEntry
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.store.journal_sqlite import SqliteBuilds
from buildwright.views.statuses import runtime_phase
from tests.adapters.memory_store import MemoryBuilds

AT = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)


class Now:
    """Time that only moves when told to; a tick is a second. PostgreSQL's is waited for, in short ticks."""

    def __init__(self, real: bool) -> None:
        self.time = AT
        self.tick = 0.1 if real else 1.0
        self._real = real

    def __call__(self) -> datetime:
        return self.time

    async def pass_by(self, ticks: float) -> None:
        self.time += timedelta(seconds=ticks)
        if self._real:
            await asyncio.sleep(ticks * self.tick)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def now(kind: str) -> Now:
    return Now(real=kind == "postgres")


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest) -> str:
    """A database for the kind that needs a server: only then is it started."""
    return str(request.getfixturevalue("tables_url")) if kind == "postgres" else ""


@pytest.fixture
async def builds(kind: str, url: str, tmp_path: Path, now: Now) -> AsyncIterator[Builds]:
    store: Builds
    if kind == "memory":
        store = MemoryBuilds(now)
    elif kind == "sqlite":
        store = await SqliteBuilds.open(tmp_path / "db" / "buildwright.db", tmp_path / "artifacts", now=now)
    else:
        store = await PostgresBuilds.open(url)
    yield store
    await store.close()


def created(build_id: str, project: str = "p", title: str = "Häuser & 家") -> e.BuildCreated:
    spec = Spec(title=title, brief=ProjectBrief(title=title))
    return e.BuildCreated(
        build_id=build_id, project_id=project, user_id="u", repository="", spec=spec, options=Options(lanes=False)
    )


def beat(task: str = "a") -> e.AgentHeartbeat:
    return e.AgentHeartbeat(task=task, attempt=1, status="working", percent=3)


async def start(builds: Builds, at: datetime = AT, project: str = "p") -> str:
    build_id = str(uuid.uuid4())
    await builds.create(build_id, [created(build_id, project)], at)
    return build_id


GRAPH = Graph(tasks=(Task(id="a", title="A"), Task(id="b", title="B", depends_on=("a",))))
STORY: list[AnyEvent] = [
    e.TargetPrepared(commit="", tree=""),
    e.PlanMade(graph=GRAPH),
    e.TaskStarted(task="a", attempt=1),
    e.TokensUsed(task="a", attempt=1, model="m", input_tokens=3, cost_usd=Decimal("0.25")),
    e.AgentBroke(task="a", attempt=1, kind="timeout", message="too slow"),
    e.TaskRetried(task="a"),
    e.TaskStarted(task="a", attempt=2),
]


async def test_a_journal_reads_back_what_was_appended(builds: Builds) -> None:
    build_id = await start(builds)
    later = AT + timedelta(microseconds=1)
    appended = await builds.append(build_id, 1, STORY, later)
    assert [r.seq for r in appended] == list(range(2, 9))
    whole = await builds.read(build_id)
    assert [r.seq for r in whole] == list(range(1, 9))
    assert whole[1:] == appended
    assert whole[0] == (1, AT, created(build_id))
    assert await builds.read(build_id, after=3, limit=2) == whole[3:5]
    assert await builds.read(build_id, after=8) == []
    assert await builds.read(build_id, after=800) == []
    assert await builds.read(build_id, limit=0) == []
    assert await builds.version(build_id) == 8


async def test_an_approval_is_kept_with_its_words_and_its_time(builds: Builds) -> None:
    build_id = await start(builds)
    approved = e.FindingApproved(
        task="a", finding="0123456789ab", code="scope.protected", reason="für uns \u2713", by="ann"
    )
    await builds.append(build_id, 1, [*STORY[:-1], approved], AT + timedelta(seconds=5))
    (recorded,) = await builds.read(build_id, after=len(STORY))
    assert recorded.event == approved
    (approval,) = (await builds.load(build_id)).task("a").approvals
    assert approval == ("0123456789ab", "scope.protected", "für uns \u2713", "ann", AT + timedelta(seconds=5))
    await builds.keep_snapshot(await builds.load(build_id))
    assert (await builds.load(build_id)).task("a").approvals == (approval,)


async def test_times_in_another_zone_are_the_same_time(builds: Builds) -> None:
    from datetime import timezone

    build_id = await start(builds, AT.astimezone(timezone(timedelta(hours=5, minutes=30))))
    assert [r.at for r in await builds.read(build_id)] == [AT]


async def test_an_unknown_build_is_not_found(builds: Builds) -> None:
    unknown = str(uuid.uuid4())
    for question in (
        builds.read(unknown),
        builds.load(unknown),
        builds.version(unknown),
        builds.append(unknown, 0, [beat()], AT),
        builds.acquire(unknown, "host:1:1", 5),
        builds.get_artifact("../../etc/passwd"),
    ):
        with pytest.raises(NotFound):
            await question
    assert await builds.holder(unknown) is None
    assert await builds.read_log(unknown) == []
    await builds.release(Lease(unknown, "host:1:1", 1))


async def test_a_journal_starts_once_and_with_build_created(builds: Builds) -> None:
    build_id = await start(builds)
    with pytest.raises(Conflict):
        await builds.create(build_id, [created(build_id)], AT)
    with pytest.raises(IllegalMove):
        await builds.create(str(uuid.uuid4()), [beat()], AT)
    with pytest.raises(IllegalMove):
        await builds.create(str(uuid.uuid4()), [], AT)
    with pytest.raises(IllegalMove, match="names build"):
        await builds.create(str(uuid.uuid4()), [created(build_id)], AT)
    assert await builds.version(build_id) == 1


async def test_a_stale_append_writes_nothing(builds: Builds) -> None:
    build_id = await start(builds)
    await builds.append(build_id, 1, [beat()], AT)
    for expected in (0, 1, 3):
        with pytest.raises(StaleVersion):
            await builds.append(build_id, expected, [beat(), beat()], AT)
    assert len(await builds.read(build_id)) == 2


async def test_of_many_that_append_after_the_same_event_one_wins(builds: Builds) -> None:
    build_id = await start(builds)
    answers = await asyncio.gather(
        *(builds.append(build_id, 1, [beat(f"t{i}")], AT) for i in range(20)), return_exceptions=True
    )
    won = [answer for answer in answers if isinstance(answer, list)]
    assert len(won) == 1
    assert sum(isinstance(answer, StaleVersion) for answer in answers) == 19
    assert (await builds.read(build_id))[1:] == won[0]


async def test_one_that_fails_takes_no_other_with_it(builds: Builds) -> None:
    ids = [await start(builds) for _ in range(30)]
    answers = await asyncio.gather(
        *(builds.append(build_id, i % 2, [beat()], AT) for i, build_id in enumerate(ids)), return_exceptions=True
    )
    assert [isinstance(answer, StaleVersion) for answer in answers] == [i % 2 == 0 for i in range(30)]
    assert [await builds.version(build_id) for build_id in ids] == [1 + i % 2 for i in range(30)]


async def test_load_is_the_fold_of_the_journal_with_and_without_a_snapshot(builds: Builds) -> None:
    build_id = await start(builds)
    version = 1
    for event in STORY:
        version = (await builds.append(build_id, version, [event], AT))[-1].seq
        loaded = await builds.load(build_id)
        assert loaded == fold(await builds.read(build_id))
        if version % 2 == 0:
            await builds.keep_snapshot(loaded)
        assert await builds.load(build_id) == loaded
    assert (await builds.load(build_id)).task("a").attempt == 2


async def test_a_snapshot_of_the_future_is_refused(builds: Builds) -> None:
    build_id = await start(builds)
    await builds.append(build_id, 1, STORY[:1], AT)
    other = str(uuid.uuid4())
    ahead = fold(await builds.read(build_id))
    await builds.create(other, [created(other)], AT)
    from dataclasses import replace

    with pytest.raises(StaleVersion):
        await builds.keep_snapshot(replace(ahead, id=other))


@pytest.mark.parametrize(
    ("events", "phase", "control", "outcome", "task"),
    [
        ([], "planning", "running", "", ""),
        ([e.PlanMade(graph=GRAPH), e.TaskStarted(task="b", attempt=1)], "planning", "running", "", "b"),
        ([e.PlanMade(graph=GRAPH), e.BuildPaused(reason="user")], "planning", "paused", "", ""),
        ([e.BuildPaused(reason="user"), e.BuildResumed()], "planning", "running", "", ""),
        ([e.StopRequested()], "planning", "stopping", "", ""),
        (
            [e.TaskStarted(task="b", attempt=1), e.BuildFinished(outcome="succeeded")],
            "ready",
            "finished",
            "succeeded",
            "",
        ),
        ([e.BuildFinished(outcome="failed")], "error", "finished", "failed", ""),
        ([e.BuildFinished(outcome="stopped")], "aborted", "stopped", "stopped", ""),
        ([e.BuildFinished(outcome="aborted")], "aborted", "stopped", "aborted", ""),
    ],
)
async def test_the_head_row_follows_the_events(
    builds: Builds, events: list[AnyEvent], phase: str, control: str, outcome: str, task: str
) -> None:
    build_id = await start(builds)
    later = AT + timedelta(seconds=1)
    await builds.append(build_id, 1, events, later)
    (row,) = await builds.rows()
    assert (row.phase, row.control, row.outcome, row.current_task_id) == (phase, control, outcome, task)
    assert (row.build_id, row.project_id, row.user_id, row.title) == (build_id, "p", "u", "Häuser & 家")
    assert (row.created_at, row.updated_at) == (AT, later)
    assert row.completed_at == (later if outcome else None)
    assert row.version == 1 + len(events)


async def test_the_head_row_has_the_phase_of_the_build_after_the_events(builds: Builds) -> None:
    build_id = await start(builds)
    build = await builds.load(build_id)
    for stage in (Stage.WORKING, Stage.VERIFYING, Stage.WORKING):
        build = build.evolve({"stage": stage, "version": build.version + 1})
        await builds.append(build_id, build.version - 1, [e.StepRequested(id="s", mode="auto")], AT, after=build)
        (row,) = await builds.rows()
        assert row.phase == runtime_phase(build) == ("verifying" if stage is Stage.VERIFYING else "implementing")


async def test_rows_are_newest_first_and_selected_by_prefix(builds: Builds) -> None:
    ids = [await start(builds, AT + timedelta(seconds=i)) for i in range(5)]
    assert [row.build_id for row in await builds.rows()] == ids[::-1]
    assert [row.build_id for row in await builds.rows(limit=2)] == ids[:2:-1]
    assert [row.build_id for row in await builds.rows(build_prefix=ids[2][:13])] == [ids[2]]
    assert await builds.rows(build_prefix="%") == []


async def test_a_lease_excludes_others_until_it_ends(builds: Builds, now: Now) -> None:
    build_id = await start(builds)
    assert await builds.holder(build_id) is None
    first = await builds.acquire(build_id, "elsewhere:1:1.0", 10 * now.tick)
    assert await builds.holder(build_id) == "elsewhere:1:1.0"
    with pytest.raises(BuildIsRunning, match=r"by process 1 on elsewhere$"):
        await builds.acquire(build_id, "elsewhere:2:1.0", 10 * now.tick)
    with pytest.raises(BuildIsRunning):
        await builds.acquire(build_id, "elsewhere:1:1.0", 10 * now.tick)
    await now.pass_by(5)
    await builds.renew(first, 10 * now.tick)
    await now.pass_by(5)
    assert await builds.holder(build_id) == "elsewhere:1:1.0"
    await now.pass_by(6)
    assert await builds.holder(build_id) is None
    second = await builds.acquire(build_id, "elsewhere:2:1.0", 10 * now.tick)
    assert second.token > first.token
    with pytest.raises(LostLease):
        await builds.renew(first, 10 * now.tick)
    await builds.release(first)
    assert await builds.holder(build_id) == "elsewhere:2:1.0"


async def test_a_token_grows_even_after_a_release(builds: Builds) -> None:
    build_id = await start(builds)
    tokens = []
    for _ in range(3):
        lease = await builds.acquire(build_id, "elsewhere:1:1.0", 10)
        tokens.append(lease.token)
        await builds.release(lease)
        await builds.release(lease)
        assert await builds.holder(build_id) is None
        with pytest.raises(LostLease):
            await builds.renew(lease, 10)
    assert tokens == sorted(set(tokens))


async def test_a_stale_runner_writes_nothing(builds: Builds, now: Now) -> None:
    build_id = await start(builds)
    with pytest.raises(LostLease):
        await builds.append(build_id, 1, [beat()], AT, token=1)
    first = await builds.acquire(build_id, "elsewhere:1:1.0", 10 * now.tick)
    await builds.append(build_id, 1, [beat()], AT, first.token)
    await now.pass_by(11)
    await builds.append(build_id, 2, [beat()], AT, first.token)
    second = await builds.acquire(build_id, "elsewhere:2:1.0", 10)
    with pytest.raises(LostLease):
        await builds.append(build_id, 3, [beat()], AT, first.token)
    await builds.append(build_id, 3, [beat()], AT, second.token)
    await builds.append(build_id, 4, [e.StopRequested()], AT)
    assert await builds.version(build_id) == 5


async def test_marks_say_how_far_builds_are(builds: Builds) -> None:
    quiet, talking = await start(builds), await start(builds)
    await builds.append(talking, 1, STORY, AT)
    await builds.write_log(talking, [LogEntry(AT, "a", 1, "said", f"line {number}") for number in range(3)])
    await builds.read_log(talking)  # what is gathered is written
    assert await builds.marks([quiet, talking, "unknown", "no\0build"]) == {quiet: (1, 0, 0), talking: (8, 1, 3)}
    assert await builds.marks([]) == {}


async def test_what_a_build_said_is_there_when_it_has_ended(builds: Builds) -> None:
    """For other processes too, which do not see what this one has gathered: who follows a log leaves with that event."""
    build_id = await start(builds)
    await builds.write_log(build_id, [LogEntry(AT, "a", 1, "said", "last words")])
    await builds.append(build_id, 1, [e.BuildFinished(outcome="stopped")], AT)
    assert await builds.marks([build_id]) == {build_id: (2, 1, 1)}


async def test_log_lines_are_numbered_filtered_and_cut(builds: Builds) -> None:
    build_id, other = await start(builds), await start(builds)
    for i in range(6):
        await builds.write_log(build_id, [LogEntry(AT, "ab"[i % 2], 1, "said", f"line {i} 家\n")])
        await builds.write_log(other, [LogEntry(AT, "", 0, "engine", "elsewhere")])
    lines = await builds.read_log(build_id)
    assert [line.seq for line in lines] == [1, 2, 3, 4, 5, 6]
    assert lines[0] == (1, AT, "a", 1, "said", "line 0 家\n")
    assert await builds.read_log(build_id, after=4) == lines[4:]
    assert await builds.read_log(build_id, task="b") == lines[1::2]
    assert await builds.read_log(build_id, limit=2) == lines[:2]
    assert await builds.read_log(build_id, limit=2, tail=True) == lines[4:]
    assert await builds.read_log(build_id, after=5, limit=2, tail=True) == lines[5:]
    assert await builds.read_log(build_id, task="a", limit=1, tail=True) == lines[4:5]


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 3_000_000])
async def test_artifacts_are_kept_under_their_hash_once(builds: Builds, size: int) -> None:
    content = os.urandom(size)
    digests = await asyncio.gather(*(builds.put_artifact(content) for _ in range(3)))
    assert len(set(digests)) == 1
    assert len(digests[0]) == 64
    assert await builds.get_artifact(digests[0]) == content
