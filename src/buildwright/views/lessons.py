"""Lessons as users see them: what is known, where it came from, and whether it helps. Pure data."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from buildwright.core.lessons import Arm, Effect, Lesson, LessonEntry
from buildwright.core.record import Record


class LessonView(Lesson):
    """A lesson, and what became of the tasks that it was tried on."""

    given: Arm = Arm()
    """Tasks that ended with it."""
    held_out: Arm = Arm()
    """Tasks that ended without it, to compare."""
    saved_attempts: float | None = None
    """Attempts per task that it saves; None while too few tasks ended."""
    saved_low: float | None = None
    """The lower end of a 90 % interval of it."""
    saved_high: float | None = None
    saved_usd: Decimal | None = None
    """USD per task that it saves."""


class LessonsView(Record):
    """A user's lessons, the surest first."""

    lessons: tuple[LessonView, ...]


class LessonFile(Record):
    """Lessons in the form of the file that a project keeps."""

    lessons: tuple[LessonEntry, ...]


class LessonsImported(Record):
    """How many lessons were given, and how many of them were not known yet."""

    read: int
    added: int


def lesson_view(lesson: Lesson, effect: Effect) -> LessonView:
    """Return a lesson with its effect."""
    saved = effect.saved or (None, None, None)
    figures = dict(
        zip(("saved_attempts", "saved_low", "saved_high"), (one and round(one, 4) for one in saved), strict=True)
    )
    about = {"given": effect.given, "held_out": effect.held_out, "saved_usd": effect.saved_usd}
    return LessonView.model_validate({**dict(lesson), **about, **figures})


def lesson_file(lessons: Iterable[Lesson], repository: str = "") -> LessonFile:
    """Return lessons as a file; those that builds of a repository may be given, without its name, if it is named."""
    if not repository:
        return LessonFile(lessons=tuple(one.entry for one in lessons))
    mine = (one.entry for one in lessons if one.repository in {"", repository})
    return LessonFile(lessons=tuple(entry.model_copy(update={"repository": ""}) for entry in mine))
