"""What a pull request says of its build, and that the words of others do nothing in it."""

from __future__ import annotations

import pytest

from buildwright.core import event as e
from buildwright.core.event import AnyEvent, Recorded
from buildwright.core.graph import Graph
from buildwright.core.limits import Options
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.views.pull_request import plain, section_of, title_of, with_section
from tests.core.machine import START
from tests.views.test_overview import build_of


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
