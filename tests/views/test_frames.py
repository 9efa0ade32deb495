"""The one table from events to the wire: every event has a row, names and fields are those of the documents."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from buildwright.core import event as e
from buildwright.core.apply import apply
from buildwright.core.build import Build
from buildwright.core.event import AnyEvent, Recorded
from buildwright.core.finding import Finding, Report, Verdict
from buildwright.core.graph import Graph
from buildwright.core.limits import Limits, Options
from buildwright.core.patch import FileChange, Patch
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.ports import LogLine
from buildwright.views.frames import MOST_TASKS, Moment, StreamFrame, event_frames, log_frames

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
GOOD = Verdict(tree="t", reports=(Report(gate="scope", ok=True),))
FOUND = Finding(code="pytest.failed", message="1 != 2", file="a.py", line=3, fix="fix it")
BAD = Verdict(tree="t", reports=(Report(gate="checks", ok=False, findings=(FOUND,)),))
PATCH = Patch(
    base_tree="b",
    tree="t",
    changes=(FileChange(path="src/a.py", kind="added", size=12), FileChange(path="old.txt", kind="deleted")),
)
OUT = {"message": "no", "findings": (FOUND,)}


def story(options: Options, *events: AnyEvent) -> list[Moment]:
    """The moments of a build with two tasks in two phases."""
    created = e.BuildCreated(
        build_id="b1", project_id="shop", user_id="u", repository="/r", spec=Spec(title="S"), options=options
    )
    state: Build | None = None
    moments = []
    for seq, event in enumerate((created, *events), 1):
        recorded = Recorded(seq, AT, event)
        before, state = state, apply(state, recorded)
        moments.append(Moment(recorded, before, state))
    return moments


def plan(count: int = 2) -> e.PlanMade:
    tasks = [Task(id=f"t{n}", title=f"Task {n}", milestone="Base" if n == 1 else "Shop") for n in range(1, count + 1)]
    return e.PlanMade(graph=Graph(tasks=tuple(tasks)))


LANDS = (
    e.TargetPrepared(commit="c0", tree="t0"),
    plan(),
    e.BaseJudged(verdict=BAD),
    e.TaskStarted(task="t1", attempt=1, base="c0"),
    e.AgentHeartbeat(task="t1", attempt=1, status="working", percent=40),
    e.TokensUsed(task="t1", attempt=1, model="m", input_tokens=3, cost_usd=Decimal("0.25")),
    e.MessageSent(id="m1", text="be quick"),
    e.MessageDelivered(id="m1", task="t1", attempt=1),
    e.AgentFinished(task="t1", attempt=1, patch=PATCH),
    e.PatchJudged(task="t1", attempt=1, verdict=GOOD),
    e.MergePrepared(task="t1", attempt=1, onto="c0", commit="c1", tree="t"),
    e.MergeJudged(task="t1", attempt=1, verdict=GOOD),
    e.ChangeLanded(task="t1", attempt=1, commit="c1", tree="t"),
)


def by_builder(moments: list[Moment]) -> list[tuple[str, dict[str, Any]]]:
    return [(frame.type, frame.payload) for moment in moments for frame in event_frames("builder", moment)]


def test_the_envelope_is_the_same_for_all() -> None:
    moments = story(Options(), *LANDS)
    for moment in moments:
        for names in ("devteam", "builder", "journal"):
            for frame in event_frames(names, moment):
                text = frame.encoded()
                found = json.loads(text)
                assert list(found) == ["type", "ts", "projectId", "payload"]
                assert text.endswith(b"}}")
                assert (found["ts"], found["projectId"]) == ("2026-03-04T05:06:07.000000Z", "shop")
                assert (found["payload"]["executionId"], found["payload"]["seq"]) == ("b1", moment.recorded.seq)


def test_an_execution_update_for_every_event() -> None:
    moments = story(Options(), *LANDS)
    frames = [frame for moment in moments for frame in event_frames("devteam", moment)]
    assert [frame.type for frame in frames] == ["execution-update"] * len(moments)
    assert [frame.payload["event"] for frame in frames] == [moment.recorded.event.type for moment in moments]
    finished = frames[9].payload
    assert finished["filesModified"] == ["src/a.py", "old.txt"]
    assert (finished["status"], finished["stage"], finished["task"]) == ("running", "working", "t1")
    assert frames[6].payload["costUsd"] == "0.25"
    assert frames[-1].payload["tasks"] == {"total": 2, "done": 1, "waiting": 1}
    assert frames[3].payload["findings"][0] == {
        "code": "pytest.failed", "message": "1 != 2", "severity": "error", "file": "a.py", "line": 3, "fix": "fix it",
    }  # fmt: skip


def test_a_build_by_the_names_of_the_builder() -> None:
    found = by_builder(story(Options(), *LANDS))
    assert [kind for kind, _ in found] == [
        "build_plan",
        "phase_start",
        "audit_fail",
        "agent.spawned",
        "agent.heartbeat",
        "agent.heartbeat",
        "build_interjection",
        "build_interjection",
        "agent.heartbeat",
        "audit_pass",
        "audit_pass",
        "file_created",
        "task_complete",
        "agent.heartbeat",
        "phase_complete",
        "phase_start",
    ]
    fields = dict(found)  # the last of each
    assert found[0][1]["tasks"][0] == {
        "id": "t1", "description": "Task 1", "phase": "Base", "status": "ready", "depends_on": [],
    }  # fmt: skip
    assert {"path": "src/a.py", "size_bytes": 12, "language": "python"}.items() <= fields["file_created"].items()
    assert {"phase": "Shop", "number": 2, "total": 2}.items() <= fields["phase_start"].items()
    assert {"phase": "Base", "number": 1}.items() <= fields["phase_complete"].items()
    assert fields["audit_fail"]["findings"][0]["code"] == "pytest.failed"
    beats = [payload for kind, payload in found if kind == "agent.heartbeat"]
    assert [beat["status"] for beat in beats] == ["initializing", "working", "idle", "completed"]
    assert {"instance_id": "t1#1", "current_task_id": "t1", "progress_percent": 40}.items() <= beats[1].items()
    assert {"message": "be quick", "injected_at": "2026-03-04T05:06:07.000000Z", "delivered": True}.items() <= fields[
        "build_interjection"
    ].items()
    assert {"id": "t1", "status": "done", "phase": "Base"}.items() <= fields["task_complete"].items()


def test_a_pause_says_what_was_found_and_the_ways_out() -> None:
    limits = Limits(attempts=1)
    moments = story(
        Options(limits=limits),
        e.TargetPrepared(commit="c0", tree="t0"),
        plan(),
        e.TaskStarted(task="t1", attempt=1, base="c0"),
        e.AgentFinished(task="t1", attempt=1, patch=PATCH),
        e.PatchJudged(task="t1", attempt=1, verdict=BAD),
        e.TaskFailed(task="t1", message="no", findings=(FOUND,)),
        e.BuildPaused(reason="failure", task="t1"),
        e.TaskSkipped(task="t1"),
        e.BuildResumed(),
        e.BuildPaused(reason="user"),
        e.StopRequested(how="abort"),
        e.BuildFinished(outcome="aborted", message="given up"),
    )
    found = by_builder(moments)
    paused = [payload for kind, payload in found if kind == "build_paused"]
    assert {"phase": "Base", "loop_count": 1}.items() <= paused[0].items()
    assert paused[0]["audit_findings"][0]["message"] == "1 != 2"
    assert paused[0]["options"] == ["retry", "retry_with_message", "skip_phase", "abort"]
    assert paused[1]["options"] == ["retry", "retry_with_message", "abort"]
    kinds = [kind for kind, _ in found]
    assert "build_resumed" in kinds
    assert found[-1][0] == "build_error"
    assert found[-1][1]["error"] == "given up"
    skipped = next(payload for kind, payload in found if kind == "task_complete")
    assert skipped["status"] == "skipped"
    last = event_frames("devteam", moments[-1])[0].payload
    assert last["status"] == "stopped"


def test_an_agent_ends_as_completed_failed_or_stuck() -> None:
    tries = [
        (
            e.TaskStarted(task="t1", attempt=number, base="c0"),
            e.AgentFinished(task="t1", attempt=number, patch=PATCH),
            e.PatchJudged(task="t1", attempt=number, verdict=BAD),
            e.TaskRetried(task="t1"),
        )
        for number in (1, 2)
    ]
    moments = story(
        Options(limits=Limits(stuck_after=2)),
        e.TargetPrepared(commit="c0", tree="t0"),
        plan(),
        *tries[0],
        *tries[1][:3],
        e.BuildStuck(failures=2, tasks=("t1", "t1")),
        e.TaskRetried(task="t1"),
        e.TaskStarted(task="t1", attempt=3, base="c0"),
        e.StopRequested(),
        e.BuildFinished(outcome="stopped"),
    )
    beats = [(each["instance_id"], each["status"]) for kind, each in by_builder(moments) if kind == "agent.heartbeat"]
    assert beats == [
        *[("t1#1", status) for status in ("initializing", "idle", "failed")],
        *[("t1#2", status) for status in ("initializing", "idle", "failed", "stuck")],
        *[("t1#3", status) for status in ("initializing", "failed")],
    ]


def test_a_build_without_lanes_to_its_end() -> None:
    found = by_builder(
        story(
            Options(agent="noop", lanes=False),
            e.TargetPrepared(commit="", tree=""),
            plan(1),
            e.TaskStarted(task="t1", attempt=1),
            e.AgentFinished(task="t1", attempt=1),
            e.BuildDelivered(kind="none"),
            e.BuildFinished(outcome="succeeded"),
        )
    )
    assert [kind for kind, _ in found] == [
        "build_plan",
        "phase_start",
        "agent.spawned",
        "agent.heartbeat",
        "task_complete",
        "agent.heartbeat",
        "phase_complete",
        "build_complete",
    ]
    assert found[-1][1]["outcome"] == "succeeded"


def test_a_large_plan_comes_in_parts() -> None:
    moments = story(Options(), e.TargetPrepared(commit="", tree=""), plan(2 * MOST_TASKS + 1))
    plans = [payload for kind, payload in by_builder(moments) if kind == "build_plan"]
    assert [(part["first"], len(part["tasks"]), part["total"]) for part in plans] == [
        (0, MOST_TASKS, 2 * MOST_TASKS + 1),
        (MOST_TASKS, MOST_TASKS, 2 * MOST_TASKS + 1),
        (2 * MOST_TASKS, 1, 2 * MOST_TASKS + 1),
    ]
    (update,) = event_frames("devteam", moments[-1])
    assert len(update.encoded()) < 2_000


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (e.PlanRejected(message="a circle"), "the plan was rejected: a circle"),
        (e.AgentBroke(task="t1", attempt=1, kind="timeout", message="slow"), "the agent failed (timeout): slow"),
        (e.MergeConflicted(task="t1", attempt=1, onto="c", files=("a", "b"), tree="t"), "conflicts with"),
        (e.TaskFailed(task="t1", message="no"), "failed: no"),
        (e.LoopDetected(task="t1", attempt=2, kind="patch", message="same"), "goes in circles: same"),
        (e.DeliveryFailed(message="no rights"), "the delivery failed: no rights"),
    ],
)
def test_trouble_without_a_name_is_a_line_of_the_log(event: AnyEvent, text: str) -> None:
    moment = story(Options(), e.TargetPrepared(commit="", tree=""), plan())[-1]
    (frame,) = event_frames("builder", Moment(Recorded(4, AT, event), moment.after, moment.after))
    (line,) = frame.payload["lines"]
    assert frame.type == "build_log"
    assert (line["level"], text in line["text"]) == ("error", True)


def test_log_lines_are_one_frame_with_their_levels() -> None:
    lines = [LogLine(n, AT, "t1", 1, kind, f"<b>{n}\u2028") for n, kind in enumerate(("said", "warned", "error"), 7)]
    ((frame, last),) = log_frames("devteam", "b1", "shop", lines)
    assert last == 9
    assert (frame.type, frame.payload["executionId"]) == ("execution-log", "b1")
    assert [(line["seq"], line["level"]) for line in frame.payload["lines"]] == [
        (7, "info"),
        (8, "warning"),
        (9, "error"),
    ]
    assert set(frame.payload["lines"][0]) == {"seq", "ts", "task", "attempt", "kind", "level", "text"}
    assert [one.frame.type for one in log_frames("builder", "b1", "shop", lines)] == ["build_log"]
    assert isinstance(frame, StreamFrame)


def test_commands_that_failed_are_errors_of_the_log() -> None:
    said = (
        ("ran", "$ make (exit code 2)"),
        ("command", "test exited with code 1"),
        ("command", "test exited with code 0"),
    )
    lines = [LogLine(n, AT, "t1", 1, kind, text) for n, (kind, text) in enumerate(said, 1)]
    ((frame, _),) = log_frames("devteam", "b1", "shop", lines)
    assert [line["level"] for line in frame.payload["lines"]] == ["error", "error", "info"]


def test_journal_frames_are_the_events_themselves() -> None:
    moments = story(Options(), *LANDS)
    for moment in moments:
        (frame,) = event_frames("journal", moment)
        payload = json.loads(frame.encoded())["payload"]
        assert e.decode(payload["event"], payload["data"]) == moment.recorded.event


def test_a_base_that_the_gates_refuse_does_not_pass_its_audit() -> None:
    """Also when it lacks only what the tasks are to bring, so that the build goes on."""
    none = Finding(code="test.none_collected", message="no test")
    for finding, expected in ((none, True), (FOUND, None)):
        judged = Verdict(tree="t0", reports=(Report(gate="checks", ok=False, findings=(finding,)),))
        moments = story(Options(), e.TargetPrepared(commit="c0", tree="t0"), plan(), e.BaseJudged(verdict=judged))
        ((kind, fields),) = by_builder(moments[-1:])
        assert (kind, fields["subject"], fields.get("expected")) == ("audit_fail", "base", expected)
        assert [one["code"] for one in fields["findings"]] == [finding.code]


def test_the_audit_of_a_phase_is_told_with_its_phase() -> None:
    for verdict, kind in ((GOOD, "audit_pass"), (BAD, "audit_fail")):
        audited = e.PhaseAudited(phase=0, base="c0", head="c1", verdict=verdict, entry=7)
        moments = story(Options(), *LANDS, audited)
        ((said, fields),) = by_builder(moments[-1:])
        assert (said, fields["subject"], fields["phase"], fields["number"]) == (kind, "phase", "Base", 1)
