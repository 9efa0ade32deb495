"""One suite for the port `ActionQueue`, over the memory store and the PostgreSQL one."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import pytest

from buildwright.core import event as e
from buildwright.core.event import AnyEvent, Recorded
from buildwright.errors import BuildIsRunning, LostLease, NotFound, StaleVersion
from buildwright.ports import ActionLease, Lease, QueueUpdate, Settlement, WantedClaim, WorkerRow
from buildwright.store.journal_postgres import PostgresBuilds
from tests.adapters.memory_store import MemoryBuilds
from tests.store.process import AT, beat, created, take

Store: TypeAlias = MemoryBuilds | PostgresBuilds
ONE, TWO = "elsewhere:1:1.0", "elsewhere:2:1.0"
LONG = 600.0


class Now:
    """The store's time, in ticks: moved by hand in memory, waited for on PostgreSQL."""

    def __init__(self, real: bool) -> None:
        self.time = AT
        self.tick = 0.02 if real else 1.0
        self._real = real

    def __call__(self) -> datetime:
        return self.time

    async def pass_by(self, ticks: float) -> None:
        self.time += timedelta(seconds=ticks)
        if self._real:
            await asyncio.sleep(ticks * self.tick)


@pytest.fixture(params=["memory", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def now(kind: str) -> Now:
    return Now(real=kind == "postgres")


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("tables_url")) if kind == "postgres" else ""


@pytest.fixture
async def store(kind: str, url: str, now: Now) -> AsyncIterator[Store]:
    opened = await PostgresBuilds.open(url) if kind == "postgres" else MemoryBuilds(now)
    yield opened
    await opened.close()


async def start(store: Store) -> str:
    build_id = str(uuid.uuid4())
    await store.create(build_id, [created(build_id)], AT)
    return build_id


async def post(store: Store, build_id: str, *wanted: str, events: tuple[AnyEvent, ...] = (), **more: Any) -> list[str]:
    """Settle as of the newest version, and say which actions wait."""
    version = await store.version(build_id)
    _, free = await store.settle(build_id, version, events, AT, QueueUpdate(wanted, **more))
    return free


async def taken(store: Store, build_id: str, key: str, holder: str = ONE, seconds: float = LONG) -> ActionLease:
    lease = await take(store, build_id, key, holder, seconds)
    assert lease is not None
    return lease


async def keys(store: Store, build_id: str) -> dict[str, bool]:
    return {posted.key: posted.wanted for posted in await store.board(build_id)}


async def test_what_is_wanted_is_posted_with_the_events_it_follows_from(store: Store) -> None:
    build_id = await start(store)
    recorded, free = await store.settle(build_id, 1, [beat("x")], AT, QueueUpdate(("a", "b")))
    assert [r.seq for r in recorded] == [2]
    assert free == ["a", "b"]
    assert await store.version(build_id) == 2
    for posted in await store.board(build_id):
        assert posted.wanted
        assert (posted.holder, posted.live, posted.beat_at, posted.expires_at) == ("", False, None, None)
    assert await keys(store, build_id) == {"a": True, "b": True}
    assert await post(store, build_id, "b", "c") == ["c"]
    assert await keys(store, build_id) == {"b": True, "c": True}
    assert {posted.build_id for posted in await store.board()} == {build_id}
    assert await store.board(str(uuid.uuid4())) == []


async def test_who_is_late_changes_neither_journal_nor_board(store: Store) -> None:
    build_id = await start(store)
    await post(store, build_id, "a", events=(beat("x"),))
    for expected in (0, 1, 3):
        with pytest.raises(StaleVersion):
            await store.settle(build_id, expected, [beat("y")], AT, QueueUpdate(("b",)))
    with pytest.raises(NotFound):
        await store.settle(str(uuid.uuid4()), 0, [], AT, QueueUpdate(()))
    assert await keys(store, build_id) == {"a": True}
    assert await store.version(build_id) == 2


async def test_the_same_settlement_sent_twice_counts_once(store: Store) -> None:
    build_id = await start(store)
    await post(store, build_id, "a")
    lease = await taken(store, build_id, "a")
    settlement = QueueUpdate(("b",), leases=(lease,), ended=(lease.key,))
    first = await store.settle(build_id, 1, [beat("x"), beat("y")], AT, settlement)
    assert await store.settle(build_id, 1, [beat("x"), beat("y")], AT, settlement) == first
    assert first[1] == ["b"]
    assert await store.version(build_id) == 3
    with pytest.raises(LostLease):
        await store.settle(build_id, 1, [beat("x"), beat("z")], AT, settlement)


async def test_one_takes_an_action_and_its_facts_need_its_lease(store: Store) -> None:
    build_id = await start(store)
    await post(store, build_id, "a")
    assert await take(store, build_id, "b", ONE, LONG) is None
    assert await take(store, str(uuid.uuid4()), "a", ONE, LONG) is None
    lease = await taken(store, build_id, "a")
    assert lease[:3] == (build_id, "a", ONE)
    assert lease.waited >= 0
    assert await take(store, build_id, "a", TWO, LONG) is None
    (posted,) = await store.board(build_id)
    assert (posted.holder, posted.token, posted.live) == (ONE, lease.token, True)
    assert posted.beat_at is not None
    assert posted.expires_at is not None
    for wrong in (lease._replace(token=lease.token + 1), lease._replace(key="b")):
        with pytest.raises(LostLease):
            await store.settle(build_id, 1, [beat("x")], AT, QueueUpdate(("a",), leases=(wrong,)))
    assert await post(store, build_id, "a", events=(beat("x"),), leases=(lease,)) == []
    assert await post(store, build_id, "b", events=(beat("y"),), leases=(lease,), ended=(lease.key,)) == ["b"]
    assert await keys(store, build_id) == {"b": True}
    with pytest.raises(LostLease):
        await post(store, build_id, "b", events=(beat("z"),), leases=(lease,))


async def test_several_actions_end_in_one_settlement_or_none_does(store: Store) -> None:
    build_id = await start(store)
    await post(store, build_id, "a", "b", "c")
    first, second = await taken(store, build_id, "a"), await taken(store, build_id, "b")
    stale = second._replace(token=second.token - 1)
    with pytest.raises(LostLease, match="the lease on b"):
        await post(store, build_id, events=(beat("x"),), leases=(first, stale), ended=("a", "b"))
    assert [(row.key, row.live) for row in await store.board(build_id)] == [("a", True), ("b", True), ("c", False)]
    both = await post(store, build_id, "a", "d", events=(beat("y"),), leases=(first, second), ended=("a", "b"))
    assert sorted(both) == ["a", "d"]
    assert {row.key: row.live for row in await store.board(build_id)} == {"a": False, "d": False}
    third = await taken(store, build_id, "d")
    assert await post(store, build_id, "a", "d", leases=(third,)) == []
    assert {row.key: row.live for row in await store.board(build_id)} == {"a": False, "d": True}


async def test_a_settlement_that_is_late_is_made_anew_under_the_lock(store: Store) -> None:
    build_id = await start(store)
    await post(store, build_id, "a", "b", events=(beat("x"), beat("y")))
    lease = await taken(store, build_id, "a")
    seen: list[tuple[list[int], list[str]]] = []

    def late(news: Sequence[Recorded], live: Collection[str]) -> Settlement:
        seen.append(([recorded.seq for recorded in news], sorted(live)))
        update = QueueUpdate(("b", "c"), leases=(lease,), ended=("a",))
        return Settlement(news[-1].seq, [beat("z")], AT, update)

    stale = QueueUpdate(("b",), leases=(lease,), ended=("a",))
    recorded, free = await store.settle(build_id, 1, [beat("z"), beat("w")], AT, stale, None, late)
    assert seen == [([2, 3], ["a"])]
    assert ([one.seq for one in recorded], free) == ([4], ["c"])
    assert await store.read(build_id, after=3) == recorded
    assert [row.key for row in await store.board(build_id)] == ["b", "c"]
    # What is there already, or was not late, is not made anew; what is no longer ours stays refused.
    again = await store.settle(build_id, 3, [beat("z")], AT, QueueUpdate(("b", "c")), None, late)
    assert again == (recorded, ["b", "c"])
    await store.settle(build_id, 4, [], AT, QueueUpdate(("b", "c")), None, late)
    assert len(seen) == 1
    with pytest.raises(LostLease):
        await store.settle(build_id, 1, [beat("v")], AT, QueueUpdate(("b",), leases=(lease,)), None, late)
    assert await store.version(build_id) == 4


async def test_an_action_that_ended_and_is_still_wanted_comes_back_with_a_larger_token(store: Store) -> None:
    build_id = await start(store)
    await post(store, build_id, "a")
    tokens = []
    for _ in range(3):
        lease = await taken(store, build_id, "a")
        tokens.append(lease.token)
        assert await post(store, build_id, "a", leases=(lease,), ended=(lease.key,)) == ["a"]
    whole = await store.acquire(build_id, ONE, LONG)
    tokens.append(whole.token)
    await store.release(whole)
    await post(store, build_id, "a", "b")
    tokens += [(await taken(store, build_id, key)).token for key in "ba"]
    assert tokens == sorted(set(tokens))


async def test_a_lease_that_ran_out_goes_to_another_and_its_facts_are_refused(store: Store, now: Now) -> None:
    build_id = await start(store)
    await post(store, build_id, "a")
    first = await taken(store, build_id, "a", seconds=10 * now.tick)
    await now.pass_by(11)
    (posted,) = await store.board(build_id)
    assert (posted.holder, posted.live) == (ONE, False)
    assert [held.token for held in await store.holdings(ONE)] == [first.token]
    second = await taken(store, build_id, "a", TWO)
    assert second.token > first.token
    assert second.waited < 10 * now.tick + 5
    with pytest.raises(LostLease):
        await post(store, build_id, "a", events=(beat("x"),), leases=(first,))
    await store.keep([first], LONG)
    await store.drop(first)
    assert await store.holdings(ONE) == []
    assert await post(store, build_id, "a", events=(beat("x"),), leases=(second,)) == []


async def test_a_lease_is_kept_as_long_as_its_holder_says_so(store: Store, now: Now) -> None:
    build_id = await start(store)
    await post(store, build_id, "a", "b")
    leases = [await taken(store, build_id, key, seconds=10 * now.tick) for key in "ab"]
    await store.keep(leases, LONG)
    await now.pass_by(11)
    assert [posted.live for posted in await store.board(build_id)] == [True, True]
    assert await take(store, build_id, "a", TWO, LONG) is None
    await store.keep([], LONG)


async def test_a_row_that_is_not_wanted_stays_until_its_holder_lets_go(store: Store, now: Now) -> None:
    build_id = await start(store)
    await post(store, build_id, "a", "b", "c")
    first = await taken(store, build_id, "a")
    await taken(store, build_id, "b", seconds=10 * now.tick)
    assert await post(store, build_id, "d") == ["d"]
    assert await keys(store, build_id) == {"a": False, "b": False, "d": True}
    assert {(held.key, held.wanted) for held in await store.holdings(ONE)} == {("a", False), ("b", False)}
    await store.drop(first)
    assert await keys(store, build_id) == {"b": False, "d": True}
    await now.pass_by(11)
    assert await keys(store, build_id) == {"d": True}
    assert await take(store, build_id, "b", TWO, LONG) is None
    await store.due(0)
    assert [held.key for held in await store.holdings(ONE)] == []


async def test_an_action_that_is_let_go_waits_for_somebody_else(store: Store) -> None:
    build_id = await start(store)
    await post(store, build_id, "a")
    lease = await taken(store, build_id, "a")
    await store.drop(lease)
    await store.drop(lease)
    assert (await store.due(LONG)).actions == ((build_id, "a"),)
    with pytest.raises(LostLease):
        await post(store, build_id, "a", events=(beat("x"),), leases=(lease,))
    assert (await taken(store, build_id, "a", TWO)).token > lease.token


async def test_a_paused_build_starts_nothing_and_what_runs_goes_on(store: Store, now: Now) -> None:
    build_id = await start(store)
    await post(store, build_id, "a", "b")
    lease = await taken(store, build_id, "a", seconds=10 * now.tick)
    assert await post(store, build_id, "a", "b", "c", events=(e.BuildPaused(reason="user"),), start=False) == []
    assert await keys(store, build_id) == {"a": True}
    await now.pass_by(11)
    assert (await store.due(0)).actions == ()
    await store.keep([lease], LONG)
    assert await post(store, build_id, "a", "b", leases=(lease,), ended=(lease.key,), start=False) == []
    assert await keys(store, build_id) == {}


async def test_due_offers_each_thing_once_in_a_while(store: Store, now: Now) -> None:
    build_id, other = await start(store), await start(store)
    due = await store.due(20 * now.tick)
    assert set(due.builds) == {build_id, other}
    assert due.actions == ()
    await post(store, build_id, "a", "b")
    await post(store, other)
    await taken(store, build_id, "b")
    assert await store.due(20 * now.tick) == ((), ((build_id, "a"),))
    assert await store.due(20 * now.tick) == ((), ())
    await now.pass_by(21)
    assert await store.due(20 * now.tick) == ((), ((build_id, "a"),))
    await store.append(other, 1, [beat("x")], AT)
    assert (await store.due(20 * now.tick)).builds == (other,)
    assert len((await store.due(0, limit=1)).actions) == 1
    await post(store, other)
    await store.append(other, 2, [e.StopRequested()], AT)
    await post(store, other)
    assert (await store.due(20 * now.tick)).builds == (other,)


async def test_a_build_is_due_when_its_time_has_come(store: Store, now: Now) -> None:
    build_id = await start(store)
    await post(store, build_id, wake_at=await store.time() + timedelta(seconds=10 * now.tick))
    assert await store.due(0) == ((), ())
    await now.pass_by(11)
    assert (await store.due(0)).builds == (build_id,)
    await post(store, build_id)
    assert await store.due(0) == ((), ())


async def test_one_who_holds_the_whole_build_excludes_the_board(store: Store, now: Now) -> None:
    build_id = await start(store)
    await post(store, build_id, "a")
    whole = await store.acquire(build_id, ONE, 20 * now.tick)
    with pytest.raises(BuildIsRunning, match=r"by process 1 on elsewhere$"):
        await store.settle(build_id, 1, [beat("x")], AT, QueueUpdate(("a",)))
    assert await take(store, build_id, "a", TWO, LONG) is None
    assert await store.due(0) == ((), ())
    await store.release(whole)
    assert (await store.due(0)).builds == (build_id,)
    await post(store, build_id, "a")
    lease = await taken(store, build_id, "a", TWO, 20 * now.tick)
    with pytest.raises(BuildIsRunning, match=r"by process 2 on elsewhere$"):
        await store.acquire(build_id, ONE, LONG)
    with pytest.raises(LostLease):
        await store.renew(whole, LONG)
    await now.pass_by(21)
    await store.acquire(build_id, ONE, 20 * now.tick)
    await now.pass_by(21)
    with pytest.raises(LostLease):
        await post(store, build_id, "a", leases=(lease,))
    assert await post(store, build_id, "a") == ["a"]


async def test_of_many_that_take_one_gets_each_action(store: Store, kind: str, url: str) -> None:
    build_id = await start(store)
    wanted = [f"run-agent/T{number}/1" for number in range(100)]
    await post(store, build_id, *wanted)
    other = await PostgresBuilds.open(url) if kind == "postgres" else store
    takes = [
        take(taker, build_id, key, holder, LONG) for key in wanted for taker, holder in ((store, ONE), (other, TWO))
    ]
    leases = [lease for lease in await asyncio.gather(*takes) if lease is not None]
    assert sorted(lease.key for lease in leases) == sorted(wanted)
    assert len({lease.token for lease in leases}) == len(wanted)
    held = await store.holdings(ONE) + await store.holdings(TWO)
    assert {(row.key, row.token) for row in held} == {(lease.key, lease.token) for lease in leases}
    if other is not store:
        await other.close()


async def test_the_whole_build_and_its_actions_are_never_held_at_once(store: Store) -> None:
    for _ in range(15):
        build_id = await start(store)
        await post(store, build_id, "a", "b")
        answers = await asyncio.gather(
            store.acquire(build_id, ONE, LONG),
            take(store, build_id, "a", TWO, LONG),
            take(store, build_id, "b", TWO, LONG),
            return_exceptions=True,
        )
        whole = isinstance(answers[0], Lease)
        assert whole or isinstance(answers[0], BuildIsRunning), answers
        assert whole != any(isinstance(answer, ActionLease) for answer in answers[1:]), answers


async def test_settlements_and_takers_at_once_leave_a_board_that_is_right(store: Store) -> None:
    build_id = await start(store)
    await post(store, build_id, *"abcdef")

    async def work(holder: str) -> None:
        while (await store.board(build_id)) and (await store.version(build_id)) < 40:
            for key in "abcdef":
                lease = await take(store, build_id, key, holder, LONG)
                if lease is None:
                    continue
                while True:
                    version = await store.version(build_id)
                    try:
                        settlement = QueueUpdate(tuple("abcdef"), leases=(lease,), ended=(lease.key,))
                        await store.settle(build_id, version, [beat(holder, lease.token)], AT, settlement)
                        break
                    except StaleVersion:
                        continue

    await asyncio.gather(work(ONE), work(TWO), work("elsewhere:3:1.0"))
    events = [recorded.event for recorded in (await store.read(build_id))[1:]]
    assert len({event.attempt for event in events if isinstance(event, e.AgentHeartbeat)}) == len(events)
    assert await keys(store, build_id) == dict.fromkeys("abcdef", True)
    assert not any(posted.live for posted in await store.board(build_id))


async def test_workers_are_listed_until_they_sign_off(store: Store, now: Now) -> None:
    zero = datetime(2000, 1, 1, tzinfo=UTC)
    row = WorkerRow(ONE, "one", 4, 1, zero, zero, 30.0, 0.0, '{"queue": 0.5}')
    await store.beat(row)
    await now.pass_by(1)
    await store.beat(row._replace(holder=TWO, name="two"))
    await store.beat(row._replace(busy=3))
    first, second = await store.workers()
    assert (first.holder, first.busy, first.report, second.name) == (ONE, 3, '{"queue": 0.5}', "two")
    assert first.started_at < second.started_at <= first.beat_at
    assert first.silent_seconds >= 0
    await store.sign_off(ONE)
    await store.sign_off(ONE)
    assert [worker.holder for worker in await store.workers()] == [TWO]


async def test_who_has_room_claims_what_has_waited_longest_in_all_builds(store: Store, now: Now) -> None:
    one, other = await start(store), await start(store)
    await post(store, one, "b/1")
    await now.pass_by(1)
    await post(store, other, "a/1", "a/2")
    await now.pass_by(1)
    await post(store, one, "b/1", "c/1")

    async def claimed(holder: str, claim: WantedClaim) -> list[tuple[str, str]]:
        leases = await store.claim(holder, LONG, claim)
        assert [lease.version for lease in leases] == [await store.version(lease.build_id) for lease in leases]
        names = [lease.name for lease in leases]
        for lease in leases:
            await store.drop(lease)
        return sorted(names, key=names.index)

    assert set(await claimed(ONE, WantedClaim(2))) == {(one, "b/1"), (other, "a/1")}
    assert await claimed(ONE, WantedClaim(kinds=("c", "d"))) == [(one, "c/1")]
    assert await claimed(ONE, WantedClaim(first=[(one, "c/1")])) == [(one, "c/1")]
    assert set(await claimed(ONE, WantedClaim(9, left=[other]))) == {(one, "b/1"), (one, "c/1")}
    held = await store.claim(ONE, LONG, WantedClaim(9))
    assert len({lease.token for lease in held}) == len(held) == 4
    assert await store.claim(ONE, LONG, WantedClaim(9, here=[lease.name for lease in held])) == []
    assert await store.claim(TWO, LONG, WantedClaim(9)) == []
    (again,) = await store.claim(ONE, LONG, WantedClaim(9, here=[lease.name for lease in held[1:]]))
    assert again.name == held[0].name, "its answer was lost, as far as the holder knows"
    assert again.token > held[0].token
    await post(store, other, "a/1", "a/2", events=(e.BuildPaused(reason="user"),), start=False)
    for lease in (again, *held[1:]):
        await store.drop(lease)
    assert {lease.name for lease in await store.claim(TWO, LONG, WantedClaim(9))} == {(one, "b/1"), (one, "c/1")}


async def test_of_many_that_claim_at_once_each_action_goes_to_one(store: Store, kind: str, url: str) -> None:
    build_id = await start(store)
    wanted = [f"run-agent/T{number}/1" for number in range(60)]
    await post(store, build_id, *wanted)
    other = await PostgresBuilds.open(url) if kind == "postgres" else store
    leases: list[ActionLease] = []

    async def work(taker: Store, holder: str) -> None:
        mine: list[ActionLease] = []
        while len(leases) < len(wanted):
            found = await taker.claim(holder, LONG, WantedClaim(4, here=[lease.name for lease in mine]))
            mine.extend(found)
            leases.extend(found)

    async with asyncio.timeout(30):
        await asyncio.gather(work(store, ONE), work(other, TWO), work(store, "elsewhere:3:1.0"))
    assert sorted(lease.key for lease in leases) == sorted(wanted)
    assert len({lease.token for lease in leases}) == len(wanted)
    if other is not store:
        await other.close()
