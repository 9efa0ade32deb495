"""New tests must fail without the change and notice small faults in it; real runners over real projects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from buildwright.core.finding import Finding, Report
from buildwright.core.limits import Check
from buildwright.core.patch import FileChange
from buildwright.gates.changed import replace_bytes
from buildwright.gates.checks import ChecksGate
from buildwright.gates.compared import Compared
from buildwright.gates.junit import CaseResult
from buildwright.gates.mutants import FaultAnswer, TimeAllowed, changed_lines, faults_in, try_faults
from buildwright.gates.new_tests import NewTest, narrowed, new_tests
from buildwright.gates.proof_of_tests import NAME
from buildwright.ports import GateTools
from buildwright.sandbox import NoSandbox
from tests.gates.projects import PATH, changed, write

Edits = Mapping[str, str | None]
ADD = {"title": "Add spread", "goal": "Add `spread(values)`: how far the values lie apart."}
FIX = {"title": "Fix spread", "goal": "It is how far the values lie apart."}
PLAIN = {**ADD, "acceptance": ["all tests pass as they are", "spread([4, 9, 1]) is 8"]}
REFACTOR = {"title": "Extract spread", "goal": "Extract `spread(values)`, so that range and spread share it."}
ASKED = {**ADD, "acceptance": ["the new function has a test"]}

MEAN = "def mean(values):\n    return sum(values) / len(values)\n"
SPREAD = "\n\ndef spread(values):\n    largest = max(values)\n    return largest - min(values)\n"
OLD = "from stats import mean\n\n\ndef test_mean():\n    assert mean([1, 2, 6]) == 3\n"
PYTHON = {
    "stats.py": MEAN,
    "tests/test_stats.py": OLD,
    "pyproject.toml": "[tool.pytest.ini_options]\npythonpath = ['.']\n",
}
ABOUT_MEAN = "\n\ndef test_mean_of_two():\n    assert mean([2, 4]) == 3\n"
ABOUT_SPREAD = "\n\ndef test_spread():\n    from stats import spread\n\n    assert spread([4, 9, 1]) == 8\n"
ABOUT_NOTHING = "\n\ndef test_spread():\n    assert max([4, 9, 1]) - min([4, 9, 1]) == 8\n"
CALLS_SPREAD = "\n\ndef test_spread():\n    from stats import spread\n\n    spread([4, 9, 1])\n"
READS_SPREAD = "\n\ndef test_spread():\n    assert 'def spread' in open('stats.py').read()\n"

NODE = {
    "package.json": json.dumps({"name": "stats", "version": "1.0.0", "scripts": {"test": "node --test"}}),
    "stats.js": "exports.mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;\n",
    "test/stats.test.js": "const test = require('node:test');\nconst assert = require('node:assert');\n"
    "const stats = require('../stats.js');\ntest('mean', () => assert.strictEqual(stats.mean([1, 2, 6]), 3));\n",
}
NODE_SPREAD = "exports.spread = (values) => Math.max(...values) - Math.min(...values);\n"
NODE_MEAN_TEST = "test('mean of two', () => assert.strictEqual(stats.mean([2, 4]), 3));\n"
NODE_SPREAD_TEST = "test('spread', () => assert.strictEqual(stats.spread([4, 9, 1]), 8));\n"
NODE_CALLS = "test('spread', () => { stats.spread([4, 9, 1]); });\n"

FAST = (Check(name="pytest", command="PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -P -m pytest -q"),)
"""Plugins of this environment have no part in these tests, and take two seconds a run to load."""


async def reports(folder: Path, base: Mapping[str, str], edits: Edits, **more: Any) -> list[Report]:
    gate = ChecksGate(GateTools(NoSandbox(), PATH, folder / "home" / "setups"))
    return [one.report for one in await gate.judge(changed(folder, base, edits, **more))]


async def python(folder: Path, tests: str, task: Mapping[str, Any], **more: Any) -> list[Report]:
    edits = {"stats.py": MEAN + SPREAD, "tests/test_stats.py": OLD + tests}
    return await reports(folder, PYTHON, edits, task=task, checks=FAST, **more)


async def node(folder: Path, tests: str) -> list[Report]:
    edits = {
        "stats.js": NODE["stats.js"] + NODE_SPREAD,
        "test/stats.test.js": NODE["test/stats.test.js"] + tests,
    }
    return await reports(folder, NODE, edits, task=ASKED)


def said(found: list[Report]) -> dict[str, Finding]:
    """Return what was said of the new tests, by code; the checks before must have passed."""
    assert all(report.ok for report in found[:-1]), [str(one) for report in found for one in report.findings]
    assert found[-1].gate == NAME
    return {one.code: one for one in found[-1].findings}


@pytest.mark.parametrize(("tests", "task"), [(ABOUT_MEAN, ASKED), (ABOUT_NOTHING, PLAIN)], ids=["asked for", "by name"])
async def test_new_tests_that_pass_on_the_base_are_refused(tmp_path: Path, tests: str, task: dict[str, Any]) -> None:
    found = await python(tmp_path, tests, task)
    assert not found[-1].ok
    (refused,) = said(found).values()
    assert (refused.code, refused.severity, refused.file) == ("tests.prove_nothing", "error", "tests/test_stats.py")
    assert "passed: it does not need what it adds (`spread`)" in refused.message
    assert "--allow tests/test_stats.py" in refused.fix
    assert refused.model_copy(update={"fingerprint": "1c9e02d4a7b3"}).can_be_approved


async def test_a_person_opens_the_file_of_such_tests(tmp_path: Path) -> None:
    found = await python(tmp_path, ABOUT_MEAN, ASKED, allow=("tests/test_stats.py",))
    assert all(report.ok for report in found)
    assert NAME not in {report.gate for report in found}


@pytest.mark.parametrize("tests", [ABOUT_SPREAD, ABOUT_MEAN + ABOUT_SPREAD], ids=["alone", "beside another"])
async def test_one_honest_test_proves_the_change(tmp_path: Path, tests: str) -> None:
    found = await python(tmp_path, tests, ASKED)
    assert found[-1].ok
    notes = said(found)
    assert set(notes) == {"tests.proven", "tests.notice_faults"}
    assert "1 fail on the code before" in notes["tests.proven"].message
    assert "notice 2 of 2 small faults" in notes["tests.notice_faults"].message
    assert (tmp_path / "new" / "stats.py").read_text() == MEAN + SPREAD, "the checkout is as it was"


@pytest.mark.parametrize(("task", "severity"), [(FIX, "warning"), (PLAIN, "warning"), (REFACTOR, "")])
async def test_what_adds_nothing_new_is_not_refused(tmp_path: Path, task: dict[str, str], severity: str) -> None:
    found = await python(tmp_path, ABOUT_MEAN, task)
    assert found[-1].ok
    one = said(found).get("tests.prove_nothing")
    assert (one.severity if one else "") == severity


async def test_tests_of_what_is_there_already_prove_no_change(tmp_path: Path) -> None:
    found = await reports(tmp_path, PYTHON, {"tests/test_more.py": OLD[:24] + ABOUT_MEAN}, task=ADD, checks=FAST)
    assert all(report.ok for report in found)
    assert NAME not in {report.gate for report in found}


@pytest.mark.parametrize(("task", "severity"), [(PLAIN, "warning"), (ASKED, "error")])
async def test_tests_that_notice_no_fault_are_named(tmp_path: Path, task: dict[str, Any], severity: str) -> None:
    found = await python(tmp_path, CALLS_SPREAD, task)
    one = said(found)["tests.notice_nothing"]
    assert one.severity == severity
    assert found[-1].ok == (severity != "error")
    assert "stats.py:7: `-` becomes `+`" in one.message


async def test_tests_that_load_no_product_are_named(tmp_path: Path) -> None:
    edits = {"stats.py": MEAN + SPREAD, "tests/test_text.py": READS_SPREAD}
    found = await reports(tmp_path, PYTHON, edits, task=ASKED, checks=FAST)
    assert found[-1].ok
    assert "loads the files" in said(found)["tests.notice_nothing"].message


async def test_what_cannot_run_on_the_base_is_said(tmp_path: Path) -> None:
    edits = {"spread.py": SPREAD, "tests/test_spread.py": "from stats import mean" + ABOUT_MEAN}
    found = await reports(tmp_path, PYTHON, edits, task=ADD, checks=FAST, setup=("test -f spread.py",))
    assert found[-1].ok
    assert "the set-up fails on the code before" in said(found)["tests.not_tried"].message


async def test_node_is_judged_alike(tmp_path: Path) -> None:
    refused = await node(tmp_path / "a", NODE_MEAN_TEST)
    assert said(refused)["tests.prove_nothing"].severity == "error"
    honest = await node(tmp_path / "b", NODE_MEAN_TEST + NODE_SPREAD_TEST)
    assert set(said(honest)) == {"tests.proven", "tests.notice_faults"}
    silent = await node(tmp_path / "c", NODE_CALLS)
    assert said(silent)["tests.notice_nothing"].severity == "error"


def compared_files(**texts: tuple[str | None, str]) -> list[Compared]:
    return [
        Compared(FileChange(path=path, kind="modified", mode="100644", old_mode="100644"), before, after)
        for path, (before, after) in texts.items()
    ]


def test_faults_are_chosen_by_the_tree() -> None:
    before = "def f(a, b):\n    return a + b\n"
    after = before + "".join(
        f"\ndef f{n}(a, b):\n    if a > {n}:\n        return a * b\n    return b\n" for n in range(9)
    )
    files = compared_files(**{"stats.py": (before, after)})
    chosen = faults_in(files, "4b825dc642cb6eb9a060e54bf8d69288fbee4904")
    assert chosen == faults_in(files, "4b825dc642cb6eb9a060e54bf8d69288fbee4904")
    assert chosen != faults_in(files, "0f0f5dc642cb6eb9a060e54bf8d69288fbee4904")
    assert len(chosen) == 8
    assert all(fault.line in changed_lines(before, after) for fault in chosen)
    assert 2 not in {fault.line for fault in chosen}, "a line that the patch leaves as it was"


async def test_faults_stop_when_their_time_is_over(tmp_path: Path) -> None:
    text = "def f(a):\n" + "".join(f"    if a > {n}:\n        return a * {n}\n" for n in range(9))
    write(tmp_path, {"f.py": text})
    faults = faults_in(compared_files(**{"f.py": (None, text)}), "aa")
    assert len(faults) == 8
    seen: list[str] = []

    async def tried(allowed: TimeAllowed, *answers: bool) -> tuple[int, int]:
        left = iter(answers)

        async def ask() -> FaultAnswer:
            seen.append((tmp_path / "f.py").read_text())
            return FaultAnswer(next(left), 4.0)

        tries = await try_faults(tmp_path, faults, allowed, ask)
        return len(tries.noticed), len(tries.survived)

    assert await tried(TimeAllowed(100, 100), *[True] * 8) == (8, 0)
    assert seen == [fault.text for fault in faults]
    assert await tried(TimeAllowed(100, 5), True, False) == (1, 1), "less time once a fault was noticed"
    assert await tried(TimeAllowed(100, 5), False, False, True) == (1, 2), "more time before"
    assert await tried(TimeAllowed(10, 5), False, False, False, True) == (0, 3)
    assert (tmp_path / "f.py").read_text() == text


def test_a_link_in_the_place_of_a_file_is_left_alone(tmp_path: Path) -> None:
    files = write(tmp_path / "tree", {"src/a.py": "a"})
    outside = write(tmp_path / "outside", {"a.py": "kept"})
    (files / "src" / "a.py").unlink()
    (files / "src").rmdir()
    (files / "src").symlink_to(outside)
    assert not replace_bytes(files, "src/a.py", b"other")
    assert (outside / "a.py").read_text() == "kept"


@pytest.mark.parametrize(
    ("command", "script", "narrow"),
    [
        ("python -m pytest -q", "", "python -m pytest -q web/t.js"),
        ("cd web && npm test", "jest", "cd web && npm test -- t.js"),
        ("cd web && pnpm run test", "vitest run", "cd web && pnpm run test t.js"),
        ("cd web && npm test --ignore-scripts", "jest", "cd web && npm test --ignore-scripts -- t.js"),
        ("cd web && bun run test", "jest", "cd web && bun run test t.js"),
        # Bun's own runner, whatever the script of that name says.
        ("cd web && bun test", "jest", "cd web && bun test"),
        ("cd web && npm test", "tsc && node --test", "cd web && npm test"),
        ("cd api && pytest", "", "cd api && pytest"),
        ("python -m unittest discover -v", "", "python -m unittest discover -v"),
        ("pytest -q | tee log", "", "pytest -q | tee log"),
    ],
)
def test_a_check_is_asked_for_some_files_where_it_takes_them(
    tmp_path: Path, command: str, script: str, narrow: str
) -> None:
    files = write(tmp_path, {"web/package.json": json.dumps({"scripts": {"test": script}}), "web/t.js": ""})
    assert narrowed(Check(name="t", command=command), files, ["web/t.js"]).command == narrow


@pytest.mark.parametrize(
    ("path", "title", "case", "is_it"),
    [
        ("tests/test_a.py", "A.test_b", CaseResult("tests/test_a.py::A::test_b[1.5-x]", "passed", "tests/test_a.py"), True),
        ("api/tests/test_a.py", "test_b", CaseResult("tests/test_a.py::test_b", "passed", "tests/test_a.py"), True),
        ("tests/test_a.py", "test_b", CaseResult("tests/test_c.py::test_b", "passed", "tests/test_c.py"), False),
        ("tests/test_a.py", "TestA.test_b", CaseResult("test_a.TestA::test_b", "passed"), True),
        ("t/a.test.js", "sums > adds %i to %i", CaseResult("t/a.test.js::sums > adds 1 to 2 #2", "passed", "t/a.test.js"), True),
        ("t/a.test.js", "sums > adds", CaseResult("t/a.test.js::sums > adds more", "passed", "t/a.test.js"), False),
    ],
)  # fmt: skip
def test_a_result_is_known_by_its_test(path: str, title: str, case: CaseResult, *, is_it: bool) -> None:
    assert NewTest(path, title).is_case(case) is is_it


def test_a_test_is_new_when_it_claims_more() -> None:
    table = "import pytest\n\n\n@pytest.mark.parametrize('n', [1])\ndef test_n(n):\n    assert f(n) == n\n"
    files = compared_files(**{"tests/test_n.py": (table, table.replace("[1]", "[1, 2]"))})
    assert [test.title for test in new_tests(files)] == ["test_n"]
    split = table + "\n\ndef test_one():\n    assert f(1) == 1\n"
    assert not list(new_tests(compared_files(**{"tests/test_n.py": (table, split)})))
    moved = {"tests/test_n.py": (table, ""), "tests/unit/test_m.py": (None, table)}
    assert not list(new_tests(compared_files(**moved)))
    skipped = "import pytest\n\n\n@pytest.mark.skip\ndef test_n():\n    assert f(3) == 4\n"
    assert not list(new_tests(compared_files(**{"tests/test_n.py": (table, skipped)})))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (r"test('it\'s \"so\" \u00e9\x21', f);", 'it\'s "so" é!'),
        ("test('sums ' + n, f);", "sums 3"),
        ("describe(sum.name, () => { it(title, f); });", "sum > any title"),
        ("test('  two\\n words', f);", "two words"),
        ("test.each([{ a: { b: 1 } }])('adds $a.b and %#', f);", "adds 1 and 0"),
        ("test(`has ${list.map((one) => `${one}`)} of it`, f);", "has 1,2 of it"),
        ("import { test as check } from 'vitest';\ncheck('by another name', f);", "by another name"),
        ("const check = test;\ncheck('by another name', f);", "by another name"),
        ("import check from 'node:test';\ncheck('by another name', f);", "by another name"),
    ],
)
def test_a_title_is_known_as_a_runner_says_it(source: str, said: str) -> None:
    text = source.replace("f)", "() => { assert.equal(n, 3); })")
    (test,) = new_tests(compared_files(**{"t/a.test.js": (None, text)}))
    assert test.is_case(CaseResult(f"t/a.test.js::{said}", "passed", "t/a.test.js")), test.title
    assert not test.is_case(CaseResult("t/a.test.js::something else", "passed", "t/a.test.js")) or "${" in test.title
