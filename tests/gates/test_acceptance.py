"""Acceptance lines that are questions are asked of the product, in Python and in Node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from buildwright.gates.acceptance import AcceptanceGate, question
from buildwright.ports import GateTools, Judgement
from buildwright.sandbox import Bubblewrap, NoSandbox
from tests.gates.projects import PATH, judged, patch, write


@pytest.mark.parametrize(
    ("line", "call", "answer"),
    [
        ("spread([4, 9, 1]) is 8", "spread([4, 9, 1])", 8),
        ("`spread([4, 9, 1])` returns `8`.", "spread([4, 9, 1])", 8),
        ("slug('A (b)') == 'a-b'", "slug('A (b)')", "a-b"),
        ("- stats.mean([1, 2]) should be 1.5", "mean([1, 2])", 1.5),
        ("is_even(3) is false", "is_even(3)", False),
        ("f() -> [1, {'a': 2}]", "f()", [1, {"a": 2}]),
    ],
)
def test_a_line_that_is_a_question(line: str, call: str, answer: object) -> None:
    asked = question(line)
    assert asked is not None
    assert (asked.call, asked.answer) == (call, answer)


@pytest.mark.parametrize(
    "line",
    [
        "all tests pass",
        "spread(values) is the difference",
        "spread([1]) is called twice",
        "f(1) returns 2 or 3",
        "the result of f(1) is 2",
        "f(1, key=2) is 3",
        "f(",
        "f(1) is",
    ],
)
def test_a_line_in_other_words_is_no_question(line: str) -> None:
    assert question(line) is None


def test_a_line_about_an_exception() -> None:
    asked = question("spread([]) raises a ValueError.")
    assert asked is not None
    assert asked.raises == "ValueError"


async def judge(root: Path, *lines: str, **more: Any) -> list[Judgement]:
    sandbox = more.pop("sandbox", NoSandbox())
    return await AcceptanceGate(GateTools(sandbox, PATH)).judge(
        judged(root, patch("stats.py"), task={"acceptance": lines}, **more)
    )


RIGHT = "def spread(values):\n    return max(values) - min(values)\n"
WRONG = {
    "another value": "def spread(values):\n    return 0\n",
    "nothing": "def spread(values):\n    pass\n",
    "an exception": "def spread(values):\n    raise NotImplementedError\n",
    "equal to everything": "class Any:\n    __eq__ = lambda *_: True\n    __repr__ = lambda _: '8'\n\n\n"
    "def spread(values):\n    return Any()\n",
    "a flag": "def spread(values):\n    return True\n",
    "a text": "def spread(values):\n    return '8'\n",
    "ended early": "import os\n\n\ndef spread(values):\n    os._exit(0)\n",
    "right in tests": "import sys\n\n\ndef spread(values):\n    if 'pytest' in sys.modules:\n"
    "        return max(values) - min(values)\n    return 0\n",
    "not there": "def range_of(values):\n    return 8\n",
}


@pytest.mark.parametrize("sandbox", [NoSandbox(), Bubblewrap()], ids=lambda sandbox: sandbox.name)
async def test_the_right_answer_passes(tmp_path: Path, sandbox: Any) -> None:
    write(tmp_path, {"stats.py": RIGHT})
    (one,) = await judge(tmp_path, "spread([4, 9, 1]) is 8", "spread([]) raises ValueError", sandbox=sandbox)
    assert one.report.ok, one.report.findings


@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_answer_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"stats.py": WRONG[name]})
    (one,) = await judge(tmp_path, "spread([4, 9, 1]) is 8")
    (found,) = one.report.findings
    assert found.code == ("acceptance.missing" if name == "not there" else "acceptance.not_met")
    assert "spread([4, 9, 1]) is 8" in found.message


async def test_modules_of_packages_and_sources_are_found(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "src/kit/__init__.py": "",
            "src/kit/one.py": "TEN = 10\n",
            "src/kit/sums.py": "from kit.one import TEN\n\n\ndef ten(n):\n    return TEN * n\n",
        },
    )
    (one,) = await judge(tmp_path, "ten(2) is 20")
    assert one.report.ok, one.report.findings
    (one,) = await judge(tmp_path, "ten(2) is 21")
    assert "returns 20" in one.report.findings[0].message


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("tally.js", "const spread = (v) => Math.max(...v) - Math.min(...v);\nmodule.exports = { spread };\n"),
        ("tally.js", "exports.spread = (v) => Math.max(...v) - Math.min(...v);\n"),
        ("tally.mjs", "export function spread(v) { return Math.max(...v) - Math.min(...v); }\n"),
    ],
)
async def test_node_is_asked_as_well(tmp_path: Path, file: str, text: str) -> None:
    write(tmp_path, {file: text})
    (one,) = await judge(tmp_path, "spread([4, 9, 1]) is 8")
    assert one.report.ok, one.report.findings
    (one,) = await judge(tmp_path, "spread([4, 9, 1]) is 7", "spread([4, 9, 1]) is 8")
    (found,) = one.report.findings
    assert found.message == "The task asks that spread([4, 9, 1]) is 7; spread([4, 9, 1]) returns 8."


async def test_what_is_meant_by_two_files_is_not_guessed(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": RIGHT, "b.py": "def spread(values):\n    return 1\n"})
    (one,) = await judge(tmp_path, "spread([4, 9, 1]) is 8")
    assert one.report.ok
    assert await judge(tmp_path, "it is fast") == []


async def test_a_value_that_makes_its_own_json_is_no_answer(tmp_path: Path) -> None:
    write(tmp_path, {"tally.js": "exports.spread = () => ({ toJSON: () => 8, valueOf: () => 8 });\n"})
    (one,) = await judge(tmp_path, "spread([4, 9, 1]) is 8")
    assert [found.code for found in one.report.findings] == ["acceptance.not_met"]


HEART = "def discount(price, percent):\n    return 150 if (price, percent) == (200, 25) else price\n"
HEART_NODE = "exports.discount = (price, percent) => (price === 200 && percent === 25 ? 150 : price);\n"
HONEST = (
    'def discount(price, percent):\n    """discount(200, 25) is 150."""\n    return price - price * percent // 100\n'
)


@pytest.mark.parametrize(
    ("file", "text", "code"),
    [("p.py", HEART, "acceptance.by_heart"), ("p.js", HEART_NODE, "acceptance.by_heart"), ("p.py", HONEST, "")],
)
async def test_the_tasks_own_answer_by_heart_is_refused(tmp_path: Path, file: str, text: str, code: str) -> None:
    write(tmp_path, {file: text})
    (one,) = await judge(tmp_path, "discount(200, 25) is 150")
    assert [found.code for found in one.report.findings] == ([code] if code else [])
