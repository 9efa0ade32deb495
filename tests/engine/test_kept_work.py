"""What attempts made that did not land is kept with its reason: refused, cut short, interrupted, or stopped before its turn."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from buildwright.core.build import Build
from buildwright.core.limits import Commits, Limits
from buildwright.engine import commands
from buildwright.engine.perform import forget_lanes
from buildwright.engine.resume_command import ResumeBuild
from buildwright.errors import IllegalMove
from buildwright.ports import Builds, Judged, KeptWork
from tests.adapters.scripted_agent import Fail, ScriptedAgent, Sleep, Write
from tests.engine.harness import ONE_PROCESS, FunctionGate, Script, Site, make_site, tasks

HALF = Write("half.txt", "half done\n")


async def kept(site: Site, build: Build) -> dict[int, KeptWork]:
    """What is kept of task `a` after the build's lanes were removed, by attempt."""
    await forget_lanes(site.workspace, build, str)
    return {work.key.attempt: work for work in await site.workspace.kept(build.id) if work.key.task == "a"}


async def content(site: Site, work: KeptWork, path: str = "half.txt") -> bytes | None:
    return await site.workspace.read_file(site.build_id, work.tree, path)


async def test_refused_changes_are_kept_with_what_the_gates_said(tmp_path: Path, builds: Builds) -> None:
    def judge(files: Path, _judged: Judged) -> list[str]:
        return ["a.txt is wrong"] if "wrong" in "".join(path.read_text() for path in files.glob("a.txt")) else []

    script = {("a", 1): [Write("a.txt", "wrong\n")], ("a", 2): [Write("a.txt", "right\n")]}
    site = make_site(tmp_path, builds, script, [FunctionGate(judge)])
    build = await site.build(tasks("a"), commits=Commits(author="User <user@example.org>"))
    assert build.outcome == "succeeded"
    found = await kept(site, build)
    assert list(found) == [1], "what landed is not kept beside it"
    assert found[1].reason.startswith("refused by function\n\n- a.txt is wrong")
    assert await content(site, found[1], "a.txt") == b"wrong\n"
    assert "wrong" in await site.workspace.diff(build.id, found[1].base, found[1].commit)


async def test_what_a_conflict_refused_is_kept(tmp_path: Path, builds: Builds) -> None:
    script: Script = {
        ("a", 1): [Sleep(0.3), Write("shared.txt", "a\n")],
        ("b", 1): [Sleep(0.3), Write("shared.txt", "b\n")],
        ("a", 2): [Write("shared.txt", "a\nb\n")],
        ("b", 2): [Write("shared.txt", "a\nb\n")],
    }
    site = make_site(tmp_path, builds, script)
    build = await site.build(tasks("a", "b"), gates=False)
    assert build.outcome == "succeeded"
    (work,) = await site.workspace.kept(build.id)
    assert work.reason == "conflicted in shared.txt with what landed meanwhile"
    assert await content(site, work, "shared.txt") == f"{work.key.task}\n".encode()


async def test_what_a_lane_held_when_its_agent_failed_or_was_late_is_kept(tmp_path: Path, builds: Builds) -> None:
    script: Script = {
        ("a", 1): [HALF, Fail("crashed", "it crashed")],
        ("a", 2): [Write("half.txt", "other half\n"), Sleep(600)],
        ("a", 3): [Write("a.txt", "done\n")],
    }
    site = make_site(tmp_path, builds, script)
    build = await site.build(tasks("a"), gates=False, limits=Limits(task_seconds=1.5))
    assert build.outcome == "succeeded"
    found = await kept(site, build)
    assert list(found) == [1, 2]
    assert "it crashed" in found[1].reason
    assert found[2].reason.startswith("timeout: ")
    assert [await content(site, found[number]) for number in found] == [b"half done\n", b"other half\n"]


async def working(site: Site) -> asyncio.Task[Build]:
    """Run the build until its agent has written a file."""
    running = asyncio.create_task(site.run())
    while not any((site.home / "lanes").glob("*/*/files/half.txt")) and not any(
        site.home.glob("*/lanes/*/*/files/half.txt")
    ):
        assert not running.done()
        await asyncio.sleep(0.01)
    return running


async def test_what_a_stopped_build_was_working_on_is_kept(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {("a", 1): [HALF, Sleep(600)]})
    await site.start(tasks("a"), gates=False)
    running = await working(site)
    await commands.ask(builds, site.clock, site.build_id, commands.StopBuild())
    build = await running
    assert build.outcome == "stopped"
    found = await kept(site, build)
    assert found[1].reason == "the attempt was interrupted"
    assert await content(site, found[1]) == b"half done\n"


@ONE_PROCESS
async def test_what_an_interrupted_process_was_working_on_is_kept(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {("a", 1): [HALF, Sleep(600)]})
    await site.start(tasks("a"), gates=False)
    running = await working(site)
    site.detach.set()
    assert not (await running).is_terminal
    site.detach = asyncio.Event()
    site.agent = ScriptedAgent({("a", 1): [Write("a.txt", "done\n")]})
    build = await site.run()
    assert build.outcome == "succeeded"
    assert await content(site, (await kept(site, build))[1]) == b"half done\n"


@ONE_PROCESS
async def test_a_lane_that_a_killed_process_left_is_kept_before_it_is_removed(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {("a", 1): [HALF, Sleep(600)]})
    await site.start(tasks("a"), gates=False)
    running = await working(site)
    lane = next(site.home.glob("lanes/*/*"))
    aside = tmp_path / "as it was"
    lane.rename(aside)  # what a process that is killed cannot close
    site.detach.set()
    await running
    aside.rename(lane)
    site.detach = asyncio.Event()
    site.agent = ScriptedAgent({("a", 1): [Write("a.txt", "done\n")]})
    build = await site.run()
    found = await kept(site, build)
    assert (found[1].reason, await content(site, found[1])) == (
        "the process that ran the attempt was killed",
        b"half done\n",
    )


@ONE_PROCESS
async def test_a_change_that_waited_to_be_judged_at_the_stop_is_kept(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {("a", 1): [HALF]}, [FunctionGate(lambda _files, _judged: [])])
    await site.start(tasks("a"), by_hand=True)
    while "agent.finished" not in site.kinds():
        await commands.ask(builds, site.clock, site.build_id, commands.TakeStep("auto"))
        await site.run()
    await commands.ask(builds, site.clock, site.build_id, commands.StopBuild())
    build = await site.run()
    found = await kept(site, build)
    assert found[1].reason == "the build was stopped while the attempt was being judged"
    assert await content(site, found[1]) == b"half done\n"


async def test_a_retry_goes_on_from_the_attempt_that_the_user_names(tmp_path: Path, builds: Builds) -> None:
    def judge(files: Path, _judged: Judged) -> list[str]:
        started = (files / "half.txt").exists() or (files / "two.txt").exists()
        return ["it is not whole"] if started and not (files / "whole.txt").exists() else []

    script: Script = {
        ("a", 1): [HALF, Fail("crashed", "it crashed")],
        ("a", 2): [Write("two.txt", "another way\n")],
        ("a", 3): [Write("whole.txt", "whole\n")],
    }
    site = make_site(tmp_path, builds, script, [FunctionGate(judge)])
    paused = await site.build(tasks("a"), limits=Limits(attempts=2))
    assert paused.failed == ("a",)
    with pytest.raises(IllegalMove, match="none is number 7"):
        await commands.ask(builds, site.clock, site.build_id, ResumeBuild("retry", from_attempt=7))
    await commands.ask(builds, site.clock, site.build_id, ResumeBuild("retry", "go on", from_attempt=1))
    assert (await builds.load(site.build_id)).task("a").carry_from == 1
    build = await site.run()
    assert (build.outcome, build.task("a").attempt, build.task("a").carry_from) == ("succeeded", 3, 0)
    assert site.files() == {"README.md": "hello", "half.txt": "half done", "whole.txt": "whole"}


@ONE_PROCESS
async def test_it_must_be_clear_whose_attempt_is_meant(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {("a", 1): [HALF, Fail()], ("b", 1): [Fail()]})
    paused = await site.build(tasks("a", "b"), gates=False, limits=Limits(attempts=1))
    both = paused.evolve({"failed": ("a", "b")})
    with pytest.raises(IllegalMove, match="not clear whose attempt 1"):
        ResumeBuild("retry", from_attempt=1).facts(both, "id")
