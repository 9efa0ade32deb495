"""The records of an interview: what they refuse, and that their JSON loses nothing."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from buildwright.core.interview import SECTIONS, Answer, AnswerConflict, Interview, OpenQuestion
from buildwright.core.sanitize import sanitize

IDS = Answer(id="A1", section="product_intent", text="It counts words.", origin="said")
FOUND = Answer(id="A2", section="tech_stack", text="Python 3.12", origin="found", source="README.md:12", revision=2)


def test_sections_stand_in_their_order() -> None:
    assert list(SECTIONS) == [
        "product_intent",
        "tech_stack",
        "database_schema",
        "api_endpoints",
        "ui_requirements",
        "architectural_boundaries",
        "deployment_target",
        "phase_breakdown",
    ]


def test_json_loses_nothing() -> None:
    interview = Interview(
        title="wc",
        answers=(IDS, FOUND),
        questions=(
            OpenQuestion(section="ui_requirements", text="What is printed?", suggestions=("a number", "a table")),
        ),
        contradictions=(AnswerConflict(first="A1", second="A2", sentence="They cannot both hold."),),
        complete=("product_intent",),
    )
    assert Interview.model_validate_json(interview.model_dump_json()) == interview
    assert interview.answer("A2") == FOUND
    assert interview.of_section("tech_stack") == (FOUND,)


@pytest.mark.parametrize("name", ["", "1", "A0", "a1", "A12345", "A1\n"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="id"):
        Answer(id=name, section="tech_stack", text="x", origin="said")


def test_an_interview_is_complete_when_nothing_is_missing_or_contradicts() -> None:
    whole = Interview(complete=tuple(SECTIONS))
    assert whole.is_complete
    assert not Interview(complete=tuple(SECTIONS)[1:]).is_complete
    odd = whole.model_copy(update={"contradictions": (AnswerConflict(first="A1", second="A2", sentence="no"),)})
    assert not odd.is_complete


def test_texts_of_a_model_are_cleaned() -> None:
    dirty = Interview(answers=(IDS.model_copy(update={"text": "red \x1b[31mword"}),))
    assert sanitize(dirty, lambda text: text).answers[0].text == "red word"
