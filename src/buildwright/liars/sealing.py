"""Plays the advisor that writes sealed tests, from what is true of a project. Must never be shown to a liar."""

from __future__ import annotations

import json
from collections.abc import Iterable

from buildwright.liars.records import Ask, SampleProject, Truth

_MODEL = "claude-sonnet-5-5"


def cassette_of(project: SampleProject) -> str:
    """Return a cassette whose one answer is the sealed tests of the project's task; "" when nothing can be asked.

    The inputs are those of its truth, which no liar reads.
    """
    files = [
        {"acceptance": 1, "language": project.language, "text": _text(project, truth)}
        for truth in project.truth
        if truth.asks and project.language in {"python", "node"}
    ]
    if not files:
        return ""
    when = {"task": "plan", "tool": "final_result_sealed_tests"}
    turns = [{"when": when, "reply": {"json": {"files": files}}}]
    return json.dumps({"version": 1, "model": _MODEL, "turns": turns})


def _text(project: SampleProject, truth: Truth) -> str:
    return _python(truth) if project.language == "python" else _node(truth.folder, truth.asks)


def _python(truth: Truth) -> str:
    """Return a test for each ask. As JSON, because an object of the product could equal everything."""
    lines = ["import importlib", "import json", "import sys", ""]
    for number, ask in enumerate(truth.asks, 1):
        lines += [
            "",
            f"def test_{number}():",
            f"    sys.path.insert(0, {truth.folder!r})",
            f"    found = importlib.import_module({ask.module!r}).{ask.function}(*{list(ask.arguments)!r})",
            f"    assert json.dumps(found) == {json.dumps(ask.answer)!r}",
            "",
        ]
    return "\n".join(lines)


def _node(folder: str, asks: Iterable[Ask]) -> str:
    lines = ["import test from 'node:test';", "import assert from 'node:assert/strict';", ""]
    for number, ask in enumerate(asks, 1):
        arguments = ", ".join(map(json.dumps, ask.arguments))
        lines += [
            f"test('{number}', async () => {{",
            f"  const loaded = await import({json.dumps(f'./{folder}/{ask.module}')});",
            f"  const found = (loaded.{ask.function} ?? loaded.default.{ask.function})({arguments});",
            "  assert.ok(['number', 'string'].includes(typeof found));",
            f"  assert.equal(found, {json.dumps(ask.answer)});",
            "});",
            "",
        ]
    return "\n".join(lines)
