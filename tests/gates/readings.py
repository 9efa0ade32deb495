"""A base and a patch as files, for judges that only read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from buildwright.core.patch import FileChange
from buildwright.ports import Gate
from tests.gates.projects import judged, patch, write

SPREAD: Mapping[str, Any] = {
    "goal": "Add a function spread(values) to tally: the largest minus the smallest. Everything else goes on as before.",
    "acceptance": ("spread([4, 9, 1]) is 8", "all tests pass as they are"),
}

Found = list[tuple[str, str]]


async def read(
    gate: Gate,
    tmp_path: Path,
    before: Mapping[str, str],
    after: Mapping[str, str | None],
    task: Mapping[str, Any] | None = SPREAD,
    modes: Mapping[str, str] | None = None,
    **options: Any,
) -> Found:
    """Return the codes and severities that a gate finds in a patch from `before` to `before` with `after` laid over.

    None in `after` deletes a file; in `modes` a link's target stands in the text.
    """
    files = {path: text for path, text in {**before, **after}.items() if text is not None}
    modes = modes or {}
    root = write(tmp_path / "tree", {path: text for path, text in files.items() if modes.get(path) != "120000"})
    for path in modes:
        if modes[path] == "120000":
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).symlink_to(files[path])
    changes = []
    for path, text in sorted(after.items()):
        kind = "deleted" if text is None else "modified" if path in before else "added"
        mode = "" if text is None else modes.get(path, "100644")
        changes.append(FileChange(path=path, kind=kind, mode=mode, old_mode="100644" if path in before else ""))

    async def read_base(path: str) -> bytes | None:
        return before[path].encode() if path in before else None

    what = judged(root, patch(*changes), task=task, **options)
    judgements = await gate.judge(replace(what, read_base=read_base))
    return [(one.code, one.severity) for judgement in judgements for one in judgement.report.findings]


TALLY = """\
def mean(values):
    return sum(values) / len(values)


def median(values):
    return sorted(values)[len(values) // 2]
"""
SPREAD_PY = """\


def spread(values):
    return max(values) - min(values)
"""
TEST_TALLY = """\
import pytest

from tally import mean, median


def test_mean():
    assert mean([1, 2, 3, 6]) == 3


def test_mean_of_one():
    assert mean([7]) == 7


def test_median():
    values = [9, 1, 5]
    assert median(values) == 5
    with pytest.raises(IndexError):
        median([])
"""
PYPROJECT = """\
[project]
name = "tally"
version = "1.0"
dependencies = ["attrs>=23"]

[tool.pytest.ini_options]
testpaths = ["tests"]
"""
PYTHON: Mapping[str, str] = {
    "tally.py": TALLY,
    "tests/test_tally.py": TEST_TALLY,
    "pyproject.toml": PYPROJECT,
    "README.md": "# Tally\n",
}
TALLY_JS = """\
function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

module.exports = { mean };
"""
TEST_JS = """\
const test = require('node:test');
const assert = require('node:assert');
const { mean } = require('../tally.js');

test('mean', () => {
  assert.strictEqual(mean([1, 2, 3, 6]), 3);
});

test('mean of one', () => {
  assert.strictEqual(mean([7]), 7);
});
"""
NODE: Mapping[str, str] = {
    "tally.js": TALLY_JS,
    "test/tally.test.js": TEST_JS,
    "package.json": '{"name": "tally", "version": "1.0.0", "scripts": {"lint": "eslint .", "test": "node --test"}}\n',
}
