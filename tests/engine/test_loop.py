"""The loop over real git with a scripted agent: what lands, what is tried again, what pauses, what stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from buildwright.core.build import Control
from buildwright.core.event import AgentHeartbeat, BuildDelivered
from buildwright.core.finding import Report
from buildwright.core.limits import Delivery, Limits, Options
from buildwright.core.spec import Spec
from buildwright.engine import commands
from buildwright.engine.resume_command import ResumeBuild
from buildwright.errors import BuildIsRunning, IllegalMove
from buildwright.ports import Briefing, BriefingRequest, Builds, Judged, Judgement
from buildwright.store.journal_postgres import PostgresBuilds
from tests.adapters.scripted_agent import Delete, Fail, Refuse, Say, Sleep, Wait, Write
from tests.engine.harness import ONE_PROCESS, FunctionGate, Script, Site, make_site, tasks
from tests.engine.workers import SLOTS, WORKERS
from tests.git import git


async def test_a_graph_becomes_commits_on_a_branch(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds)
    build = await site.build(tasks("a", "b: a", "c: a", "d: b c"), gates=False)
    assert build.outcome == "succeeded"
    assert site.files() == {"README.md": "hello", "a.txt": "a", "b.txt": "b", "c.txt": "c", "d.txt": "d"}
    subjects = site.subjects()
    assert subjects[0] == "Task a: do a"
    assert sorted(subjects[1:3]) == ["Task b: do b", "Task c: do c"]
    assert subjects[3] == "Task d: do d"
    body = git(site.repository, "log", "-1", "--format=%b", site.delivered())
    assert f"Buildwright-Build: {site.build_id}" in body
    assert "Buildwright-Task: d" in body
    assert "Buildwright-Attempt: 1" in body
    assert git(site.repository, "status", "--porcelain") == ""
    assert git(site.repository, "rev-parse", "--abbrev-ref", "HEAD") == "main"


class BusyGate:
    """Passes the base, and everything else once it is let go on, and knows how many of its judgements ran at once."""

    name = "busy"
    needs_files = False

    def __init__(self) -> None:
        self.now = self.most = 0
        self.go_on: Callable[[], bool] = lambda: True

    async def judge(self, judged: Judged) -> list[Judgement]:
        self.now += 1
        self.most = max(self.most, self.now)
        while judged.patch is not None and not self.go_on():
            await asyncio.sleep(0.01)
        self.now -= 1
        return [Judgement(Report(gate=self.name, kind="test", ok=True), b"")]


async def test_quick_agents_do_not_start_every_check_at_once(tmp_path: Path, builds: Builds) -> None:
    gate = BusyGate()
    site = make_site(tmp_path, builds, gates=[gate])
    gate.go_on = lambda: len(site.agent.assignments) == 10
    build = await site.build(tasks(*"abcdefghij"), limits=Limits(concurrency=2, train=1))
    assert build.outcome == "succeeded"
    # Two changes and the head of the train; workers judge as much at once as they have room for.
    assert 2 <= gate.most <= (WORKERS * SLOTS if isinstance(builds, PostgresBuilds) else 3)


async def test_findings_go_back_to_the_agent_and_the_second_attempt_lands(tmp_path: Path, builds: Builds) -> None:
    def judge(files: Path, judged: Judged) -> list[str]:
        return ["b.txt is wrong"] if (files / "b.txt").exists() and "right" not in (files / "b.txt").read_text() else []

    script = {("b", 1): [Write("b.txt", "wrong\n")], ("b", 2): [Write("b.txt", "right\n")]}
    site = make_site(tmp_path, builds, script, [FunctionGate(judge)])
    build = await site.build(tasks("a", "b: a"))
    assert build.outcome == "succeeded"
    assert site.files()["b.txt"] == "right"
    assert build.task("b").attempt == 2
    second = site.agent.assignments[-1]
    assert "b.txt is wrong" in second.feedback
    assert "task.retried" in site.kinds()
    assert site.subjects() == ["Task a: do a", "Task b: do b"]


async def test_a_conflict_goes_back_and_both_changes_are_in_the_end(tmp_path: Path, builds: Builds) -> None:
    script: Script = {
        ("a", 1): [Sleep(0.3), Write("shared.txt", "one\na\n")],
        ("b", 1): [Sleep(0.3), Write("shared.txt", "one\nb\n")],
        ("a", 2): [Write("shared.txt", "one\nb\na\n")],
        ("b", 2): [Write("shared.txt", "one\na\nb\n")],
    }
    site = make_site(tmp_path, builds, script, files={"shared.txt": "one\n"})
    build = await site.build(tasks("a", "b"), gates=False)
    assert build.outcome == "succeeded"
    assert sorted(site.files()["shared.txt"].splitlines()) == ["a", "b", "one"]
    assert "merge.conflicted" in site.kinds()
    again = site.agent.assignments[-1]
    assert again.attempt == 2
    assert "conflicts" in again.feedback


async def test_what_passes_alone_but_not_together_is_sent_back(tmp_path: Path, builds: Builds) -> None:
    """Two changes that merge cleanly and break each other: the branch never holds both."""

    def judge(files: Path, judged: Judged) -> list[str]:
        both = (files / "old.txt").exists() and (files / "new.txt").exists()
        return ["old and new do not go together"] if both else []

    script: Script = {
        ("a", 1): [Sleep(0.2), Write("old.txt", "x\n")],
        ("b", 1): [Sleep(0.2), Write("new.txt", "x\n")],
        ("a", 2): [Write("other.txt", "x\n")],
        ("b", 2): [Write("other.txt", "x\n")],
    }
    gate = FunctionGate(judge)
    site = make_site(tmp_path, builds, script, [gate])
    build = await site.build(tasks("a", "b"))
    assert build.outcome == "succeeded"
    assert len({"old.txt", "new.txt"} & set(site.files())) == 1
    assert "other.txt" in site.files()
    assert build.head_tree in gate.trees, "what landed is exactly what was judged"


async def test_repeated_failure_pauses_with_findings_and_each_choice_goes_on(tmp_path: Path, builds: Builds) -> None:
    def judge(files: Path, judged: Judged) -> list[str]:
        return ["never good"] if (files / "bad.txt").exists() else []

    script: Script = {("bad", n): [Write("bad.txt" if n < 5 else "good.txt", "x\n")] for n in range(1, 6)}
    site = make_site(tmp_path, builds, script, [FunctionGate(judge)])
    build = await site.build(tasks("bad", "after: bad"), limits=Limits(attempts=2))
    assert build.control is Control.PAUSED
    assert build.pause is not None
    assert build.pause.reason == "failure"
    assert build.task("bad").findings[0].message == "never good"
    with pytest.raises(IllegalMove, match="needs your choice") as caught:
        await commands.ask(builds, site.clock, site.build_id, ResumeBuild("go"))
    assert "--skip" in str(caught.value.fix)

    await commands.ask(builds, site.clock, site.build_id, ResumeBuild("retry", "use good.txt"))
    build = await site.run()
    assert build.control is Control.PAUSED
    assert build.task("bad").attempt == 4
    assert "use good.txt" in site.agent.assignments[-1].feedback
    await commands.ask(builds, site.clock, site.build_id, ResumeBuild("retry"))
    build = await site.run()
    assert build.outcome == "succeeded"
    assert set(site.files()) == {"README.md", "good.txt", "after.txt"}


async def test_a_skipped_task_lets_its_dependents_run(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {("bad", 0): [Fail()]})
    build = await site.build(tasks("bad", "after: bad"), limits=Limits(attempts=1), gates=False)
    assert build.control is Control.PAUSED
    await commands.ask(builds, site.clock, site.build_id, ResumeBuild("skip"))
    build = await site.run()
    assert build.outcome == "succeeded"
    assert build.skipped == 1
    assert set(site.files()) == {"README.md", "after.txt"}


async def test_giving_up_a_paused_build_ends_it(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {("bad", 0): [Fail()]})
    await site.build(tasks("bad"), limits=Limits(attempts=1), gates=False)
    await commands.ask(builds, site.clock, site.build_id, ResumeBuild("abort"))
    build = await site.run()
    assert (build.outcome, build.control) == ("aborted", Control.STOPPED)
    with pytest.raises(IllegalMove):
        await commands.ask(builds, site.clock, site.build_id, commands.PauseBuild())


async def test_more_than_three_failed_tasks_stop_the_run(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {(name, 0): [Fail()] for name in "abcd"})
    build = await site.build(tasks(*"abcd", "e: a"), limits=Limits(attempts=1), gates=False, on_failure="fail")
    assert build.outcome == "failed"
    assert "4 tasks failed" in build.message
    assert "build.stuck" in site.kinds()


async def test_a_failed_critical_task_stops_the_run(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {("db", 0): [Fail()], ("slow", 1): [Sleep(30)]})
    build = await site.build(tasks("db", "slow", critical=["db"]), limits=Limits(attempts=1), gates=False)
    assert build.outcome == "failed"
    assert "critical task db" in build.message


async def test_failed_tasks_block_only_what_needs_them(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {("bad", 0): [Fail()]})
    graph = tasks("bad", "after: bad", "other")
    build = await site.build(graph, limits=Limits(attempts=1), gates=False, on_failure="fail")
    assert build.outcome == "failed"
    assert build.done == 1
    assert "1 task that needs it" in build.message


async def test_tasks_that_share_a_file_never_run_at_once(tmp_path: Path, builds: Builds) -> None:
    names = [f"t{n}" for n in range(4)]
    script: Script = {(name, 1): [Sleep(0.05), Write(f"{name}.txt")] for name in names}
    site = make_site(tmp_path, builds, script)
    build = await site.build(tasks(*names, files=dict.fromkeys(names, ("one.py",))), gates=False)
    assert build.outcome == "succeeded"
    assert site.kinds().count("task.waited") >= 3
    running = 0
    for recorded in site.journal:
        running += {"task.started": 1, "change.landed": -1}.get(recorded.event.type, 0)
        assert running <= 1


async def test_time_limit_ends_an_attempt(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {("a", 1): [Sleep(60)]})
    build = await site.build(tasks("a"), limits=Limits(attempts=2, task_seconds=0.2), gates=False)
    assert build.outcome == "succeeded"
    broke = next(r.event for r in site.journal if r.event.type == "agent.broke")
    assert "timeout" in repr(broke)


async def test_an_agent_that_changes_nothing_is_rejected(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {("a", 1): [Say("all fine")]})
    build = await site.build(tasks("a"), gates=False)
    assert build.outcome == "succeeded"
    assert build.task("a").attempt == 2
    assert "changed no file" in site.agent.assignments[-1].feedback


@pytest.mark.parametrize("step", [Fail("rate_limit", "come back later"), Refuse("not installed")])
async def test_trouble_that_is_not_the_tasks_fault_pauses_and_costs_no_attempt(
    tmp_path: Path, builds: Builds, step: Fail | Refuse
) -> None:
    site = make_site(tmp_path, builds, {("a", 1): [step]})
    build = await site.build(tasks("a"), gates=False)
    assert build.pause is not None
    assert build.pause.reason == "trouble"
    site.agent = make_site(tmp_path / "again", builds).agent
    await commands.ask(builds, site.clock, site.build_id, ResumeBuild())
    build = await site.run()
    assert build.outcome == "succeeded"
    assert build.task("a").attempt == 1


async def test_a_user_pauses_talks_and_resumes_while_it_runs(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {("a", 1): [Wait(), Write("a.txt", "a\n")]})
    await site.start(tasks("a", "b: a"), gates=False)
    running = asyncio.create_task(site.run())
    await _until(site, "task.started")
    async with asyncio.timeout(20):  # a worker may take it up a moment later: before that a pause would hold it back
        while not site.agent.assignments:
            await asyncio.sleep(0.01)
    await commands.ask(builds, site.clock, site.build_id, commands.PauseBuild())
    message = (await commands.ask(builds, site.clock, site.build_id, commands.SendMessage("be careful", "a"))).id
    build = await asyncio.wait_for(running, 20)
    assert build.control is Control.PAUSED
    assert [heard.text for heard in site.agent.heard] == ["be careful"]
    receipt = next(r.event for r in site.journal if r.event.type == "message.delivered")
    assert receipt.id == message
    assert build.task("b").attempt == 0, "nothing new starts in a paused build"
    await commands.ask(builds, site.clock, site.build_id, ResumeBuild())
    assert (await site.run()).outcome == "succeeded"


async def test_a_message_waits_for_the_next_attempt(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {("a", 1): [Say("working"), Write("a.txt")]})
    await site.start(tasks("a"), gates=False)
    await commands.ask(builds, site.clock, site.build_id, commands.SendMessage("hello"))
    await site.run()
    assert [heard.text for heard in site.agent.heard] == ["hello"]


async def test_stop_ends_running_agents_and_nothing_lands_after(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {("a", 1): [Sleep(60)]})
    await site.start(tasks("a", "b: a"), gates=False)
    running = asyncio.create_task(site.run())
    await _until(site, "task.started")
    await commands.ask(builds, site.clock, site.build_id, commands.StopBuild())
    build = await asyncio.wait_for(running, 20)
    assert (build.outcome, build.control) == ("stopped", Control.STOPPED)
    assert site.kinds()[-1] == "build.finished"


async def test_detaching_ends_cleanly_and_the_next_run_goes_on(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {("b", 1): [Sleep(1.5), Write("b.txt")]})
    await site.start(tasks("a", "b: a"), gates=False)
    running = asyncio.create_task(site.run())
    await _until(site, "task.started", times=2)
    site.detach.set()
    build = await asyncio.wait_for(running, 20)
    assert not build.is_terminal
    site.detach = asyncio.Event()
    build = await site.run()
    assert build.outcome == "succeeded"
    assert build.task("b").attempt == 1


@ONE_PROCESS
async def test_a_build_has_one_runner(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {("a", 1): [Sleep(60)]})
    await site.start(tasks("a"), gates=False)
    running = asyncio.create_task(site.run(holder=_this_process()))
    await _until(site, "task.started")
    with pytest.raises(BuildIsRunning):
        await site.run(holder=_this_process(other=True))
    site.detach.set()
    await running


async def test_a_pause_that_lasts_too_long_ends_the_build(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {("a", 0): [Fail()]})
    site.stay = True
    build = await site.build(tasks("a"), limits=Limits(attempts=1, pause_seconds=0.2), gates=False)
    assert build.outcome == "aborted"
    assert "paused for longer" in build.message


async def test_delivery_pauses_when_the_branch_is_not_ours(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds)
    git(site.repository, "branch", "taken")
    git(site.repository, "commit", "--allow-empty", "-q", "-m", "more")
    (site.repository / "x").write_text("x")
    git(site.repository, "checkout", "-q", "taken")
    git(site.repository, "commit", "--allow-empty", "-q", "-m", "theirs")
    git(site.repository, "checkout", "-q", "main")
    build = await site.build(tasks("a"), gates=False, delivery=Delivery(branch="taken"))
    assert build.pause is not None
    assert build.pause.reason == "delivery"
    assert git(site.repository, "log", "-1", "--format=%s", "taken") == "theirs"


async def _until(site: Site, kind: str, times: int = 1) -> None:
    async with asyncio.timeout(20):
        while site.kinds().count(kind) < times:
            await asyncio.sleep(0.01)


def _this_process(other: bool = False) -> str:
    import os
    import socket

    import psutil

    process = psutil.Process(os.getpid()).parent() if other else psutil.Process()
    assert process is not None
    return f"{socket.gethostname()}:{process.pid}:{process.create_time():.2f}"


async def test_a_base_that_fails_its_own_checks_pauses_the_build_and_can_be_accepted(
    tmp_path: Path, builds: Builds
) -> None:
    def judge(files: Path, judged: Judged) -> list[str]:
        return ["the old bug"] if (files / "bug.txt").exists() else []

    script: Script = {("mend", 1): [Sleep(0.5), Delete("bug.txt")]}
    site = make_site(tmp_path, builds, script, [FunctionGate(judge)], files={"bug.txt": "x\n"})
    build = await site.build(tasks("mend"))
    assert build.pause is not None
    assert build.pause.reason == "base"
    assert "before any change by Buildwright: the old bug" in build.pause.message
    await commands.ask(builds, site.clock, site.build_id, ResumeBuild())
    build = await site.run()
    assert build.outcome == "succeeded"
    assert site.kinds().count("base.judged") == 1
    assert build.task("mend").attempt == 1


async def test_a_base_without_tests_yet_is_no_trouble(tmp_path: Path, builds: Builds) -> None:
    gate = FunctionGate(
        lambda files, _judged: [] if (files / "a.txt").exists() else ["no test"], code="test.none_collected"
    )
    site = make_site(tmp_path, builds, gates=[gate])
    build = await site.build(tasks("a"))
    assert build.outcome == "succeeded"
    assert "build.paused" not in site.kinds()


def _nothing_to_run() -> FunctionGate:
    return FunctionGate(
        lambda files, _judged: [] if (files / "a.txt").exists() else ["nothing to run"], code="checks.none"
    )


async def test_nothing_to_check_with_is_a_question_before_any_agent_starts(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, gates=[_nothing_to_run()])
    build = await site.build(tasks("a"))
    assert build.pause is not None
    assert build.pause.reason == "base"
    assert "--check" in build.pause.message
    assert "--no-gates" in build.pause.message
    assert "--accept-base checks.none" in build.pause.message
    assert "task.started" not in site.kinds()


async def test_nothing_to_check_with_is_accepted_by_name(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, gates=[_nothing_to_run()])
    build = await site.build(tasks("a"), accept_checks=("checks.none",))
    assert build.outcome == "succeeded"
    assert "build.paused" not in site.kinds()


async def test_no_plan_is_asked_for_before_the_base_is_judged(tmp_path: Path, builds: Builds) -> None:
    gate = FunctionGate(lambda _files, _judged: ["old bug"])
    site = make_site(tmp_path, builds, gates=[gate])
    chosen = Options(agent="scripted", sandbox="none")
    new = commands.NewBuild(Spec(title="test", text="# Test\n"), chosen, str(site.repository), "", "p", "u")
    site.build_id = await commands.create(site.builds, site.clock, new)
    build = await site.run()
    assert build.pause is not None
    assert build.pause.reason == "base"
    assert site.kinds() == ["target.prepared", "base.judged", "build.paused"]
    await commands.ask(builds, site.clock, site.build_id, ResumeBuild())
    build = await site.run()
    assert build.pause is not None
    assert build.pause.reason == "plan", "there is no planner here; it was asked for only now"


async def test_no_secret_reaches_log_or_journal(tmp_path: Path, builds: Builds) -> None:
    site = make_site(
        tmp_path, builds, {("a", 1): [Say("the key is sk-canary-1"), Fail("crashed", "sk-canary-1 refused")]}
    )
    await site.start(tasks("a"), gates=False)
    await site.run(mask=lambda text: text.replace("sk-canary-1", "[secret]"))
    kept = repr(await builds.read_log(site.build_id)) + repr(await builds.read(site.build_id))
    assert "the key is [secret]" in kept
    assert "[secret] refused" in kept
    assert "sk-canary-1" not in kept


async def test_a_gate_gets_the_base_that_the_change_lies_on(tmp_path: Path, builds: Builds) -> None:
    """In its lane, in the train on top of what has not landed, and while other cars of the train are not prepared."""
    seen: list[tuple[str, str]] = []

    class Bases(FunctionGate):
        async def judge(self, judged: Judged) -> list[Judgement]:
            if judged.patch is not None and judged.task is not None:
                assert judged.checkout is not None
                async with judged.checkout(judged.base_tree) as base:
                    before = {path.name for path in base.iterdir()}
                after = {path.name for path in judged.files.iterdir()} if judged.files else set()
                seen.append((judged.task.id, " ".join(sorted(after ^ before))))
            return await super().judge(judged)

    names = "abcdefgh"
    site = make_site(
        tmp_path,
        builds,
        {(name, 1): [Write(f"{name}.txt", name)] for name in names},
        [Bases(lambda _files, _judged: [])],
    )
    build = await site.build(tasks(*names))
    assert build.outcome == "succeeded"
    assert {task for task, _ in seen} == set(names)
    assert all(changed == f"{task}.txt" for task, changed in seen), seen


async def test_what_a_failing_build_has_proven_is_delivered_when_nobody_is_asked(
    tmp_path: Path, builds: Builds
) -> None:
    site = make_site(tmp_path, builds, {("b", 0): [Fail()]})
    build = await site.build(tasks("a", "b", "c: b"), limits=Limits(attempts=1), gates=False, on_failure="fail")
    assert build.outcome == "failed"
    assert build.message == "b failed, so 1 task that needs it could not start"
    assert set(site.files()) == {"README.md", "a.txt"}
    assert site.kinds().count("build.delivered") == 1


async def test_a_critical_failure_delivers_what_landed_before_and_ends_the_rest(tmp_path: Path, builds: Builds) -> None:
    script: Script = {("db", 0): [Fail()], ("slow", 1): [Sleep(30)]}
    site = make_site(tmp_path, builds, script)
    graph = tasks("first", "db: first", "slow: first", critical=["db"])
    build = await site.build(graph, limits=Limits(attempts=1), gates=False, on_failure="fail")
    assert (build.outcome, build.message) == ("failed", "the critical task db failed")
    assert set(site.files()) == {"README.md", "first.txt"}


async def test_half_of_a_result_is_never_pushed(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, {("b", 0): [Fail()]})
    git(site.repository, "clone", "-q", "--bare", ".", str(tmp_path / "remote"))
    git(site.repository, "remote", "add", "origin", str(tmp_path / "remote"))
    push = Delivery(kind="push", branch="release", remote="origin")
    build = await site.build(tasks("a", "b"), limits=Limits(attempts=1), gates=False, on_failure="fail", delivery=push)
    assert build.outcome == "failed"
    assert set(site.files()) == {"README.md", "a.txt"}
    assert git(tmp_path / "remote", "for-each-ref", "--format=%(refname)") == "refs/heads/main"
    delivered = [recorded.event for recorded in site.journal if isinstance(recorded.event, BuildDelivered)]
    assert [(one.kind, one.in_part) for one in delivered] == [("branch", True)]


async def test_a_failing_build_whose_result_cannot_be_delivered_still_ends(tmp_path: Path, builds: Builds) -> None:
    def take(_files: Path, judged: Judged) -> list[str]:
        if judged.task is not None and "taken" not in git(site.repository, "branch", "--list", "taken"):
            git(site.repository, "branch", "taken", git(site.repository, "commit-tree", "-m", "theirs", "HEAD^{tree}"))
        return []

    site = make_site(tmp_path, builds, {("b", 0): [Fail()]}, gates=[FunctionGate(take)])
    options = {"delivery": Delivery(branch="taken"), "limits": Limits(attempts=1), "on_failure": "fail"}
    build = await site.build(tasks("a", "b"), **options)
    assert (build.outcome, build.delivered) == ("failed", "")
    assert "b failed; what has landed could not be delivered: The branch taken has commits" in build.message


async def test_heartbeats_say_how_far_each_agent_is(tmp_path: Path, builds: Builds) -> None:
    """Each step waits until a heartbeat has told of it, so that none is missed."""
    gate = BusyGate()
    site = make_site(tmp_path, builds, {("a", 1): [Wait(), Write("a.txt")]}, [gate])
    await site.start(tasks("a"), limits=Limits(heartbeat_seconds=0.3))
    told: list[str] = []
    gate.go_on = lambda: "idle" in told

    async def brief(_request: BriefingRequest) -> Briefing:
        while "initializing" not in told:
            await asyncio.sleep(0.01)
        return Briefing("do a", "")

    async def watch() -> None:
        while "idle" not in told:
            recorded = await builds.read(site.build_id)
            told[:] = [event.status for _, _, event in recorded if isinstance(event, AgentHeartbeat)]
            if "running" in told and not site.agent.heard:
                await commands.ask(builds, site.clock, site.build_id, commands.SendMessage("go on", "a"))
            await asyncio.sleep(0.05)

    async with asyncio.timeout(60):
        build, _ = await asyncio.gather(site.run(brief=brief), watch())
    assert build.outcome == "succeeded"
    assert list(dict.fromkeys(told)) == ["initializing", "running", "idle"]
