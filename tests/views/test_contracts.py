"""Which tasks of a build newer contracts make stale, worked out by hand on a small project."""

from __future__ import annotations

from datetime import timedelta

import pytest

from buildwright.core import event as e
from buildwright.core.apply import fold
from buildwright.core.contract_types import ContractType
from buildwright.core.contracts import BuildContracts, Contract, edited, phases_in
from buildwright.core.event import AnyEvent, Recorded
from buildwright.core.graph import Graph
from buildwright.core.limits import Options
from buildwright.core.patch import FileChange, Patch
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.views.contracts import contract_text, stale_tasks
from tests.core.machine import START
from tests.views.test_project import OK

PHASES = """## Phase 1: Data

**Deliverables:**
- Keep books in `db.py`
- Keep orders

**Exit criteria:**
- It adds up.

## Phase 2: Web

**Deliverables:**
- A page for /books
"""
SCHEMA = """tables:
  - name: "books"
    columns:
      - "isbn"
  - name: "orders"
    columns:
      - "total"
"""
PHYSICS = """endpoints:
  - method: GET
    path: "/books"
    does: "lists"
  - method: GET
    path: "/readers"
"""
BOUNDARIES = """{
  "layers": [
    {"from": "db.py",
     "must_not_import": ["web"]}
  ]
}
"""
BOOKS, ORDERS, PAGE = "p1-keep-books-in-db-py", "p1-keep-orders", "p2-a-page-for-books"


def contract(kind: ContractType, content: str, answers: dict[int, str] | None = None) -> Contract:
    told = answers or {}
    sources = tuple((told[at],) if at in told else () for at in range(len(content.splitlines())))
    return Contract(contract_type=kind, content=content, sources=sources, template=1)


OLD: dict[ContractType, Contract] = {
    "phases": contract("phases", PHASES, {3: "A7", 4: "A8"}),
    "schema": contract("schema", SCHEMA, dict.fromkeys(range(1, 7), "A3")),
    "physics": contract("physics", PHYSICS),
    "boundaries": contract("boundaries", BOUNDARIES),
    "stack": contract("stack", '# What it is made with.\nlanguages:\n  - choice: "Rust"\n'),
    "manifesto": contract("manifesto", "## Aim\n\n- exact\n- quick\n", {2: "A8"}),
}


def build_of(done: str = BOOKS) -> list[Recorded]:
    tasks = tuple(
        Task(
            id=one.id,
            title=one.text,
            milestone=phase.milestone,
            files_expected=("db.py",) if "db.py" in one.text else (),
            acceptance=phase.criteria if one is phase.deliverables[-1] else (),
        )
        for phase in phases_in(PHASES)
        for one in phase.deliverables
    )
    spec = Spec(title="Shop", form="contracts", contracts=BuildContracts(contracts=tuple(OLD.values())))
    patch = Patch(base_tree="t0", tree="t1", changes=(FileChange(path="db.py", kind="added"),))
    events: list[AnyEvent] = [
        e.BuildCreated(
            build_id="b1",
            project_id="p",
            user_id="ann",
            repository="/r",
            spec=spec,
            options=Options(),
            correlation_id="k",
        ),
        e.TargetPrepared(commit="c0", tree="t0"),
        e.PlanMade(graph=Graph(tasks=tasks, milestones=("Phase 1: Data", "Phase 2: Web"))),
        e.BaseJudged(verdict=OK.model_copy(update={"tree": "t0"})),
        e.TaskStarted(task=done, attempt=1, base="c0"),
        e.AgentFinished(task=done, attempt=1, patch=patch),
        e.PatchJudged(task=done, attempt=1, verdict=OK),
        e.MergePrepared(task=done, attempt=1, onto="c0", commit="c1", tree="t1"),
        e.ChangeLanded(task=done, attempt=1, commit="c1", tree="t1"),
    ]
    return [Recorded(number, START + timedelta(seconds=number), event) for number, event in enumerate(events, 1)]


def change(kind: ContractType, old: str, new: str) -> Contract:
    assert old in OLD[kind].content
    return edited(OLD[kind], kind, OLD[kind].content.replace(old, new))


@pytest.mark.parametrize(
    ("newer", "stale"),
    [
        (
            change("phases", "- Keep orders", "- Keep orders for a year"),
            {ORDERS: ["phases 1 -> 2: its line is gone or reads otherwise"]},
        ),
        (
            change("phases", "It adds up.", "It holds."),
            {ORDERS: ["phases 1 -> 2: the exit criteria of its phase changed"]},
        ),
        (change("phases", "Phase 2: Web", "Phase 2: Net"), {PAGE: ["phases 1 -> 2: the title of its phase changed"]}),
        (change("schema", "total", "sum"), {ORDERS: ["schema 1 -> 2: it is about orders"]}),
        (change("physics", "lists", "lists all"), {PAGE: ["physics 1 -> 2: it is about /books"]}),
        (change("physics", "/readers", "/people"), {}),
        (change("boundaries", '["web"]', '["web", "os"]'), {BOOKS: ["boundaries 1 -> 2: it is about db.py"]}),
        (
            change("manifesto", "exact", "right"),
            {ORDERS: ["manifesto 1 -> 2: came from A8, as a line that differs does"]},
        ),
        (change("manifesto", "- quick\n", ""), {}),
        (
            change("stack", "Rust", "Go"),
            {task: ["stack 1 -> 2: every task is made with it"] for task in (BOOKS, ORDERS, PAGE)},
        ),
        (change("stack", "What it is", "All is"), {}),
        (change("manifesto", "quick", "see `db.py`"), {BOOKS: ["manifesto 1 -> 2: it is about db.py"]}),
    ],
)
def test_what_came_from_a_changed_line_is_stale(newer: Contract, stale: dict[str, list[str]]) -> None:
    now = [newer if kind == newer.contract_type else one for kind, one in OLD.items()]
    found = stale_tasks(fold(build_of()), now)
    assert {one.task: list(one.reasons) for one in found} == stale
    for one in found:
        assert (one.landed, one.files) == ((True, ("db.py",)) if one.task == BOOKS else (False, ()))


def test_contracts_as_they_were_make_nothing_stale() -> None:
    assert stale_tasks(fold(build_of()), list(OLD.values())) == ()
    again = OLD["schema"].model_copy(update={"version": 9})
    assert stale_tasks(fold(build_of()), [again]) == ()


def test_a_text_is_shown_with_its_lines_and_taken_back_whole() -> None:
    shown = contract_text(OLD["phases"], START, START)
    assert [(line.number, line.answers) for line in shown.lines] == [(4, ("A7",)), (5, ("A8",))]
    assert shown.as_contract() == OLD["phases"]
