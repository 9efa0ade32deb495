"""Reads every spec: recognises its format and calls the parser. Must never ask a model or write.

`.json`, `.yaml` and `.yml` are task lists or interview artifacts; everything else is Markdown, a spec-kit task list or
free text. A text that begins like JSON is JSON, unless its name says something else.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from pydantic import Field

from buildwright.advisors import documents, task_list, task_master
from buildwright.advisors.documents import checked_graph, validate
from buildwright.advisors.spec_kit import lines_outside_fences, looks_like_spec_kit, parse_spec_kit
from buildwright.core.graph import Graph
from buildwright.core.record import Record
from buildwright.core.spec import BuildPlan, ProductDocument, ProjectBrief, Spec
from buildwright.core.task import Task
from buildwright.errors import BadSpec

_MARKDOWN: Final = frozenset({".md", ".markdown", ".txt", ".rst"})
_OURS: Final = frozenset({"goal", "acceptance", "files_expected", "milestone", "critical", "minutes"})
_ARTIFACTS: Final = frozenset({"brief", "build_plan", "product_doc"})


class InterviewSeed(Record):
    """The artifacts of an interview."""

    brief: ProjectBrief
    build_plan: BuildPlan | None = None
    product_doc: ProductDocument | None = None


class SeededRequest(Record):
    """The artifacts as they are sent to start a build."""

    seed: InterviewSeed
    project_id: str = ""


def _parse_interview(data: dict[str, Any], text: str, name: str) -> Spec:
    """Return the spec of an interview. Raises BadSpec with the key."""
    seed = validate(SeededRequest, data, name).seed if "seed" in data else validate(InterviewSeed, data, name)
    return Spec(
        title=seed.brief.title[:200],
        source=name,
        form="interview",
        text=text,
        brief=seed.brief,
        build_plan=seed.build_plan,
        product_doc=seed.product_doc,
    )


class TaskList(Record):
    """Our own task list, whose tasks have the fields of `core.task.Task`."""

    title: str = Field(default="", max_length=200)
    tasks: tuple[Task, ...]
    milestones: tuple[str, ...] = ()
    notes: str = ""


def _parse_own_tasks(data: Any, text: str, name: str, title: str) -> Spec:
    """Return the spec of our own task list. Raises BadSpec or BadGraph with key and line."""
    listed = validate(TaskList, data, name)
    graph = Graph(tasks=listed.tasks, milestones=listed.milestones, notes=listed.notes)
    checked = checked_graph(graph, text, name)
    return Spec(title=listed.title or title, source=name, form="tasks", text=listed.notes, graph=checked)


def read_spec(path: Path, text: str | None = None) -> Spec:
    """Return the spec in a file; `text` is its content if the caller has it already. Raises BadSpec or BadGraph."""
    return parse_spec(documents.read_text(path) if text is None else text, str(path))


def parse_spec(text: str, name: str) -> Spec:
    """Return a spec from text; `name` is its source, and the ending its format. Raises BadSpec or BadGraph."""
    text = documents.check_text(text, name)
    ending = Path(name).suffix.lower()
    title = (Path(name).stem or "spec")[:200]
    if ending == ".json" or (ending not in _MARKDOWN | {".yaml", ".yml"} and text.lstrip()[0] in "{["):
        return _parse_data(documents.load_json(text, name), text, name, title)
    if ending in (".yaml", ".yml") or (ending not in _MARKDOWN and re.search(r"^tasks:\s*$", text, re.MULTILINE)):
        return _parse_data(documents.load_yaml(text, name), text, name, title)
    title = _first_heading(text) or title
    if looks_like_spec_kit(text):
        return parse_spec_kit(text, name, title)
    return Spec(title=title, source=name, form="markdown", text=text)


def _parse_data(data: Any, text: str, name: str, title: str) -> Spec:
    if isinstance(data, list):
        ours = any(isinstance(item, dict) and item.keys() & _OURS for item in data)
        parse = _parse_own_tasks if ours else task_list.parse_task_list
        return parse({"tasks": data}, text, name, title)
    if not isinstance(data, dict):
        fix = "write an object with a list `tasks`"
        raise BadSpec("is neither a task list nor the artifacts of an interview", file=name, fix=fix)
    if "tasks" not in data:
        if _ARTIFACTS & data.keys() or "seed" in data:
            return _parse_interview(data, text, name)
        if task_master.has_tags(data):
            return task_master.parse_task_master(data, text, name, title)
    if "task_list" in data:
        return task_list.parse_task_list(data, text, name, title)
    tasks = data.get("tasks")
    items = [item for item in tasks if isinstance(item, dict)] if isinstance(tasks, list) else []
    keys = {key for item in items for key in item}
    # A key that only our format has decides, so that a stray key of another format is reported, not followed.
    if not keys & _OURS:
        if _is_task_master(keys, items):
            return task_master.parse_task_master(data, text, name, title)
        if keys & task_list.MARKS:
            return task_list.parse_task_list(data, text, name, title)
    return _parse_own_tasks(data, text, name, title)


def _is_task_master(keys: set[str], items: list[dict[str, Any]]) -> bool:
    numbered = all(re.fullmatch(r"[\d.]+", str(item.get("id"))) for item in items)
    if not items or not numbered or "depends_on" in keys:
        return False
    unlike = keys & (task_list.MARKS - {"status"})
    return bool(keys & task_master.MARKS) and not unlike


def _first_heading(text: str) -> str:
    lines = [line for _, line in lines_outside_fences(text)]
    if lines and lines[0].strip() == "---" and "---" in (line.strip() for line in lines[1:]):
        lines = lines[[line.strip() for line in lines[1:]].index("---") + 2 :]
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if found := re.match(r" {0,3}#{1,6}\s+(.*?)\s*#*\s*$", line):
            heading = found[1]
        elif line.strip() and re.fullmatch(r" {0,3}(=+|-{2,})\s*", below):
            heading = line.strip()
        else:
            continue
        if heading:
            return heading[:200]
    return ""
