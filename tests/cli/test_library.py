"""The library, in this process, on real git and SQLite."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from buildwright import (
    Build,
    Buildwright,
    Check,
    Limits,
    NewBuild,
    Options,
    OptionsChange,
    Orchestrator,
    Recorded,
    Spec,
    Task,
)
from buildwright.client import Client
from buildwright.core.build import Control
from buildwright.core.event import MessageDelivered
from buildwright.core.graph import Graph
from buildwright.core.lessons import LessonEntry
from buildwright.engine.resume_command import Choice
from buildwright.errors import (
    BadGraph,
    BadSettings,
    BadSpec,
    BuildwrightError,
    IllegalMove,
    NotFound,
    Refused,
    Unreachable,
)
from buildwright.ports import BuildReader
from buildwright.wiring.interviewing import InterviewMessage
from tests.cli.conftest import WRITES, Program

PAGE = Path(__file__).parents[2] / "docs" / "library.md"
NOOP = Options(agent="noop", lanes=False)


async def test_a_batch_is_one_build_and_its_results_keep_the_order(tmp_path: Path, repository: Path) -> None:
    options = Options(gates=False, sandbox="none", limits=Limits(attempts=1), on_failure="fail")
    command = f'test "$BUILDWRIGHT_TASK_ID" != bad && {WRITES}'
    seen: list[str] = []
    async with Orchestrator(
        repository,
        agent="shell",
        agent_command=command,
        home=tmp_path / "home",
        options=options,
        on_event=lambda recorded, _build: seen.append(recorded.event.type),
    ) as orchestrator:
        batch = await orchestrator.execute_batch(
            [
                {"id": "after", "title": "After", "depends_on": ["first"]},
                Task(id="first", title="F"),
                Task(id="bad", title="B"),
            ]
        )
        assert [(result.id, result.ok) for result in batch.results] == [
            ("after", True),
            ("first", True),
            ("bad", False),
        ]
        assert [result.id for result in batch.failures] == ["bad"]
        assert (batch.ok, batch.build.outcome, len(batch.successes)) == (False, "failed", 2)
        assert (seen[0], seen[-1]) == ("build.created", "build.finished")
        total = await orchestrator.get_summary(batch.build.build_id)
        assert (total.builds, total.failed, total.tasks, total.successes, total.failures) == (1, 1, 3, 2, 1)


async def test_figures_are_added_up_over_a_span_of_time(tmp_path: Path) -> None:
    async with Orchestrator(home=tmp_path, options=NOOP) as orchestrator:
        for number in range(2):
            batch = await orchestrator.execute_batch([Task(id=f"t{number}", title="T")])
            assert batch.ok
        now = datetime.now(UTC)
        total = await orchestrator.get_summary()
        assert (total.builds, total.succeeded, total.successes, total.attempts) == (2, 2, 2, 2)
        assert (total.cost_usd, total.unfinished) == (Decimal(0), 0)
        assert (await orchestrator.get_summary(start=now + timedelta(hours=1))).builds == 0
        assert (
            await orchestrator.get_summary(start=now - timedelta(hours=1), end=now + timedelta(hours=1))
        ).builds == 2
        with pytest.raises(Refused, match="time zone"):
            await orchestrator.get_summary(start=datetime(2026, 1, 1))  # noqa: DTZ001
        with pytest.raises(NotFound):
            await orchestrator.get_summary("nowhere")


async def test_builds_are_listed_by_project_newest_first(tmp_path: Path) -> None:
    async with Orchestrator(home=tmp_path / "home", options=NOOP) as orchestrator:
        batches = [await orchestrator.execute_batch([{"id": "a", "title": "A"}]) for _ in range(3)]
        rows = await orchestrator.list_builds("default")
        assert [row.build_id for row in rows] == [batch.build.build_id for batch in reversed(batches)]
        assert {row.outcome for row in rows} == {"succeeded"}
        latest = await orchestrator.latest_build("default")
        assert latest is not None
        assert latest.build_id == batches[-1].build.build_id
        assert await orchestrator.latest_build("nobody's") is None


async def test_bad_batches_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    async with Orchestrator(home=tmp_path, options=NOOP) as orchestrator:
        with pytest.raises(BadGraph, match="circle"):
            await orchestrator.execute_batch(
                [Task(id="a", title="A", depends_on=("b",)), Task(id="b", title="B", depends_on=("a",))]
            )
        with pytest.raises(BadSpec, match="task 1 of the batch") as caught:
            await orchestrator.execute_batch([{"id": "a", "titel": "A"}])
        assert caught.value.key == "title"
        assert (await orchestrator.get_summary()).builds == 0


async def test_it_must_be_opened(tmp_path: Path) -> None:
    with pytest.raises(BuildwrightError, match="not open"):
        await Orchestrator(home=tmp_path, options=NOOP).get_summary()


def shell_options(command: str, *, by_hand: bool = False) -> Options:
    """A build by a shell command, tried once, that pauses when a task fails."""
    limits = Limits(attempts=1, concurrency=1)
    return Options(agent="shell", agent_command=command, gates=False, sandbox="none", limits=limits, by_hand=by_hand)


def tasks(*names: str) -> Spec:
    return Spec(title="Tasks", form="tasks", graph=Graph(tasks=tuple(Task(id=name, title=name) for name in names)))


async def test_a_build_is_started_followed_and_waited_for(tmp_path: Path, repository: Path) -> None:
    told: list[str] = []
    async with Buildwright(
        repository,
        options=shell_options(WRITES),
        home=tmp_path / "home",
        on_event=lambda recorded, _build: told.append(recorded.event.type),
    ) as buildwright:
        build = await buildwright.start(tasks("a", "b"))
        seen = [recorded async for recorded in build.events()]
        assert [recorded.seq for recorded in seen] == list(range(1, len(seen) + 1))
        result = await build.wait()
        assert (result.ok, result.build_id, result.delivered) == (True, build.id, (await build.state()).delivered)
        assert [recorded.event.type for recorded in seen] == [kind for kind in told if kind != "agent.heartbeat"]
        assert [row.build_id for row in await buildwright.builds()] == [build.id]
        assert [recorded.seq async for recorded in build.events(after=len(seen))] == []
        with pytest.raises(IllegalMove, match="has ended"):
            await build.say("too late")


@pytest.mark.parametrize("choice", ["retry", "skip", "abort"])
async def test_a_pause_is_answered(tmp_path: Path, repository: Path, choice: Choice) -> None:
    """A task fails, the build pauses, and the program that runs it says what becomes of it."""
    command = f'test "$BUILDWRIGHT_TASK_ID" != a -o -e "{tmp_path}/go" && {WRITES}'
    async with Buildwright(repository, options=shell_options(command), home=tmp_path / "home") as buildwright:
        build = await buildwright.start(tasks("a", "b"))
        paused = await build.wait()
        assert (paused.outcome, (await build.status()).paused) == ("", paused.paused)
        assert "task a failed" in paused.paused
        with pytest.raises(Refused, match="no choice 'retry_with_message'"):
            await build.resume("retry_with_message")  # type: ignore[arg-type]
        with pytest.raises(IllegalMove, match="needs your choice"):
            await build.resume()
        (tmp_path / "go").touch()
        await build.resume(choice, message="try again" if choice == "retry" else "")
        result = await build.wait()
        assert result.outcome == ("aborted" if choice == "abort" else "succeeded")
        (first,) = [task for task in result.tasks if task.id == "a"]
        assert (first.phase, first.attempts) == {
            "retry": ("done", 2),
            "skip": ("skipped", 1),
            "abort": ("failed", 1),
        }[choice]


async def test_a_pause_is_answered_while_its_events_are_read(tmp_path: Path, repository: Path) -> None:
    command = f'test -e "{tmp_path}/go" && {WRITES}'
    async with Buildwright(repository, options=shell_options(command), home=tmp_path / "home") as buildwright:
        build = await buildwright.start(tasks("a"))
        kinds = []
        async for recorded in build.events():
            kinds.append(recorded.event.type)
            if recorded.event.type == "build.paused":
                (tmp_path / "go").touch()
                await build.resume("retry")
        assert kinds[-1] == "build.finished"
        assert kinds.count("build.paused") == kinds.count("build.resumed") == 1
        assert (await build.status()).ok


class SlowStore:
    """A store that has read a paused build, and hands it over only once it is told to."""

    def __init__(self, builds: BuildReader) -> None:
        self._builds = builds
        self.has_read, self.may_answer = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._builds, name)

    async def load(self, build_id: str) -> Build:
        build = await self._builds.load(build_id)
        if build.pause is not None and not self.has_read.is_set():
            self.has_read.set()
            await self.may_answer.wait()
        return build


class OverSlowStore(Buildwright):
    """A `Buildwright` that reads its builds from a slow store."""

    slow: SlowStore | None = None

    @property
    def client(self) -> Client:
        found: Any = super().client
        self.slow = self.slow or SlowStore(found.builds)
        return cast("Client", SlowClient(found, self.slow))


class SlowClient:
    def __init__(self, client: Client, builds: SlowStore) -> None:
        self._client = client
        self.builds = builds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


async def test_an_answer_that_comes_while_the_build_is_let_go_of_is_not_lost(tmp_path: Path, repository: Path) -> None:
    command = f'test -e "{tmp_path}/go" && {WRITES}'
    async with OverSlowStore(repository, options=shell_options(command), home=tmp_path / "home") as buildwright:
        build = await buildwright.start(tasks("a"))
        assert buildwright.slow is not None
        await buildwright.slow.has_read.wait()
        (tmp_path / "go").touch()
        await build.resume("retry")
        buildwright.slow.may_answer.set()
        assert (await build.wait()).outcome == "succeeded"


async def test_it_is_paused_told_something_and_stopped_while_it_runs(tmp_path: Path, repository: Path) -> None:
    command = f'while [ ! -e "{tmp_path}/go" ]; do sleep 0.05; done; {WRITES}'
    async with Buildwright(repository, options=shell_options(command), home=tmp_path / "home") as buildwright:
        build = await buildwright.start(tasks("a", "b"))
        async for recorded in build.events():
            if recorded.event.type == "task.started":
                break
        await build.pause("lunch")
        word = await build.say("be quick", task="b")
        assert (await build.state()).control is Control.PAUSED
        (tmp_path / "go").touch()
        paused = await build.wait()
        assert (paused.paused, paused.tasks[1].phase) == ("lunch", "ready")
        await build.resume("go", budget_usd=Decimal(3))
        assert (await build.state()).budget_usd == 3
        assert (await build.wait()).ok
        delivered = [r.event async for r in build.events() if isinstance(r.event, MessageDelivered)]
        assert [event.id for event in delivered] == [word]
        (tmp_path / "go").unlink()
        other = await buildwright.start(tasks("a"))
        await other.stop("enough")
        assert (await other.wait()).outcome == "stopped"


async def test_a_build_by_hand_takes_a_step_at_a_time(tmp_path: Path) -> None:
    options = NOOP.model_copy(update={"by_hand": True})
    async with Buildwright(options=options, home=tmp_path) as buildwright:
        build = await buildwright.start(tasks("a"))
        steps = 0
        while not (result := await build.wait()).outcome:
            await build.step("auto")
            steps += 1
        assert (result.ok, steps) == (True, 4)


async def test_leaving_the_block_lets_go_and_another_goes_on(tmp_path: Path, repository: Path) -> None:
    command = f'while [ ! -e "{tmp_path}/go" ]; do sleep 0.05; done; {WRITES}'
    new = NewBuild(tasks("a"), shell_options(command), str(repository), project_id="p", build_id=str(uuid4()))
    async with Buildwright(home=tmp_path / "home") as buildwright:
        build = await buildwright.start(new)
        async for recorded in build.events():
            if recorded.event.type == "task.started":
                break
    (tmp_path / "go").touch()
    async with Buildwright(home=tmp_path / "home") as buildwright, Buildwright(home=tmp_path / "home") as other:
        assert (await buildwright.start(new)).id == new.build_id  # made once
        again = await buildwright.build(build.id[:12])
        one, two = await asyncio.gather(again.wait(), (await other.build()).wait())
        assert (one.ok, two.ok, one.build_id) == (True, True, build.id)
        assert one.delivered == two.delivered
        assert [row.project_id for row in await buildwright.builds()] == ["p"]


async def test_what_ends_the_carrying_out_is_raised_where_it_is_waited_for(tmp_path: Path, repository: Path) -> None:
    def breaks(recorded: Recorded, _build: Build) -> None:
        if recorded.event.type == "plan.made":
            raise ValueError("a mistake of the program")

    options = shell_options(WRITES)
    async with Buildwright(repository, options=options, home=tmp_path / "home", on_event=breaks) as buildwright:
        build = await buildwright.start(tasks("a"))
        with pytest.raises(ValueError, match="a mistake"):
            async for _ in build.events():
                pass
        assert (await build.wait()).ok  # what was told once is not told again
        with pytest.raises(BadSettings, match="no command"):
            await buildwright.start(NewBuild(tasks("a"), shell_options(" "), str(repository)))


async def test_in_a_cluster_the_workers_carry_builds_out(
    tmp_path: Path, postgres_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "hub.git"], check=True)
    monkeypatch.setenv("DATABASE_URL", postgres_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("BUILDWRIGHT_HUB", str(tmp_path / "hub.git"))
    async with Buildwright(options=NOOP, home=tmp_path / "home") as buildwright:
        build = await buildwright.start(tasks("a"))
        with pytest.raises(Unreachable, match="no worker is running"):
            await build.wait()
        await build.pause()
        await build.resume()
        assert (await build.state()).plan is not None  # decided here, without a worker
        await build.stop()
        assert [recorded.event.type async for recorded in build.events()][-1] == "build.finished"
        assert (await build.wait()).outcome == "stopped"


async def test_every_event_is_told_once_also_commands_between_two_runs(tmp_path: Path, repository: Path) -> None:
    """Also those that nobody carried out when they were recorded: the answer to a pause, by whichever program."""
    command = f'test -e "{tmp_path}/go" && {WRITES}'
    told: list[tuple[int, int]] = []
    async with (
        Buildwright(
            repository,
            options=shell_options(command),
            home=tmp_path / "home",
            on_event=lambda recorded, build: told.append((recorded.seq, build.version)),
        ) as buildwright,
        Buildwright(home=tmp_path / "home") as other,
    ):
        build = await buildwright.start(tasks("a"))
        assert (await build.wait()).paused
        (tmp_path / "go").touch()
        beside = await other.build(build.id)
        await beside.resume("retry")
        assert (await beside.wait()).ok
        result = await build.wait()
        assert told == [(seq, seq) for seq in range(1, result.version + 1)]


async def test_events_of_a_build_of_another_program_are_told_from_the_first_command_on(tmp_path: Path) -> None:
    told: list[str] = []
    options = NOOP.model_copy(update={"by_hand": True})
    async with Buildwright(options=options, home=tmp_path) as buildwright:
        build = await buildwright.start(tasks("a"))
        await build.wait()
    async with Orchestrator(home=tmp_path, on_event=lambda recorded, _build: told.append(recorded.event.type)) as again:
        await again.step(build.id)
    assert told == ["step.requested", "target.prepared"]


async def test_nobody_carries_a_cancelled_build_out(tmp_path: Path, repository: Path) -> None:
    started = asyncio.Event()

    def listen(recorded: Recorded, _build: Build) -> None:
        if recorded.event.type == "task.started":
            started.set()

    options = shell_options("sleep 60")
    async with Orchestrator(repository, options=options, home=tmp_path / "home", on_event=listen) as orchestrator:
        running = asyncio.create_task(orchestrator.execute_batch([{"id": "a", "title": "A"}]))
        await started.wait()
        row = await orchestrator.latest_build(repository.name)
        assert row is not None
        assert row.runner
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        row = await orchestrator.latest_build(repository.name)
        assert row is not None
        assert (row.control, row.runner) == ("running", "")
    async with Buildwright(home=tmp_path / "home") as buildwright:
        build = await buildwright.build(row.build_id)
        assert (await build.status()).runner == ""
        assert [one.runner for one in await buildwright.builds()] == [""]


async def test_what_the_command_line_shows_can_be_asked(tmp_path: Path, repository: Path) -> None:
    command = f'echo working; test "$BUILDWRIGHT_TASK_ID" = a && {WRITES}'
    options = shell_options(command).model_copy(update={"on_failure": "fail"})
    async with Buildwright(repository, options=options, home=tmp_path / "home") as buildwright:
        plan = await buildwright.plan(tasks("a", "b"))
        assert [task.id for task in plan.tasks] == ["a", "b"]
        assert await buildwright.builds() == []
        build = await buildwright.start(tasks("a", "b"))
        followed = [line async for line in build.logs(follow=True)]
        assert [line async for line in build.logs()] == followed
        assert {line.task for line in followed if line.text == "working"} == {"a", "b"}
        assert {line.task async for line in build.logs("a")} == {"a"}
        assert [line.seq async for line in build.logs(after=followed[-2].seq)] == [followed[-1].seq]
        assert "crashed" in (await build.why("b")).answer
        assert "+++ b/a.txt" in (await build.diff()).text
        assert "+++ b/a.txt" in (await build.diff("a")).text
        assert (await build.gates()).build == build.id
        assert await buildwright.costs("model") == []
        assert (await buildwright.stats("week")).total.first_pass == 1
        with pytest.raises(NotFound):
            await build.why("nothing")


async def test_a_pause_is_answered_with_other_options_and_from_the_work_of_an_attempt(
    tmp_path: Path, repository: Path
) -> None:
    options = shell_options("test -e a.txt || echo one > a.txt").model_copy(
        update={
            "gates": True,
            "checks": (Check(name="none", command="test ! -e a.txt"),),
            "limits": Limits(attempts=1),
        }
    )
    async with Buildwright(repository, options=options, home=tmp_path / "home") as buildwright:
        build = await buildwright.start(tasks("a"))
        assert "a failed" in (await build.wait()).paused
        (kept,) = await build.kept()
        assert (kept.task, kept.attempt) == ("a", 1)
        assert "+one" in (await build.diff("a", 1)).text
        await build.resume("retry", options=OptionsChange(checks=(Check(name="any", command="true"),)), from_attempt=1)
        assert (await build.wait()).outcome == "succeeded"
        assert "+one" in (await build.diff()).text


async def test_an_interview_is_held_and_lessons_are_kept_by_a_program(tmp_path: Path) -> None:
    cassette = tmp_path / "model.yaml"
    question = {"section": "tech_stack", "text": "Which language?", "suggestions": ["Python", "Rust"]}
    answer = {"section": "product_intent", "text": "It counts.", "origin": "said"}
    reply = {"reply": "Go on.", "answers": [answer], "questions": [question]}
    when = {"task": "plan", "attempt": 1, "tool": "final_result_interview"}
    turn = {"when": when, "reply": {"json": reply}, "usage": {"input": 100, "output": 10, "cache_read": 40}}
    cassette.write_text(json.dumps({"version": 1, "model": "claude-sonnet-5-5", "turns": [turn]}), encoding="utf-8")
    entry = LessonEntry(pattern="*.py", content="Use Decimal for money.", confidence=0.9)
    async with Buildwright(home=tmp_path / "home", options=NOOP) as buildwright:
        project = await buildwright.interviews.begin("notes", str(tmp_path))
        assert [one.name for one in await buildwright.interviews.listed()] == ["notes"]
        told: list[str] = []
        view = await buildwright.interviews.tell(
            project, InterviewMessage("It counts.", cassette=str(cassette)), told.append
        )
        assert told[-1] == "Go on."
        assert (view.cost.requests, view.cost.input_tokens, view.cost.cache_read_tokens) == (1, 100, 40)
        (cost,) = await buildwright.costs("build")
        assert (cost.key, cost.requests, cost.input_tokens) == (f"interview-{project}", 1, 100)
        assert (await buildwright.import_lessons([entry])).added == 1
        (lesson,) = (await buildwright.lessons()).lessons
        assert lesson.content == "Use Decimal for money."
        await buildwright.forget_lesson(lesson.id)
        assert (await buildwright.lessons()).lessons == ()
        with pytest.raises(NotFound):
            await buildwright.forget_lesson(lesson.id)
        with pytest.raises(NotFound):
            await buildwright.of_contracts("nix")


async def test_a_build_needs_an_open_block() -> None:
    with pytest.raises(BuildwrightError, match="not open"):
        await Buildwright().builds()


def test_the_examples_of_the_page_run(program: Program, repository: Path) -> None:
    steering, looking, agreeing, batch = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    first, second, ended, total = printed(batch, program, repository)
    assert (first, second) == ("first done 1", "second done 1")
    assert ended.startswith("succeeded refs/heads/buildwright/")
    assert total == "1 2 0"
    planned, runner, answer, stat, said = printed(looking, program, repository)
    assert (planned, runner) == ("hello > bye", "no process runs it")
    assert answer.startswith("bye: ")
    assert stat == "+hello"
    assert said == "agent says hello"
    assert printed(agreeing, program, repository) == [
        "10 contracts",
        "succeeded",
        "['p1-write-notes-txt']",
        "succeeded ('p1-write-notes-txt-in-lines',)",
        "True",
        "0 lessons",
    ]
    paused, landed, ended = printed(steering, program, repository)
    assert paused == "paused: task first failed after 1 attempt: crashed: The command exited with 1."
    assert landed == "landed: first"
    assert ended.startswith("succeeded 2 refs/heads/buildwright/")


def printed(example: str, program: Program, repository: Path) -> list[str]:
    """The lines that a program of its own prints, which must end well."""
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=repository,
        env=program.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
