"""A prompt is made of what is fixed when its attempt starts; what other tasks do meanwhile changes no byte of it."""

from __future__ import annotations

import asyncio
import random

from hypothesis import given
from hypothesis import strategies as st

from buildwright.agents.briefing import MOST_OWNED, brief_attempt
from buildwright.agents.prompt import prime, task_prompt
from buildwright.core.build import Build, TaskPhase
from buildwright.core.graph import Graph
from buildwright.core.limits import Options
from buildwright.core.task import Task
from buildwright.ports import Briefing, BriefingRequest
from tests.core.machine import Machine, graphs, options


def briefed(build: Build, task_id: str) -> Briefing:
    assert build.plan is not None
    state = build.task(task_id)
    request = BriefingRequest(build, build.plan.task(task_id), state, state.base, carried=False, conflicts=())
    return asyncio.run(brief_attempt(request, None))


@given(graphs(), options(), st.randoms(use_true_random=False))
def test_the_same_attempt_gets_the_same_bytes_whatever_happened_meanwhile(
    graph: Graph, chosen: Options, chance: random.Random
) -> None:
    machine = Machine(graph, chosen, lambda sides: int(chance.randrange(sides)))
    told: dict[tuple[str, int], Briefing] = {}
    for _ in range(300):
        if not machine.step():
            break
        for task in graph.tasks:
            state = machine.build.tasks.get(task.id)
            if state is not None and state.phase is TaskPhase.WORKING:
                now = briefed(machine.build, task.id)
                assert told.setdefault((task.id, state.attempt), now) == now


def started(*tasks: Task) -> Build:
    machine = Machine(Graph(tasks=tasks), Options(lanes=False), lambda _sides: 0)
    machine.step()
    while machine.build.plan is None:
        machine.step()
    build: Build = machine.build
    return build


def test_files_of_tasks_that_may_run_beside_it_are_named() -> None:
    first = Task(id="first", title="First", files_expected=("a.py",))
    mine = Task(id="mine", title="Mine", depends_on=("first",), files_expected=("b.py", "shared.py"))
    beside = Task(id="beside", title="Beside", files_expected=("c.py", "shared.py"))
    last = Task(id="last", title="Last", depends_on=("mine", "beside"), files_expected=("d.py",))
    prompt = briefed(started(first, mine, beside, last), "mine").prompt
    assert "- `c.py` (task beside)" in prompt
    for unnamed in ("`a.py` (task", "`d.py` (task", "- `shared.py`"):
        assert unnamed not in prompt
    assert "needs coordination over: `shared.py` (task beside changes it too)" in prompt
    assert "- first: First [before yours]" in prompt
    assert "- last: Last [after yours]" in prompt
    assert "- beside: Beside\n" in prompt


def test_of_very_many_files_the_nearest_are_named() -> None:
    others = [Task(id=f"t{n}", title=f"Task {n}", files_expected=(f"away/{n}.py",)) for n in range(2 * MOST_OWNED)]
    near = Task(id="near", title="Near", files_expected=("zoo/near.py",))
    mine = Task(id="mine", title="Mine", files_expected=("zoo/mine.py",))
    prompt = briefed(started(*others, near, mine), "mine").prompt
    assert "- `zoo/near.py` (task near)" in prompt
    assert prompt.count(".py` (task ") == MOST_OWNED


def test_an_agent_is_told_of_the_part_and_its_files_are_found_from_there() -> None:
    files = {"packages/a/src/x.py": b"inside", "src/y.py": b"at the top", "packages/a/AGENTS.md": b"Be brief."}
    task = Task(id="t", title="T", files_expected=("src/x.py", "src/y.py", "src/new.py"))

    async def read(path: str) -> bytes | None:
        return files.get(path)

    async def paths() -> list[str]:
        return list(files)

    context = asyncio.run(prime(task, read, paths, part="packages/a"))
    assert [quote.path for quote in context.files] == ["packages/a/src/x.py", "src/y.py"]
    assert context.missing == ("packages/a/src/new.py",)
    told = task_prompt(context)
    assert "This build is about the folder `packages/a`." in told
    assert "Be brief." in told
    assert "part of the repository" not in task_prompt(asyncio.run(prime(task, read, paths)))
