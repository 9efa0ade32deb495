"""One description of a change; from it come the task list, the cassette and the orders of the shell agent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

LANE = "${LANE}"


@dataclass(frozen=True)
class Edit:
    """Whole lines that occur once in a file, and the lines to put there. Neither ends with a line end."""

    path: str
    old: str
    new: str


def before(path: str, line: str, new: str) -> Edit:
    """Put `new` and two empty lines in front of a line."""
    return Edit(path, line, f"{new.strip()}\n\n\n{line}")


def below(path: str, line: str, new: str) -> Edit:
    """Put `new` right below a line."""
    return Edit(path, line, f"{line}\n{new}")


@dataclass(frozen=True)
class Change:
    """What one task does to the project."""

    id: str
    title: str
    goal: str
    edits: tuple[Edit, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    """New files, whole."""
    needs: tuple[str, ...] = ()
    tests: int = 0
    """Tests that it adds to the project's suite."""
    first: tuple[Edit, ...] | None = None
    """What the first attempt does instead of `edits`; the project's own suite refuses it."""
    mend: tuple[Edit, ...] = ()
    """What makes `edits` out of `first`."""
    clash: str = ""
    """The task that changes the same lines from the same start: whoever is second meets a conflict."""
    second: tuple[Edit, ...] = ()
    """`edits` for a tree that has the other's change already."""
    claims: tuple[str, ...] = ()
    """More files that the task says it will change, beside its new ones."""


def edited(tree: Mapping[str, str], edits: Iterable[Edit]) -> dict[str, str]:
    """The files of the tree after the edits. Raises ValueError where the old lines do not occur exactly once."""
    after = dict(tree)
    for edit in edits:
        text = after[edit.path]
        if text.count(f"{edit.old}\n") != 1:
            raise ValueError(f"{edit.path} does not have these lines once:\n{edit.old}")
        after[edit.path] = text.replace(f"{edit.old}\n", f"{edit.new}\n")
    return after


def planned(base: Mapping[str, str], changes: Sequence[Change]) -> dict[str, str]:
    """The files after all changes, one after the other."""
    tree = dict(base)
    done: set[str] = set()
    for change in changes:
        assert done.issuperset(change.needs), change.id
        wrong = edited(tree, change.first) if change.first is not None else None
        tree = edited(tree, change.second if change.clash in done else change.edits)
        if wrong is not None:
            assert edited(wrong, change.mend) == tree, change.id
        assert not tree.keys() & change.files.keys(), change.id
        tree |= change.files
        done.add(change.id)
    return tree


def task_list(title: str, changes: Sequence[Change]) -> dict[str, Any]:
    """The document that is given to `build`. Files that several tasks edit are claimed by none: git merges them."""
    return {
        "title": title,
        "tasks": [
            {
                "id": change.id,
                "title": change.title,
                "goal": change.goal,
                "depends_on": change.needs,
                "files_expected": [*change.files, *change.claims],
                # Both sides of a conflict begin at once, before all others, so that neither starts from the other.
                "minutes": 60 if change.clash else 1,
            }
            for change in changes
        ],
    }


def orders(changes: Sequence[Change]) -> dict[str, Any]:
    """What `agent.py` does for each task."""

    def lines(edits: Iterable[Edit]) -> list[list[str]]:
        return [[edit.path, edit.old, edit.new] for edit in edits]

    return {
        change.id: {
            "title": change.title,
            "files": dict(change.files),
            "edits": lines(change.edits),
            "first": None if change.first is None else lines(change.first),
            "second": lines(change.second),
        }
        for change in changes
    }


def cassette(title: str, base: Mapping[str, str], changes: Sequence[Change]) -> dict[str, Any]:
    """The model's side. New files alone are one entry for every client; edits are words for one, tool calls for the other."""
    by_id = {change.id: change for change in changes}
    turns: list[dict[str, Any]] = []
    for change in changes:
        if change.clash:
            turns.append(_resolution(base, change, by_id[change.clash]))
        if change.first is not None:
            turns += _said(
                {"task": change.id, "contains": "judged and rejected"}, replace(change, files={}), change.mend
            )
            turns += _said({"task": change.id}, change, change.first)
        else:
            turns += _said({"task": change.id}, change, change.edits)
    return {"version": 1, "description": title, "model": "claude-sonnet-5-5", "turns": turns}


def _resolution(base: Mapping[str, str], change: Change, other: Change) -> dict[str, Any]:
    shared = {edit.path for edit in change.edits} & {edit.path for edit in other.edits}
    both = edited(edited(base, _within(other.edits, shared)), _within(change.second, shared))
    torn = {path: both[path] for path in sorted(shared) if _same_lines(change, other, path)}
    return {
        "when": {"task": change.id, "contains": "Files in conflict"},
        "reply": {"say": "I keep both sides.", "files": torn},
    }


def _within(edits: Iterable[Edit], paths: set[str]) -> list[Edit]:
    return [edit for edit in edits if edit.path in paths]


def _same_lines(change: Change, other: Change, path: str) -> bool:
    mine = {edit.old for edit in change.edits if edit.path == path}
    return bool(mine & {edit.old for edit in other.edits if edit.path == path})


def _said(when: dict[str, Any], change: Change, edits: Sequence[Edit]) -> list[dict[str, Any]]:
    say = f"{change.title}: {change.goal}"
    if not edits:
        return [{"when": when, "reply": {"say": say, "files": dict(change.files)}}]
    tools = when | {"tool": "Edit"}
    reads = [_call("Read", path) for path in dict.fromkeys(edit.path for edit in edits)]
    calls = [_call("Edit", edit.path, old_string=edit.old, new_string=edit.new) for edit in edits]
    calls += [_call("Write", path, content=content) for path, content in change.files.items()]
    return [
        {"when": tools | {"turn": 0}, "reply": {"say": say, "tools": reads}},
        {"when": tools | {"turn": 1}, "reply": {"tools": calls}},
        {"when": tools, "reply": {"text": "Done."}},
        {"when": when, "reply": {"text": f"{say}\n{_blocks(change, edits)}"}},
    ]


def _call(name: str, path: str, **more: str) -> dict[str, Any]:
    return {"name": name, "input": {"file_path": f"{LANE}/{path}", **more}}


def _blocks(change: Change, edits: Sequence[Edit]) -> str:
    said: list[str] = []
    for path in dict.fromkeys(edit.path for edit in edits):
        parts = [
            f"<<<<<<< SEARCH\n{edit.old}\n=======\n{edit.new}\n>>>>>>> REPLACE" for edit in edits if edit.path == path
        ]
        said += [f"=== EDIT: {path} ===", *parts, "=== END EDIT ==="]
    for path, content in change.files.items():
        said.append(f"=== FILE: {path} ===\n{content}=== END FILE ===")
    return "\n".join(said) + "\n"
