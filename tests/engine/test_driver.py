"""The driver by itself, over the queue that workers share: what goes in one commit, and what becomes of each arrival."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest

from buildwright.core import event as e
from buildwright.core.action import RunAgent
from buildwright.core.build import Build
from buildwright.core.event import AnyEvent
from buildwright.core.limits import Limits, Options
from buildwright.core.spec import Spec
from buildwright.engine import commands
from buildwright.engine.driver import Driver
from buildwright.engine.running_action import ClaimedAction
from buildwright.engine.shared_build import SharedBuilds
from buildwright.errors import DiskFull, LostLease, StoreFailed
from buildwright.wiring.adapters import NoHints
from tests.adapters.clock import ManualClock
from tests.adapters.memory_store import MemoryBuilds
from tests.engine.harness import tasks

HERE, ELSEWHERE = "here:1:1", "elsewhere:1:1"


class Board:
    """The real queue; it counts settlements, and `trouble` is what the next of them end with, done or not."""

    def __init__(self, builds: MemoryBuilds) -> None:
        self._builds = builds
        self.settled: list[tuple[str, ...]] = []
        """For each settlement that was made, the types of its events."""
        self.trouble: list[tuple[Exception, bool]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._builds, name)

    async def settle(self, build_id: str, expected: int, events: Any, *more: Any) -> Any:
        await asyncio.sleep(0)
        trouble, done = self.trouble.pop(0) if self.trouble else (None, True)
        answer = None
        if done:
            answer = await self._builds.settle(build_id, expected, events, *more)
            self.settled.append(tuple(recorded.event.type for recorded in answer[0]))
        if trouble is not None:
            raise trouble
        return answer


class Place:
    """A build whose tasks are all being worked on in this process, each under a lease."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.builds = MemoryBuilds(self.clock.now)
        self.board = Board(self.builds)
        board: Any = self.board
        self.shared = SharedBuilds(self.builds, board, NoHints(), self.clock, lambda *_, **__: None)
        self.build_id = ""

    @property
    def driver(self) -> Driver:
        return self.shared.driver(self.build_id)

    async def begin(self, *names: str) -> list[ClaimedAction]:
        options = Options(agent="noop", lanes=False, gates=False, limits=Limits(concurrency=len(names)))
        new = commands.NewBuild(Spec(title="t", graph=tasks(*names)), options, "", "", "p", "u")
        self.build_id = await commands.create(self.builds, self.clock, new)
        build = await self.driver.record()
        self.board.settled.clear()
        return [await self.claim(build, name) for name in names]

    async def claim(self, build: Build, name: str, holder: str = HERE) -> ClaimedAction:
        action = RunAgent(name, build.task(name).attempt)
        lease = await self.builds.take(self.build_id, action.key, holder, 60.0)
        assert lease is not None
        board: Any = self.board
        return ClaimedAction(board, lease, action, build, asyncio.get_running_loop().time())

    async def types(self) -> list[str]:
        return [recorded.event.type for recorded in await self.builds.read(self.build_id)]


def finished(claimed: ClaimedAction) -> list[AnyEvent]:
    assert isinstance(claimed.action, RunAgent)
    return [e.AgentFinished(task=claimed.action.task, attempt=claimed.action.attempt)]


def paid(claimed: ClaimedAction) -> AnyEvent:
    assert isinstance(claimed.action, RunAgent)
    return e.TokensUsed(task=claimed.action.task, attempt=1, model="m", input_tokens=1, cost_usd=Decimal("0.25"))


async def ends(place: Place, claimed: Iterable[ClaimedAction]) -> list[Build | BaseException]:
    """What each of them gets that ends now."""
    recording = (place.driver.record(finished(one), one, ended=True) for one in claimed)
    return await asyncio.gather(*recording, return_exceptions=True)


async def test_what_ends_while_a_commit_is_under_way_shares_the_next_one() -> None:
    place = Place()
    first, *others = await place.begin(*"abcdef")
    recording = asyncio.create_task(place.driver.record(finished(first), first, ended=True))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # its commit is under way
    answers = await ends(place, others)
    await recording
    assert [types.count("agent.finished") for types in place.board.settled] == [1, 5]
    assert {build.done for build in answers if isinstance(build, Build)} == {6}
    assert await place.builds.board(place.build_id) == []
    assert (await place.types())[-1] == "build.finished"


async def test_a_lost_lease_costs_the_others_of_a_commit_nothing_and_what_was_paid_counts() -> None:
    place = Place()
    kept, lost, told = await place.begin(*"abc")
    for one in (lost, told):
        await place.builds.drop(one.lease)
        await place.claim(one.build, one.key.split("/")[1], ELSEWHERE)
    place.driver.hand_in([paid(told)], told)
    recording = (
        place.driver.record(finished(kept), kept, ended=True),
        place.driver.record([*finished(lost), paid(lost)], lost, ended=True),
    )
    after, refused = await asyncio.gather(*recording, return_exceptions=True)
    assert isinstance(after, Build)
    assert isinstance(refused, LostLease)
    assert (kept.lost, lost.lost, told.lost) == (False, True, True)
    build = await place.builds.load(place.build_id)
    assert (build.done, build.usage.cost_usd) == (1, Decimal("0.50"))


async def test_a_build_ends_only_with_the_last_of_its_actions() -> None:
    place = Place()
    first, second = await place.begin(*"ab")
    await commands.ask(place.builds, place.clock, place.build_id, commands.StopBuild())
    assert not (await place.driver.record()).is_terminal
    assert {row.key: row.wanted for row in await place.builds.board(place.build_id)} == {
        first.key: False,
        second.key: False,
    }
    assert not (await place.driver.record((), first, ended=True)).is_terminal
    assert (await place.driver.record((), second, ended=True)).outcome == "stopped"
    assert (await place.types()).count("build.finished") == 1


async def test_two_processes_that_commit_at_once_both_record_all() -> None:
    place = Place()
    here, there = await place.begin(*"ab")
    board: Any = place.board
    other = SharedBuilds(place.builds, board, NoHints(), place.clock, lambda *_, **__: None)
    await asyncio.gather(
        place.driver.record(finished(here), here, ended=True),
        other.driver(place.build_id).record(finished(there), there, ended=True),
    )
    assert (await place.types()).count("agent.finished") == 2
    assert (await place.builds.load(place.build_id)).outcome == "succeeded"


@pytest.mark.parametrize("arrived", [False, True])
async def test_facts_wait_for_the_store_and_are_recorded_once(arrived: bool) -> None:
    """Whether the try that broke had been carried out, or not."""
    place = Place()
    (only,) = await place.begin("a")
    place.board.trouble = [(StoreFailed("away"), arrived)]
    recording = asyncio.create_task(place.driver.record([paid(only), *finished(only)], only, ended=True))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not recording.done()
    await place.clock.advance(60.0)
    build = await recording
    assert (build.done, build.usage.cost_usd) == (1, Decimal("0.25"))
    assert (await place.types()).count("tokens.used") == 1


async def test_a_process_that_is_to_end_waits_for_no_store_and_a_look_at_a_build_never_does() -> None:
    place = Place()
    (only,) = await place.begin("a")
    place.board.trouble = [(DiskFull("full"), False)] * 2
    with pytest.raises(DiskFull):
        await place.driver.record()
    place.shared.patient = False
    with pytest.raises(DiskFull):
        await place.driver.record(finished(only), only, ended=True)
    assert (await place.driver.record(finished(only), only, ended=True)).done == 1
