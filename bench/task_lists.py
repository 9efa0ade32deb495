"""How long a large task list takes to be read and checked, in ratio to the plain reading of the same file as JSON.

python -m bench.task_lists

Lists of 10,000 tasks and 5 MB in four forms, made in memory; each is read several times and the best time counts, in
seconds of the processor, so that other programs of the machine change little. The limit of 1.5 s is for all forms.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from bench.machine import load
from buildwright.advisors.spec_file import parse_spec
from buildwright.views.overview import plan_view

TASKS = 10_000
BYTES = 5_000_000
LIMIT = 1.5
"""Seconds that a list may take."""
ROUNDS = 3


def _tasks(words: str) -> Iterator[dict[str, Any]]:
    """Yield tasks in chains of ten, each with a file of its own and some words."""
    for number in range(1, TASKS + 1):
        needs = [number - 1] if number % 10 != 1 else []
        yield {"number": number, "needs": needs, "file": f"src/part{number % 500}/file{number}.py", "words": words}


def _own(words: str) -> str:
    tasks = [
        {
            "id": f"t{task['number']}",
            "title": f"Task {task['number']}",
            "goal": f"{words} in `{task['file']}`",
            "depends_on": [f"t{number}" for number in task["needs"]],
            "files_expected": [task["file"]],
        }
        for task in _tasks(words)
    ]
    return json.dumps({"title": "Large", "tasks": tasks}, indent=1)


def _task_master(words: str) -> str:
    tasks = [
        {
            "id": task["number"],
            "title": f"Task {task['number']}",
            "description": f"{words} in `{task['file']}`",
            "status": "pending",
            "dependencies": task["needs"],
            "testStrategy": "run it",
            "subtasks": [],
        }
        for task in _tasks(words)
    ]
    return json.dumps({"master": {"tasks": tasks, "metadata": {}}}, indent=1)


def _spec_kit(words: str) -> str:
    lines = []
    for task in _tasks(words):
        if task["number"] % 100 == 1:
            lines.append(f"\n## Phase {task['number'] // 100 + 1}: Part\n\n")
        lines.append(f"- [ ] T{task['number']:05d} {words} in {task['file']}\n")
    return "# Tasks: Large\n" + "".join(lines)


def _beads(words: str) -> str:
    return "".join(
        json.dumps(
            {
                "id": f"bd-{task['number']}",
                "title": f"Task {task['number']}",
                "description": f"{words} in `{task['file']}`",
                "status": "open",
                "issue_type": "task",
                "dependencies": [{"depends_on_id": f"bd-{number}", "type": "blocks"} for number in task["needs"]],
            }
        )
        + "\n"
        for task in _tasks(words)
    )


FORMS: dict[str, tuple[str, Callable[[str], str]]] = {
    "ours": ("tasks.json", _own),
    "task-master": ("tasks.json", _task_master),
    "spec-kit": ("tasks.md", _spec_kit),
    "beads": ("issues.jsonl", _beads),
}


def _best(work: Callable[[], object]) -> float:
    """Return the least seconds of the processor that the work took."""
    took = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return min(took)


def _measured(name: str, make: Callable[[str], str]) -> dict[str, float]:
    """Return bytes, tasks, and seconds of reading and checking, of the plan's view, and of the same file as JSON."""
    short = len(make("").encode())
    text = make("word " * max(1, (BYTES - short) // TASKS // 5))
    graph = parse_spec(text, name).graph
    assert graph is not None
    # A list that is no JSON is compared with its lines as JSON.
    plain = text if name.endswith(".json") else json.dumps(text.splitlines())
    return {
        "bytes": len(text.encode()),
        "tasks": len(graph.tasks),
        "seconds": _best(lambda: parse_spec(text, name)),
        "view_seconds": _best(lambda: plan_view(graph)),
        "json_seconds": _best(lambda: json.loads(plain)),
    }


def main() -> int:
    """Print the table; return 1 when a form takes longer than the limit."""
    print(f"Load of the machine: {load():.1f}")
    print(f"{'form':<12} {'MB':>5} {'tasks':>7} {'read':>8} {'JSON':>8} {'ratio':>6} {'view':>8}")
    slow = []
    for form, (name, make) in FORMS.items():
        row = _measured(name, make)
        slow += [form] if row["seconds"] > LIMIT else []
        ratio = row["seconds"] / max(row["json_seconds"], 1e-9)
        print(
            f"{form:<12} {row['bytes'] / 1e6:>5.1f} {row['tasks']:>7.0f} {row['seconds']:>6.2f} s "
            f"{row['json_seconds']:>6.3f} s {ratio:>6.1f} {row['view_seconds']:>6.2f} s"
        )
    print(f"over {LIMIT} s: {', '.join(slow) or 'none'}; load {load():.1f}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
