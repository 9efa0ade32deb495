"""What others see in the database with SQL, under the names that they know; and that a rollback leaves the journal."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from buildwright.core import event as e
from buildwright.core.apply import apply
from buildwright.core.build import Build
from buildwright.core.event import AnyEvent, Recorded
from buildwright.core.finding import NOT_RUN, Finding, Report, Verdict
from buildwright.core.graph import Graph
from buildwright.core.limits import Options
from buildwright.core.patch import FileChange, Patch
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.errors import Conflict
from buildwright.ports import CostKey, LogEntry
from buildwright.store import opening, revisions
from buildwright.store.build_queries import BuildQueries
from buildwright.store.database import Database
from buildwright.store.inbox import asked
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.store.records import Records
from buildwright.views.project import phases_of, status_of
from buildwright.views.statuses import TASKS, runtime_phase
from tests.store.process import AT, beat, created, open_in, steps_above


async def fill(database: Path | str) -> None:
    """Two builds: one that failed, of which one line was logged, and one that has just begun."""
    store = await (PostgresBuilds.open(database) if isinstance(database, str) else open_in(database.parent))
    await store.create("a", [created("a")], AT)
    await store.append(
        "a",
        1,
        [
            e.TaskStarted(task="t", attempt=1),
            e.TokensUsed(
                task="t", attempt=1, agent="pi", model="m", input_tokens=3_000_000_000, cost_usd=Decimal("0.25")
            ),
            e.TokensUsed(model="n", output_tokens=7),
            beat("x"),
            e.AgentBroke(task="t", attempt=1, kind="crashed", message="it\0broke"),
            e.BuildFinished(outcome="failed", message="no"),
        ],
        AT,
    )
    lines = [LogEntry(AT, "t", 1, kind, kind) for kind in ("said", "gate", "git", "warned", "heard")]
    await store.write_log("a", [*lines, LogEntry(AT, "t", 1, "gate", "checks: refused, 2 findings")])
    await store.create("b", [created("b")], AT)
    await store.close()


async def ask(database: Path | str, question: str) -> list[tuple[Any, ...]]:
    opened = Database.open(database)
    rows = await opened.fetch(text(question))
    await opened.close()
    return [tuple(row) for row in rows]


async def test_builds_logs_costs_and_tasks_under_their_other_names(database: Path | str) -> None:
    await fill(database)
    builds = "SELECT id, project_id, phase, status, loop_count, error_detail FROM builds ORDER BY id"
    assert await ask(database, builds) == [
        ("a", "p", "error", "failed", 0, "no"),
        ("b", "p", "planning", "pending", 0, None),
    ]
    ended = await ask(database, "SELECT id FROM builds WHERE completed_at = created_at AND started_at = created_at")
    assert ended == [("a",)]
    logs = "SELECT build_id, id, source, level, message FROM build_logs ORDER BY id"
    assert await ask(database, logs) == [
        ("a", 1, "agent", "info", "said"),
        ("a", 2, "gate", "info", "gate"),
        ("a", 3, "git", "info", "git"),
        ("a", 4, "agent", "warning", "warned"),
        ("a", 5, "agent", "debug", "heard"),
        ("a", 6, "gate", "warning", "checks: refused, 2 findings"),
    ]
    costs = "SELECT build_id, task, model, input_tokens, output_tokens, estimated_cost_usd FROM build_costs ORDER BY id"
    assert await ask(database, costs) == [
        ("a", "t", "m", 3_000_000_000, 0, Decimal("0.25")),
        ("a", "", "n", 0, 7, None),
    ]
    tasks = "SELECT task_id, event_type, message FROM task_execution_log WHERE execution_id = 'a' ORDER BY id"
    seen = await ask(database, tasks)
    assert [row[:2] for row in seen] == [
        ("", "info"),
        ("t", "task_started"),
        ("t", "info"),
        ("", "info"),
        ("t", "error"),
        ("", "info"),
    ]
    assert [row[2] for row in seen] == [
        "the build was created",
        "attempt 1 has begun",
        "m: 3000000000 tokens in, 0 out",
        "n: 0 tokens in, 7 out",
        "it\u2400broke",
        "no",
    ]
    instances = "SELECT DISTINCT instance_id, loop_id FROM task_execution_log WHERE instance_id IS NOT NULL"
    assert await ask(database, instances) == [("t#1", "p")]


async def test_the_log_of_tasks_says_each_event_in_words(database: Path | str) -> None:
    refused = Verdict(tree="u", reports=(Report(gate="checks", kind="test", ok=False),))
    build = await worked(
        database,
        "w",
        GRAPH,
        e.TaskStarted(task="b", attempt=1),
        e.AgentFinished(task="b", attempt=1, patch=PATCH, summary='wrote "ok":false'),
        e.PatchJudged(task="b", attempt=1, verdict=refused),
        e.TaskRetried(task="b"),
        e.TaskStarted(task="b", attempt=2),
        e.AgentFinished(task="b", attempt=2, patch=PATCH),
        e.PatchJudged(task="b", attempt=2, verdict=Verdict(tree="v", reports=(Report(gate="c", ok=True),))),
        e.BuildStuck(failures=3, tasks=("b",)),
    )
    runs = BuildQueries.open(database)
    entries = await runs.execution_log("w")
    assert [entry.id for entry in entries] == list(range(1, build.version + 1))
    assert [(entry.event_type, entry.instance_id, entry.message) for entry in entries[2:]] == [
        ("info", "", "tasks in the plan: 4"),
        ("task_started", "b#1", "attempt 1 has begun"),
        ("info", "b#1", 'wrote "ok":false'),
        ("validation_run", "b#1", "the checks have refused the change of attempt 1"),
        ("info", "b#1", "is tried again"),
        ("task_started", "b#2", "attempt 2 has begun"),
        ("info", "b#2", "the agent has finished"),
        ("validation_run", "b#2", "the checks have passed the change of attempt 2"),
        ("error", "", "the build is stuck: 3 failures in a row"),
    ]
    assert {(entry.execution_id, entry.loop_id) for entry in entries} == {("w", "p")}
    assert entries[3].context == {"task": "b", "attempt": 1}
    assert entries[3].timestamp == datetime(2026, 1, 4, 22, tzinfo=UTC)
    assert [entry.id for entry in await runs.execution_log("w", after=5, limit=2, task="b")] == [6, 7]
    await runs.close()


async def test_audits_of_phases_have_tables(database: Path | str) -> None:
    found = Finding(code="scope.extra", message="x was not claimed")
    reports = (
        Report(gate="A1 scope", ok=False, findings=(found,)),
        Report(gate="A2 minimal diff", ok=True, findings=(found.model_copy(update={"severity": "warning"}),)),
        Report(gate="A4 boundaries", ok=True, findings=(Finding(code=NOT_RUN, message="no", severity="note"),)),
        Report(gate="W1 secrets", ok=True),
    )
    audited = e.PhaseAudited(phase=0, base="c", head="d", verdict=Verdict(tree="u", reports=reports), entry=7)
    store = await (PostgresBuilds.open(database) if isinstance(database, str) else open_in(database.parent))
    await store.create("w", [created("w"), audited], AT)
    await store.close()
    runs = "SELECT id, build_id, project_id, commit_sha, base_sha, status, ledger_entry FROM audit_runs"
    assert [(*row[:-1], int(row[-1])) for row in await ask(database, runs)] == [
        ("w-2", "w", "p", "d", "c", "failed", 7)
    ]
    checks = "SELECT audit_run_id, check_code, check_name, result, detail FROM audit_checks ORDER BY check_code"
    assert await ask(database, checks) == [
        ("w-2", "A1", "scope", "failed", "x was not claimed"),
        ("w-2", "A2", "minimal diff", "warned", "x was not claimed"),
        ("w-2", "A4", "boundaries", "not run", "no"),
        ("w-2", "W1", "secrets", "passed", ""),
    ]


GRAPH = Graph(
    tasks=(
        Task(id="a", title="A", goal="do", milestone="Later"),
        Task(id="b", title="B", milestone="First"),
        Task(id="c", title="C", milestone="Later"),
        Task(id="d", title="D", milestone="Later"),
    ),
    milestones=("Empty", "First", "Later"),
)


PATCH = Patch(base_tree="t", tree="u", changes=(FileChange(path="x", kind="added", mode="100644", size=1),))


async def worked(database: Path | str, build_id: str, graph: Graph, *events: AnyEvent, **options: Any) -> Build:
    """Append a legal journal, an hour between its events from Sunday 2026-01-04 21:00 on; return the build."""
    store = await (PostgresBuilds.open(database) if isinstance(database, str) else open_in(database.parent))
    first = created(build_id).model_copy(update={"repository": "/r", "options": Options(**options)})
    begun = (e.TargetPrepared(commit="c", tree="t"), e.PlanMade(graph=graph))
    build: Build | None = None
    for seq, event in enumerate((first, *begun, *events), 1):
        at = datetime(2026, 1, 4, 18, tzinfo=UTC) + timedelta(hours=seq)
        build = apply(build, Recorded(seq, at, event))
        if seq == 1:
            await store.create(build_id, [event], at)
        else:
            await store.append(build_id, seq - 1, [event], at, after=build)
    await store.close()
    assert build is not None
    return build


async def test_a_paused_and_an_aborted_build_are_what_the_api_says(database: Path | str) -> None:
    failing = (
        e.TaskStarted(task="b", attempt=1),
        e.AgentBroke(task="b", attempt=1, kind="crashed", message="it broke"),
        e.TaskFailed(task="b", message="it broke"),
        e.BuildPaused(reason="failure", message="b has failed", task="b"),
    )
    aborted = (
        e.StopRequested(how="abort"),
        e.BuildFinished(outcome="aborted", message="Build aborted by user at First"),
    )
    built = [
        await worked(database, "aborted", GRAPH, *failing, *aborted),
        await worked(database, "paused", GRAPH, *failing),
        await worked(database, "rests", GRAPH.model_copy(update={"milestones": ()}), e.BuildPaused(reason="user")),
        await worked(database, "works", Graph(tasks=(Task(id="a", title="A"),)), e.TaskStarted(task="a", attempt=1)),
    ]
    question = """SELECT id, status, coalesce(error_detail, ''), coalesce(pause_reason, ''), coalesce(pause_phase, ''),
        paused_at IS NOT NULL, target_type, target_ref, phase FROM builds ORDER BY id"""
    for row, build in zip(await ask(database, question), built, strict=True):
        shown = status_of(build)
        told = (shown.status, shown.error_detail, shown.pause_reason, shown.pause_phase, shown.paused_at is not None)
        assert row == (build.id, *told, "repository", "/r", runtime_phase(build))
    assert [build.id for build in built if build.pause] == ["paused", "rests"]


async def test_tasks_have_the_phase_and_status_that_the_api_shows(database: Path | str) -> None:
    build = await worked(
        database,
        "w",
        GRAPH,
        e.TaskStarted(task="b", attempt=1),
        e.AgentFinished(task="b", attempt=1, patch=PATCH, summary="wrote x"),
        e.PatchJudged(task="b", attempt=1, verdict=Verdict(tree="u")),
        e.MergePrepared(task="b", attempt=1, onto="c", commit="d", tree="u"),
        e.ChangeLanded(task="b", attempt=1, commit="d", tree="u"),
        e.TaskStarted(task="a", attempt=1),
        e.TokensUsed(task="a", attempt=1, model="m", input_tokens=5, cache_read_tokens=2, cost_usd=Decimal("0.5")),
        e.AgentBroke(task="a", attempt=1, kind="crashed", message="it broke"),
        e.TaskFailed(task="a", message="it broke"),
        e.TaskStarted(task="c", attempt=1),
    )
    numbers = {phase.name: phase.number for phase in phases_of(build)}
    tasks = await ask(database, "SELECT id, phase, phase_number, status, attempts, goal FROM tasks ORDER BY position")
    assert tasks == [
        ("a", "Later", numbers["Later"], "blocked", 1, "do"),
        ("b", "First", numbers["First"], "done", 1, ""),
        ("c", "Later", numbers["Later"], "doing", 1, ""),
        ("d", "Later", numbers["Later"], "todo", 0, ""),
    ]
    assert [row[3] for row in tasks] == [TASKS[build.task(row[0]).phase][0] for row in tasks]
    assert await ask(database, "SELECT id, project_id, name, tasks FROM task_lists") == [("w", "p", "t", 4)]
    entries = "SELECT session_id, task_id, model_name, input_tokens, output_tokens, cost_usd FROM cost_entries"
    assert await ask(database, entries) == [("w", "a", "m", 5, 0, Decimal("0.5"))]
    assert await ask(database, "SELECT phase FROM build_costs") == [("Later",)]
    runs = BuildQueries.open(database)
    await runs.stats("day")
    await runs.close()
    for name, periods in (
        ("hourly", ["2026-01-04T22:00:00Z", *(f"2026-01-05T{hour:02}:00:00Z" for hour in (2, 3, 4, 6, 7))]),
        ("daily", ["2026-01-04T00:00:00Z", "2026-01-05T00:00:00Z"]),
        ("weekly", ["2025-12-29T00:00:00Z", "2026-01-05T00:00:00Z"]),
    ):
        rows = [row[:7] for row in await ask(database, f"SELECT * FROM metrics_{name} ORDER BY timestamp")]
        assert [row[0] for row in rows] == periods
        assert [sum(row[place] for row in rows) for place in (1, 2, 3, 5)] == [2, 1, 1, 7]
        assert sum(row[4] for row in rows) == Decimal("0.5")
    assert [row[6] for row in rows] == [None, 3.5 * 3_600_000]


async def test_without_lanes_a_task_is_done_when_its_agent_has_finished(database: Path | str) -> None:
    events = (e.TaskStarted(task="b", attempt=1), e.AgentFinished(task="b", attempt=1))
    await worked(database, "w", GRAPH, *events, lanes=False)
    assert await ask(database, "SELECT id FROM tasks WHERE status = 'done' AND completed_at IS NOT NULL") == [("b",)]


async def test_down_and_up_with_data(database: Path | str) -> None:
    await fill(database)
    views = await ask(database, "SELECT * FROM builds ORDER BY id")
    records = Records.open(database)
    await records.projects.create("u", "x", at=AT)
    await records.inbox.keep(asked("u", "p", "x", {}, "", AT))
    await records.keys.claim("u", "POST /", "k", b"", AT)
    await records.tokens.use("t", AT.replace(year=2999), AT)
    await records.hosting.host("b", "h:1:1", AT)
    rows = await records.runs.page("u", 10)
    assert len(rows) == 2
    await records.close()
    lost = "hosted_builds, idempotency_keys, projects, received_events, used_tokens"
    assert await revisions.rollback(database, steps_above("0003")) == "0003"
    with pytest.raises(Conflict, match=lost):
        await revisions.rollback(database)
    assert await revisions.version(database) == "0003"
    assert await revisions.rollback(database, drop_data=True) == "0002"
    await revisions.migrate(database)
    assert await ask(database, "SELECT * FROM builds ORDER BY id") == views
    records = Records.open(database)
    assert await records.runs.page("u", 10) == rows
    assert await records.projects.page("u", 10) == []
    await records.close()


async def test_the_indexes_after_a_rollback_are_those_of_before(tmp_path: Path) -> None:
    def schema(path: Path) -> list[tuple[str, str]]:
        conn = sqlite3.connect(path)
        found = conn.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").fetchall()
        conn.close()
        return [(name, sql.strip()) for name, sql in found if name != "alembic_version"]

    path = tmp_path / "buildwright.db"
    opening.open_writer(path, 5).close()
    new = schema(path)
    assert await revisions.rollback(path, steps_above("0002")) == "0002"
    old = schema(path)
    assert ("ix_build_runs_user_id", "CREATE INDEX ix_build_runs_user_id ON build_runs (user_id)") in old
    assert not [sql for _, sql in old if "VIEW" in sql]
    await revisions.migrate(path)
    assert schema(path) == new


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("day", [AT.date().isoformat()]),
        ("project", ["p"]),
        ("user", ["u"]),
        ("model", ["m", "n"]),
        ("agent", ["", "pi"]),
        ("build", ["a"]),
    ],
)
async def test_costs_are_summed_over_builds(database: Path | str, by: CostKey, keys: list[str]) -> None:
    await fill(database)
    runs = BuildQueries.open(database)
    sums = await runs.costs(by)
    assert [each.key for each in sums] == keys
    total = [sum(each.model_dump()[name] for each in sums) for name in ("requests", "input_tokens", "output_tokens")]
    assert total == [2, 3_000_000_000, 7]
    assert sum(each.cost_usd for each in sums) == Decimal("0.25")
    assert sum(each.unpriced for each in sums) == 1
    assert await runs.costs(by, user_id="another") == []
    assert await runs.costs(by, start=AT + timedelta(seconds=1)) == await runs.costs(by, end=AT) == []
    assert await runs.costs(by, AT, AT + timedelta(seconds=1), "u") == sums
    await runs.close()


async def test_tasks_are_those_of_the_changed_plan(database: Path | str) -> None:
    late = Task(id="late", title="Late", milestone="Last", depends_on=("a",))
    failing = (
        e.TaskStarted(task="b", attempt=1),
        e.AgentBroke(task="b", attempt=1, kind="crashed", message="it broke"),
        e.TaskFailed(task="b", message="it broke"),
    )
    changes = (
        e.PlanChanged(tasks=(late, Task(id="a", title="A!", goal="more", milestone="Later"))),
        e.PlanChanged(dropped=("c",)),
        e.PlanChanged(tasks=(Task(id="e", title="E", milestone="First"), Task(id="c", title="C2", milestone="Later"))),
    )
    contracts = e.ContractsChanged(
        spec=Spec(title="t", graph=GRAPH),
        graph=Graph(
            tasks=(*GRAPH.tasks[:2], Task(id="new", title="New", milestone="Last")),
            milestones=("First", "Last", "Later"),
        ),
    )
    again = e.PlanChanged(tasks=(Task(id="b", title="B!", milestone="First"),))
    dropped = (contracts, e.PlanChanged(dropped=("a",)))
    reworded = e.ContractsChanged(
        spec=Spec(title="t", graph=GRAPH),
        graph=GRAPH.model_copy(
            update={
                "tasks": tuple(
                    one.model_copy(update={"acceptance": ("it is shown",)}) if one.id == "b" else one
                    for one in GRAPH.tasks
                )
            }
        ),
    )
    as_before = e.ContractsChanged(spec=Spec(title="t", graph=GRAPH), graph=GRAPH)
    without = e.ContractsChanged(
        spec=Spec(title="t", graph=GRAPH),
        graph=GRAPH.model_copy(update={"tasks": tuple(one for one in GRAPH.tasks if one.id != "b")}),
    )
    no_b, same_b = e.PlanChanged(dropped=("b",)), e.PlanChanged(tasks=(Task(id="b", title="B", milestone="Later"),))
    unnamed = Graph(tasks=(Task(id="a", title="A", milestone="One"), Task(id="b", title="B", milestone="Two")))
    moved = e.PlanChanged(tasks=(Task(id="a", title="A", milestone="New"),))
    built = [
        await worked(database, "again", GRAPH, *failing, again),
        await worked(database, "back", GRAPH, *failing, without, as_before),
        await worked(database, "back after a drop", GRAPH, *failing, no_b, same_b),
        await worked(database, "back, and failed again", GRAPH, *failing, without, as_before, *failing, as_before),
        await worked(database, "changed", GRAPH, *changes),
        await worked(database, "contracts", GRAPH, *changes, *dropped),
        await worked(database, "failed", GRAPH, *failing, e.PlanChanged(dropped=("d",))),
        await worked(database, "moved", unnamed, moved),
        await worked(database, "reworded", GRAPH, *failing, reworded),
        await worked(database, "reworded and the same", GRAPH, *failing, reworded, reworded),
        await worked(database, "said again", GRAPH, *failing, as_before),
    ]
    columns = "id, title, goal, phase, phase_number, status"
    for build in built:
        assert build.plan is not None
        numbers = {phase.name: phase.number for phase in phases_of(build)}
        expected = [
            (one.id, one.title, one.goal, one.milestone, numbers[one.milestone], shown)
            for one in build.plan.graph.tasks
            for shown in [TASKS[build.task(one.id).phase][0]]
        ]
        question = f"SELECT {columns} FROM tasks WHERE build_id = '{build.id}' ORDER BY position"
        assert await ask(database, question) == expected, build.id
    assert await ask(database, "SELECT id, tasks FROM task_lists ORDER BY id") == [
        (build.id, len(build.plan.graph.tasks)) for build in built if build.plan is not None
    ]
    planned = "SELECT id, planned_at FROM planned_tasks WHERE build_id = 'changed' ORDER BY position"
    hours = {
        name: datetime.fromisoformat(str(at)).replace(tzinfo=UTC).hour for name, at in await ask(database, planned)
    }
    assert hours == {"a": 21, "b": 21, "d": 21, "late": 22, "e": 0, "c": 0}


async def test_a_fork_shows_what_it_has_taken_over_as_done(database: Path | str) -> None:
    landed = [
        {"task": "b", "attempt": 2, "commit": "d", "at": AT},
        {"task": "a", "attempt": 1, "commit": "e", "at": AT, "counts": False},
    ]
    forked = e.BuildForked.model_validate(
        {"source": "w", "last": 9, "ancestors": ("w",), "landed": landed, "skipped": ("d",), "graph": GRAPH}
    )
    store = await (PostgresBuilds.open(database) if isinstance(database, str) else open_in(database.parent))
    await store.create("f", [created("f"), forked], AT)
    later = AT + timedelta(hours=1)
    await store.append(
        "f",
        2,
        [e.TargetPrepared(commit="c", tree="t"), e.PlanMade(graph=GRAPH), e.TaskStarted(task="a", attempt=1)],
        later,
    )
    build = await store.load("f")
    await store.close()
    rows = await ask(database, "SELECT id, status, attempts FROM tasks ORDER BY position")
    assert rows == [("a", "doing", 1), ("b", "done", 2), ("c", "todo", 0), ("d", "done", 0)]
    assert [row[1] for row in rows] == [TASKS[build.task(row[0]).phase][0] for row in rows]
    done = await ask(database, "SELECT id FROM tasks WHERE completed_at IS NOT NULL AND completed_at < created_at")
    assert [name for (name,) in done] == ["b", "d"]
    assert await ask(database, "SELECT id, tasks FROM task_lists") == [("f", 4)]
    assert await ask(database, "SELECT id, status FROM builds") == [("f", "running")]
    assert await ask(database, "SELECT id FROM audit_runs") == await ask(database, "SELECT id FROM build_costs") == []
    words = await ask(database, "SELECT event_type FROM task_execution_log ORDER BY id")
    assert [word for (word,) in words] == ["info"] * 4 + ["task_started"]
    runs = BuildQueries.open(database)
    await runs.stats("day")
    await runs.close()
    assert await ask(database, "SELECT sum(total_tasks), sum(successful_tasks) FROM metrics_daily") in (
        [(0, 0)],
        [(None, None)],
    )
