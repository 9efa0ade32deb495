from __future__ import annotations

import random
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildwright.core import event as e
from buildwright.core.finding import Report, Verdict
from buildwright.core.task import Task
from buildwright.errors import NotFound
from buildwright.views.layout import Spot, layered
from buildwright.views.phases import graph_of_phase, rail_of
from tests.views.test_overview import LATER, build_of, finished, journal, landed, started

STAGED = (
    Task(id="money", title="Amounts", milestone="core", minutes=2, files_expected=("money.py",)),
    Task(id="month", title="Months", milestone="core", files_expected=("month.py",)),
    Task(id="notes", title="Notes", milestone="core", files_expected=("money.py",)),
    Task(id="entry", title="Entries", milestone="core", depends_on=("money", "month")),
    Task(id="page", title="Page", milestone="pages", depends_on=("entry",)),
)


def test_the_rail_has_each_phase_with_its_counts_and_its_audit() -> None:
    events = (started("month"), finished("month"), *landed("month"), started("money"))
    recorded = journal(*events, tasks=STAGED)
    rail = rail_of(build_of(recorded), recorded, LATER)
    assert [(one.name, one.status, one.done, one.working, one.waiting) for one in rail.phases] == [
        ("core", "active", 1, 1, 2),
        ("pages", "pending", 0, 0, 1),
    ]
    assert [one.is_current for one in rail.phases] == [True, False]
    assert (rail.current, rail.critical_path) == (1, ("money", "entry", "page"))
    assert [one.audited for one in rail.phases] == [None, None]
    verdict = Verdict(tree="t", reports=(Report(gate="A1", kind="other", ok=True),))
    judged = (*recorded, recorded[-1]._replace(event=e.PhaseAudited(phase=0, base="c0", head="c1", verdict=verdict)))
    first = rail_of(build_of(recorded), judged, LATER).phases[0]
    assert (first.audited, [(one.name, one.result) for one in first.audit]) == (True, [("A1", "passed")])


def test_before_there_is_a_plan_the_rail_is_empty() -> None:
    build = build_of(journal()[:2])
    assert rail_of(build, journal()[:2], LATER).phases == ()
    with pytest.raises(NotFound, match="no plan yet"):
        graph_of_phase(build, 1, LATER)


def test_the_picture_of_a_phase_says_why_each_task_waits_and_what_two_touch() -> None:
    build = build_of(journal(started("money"), tasks=STAGED))
    graph = graph_of_phase(build, 1, LATER)
    nodes = {node.id: node for node in graph.nodes}
    assert list(nodes) == ["money", "month", "notes", "entry"]
    assert {name: node.layer for name, node in nodes.items()} == {"money": 0, "month": 0, "notes": 0, "entry": 1}
    assert (graph.layers, graph.rows) == (2, 3)
    assert nodes["entry"].why == "It waits for money (working), month (ready)."
    assert [(edge.needed, edge.needing, edge.met, edge.critical) for edge in graph.edges] == [
        ("money", "entry", False, True),
        ("month", "entry", False, False),
    ]
    (shared,) = graph.contention
    assert (shared.file, shared.tasks, shared.holder) == ("money.py", ("money", "notes"), "money")
    page = graph_of_phase(build, 2, LATER).nodes[0]
    assert (page.needs_elsewhere, page.on_critical_path) == (("entry",), True)
    for number in (0, 3):
        with pytest.raises(NotFound, match="it has 2"):
            graph_of_phase(build, number, LATER)


GRAPHS = st.integers(0, 40).flatmap(
    lambda count: st.tuples(
        st.just(count),
        st.lists(
            st.tuples(st.integers(0, max(count - 1, 0)), st.integers(0, max(count - 1, 0))).filter(
                lambda e: e[0] < e[1]
            ),
            max_size=80 if count > 1 else 0,
            unique=True,
        )
        if count > 1
        else st.just([]),
    )
)


@given(GRAPHS)
def test_each_task_has_a_place_of_its_own_behind_what_it_needs(graph: tuple[int, list[tuple[int, int]]]) -> None:
    count, edges = graph
    places = layered(count, edges)
    assert len(set(places)) == len(places) == count
    assert all(places[needed].layer < places[needing].layer for needed, needing in edges)
    for layer in {place.layer for place in places}:
        rows = sorted(place.row for place in places if place.layer == layer)
        assert rows == list(range(len(rows)))
    assert layered(count, edges) == places


def crossings(places: list[Spot], edges: list[tuple[int, int]]) -> int:
    lines = [(places[a], places[b]) for a, b in edges if places[b].layer == places[a].layer + 1]
    return sum(
        a.layer == c.layer and (a.row - c.row) * (b.row - d.row) < 0
        for i, (a, b) in enumerate(lines)
        for c, d in lines[i + 1 :]
    )


def test_the_order_of_the_rows_avoids_crossings() -> None:
    edges = [(0, 5), (1, 4), (2, 3)]
    assert crossings([Spot(0, 0), Spot(0, 1), Spot(0, 2), Spot(1, 0), Spot(1, 1), Spot(1, 2)], edges) == 3
    assert crossings(layered(6, edges), edges) == 0


def test_a_task_that_is_added_moves_no_layer() -> None:
    chain = list(pairwise(range(10)))
    before = layered(10, chain)
    after = layered(11, [*chain, (3, 10)])
    assert after[:10] == [place._replace(row=after[at].row) for at, place in enumerate(before)]
    assert after[10].layer == 4


def test_five_hundred_tasks_are_laid_out_at_once() -> None:
    chance = random.Random(7)
    edges = sorted({(a, b) for b in range(1, 500) for a in chance.sample(range(max(0, b - 40), b), min(b, 2))})
    began = time.process_time()
    places = layered(500, edges)
    print(f"\n{1000 * (time.process_time() - began):.1f} ms of processor time for 500 tasks and {len(edges)} edges")
    assert len(set(places)) == 500
    tasks = [Task(id=f"t{n}", title="T", depends_on=tuple(f"t{a}" for a, b in edges if b == n)) for n in range(500)]
    build = build_of(journal(tasks=tasks))
    began = time.process_time()
    assert len(graph_of_phase(build, 1, LATER).nodes) == 500
    print(f"{1000 * (time.process_time() - began):.1f} ms with why each of them waits")
