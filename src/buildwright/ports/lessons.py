"""Ports for lessons: where they are kept, and the advisor that words them. Must never hold logic."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from buildwright.ports.agents import ModelEndpoint

if TYPE_CHECKING:
    from buildwright.core.lessons import ChosenLessons, Effect, Lesson, LessonDraft, TrialOutcome


class LessonBook(Protocol):
    """The lessons of all users; every method is about those of one. Raises StoreFailed, Unreachable, DiskFull."""

    async def all(self, user_id: str, repository: str | None = None) -> list[Lesson]:
        """Return a user's lessons, the surest first; of a repository those that builds of it may be given."""

    async def learn(self, user_id: str, lesson: Lesson) -> Lesson:
        """Keep a lesson of an attempt, or raise the confidence in the one of that name, once for each attempt."""

    async def add(self, user_id: str, found: Sequence[Lesson]) -> int:
        """Keep those that are not known yet; return how many they were."""

    async def forget(self, user_id: str, lesson_id: str) -> None:
        """Remove a lesson and what its trials came to. Raises NotFound."""

    async def retire(self, user_id: str, lesson_id: str, why: str, at: datetime) -> None:
        """Retire a lesson: it is not given from now on."""

    async def begin(self, user_id: str, build_id: str, task: str, chosen: ChosenLessons) -> None:
        """Record that a task begins with these lessons, and without those."""

    async def begun(self, user_id: str, running: str = "") -> list[tuple[str, str]]:
        """Return tasks, as build and task, whose trials have not ended though their build has, or is `running`; some."""

    async def end(self, user_id: str, build_id: str, task: str, outcome: TrialOutcome | None) -> set[str]:
        """Record how a task ended (None drops its trials); return the ids of the lessons that were tried on it."""

    async def effects(self, user_id: str, lessons: Collection[str] = ()) -> dict[str, Effect]:
        """Return what is known of the effect of these lessons, or of all, without those that no task has ended with."""


class LessonWriter(Protocol):
    """The advisor that words the lesson of a mended failure."""

    @property
    def instructions(self) -> str:
        """SHA-256 of its instructions, in hexadecimal."""

    async def word(self, context: str, model: str, door: ModelEndpoint) -> LessonDraft:
        """Return the lesson. `context` is JSON: the task, refusals, files. Raises ModelFailed, also for a wrong answer."""
