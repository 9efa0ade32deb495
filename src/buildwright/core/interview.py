"""An interview on what is to be built, as records, and what its answers become. Pure; must never ask a model.

Answers are named by the letter A and a number from 1 on, in the order in which they were taken. A name is never given
twice: a changed answer keeps its own, and counts its revisions.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import Field

from buildwright.core.record import Record
from buildwright.core.sanitize import ForeignText, Identifier, Origin

SectionName = Literal[
    "product_intent",
    "tech_stack",
    "database_schema",
    "api_endpoints",
    "ui_requirements",
    "architectural_boundaries",
    "deployment_target",
    "phase_breakdown",
]
AnswerOrigin = Literal["said", "assumed", "found"]
"""Who gave an answer: the user, the interviewer on the user's "decide for me", a spec or repository dropped in."""

SECTIONS: Final[Mapping[SectionName, str]] = {
    "product_intent": "what it is for, who uses it, what it must do and what not",
    "tech_stack": "languages, frameworks, database, tools for tests and checks",
    "database_schema": "what is kept: entities, their fields and relations",
    "api_endpoints": "interfaces for programs: paths, commands, inputs, outputs, errors",
    "ui_requirements": "what people see and use: pages, screens, terminal output, or none",
    "architectural_boundaries": "layers, what may use what, what must never happen",
    "deployment_target": "where and how it runs",
    "phase_breakdown": "in which order it is built, and what each phase must show",
}
"""The sections in their order, and what each asks for."""

LONGEST_ANSWER: Final = 8_000
LONGEST_LINE: Final = 1_000
MOST_ANSWERS: Final = 200

AnswerId = Annotated[str, Field(pattern=r"^A[1-9][0-9]{0,3}$"), Origin.IDENTIFIER]
"""The letter A and a number from 1 to 9999."""


class Answer(Record):
    """One answer, in the form of a statement that can be read without its question."""

    id: AnswerId
    section: SectionName
    question: ForeignText = Field(default="", max_length=LONGEST_LINE)
    """What was asked; "" when the answer came unasked."""
    text: ForeignText = Field(min_length=1, max_length=LONGEST_ANSWER)
    origin: AnswerOrigin
    source: ForeignText = Field(default="", max_length=LONGEST_LINE)
    """Where a found answer stands, such as `README.md:12`; "" for others."""
    revision: int = Field(default=1, ge=1)
    """1, and one more with each change."""


class OpenQuestion(Record):
    """An open question with the answers that are suggested; a user may choose one by its number, from 1 on."""

    section: SectionName
    text: ForeignText = Field(min_length=1, max_length=LONGEST_LINE)
    suggestions: Annotated[tuple[ForeignText, ...], Field(max_length=5)] = ()


class AnswerConflict(Record):
    """Two answers that cannot both hold, and why."""

    first: AnswerId
    second: AnswerId
    sentence: ForeignText = Field(min_length=1, max_length=LONGEST_LINE)


class InterviewCost(Record):
    """What the interview has used. `unpriced` counts requests whose price is not known; `cost_usd` leaves them out."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_tokens: int = 0
    """Tokens that were read from the provider's cache, or written into it."""
    cache_read_tokens: int = 0
    """Those that were read from it; 0 in an interview that is older than this field."""
    cost_usd: Decimal = Decimal(0)
    unpriced: int = 0


class InterviewStage(Record):
    """All of an interview that a step changes, and that undoing the step brings back."""

    title: ForeignText = Field(default="", max_length=200)
    """Name of what is to be built; "" until it is known."""
    answers: tuple[Answer, ...] = ()
    questions: tuple[OpenQuestion, ...] = ()
    """Those that are open; the first is asked now."""
    contradictions: tuple[AnswerConflict, ...] = ()
    complete: tuple[SectionName, ...] = ()
    """The sections in which nothing more needs to be asked, in the order of `SECTIONS`."""
    checked: bool = True
    """Whether the interviewer has looked for contradictions since an answer was last taken or changed."""


class Interview(InterviewStage):
    """An interview so far. `answers` are in the order of their ids, without those that were taken back."""

    cost: InterviewCost = InterviewCost()
    taken: int = Field(default=0, ge=0)
    """The number of the newest answer's id, also of one that was taken back."""
    turns: int = Field(default=0, ge=0)
    """How often the interviewer was asked."""
    instructions: Identifier = ""
    """Digest (SHA-256) of what the interviewer was instructed when it was asked last; "" before, and in older ones."""
    reply: ForeignText = ""
    """What the user was told last."""
    past: tuple[InterviewStage, ...] = ()
    """What can be undone, oldest first."""

    @property
    def is_complete(self) -> bool:
        """Whether every section is complete, and the interviewer has seen that no two answers contradict each other."""
        return self.checked and not self.contradictions and set(self.complete) == set(SECTIONS)

    def answer(self, name: str) -> Answer | None:
        """Return the answer with this id, None when there is none."""
        return next((answer for answer in self.answers if answer.id == name), None)

    def of_section(self, section: SectionName) -> tuple[Answer, ...]:
        """Return the answers of one section."""
        return tuple(answer for answer in self.answers if answer.section == section)
