"""When the store, a listener or the moment is against the engine: nothing recorded is lost, and it says what happened."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from buildwright.core import event as e
from buildwright.core.action import Action, RunAgent
from buildwright.core.apply import apply
from buildwright.core.build import Build, Control
from buildwright.core.event import AnyEvent, Recorded
from buildwright.core.limits import Limits
from buildwright.engine import commands
from buildwright.engine.build_command import BuildCommand
from buildwright.engine.held_build import held
from buildwright.engine.resume_command import ResumeBuild
from buildwright.errors import DiskFull, IllegalMove, LostLease, NotFound
from buildwright.ports import Builds, Lease, LogEntry, ModelEndpoint, Notice, Spend
from buildwright.store.lease_holders import this_process
from buildwright.wiring import SystemClock
from tests.adapters.scripted_agent import Fail, Say, Sleep, Write
from tests.engine.harness import ONE_PROCESS, FunctionGate, Script, make_site, tasks


class Failing:
    """The real store, but the named methods find no space while `full` is set."""

    def __init__(self, builds: Builds, *methods: str) -> None:
        self._builds = builds
        self._methods = methods
        self.full = True
        self.refused = 0

    def __getattr__(self, name: str) -> Any:
        if name not in self._methods:
            return getattr(self._builds, name)

        async def refuse(*arguments: Any, **more: Any) -> Any:
            if self.full:
                self.refused += 1
                raise DiskFull("no space is left to write", fix="free some space")
            return await getattr(self._builds, name)(*arguments, **more)

        return refuse


@ONE_PROCESS
async def test_a_log_that_cannot_be_written_is_counted_and_ends_nothing(tmp_path: Path, builds: Builds) -> None:
    script: Script = {("a", 1): [Say("one\ntwo"), Sleep(0.6), Write("a.txt")], ("b", 1): [Say("three"), Write("b.txt")]}
    site = make_site(tmp_path, builds, script)
    await site.start(tasks("a", "b: a"), gates=False)
    failing: Any = Failing(builds, "write_log")

    def free(recorded: Recorded, _build: Build) -> None:
        failing.full = failing.full and not isinstance(recorded.event, e.ChangeLanded)

    build = await site.run(builds=failing, on_event=free)
    assert build.outcome == "succeeded"
    assert failing.refused > 0
    lines = [line.text for line in await builds.read_log(site.build_id)]
    assert "three" in lines
    assert not {"one", "two"} & set(lines)
    assert any("log lines before this one could not be written" in line for line in lines)


@ONE_PROCESS
@pytest.mark.parametrize("method", ["put_artifact", "append", "renew"])
async def test_a_store_without_space_pauses_or_ends_the_run_and_the_next_goes_on(
    tmp_path: Path, builds: Builds, method: str
) -> None:
    """An artifact can be told of by a pause; a journal that cannot be written ends the run with the error itself."""
    script: Script = {("a", 1): [Write("bad.txt")], ("b", 1): [Sleep(0.5), Write("b.txt")]}
    site = make_site(tmp_path, builds, script, [FunctionGate(lambda files, _: [])])
    await site.start(tasks("a", "b: a"))
    failing: Any = Failing(builds, method)
    if method == "put_artifact":
        build = await site.run(builds=failing)
        assert build.pause is not None
        assert build.pause.reason == "trouble"
        assert "free some space" in build.pause.message
        await commands.ask(builds, site.clock, site.build_id, ResumeBuild())
    else:
        with pytest.raises(DiskFull):
            await site.run(builds=failing, lease_seconds=0.06)
    assert await builds.holder(site.build_id) is None, "the lease was given up"
    build = await site.run()
    assert build.outcome == "succeeded"
    assert set(site.files()) == {"README.md", "bad.txt", "b.txt"}


class Slow:
    """The real store; the append of the first attempt is under way until `go_on` is set."""

    def __init__(self, builds: Builds) -> None:
        self._builds = builds
        self.under_way = asyncio.Event()
        self.go_on = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._builds, name)

    async def append(self, build_id: str, expected: int, events: Sequence[AnyEvent], *more: Any) -> list[Recorded]:
        if any(isinstance(event, e.TaskStarted) for event in events):
            self.under_way.set()
            await self.go_on.wait()
        return await self._builds.append(build_id, expected, events, *more)


@ONE_PROCESS
async def test_a_commit_that_is_under_way_when_a_run_ends_begins_nothing(tmp_path: Path, builds: Builds) -> None:
    """Nobody would wait for it, and the next run in this process would do the same beside it."""
    site = make_site(tmp_path, builds, {("a", 1): [Sleep(60)]})
    await site.start(tasks("a"), lanes=False, gates=False)
    slow: Any = Slow(builds)
    running = asyncio.create_task(site.run(builds=slow))
    await asyncio.wait_for(slow.under_way.wait(), 20)
    running.cancel()
    await asyncio.sleep(0.1)
    slow.go_on.set()
    await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()
    key = RunAgent("a", 1).key
    assert key not in {task.get_name() for task in asyncio.all_tasks()}
    assert (await builds.load(site.build_id)).active, "the commit itself counts"


@ONE_PROCESS
async def test_an_action_that_breaks_the_run_does_not_begin_again(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {("a", 1): [Say("what breaks the log")]})
    await site.start(tasks("a"), lanes=False, gates=False)
    begun: list[Action] = []

    def observe(action: Action, _build: Build, _waited: float | None) -> AbstractContextManager[object]:
        begun.append(action)
        return nullcontext()

    def mask(text: str) -> str:
        if "breaks" in text:
            raise RuntimeError("it breaks")
        return text

    with pytest.raises(RuntimeError, match="it breaks"):
        await asyncio.wait_for(site.run(mask=mask, observe=observe), 20)
    assert [type(action) for action in begun].count(RunAgent) == 1


@ONE_PROCESS
async def test_a_process_that_was_halted_asks_the_store_before_an_effect_that_others_see(
    tmp_path: Path, builds: Builds
) -> None:
    site = make_site(tmp_path, builds)
    await site.start(tasks("a"))
    world = replace(site.world(), lease_seconds=0.3)
    async with held(world, site.build_id) as lease:
        time.sleep(0.4)  # noqa: ASYNC251  the whole process is halted
        await lease.guard()
        assert not lease.kept.gone, "nobody had taken it"
        time.sleep(0.4)  # noqa: ASYNC251  as above
        await builds.acquire(site.build_id, "elsewhere:2:1", 60.0)
        with pytest.raises(LostLease):
            await lease.guard()
        assert lease.lost.done()


@ONE_PROCESS
async def test_a_snapshot_that_cannot_be_kept_is_no_harm(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds)
    await site.start(tasks(*(f"t{n}" for n in range(260))), lanes=False, gates=False, limits=Limits(concurrency=32))
    failing: Any = Failing(builds, "keep_snapshot")
    assert (await site.run(builds=failing)).outcome == "succeeded"
    assert failing.refused > 0


@pytest.mark.parametrize("listener", ["on_event", "on_log"])
async def test_a_listener_that_breaks_ends_the_run_as_itself(tmp_path: Path, builds: Builds, listener: str) -> None:
    site = make_site(tmp_path, builds, {("a", 1): [Say("hello"), Sleep(30), Write("a.txt")]})
    await site.start(tasks("a"), gates=False, limits=Limits(heartbeat_seconds=2.0))

    def broken(told: Recorded | LogEntry, _build: Build | None = None) -> None:
        if isinstance(told, LogEntry) or isinstance(told.event, e.TaskStarted):
            raise BrokenPipeError("nobody reads this any more")

    with pytest.raises(BrokenPipeError):
        await asyncio.wait_for(site.run(**{listener: broken}), 20)
    build = await builds.load(site.build_id)
    assert build.control is Control.RUNNING, "the build is no worse for it"
    site.agent = make_site(tmp_path / "again", builds).agent
    assert (await site.run()).outcome == "succeeded"


class Metered:
    """A gateway whose doors have used something each time they are asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def open(self, *_: Any) -> ModelEndpoint:
        return ModelEndpoint("http://127.0.0.1:9", "token")

    def metered(self, door: ModelEndpoint) -> list[Spend]:
        self.asked += 1
        return [Spend("b", "a", 1, "model", 10, 1, 0, 0, "0.25")]

    def noticed(self, build_id: str) -> list[Notice]:
        return []

    def limit(self, door: ModelEndpoint) -> None:
        return None

    def trouble(self, door: ModelEndpoint) -> None:
        return None

    def denied(self, door: ModelEndpoint) -> tuple[str, ...]:
        return ()

    async def shut(self, door: ModelEndpoint) -> None:
        return None

    async def close(self) -> None:
        return None


@pytest.mark.parametrize("end", ["stop", "detach", "cancel"])
async def test_what_an_agent_spent_until_it_was_ended_is_in_the_sum(tmp_path: Path, builds: Builds, end: str) -> None:
    site = make_site(tmp_path, builds, {("a", 1): [Sleep(60)]})
    site.agent.uses_model = "if given"
    await site.start(tasks("a"), gates=False)
    gateway = Metered()
    running = asyncio.create_task(site.run(gateway=gateway))
    while gateway.asked < 1:
        await asyncio.sleep(0.02)
    if end == "stop":
        await commands.ask(builds, site.clock, site.build_id, commands.StopBuild())
        await running
    elif end == "detach":
        site.detach.set()
        await running
    else:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    build = await builds.load(site.build_id)
    assert build.usage.cost_usd == Decimal("0.25") * gateway.asked


async def test_an_answer_to_a_pause_is_not_undone_by_its_time_limit(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {("a", 1): [Fail()]})
    build = await site.build(tasks("a"), limits=Limits(attempts=1), gates=False)
    assert build.control is Control.PAUSED
    build = (await commands.ask(builds, site.clock, site.build_id, ResumeBuild("retry"))).build
    late = e.StopRequested(how="abort", message="paused for too long")
    with pytest.raises(IllegalMove, match="only a paused build"):
        apply(build, Recorded(build.version + 1, build.updated_at, late))
    assert (await site.run()).outcome == "succeeded"


async def test_a_message_goes_only_to_a_task_that_can_hear_it(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {("b", 1): [Fail()]})
    await site.start(tasks("a", "b: a"), gates=False, limits=Limits(attempts=1))
    await commands.ask(builds, site.clock, site.build_id, commands.SendMessage("before the plan is made", "a"))
    await site.run()
    with pytest.raises(NotFound, match="no task nope"):
        await commands.ask(builds, site.clock, site.build_id, commands.SendMessage("hello", "nope"))
    with pytest.raises(IllegalMove, match="task a is done"):
        await commands.ask(builds, site.clock, site.build_id, commands.SendMessage("hello", "a"))
    await commands.ask(builds, site.clock, site.build_id, commands.SendMessage("hello", "b"))


class AskedLate:
    """The real store; a user's command arrives just before the process that rests releases its lease."""

    def __init__(self, builds: Builds, command: BuildCommand) -> None:
        self._builds = builds
        self._commands = [command]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._builds, name)

    async def release(self, lease: Lease) -> None:
        if self._commands:
            await commands.ask(self._builds, SystemClock(), lease.build_id, self._commands.pop())
            assert await self._builds.holder(lease.build_id) == lease.holder, "who asked sees a process that runs it"
        await self._builds.release(lease)


@ONE_PROCESS
@pytest.mark.parametrize(
    ("command", "outcome"), [(ResumeBuild("retry"), "succeeded"), (commands.StopBuild(), "stopped")]
)
async def test_a_command_to_a_process_that_lets_go_is_not_lost(
    tmp_path: Path, builds: Builds, command: BuildCommand, outcome: str
) -> None:
    site = make_site(tmp_path, builds, {("a", 1): [Fail()]})
    await site.start(tasks("a"), gates=False, limits=Limits(attempts=1))
    asked: Any = AskedLate(builds, command)
    build = await site.run(builds=asked, holder=this_process())
    assert build.outcome == outcome
    told = [recorded.seq for recorded in site.journal]
    assert told == list(range(2, build.version + 1)), "the listener heard of everything, once"


class AskedAtRest(AskedLate):
    """A user's command arrives while the last snapshot of a build at rest is stored."""

    async def keep_snapshot(self, build: Build) -> None:
        await self._builds.keep_snapshot(build)
        if build.control is Control.PAUSED and self._commands:
            await commands.ask(self._builds, SystemClock(), build.id, self._commands.pop())
            await asyncio.sleep(0.3)  # many looks for commands

    async def release(self, lease: Lease) -> None:
        await self._builds.release(lease)


@ONE_PROCESS
async def test_a_command_to_a_process_that_stores_its_last_snapshot_is_not_lost(tmp_path: Path, builds: Builds) -> None:
    first = [f"t{number}" for number in range(250)]
    site = make_site(tmp_path, builds, {("bad", 1): [Fail()], ("bad", 2): [Sleep(1.0)]})
    graph = tasks(*first, f"bad: {' '.join(first)}", *(f"u{number}: bad" for number in range(60)))
    await site.start(graph, lanes=False, gates=False, limits=Limits(attempts=1, concurrency=64))
    asked: Any = AskedAtRest(builds, ResumeBuild("retry"))
    build = await site.run(builds=asked, holder=this_process())
    assert (build.outcome, build.done) == ("succeeded", 311)


@ONE_PROCESS
async def test_what_a_killed_run_left_is_gone_when_the_next_begins(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds)
    await site.start(tasks("a"), gates=False)
    left = [site.home / name / site.build_id / "left" for name in ("lanes", "checkouts")]
    for folder in left:
        (folder / "files").mkdir(parents=True)
    seen: list[bool] = []

    def look(_recorded: Recorded, _build: Build) -> None:
        seen.append(any(folder.exists() for folder in left))

    assert (await site.run(on_event=look)).outcome == "succeeded"
    assert not any(seen)


async def test_eight_callers_at_once_leave_a_legal_journal_and_a_finished_build(tmp_path: Path, builds: Builds) -> None:
    names = [f"t{n}" for n in range(12)]
    script: Script = {(name, 1): [Sleep(0.05), Write(f"{name}.txt")] for name in names}
    site = make_site(tmp_path, builds, script)
    await site.start(tasks(*names), gates=False, limits=Limits(concurrency=3))
    site.stay = True
    running = asyncio.create_task(site.run())
    refused = 0

    async def caller(number: int) -> None:
        nonlocal refused
        for turn in range(6):
            try:
                match (number + turn) % 3:
                    case 0:
                        await commands.ask(builds, site.clock, site.build_id, commands.PauseBuild(f"{number}"))
                    case 1:
                        await commands.ask(builds, site.clock, site.build_id, ResumeBuild())
                    case _:
                        await commands.ask(builds, site.clock, site.build_id, commands.SendMessage(f"{number}/{turn}"))
            except IllegalMove:
                refused += 1
            await asyncio.sleep(0.01)

    await asyncio.gather(*(caller(number) for number in range(8)))
    while not running.done():
        if (await builds.load(site.build_id)).control is Control.PAUSED:
            await commands.ask(builds, site.clock, site.build_id, ResumeBuild())
        await asyncio.wait({running}, timeout=0.05)
    assert running.result().outcome == "succeeded"
    journal = await builds.read(site.build_id)
    assert [recorded.seq for recorded in journal] == list(range(1, len(journal) + 1))
    starts = [recorded.event.task for recorded in journal if isinstance(recorded.event, e.TaskStarted)]
    assert sorted(starts) == sorted(names), "each was started once, whatever the callers did"
    assert refused > 0
    assert set(site.files()) == {"README.md", *(f"{name}.txt" for name in names)}
