"""Lessons in a build: chosen before a task's first attempt, learned of an accepted change. Must never keep a build up.

Whatever goes wrong with lessons is a line of the log: the attempt goes on without. The tasks that lessons are tried on
are looked at again when lessons are asked for, so that nothing is lost by a crash.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from buildwright.core import event as e
from buildwright.core.action import JudgePatch
from buildwright.core.build import Build, TaskPhase, TaskState, is_undone
from buildwright.core.finding import Verdict
from buildwright.core.lessons import (
    LESSONS_FILE,
    MOST_OF_MODEL,
    ChosenLessons,
    Lesson,
    LessonDraft,
    LessonEntry,
    LessonSource,
    MendedRefusal,
    TrialOutcome,
    choose,
    id_of,
    learned,
    mending,
    noticed,
    parse_lessons,
    pattern_of,
    tidy,
)
from buildwright.core.sanitize import Mask
from buildwright.engine.action_context import ActionContext
from buildwright.engine.usage import access, shut_door
from buildwright.errors import BadSettings, BadSpec, DiskFull, GitFailed, ModelFailed, NotFound, StoreFailed
from buildwright.ports import BuildReader, LessonBook, Workspace

LESSON_SECONDS = 120.0
"""Time limit of the model that words a lesson."""
_FILE_BYTES = 200_000
_DIFF_CHARACTERS = 20_000
_TROUBLE = (StoreFailed, DiskFull, GitFailed)


async def give(bench: ActionContext, build: Build, task_id: str, state: TaskState) -> TaskState:
    """Return the state of a task whose attempt begins, with its lessons: those chosen once, or chosen now."""
    opened = bench.world.lessons
    if state.lessons is not None or state.attempt != 1 or opened is None or not build.options.lessons:
        return state
    try:
        book = await opened()
        await end_trials(book, bench.world.builds, build.user_id, bench.world.clock.now(), bench.newest())
        await _find_in_repository(bench, book, build)
        chosen = await chosen_for(book, build, task_id, bench.world.mask)
        await book.begin(build.user_id, build.id, task_id, chosen)
    except _TROUBLE as trouble:
        bench.logbook.note("engine", f"no lessons: {trouble}", task_id, state.attempt)
        return state
    if not chosen.given and not chosen.held_out:
        return state
    bench.report(e.LessonsGiven(task=task_id, attempt=state.attempt, given=chosen.given, held_out=chosen.held_out))
    return state._replace(lessons=chosen.given)


async def chosen_for(book: LessonBook, build: Build, task_id: str, mask: Mask) -> ChosenLessons:
    """Return the lessons that a task would be given now. Raises the errors of the book."""
    assert build.plan is not None
    known = await book.all(build.user_id, mask(build.repository))
    chosen = choose(known, build.plan.task(task_id).files_expected, build.id, task_id)
    # With the newest secrets out, exactly as the journal will have it.
    plain = (one.model_copy(update={"content": tidy(one.content, mask)}) for one in chosen.given)
    return ChosenLessons(tuple(one for one in plain if one.content), chosen.held_out)


async def _find_in_repository(bench: ActionContext, book: LessonBook, build: Build) -> None:
    """Keep the lessons of the project's file, as it is in the tree that the build started from."""
    workspace = bench.world.workspace
    if workspace is None or not build.base_tree:
        return
    content = await workspace.read_file(build.id, build.base_tree, LESSONS_FILE, _FILE_BYTES)
    if content is None:
        return
    mask = bench.world.mask
    try:
        entries = parse_lessons(content.decode("utf-8", "replace"))
    except BadSpec as bad:
        bench.logbook.note("engine", f"{LESSONS_FILE} is left out: {bad}")
        return
    here = [entry.model_copy(update={"repository": mask(build.repository)}) for entry in entries]
    found = lessons_of(here, "file", bench.world.clock.now(), mask)
    if added := await book.add(build.user_id, found):
        bench.logbook.note("engine", f"{LESSONS_FILE} has {added} new lessons")


def lessons_of(entries: Sequence[LessonEntry], source: LessonSource, at: datetime, mask: Mask) -> list[Lesson]:
    """Return what a file says as lessons, those whose words are nothing left out."""
    made: list[Lesson] = []
    for entry in entries:
        pattern, content = pattern_of(mask(entry.pattern)), tidy(entry.content, mask)
        if pattern and content:
            said = {**dict(entry), "pattern": pattern, "content": content, "why": tidy(entry.why, mask)}
            name = id_of(entry.repository, pattern, content)
            made.append(Lesson(id=name, source=source, created_at=at, updated_at=at, **said))
    return made


# --- Learning --------------------------------------------------------------------------------------------------------


async def learn(
    bench: ActionContext, action: JudgePatch, build: Build, verdict: Verdict
) -> tuple[e.LessonLearned, ...]:
    """Return what an accepted change taught: of the refusals before it, else of its warnings; nothing of any other."""
    opened, state = bench.world.lessons, build.task(action.task)
    if opened is None or not build.options.lessons or not verdict.ok or state.patch is None or is_undone(state):
        return ()
    refusals = _refusals(state)
    try:
        diff = await _difference(bench.world.workspace, build, state) if refusals else ""
        mended = mending(diff, frozenset(state.patch.paths))
        draft = learned(refusals, mended, state.patch.paths) or noticed(verdict.warnings, state.patch.paths)
        if draft is None:
            return ()
        worded = await _worded(bench, action, build, _MendedCase(refusals, diff, draft)) if refusals else _Worded(draft)
        lesson = _lesson(bench, action, build, worded.draft)
        if lesson is None:
            return ()
        kept = await (await opened()).learn(build.user_id, lesson)
    except _TROUBLE as trouble:
        bench.logbook.note("engine", f"no lesson is learned: {trouble}", action.task, action.attempt)
        return ()
    about = {"lesson": kept.id, "pattern": kept.pattern, "content": kept.content, "confidence": kept.confidence}
    learned_by = {"by": worded.model, "prompt": worded.prompt}
    return (e.LessonLearned(task=action.task, attempt=action.attempt, **about, **learned_by),)


class _MendedCase(NamedTuple):
    """A mended failure: why it was refused, what differs between the last refused change and the accepted one."""

    refusals: Sequence[MendedRefusal]
    diff: str
    draft: LessonDraft


class _Worded(NamedTuple):
    """A lesson before it is kept; the model that worded it and the digest of its instructions, "" for none."""

    draft: LessonDraft
    model: str = ""
    prompt: str = ""


def _refusals(state: TaskState) -> list[MendedRefusal]:
    """Return the refusals by gates since the user's last retry; a refusal in the train is the last one, if there was."""
    accepted = state.patch.tree if state.patch is not None else ""  # refused once, if its findings are approved since
    found = [MendedRefusal(old.attempt, old.findings) for old in state.refused if old.tree != accepted]
    if state.rejection == "train" and state.findings:
        found.append(MendedRefusal(state.attempt - 1, state.findings))
    return found


async def _difference(workspace: Workspace | None, build: Build, state: TaskState) -> str:
    """Return the diff from the last refused change to the accepted one."""
    refused = state.refused[-1].tree if state.refused else state.kept_tree
    if workspace is None or not refused or state.patch is None:
        return ""
    return await workspace.diff(build.id, refused, state.patch.tree)


def _lesson(bench: ActionContext, action: JudgePatch, build: Build, draft: LessonDraft) -> Lesson | None:
    mask, at = bench.world.mask, bench.world.clock.now()
    pattern, content = pattern_of(mask(draft.pattern)), tidy(draft.content, mask)
    if not pattern or not content:
        return None
    repository = mask(build.repository)
    return Lesson(
        id=id_of(repository, pattern, content),
        repository=repository,
        pattern=pattern,
        kind=draft.kind,
        content=content,
        confidence=draft.confidence,
        source="build",
        build=build.id,
        task=action.task,
        attempt=action.attempt,
        created_at=at,
        updated_at=at,
    )


async def _worded(bench: ActionContext, action: JudgePatch, build: Build, case: _MendedCase) -> _Worded:
    """Let the model of the options word the lesson; without one, or when it fails, it is what the rule makes of it."""
    world, model, gateway = bench.world, build.options.wording_model, bench.world.gateway
    plain = _Worded(case.draft)
    if not model or world.lesson_writer is None or gateway is None or build.plan is None:
        return plain
    task = build.plan.task(action.task)
    context = {
        "task": {"id": task.id, "title": task.title, "goal": task.goal},
        "refusals": [[str(one) for one in refusal.findings if one.severity == "error"] for refusal in case.refusals],
        "lesson_without_you": case.draft.model_dump(mode="json"),
        "mended_by": case.diff[:_DIFF_CHARACTERS],
    }
    try:
        door = await gateway.open(access(bench.newest(), action.task, action.attempt, model=model))
    except (BadSettings, BadSpec) as missing:
        bench.logbook.note("engine", f"no model words the lesson: {missing}", action.task, action.attempt)
        return plain
    try:
        async with asyncio.timeout(LESSON_SECONDS):
            answer = await world.lesson_writer.word(world.mask(json.dumps(context, ensure_ascii=False)), model, door)
    except (ModelFailed, TimeoutError) as failure:
        why = str(failure) or f"it did not answer within {LESSON_SECONDS:g} s"
        bench.logbook.note("engine", f"the model words no lesson: {why}", action.task, action.attempt)
        return plain
    finally:
        await shut_door(bench, door)
    draft = answer.model_copy(update={"confidence": min(answer.confidence, MOST_OF_MODEL)})
    usable = pattern_of(draft.pattern) and tidy(draft.content, world.mask)
    return _Worded(draft, model, world.lesson_writer.instructions) if usable else plain


# --- Trying ----------------------------------------------------------------------------------------------------------


async def end_trials(
    book: LessonBook, builds: BuildReader, user_id: str, at: datetime, running: Build | None = None
) -> None:
    """Record how tasks ended that lessons are tried on, and retire lessons that do not help. Raises StoreFailed.

    They are the tasks of builds that have ended, and of the one that is `running` here.
    """
    ended: set[str] = set()
    known: dict[str, Build | None] = {running.id: running} if running is not None else {}
    for build_id, task in await book.begun(user_id, running.id if running is not None else ""):
        if build_id not in known:
            known[build_id] = await _build(builds, build_id)
        build = known[build_id]
        if build is not None and not (build.is_terminal or build.task(task).phase is TaskPhase.DONE):
            continue
        ended |= await book.end(user_id, build_id, task, _outcome(build, task) if build is not None else None)
    for lesson, effect in (await book.effects(user_id, ended)).items() if ended else ():
        if why := effect.why_retire:
            await book.retire(user_id, lesson, why, at)


async def _build(builds: BuildReader, build_id: str) -> Build | None:
    try:
        return await builds.load(build_id)
    except NotFound:  # it is pruned
        return None


def _outcome(build: Build, task: str) -> TrialOutcome | None:
    """Return how the task ended; None when its build was ended before it."""
    state = build.task(task)
    failed = state.phase in {TaskPhase.FAILED, TaskPhase.SKIPPED}
    return TrialOutcome(state.attempt, failed, state.cost_usd) if failed or state.phase is TaskPhase.DONE else None
