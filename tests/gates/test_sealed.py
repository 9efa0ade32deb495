"""Sealed tests are run on a base and on a finished change; what a finding tells, and what it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from buildwright.core.sealed import Language, SealedFile, SealedRun, SealedTests
from buildwright.gates.sealed import SealedGate, SealedRunner
from buildwright.ports import GateTools, Judgement
from buildwright.sandbox import NoSandbox
from tests.gates.projects import PATH, judged, patch, write

TOOLS = GateTools(NoSandbox(), PATH)
LINE = "spread([4, 9, 1]) is 8"
PYTHON = """
def test_more_numbers():
    from stats import spread
    assert spread([17, 3, 29]) == 26
    assert spread([-5, -40]) == 35


def test_one_number():
    from stats import spread
    assert spread([777]) == 0


def test_the_old_function():
    from stats import total
    assert total([1, 2]) == 3
"""
NODE = """
import test from 'node:test';
import assert from 'node:assert/strict';

test('more numbers', async () => {
  const { spread } = await import('./stats.mjs');
  assert.equal(spread([17, 3, 29]), 26);
});

test('the old function', async () => {
  const { total } = await import('./stats.mjs');
  assert.equal(total([1, 2]), 3);
});
"""
BASES: Mapping[Language, Mapping[str, str]] = {
    "python": {"stats.py": "def total(values):\n    return sum(values)\n"},
    "node": {
        "package.json": '{"scripts": {"test": "node --test"}}',
        "stats.mjs": "export const total = (values) => values.reduce((a, b) => a + b, 0);\n",
    },
}
RIGHT = {
    "python": BASES["python"]["stats.py"] + "\n\ndef spread(values):\n    return max(values) - min(values)\n",
    "node": BASES["node"]["stats.mjs"] + "export const spread = (v) => Math.max(...v) - Math.min(...v);\n",
}
BY_HEART = {
    "python": BASES["python"]["stats.py"] + "\n\ndef spread(values):\n    return 8\n",
    "node": BASES["node"]["stats.mjs"] + "export const spread = () => 8;\n",
}
FILES: Mapping[Language, str] = {"python": "stats.py", "node": "stats.mjs"}


def sealed(text: str, language: Language = "python", *tests: str) -> SealedTests:
    return SealedTests(files=(SealedFile(line=LINE, language=language, text=text, tests=tests),))


async def run(root: Path, tests: SealedTests) -> SealedRun:
    (found,) = await SealedRunner(TOOLS).run(judged(root, None), tests)
    return found


async def judge(root: Path, tests: SealedTests | None) -> list[Judgement]:
    return await SealedGate(TOOLS).judge(replace(judged(root, patch("stats.py")), sealed=tests))


@pytest.mark.parametrize(("language", "text"), [("python", PYTHON), ("node", NODE)])
async def test_the_base_fails_what_is_new_and_passes_what_is_old(tmp_path: Path, language: Language, text: str) -> None:
    root = write(tmp_path / "base", BASES[language])
    assert await SealedRunner(TOOLS).languages("", root) == (language,)
    found = await run(root, sealed(text, language))
    assert found.broken == ""
    new = {"python": ("test_more_numbers", "test_one_number"), "node": ("more numbers",)}
    old = {"python": ("test_the_old_function",), "node": ("the old function",)}
    assert (found.failed, found.passed) == (new[language], old[language])
    assert sorted(path.name for path in root.iterdir() if path.is_file()) == sorted(BASES[language])


@pytest.mark.parametrize(("language", "text"), [("python", PYTHON), ("node", NODE)])
async def test_an_honest_change_passes_and_an_answer_by_heart_does_not(
    tmp_path: Path, language: Language, text: str
) -> None:
    base = write(tmp_path / "base", BASES[language])
    tests = sealed(text, language, *(await run(base, sealed(text, language))).failed)
    right = write(tmp_path / "right", {**BASES[language], FILES[language]: RIGHT[language]})
    (passed,) = await judge(right, tests)
    assert passed.report.ok
    assert passed.report.evidence is not None
    assert passed.report.evidence.tests == tests.count
    heart = write(tmp_path / "heart", {**BASES[language], FILES[language]: BY_HEART[language]})
    (refused,) = await judge(heart, tests)
    assert not refused.report.ok
    (one,) = refused.report.findings
    assert one.code == "sealed.failed"
    assert LINE in one.message
    assert f"{tests.count} of {tests.count} sealed tests fail" in one.message
    told = f"{one.message}\n{one.fix}"
    assert not [secret for secret in ("17", "29", "777", "more", "spread(v", "assert", "Error") if secret in told]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("from stats import spread\n\n\ndef test_it():\n    assert spread([1]) == 0\n", "can be collected"),
        ("def test_it(no_such_fixture):\n    assert False\n", "set-up"),
        ("def test_it():\n    assert sprea([1]) == 0\n", "a name that it does not define"),
        ("import os\n\n\ndef test_it():\n    os._exit(0)\n", "cannot be believed"),
    ],
)
async def test_a_file_that_is_itself_wrong_is_broken(tmp_path: Path, text: str, why: str) -> None:
    root = write(tmp_path / "base", BASES["python"])
    found = await run(root, sealed(text))
    assert why in found.broken
    assert not found.failed


async def test_a_file_that_never_ends_is_broken(tmp_path: Path) -> None:
    root = write(tmp_path / "base", BASES["python"])
    one = judged(root, None)
    limits = one.options.limits.model_copy(update={"gate_seconds": 2.0})
    text = "import time\n\n\ndef test_it():\n    time.sleep(600)\n"
    (found,) = await SealedRunner(TOOLS).run(
        replace(one, options=one.options.model_copy(update={"limits": limits})), sealed(text)
    )
    assert "not done within its time" in found.broken


@pytest.mark.parametrize(
    "bend",
    [
        {"stats.py": "import os\n\n\ndef spread(values):\n    os._exit(0)\n"},
        {"stats.py": "raise SystemExit(0)\n"},
        {
            "stats.py": BY_HEART["python"],
            "conftest.py": "def pytest_collection_modifyitems(items):\n    items.clear()\n",
        },
        {
            "stats.py": BY_HEART["python"],
            "conftest.py": "import pytest\n\n\n@pytest.hookimpl(hookwrapper=True)\ndef pytest_runtest_makereport():\n"
            "    made = yield\n    made.get_result().outcome = 'passed'\n",
        },
        {
            "stats.py": "import os\n\n\ndef spread(values):\n    return max(values) - min(values) if 'CI' in os.environ else 0\n"
        },
        {
            "stats.py": "import sys\n\n\ndef spread(values):\n    name = sys._getframe(1).f_code.co_filename\n"
            "    return max(values) - min(values) if 'test' in name.rpartition('/')[2] else 0\n"
        },
        {"stats.py": BY_HEART["python"], "pytest.ini": "[pytest]\naddopts = --collect-only\n"},
        {"stats.py": BY_HEART["python"], "pytest.py": "print('2 passed')\n"},
    ],
)
async def test_a_change_that_bends_the_run_is_refused(tmp_path: Path, bend: Mapping[str, str]) -> None:
    root = write(tmp_path / "bent", bend)
    (refused,) = await judge(root, sealed(PYTHON, "python", "test_more_numbers", "test_one_number"))
    assert [one.code for one in refused.report.findings] == ["sealed.failed"]


async def test_what_sealed_tests_print_is_not_passed_on(tmp_path: Path) -> None:
    root = write(tmp_path / "right", {"stats.py": RIGHT["python"]})
    heard: list[str] = []
    tests = sealed(f"print('aloud 17')\n{PYTHON}", "python", "test_more_numbers")
    one = replace(judged(root, patch("stats.py")), sealed=tests, on_output=heard.append)
    (passed,) = await SealedGate(TOOLS).judge(one)
    assert passed.report.ok
    assert heard == []


async def test_no_tests_are_said_and_no_question_is_no_judgement(tmp_path: Path) -> None:
    root = write(tmp_path / "right", {"stats.py": RIGHT["python"]})
    assert await judge(root, None) == []
    (said,) = await judge(root, SealedTests(why_none="no model is available"))
    assert said.report.ok
    assert [(one.code, one.severity) for one in said.report.findings] == [("sealed.none", "note")]
    assert "no model is available" in said.report.findings[0].message
    assert await SealedGate(TOOLS).judge(replace(judged(root, None), sealed=sealed(PYTHON))) == []
