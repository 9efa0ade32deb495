"""Lessons of each user's builds, and the tasks that they are tried on. Must never show one user what is another's."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Integer, cast, delete, func, literal, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from buildwright.core.lessons import Arm, ChosenLessons, Effect, Lesson, TrialOutcome, again
from buildwright.errors import NotFound
from buildwright.store.database import Database
from buildwright.store.lesson_sums import SUMS
from buildwright.store.stats import COST_UNITS
from buildwright.store.tables import build_runs, lesson_sums, lesson_trials, lessons

_LESSON = lessons.c
_TRIAL = lesson_trials.c
_SUM = lesson_sums.c
_COLUMNS = [_LESSON[name] for name in Lesson.model_fields]
_MOST_SOURCES = 50
_MOST = 2_000
"""Lessons that one question returns, the surest first."""
_MOST_OPEN = 200
"""Trials that one call looks after."""


class LessonStore:
    """Implements the port `LessonBook` on a database. Every method names the user whose lessons it is about."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self, user_id: str, repository: str | None = None) -> list[Lesson]:
        """Return a user's lessons, the 2,000 surest; of a repository those that builds of it may be given."""
        query = select(*_COLUMNS).where(_LESSON.user_id == user_id)
        if repository is not None:
            query = query.where(_LESSON.repository.in_(("", repository)))
        rows = await self._database.fetch(query.order_by(_LESSON.confidence.desc(), _LESSON.id).limit(_MOST))
        return [_lesson(row._asdict()) for row in rows]

    async def get(self, user_id: str, lesson_id: str) -> Lesson:
        """Return one. Raises NotFound."""
        rows = await self._database.fetch(select(*_COLUMNS).where(_is(user_id, lesson_id)))
        if not rows:
            raise NotFound(f"there is no lesson {lesson_id}", fix="see `buildwright lessons list`")
        return _lesson(rows[0]._asdict())

    async def learn(self, user_id: str, lesson: Lesson) -> Lesson:
        """Keep a lesson of an attempt, or raise the confidence in the one of that name; return it as it is then.

        An attempt raises it once, however often its end is judged.
        """
        where = f"{lesson.build}/{lesson.task}/{lesson.attempt}"

        async def work(connection: AsyncConnection) -> Lesson:
            new = self._database.insert(lessons).values(**_row(user_id, lesson, [where]))
            if (await connection.execute(new.on_conflict_do_nothing().returning(_LESSON.id))).first() is not None:
                return lesson
            query = select(*_COLUMNS, _LESSON.learned_in).where(_is(user_id, lesson.id)).with_for_update()
            row = (await connection.execute(query)).one()._asdict()
            places: list[str] = json.loads(row.pop("learned_in"))
            known = _lesson(row)
            if where in places:
                return known
            changed = {
                "confidence": max(again(known.confidence), lesson.confidence),
                "seen": known.seen + 1,
                "updated_at": lesson.updated_at,
            }
            newest = json.dumps([*places, where][-_MOST_SOURCES:])
            await connection.execute(
                update(lessons).where(_is(user_id, lesson.id)).values(**changed, learned_in=newest)
            )
            return known.model_copy(update=changed)

        return await self._database.write(work)

    async def add(self, user_id: str, found: Sequence[Lesson]) -> int:
        """Keep those that are not known yet, of a file; return how many they were. What is known stays as it is."""
        added = 0
        for lesson in found:
            new = self._database.insert(lessons).values(**_row(user_id, lesson, []))
            added += len(await self._database.change(new.on_conflict_do_nothing().returning(_LESSON.id)))
        return added

    async def forget(self, user_id: str, lesson_id: str) -> None:
        """Remove a lesson and what its trials came to. Raises NotFound."""

        async def work(connection: AsyncConnection) -> bool:
            for table in (lesson_trials, lesson_sums):
                mine = (table.c.user_id == user_id) & (table.c.lesson_id == lesson_id)
                await connection.execute(delete(table).where(mine))
            gone = await connection.execute(delete(lessons).where(_is(user_id, lesson_id)).returning(_LESSON.id))
            return gone.first() is not None

        if not await self._database.write(work):
            raise NotFound(f"there is no lesson {lesson_id}", fix="see `buildwright lessons list`")

    async def retire(self, user_id: str, lesson_id: str, why: str, at: datetime) -> None:
        """Retire a lesson: it is not given from now on."""
        change = update(lessons).where(_is(user_id, lesson_id), _LESSON.state == "active")
        await self._database.change(change.values(state="retired", why=why, updated_at=at))

    async def begin(self, user_id: str, build_id: str, task: str, chosen: ChosenLessons) -> None:
        """Record that a task begins with these lessons, and without those. Harmless when it is recorded."""
        arms = [*((one.id, True) for one in chosen.given), *((one, False) for one in chosen.held_out)]
        key = {"user_id": user_id, "build_id": build_id, "task": task}
        rows = [
            {**key, "lesson_id": lesson, "given": given, "ended": False, "attempts": 0, "failed": False, "cost": 0}
            for lesson, given in arms
        ]
        if rows:
            await self._database.change(self._database.insert(lesson_trials).values(rows).on_conflict_do_nothing())

    async def begun(self, user_id: str, running: str = "") -> list[tuple[str, str]]:
        """Return tasks, as build and task, whose trials have not ended though their build has, or is `running`; some."""
        going = select(build_runs.c.build_id).where(
            build_runs.c.build_id == _TRIAL.build_id, build_runs.c.completed_at.is_(None)
        )
        due = (_TRIAL.build_id == running) | ~going.exists()
        query = select(_TRIAL.build_id, _TRIAL.task).where(_TRIAL.user_id == user_id, ~_TRIAL.ended, due).distinct()
        rows = await self._database.fetch(query.order_by(_TRIAL.build_id, _TRIAL.task).limit(_MOST_OPEN))
        return [(row.build_id, row.task) for row in rows]

    async def end(self, user_id: str, build_id: str, task: str, outcome: TrialOutcome | None) -> set[str]:
        """Record how a task ended (None drops its trials); return the ids of the lessons that were tried on it."""
        mine = (_TRIAL.user_id == user_id) & (_TRIAL.build_id == build_id) & (_TRIAL.task == task) & ~_TRIAL.ended
        if outcome is None:
            await self._database.change(delete(lesson_trials).where(mine))
            return set()
        values = {"ended": True, "attempts": outcome.score, "failed": outcome.failed}
        cost = int(outcome.cost_usd * COST_UNITS)
        change = update(lesson_trials).where(mine).values(**values, cost=cost)
        return {row.lesson_id for row in await self._database.change(change.returning(_TRIAL.lesson_id))}

    async def effects(self, user_id: str, lessons: Collection[str] = ()) -> dict[str, Effect]:
        """Return what is known of the effect of these lessons, or of all, without those that no task has ended with."""
        one = (literal(1).label("tasks"), _TRIAL.attempts, (_TRIAL.attempts * _TRIAL.attempts).label("squares"))
        of_trials = select(
            _TRIAL.lesson_id, _TRIAL.given, *one, cast(_TRIAL.failed, Integer).label("failed"), _TRIAL.cost
        )
        of_trials = of_trials.where(_TRIAL.user_id == user_id, _TRIAL.ended)
        of_removed = select(_SUM.lesson_id, _SUM.given, *(_SUM[name] for name in SUMS)).where(_SUM.user_id == user_id)
        if lessons:
            of_trials = of_trials.where(_TRIAL.lesson_id.in_(lessons))
            of_removed = of_removed.where(_SUM.lesson_id.in_(lessons))
        # In one statement: a build that is removed meanwhile is in one of both.
        both = union_all(of_trials, of_removed).subquery().c
        query = select(both.lesson_id, both.given, *(func.sum(both[name]) for name in SUMS))
        found: dict[str, dict[str, Arm]] = {}
        for row in await self._database.fetch(query.group_by(both.lesson_id, both.given)):
            lesson, given, *sums = tuple(row)
            tasks, attempts, squares, failed, cost = map(int, sums)
            arm = Arm(
                tasks=tasks, attempts=attempts, squares=squares, failed=failed, cost_usd=Decimal(cost) / COST_UNITS
            )
            found.setdefault(lesson, {})["given" if given else "held_out"] = arm
        return {lesson: Effect(**arms) for lesson, arms in found.items()}


def _lesson(row: dict[str, Any]) -> Lesson:
    return Lesson.model_validate(row)


def _row(user_id: str, lesson: Lesson, learned_in: Iterable[str]) -> dict[str, Any]:
    return {"user_id": user_id, **dict(lesson), "learned_in": json.dumps(list(learned_in))}


def _is(user_id: str, lesson_id: str) -> ColumnElement[bool]:
    return (_LESSON.user_id == user_id) & (_LESSON.id == lesson_id)
