"""Workflows: found by name and id, and where a build stands in each stage, event by event and for any run at all."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildwright.core import event as e
from buildwright.core.apply import fold
from buildwright.core.build import Build, Control
from buildwright.core.event import EVENT_TYPES
from buildwright.core.graph import Graph
from buildwright.core.limits import Delivery, Limits, Options
from buildwright.core.snapshot import dump, parse
from buildwright.core.task import Task
from buildwright.errors import Refused
from buildwright.views.automation import (
    DEVTEAM_AUTOMATION,
    MOST_ARTIFACTS,
    WORKFLOWS,
    TaskContext,
    current_stage,
    stages_of,
    task_context,
    workflow_of,
)
from tests.core.machine import Machine, graphs, options

ONE = Graph(tasks=(Task(id="T0", title="one"),))
NAMES = ["SELECT", "PREP", "INIT REPO", "EXECUTE", "VERIFY", "MERGE", "PUSH"]
ORDER = {"pending": 0, "running": 1, "done": 2, "skipped": 2, "failed": 2}
SHORT = {"pending": "-", "running": ">", "done": "x", "failed": "!", "skipped": "/"}


def shown(build: Build) -> str:
    return "".join(SHORT[state.status] for state in stages_of(build))


def lucky(n: int) -> int:
    """Every action does well, and every attempt changes a file."""
    return 0 if n in {2, 4} else min(1, n - 1)


def test_a_workflow_is_found_by_name_and_by_id() -> None:
    assert workflow_of("DEVTEAM_AUTOMATION") is workflow_of(DEVTEAM_AUTOMATION.id) is DEVTEAM_AUTOMATION
    assert [stage.name for stage in DEVTEAM_AUTOMATION.stages] == NAMES
    with pytest.raises(Refused, match="no workflow 'devteam'") as refused:
        workflow_of("devteam")
    assert "DEVTEAM_AUTOMATION" in str(refused.value.fix)


def test_stages_name_events_whose_moments_a_build_keeps() -> None:
    for workflow in WORKFLOWS.values():
        for stage in workflow.stages:
            assert stage.begins
            assert stage.ends
            assert all(EVENT_TYPES[name].keeps_moment for name in (*stage.begins, *stage.ends))


def way(machine: Machine) -> list[tuple[str, str]]:
    """Every change of the stages or of the one that is named."""
    seen = [(shown(machine.build), current_stage(machine.build))]
    while machine.step():
        now = (shown(machine.build), current_stage(machine.build))
        if now != seen[-1]:
            seen.append(now)
    return seen


def test_the_way_of_a_build_that_succeeds() -> None:
    machine = Machine(ONE, Options(), lucky)
    assert way(machine) == [
        ("x>>----", "INIT REPO"),
        ("x>x----", "PREP"),
        ("xxx----", "EXECUTE"),
        ("xxx>---", "EXECUTE"),
        ("xxx>>--", "VERIFY"),
        ("xxx>>--", "MERGE"),
        ("xxx>>>-", "MERGE"),
        ("xxxxxx>", "PUSH"),
        ("xxxxxxx", "PUSH"),
    ]
    states = {state.name: state for state in stages_of(machine.build)}
    assert all(state.began_at and state.ended_at and state.began_at <= state.ended_at for state in states.values())
    assert states["PUSH"].began_at == states["MERGE"].ended_at


@pytest.mark.parametrize(
    ("chosen", "end"),
    [
        (Options(gates=False), "xxxx/xx"),
        (Options(lanes=False), "xx/x///"),
        (Options(delivery=Delivery(kind="none")), "xxxxxx/"),
        (Options(delivery=Delivery(kind="push")), "xxxxxxx"),
    ],
)
def test_what_a_build_does_without_is_skipped(chosen: Options, end: str) -> None:
    machine = Machine(ONE, chosen, lucky)
    way(machine)
    assert (machine.build.outcome, shown(machine.build)) == ("succeeded", end)


def refuse_all(machine: Machine, *, at: str) -> None:
    """Every attempt is refused at one place."""
    from tests.core.machine import verdict

    while not machine.build.is_terminal and machine.build.control is Control.RUNNING:
        state = machine.build.task("T0")
        if state.phase.value == at == "working":
            machine.take(e.AgentBroke(task="T0", attempt=state.attempt, kind="crashed", message="boom"))
        elif state.phase.value == at == "judging":
            machine.take(e.PatchJudged(task="T0", attempt=state.attempt, verdict=verdict("t", ok=False)))
        elif state.phase.value == at == "merging":
            files = ("f",)
            machine.take(e.MergeConflicted(task="T0", attempt=state.attempt, onto="base", files=files, tree="m"))
        elif not machine.step():
            return


@pytest.mark.parametrize(
    ("at", "end", "stage"),
    [("working", "xxx!///", "EXECUTE"), ("judging", "xxxx!//", "VERIFY"), ("merging", "xxxxx!/", "MERGE")],
)
def test_the_stage_that_failed_is_named(at: str, end: str, stage: str) -> None:
    machine = Machine(ONE, Options(on_failure="fail", limits=Limits(attempts=1)), lucky)
    refuse_all(machine, at=at)
    assert (machine.build.outcome, shown(machine.build)) == ("failed", end)
    assert current_stage(machine.build) == stage


def test_a_build_that_is_stopped_leaves_what_was_open() -> None:
    machine = Machine(ONE, Options(), lucky)
    while machine.build.task("T0").phase.value != "working":
        machine.step()
    machine.take(e.StopRequested())
    assert (shown(machine.build), current_stage(machine.build)) == ("xxx>---", "EXECUTE")
    machine.run()
    assert (machine.build.outcome, shown(machine.build)) == ("stopped", "xxx////")
    assert current_stage(machine.build) == "EXECUTE"


def test_a_retry_goes_back_in_the_name_but_no_stage_does() -> None:
    refusals = iter([3])  # the first attempt that is judged, and nothing else

    def once_refused(n: int) -> int:
        judged = n == 4 and machine.build.task("T0").phase.value == "judging"
        return next(refusals, 0) if judged else lucky(n)

    machine = Machine(ONE, Options(), once_refused)
    names = [name for _, name in way(machine)]
    assert machine.build.outcome == "succeeded"
    without_repeats = [name for place, name in enumerate(names) if not place or name != names[place - 1]]
    assert without_repeats == ["INIT REPO", "PREP", "EXECUTE", "VERIFY", "EXECUTE", "VERIFY", "MERGE", "PUSH"]


@settings(max_examples=200, deadline=None)
@given(graph=graphs(), chosen=options(), data=st.data())
def test_stages_only_go_forward_until_a_build_has_succeeded(graph: Graph, chosen: Options, data: st.DataObject) -> None:
    machine = Machine(graph, chosen, lambda n: data.draw(st.integers(0, n - 1)))
    for _ in range(6):
        machine.run()
        if machine.build.is_terminal:
            break
        machine.answer_pause()
    builds = [fold(machine.journal[: count + 1]) for count in range(len(machine.journal))]
    before = None
    for build in builds:
        states = stages_of(build)
        assert [state.name for state in states] == NAMES
        assert current_stage(build) in NAMES
        TaskContext.model_validate(task_context(build))
        for state in states:
            assert state.began_at is None or state.ended_at is None or state.began_at <= state.ended_at
        if before is not None and not (build.is_terminal and build.outcome != "succeeded"):
            for old, new in zip(before, states, strict=True):
                assert ORDER[old.status] <= ORDER[new.status], (old, new)
                assert not (ORDER[old.status] == 2 and old.status != new.status), (old, new)
                assert old.began_at is None or old.name == "PUSH" or old.began_at == new.began_at
        before = states
    if machine.build.outcome is not None:
        assert {state.status for state in stages_of(machine.build)} <= {"done", "failed", "skipped"}
    if machine.build.outcome == "succeeded":
        assert "failed" not in {state.status for state in stages_of(machine.build)}
    assert stages_of(parse(dump(machine.build))) == stages_of(machine.build)


def test_a_context_tells_what_became_of_each_task() -> None:
    machine = Machine(ONE, Options(), lucky)
    context = task_context(machine.build, "shop")
    assert (context["plan"], context["artifacts"], context["stage"]) == ([], [], "INIT REPO")
    machine.run()
    context = task_context(machine.build, "shop")
    assert json.loads(json.dumps(context)) == context
    assert context["schema_version"] == 1
    assert (context["workflow"], context["workflow_id"]) == ("DEVTEAM_AUTOMATION", DEVTEAM_AUTOMATION.id)
    assert (context["executionId"], context["projectId"], context["version"]) == ("b", "shop", machine.build.version)
    assert context["plan"] == [{"id": "T0", "title": "one", "depends_on": []}]
    (made,) = context["artifacts"]
    assert (made["filesModified"], made["files"], made["verification"]) == (["T0.txt"], 1, "passed")
    assert made["commit"] == context["head"] != context["base"]
    assert (context["outcome"], context["delivered"]) == ("succeeded", "refs/heads/x")


def test_a_context_of_a_huge_build_stays_small() -> None:
    graph = Graph(tasks=tuple(Task(id=f"T{n}", title="one") for n in range(MOST_ARTIFACTS + 5)))
    machine = Machine(graph, Options(lanes=False), lucky)
    while machine.build.plan is None:
        machine.step()
    context = task_context(machine.build)
    assert (len(context["plan"]), len(context["artifacts"]), context["omitted"]) == (MOST_ARTIFACTS,) * 2 + (5,)
