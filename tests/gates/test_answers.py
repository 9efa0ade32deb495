"""Changes that look like the work and are not, beside those that are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from buildwright.gates.answers import AnswersGate
from tests.gates.readings import NODE, PYTHON, SPREAD, SPREAD_PY, TALLY, TALLY_JS, read

BY_HEART, STUB, HOLLOWED, UNDONE = "answers.by_heart", "task.stub", "task.hollowed", "task.undone"
ROMAN = "from roman import value\n\n\ndef test_it():\n    assert value('V') == 5\n    assert value('X') == 10\n"
BASE = {
    **PYTHON,
    **NODE,
    "tests/test_roman.py": ROMAN,
}


def mean(line: str) -> dict[str, str | None]:
    return {"tally.py": TALLY.replace("    return sum(values) / len(values)\n", f"    {line}\n") + SPREAD_PY}


def mean_js(line: str) -> dict[str, str | None]:
    return {"tally.js": f"function mean(values) {{\n  {line}\n}}\n\nmodule.exports = {{ mean }};\n"}


BAD: list[tuple[str, dict[str, str | None], str]] = [
    ("table", mean("return {(1, 2, 3, 6): 3, (7,): 7}.get(tuple(values), 0)"), BY_HEART),
    ("table of text", mean("return {'[1, 2, 3, 6]': 3}.get(str(values), 0)"), BY_HEART),
    ("branch", mean("if values == [1, 2, 3, 6]:\n        return 3\n    return values[0]"), BY_HEART),
    ("chosen", mean("return 3 if tuple(values) == (1, 2, 3, 6) else values[0]"), BY_HEART),
    ("listed", mean("return 3 if tuple(values) in ((1, 2, 3, 6), (9, 8)) else values[0]"), BY_HEART),
    ("pairs", mean("return dict([((1, 2, 3, 6), 3)]).get(tuple(values), 0)"), BY_HEART),
    ("match", mean("match values:\n        case [1, 2, 3, 6]:\n            return 3\n    return values[0]"), BY_HEART),
    (
        "acceptance",
        {"tally.py": TALLY + "\n\ndef spread(values):\n    return 8 if values == [4, 9, 1] else 0\n"},
        BY_HEART,
    ),
    ("plain values", {"roman.py": "def value(text):\n    return {'V': 5, 'X': 10}[text]\n"}, BY_HEART),
    ("table of node", mean_js("return { '1,2,3,6': 3, '7': 7 }[values] || 0;"), BY_HEART),
    ("branch of node", mean_js("if (JSON.stringify(values) === '[1,2,3,6]') return 3;\n  return values[0];"), BY_HEART),
    ("map of node", mean_js("return new Map([['1,2,3,6', 3]]).get(String(values));"), BY_HEART),
    ("stub", {"tally.py": TALLY + "\n\ndef spread(values):\n    return 0\n"}, STUB),
    ("not made", {"tally.py": TALLY + "\n\ndef spread(values):\n    raise NotImplementedError\n"}, STUB),
    ("passed", {"tally.py": TALLY + '\n\ndef spread(*values):\n    """The spread."""\n    pass\n'}, STUB),
    ("stub of node", {"tally.js": TALLY_JS + "const spread = () => 0;\n"}, STUB),
    ("hollowed", mean("return 0"), HOLLOWED),
    ("hollowed in node", mean_js("return 3;"), HOLLOWED),
    ("words", {"README.md": "# Tally\n\nspread is there now.\n"}, UNDONE),
    (
        "comments",
        {"tally.py": TALLY.replace("def median", "# spread is done\ndef median"), "tally.js": "// done\n" + TALLY_JS},
        UNDONE,
    ),
    ("layout", {"tally.py": TALLY.replace("\n\n\n", "\n\n\n\n")}, UNDONE),
]


@pytest.mark.parametrize(("after", "code"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
async def test_what_is_no_work_is_refused(tmp_path: Path, after: dict[str, str | None], code: str) -> None:
    found = await read(AnswersGate(), tmp_path, BASE, after)
    assert (code, "error") in found


GOOD: list[tuple[str, dict[str, str | None], dict[str, Any]]] = [
    ("the work", {"tally.py": TALLY + SPREAD_PY, "README.md": "# Tally\n\nspread\n"}, {}),
    (
        "the work in node",
        {"tally.js": TALLY_JS + "const spread = (values) => Math.max(...values) - Math.min(...values);\n"},
        {},
    ),
    (
        "a page",
        {"README.md": "# Tally\n\nmean(values) is the mean.\n"},
        {"goal": "Describe mean(values) in the README."},
    ),
    (
        "a docstring",
        {"tally.py": TALLY.replace("values):\n", 'values):\n    """M."""\n', 1)},
        {"goal": "Add a docstring to mean()"},
    ),
    ("data", {"data.txt": "1\n2\n"}, {"goal": "Add the function table."}),
    ("no words", {"README.md": "# T\n"}, {"goal": "", "acceptance": ()}),
    ("no task", {"README.md": "# T\n"}, {"goal": "Tell what it is for.", "acceptance": ()}),
    ("a table", {"roman.py": "V = {'I': 1, 'V': 5, 'X': 10, 'L': 50}\n\n\ndef value(text):\n    return V[text]\n"}, {}),
    ("a dispatch", {"tally.py": TALLY + SPREAD_PY + "\n\nKINDS = {'mean': mean, 'median': median}\n"}, {}),
    ("directions", {"tally.py": TALLY + SPREAD_PY + "\n\nSTEPS = {(0, 1): 'right', (1, 0): 'down'}\n"}, {}),
    ("an abstract method", {"tally.py": TALLY + "\n\nclass A(Protocol):\n    def spread(self, values): ...\n"}, {}),
    ("a hook", {"tally.py": TALLY + SPREAD_PY + "\n\ndef on_event(event):\n    return None\n"}, {}),
    ("a version", {"tally.py": TALLY + SPREAD_PY + "\n\nOLD = sys.version_info < (3, 11)\n"}, {}),
]


@pytest.mark.parametrize(("after", "task"), [case[1:] for case in GOOD], ids=[case[0] for case in GOOD])
async def test_work_is_not(tmp_path: Path, after: dict[str, str | None], task: dict[str, Any]) -> None:
    assert await read(AnswersGate(), tmp_path, BASE, after, {**SPREAD, **task}) == []


async def test_a_person_opens_a_file(tmp_path: Path) -> None:
    after = mean("return 0")
    assert await read(AnswersGate(), tmp_path, BASE, after, allow=("tally.py",)) == []
