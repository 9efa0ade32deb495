"""Reads beads' `issues.jsonl`: one JSON object a line. Must never do I/O.

Source of the format: exports of beads 1.x. `blocks` dependencies give the order; the other end of one is `issue_id`.
An epic with open parts is replaced by them. Closed and deferred issues are left out and named, and so is what an export
holds beside work: memories, its header, messages, templates.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from buildwright.advisors.checklist import named
from buildwright.advisors.dependencies import under_one_key
from buildwright.advisors.documents import checked_graph, load_json, validate
from buildwright.advisors.paths import paths_in
from buildwright.core.graph import Graph
from buildwright.core.record import TaskId
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.errors import BadGraph, BadSpec

_ORDERS: Final = frozenset({"blocks", "conditional-blocks", "waits-for"})
_IS_PART: Final = "parent-child"
_ENDED: Final = frozenset({"closed", "tombstone"})
_PUT_OFF: Final = frozenset({"deferred", "pinned", "hooked"})
_AT_WORK: Final = frozenset({"open", "in_progress", "blocked", "review"})
_NO_WORK: Final = frozenset({"message", "event", "gate", "agent", "role", "rig", "convoy", "slot"})
"""Types of issues by which programs talk to each other."""
_ELSEWHERE: Final = "external:"
"""How a dependency on another project begins: `external:PROJECT:CAPABILITY`."""
_HIGHEST: Final = 4


class Link(BaseModel):
    """A dependency: `issue_id` depends on `depends_on_id`, in the way that `type` says."""

    model_config = ConfigDict(extra="ignore")

    depends_on_id: TaskId | Annotated[str, Field(pattern=rf"^{_ELSEWHERE}\S{{1,200}}$")]
    type: str = "blocks"

    @property
    def is_here(self) -> bool:
        return not self.depends_on_id.startswith(_ELSEWHERE)

    @model_validator(mode="before")
    @classmethod
    def _id_alone_blocks(cls, value: Any) -> Any:
        return {"depends_on_id": value} if isinstance(value, str) else value


class Comment(BaseModel):
    """What a person added to an issue later."""

    model_config = ConfigDict(extra="ignore")

    author: str = ""
    text: str = ""


class Issue(BaseModel):
    """An issue of beads."""

    model_config = ConfigDict(extra="ignore")

    id: TaskId
    title: str = Field(min_length=1)
    description: str = ""
    design: str = ""
    notes: str = ""
    acceptance_criteria: str = ""
    status: str = "open"
    priority: int = Field(default=2, ge=0, le=_HIGHEST)
    issue_type: str = "task"
    ephemeral: bool = False
    is_template: bool = False
    dependencies: tuple[Link, ...] = ()
    comments: tuple[Comment, ...] = ()

    @field_validator("description", "design", "notes", "acceptance_criteria", mode="before")
    @classmethod
    def _none_is_empty(cls, value: Any) -> Any:
        return "" if value is None else value

    @field_validator("dependencies", "comments", mode="before")
    @classmethod
    def _none_are_none(cls, value: Any) -> Any:
        return () if value is None else value

    @property
    def is_open(self) -> bool:
        return self.status not in _ENDED | _PUT_OFF and not self.no_work

    @property
    def no_work(self) -> str:
        """Why it is nothing to build, whatever its status; "" for work."""
        if self.issue_type in _NO_WORK:
            return f"of the type {self.issue_type!r}, which is not work"
        return "a template" if self.is_template else "kept for a moment only (ephemeral)" if self.ephemeral else ""


_KEYS: Final = frozenset(Issue.model_fields) - {"dependencies"}


def load_lines(text: str, name: str) -> list[tuple[int, Any]]:
    """Return the JSON values of a JSON Lines text with their lines. Raises BadSpec with the line."""
    values: list[tuple[int, Any]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                values.append((number, load_json(line, name)))
            except BadSpec as bad:
                raise BadSpec(bad.message, file=name, line=number, key=bad.key, fix=bad.fix) from bad
    return values


def are_issues(values: list[tuple[int, Any]]) -> bool:
    """Return whether these are issues of beads, not tasks of another list."""
    issues = [value for _, value in values if isinstance(value, dict)]
    return len(issues) == len(values) and any("issue_type" in value for value in issues)


def _of_another_kind(value: Any) -> str:
    """Return what a line is that is no issue, such as a memory; "" for an issue."""
    kind = value.get("_type", "issue") if isinstance(value, dict) else "issue"
    return "" if kind == "issue" else str(kind)[:40]


def parse_issues(values: list[tuple[int, Any]], text: str, name: str, title: str) -> Spec:
    """Return the spec. Raises BadSpec or BadGraph with the line."""
    issues: dict[str, Issue] = {}
    lines: dict[str, int] = {}
    others: dict[str, list[str]] = {}
    for number, value in values:
        if kind := _of_another_kind(value):
            others.setdefault(kind, []).append(str(number))
            continue
        try:
            issue = validate(Issue, under_one_key([value], "dependencies", _KEYS, name, ())[0], name)
        except BadSpec as bad:
            raise BadSpec(bad.message, file=name, line=number, key=bad.key, fix=bad.fix) from bad
        if issue.id in issues:
            message = f"this id is used twice; first in line {lines[issue.id]}"
            raise BadGraph(message, file=name, line=number, key=issue.id, fix="remove one of the two lines")
        issues[issue.id], lines[issue.id] = issue, number
    reader = _Issues(issues, lines, name)
    tasks = tuple(reader.task(issue) for issue in issues.values() if reader.is_task(issue))
    if not tasks:
        raise BadSpec("every issue is closed or deferred", file=name, fix="open an issue: there is nothing to build")
    graph = checked_graph(Graph(tasks=tasks), text, name, lines)
    notes = [f"no issue but of the type {kind!r}, so left out: line {named(found)}" for kind, found in others.items()]
    return Spec(title=title, source=name, form="beads", graph=graph, notes=(*notes, *reader.notes()))


class _Issues:
    """All issues of a file, and the parts of each epic."""

    def __init__(self, issues: dict[str, Issue], lines: dict[str, int], name: str) -> None:
        self._issues = issues
        self._lines = lines
        self._name = name
        self._parts: dict[str, list[str]] = {}
        self._whole: dict[str, str] = {}
        for issue in issues.values():
            for link in issue.dependencies:
                if link.is_here and link.type in _ORDERS | {_IS_PART}:
                    self._find(issue, link.depends_on_id)
                if link.type == _IS_PART and issue.is_open:
                    self._parts.setdefault(link.depends_on_id, []).append(issue.id)
                    self._whole[issue.id] = link.depends_on_id

    def _find(self, issue: Issue, other: str) -> Issue:
        if other not in self._issues:
            raise BadGraph(
                f"depends on {other}, which is not in the file",
                file=self._name,
                line=self._lines[issue.id],
                key=issue.id,
                fix=f"export {other} as well, or remove the dependency of {issue.id}",
            )
        return self._issues[other]

    def is_task(self, issue: Issue) -> bool:
        """Return whether the issue becomes a task: it is open and has no open parts."""
        return issue.is_open and issue.id not in self._parts

    def task(self, issue: Issue) -> Task:
        """Return the issue as a task; it waits for what its epic waits for, too."""
        needed: list[str] = []
        context: list[str] = []
        one: Issue | None = issue
        seen: set[str] = set()
        while one is not None and one.id not in seen:
            seen.add(one.id)
            if one is not issue:
                context.append(f"Part of: {one.title}\n{one.description}".strip())
            for link in one.dependencies:
                if link.type in _ORDERS and link.is_here:
                    needed += self._stands_for(link.depends_on_id, frozenset())
            one = self._issues.get(self._whole.get(one.id, ""))
        said = "\n".join(f"- {one.author}: {one.text}".replace("- : ", "- ") for one in issue.comments if one.text)
        comments = f"Comments:\n{said}" if said else ""
        words = "\n\n".join(part for part in (issue.description, issue.design, issue.notes, comments) if part)
        return Task(
            id=issue.id,
            title=issue.title[:200],
            goal="\n\n".join((words or issue.title, *context)),
            acceptance=tuple(filter(None, (line.strip() for line in issue.acceptance_criteria.splitlines()))),
            depends_on=tuple(one for one in dict.fromkeys(needed)),
            files_expected=paths_in(f"{issue.title}\n{words}", quoted_only=True),
            priority=_HIGHEST - issue.priority,
        )

    def _stands_for(self, one: str, above: frozenset[str]) -> list[str]:
        """Return the tasks that stand for an issue: itself, its open parts, or none when it is left out."""
        if one in above:
            raise BadGraph("is a part of itself", file=self._name, line=self._lines[one], key=one, fix="fix its parent")
        if one in self._parts:
            return [task for part in self._parts[one] for task in self._stands_for(part, above | {one})]
        return [one] if self._issues[one].is_open else []

    def notes(self) -> list[str]:
        """Return what became no task, and links that give no order."""
        kinds: dict[str, list[str]] = {}
        for issue in self._issues.values():
            if issue.no_work:
                kinds.setdefault(f"{issue.no_work}, so left out", []).append(issue.id)
            elif issue.status in _ENDED | _PUT_OFF:
                kinds.setdefault(f"{issue.status}, so left out", []).append(issue.id)
            elif issue.status not in _AT_WORK and issue.id not in self._parts:
                told = f"the status {issue.status!r} does not say that it is over: built like any other"
                kinds.setdefault(told, []).append(issue.id)
            elif issue.id in self._parts:
                kinds.setdefault("built by its parts", []).append(issue.id)
            for link in issue.dependencies:
                if not link.is_here and issue.is_open:
                    kinds.setdefault(f"needs {link.depends_on_id}: not waited for", []).append(issue.id)
                elif link.type not in _ORDERS | {_IS_PART} and issue.is_open:
                    told = f"linked by {link.type!r}, which gives no order"
                    kinds.setdefault(told, []).append(issue.id)
        return [f"{named(ids)}: {said}" for said, ids in kinds.items()]
