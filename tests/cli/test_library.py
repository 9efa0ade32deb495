"""The library, in this process, on real git and SQLite."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from buildwright import Limits, Options, Orchestrator, Task
from buildwright.errors import BadGraph, BadSpec, BuildwrightError, NotFound, Refused
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
        assert seen[-1] == "build.finished"
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


def test_the_example_of_the_page_runs(program: Program, repository: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=repository,
        env=program.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, second, ended, total = done.stdout.splitlines()
    assert (first, second) == ("first done 1", "second done 1")
    assert ended.startswith("succeeded refs/heads/buildwright/")
    assert total == "1 2 0"
