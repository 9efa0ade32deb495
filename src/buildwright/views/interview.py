"""An interview as a user sees it: sections with their answers, the question, contradictions side by side. Pure data."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from buildwright.core.interview import SECTIONS, Answer, Interview, InterviewCost, OpenQuestion, SectionName
from buildwright.core.interview_steps import artifacts_of, spec_of_interview
from buildwright.core.record import Record


class InterviewSection(Record):
    """One of the eight sections."""

    name: SectionName
    about: str
    """What it asks for."""
    complete: bool
    answers: tuple[Answer, ...]


class BothAnswers(Record):
    """Two answers that cannot both hold, side by side, and why."""

    first: Answer
    second: Answer
    sentence: str


class InterviewView(Record):
    """An interview with all that the next message needs."""

    project_id: str
    name: str
    """The project's."""
    title: str
    """Of what is to be built; "" until it is known."""
    reply: str
    """What the user was told last."""
    sections: tuple[InterviewSection, ...]
    question: OpenQuestion | None
    """The one that is asked now; a message that is a number chooses a suggestion, the first by 1."""
    open_questions: int
    contradictions: tuple[BothAnswers, ...]
    remaining: tuple[SectionName, ...]
    """The sections that are not complete."""
    checked: bool
    """Whether the interviewer has looked for contradictions since an answer was last taken or changed."""
    is_complete: bool
    can_undo: int
    """Steps that "undo" can take back."""
    cost: InterviewCost
    instructions: str
    """Digest (SHA-256) of what the interviewer was instructed when it was asked last; "" before."""
    spec: dict[str, Any] | None
    """The answers as the planner's input (`brief`, `build_plan`, `product_doc`); null until the interview is complete."""


def remaining_of(interview: Interview) -> tuple[SectionName, ...]:
    """Return the sections that are not complete, in their order."""
    return tuple(section for section in SECTIONS if section not in interview.complete)


class InterviewEntry(Record):
    """One interview in a list."""

    project_id: str
    name: str
    title: str
    folder: str
    """The project's directory on the machine of the store; "" when it has none."""
    answers: int
    remaining: tuple[SectionName, ...]
    is_complete: bool
    cost: InterviewCost
    updated_at: datetime


def interview_view(project_id: str, name: str, interview: Interview) -> InterviewView:
    """Return the view of a project's interview."""
    by_id = {answer.id: answer for answer in interview.answers}
    done = interview.is_complete
    return InterviewView(
        project_id=project_id,
        name=name,
        title=interview.title,
        reply=interview.reply,
        sections=tuple(
            InterviewSection(
                name=section,
                about=about,
                complete=section in interview.complete,
                answers=interview.of_section(section),
            )
            for section, about in SECTIONS.items()
        ),
        question=interview.questions[0] if interview.questions else None,
        open_questions=len(interview.questions),
        contradictions=tuple(
            BothAnswers(first=by_id[each.first], second=by_id[each.second], sentence=each.sentence)
            for each in interview.contradictions
        ),
        remaining=remaining_of(interview),
        checked=interview.checked,
        is_complete=done,
        can_undo=len(interview.past),
        cost=interview.cost,
        instructions=interview.instructions,
        spec=dict(artifacts_of(spec_of_interview(interview, name))) if done else None,
    )


def interview_entry(project_id: str, name: str, folder: str, interview: Interview, at: datetime) -> InterviewEntry:
    """Return an interview as a list shows it."""
    return InterviewEntry(
        project_id=project_id,
        name=name,
        title=interview.title,
        folder=folder,
        answers=len(interview.answers),
        remaining=remaining_of(interview),
        is_complete=interview.is_complete,
        cost=interview.cost,
        updated_at=at,
    )
