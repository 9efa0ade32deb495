"""Reads a story of the BMAD method: `# Story 1.2: Title`, acceptance criteria, then "Tasks / Subtasks" with boxes.

Must never do I/O. Source of the format: the story template of bmad-method 4 to 6. Each outermost box is a task, its
boxes within are steps; they are done from top to bottom. `(AC: 1, 2)` names the criteria that a task has to meet; those
that no task names are asked of the last one. All other sections reach the agents as the specification.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from buildwright.advisors.checklist import Box, box, lines_outside_fences, notes_on_hidden, notes_on_marks
from buildwright.advisors.documents import checked_graph
from buildwright.advisors.paths import paths_in
from buildwright.core.graph import Graph
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.errors import BadSpec

_TITLE: Final = re.compile(r"#\s+(?:Story|\*\*Story)\s+([\w.-]+?)[:.]?\s+\W*(\S.*)", re.IGNORECASE)
_SECTION: Final = re.compile(r"##\s+(.*?)\s*#*$")
_TASKS: Final = re.compile(r"tasks?\b", re.IGNORECASE)
_CRITERION: Final = re.compile(r"\s*(?:(\d{1,3})[.)]|[-*+])\s+(?:AC\d+:\s*)?(\S.*)")
_NAMES: Final = re.compile(r"\(?\s*ACs?:?\s*#?((?:\d{1,3}(?:\s*(?:,|and|&|-)\s*#?)?)+)\s*\)?", re.IGNORECASE)


@dataclass
class _Job:
    """A box of the outermost level with what stands below it."""

    box: Box
    id: str
    steps: list[str] = field(default_factory=list)
    has_open_steps: bool = False


def looks_like_story(text: str) -> bool:
    """Return whether a Markdown text is titled as a story and has a section of tasks."""
    lines = [line for _, line in lines_outside_fences(text) if line.startswith("#")]
    tasks = any((found := _SECTION.match(line)) and _TASKS.match(found[1]) for line in lines)
    return tasks and any(_TITLE.match(line) for line in lines)


def names_stories_only(data: dict[str, Any]) -> bool:
    """Return whether this is BMAD's sprint-status.yaml: the state of stories, not what to do."""
    return isinstance(data.get("development_status"), dict)


def parse_stories(stories: Sequence[tuple[str, str]], name: str, title: str) -> Spec:
    """Return one spec of the stories in a folder, by their numbers, each after the one before.

    A story without a task to do is left out with a note. Raises BadSpec or BadGraph with file and line.
    """
    tasks: list[Task] = []
    notes: list[str] = []
    texts: list[str] = []
    seen: dict[str, str] = {}
    for file, text in sorted(stories, key=lambda story: _order(story[1])):
        number = _number(text)
        if number in seen:
            raise BadSpec(f"is story {number}, as {seen[number]} is", file=file, fix="give one of them another number")
        seen[number] = file
        if _is_done(text):
            notes += [f"{file}: every task of story {number} is ticked, so it is left out", *_elsewhere(text)]
            continue
        one = parse_story(text, file)
        assert one.graph is not None
        first, *others = one.graph.tasks
        before = (tasks[-1].id,) if tasks else ()
        tasks += [first.model_copy(update={"depends_on": before}), *others]
        notes += one.notes
        texts.append(text)
    if not tasks:
        fix = "untick or add a task under `## Tasks / Subtasks`: there is nothing to build"
        raise BadSpec("every task of every story is ticked", file=name, fix=fix)
    graph = checked_graph(Graph(tasks=tuple(tasks)), "", name, {})
    return Spec(title=title, source=name, form="bmad", text="\n\n".join(texts), graph=graph, notes=tuple(notes))


def _number(text: str) -> str:
    """Return the number of a story, as its title writes it, in the form of an id."""
    found = next(match for _, line in lines_outside_fences(text) if (match := _TITLE.match(line)))
    return re.sub(r"[^A-Za-z0-9._-]", "-", found[1]).strip("-.") or "story"


def _order(text: str) -> tuple[tuple[int, int, str], ...]:
    parts = re.split(r"[.-]", _number(text))
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)


def _is_done(text: str) -> bool:
    jobs = _read(text)[0]
    return bool(jobs) and not any(job.box.is_open or job.has_open_steps for job in jobs)


def parse_story(text: str, name: str) -> Spec:
    """Return the spec. Raises BadSpec or BadGraph with the line."""
    jobs, criteria, story, title = _read(text)
    open_jobs = [job for job in jobs if job.box.is_open or job.has_open_steps]
    if not open_jobs:
        fix = "untick or add a task under `## Tasks / Subtasks`: there is nothing to build"
        raise BadSpec("every task of the story is ticked", file=name, fix=fix)
    tasks = _tasks(open_jobs, criteria, f"Part of story {story}: {title}")
    numbers = {job.id: job.box.number for job in jobs}
    graph = checked_graph(Graph(tasks=tasks), text, name, numbers)
    notes = notes_on_marks((job.id, job.box) for job in jobs if job.box.is_open or not job.has_open_steps)
    notes += _elsewhere(text)
    shown = f"Story {story}: {title}"[:200]
    return Spec(title=shown, source=name, form="bmad", text=text, graph=graph, notes=tuple(notes))


def _read(text: str) -> tuple[list[_Job], dict[int, str], str, str]:
    """Return the boxes of a story, its criteria by their numbers, its own number and its title."""
    jobs: list[_Job] = []
    criteria: dict[int, str] = {}
    title = story = section = ""
    for number, line in lines_outside_fences(text):
        if not title and (found := _TITLE.match(line)):
            story, title = re.sub(r"[^A-Za-z0-9._-]", "-", found[1]).strip("-.") or "story", found[2].strip()
        elif heading := _SECTION.match(line):
            section = heading[1].lower()
        elif section.startswith("acceptance"):
            if found := _CRITERION.match(line):
                criteria[int(found[1] or len(criteria) + 1)] = found[2]
        elif _TASKS.match(section):
            _read_job(jobs, number, line, story)
    return jobs, criteria, story, title


def _elsewhere(text: str) -> list[str]:
    """Return notes on open boxes that no task has: in other sections of a story, in a fence or in a comment."""
    notes: list[str] = []
    section = ""
    for number, line in lines_outside_fences(text):
        if heading := _SECTION.match(line):
            section = heading[1]
        elif not _TASKS.match(section) and "[" in line and (one := box(number, line)) and one.is_open:
            notes.append(
                f"line {number} is in the section {section or 'before the first'}, so it is not a task: {one.text}"
            )
    return [*notes, *notes_on_hidden(text)]


def _read_job(jobs: list[_Job], number: int, line: str, story: str) -> None:
    one = box(number, line) if "[" in line else None
    if one is not None and (not jobs or one.indent <= jobs[0].box.indent):
        jobs.append(_Job(one, f"{story}.{len(jobs) + 1}"))
    elif jobs and line.strip():
        jobs[-1].steps.append(line.rstrip())
        jobs[-1].has_open_steps |= one is not None and one.is_open


def _tasks(jobs: list[_Job], criteria: dict[int, str], context: str) -> tuple[Task, ...]:
    asked = [{int(one) for found in _NAMES.findall(job.box.text) for one in re.findall(r"\d+", found)} for job in jobs]
    asked[-1] |= criteria.keys() - {one for some in asked for one in some}
    tasks: list[Task] = []
    for job, numbers in zip(jobs, asked, strict=True):
        text = job.box.text
        words = "\n".join((text, *job.steps))
        tasks.append(
            Task(
                id=job.id,
                title=text if len(text) <= 200 else f"{text[:199]}…",
                goal=f"{words}\n\n{context}",
                acceptance=tuple(criteria[one] for one in sorted(numbers) if one in criteria),
                depends_on=(tasks[-1].id,) if tasks else (),
                files_expected=paths_in(words),
            )
        )
    return tuple(tasks)
