"""The plan of a build that takes newer contracts: what has begun stays, and is brought up to date."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from buildwright.advisors.contracts import spec_of_contracts
from buildwright.core import event as e
from buildwright.core.apply import fold
from buildwright.core.build import Build, TaskPhase
from buildwright.core.contract_change import plan_of_contracts
from buildwright.core.contracts import BuildContracts, Contract
from buildwright.core.event import AnyEvent, Recorded
from buildwright.core.graph import Graph
from buildwright.core.limits import Options
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.engine.contracts_command import TakeContracts
from buildwright.errors import IllegalMove, Refused
from buildwright.ports import Target

AT = datetime(2026, 1, 1, tzinfo=UTC)
PHASES = """## Phase 1: Ground

**Deliverables:**
- add numbers
- keep sums

## Phase 2: Surface

**Deliverables:**
- a command
"""
ADD, KEEP, COMMAND = "p1-add-numbers", "p1-keep-sums", "p2-a-command"


def spec(phases: str, version: int = 1) -> Spec:
    contract = Contract(contract_type="phases", version=version, content=phases)
    return spec_of_contracts(BuildContracts(contracts=(contract,)), "calc")


def plan(found: Spec) -> Graph:
    assert found.graph is not None
    return found.graph


def begun(*more: AnyEvent) -> Build:
    """A build whose first task is under way, with more events."""
    first = spec(PHASES)
    events: list[AnyEvent] = [
        e.BuildCreated(
            build_id="b", project_id="p", user_id="u", spec=first, options=Options(gates=False), repository="/r"
        ),
        e.TargetPrepared(commit="c0", tree="t0"),
        e.PlanMade(graph=plan(first)),
        e.TaskStarted(task=ADD, attempt=1, base="c0"),
        *more,
    ]
    return fold([Recorded(place, AT, event) for place, event in enumerate(events, 1)])


def after(build: Build, *events: AnyEvent) -> Build:
    return fold([Recorded(build.version + place, AT, event) for place, event in enumerate(events, 1)], build)


def take(build: Build, phases: str) -> Build:
    command = TakeContracts(spec(phases, 2), Target("c1", "t1", ""), build.base)
    return after(build, *command.facts(build, ""))


def planned(build: Build) -> list[tuple[str, tuple[str, ...], str]]:
    assert build.plan is not None
    return [(task.id, task.depends_on, task.milestone) for task in build.plan.graph.tasks]


def test_a_task_that_has_not_begun_takes_the_new_words_and_one_under_way_is_followed_by_another() -> None:
    build = take(begun(), PHASES.replace("add numbers", "add long numbers").replace("a command", "two commands"))
    assert planned(build) == [
        (ADD, (), "Phase 1: Ground"),
        ("p1-add-long-numbers", (ADD,), "Phase 1: Ground"),
        (KEEP, ("p1-add-long-numbers",), "Phase 1: Ground"),
        ("p2-two-commands", (), "Phase 2: Surface"),
    ]
    assert build.plan is not None
    told = build.plan.task("p1-add-long-numbers")
    assert told.goal.startswith(f"Task {ADD} was built from older contracts. Bring it up to date with this: add long")
    assert "phases 1 -> 2: its line is gone or reads otherwise" in told.goal
    assert build.task(ADD).phase is TaskPhase.WORKING
    assert build.task(KEEP).phase is TaskPhase.WAITING
    assert (build.base, build.rebases, build.spec.contracts) == ("c1", 1, spec_contracts(build))


def spec_contracts(build: Build) -> BuildContracts:
    assert build.spec.contracts is not None
    assert build.spec.contracts.contracts[0].version == 2
    return build.spec.contracts


def test_a_line_that_is_gone_takes_its_task_along_or_what_it_has_made() -> None:
    build = take(begun(), PHASES.replace("- add numbers\n", "").replace("- a command\n", "- help\n"))
    assert [name for name, _, _ in planned(build)] == [ADD, f"{ADD}-2", KEEP, "p2-help"]
    assert build.plan is not None
    assert build.plan.task(f"{ADD}-2").title == "Take out: add numbers"


def test_a_phase_may_have_another_name_and_another_place() -> None:
    build = take(begun(), PHASES.replace("Ground", "Base") + "\n## Phase 3: Help\n\n**Deliverables:**\n- a page\n")
    assert build.plan is not None
    assert build.plan.milestones == ("Phase 1: Base", "Phase 2: Surface", "Phase 3: Help")
    assert {milestone for _, _, milestone in planned(build)} == set(build.plan.milestones)


def test_what_the_user_has_changed_stays_unless_the_contracts_say_something_else() -> None:
    own = Task(id="own", title="Mine", milestone="Phase 1: Ground")
    edited = plan(spec(PHASES)).tasks[1].model_copy(update={"goal": "My words."})
    build = begun(e.PlanChanged(tasks=(own, edited), dropped=(COMMAND,)))
    changed = take(build, PHASES.replace("add numbers", "add long numbers"))
    assert changed.plan is not None
    assert COMMAND not in changed.plan.position
    assert "own" in changed.plan.position
    assert changed.plan.task(KEEP).goal == "My words."
    again = take(build, PHASES.replace("- keep sums", "- keep sums\n\n**Exit criteria:**\n- they are there"))
    assert again.plan is not None
    assert again.plan.task(KEEP).goal == "keep sums"


def test_the_same_contracts_and_a_base_that_has_moved_are_refused() -> None:
    build = begun()
    with pytest.raises(Refused, match="has the contracts as they are now"):
        take(build, PHASES)
    other = spec(PHASES.replace("add numbers", "sum"), 2)
    with pytest.raises(IllegalMove, match="the base was changed meanwhile"):
        TakeContracts(other, Target("c1", "t1", ""), "elsewhere").facts(build, "")
    plain = build.evolve({"spec": build.spec.model_copy(update={"contracts": None})})
    with pytest.raises(IllegalMove, match="does not run from contracts"):
        TakeContracts(other, Target("c1", "t1", ""), build.base).facts(plain, "")


def test_a_task_that_has_begun_meanwhile_keeps_its_words() -> None:
    build = begun()
    wanted = spec(PHASES.replace("add numbers", "sum"), 2)
    with pytest.raises(IllegalMove, match="it was begun meanwhile"):
        after(build, e.ContractsChanged(spec=wanted, graph=plan(wanted)))


def test_there_is_no_plan_to_change_before_there_is_one() -> None:
    first = spec(PHASES)
    created = e.BuildCreated(build_id="b", project_id="p", user_id="u", spec=first, options=Options(), repository="/r")
    build = fold([Recorded(1, AT, created)])
    with pytest.raises(IllegalMove, match="no plan yet"):
        plan_of_contracts(build, plan(first), plan(first), {})
