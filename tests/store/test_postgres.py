"""The PostgreSQL store when things go wrong: the server killed, stopped, cut off; workers that die; schemas old and new."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import psutil
import pytest

from buildwright.core import event as e
from buildwright.core.event import Recorded
from buildwright.errors import BuildIsRunning, Conflict, LostLease, StaleVersion, StoreFailed
from buildwright.ports import ActionLease, LogEntry, QueueUpdate, Settlement, WantedClaim, WorkerRow
from buildwright.store import postgres_queue
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.store.lease_holders import holder_of, this_host, this_process
from tests.servers import PostgresServer
from tests.store.process import AT, beat, created, start, take
from tests.store.proxy import proxy_to

LONG = 600.0
ELSEWHERE = "elsewhere:1:1.0"


async def statuses(store: PostgresBuilds, build_id: str) -> list[str]:
    events = [recorded.event for recorded in await store.read(build_id)]
    return [event.status for event in events if isinstance(event, e.AgentHeartbeat)]


def processes(server: PostgresServer) -> list[psutil.Process]:
    known = server.process()
    assert known is not None
    parent = psutil.Process(known.pid)
    return [parent, *parent.children(recursive=True)]


# --- A server that goes away ---------------------------------------------------------------------------------------


async def test_nothing_is_lost_or_doubled_when_the_server_is_killed(own_postgres: PostgresServer) -> None:
    store = await PostgresBuilds.open(own_postgres.url())
    builds = [await start(store) for _ in range(4)]
    over = asyncio.Event()

    async def write(build_id: str) -> list[str]:
        said: list[str] = []
        while not over.is_set():
            said.append(str(len(said)))
            await store.append(build_id, len(said), [beat(said[-1])], AT)
        return said

    async def settle(build_id: str) -> list[str]:
        said: list[str] = []
        while not over.is_set():
            said.append(str(len(said)))
            await store.settle(build_id, len(said), [beat(said[-1])], AT, QueueUpdate((said[-1], "always")))
        return said

    writers = [
        asyncio.create_task(work(build_id))
        for work, build_id in zip([write, write, write, settle], builds, strict=True)
    ]
    for _ in range(2):
        before = await store.version(builds[0])
        while await store.version(builds[0]) < before + 20:
            await asyncio.sleep(0.01)
        processes(own_postgres)[0].kill()
        await asyncio.sleep(0.1)
        await own_postgres.start()
    before = await store.version(builds[0])
    while await store.version(builds[0]) < before + 5:
        await asyncio.sleep(0.01)
    over.set()
    for build_id, said in zip(builds, await asyncio.gather(*writers), strict=True):
        assert await statuses(store, build_id) == said
    assert {posted.key for posted in await store.board()} == {"always", (await statuses(store, builds[3]))[-1]}
    await store.close()


async def test_a_server_that_is_frozen_is_given_up_on_and_found_again(own_postgres: PostgresServer) -> None:
    await (await PostgresBuilds.open(own_postgres.url())).close()  # makes the tables, in more time
    store = await PostgresBuilds.open(own_postgres.url(), command_seconds=1.0)
    build_id = await start(store)
    frozen = processes(own_postgres)
    for process in frozen:
        process.send_signal(signal.SIGSTOP)
    waiting = asyncio.create_task(store.append(build_id, 1, [beat("x")], AT))
    settling = asyncio.create_task(store.due(0))
    await asyncio.sleep(3)
    assert not waiting.done()
    for process in frozen:
        process.send_signal(signal.SIGCONT)
    assert (await waiting)[0].seq == 2
    assert (await settling).builds == (build_id,)
    assert await statuses(store, build_id) == ["x"]
    await store.close()


async def test_patience_ends(own_postgres: PostgresServer) -> None:
    store = await PostgresBuilds.open(own_postgres.url(), patience=0.5)
    build_id = await start(store)
    await own_postgres.stop(at_once=True)
    with pytest.raises(StoreFailed) as failed:
        await store.append(build_id, 1, [beat("x")], AT)
    assert failed.value.fix
    await own_postgres.start()
    assert await store.version(build_id) == 1
    await store.close()


async def test_a_process_that_is_to_end_waits_for_no_server(own_postgres: PostgresServer) -> None:
    store = await PostgresBuilds.open(own_postgres.url(), patience=1000)
    build_id = await start(store)
    await own_postgres.stop(at_once=True)
    waiting = asyncio.create_task(store.version(build_id))
    await asyncio.sleep(0.1)
    store.hurry()
    for late in (waiting, asyncio.create_task(store.version(build_id))):
        with pytest.raises(StoreFailed):
            await late
    await store.close()


# --- An answer that is lost ----------------------------------------------------------------------------------------


async def test_what_was_committed_when_the_connection_broke_is_not_written_again(postgres_url: str) -> None:
    async with proxy_to(postgres_url) as (proxy, url):
        store = await PostgresBuilds.open(url, connections=1)
        build_id = str(uuid.uuid4())
        proxy.mark, proxy.swallow = build_id.encode(), 1
        await store.create(build_id, [created(build_id)], AT)
        with pytest.raises(Conflict):
            await store.create(build_id, [created(build_id)], AT)
        for number in range(1, 4):
            proxy.swallow = 1
            await store.append(build_id, number, [beat(str(number))], AT)
        assert proxy.swallowed == 4
        with pytest.raises(StaleVersion):
            await store.append(build_id, 3, [beat("3")], AT)
        proxy.mark, proxy.swallow = b"COMMIT", 1
        _, free = await store.settle(build_id, 4, [beat("4")], AT, QueueUpdate(("a", "b")))
        assert free == ["a", "b"]
        lease = await take(store, build_id, "a", ELSEWHERE, LONG)
        assert lease is not None
        proxy.swallow = 2
        await store.settle(build_id, 5, [beat("5")], AT, QueueUpdate(("b",), leases=(lease,), ended=(lease.key,)))
        lease = await take(store, build_id, "b", ELSEWHERE, LONG)
        assert lease is not None
        proxy.swallow = 1
        update = QueueUpdate(("b",), leases=(lease,), ended=(lease.key,))
        assert (await store.settle(build_id, 6, [], AT, update))[1] == ["b"]
        assert proxy.swallowed == 8
        assert await statuses(store, build_id) == ["1", "2", "3", "4", "5"]
        assert await take(store, build_id, "b", ELSEWHERE, LONG) is not None
        await store.close()


async def test_a_lease_whose_answer_was_lost_is_not_lost_itself(postgres_url: str) -> None:
    async with proxy_to(postgres_url) as (proxy, url):
        store = await PostgresBuilds.open(url, connections=1)
        build_id = await start(store)
        await store.settle(build_id, 1, [], AT, QueueUpdate(("a", "b")))
        assert await take(store, build_id, "b", ELSEWHERE, LONG)
        proxy.mark, proxy.swallow = build_id.encode(), 1
        (lease,) = await store.claim(ELSEWHERE, LONG, WantedClaim(here=[(build_id, "b")]))
        assert {held.token for held in await store.holdings(ELSEWHERE)} > {lease.token}
        proxy.swallow = 1
        assert await store.claim(ELSEWHERE, LONG, WantedClaim(here=[(build_id, "a"), (build_id, "b")])) == []
        await store.settle(build_id, 1, [beat("x")], AT, QueueUpdate(("a",), leases=(lease,)))
        whole = await start(store)
        proxy.mark, proxy.swallow = b"COMMIT", 1
        held = await store.acquire(whole, ELSEWHERE, LONG)
        await store.append(whole, 1, [beat("x")], AT, held.token)
        with pytest.raises(BuildIsRunning):
            await store.acquire(whole, ELSEWHERE, LONG)
        assert proxy.swallowed == 3
        await store.close()


async def test_an_action_is_taken_while_the_lease_of_its_build_is_locked(
    postgres_url: str, store: PostgresBuilds
) -> None:
    build_id = await start(store)
    await store.settle(build_id, 1, [], AT, QueueUpdate(("a", "b")))
    settling = await asyncpg.connect(postgres_url)
    try:
        async with settling.transaction():
            await settling.execute("SELECT 1 FROM leases WHERE build_id = $1 FOR UPDATE", build_id)
            async with asyncio.timeout(10):
                first = await take(store, build_id, "a", ELSEWHERE, LONG)
                second = await take(store, build_id, "b", ELSEWHERE, LONG)
        assert first is not None
        assert second is not None
        assert second.token > first.token
    finally:
        await settling.close()


@asynccontextmanager
async def taking(url: str, build_id: str, key: str, holder: str) -> AsyncIterator[Any]:
    """A connection on which a process is taking an action of a build, until its COMMIT."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("BEGIN")
        await connection.execute(
            "UPDATE actions SET holder = $3, token = token + 1, expires_at = now() + interval '1 hour'"
            " WHERE build_id = $1 AND key = $2",
            *(build_id, key, holder),
        )
        yield connection
    finally:
        await connection.close()


async def until_one_waits(url: str) -> None:
    """Wait until a process waits for a lock of another."""
    async with asyncio.timeout(20):
        connection = await asyncpg.connect(url)
        try:
            while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)
        finally:
            await connection.close()


async def test_an_action_that_another_takes_while_its_end_is_settled_is_not_freed(
    postgres_url: str, store: PostgresBuilds
) -> None:
    build_id = await start(store)
    await store.settle(build_id, 1, [], AT, QueueUpdate(("a",)))
    lease = await take(store, build_id, "a", ELSEWHERE, 0.0)
    assert lease is not None
    async with taking(postgres_url, build_id, "a", "elsewhere:2:1.0") as other:
        update = QueueUpdate((), leases=(lease,), ended=("a",))
        settling = asyncio.create_task(store.settle(build_id, 1, [beat("x")], AT, update))
        await until_one_waits(postgres_url)
        await other.execute("COMMIT")
        with pytest.raises(LostLease):
            await settling
    assert [row.holder for row in await store.board(build_id)] == ["elsewhere:2:1.0"]
    assert await statuses(store, build_id) == []


async def test_an_end_that_a_late_settlement_takes_along_is_refused_to_who_has_lost_its_lease(
    postgres_url: str, store: PostgresBuilds
) -> None:
    """It has no lease at first, so that its first lock is that of the build alone."""
    build_id = await start(store)
    await store.settle(build_id, 1, [beat("first")], AT, QueueUpdate(("a",)))
    lease = await take(store, build_id, "a", ELSEWHERE, 0.0)
    assert lease is not None

    def late(news: Sequence[Recorded], _live: Collection[str]) -> Settlement:
        return Settlement(news[-1].seq, [beat("x")], AT, QueueUpdate((), leases=(lease,), ended=("a",)))

    async with taking(postgres_url, build_id, "a", "elsewhere:2:1.0") as other:
        settling = asyncio.create_task(store.settle(build_id, 1, [], AT, QueueUpdate(("a",)), None, late))
        await until_one_waits(postgres_url)
        await other.execute("COMMIT")
        with pytest.raises(LostLease):
            await settling
    assert [row.holder for row in await store.board(build_id)] == ["elsewhere:2:1.0"]
    assert await statuses(store, build_id) == ["first"]


async def test_a_build_that_wants_nothing_more_is_no_longer_looked_at_first(postgres_url: str) -> None:
    async with proxy_to(postgres_url) as (proxy, url):
        store = await PostgresBuilds.open(url, connections=1)
        build_id = await start(store)
        proxy.mark = build_id.encode()

        async def asks(expected: int, *wanted: str) -> int:
            """How many requests a settlement takes."""
            before = proxy.named

            def late(news: Sequence[Recorded], _live: Collection[str]) -> Settlement:
                return Settlement(news[-1].seq, [], AT, QueueUpdate(wanted))

            await store.settle(build_id, expected, [], AT, QueueUpdate(wanted), None, late)
            return proxy.named - before

        assert await asks(1, "a") == 3
        await store.append(build_id, 1, [beat("x")], AT)
        await asks(1, "a")
        assert await asks(2, "a") == 4, "another process appends to it, so what is new is seen first"
        await asks(1)
        assert await asks(2) == 3
        await store.close()


async def test_a_build_is_not_taken_whole_while_another_takes_its_action(
    postgres_url: str, store: PostgresBuilds
) -> None:
    build_id = await start(store)
    await store.settle(build_id, 1, [], AT, QueueUpdate(("a",)))
    async with taking(postgres_url, build_id, "a", "elsewhere:2:1.0") as other:
        acquiring = asyncio.create_task(store.acquire(build_id, ELSEWHERE, LONG))
        await until_one_waits(postgres_url)
        await other.execute("COMMIT")
        with pytest.raises(BuildIsRunning):
            await acquiring
    assert [row.holder for row in await store.board(build_id)] == ["elsewhere:2:1.0"]


async def test_a_claim_leaves_out_a_build_whose_lease_has_run_out_and_that_another_is_taking(
    postgres_url: str, store: PostgresBuilds
) -> None:
    whole: dict[str, Any] = {}
    for build_id in [await start(store) for _ in range(3)]:
        whole[build_id] = await store.acquire(build_id, ELSEWHERE, 0.0)
        await store.settle(build_id, 1, [], AT, QueueUpdate(("a",)))
    locked = min(whole)
    connection = await asyncpg.connect(postgres_url)
    try:
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM leases WHERE build_id = $1 FOR UPDATE", locked)
            async with asyncio.timeout(10):
                found = await store.claim("elsewhere:2:1.0", LONG, WantedClaim(9))
            assert {lease.build_id for lease in found} == whole.keys() - {locked}
            await connection.execute("SELECT 1 FROM actions WHERE build_id = $1 FOR UPDATE NOWAIT", locked)
        (last,) = await store.claim("elsewhere:2:1.0", LONG, WantedClaim(9, here=[lease.name for lease in found]))
        assert last.build_id == locked
        for lease in (*found, last):
            assert lease.token > 0
            with pytest.raises(LostLease):
                await store.renew(whole[lease.build_id], LONG)
    finally:
        await connection.close()


async def test_many_that_take_settle_and_own_a_build_leave_no_two_holders(
    postgres_url: str, store: PostgresBuilds
) -> None:
    other = await PostgresBuilds.open(postgres_url)
    build_id = await start(store)
    keys = tuple("abcd")

    async def work(mine: PostgresBuilds, holder: str) -> None:
        for turn in range(15):
            version = await mine.version(build_id)
            try:
                await mine.settle(build_id, version, [], AT, QueueUpdate(keys))
                leases = [await take(mine, build_id, key, holder, 0.005 if turn % 2 else LONG) for key in keys]
                for lease in leases:
                    if lease is not None:
                        update = QueueUpdate(keys, leases=(lease,), ended=(lease.key,))
                        version = await mine.version(build_id)
                        await mine.settle(build_id, version, [beat(lease.key, lease.token)], AT, update)
                whole = await mine.acquire(build_id, holder, 0.005 if turn % 3 else LONG)
                await mine.append(
                    build_id, await mine.version(build_id), [beat("the whole build", whole.token)], AT, whole.token
                )
                await mine.release(whole)
            except (StaleVersion, LostLease, BuildIsRunning):
                for row in await mine.holdings(holder):
                    await mine.drop(ActionLease(build_id, row.key, holder, row.token, 0.0))

    try:
        async with asyncio.timeout(60):
            await asyncio.gather(
                *(work(mine, f"elsewhere:{n}:1.0") for n, mine in enumerate((store, other, store, other)))
            )
    finally:
        await other.close()
    events = [recorded.event for recorded in (await store.read(build_id))[1:]]
    # A token belongs to an action, or to the whole build: each of them gives one to one holder.
    tokens = [(event.status, event.attempt) for event in events if isinstance(event, e.AgentHeartbeat)]
    assert len(set(tokens)) == len(tokens) > 0


async def test_another_who_was_first_is_not_mistaken_for_us(postgres_url: str, store: PostgresBuilds) -> None:
    build_id = await start(store)
    async with proxy_to(postgres_url) as (proxy, url):
        late = await PostgresBuilds.open(url, connections=1)
        await late.version(build_id)
        proxy.mark, proxy.swallow = build_id.encode(), 1
        await store.append(build_id, 1, [beat("ours")], AT)
        with pytest.raises(StaleVersion):
            await late.append(build_id, 1, [beat("theirs")], AT)
        proxy.swallow = 1
        with pytest.raises(StaleVersion):
            await late.append(build_id, 1, [beat("ours")], AT + timedelta(seconds=1))
        await late.close()
    assert await statuses(store, build_id) == ["ours"]


async def test_who_stops_waiting_leaves_no_broken_connection_behind(postgres_url: str) -> None:
    store = await PostgresBuilds.open(postgres_url, connections=1)
    build_id = await start(store)
    for delay in (0, 0.0005, 0.001, 0.002, 0.004):
        task = asyncio.create_task(store.settle(build_id, 1, [], AT, QueueUpdate(("a",))))
        await asyncio.sleep(delay)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await store.version(build_id) == 1
    await store.close()


# --- Holders that die ----------------------------------------------------------------------------------------------


async def test_what_a_dead_process_of_this_host_had_is_free_at_once(store: PostgresBuilds) -> None:
    whole, parts = await start(store), await start(store)
    child = psutil.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    holder = holder_of(child.pid)
    lease = await store.acquire(whole, holder, LONG)
    await store.settle(parts, 1, [], AT, QueueUpdate(("a", "b")))
    for key in "ab":
        assert await take(store, parts, key, holder, LONG)
    await store.beat(WorkerRow(holder, "child", 1, 1, AT, AT, 30.0, 0.0, "{}"))
    assert await store.due(0) == ((), ())
    child.kill()
    child.wait()
    assert await store.holder(whole) is None
    assert await store.due(0) == ((whole,), ((parts, "a"), (parts, "b")))
    assert await take(store, parts, "a", this_process(), LONG)
    await store.settle(whole, 1, [], AT, QueueUpdate(()))
    with pytest.raises(LostLease):
        await store.renew(lease, LONG)
    await store.sign_off(this_process())
    assert await store.workers() == []


async def test_a_build_whose_runner_died_settles_at_once(store: PostgresBuilds) -> None:
    build_id = await start(store)
    gone = f"{this_host()}:{os.getpid()}:1"
    await store.acquire(build_id, gone, LONG)
    assert (await store.settle(build_id, 1, [], AT, QueueUpdate(("a",))))[1] == ["a"]
    assert await take(store, build_id, "a", gone, LONG)
    assert (await store.acquire(build_id, this_process(), LONG)).holder == this_process()


# --- Logs and text -------------------------------------------------------------------------------------------------


async def test_lines_of_many_writers_are_numbered_without_a_gap(postgres_url: str) -> None:
    build_id = str(uuid.uuid4())
    stores = [await PostgresBuilds.open(postgres_url, connections=2) for _ in range(3)]

    async def write(number: int, store: PostgresBuilds) -> None:
        for line in range(30):
            await store.write_log(build_id, [LogEntry(AT, "T", number, "said", f"{line}")])
            if line % 10 == 9:
                await store.read_log(build_id)

    await asyncio.gather(*(write(number, store) for number, store in enumerate(stores)))
    for store in stores:
        await store.read_log(build_id, limit=1)
    lines = await stores[0].read_log(build_id)
    assert [line.seq for line in lines] == list(range(1, 91))
    for number in range(3):
        assert [line.text for line in lines if line.attempt == number] == [str(line) for line in range(30)]
    for store in stores:
        await store.close()


async def test_what_ends_an_action_waits_a_moment_for_the_log_of_its_build_alone(
    postgres_url: str, store: PostgresBuilds
) -> None:
    build_id, busy = await start(store), await start(store)
    await store.settle(build_id, 1, [], AT, QueueUpdate(("a", "b")))
    connection = await asyncpg.connect(postgres_url)
    try:
        for number, (key, locked) in enumerate((("a", build_id), ("b", busy)), 1):
            lease = await take(store, build_id, key, ELSEWHERE, LONG)
            assert lease is not None
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", locked)
                await store.write_log(locked, [LogEntry(AT, "", 0, "said", "last words")])
                async with asyncio.timeout(10):
                    update = QueueUpdate(("b",), leases=(lease,), ended=(key,))
                    await store.settle(build_id, number, [beat("x")], AT, update)
        assert [line.text for line in await store.read_log(build_id)] == ["last words"]
        assert [line.text for line in await store.read_log(busy)] == ["last words"]
    finally:
        await connection.close()


async def test_any_text_can_be_kept(store: PostgresBuilds) -> None:
    odd = "NUL \0, half \ud800 a pair, 家"
    build_id = str(uuid.uuid4())
    await store.create(build_id, [created(build_id).model_copy(update={"project_id": odd})], AT)
    await store.append(build_id, 1, [beat(odd)], AT)
    await store.write_log(build_id, [LogEntry(AT, "", 0, "said", odd)])
    assert await statuses(store, build_id) == ["NUL \0, half ? a pair, 家"]
    assert [line.text for line in await store.read_log(build_id)] == ["NUL \u2400, half ? a pair, 家"]
    assert (await store.rows())[0].project_id == "NUL \u2400, half ? a pair, 家"
    assert await store.rows(build_prefix="\0\ud800") == []
    assert await store.board("\0") == []


async def test_what_was_changed_behind_our_back_is_noticed(store: PostgresBuilds, postgres_url: str) -> None:
    build_id = await start(store)
    await store.append(build_id, 1, [beat("x")], AT)
    digest = await store.put_artifact(b"content")
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("UPDATE artifacts SET content = 'other'; UPDATE events SET data = replace(data, 'x', 'y')")
    with pytest.raises(StoreFailed, match="not what was written"):
        await store.read(build_id)
    with pytest.raises(StoreFailed, match="damaged"):
        await store.get_artifact(digest)
    await connection.execute("DELETE FROM events WHERE seq = 1")
    with pytest.raises(StoreFailed, match="some are missing"):
        await store.load(build_id)
    await connection.close()


async def test_builds_at_rest_cost_due_nothing(store: PostgresBuilds, postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(
        "INSERT INTO build_runs (build_id, project_id, user_id, title, phase, control, outcome, version, current_task_id,"
        " created_at, updated_at, settled, wake_at) SELECT 'b' || n, 'p', 'u', 't', 'planning', 'paused', '', 1, '',"
        " now(), now(), true, now() + interval '1 day' FROM generate_series(1, 5000) AS n;"
        " INSERT INTO leases SELECT build_id, '', 1, now() FROM build_runs; ANALYZE"
    )
    build_id = await start(store)
    plan = await connection.fetch(f"EXPLAIN {postgres_queue._DUE}", 1.0, 200)
    assert "Seq Scan on build_runs" not in "\n".join(line for (line,) in plan)
    assert "Seq Scan on leases" not in "\n".join(line for (line,) in plan)
    assert await store.due(0) == ((build_id,), ())
    await connection.close()
