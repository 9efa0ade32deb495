"""What becomes of actions that a worker claims and does not carry out: because they are late, broken, or not wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any

import pytest

from buildwright.core.action import RunAgent
from buildwright.core.build import Build
from buildwright.core.limits import Limits, Options
from buildwright.core.spec import Spec
from buildwright.engine import commands
from buildwright.engine.adapters import Adapters
from buildwright.engine.poll import renew_leases
from buildwright.engine.worker import CLAIMED_SECONDS, Room, Worker
from buildwright.errors import StoreFailed
from buildwright.ports import ActionLease, ActionName, QueueUpdate
from buildwright.wiring.adapters import NoHints
from tests.adapters.clock import ManualClock
from tests.adapters.memory_store import MemoryBuilds
from tests.engine.harness import tasks
from tests.simulation.loop import SimulatedLoop
from tests.store.process import AT, take

HERE, ELSEWHERE = "here:1:1", "elsewhere:1:1"


class SlowBuilds:
    """The real store, on the event loop's time; it loads a build, and answers a claim, after so many seconds."""

    def __init__(self, load: float = 0.0, claim: float = 0.0) -> None:
        self._builds = MemoryBuilds(lambda: AT + timedelta(seconds=asyncio.get_running_loop().time()))
        self._load, self._claim = load, claim

    def __getattr__(self, name: str) -> Any:
        return getattr(self._builds, name)

    async def load(self, build_id: str) -> Build:
        await asyncio.sleep(self._load)
        return await self._builds.load(build_id)

    async def claim(self, *asked: Any) -> list[ActionLease]:
        leases = await self._builds.claim(*asked)
        await asyncio.sleep(self._claim)
        return leases


class Place:
    """A build with two tasks that are to be begun, and a worker with one slot that has not seen it yet.

    Beginning one takes `begins` seconds and ends with `error`; `begun` has when, in seconds of the event loop.
    """

    def __init__(self, slow: SlowBuilds, error: Exception, begins: float = 0.0) -> None:
        self.builds: Any = slow
        self._begins = begins
        self.build_id = ""
        self.begun: list[float] = []
        self._error = error
        self._clock = ManualClock()
        self.worker = self._worker(HERE)

    def _worker(self, holder: str) -> Worker:
        return Worker(self.builds, self.builds, NoHints(), self._clock, holder, self._begin, slots=1)

    async def _begin(self, _options: Options) -> Adapters:
        self.begun.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self._begins)
        raise self._error

    async def post(self, *keys: str, by_hand: bool = False, heartbeat: float = 10.0) -> None:
        """Make a build whose board wants these keys, whatever the build itself wants."""
        limits = Limits(concurrency=2, heartbeat_seconds=heartbeat)
        options = Options(agent="noop", lanes=False, gates=False, by_hand=by_hand, limits=limits)
        new = commands.NewBuild(Spec(title="t", graph=tasks("a", "b")), options, "", "", "p", "u")
        self.build_id = await commands.create(self.builds, self._clock, new)
        await self._worker(ELSEWHERE).advance(self.build_id)
        for count in range(1, len(keys) + 1):  # each later than the one before
            version = await self.builds.version(self.build_id)
            await self.builds.settle(self.build_id, version, [], AT, QueueUpdate(keys[:count]))
            await asyncio.sleep(0.01)

    async def a_second(self) -> None:
        """Let a second pass, on the event loop and on the worker's clock."""
        await asyncio.sleep(1)
        await self._clock.advance(1)

    async def board(self) -> dict[str, bool]:
        """The keys of the board, and whether each is held."""
        return {row.key: row.live for row in await self.builds.board(self.build_id)}


A, B, GONE = RunAgent("a", 1).key, RunAgent("b", 1).key, RunAgent("gone", 1).key


def on_virtual_time(main: Coroutine[Any, Any, None]) -> None:
    """Run it to its end."""
    SimulatedLoop(1).run_until_complete(main)


def test_an_action_that_an_error_of_ours_broke_off_is_left_alone_for_as_long_as_its_lease() -> None:
    async def main() -> None:
        place = Place(SlowBuilds(), ValueError("a bug"))
        await place.post(A)
        for _ in range(5):
            try:
                await place.worker.perform(place.build_id, A)
            except ValueError:
                continue
        assert len(place.begun) == 1
        await asyncio.sleep(31)
        assert await place.board() == {A: False}
        with pytest.raises(ValueError, match="a bug"):
            await place.worker.perform(place.build_id, A)
        assert len(place.begun) == 2

    on_virtual_time(main())


def test_what_is_not_wanted_any_more_leaves_the_board_and_what_waits_is_begun() -> None:
    async def main() -> None:
        place = Place(SlowBuilds(), StoreFailed("no such program"))
        await place.post(GONE, A, B)
        await place.worker.perform(place.build_id, GONE)
        assert len(place.begun) == 1
        assert await place.board() == {A: False, B: False}
        assert {key for _, key in (await place.builds.due(0)).actions} == {A, B}

    on_virtual_time(main())


def test_what_a_build_driven_by_hand_does_not_want_to_begin_leaves_the_board() -> None:
    async def main() -> None:
        place = Place(SlowBuilds(), StoreFailed("no such program"))
        await place.post(A, by_hand=True)
        await place.worker.perform(place.build_id, A)
        assert (place.begun, await place.board()) == ([], {})
        assert await place.builds.due(0) == ((), ())

    on_virtual_time(main())


@pytest.mark.parametrize(("seconds", "begun"), [(CLAIMED_SECONDS - 10, 1), (CLAIMED_SECONDS + 10, 0)])
def test_an_action_whose_build_is_read_slowly_is_begun_only_under_its_lease(seconds: float, begun: int) -> None:
    async def main() -> None:
        place = Place(SlowBuilds(load=seconds), StoreFailed("no such program"))
        await place.post(A)
        performing = asyncio.create_task(place.worker.perform(place.build_id, A))
        await asyncio.sleep(CLAIMED_SECONDS + 5)
        other = await take(place.builds, place.build_id, A, ELSEWHERE, 600.0)
        assert other is not None, "its lease has run out, or was released"
        await performing
        assert len(place.begun) == begun

    on_virtual_time(main())


def test_what_a_process_claimed_that_then_stopped_is_free_soon_however_long_leases_of_the_build_are() -> None:
    async def main() -> None:
        place = Place(SlowBuilds(load=600.0), StoreFailed("no such program"))
        await place.post(A)
        performing = asyncio.create_task(place.worker.perform(place.build_id, A))
        await asyncio.sleep(1)
        (row,) = await place.builds.board(place.build_id)
        assert row.expires_at - row.beat_at == timedelta(seconds=CLAIMED_SECONDS)
        assert timedelta(seconds=CLAIMED_SECONDS) < timedelta(seconds=3 * Limits().heartbeat_seconds)
        performing.cancel()

    on_virtual_time(main())


def test_the_first_renewal_of_a_claim_comes_in_time_and_is_for_as_long_as_the_build_says() -> None:
    async def main() -> None:
        place = Place(SlowBuilds(), StoreFailed("no such program"), begins=40.0)
        await place.post(A, heartbeat=30.0)
        performing = asyncio.create_task(place.worker.perform(place.build_id, A))
        renewing = asyncio.create_task(renew_leases(place.worker))
        lasts = []
        for _ in range(38):
            await place.a_second()
            (row,) = [row for row in await place.builds.board(place.build_id) if row.key == A]
            assert row.live
            assert row.holder == HERE
            lasts.append((row.expires_at - row.beat_at).total_seconds())
        assert lasts == sorted(lasts)
        assert {*lasts} == {CLAIMED_SECONDS, 90.0}
        await performing
        renewing.cancel()

    on_virtual_time(main())


def test_who_stops_waiting_for_a_claim_leaves_nothing_claimed() -> None:
    async def main() -> None:
        place = Place(SlowBuilds(claim=5.0), StoreFailed("no such program"))
        await place.post(A, B)
        performing = asyncio.create_task(place.worker.perform(place.build_id, A))
        await asyncio.sleep(1)
        assert await place.board() == {A: True, B: False}
        performing.cancel()
        await asyncio.sleep(5)
        assert performing.cancelled()
        assert await place.board() == {A: False, B: False}
        await place.worker.perform(place.build_id, A)
        assert len(place.begun) == 1

    on_virtual_time(main())


@pytest.mark.parametrize("slow", ["claim", "load"])
def test_a_worker_that_closes_waits_for_what_it_is_claiming_and_releases_it(slow: str) -> None:
    async def main() -> None:
        place = Place(SlowBuilds(**{slow: 5.0}), StoreFailed("no such program"))
        await place.post(A)
        performing = asyncio.create_task(place.worker.perform(place.build_id, A))
        await asyncio.sleep(1)
        assert await place.board() == {A: True}
        await place.worker.close()
        assert await place.board() == {A: False}
        await performing
        assert place.begun == []

    on_virtual_time(main())


# --- The claims of a room ------------------------------------------------------------------------------------------


class Claims:
    """The store's side of a room: each claim is answered when the test says so."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[ActionName], int]] = []
        self.answers: list[asyncio.Future[list[ActionLease]]] = []
        self.released: list[str] = []
        self.on_release: Callable[[], object] = lambda: None
        self.room = Room(2, self._claim, self._release)

    async def _claim(self, first: Sequence[ActionName], limit: int) -> list[ActionLease]:
        self.asked.append((list(first), limit))
        self.answers.append(asyncio.get_running_loop().create_future())
        return await self.answers[-1]

    async def _release(self, lease: ActionLease) -> None:
        self.released.append(lease.key)
        self.on_release()

    def ask(self, *keys: str) -> list[asyncio.Task[Any]]:
        return [asyncio.create_task(self.room.claim(("b", key))) for key in keys]

    async def until(self, count: int) -> None:
        """Wait for that many claims."""
        while len(self.asked) < count:
            await asyncio.sleep(0)


def leases(*keys: str) -> list[ActionLease]:
    return [ActionLease("b", key, HERE, 1, 0.0) for key in keys]


async def test_what_is_claimed_for_one_that_has_stopped_waiting_goes_to_another_or_is_released() -> None:
    claims = Claims()
    first, second, third = claims.ask("x", "y", "z")
    await claims.until(1)
    assert claims.asked == [([("b", "x"), ("b", "y"), ("b", "z")], 3)]
    late, later = claims.ask("v", "w")
    await asyncio.sleep(0)
    second.cancel()
    later.cancel()
    await asyncio.sleep(0)
    claims.answers[0].set_result(leases("x", "y", "z"))
    assert [(await one)[0].key for one in (first, third)] == ["x", "y"]
    await claims.until(2)
    assert claims.released == ["z"]
    assert claims.asked[1] == ([("b", "v")], 1), "one who no longer waits is not asked for"
    claims.answers[1].set_result([])
    assert await late is None
    await claims.room.quiet()


async def test_who_is_cancelled_just_when_the_answer_has_come_releases_it() -> None:
    claims = Claims()
    (only,) = claims.ask("x")
    await claims.until(1)
    claims.on_release = only.cancel  # in the very step in which it gets its answer
    claims.answers[0].set_result(leases("x", "one too many"))
    with pytest.raises(asyncio.CancelledError):
        await only
    assert claims.released == ["one too many", "x"]


async def test_all_that_ask_together_raise_what_their_claim_raises_and_the_next_is_asked_anew() -> None:
    claims = Claims()
    asking = claims.ask("x", "y")
    await claims.until(1)
    claims.answers[0].set_exception(StoreFailed("away"))
    assert [str(error) for error in await asyncio.gather(*asking, return_exceptions=True)] == ["away"] * 2
    (again,) = claims.ask("x")
    await claims.until(2)
    claims.answers[1].set_result(leases("x"))
    assert (await again)[0].key == "x"
