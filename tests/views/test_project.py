"""What the pages of a project see of a build, from journals written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from buildwright.core import event as e
from buildwright.core.apply import apply
from buildwright.core.build import Build
from buildwright.core.event import AnyEvent, Recorded
from buildwright.core.finding import Finding, Report, Verdict
from buildwright.core.graph import Graph
from buildwright.core.interview import Answer, Interview, OpenQuestion
from buildwright.core.languages import language_of
from buildwright.core.limits import Delivery, Limits, Options
from buildwright.core.patch import FileChange, Patch
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.views.instructions import Stack, instructions_of, stack_of
from buildwright.views.interview import interview_view
from buildwright.views.project import (
    BuildStatus,
    log_row,
    matching,
    phase_name,
    status_of,
    written_paths,
)
from buildwright.views.project_page import ProjectParts, project_page
from buildwright.views.statuses import project_status
from buildwright.views.summary import Summing, summary_of
from tests.core.machine import START

TASKS = (
    Task(id="a", title="A", milestone="Ground"),
    Task(id="b", title="B", milestone="Ground"),
    Task(id="c", title="C", milestone="Roof"),
)
PATCH = Patch(
    base_tree="t0",
    tree="t1",
    changes=(
        FileChange(path="z.py", kind="added"),
        FileChange(path="old", kind="deleted"),
        FileChange(path="y.md", kind="modified"),
    ),
)
OK = Verdict(tree="t1", reports=(Report(gate="tests", kind="test", ok=True),))
NO = Verdict(
    tree="t1", reports=(Report(gate="tests", kind="test", ok=False, findings=(Finding(code="x", message="Bad"),)),)
)

PLANNED: tuple[AnyEvent, ...] = (
    e.TargetPrepared(commit="c0", tree="t0"),
    e.PlanMade(graph=Graph(tasks=TASKS, milestones=("Empty", "Ground", "Roof"))),
    e.BaseJudged(verdict=Verdict(tree="t0")),
)


def refused(task: str) -> tuple[AnyEvent, ...]:
    return (
        e.TaskStarted(task=task, attempt=1, base="c0"),
        e.AgentFinished(task=task, attempt=1, patch=PATCH),
        e.PatchJudged(task=task, attempt=1, verdict=NO),
    )


def landed(task: str, attempt: int = 1, onto: str = "c0", commit: str = "c1") -> tuple[AnyEvent, ...]:
    return (
        e.TaskStarted(task=task, attempt=attempt, base=onto),
        e.AgentFinished(task=task, attempt=attempt, patch=PATCH),
        e.PatchJudged(task=task, attempt=attempt, verdict=OK),
        e.MergePrepared(task=task, attempt=attempt, onto=onto, commit=commit, tree="t1"),
        e.ChangeLanded(task=task, attempt=attempt, commit=commit, tree="t1"),
    )


def journal(*events: AnyEvent, options: Options | None = None) -> list[Recorded]:
    created = e.BuildCreated(
        build_id="b1",
        project_id="p1",
        user_id="ann",
        repository="/r",
        spec=Spec(title="House"),
        options=options or Options(limits=Limits(attempts=2, pause_seconds=60)),
        correlation_id="k",
    )
    return [Recorded(seq, START + timedelta(seconds=seq), event) for seq, event in enumerate((created, *events), 1)]


def build_of(*events: AnyEvent, options: Options | None = None) -> Build:
    build: Build | None = None
    for recorded in journal(*events, options=options):
        build = apply(build, recorded)
    assert build is not None
    return build


PAUSED: tuple[AnyEvent, ...] = (
    *PLANNED,
    *landed("b"),
    *refused("a"),
    e.TaskFailed(task="a", message="no more tries"),
    e.BuildPaused(reason="failure", message="task a failed", task="a"),
)


@pytest.mark.parametrize(
    ("control", "outcome", "version", "name"),
    [
        ("running", "", 1, "pending"),
        ("running", "", 2, "running"),
        ("stopping", "", 9, "running"),
        ("paused", "", 9, "paused"),
        ("finished", "succeeded", 9, "completed"),
        ("finished", "failed", 9, "failed"),
        ("stopped", "stopped", 9, "cancelled"),
        ("stopped", "aborted", 9, "failed"),
    ],
)
def test_every_state_has_one_of_the_six_names(control: str, outcome: str, version: int, name: str) -> None:
    assert project_status(control, outcome, version) == name


@pytest.mark.parametrize(
    ("events", "wanted"),
    [
        ((), {"status": "pending", "phase": "Planning", "phase_number": 0, "phase_count": 0, "started_at": None}),
        (PLANNED[:1], {"status": "running", "phase": "Planning", "progress": 0, "active": False}),
        (PLANNED, {"phase": "Ground", "phase_number": 1, "phase_count": 2, "progress": 0, "tasks": {"waiting": 3}}),
        ((*PLANNED, e.TaskStarted(task="a", attempt=1, base="c0")), {"active": True, "loop_count": 0}),
        ((*PLANNED, *refused("a")), {"active": False, "loop_count": 1}),
        ((*PLANNED, *refused("a"), e.TaskRetried(task="a")), {"loop_count": 1, "options": ()}),
        ((*PLANNED, *landed("a")), {"progress": 33, "loop_count": 0, "phase": "Ground"}),
        (
            (*PLANNED, *landed("a"), *landed("b", onto="c1", commit="c2")),
            {"progress": 66, "phase": "Roof", "phase_number": 2},
        ),
        (
            PAUSED,
            {
                "status": "paused",
                "pause_reason": "task a failed",
                "pause_kind": "failure",
                "pause_phase": "Ground",
                "pause_task": "a",
                "pause_findings": ("Bad [x]",),
                "options": ("retry", "retry_with_message", "skip", "abort"),
                "loop_count": 1,
            },
        ),
        (
            (*PLANNED, e.BuildPaused(reason="budget")),
            {"pause_reason": "budget", "options": ("retry", "retry_with_message", "abort")},
        ),
        (
            (*PLANNED, e.StopRequested(message="enough"), e.BuildFinished(outcome="stopped", message="enough")),
            {"status": "cancelled", "error_detail": "enough", "active": False},
        ),
        ((*PLANNED, e.MessageSent(id="m", text="Hi")), {"status": "running"}),
    ],
)
def test_the_status_of_a_build(events: Sequence[AnyEvent], wanted: dict[str, object]) -> None:
    status = status_of(build_of(*events)).model_dump()
    assert {name: status[name] for name in wanted} == wanted


def test_a_pause_ends_when_its_limit_says() -> None:
    status = status_of(build_of(*PAUSED))
    assert status.paused_at is not None
    assert status.pause_deadline == status.paused_at + timedelta(seconds=60)


def test_messages_wait_until_they_are_heard() -> None:
    begun = (*PLANNED, e.TaskStarted(task="a", attempt=1, base="c0"), e.MessageSent(id="m", text="Hi"))
    assert [note.id for note in status_of(build_of(*begun)).interjections_waiting] == ["m"]
    heard = (*begun, e.MessageDelivered(id="m", task="a", attempt=1))
    assert status_of(build_of(*heard)).interjections_waiting == ()


def phases(status: BuildStatus) -> list[tuple[str, str]]:
    return [(phase.name, phase.status) for phase in status.phases]


def test_phases_are_grey_blue_green_and_red() -> None:
    assert phases(status_of(build_of(*PLANNED))) == [("Ground", "active"), ("Roof", "pending")]
    assert phases(status_of(build_of(*PAUSED))) == [("Ground", "paused"), ("Roof", "pending")]
    done = (*PLANNED, *landed("a"), *landed("b", onto="c1", commit="c2"))
    assert phases(status_of(build_of(*done))) == [("Ground", "completed"), ("Roof", "active")]
    ended = (*PAUSED, e.StopRequested(how="abort"), e.BuildFinished(outcome="aborted"))
    assert phases(status_of(build_of(*ended))) == [("Ground", "failed"), ("Roof", "pending")]
    assert phase_name(build_of(*done), "a") == "Ground"


def test_tasks_without_a_milestone_are_one_numbered_phase() -> None:
    plan = e.PlanMade(graph=Graph(tasks=(Task(id="a", title="A"),)))
    status = status_of(build_of(PLANNED[0], plan))
    assert (status.phase, status.phase_number, status.phase_count) == ("Phase 1", 1, 1)


def test_files_are_those_that_landed() -> None:
    assert written_paths(build_of(*PLANNED, *refused("a"))) == []
    assert written_paths(build_of(*PLANNED, *landed("a"))) == ["y.md", "z.py"]


def used(task: str, model: str, cost: str | None, tokens: int = 10) -> e.TokensUsed:
    price = Decimal(cost) if cost is not None else None
    return e.TokensUsed(task=task, attempt=1, model=model, input_tokens=tokens, output_tokens=1, cost_usd=price)


def test_the_summary_adds_up_by_phase_and_model() -> None:
    started = e.TaskStarted(task="b", attempt=1, base="c0")
    events: tuple[AnyEvent, ...] = (
        PLANNED[0],
        used("", "large", "0.5"),
        *PLANNED[1:],
        started,
        used("b", "small", "0.1"),
        used("b", "small", "0.2"),
        used("b", "strange", None),
        *landed("b")[1:],
        *refused("a"),
        e.MessageSent(id="m", text="Hi", task="a"),
        e.TaskFailed(task="a", message="no more"),
        e.BuildPaused(reason="failure", task="a"),
    )
    summing = Summing()
    for recorded in journal(*events):
        summing.add(recorded)
    build = build_of(*events)
    summary = summary_of(build, summing, build.updated_at)
    assert [
        (c.phase, c.model, c.requests, c.input_tokens, c.estimated_cost_usd, c.unpriced) for c in summary.costs
    ] == [
        ("Planning", "large", 1, 10, Decimal("0.5"), 0),
        ("Ground", "small", 2, 20, Decimal("0.3"), 0),
        ("Ground", "strange", 1, 10, Decimal(0), 1),
    ]
    assert summary.estimated_cost_usd == sum(cost.estimated_cost_usd for cost in summary.costs) == Decimal("0.8")
    assert summary.tokens == 44
    assert (summary.turns, summary.attempts, summary.loopbacks, summary.pauses, summary.commits) == (4, 2, 1, 1, 1)
    assert (summary.audits.total, summary.audits.passed, summary.audits.failed) == (2, 1, 1)
    ground, roof = summary.phases
    assert (ground.name, ground.attempts, ground.loopbacks, ground.cost_usd, ground.tokens) == (
        "Ground",
        2,
        1,
        Decimal("0.3"),
        33,
    )
    assert ground.seconds > 0
    assert (roof.status, roof.seconds, roof.attempts) == ("pending", 0.0, 0)
    assert [(one.id, one.message, one.task, one.delivered_at) for one in summary.interjections] == [
        ("m", "Hi", "a", None)
    ]
    assert summary.files_written == 2
    assert summary.delivered is None


@pytest.mark.parametrize(
    ("kind", "text", "source", "level"),
    [
        ("said", "Hello", "agent", "info"),
        ("ran", "$ make (exit code 2)", "agent", "error"),
        ("ran", "$ make (exit code 0)", "agent", "info"),
        ("ran", "it printed (exit code 2)", "agent", "info"),
        ("command", "test exited with code 1", "command", "error"),
        ("command", "test exited with code 0", "command", "info"),
        ("command", "it exited with code 1, it says", "command", "info"),
        ("warned", "Odd", "agent", "warning"),
        ("used_tokens", "m: 1 tokens in", "agent", "debug"),
        ("engine", "dropped", "engine", "info"),
        ("gate", "checks: refused", "gate", "warning"),
        ("gate", "checks: refused, 2 findings", "gate", "warning"),
        ("gate", "checks: passed", "gate", "info"),
    ],
)
def test_a_line_of_the_log_has_source_and_level(kind: str, text: str, source: str, level: str) -> None:
    row = log_row(1, START, "a", 1, kind, text)
    assert (row.source, row.level, row.message) == (source, level, text)
    assert matching([row], level=level, source=source, search=text.upper()) == [row]
    assert matching([row], search="not there") == []


@pytest.mark.parametrize(
    ("path", "language"),
    [("src/a.PY", "python"), ("Makefile", "makefile"), (".py", ""), ("a/b", ""), ("go.mod", "go"), ("x.tar.gz", "")],
)
def test_a_name_tells_the_language(path: str, language: str) -> None:
    assert language_of(path) == language


def delivered(build: Build, kind: str, remote: str = "", given: str = "") -> tuple[str, ...]:
    options = build.options.model_copy(update={"delivery": Delivery.model_validate({"kind": kind, "remote": given})})
    build = replace(build, options=options)
    summing = Summing()
    event = e.BuildDelivered.model_validate({"kind": kind, "ref": "refs/heads/x y", "commit": "c1", "remote": remote})
    summing.add(Recorded(9, START, event))
    told = instructions_of(build, Stack(), summing.delivered)
    assert told.delivered
    assert told.branch == "x y"
    return told.steps[0].commands


def test_the_result_is_taken_from_where_it_is() -> None:
    build = build_of(*PLANNED, *landed("a"))
    assert delivered(build, "branch") == ("cd /r", "git log --oneline 'x y'", "git switch 'x y'")
    assert delivered(build, "push", "origin") == ("cd /r", "git fetch origin 'x y'", "git switch --detach FETCH_HEAD")
    url = "https://example.org/o/house.git"
    assert delivered(build, "push", url, url) == (f"git clone --branch 'x y' {url} house", "cd house")
    nowhere = instructions_of(build, Stack(), None)
    assert not nowhere.delivered
    assert nowhere.steps[0].commands == ("buildwright diff b1 > result.patch", "git apply result.patch")
    assert instructions_of(build_of(*PLANNED), Stack(), None).steps[0].commands == ()
    bare = instructions_of(build_of(options=Options(lanes=False)), Stack(), None)
    assert bare.steps[0].title == "Nothing to take"


SAID = Answer(id="A1", section="product_intent", text="It counts lines.", origin="said")
ASKED = OpenQuestion(section="product_intent", text="What is it for?")


def test_the_stack_is_that_of_the_manifests_and_the_toolchain() -> None:
    checks = (("lint", "ruff check"), ("test", "pytest"), ("build", "npm run build"))
    stack = stack_of(frozenset({"pyproject.toml", "go.mod"}), has_package=False, setup=(), checks=checks)
    assert stack == Stack(
        languages=("python", "go"),
        install=("go mod download",),
        checks=("ruff check",),
        test=("pytest",),
        build=("npm run build",),
    )
    assert stack_of(frozenset({"package.json"}), False, ("npm ci",), ()).install == ("npm ci",)
    assert stack_of(frozenset({"Cargo.toml"}), False, (), ()).build == ("cargo build",)


@pytest.mark.parametrize(
    ("spec", "interview", "state", "words"),
    [
        ("# Lines\n", {}, "done", "A spec of 2 words. An interview asks only for what it leaves open."),
        (
            "# Lines\n",
            {"answers": (SAID,)},
            "open",
            "0 of 8 sections are complete. A build of the spec alone need not wait for the rest.",
        ),
        ("", {"answers": (SAID,)}, "open", "0 of 8 sections are complete."),
        ("", {"questions": (ASKED,)}, "open", "0 of 8 sections are complete."),
        ("", {"reply": "Hello."}, "open", "0 of 8 sections are complete."),
        (
            "# Lines\n",
            {"reply": "Hello."},
            "open",
            "0 of 8 sections are complete. A build of the spec alone need not wait for the rest.",
        ),
        ("", {}, "open", "Nothing is said yet: the interview asks for what a builder must know."),
    ],
)
def test_what_to_build_is_not_settled_while_its_interview_goes_on(
    spec: str, interview: dict[str, Any], state: str, words: str
) -> None:
    parts = ProjectParts(
        id="p",
        name="lines",
        description="",
        target_type="local_path",
        target_ref="/repo",
        spec=spec,
        tasks=0,
        contracts=0,
        interview=interview_view("p", "lines", Interview(**interview)),
    )
    page = project_page(parts, (), {}, may_run_commands=True)
    (step,) = [step for step in page.steps if step.name == "interview"]
    assert (step.state, step.words) == (state, words)
