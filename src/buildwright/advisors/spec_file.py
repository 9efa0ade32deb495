"""Reads every spec: recognises its format and calls the parser. Must never ask a model or write.

`.json`, `.yaml` and `.yml` are task lists or interview artifacts, `.jsonl` issues or tasks line by line; everything else
is Markdown: a task list of spec-kit, OpenSpec, Kiro, BMAD or Backlog.md, or free text. A text that begins like JSON is
JSON, unless its name says something else.

A task whose line says of one quoted command that it passes, or that it is run to verify something ("Verify that
`pytest tests/a` passes"), states a proof; nothing else does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from pydantic import Field

from buildwright.advisors import documents, plan_file, task_list, task_master
from buildwright.advisors.backlog import looks_like_backlog, parse_backlog
from buildwright.advisors.checklist import lines_outside_fences, named
from buildwright.advisors.documents import checked_graph, validate
from buildwright.advisors.features import features_in, is_feature
from buildwright.advisors.issue_lines import are_issues, load_lines, parse_issues
from buildwright.advisors.numbered_list import looks_numbered, parse_numbered_list
from buildwright.advisors.spec_kit import looks_like_spec_kit, parse_spec_kit
from buildwright.advisors.story import looks_like_story, names_stories_only, parse_stories, parse_story
from buildwright.core.graph import Graph
from buildwright.core.proof import can_fail
from buildwright.core.record import Record
from buildwright.core.spec import BuildPlan, Feature, ProductDocument, ProjectBrief, Spec
from buildwright.core.task import Task, Validation
from buildwright.errors import BadSpec

_MARKDOWN: Final = frozenset({".md", ".markdown", ".txt", ".rst"})
_JSON_LINES: Final = frozenset({".jsonl", ".ndjson"})
_MOST_FILES: Final = 10_000
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
    listed = [*(seed.product_doc or ProductDocument()).features, *(seed.build_plan or BuildPlan()).features]
    features = {one.name.casefold(): Feature(name=one.name[:200], text=one.description) for one in reversed(listed)}
    return Spec(
        title=seed.brief.title[:200],
        source=name,
        form="interview",
        text=text,
        brief=seed.brief,
        build_plan=seed.build_plan,
        product_doc=seed.product_doc,
        features=tuple(reversed(features.values())),
    )


class TaskList(Record):
    """Our own task list, whose tasks have the fields of `core.task.Task`."""

    title: str = Field(default="", max_length=200)
    tasks: tuple[Task, ...]
    milestones: tuple[str, ...] = ()
    notes: str = ""
    spec: str = ""
    """The text that the list was planned from, for agents to read; they read the notes without it."""


def _parse_own_tasks(data: Any, text: str, name: str, title: str) -> Spec:
    """Return the spec of our own task list. Raises BadSpec or BadGraph with key and line."""
    listed = validate(TaskList, data, name)
    graph = Graph(tasks=listed.tasks, milestones=listed.milestones, notes=listed.notes)
    checked = checked_graph(graph, text, name)
    return Spec(title=listed.title or title, source=name, form="tasks", text=listed.spec or listed.notes, graph=checked)


def read_spec(path: Path, text: str | None = None, tag: str = "") -> Spec:
    """Return the spec in a file, or in a folder of Backlog.md's task files or BMAD's stories. Raises BadSpec or BadGraph.

    `text` is the file's content if the caller has it already; `tag` chooses one of the lists in a task-master file.
    """
    if text is None and os.path.isdir(path):  # noqa: PTH112  False, too, for a name that no file can have
        return _read_folder(path)
    return parse_spec(documents.read_text(path) if text is None else text, str(path), tag)


def _read_folder(folder: Path) -> Spec:
    paths = sorted(folder.glob("*.md"))
    if len(paths) > _MOST_FILES:
        raise BadSpec(f"has more than {_MOST_FILES} files", file=str(folder), fix="name a folder with fewer")
    read = [(str(file), documents.read_text(file)) for file in paths]
    title = (folder.absolute().name or "tasks")[:200]
    if files := [(name, text) for name, text in read if looks_like_backlog(text)]:
        spec, are = parse_backlog(files, str(folder), title), "task files (id, title and status in front)"
    elif files := [(name, text) for name, text in read if looks_like_story(text)]:
        spec, are = parse_stories(files, str(folder), title), "stories (`# Story 1.2: Title`)"
    elif any((folder / "tasks").glob("*.md")):  # the folder of Backlog.md itself
        spec = _read_folder(folder / "tasks")
        return spec.model_copy(update={"notes": (*spec.notes, *_folders_left_out(folder, "tasks"))})
    else:
        message = "this is a directory without task files of Backlog.md or stories of BMAD"
        raise BadSpec(message, file=str(folder), fix="name a file in it")
    notes = list(spec.notes)
    tasks = {name for name, _ in files}
    if others := [Path(name).name for name, _ in read if name not in tasks]:
        notes.append(f"{named(others)}: no {are}, so left out")
    notes += _folders_left_out(folder)
    return with_stated_proofs(spec.model_copy(update={"notes": tuple(notes)}))


def _folders_left_out(folder: Path, read: str = "") -> list[str]:
    """Return a note that names the folders inside that have Markdown, beside the one that was read; none without any."""
    inside = [one for one in sorted(folder.iterdir()) if one.is_dir() and one.name != read and any(one.rglob("*.md"))]
    names = named([f"{one.name}/" for one in inside])
    return [f"{names}: folders inside are not read; name one to build what it has"] if inside else []


def parse_spec(text: str, name: str, tag: str = "") -> Spec:
    """Return a spec from text; `name` is its source, and the ending its format. Raises BadSpec or BadGraph."""
    text = documents.check_text(text, name)
    spec = _parse(text, name, tag)
    if spec.form != "tasks":  # our own lists have a key for it
        spec = with_stated_proofs(spec)
    if tag and spec.form != "task-master":
        raise BadSpec("has no tags: only lists of task-master have", file=name, fix="leave out --tag")
    return spec


_IN_A_FENCE: Final = re.compile(
    r"(\s*)(`{3,}|~{3,})[ \t]*(?:markdown|md)?[ \t]*\r?\n(.*\n)\2\s*", re.DOTALL | re.IGNORECASE
)


def _without_fence(text: str) -> str:
    """Return a Markdown text that stands as a whole in one fence, as models answer, without it; else the text itself.

    Its lines keep their numbers.
    """
    found = _IN_A_FENCE.fullmatch(text)
    if found is None or re.search(rf"^{re.escape(found[2])}\s*$", found[3], re.MULTILINE):
        return text
    return f"{found[1]}\n{found[3]}"


def _parse(text: str, name: str, tag: str) -> Spec:
    ending = Path(name).suffix.lower()
    title = (Path(name).stem or "spec")[:200]
    if ending in _JSON_LINES:
        return _parse_lines(text, name, title)
    if ending == ".json" or (ending not in _MARKDOWN | {".yaml", ".yml"} and text.lstrip()[0] in "{["):
        return _parse_data(documents.load_json(text, name), text, name, title, tag)
    if ending in (".yaml", ".yml") or (ending not in _MARKDOWN and re.search(r"^tasks:\s*$", text, re.MULTILINE)):
        return _parse_data(documents.load_yaml(text, name), text, name, title, tag)
    text = _without_fence(text)
    if looks_like_backlog(text):
        return parse_backlog([(name, text)], name, title)
    if looks_like_story(text):
        return parse_story(text, name)
    stem, title = title, _first_heading(text) or title
    if looks_like_spec_kit(text):
        return parse_spec_kit(text, name, title)
    if looks_numbered(text):
        return parse_numbered_list(text, name, _named_by_folder(title, Path(name)))
    features = features_in(text)
    if is_feature(title):
        title = features[0].name if len(features) == 1 else stem
    return Spec(title=title, source=name, form="markdown", text=text, features=features)


def _named_by_folder(title: str, path: Path) -> str:
    """Return the title of a list of OpenSpec or Kiro: the folder of `tasks.md` names the change, the list itself only
    its first section or "Implementation Plan"."""
    says_nothing = re.match(r"\d+[.)]|(?:implementation plan|implementation tasks|tasks)$", title, re.IGNORECASE)
    return path.parent.name[:200] if path.name == "tasks.md" and says_nothing and path.parent.name else title


def _parse_lines(text: str, name: str, title: str) -> Spec:
    values = load_lines(text, name)
    if are_issues(values):
        return parse_issues(values, text, name, title)
    return _parse_data([value for _, value in values], text, name, title, "")


def _parse_data(data: Any, text: str, name: str, title: str, tag: str) -> Spec:
    if isinstance(data, list):
        ours = any(isinstance(item, dict) and item.keys() & _OURS for item in data)
        data = {"tasks": data}
        return _parse_own_tasks(data, text, name, title) if ours else _parse_foreign(data, text, name, title, tag)
    if not isinstance(data, dict):
        fix = "write an object with a list `tasks`"
        raise BadSpec("is neither a task list nor the artifacts of an interview", file=name, fix=fix)
    if "tasks" not in data:
        if _ARTIFACTS & data.keys() or "seed" in data:
            return _parse_interview(data, text, name)
        if names_stories_only(data):
            message = "is BMAD's sprint status: it says how far stories are, not what to do"
            raise BadSpec(message, file=name, fix="give the file of a story, such as 1-2-title.md")
        if task_master.has_tags(data):
            return task_master.parse_task_master(data, text, name, title, tag)
    if plan_file.is_shown_plan(data):
        return _parse_own_tasks(plan_file.as_task_list(data), text, name, title)
    if "task_list" in data:
        return task_list.parse_task_list(data, text, name, title)
    tasks = data.get("tasks")
    items = [item for item in tasks if isinstance(item, dict)] if isinstance(tasks, list) else []
    keys = {key for item in items for key in item}
    # A key that only our format has decides, so that a stray key of another format is reported, not followed.
    if not keys & _OURS and (_is_task_master(keys, items) or keys & task_list.MARKS):
        return _parse_foreign(data, text, name, title, tag)
    return _parse_own_tasks(data, text, name, title)


def _parse_foreign(data: dict[str, Any], text: str, name: str, title: str, tag: str) -> Spec:
    """Return the spec of a list with keys of others: by those that only one of them has."""
    items = [item for item in data["tasks"] if isinstance(item, dict)]
    if _is_task_master({key for item in items for key in item}, items):
        return task_master.parse_task_master(data, text, name, title, tag)
    return task_list.parse_task_list(data, text, name, title)


def _is_task_master(keys: set[str], items: list[dict[str, Any]]) -> bool:
    """Return whether tasks have the keys of task-master; words as ids need a key that our own tasks cannot have."""
    if keys & (task_list.MARKS - {"status"}) or "depends_on" in keys or not keys & task_master.MARKS:
        return False
    numbered = all(re.fullmatch(r"[\d.]+", str(item.get("id"))) for item in items)
    return bool(items) and (numbered or bool(keys & {"status", "subtasks", "testStrategy"}))


def _first_heading(text: str) -> str:
    lines = [line for _, line in lines_outside_fences(text)]
    if lines and lines[0].strip() == "---" and "---" in (line.strip() for line in lines[1:]):
        lines = lines[[line.strip() for line in lines[1:]].index("---") + 2 :]
    for line, below in pairwise([*lines, ""]):
        if found := re.match(r" {0,3}#{1,6}\s+(.*?)\s*#*\s*$", line):
            heading = found[1]
        elif line.strip() and re.fullmatch(r" {0,3}(=+|-{2,})\s*", below):
            heading = line.strip()
        else:
            continue
        if heading:
            return heading[:200]
    return ""


_VERIFY = r"(?:verify|check|confirm|ensure|validate|make sure)"
_QUOTED = r"`(?P<command>[^`\n]+)`"
_PASSES = r"(?:still )?(?:passes|succeeds|is green|exits (?:with )?(?:code |status )?(?:0|zero))"
_STATED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:{_VERIFY}(?: that)? )?{_QUOTED} {_PASSES}",
        rf"(?:run|execute) {_QUOTED},? (?:and|to) {_VERIFY}\b[^`]*",
        rf"{_VERIFY}(?: with| by running)?:? {_QUOTED}",
    )
)
_MARKS = " \t.:;*-"
_AGENT = re.compile(r"\s*\(agent: *(?P<name>[a-z][a-z0-9_-]*)\)[ .]*$")


def with_stated_proofs(spec: Spec) -> Spec:
    """Return the spec with what its tasks state: a validation in the title or acceptance lines, an agent in the title.

    What was found is told in the spec's notes.
    """
    if spec.graph is None:
        return spec
    tasks, notes = [], []
    for given in spec.graph.tasks:
        task = given
        if (named := _AGENT.search(task.title)) and task.title[: named.start()].strip():
            task = task.model_copy(update={"agent": named["name"], "title": task.title[: named.start()]})
            notes.append(f"{task.id}: made by the agent {task.agent}, as the list says")
        commands = list(dict.fromkeys(_stated(task))) if task.validation is None else []
        if commands:
            command = " && ".join(commands)
            task = task.model_copy(update={"validation": Validation(command=command)})
            notes.append(
                f"{task.id}: `{command}` must pass, as the list says, and proves it if nothing is to be changed"
            )
        tasks.append(task)
    if not notes:
        return spec
    graph = spec.graph.model_copy(update={"tasks": tuple(tasks)})
    return spec.model_copy(update={"graph": graph, "notes": (*spec.notes, *notes)})


def _stated(task: Task) -> Iterator[str]:
    for line in (task.title, *task.acceptance):
        said = line.strip(_MARKS)
        found = next(filter(None, (pattern.fullmatch(said) for pattern in _STATED)), None)
        if found and can_fail(command := found["command"].strip()):
            yield command
