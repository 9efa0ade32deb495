"""Questions and changes of one user's lessons, for the App and the routes. Must never show another user's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from buildwright.core.lessons import Effect, LessonEntry
from buildwright.core.sanitize import Mask
from buildwright.engine.lessons import end_trials, lessons_of
from buildwright.ports import BuildReader, LessonBook
from buildwright.views.lessons import LessonsImported, LessonsView, lesson_view


async def lessons_for(book: LessonBook, builds: BuildReader, user_id: str, at: datetime) -> LessonsView:
    """Return a user's lessons, with the tasks counted that have ended. Raises StoreFailed."""
    await end_trials(book, builds, user_id, at)
    effects = await book.effects(user_id)
    known = await book.all(user_id)
    return LessonsView(lessons=tuple(lesson_view(one, effects.get(one.id, Effect())) for one in known))


async def import_for(
    book: LessonBook, user_id: str, entries: Sequence[LessonEntry], at: datetime, mask: Mask
) -> LessonsImported:
    """Keep the lessons of a file that the user does not have yet. Raises StoreFailed."""
    found = lessons_of(entries, "import", at, mask)
    return LessonsImported(read=len(entries), added=await book.add(user_id, found))
