"""What a pull request says of its build, and that the words of others do nothing in it."""

from __future__ import annotations

import pytest

from buildwright.core import event as e
from buildwright.core.event import AnyEvent, Recorded
from buildwright.core.finding import Finding, Report, Verdict
from buildwright.core.graph import Graph
from buildwright.core.limits import Options
from buildwright.core.own_names import UNCONTAINED
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.views.evidence import BuildEvidence, evidence_of
from buildwright.views.evidence_page import evidence_page
from buildwright.views.overview import build_view
from buildwright.views.pull_request import plain, section_of, title_of, with_section
from tests.core.machine import START
from tests.views.test_overview import build_of, finished, journal, started


def test_the_section_is_replaced_and_what_a_person_wrote_stays() -> None:
    first = with_section("", "one", "b1")
    assert first.splitlines()[1] == "one"
    around = f"Before.\r\n\r\n{first}\r\nAfter."
    second = with_section(around, "two", "b1")
    assert second == f"Before.\n\n{with_section('', 'two', 'b1')}\nAfter."
    both = with_section(second, "other", "b2")
    assert both.startswith(second)
    assert with_section(both, "two", "b1") == both, "another build's part stays"


@pytest.mark.parametrize(
    ("text", "acts"),
    [
        ("Fixes #12", "#12"),
        ("closes GH-7", "GH-7"),
        ("thanks @acme/team", "@acme"),
        ("see https://example.org", "https://"),
        ("www.example.org", "www.e"),
        ("!4 and $5 and %6", "!4"),
        ("<!-- end of buildwright b1 -->", "<!--"),
        ("![x](y)", "![x]"),
        ("a | b", "a | b"),
        ("one\n## two", "\n"),
    ],
)
def test_words_of_others_are_plain_text(text: str, acts: str) -> None:
    assert acts not in plain(text)


def test_what_a_person_let_pass_is_told() -> None:
    finding = Finding(code="scope.protected", message="ci.yml", fingerprint="1c9e02d4a7b3")
    refused = Verdict(tree="t1", reports=(Report(gate="scope", kind="scope", ok=False, findings=(finding,)),))
    base = Finding(code="check.failed", message="red before")
    red = Verdict(tree="t0", reports=(Report(gate="lint", kind="lint", ok=False, findings=(base,)),))
    approved = e.FindingApproved(
        task="money", finding=finding.fingerprint, code=finding.code, reason="we asked @all for it", by="ana"
    )
    judged = (started("money"), finished("money"), e.PatchJudged(task="money", attempt=1, verdict=refused))
    options = Options(accept_checks=("lint",))
    build = build_of(journal(e.BaseJudged(verdict=red), *judged, approved, options=options))
    told = section_of(build, "c1")
    assert "### Let pass by a person" in told
    assert "- money: scope.protected, by ana: we asked @" in told
    assert "@all" not in told
    assert "- before any change: red before" in told
    evidence = evidence_of(build, journal(*judged, approved))
    assert [one.reason for task in evidence.tasks for one in task.approvals] == ["we asked @all for it"]
    page = evidence_page(evidence, "d", "k")
    assert "Let pass by a person" in page
    assert "<td>we asked @all for it</td>" in page
    assert evidence.accepted[0] in page
    strict = build_of(journal(e.BaseJudged(verdict=red), *judged))
    assert "Let pass" not in section_of(strict, "c1")
    assert evidence_of(strict, journal(*judged)).accepted == ()


def test_that_nothing_contained_the_build_is_told() -> None:
    done = (started("money"), finished("money"))
    assert f"No sandbox: {UNCONTAINED}" in section_of(build_of(journal(*done, options=Options(sandbox="none"))), "c1")
    assert "andbox" not in section_of(build_of(journal(*done, options=Options(sandbox="bubblewrap"))), "c1")


@pytest.mark.parametrize(
    ("options", "field", "words"),
    [
        (Options(sandbox="none"), "none", f"none: {UNCONTAINED}"),
        (Options(sandbox="none", limits_watched=True), "none", f"none: {UNCONTAINED}"),
        (Options(sandbox="auto"), "auto", "chosen by each worker"),
        (
            Options(sandbox="bubblewrap", limits_watched=True),
            "bubblewrap, its limits watched",
            "bubblewrap, its limits watched",
        ),
    ],
)
def test_the_evidence_says_what_contained_the_build(options: Options, field: str, words: str) -> None:
    facts = journal(started("money"), finished("money"), options=options)
    build = build_of(facts)
    evidence = evidence_of(build, facts)
    assert evidence.model_dump(mode="json")["sandbox"] == build_view(build, START).sandbox == field
    assert f"<th>Sandbox</th><td>{words}" in evidence_page(evidence, "d", "k")
    older = BuildEvidence.model_validate(evidence.model_dump(exclude={"sandbox"}))
    assert "<th>Sandbox</th><td>not told</td>" in evidence_page(older, "d", "k")


def test_a_text_is_at_most_as_long_as_a_forge_takes() -> None:
    said = "<@*>" * 50
    tasks = tuple(Task(id=f"t{number}", title=said, acceptance=(said, said)) for number in range(300))
    created = e.BuildCreated(
        build_id="b",
        project_id="p",
        user_id="u",
        repository="/repo",
        spec=Spec(title="x" * 200, graph=Graph(tasks=tasks)),
        options=Options(),
    )
    facts: tuple[AnyEvent, ...] = (
        created,
        e.TargetPrepared(commit="c0", tree="t0", branch="main"),
        e.PlanMade(graph=Graph(tasks=tasks)),
    )
    build = build_of([Recorded(seq, START, fact) for seq, fact in enumerate(facts, 1)])
    text = section_of(build, "c1")
    assert len(text) < 61_000
    assert "And 800 more requirements." in text
    assert text.endswith("(Cut here; `buildwright status` shows all of it.)")
    assert len(title_of(build)) == 200
