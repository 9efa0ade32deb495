"""The graph: what is refused and how it is said, waves, critical path, order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildwright.core.graph import Graph, compile_plan
from buildwright.core.heap import heap_of, keys_of, merge, pop, push
from buildwright.core.task import Task
from buildwright.errors import BadGraph
from tests.core.machine import graphs


def task(name: str, *needs: str, minutes: float = 1, milestone: str = "", priority: int = 0) -> Task:
    return Task(id=name, title=name, depends_on=needs, minutes=minutes, milestone=milestone, priority=priority)


@pytest.mark.parametrize(
    ("tasks", "milestones", "names"),
    [
        ((), (), "no tasks"),
        ((task("a"), task("a")), (), "a: this task id is used twice"),
        ((task("a"), task("A")), (), "differs from a only in upper and lower case"),
        ((task("a", "a"),), (), "a: the task depends on itself"),
        ((task("a", "b"),), (), "a: depends on b, which is not in the list"),
        ((task("a", "c"), task("b", "a"), task("c", "b")), (), "a -> c -> b -> a"),
        ((task("x"), task("a", "b", "x"), task("b", "a")), (), "a -> b -> a"),
        ((task("a", milestone="m"),), ("n",), "milestone 'm'"),
        ((task("a", "b", milestone="m"), task("b", milestone="n")), ("m", "n"), "later milestone 'n'"),
    ],
)
def test_bad_graphs_name_the_task_and_the_fix(tasks: tuple[Task, ...], milestones: tuple[str, ...], names: str) -> None:
    with pytest.raises(BadGraph, match=names) as caught:
        compile_plan(Graph(tasks=tasks, milestones=milestones))
    assert caught.value.fix


def test_waves_and_critical_path() -> None:
    plan = compile_plan(
        Graph(tasks=(task("a"), task("b", "a", minutes=5), task("c", "a"), task("d", "b", "c"), task("e", minutes=3)))
    )
    assert plan.waves == (("a", "e"), ("b", "c"), ("d",))
    assert plan.critical_path == ("a", "b", "d")
    assert plan.minutes == 7


def test_priority_breaks_ties_but_never_the_longest_path() -> None:
    plan = compile_plan(Graph(tasks=(task("slow", minutes=9), task("late"), task("early", priority=5))))
    assert [plan.id_at(rank) for rank in range(3)] == ["slow", "early", "late"]


def test_a_long_chain_is_no_deep_recursion() -> None:
    tasks = tuple(task(f"t{n}", *([f"t{n - 1}"] if n else [])) for n in range(20_000))
    assert len(compile_plan(Graph(tasks=tasks)).critical_path) == 20_000


@given(graphs())
def test_rank_is_a_permutation_that_respects_milestones(graph: Graph) -> None:
    plan = compile_plan(graph)
    order = [plan.id_at(rank) for rank in range(len(graph.tasks))]
    assert sorted(order) == sorted(t.id for t in graph.tasks)
    milestones = [plan.milestones.index(plan.task(name).milestone) for name in order]
    assert milestones == sorted(milestones)
    assert {name for wave in plan.waves for name in wave} == set(order)
    for wave, names in enumerate(plan.waves):
        earlier = {name for before in plan.waves[:wave] for name in before}
        assert all(set(plan.task(name).depends_on) <= earlier for name in names)


@given(st.lists(st.integers()), st.lists(st.integers()))
def test_the_heap_sorts_and_keeps_its_old_versions(first: list[int], second: list[int]) -> None:
    heap = heap_of(first)
    for key in second:
        heap = push(heap, key)
    before = sorted(keys_of(heap))
    joined = merge(heap, heap_of(second))
    drained = []
    rest = joined
    while rest is not None:
        key, rest = pop(rest)
        drained.append(key)
    assert drained == sorted(first + second + second)
    assert sorted(keys_of(heap)) == before == sorted(first + second)


def test_tasks_that_share_a_file_stand_in_different_waves() -> None:
    def task(name: str, *files: str, needs: tuple[str, ...] = ()) -> Task:
        return Task(id=name, title=name, files_expected=files, depends_on=needs)

    plan = compile_plan(
        Graph(
            tasks=(
                task("t1", "db.sql"),
                task("t2", "calc.py", needs=("t1",)),
                task("t3", "calc.py", "b.py", needs=("t1",)),
                task("t4", "b.py", needs=("t1",)),
                task("t5", needs=("t3",)),
                task("t6", "c.py", needs=("t1",)),
            )
        )
    )
    by_id = {name: number for number, wave in enumerate(plan.waves) for name in wave}
    assert by_id["t2"] != by_id["t3"] != by_id["t4"]
    assert (by_id["t1"], by_id["t3"], by_id["t6"], by_id["t5"]) == (0, 1, 1, 2)
    assert plan.waves == (("t1",), ("t3", "t6"), ("t2", "t4", "t5"))


def test_a_milestone_begins_a_wave_of_its_own_and_adds_its_own_longest_chain() -> None:
    plan = compile_plan(
        Graph(
            tasks=(
                task("late", milestone="two", minutes=3),
                task("last", "b", "late", milestone="two"),
                task("a", milestone="one"),
                task("b", "a", milestone="one"),
                task("c", milestone="one", minutes=9),
                task("other", "a", milestone="two"),
            ),
            milestones=("one", "none", "two"),
        )
    )
    assert plan.waves == (("c", "a"), ("b",), ("late", "other"), ("last",))
    assert (plan.critical_path, plan.minutes) == (("c", "late", "last"), 13)
