"""The caller's lessons: shown, forgotten, exported and imported. Must never show another user's."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field

from buildwright.api.bodies import Router
from buildwright.api.problems import responses
from buildwright.api.state import CallerOf, SiteOf
from buildwright.core.lessons import MOST_IN_FILE, LessonEntry, pattern_of
from buildwright.errors import BadSpec, NotFound
from buildwright.views.lessons import LessonFile, LessonsImported, LessonsView, LessonView, lesson_file
from buildwright.wiring.lessons import import_for, lessons_for

router = Router(tags=["lessons"])

LessonId = Annotated[str, Path(min_length=1, max_length=64, description="Id of the lesson.")]


class LessonsGivenIn(BaseModel):
    """Lessons to import, in the form of the file."""

    model_config = ConfigDict(extra="forbid")

    lessons: list[LessonEntry] = Field(max_length=MOST_IN_FILE)


@router.get("/api/lessons", responses=responses())
async def all_lessons(site: SiteOf, caller: CallerOf) -> LessonsView:
    """Return the caller's lessons, the surest first, and whether they help."""
    return await lessons_for(site.records.lessons, site.app.builds, caller.user_id, site.app.clock.now())


@router.get("/api/lessons/export", responses=responses())
async def export_lessons(
    site: SiteOf,
    caller: CallerOf,
    repository: Annotated[
        str, Query(max_length=4_000, description="Only those for builds of it, without its name.")
    ] = "",
) -> LessonFile:
    """Return the caller's lessons as a file that can be imported, or kept in a repository."""
    return lesson_file(await site.records.lessons.all(caller.user_id), repository)


@router.post("/api/lessons/import", responses=responses())
async def import_lessons(site: SiteOf, caller: CallerOf, wish: LessonsGivenIn) -> LessonsImported:
    """Keep lessons that the caller does not have yet."""
    for place, entry in enumerate(wish.lessons):
        if not pattern_of(entry.pattern):
            raise BadSpec(f"lessons.{place}.pattern is not a pattern of paths", fix="write one such as src/*.py")
    return await import_for(site.records.lessons, caller.user_id, wish.lessons, site.app.clock.now(), site.app.mask)


@router.get("/api/lessons/{lesson_id}", responses=responses(404))
async def one_lesson(lesson_id: LessonId, site: SiteOf, caller: CallerOf) -> LessonView:
    """Return one of the caller's lessons."""
    found = await lessons_for(site.records.lessons, site.app.builds, caller.user_id, site.app.clock.now())
    view = next((one for one in found.lessons if one.id == lesson_id), None)
    if view is None:
        raise NotFound(f"there is no lesson {lesson_id}", fix="see GET /api/lessons for yours")
    return view


@router.post("/api/lessons/{lesson_id}/forget", status_code=204, responses=responses(404))
async def forget_lesson(lesson_id: LessonId, site: SiteOf, caller: CallerOf) -> None:
    """Remove a lesson, and what its trials came to."""
    await site.records.lessons.forget(caller.user_id, lesson_id)
