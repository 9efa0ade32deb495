"""The wire's view of a build, made from journals of real events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

import buildwright
from buildwright.core import event as e
from buildwright.core.apply import fold
from buildwright.core.event import AnyEvent, Recorded
from buildwright.core.finding import Evidence, Finding, Report, Verdict
from buildwright.core.graph import Graph
from buildwright.core.limits import Options
from buildwright.core.patch import FileChange, Patch
from buildwright.core.spec import BuildPlan, ProjectBrief, Spec
from buildwright.core.task import Task
from buildwright.views.runtime import BuildState, ReviewDecision, head_change, history_events, state_of, with_builds
from buildwright.views.statuses import BuildPhase, TaskStatus, runtime_phase

AT = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
GRAPH = Graph(
    tasks=(
        Task(id="a", title="First", goal="do it", acceptance=("it is done",), files_expected=("a.py",)),
        Task(id="b", title="Second", depends_on=("a",)),
        Task(id="c", title="Third", depends_on=("b",)),
    ),
    notes="in a row",
)
PATCH = Patch(base_tree="T0", tree="T1", changes=(FileChange(path="a.py", kind="added", mode="100644", size=3),))


def verdict(tree: str, tests: bool = True, review: bool = True) -> Verdict:
    evidence = Evidence(tree=tree, command="pytest -q", exit_code=0, seconds=1, output_digest="d", started_at=AT)
    broken = Finding(code="pytest.failed", message="1 != 2", file="a.py", line=3)
    script = Finding(code="js.syntax", message="unexpected }", file="web/app.js")
    unclear = Finding(code="review.naming", message="unclear name", fix="rename x to total")
    reports = [
        Report(gate="scope", kind="scope", ok=True),
        Report(gate="syntax", kind="syntax", ok=tests, findings=() if tests else (script,)),
        Report(gate="types", kind="typecheck", ok=True),
        Report(gate="tests", kind="test", ok=tests, findings=() if tests else (broken,), evidence=evidence),
        Report(gate="review", ok=review, findings=() if review else (unclear,)),
    ]
    return Verdict(tree=tree, reports=tuple(reports))


CREATED = e.BuildCreated(
    build_id="b1",
    project_id="p",
    user_id="u",
    repository="/r",
    spec=Spec(title="t", brief=ProjectBrief(title="t", goals=("win",)), build_plan=BuildPlan(stack=("python",))),
    options=Options(),
)
STORY: list[tuple[AnyEvent, BuildPhase]] = [
    (CREATED, BuildPhase.PLANNING),
    (e.TargetPrepared(commit="C0", tree="T0"), BuildPhase.PLANNING),
    (e.PlanMade(graph=GRAPH), BuildPhase.IMPLEMENTING),
    (e.TaskStarted(task="a", attempt=1, base="C0"), BuildPhase.IMPLEMENTING),
    (e.AgentFinished(task="a", attempt=1, patch=PATCH, summary="wrote it"), BuildPhase.VERIFYING),
    (e.PatchJudged(task="a", attempt=1, verdict=verdict("T1", tests=False, review=False)), BuildPhase.ITERATING),
    (e.TaskRetried(task="a"), BuildPhase.ITERATING),
    (e.TaskStarted(task="a", attempt=2, base="C0"), BuildPhase.ITERATING),
    (e.AgentFinished(task="a", attempt=2, patch=PATCH), BuildPhase.VERIFYING),
    (e.PatchJudged(task="a", attempt=2, verdict=verdict("T1")), BuildPhase.REVIEWING),
    (e.MergePrepared(task="a", attempt=2, onto="C0", commit="C1", tree="T1"), BuildPhase.REVIEWING),
    (e.ChangeLanded(task="a", attempt=2, commit="C1", tree="T1"), BuildPhase.IMPLEMENTING),
    (e.TaskStarted(task="b", attempt=1, base="C1"), BuildPhase.IMPLEMENTING),
    (e.AgentFinished(task="b", attempt=1, patch=PATCH), BuildPhase.VERIFYING),
    (e.PatchJudged(task="b", attempt=1, verdict=verdict("T1")), BuildPhase.REVIEWING),
    (e.BuildPaused(reason="user"), BuildPhase.REVIEWING),
    (e.StopRequested(), BuildPhase.REVIEWING),
    (e.BuildFinished(outcome="stopped"), BuildPhase.ABORTED),
]
JOURNAL = [Recorded(seq, AT + timedelta(seconds=seq), event) for seq, (event, _) in enumerate(STORY, 1)]


@pytest.mark.parametrize("length", range(1, len(STORY) + 1))
def test_phase_and_state_after_every_event(length: int) -> None:
    history = JOURNAL[:length]
    build = fold(history)
    assert runtime_phase(build) is STORY[length - 1][1]
    for known in (history, []):
        state = state_of(build, known)
        assert state.phase is STORY[length - 1][1]
        assert BuildState.model_validate_json(state.model_dump_json()) == state
        assert (state.updated_at, state.created_at) == (JOURNAL[length - 1].at, JOURNAL[0].at)
        assert state.is_terminal == (length == len(STORY))
        assert not state.all_tasks_done
    assert head_change([STORY[length - 1][0]], build)["phase"] is STORY[length - 1][1]
    shown = state_of(build, history).history
    assert [(event.action, event.phase) for event in shown] == [(event.type, phase) for event, phase in STORY[:length]]


def test_patches_and_reports_of_the_whole_history() -> None:
    state = state_of(fold(JOURNAL[:9]), JOURNAL[:9])
    assert [patch.id for patch in state.patch_sets] == ["a/1", "a/2"]
    assert state.patch_sets[0].touched_files == ("a.py",)
    assert state.patch_sets[0].notes == "wrote it"
    assert state.last_patch == state.patch_sets[1]
    assert state.last_validation is not None
    assert not state.last_validation.ok
    assert not state.last_validation.js_valid
    assert state.last_validation.errors == ("web/app.js: unexpected } [js.syntax]",)
    assert state.last_checks is not None
    assert (state.last_checks.ok, state.last_checks.typecheck_ok, state.last_checks.unit_ok) == (False, True, False)
    assert "tests: failed $ pytest -q" in state.last_checks.logs
    assert "a.py:3: 1 != 2 [pytest.failed]" in state.last_checks.logs
    assert state.last_review is not None
    assert state.last_review.decision is ReviewDecision.REQUEST_CHANGES
    assert state.last_review.required_fixes == ("rename x to total",)
    assert state.last_review.created_at == JOURNAL[5].at
    later = state_of(fold(JOURNAL), JOURNAL)
    assert len(later.check_reports) == 3
    assert later.last_checks is not None
    assert later.last_checks.ok
    assert later.last_review is not None
    assert later.last_review.decision is ReviewDecision.APPROVE
    assert later.brief["goals"] == ["win"]
    assert later.build_plan["stack"] == ["python"]
    assert later.product_doc == {}
    assert later.completed_at == JOURNAL[-1].at


def test_without_history_the_newest_of_each_task() -> None:
    state = state_of(fold(JOURNAL[:15]))
    assert [patch.id for patch in state.patch_sets] == ["a/2", "b/1"]
    assert [report.ok for report in state.check_reports] == [True, True]
    assert state.build_graph is not None
    assert state.build_graph.created_at == JOURNAL[2].at


def test_tasks_current_and_blocked() -> None:
    state = state_of(fold(JOURNAL[:3]))
    assert state.get_current_task() is None
    assert [task.id for task in state.get_blocked_tasks()] == ["b", "c"]
    state = state_of(fold(JOURNAL[:13]), JOURNAL[:13])
    assert state.build_graph is not None
    assert [task.status for task in state.build_graph.tasks] == [TaskStatus.DONE, TaskStatus.DOING, TaskStatus.TODO]
    assert state.build_graph.created_at == JOURNAL[2].at
    assert state.build_graph.tasks[0].completed_at == JOURNAL[11].at
    current = state.get_current_task()
    assert current is not None
    assert current.id == "b"
    assert [task.id for task in state.get_blocked_tasks()] == ["c"]


def test_history_leaves_out_what_is_large() -> None:
    shown = history_events(with_builds(JOURNAL))
    assert shown[0].details == {"build_id": "b1", "project_id": "p", "user_id": "u", "repository": "/r"}
    assert shown[2].details == {"tasks": 3}


def test_most_events_leave_the_head_row_alone() -> None:
    assert head_change([e.AgentHeartbeat(task="a", attempt=1, status="working", percent=1)]) == {}
    both = head_change([e.TaskStarted(task="a", attempt=1), e.TaskStarted(task="b", attempt=1)])
    assert both == {"current_task_id": "b"}


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError):
        BuildState(build_id="b", project_id="p", user_id="u", created_at=datetime(2026, 1, 1), updated_at=AT)  # noqa: DTZ001


def test_times_are_utc_and_by_default_now() -> None:
    """The records are public names, for programs that make them."""
    before = datetime.now(UTC)
    made = buildwright.BuildHistoryEvent(phase=BuildPhase.PLANNING, action="x")
    assert made.details == {}
    assert made.ts.tzinfo is UTC
    assert before <= made.ts <= datetime.now(UTC)
    state = buildwright.BuildState(build_id="b", project_id="p", user_id="u")
    assert state.created_at.utcoffset() == timedelta(0)
    shown = state.model_dump(mode="json") | {"created_at": "2026-03-04T05:06:07+02:00"}
    assert BuildState.model_validate(shown).model_dump(mode="json")["created_at"] == "2026-03-04T03:06:07Z"
    with pytest.raises(ValidationError, match="timezone"):
        BuildState.model_validate(shown | {"created_at": "2026-03-04T05:06:07"})
    graph = buildwright.BuildGraph(tasks=(buildwright.RuntimeTask(id="a", title="A", goal="", acceptance=()),))
    assert graph.tasks[0].created_at.tzinfo is UTC
