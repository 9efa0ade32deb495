"""A shown plan as a task list, to keep, edit and build exactly. Must never ask a model or write a file."""

from __future__ import annotations

from typing import Any, Final

from buildwright.core.task import Task

_DERIVED: Final = frozenset(
    {
        "schema",
        "waves",
        "critical_path",
        "minutes",
        "total_minutes",
        "widest",
        "checks",
        "warnings",
        "features",
        "spec_notes",
        "estimate",
    }
)
"""What a plan shows that follows from its tasks, or from the repository: no key of a task list."""
_DERIVED_OF_TASK: Final = frozenset({"wave", "on_critical_path", "complexity"})
_ALWAYS: Final = ("id", "title", "goal", "depends_on", "files_expected", "acceptance")
"""Keys that every task has in the file, so that the reader sees where to write."""


def is_shown_plan(data: dict[str, Any]) -> bool:
    """Return whether a document is what `plan --json` prints, or the answer of a server about a plan."""
    return {"tasks", "waves", "critical_path"} <= data.keys()


def as_task_list(shown: dict[str, Any]) -> dict[str, Any]:
    """Return a shown plan as a task list of our own form. Unknown keys stay, for the reader of the list to refuse."""
    listed = {key: value for key, value in shown.items() if key not in _DERIVED}
    tasks = shown.get("tasks")
    if isinstance(tasks, list):
        listed["tasks"] = [_as_task(task) if isinstance(task, dict) else task for task in tasks]
    return listed


def _as_task(shown: dict[str, Any]) -> dict[str, Any]:
    names = {"files": "files_expected"}
    return {names.get(key, key): value for key, value in shown.items() if key not in _DERIVED_OF_TASK}


def plan_list(shown: dict[str, Any], spec: str = "") -> dict[str, Any]:
    """Return a shown plan as the task list that `plan_text` writes."""
    listed = as_task_list(shown)
    tasks = [Task.model_validate(task) for task in listed["tasks"]]
    document: dict[str, Any] = {"title": listed["title"]}
    document |= {key: listed[key] for key in ("milestones", "notes") if listed.get(key)}
    document["tasks"] = [_written(task) for task in tasks]
    if spec:
        document["spec"] = spec
    return document


def plan_text(shown: dict[str, Any], spec: str = "") -> str:
    """Return a shown plan as YAML. `spec` is the text that it was made from, which agents read beside their task."""
    import yaml

    document = plan_list(shown, spec)
    head = ["# A plan: change what you like, then build exactly this with `buildwright build FILE`."]
    head += [f"# Each change is judged by: {' '.join(check.split())}" for check in shown.get("checks", ())]
    head += [f"# Note on the spec: {' '.join(note.split())}" for note in shown.get("spec_notes", ())]
    body: str = yaml.dump(document, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=120)
    return "\n".join([*head, body])


def _written(task: Task) -> dict[str, Any]:
    whole = task.model_dump(mode="json")
    return {key: whole[key] for key in _ALWAYS} | {
        key: value for key, value in task.model_dump(mode="json", exclude_defaults=True).items() if key not in _ALWAYS
    }


def _dumper() -> Any:
    """Return a dumper without aliases, which the reader refuses, and with long texts as blocks, for people to edit."""
    import yaml

    class _PlanDumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
            return True

    def text(dumper: Any, value: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    _PlanDumper.add_representer(str, text)
    return _PlanDumper
