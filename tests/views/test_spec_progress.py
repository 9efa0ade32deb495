from __future__ import annotations

import time

from buildwright.core import event as e
from buildwright.core.build import Build
from buildwright.core.contracts import BuildContracts, Contract
from buildwright.core.event import AnyEvent, Recorded
from buildwright.core.finding import Report, Verdict
from buildwright.core.graph import Graph
from buildwright.core.limits import Limits, Options
from buildwright.core.spec import Feature, Spec
from buildwright.core.task import Task
from buildwright.views.spec_progress import SpecPiece, SpecProgress, spec_progress
from tests.core.machine import START
from tests.views.test_overview import FAILED, PROOF, TASKS, build_of, finished, journal, started

TEXT = """# Ledger

Amounts are exact decimal numbers with two digits. The weather is shown on Mondays.

## Feature: Months

Every month has a page.

- An entry cannot be saved without an amount
"""
PLANNED = (
    Task(id="money", title="Amounts", acceptance=("Amounts are exact decimal numbers, to two digits",)),
    Task(id="month", title="Pages", requirements=("Months",)),
    Task(id="entry", title="Entries", acceptance=("an entry cannot be saved without an amount",)),
    Task(id="chore", title="Set up the linter"),
)
GREEN = Verdict(tree="t1", reports=(Report(gate="tests", kind="test", ok=True, evidence=PROOF),))


def build(spec: Spec, *events: AnyEvent, planned: bool = True) -> Build:
    first: list[AnyEvent] = [
        e.BuildCreated(
            build_id="b",
            project_id="p",
            user_id="u",
            repository="/repo",
            spec=spec,
            options=Options(limits=Limits(attempts=1)),
        ),
        e.TargetPrepared(commit="c0", tree="t0", branch="main"),
    ]
    plan = [e.PlanMade(graph=Graph(tasks=PLANNED))] if planned else []
    return build_of([Recorded(seq, START, event) for seq, event in enumerate([*first, *plan, *events], 1)])


def landed(task: str, verdict: Verdict = GREEN) -> tuple[AnyEvent, ...]:
    return (
        started(task),
        finished(task),
        e.PatchJudged(task=task, attempt=1, verdict=verdict),
        e.MergePrepared(task=task, attempt=1, onto="c0", commit="c1", tree="t1"),
        e.ChangeLanded(task=task, attempt=1, commit="c1", tree="t1"),
    )


MARKDOWN = Spec(title="Ledger", text=TEXT, source="ledger.md", features=(Feature(name="Months", line=5),))


def asked(progress: SpecProgress) -> list[SpecPiece]:
    return [piece for document in progress.documents for piece in document.pieces if piece.asks]


def test_each_part_of_a_markdown_spec_has_its_tasks_and_state() -> None:
    progress = spec_progress(build(MARKDOWN, *landed("money"), started("entry")))
    assert "".join(piece.text for piece in progress.documents[0].pieces) == TEXT
    assert [(piece.tasks, piece.state, piece.found_by) for piece in asked(progress)] == [
        (("money",), "green", "words"),
        ((), "grey", None),
        (("month",), "grey", "feature"),
        (("entry",), "blue", "quoted"),
    ]
    assert [part.text for part in progress.uncovered] == ["The weather is shown on Mondays."]
    assert progress.counts == {"grey": 2, "blue": 1, "green": 1, "red": 0}
    assert progress.unasked == ("chore",)
    assert [task.id for task in progress.tasks] == ["money", "month", "entry", "chore"], "also what no part asks for"
    money = progress.tasks[0]
    assert (money.id, money.commit, money.evidence) == ("money", "c1", "/api/builds/b/why/money")
    assert [(check.gate, check.result, check.tests) for check in money.checks] == [("tests", "passed", 7)]


def test_a_failed_task_makes_its_part_red() -> None:
    failed = (
        started("money"),
        e.AgentBroke(task="money", attempt=1, kind="crashed", message="broke"),
        e.TaskFailed(task="money", message="broke"),
    )
    progress = spec_progress(build(MARKDOWN, *failed))
    assert (asked(progress)[0].state, asked(progress)[0].words) == ("red", "money failed.")


def test_what_no_check_judged_is_not_proven() -> None:
    told = Verdict(tree="t1", reports=(Report(gate="scope", kind="scope", ok=True),))
    piece = asked(spec_progress(build(MARKDOWN, *landed("money", told))))[0]
    assert (piece.state, piece.words) == ("grey", "money landed, and no check judged it.")


def test_without_a_plan_nothing_counts_as_uncovered() -> None:
    progress = spec_progress(build(MARKDOWN, planned=False))
    assert (progress.planned, progress.uncovered) == (False, ())
    assert {piece.state for piece in asked(progress)} == {"grey"}
    assert asked(progress)[0].words == "There is no plan yet."


def test_a_list_of_tasks_is_its_own_text() -> None:
    progress = spec_progress(build_of(journal(*FAILED)))
    pieces = progress.documents[0].pieces
    assert "".join(piece.text for piece in pieces).startswith("money: Amounts\n- Exact amounts\nmonth: Months\n")
    assert [piece.end for piece in pieces[:-1]] == [piece.start for piece in pieces[1:]]
    assert {piece.state for piece in asked(progress) if piece.tasks == ("money",)} == {"red"}
    assert {piece.found_by for piece in asked(progress)} == {"list"}
    assert (progress.uncovered, progress.unasked) == ((), ())
    assert [task.id for task in progress.tasks] == [task.id for task in TASKS]


def test_words_of_a_template_ask_for_nothing() -> None:
    content = (
        "# Blueprint\n\nThis page says what is built.\n\n- Amounts are exact decimal numbers\n- The weather is shown\n"
    )
    sources = ((), (), (), (), ("A1",), ("edit",))
    made = Contract(contract_type="blueprint", content=content, sources=sources, template=1)
    spec = Spec(title="Ledger", form="contracts", text="joined", contracts=BuildContracts(contracts=(made,)))
    progress = spec_progress(build(spec))
    asking = [piece.text for piece in progress.documents[0].pieces if piece.asks]
    assert asking == ["Amounts are exact decimal numbers", "The weather is shown"]
    assert [part.text for part in progress.uncovered] == ["The weather is shown"]
    assert "".join(piece.text for piece in progress.documents[0].pieces) == content


def test_each_contract_is_a_text_of_its_own() -> None:
    contracts = BuildContracts(
        contracts=(
            Contract(contract_type="blueprint", content="# Blueprint\n\n- Amounts are exact decimal numbers\n"),
            Contract(contract_type="ui", content="Every page has a title.\n"),
        )
    )
    spec = Spec(title="Ledger", form="contracts", text="joined", contracts=contracts)
    progress = spec_progress(build(spec))
    assert [document.name for document in progress.documents] == list(contracts.files)
    assert [piece.tasks for piece in asked(progress)] == [("money",), ()]


def test_a_large_spec_takes_little_time_for_each_part() -> None:
    tasks = tuple(Task(id=f"t{n}", title=f"Part {n}", goal=f"word{n} and thing{n} and item{n % 7}") for n in range(500))
    text = "".join(f"- word{n} is thing{n}\n" for n in range(5_000))
    spec = Spec(title="Large", text=text)
    made = build_of(journal(tasks=tasks)).evolve({"spec": spec})
    began = time.process_time()
    assert len(spec_progress(made).tasks) == 500
    print(f"\n{time.process_time() - began:.2f} s of processor time for 5,000 parts and 500 tasks")
