"""A command that runs more than the tests, such as a linter, may not let a new test file pass."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from buildwright.core.finding import needs_consent
from buildwright.core.limits import Check
from buildwright.gates.canaries import Canaries
from buildwright.gates.canary_tests import WRITERS, CanaryPlan
from buildwright.gates.checks import ChecksGate
from buildwright.gates.junit import CaseResult, Tally
from buildwright.ports import GateTools
from buildwright.sandbox import NoSandbox
from tests.gates.projects import PATH, changed

TESTS = """// of the house
const { test } = require('node:test');
const assert = require('node:assert');
const { add } = require('../add.js');
test('adds', () => assert.strictEqual(add(1, 2), 3));
"""
LINT = """const { readdirSync, readFileSync } = require('node:fs');
const wrong = readdirSync('test').filter((name) => !readFileSync(`test/${name}`, 'utf8').startsWith('// of the house'));
wrong.forEach((name) => console.log(`test/${name}:1:1: the first line is missing`));
process.exitCode = wrong.length ? 1 : 0;
"""
ADD = "exports.add = (a, b) => a + b;\n"
HIDES = (
    "const odd = require('node:fs').readdirSync('test').filter((name) => name !== 'add.test.js');\n"
    "if (odd.length) { console.log(odd.join()); process.exit(1); }\n"
)


def project(command: str) -> dict[str, str]:
    return {
        "package.json": json.dumps({"name": "sums", "scripts": {"test": command}}),
        "lint.cjs": LINT,
        "test/add.test.js": TESTS,
        "add.js": ADD,
    }


async def judge(folder: Path, base: Mapping[str, str], edits: Mapping[str, str]) -> dict[str, str]:
    """Return the worst that was found by each gate and code, and whether all was well under ""."""
    gate = ChecksGate(GateTools(NoSandbox(), PATH, folder / "setups"))
    checks = (Check(name="npm test", command="npm test"),)
    done = await gate.judge(changed(folder, base, edits, task={"title": "Words", "goal": "Add words."}, checks=checks))
    found: dict[str, str] = {}
    for each in done:
        for one in each.report.findings:  # the worst first
            found.setdefault(f"{each.report.gate}: {one.code}", one.severity)
    return {**found, "": "well" if all(each.report.ok for each in done) else "refused"}


@pytest.mark.parametrize("command", ["node lint.cjs && node --test", "node --test && node lint.cjs"])
async def test_a_linter_beside_the_tests_refuses_no_canary(tmp_path: Path, command: str) -> None:
    found = await judge(tmp_path, project(command), {"add.js": ADD + "// Sums.\n"})
    assert found == {"npm test: test.canary": "warning", "": "well"}


async def test_what_the_linter_finds_in_the_change_is_told_alone(tmp_path: Path) -> None:
    edits = {"test/more.test.js": TESTS.partition("\n")[2]}
    found = await judge(tmp_path, project("node lint.cjs && node --test"), edits)
    assert found.pop("") == "refused"
    assert {code for code, severity in found.items() if severity == "error"} == {"npm test: check.failed"}
    assert "npm test: test.canary" not in found


async def test_a_change_after_which_they_are_barred_is_refused(tmp_path: Path) -> None:
    base = project("node --test && node --version")
    assert await judge(tmp_path / "honest", base, {"add.js": ADD + "// Sums.\n"}) == {"": "well"}
    found = await judge(tmp_path, base, {"add.js": HIDES + ADD})
    assert found["npm test: tests.canary"] == "error"
    assert found[""] == "refused"


async def test_a_base_that_fails_anyway_says_nothing_of_them(tmp_path: Path) -> None:
    """A runner that names each file would else let a failing base switch them off for all that follows."""
    base = project("node lint.cjs && node --test") | {"lint.cjs": LINT + "process.exitCode = 1;\n"}
    gate = ChecksGate(GateTools(NoSandbox(), PATH, tmp_path / "setups"))
    checks = (Check(name="npm test", command="npm test"),)
    judged = changed(tmp_path, base, {"add.js": ADD + "// Sums.\n"}, task={"title": "W", "goal": "W."}, checks=checks)
    done = await gate.judge(judged)
    assert not any("canary" in one.code for each in done for one in each.report.findings)


async def test_a_check_that_is_new_may_not_bar_them_unasked(tmp_path: Path) -> None:
    base = project("node --test") | {"package.json": json.dumps({"name": "sums"})}
    scripts = {"package.json": json.dumps({"name": "sums", "scripts": {"test": "node lint.cjs && node --test"}})}
    gate = ChecksGate(GateTools(NoSandbox(), PATH, tmp_path / "setups"))
    judged = changed(tmp_path, base, scripts, task={"title": "Lint", "goal": "Lint before the tests."})
    found = {one.code: one for each in await gate.judge(judged) for one in each.report.findings}
    assert found["tests.canary"].severity == "error"
    assert needs_consent("tests.canary"), "a person may say that the linter is right"


def test_a_copy_of_them_that_a_compiler_kept_counts_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.test.js").write_text(TESTS)
    canaries = Canaries.place(tmp_path, Check(name="t", command="node --test"), ("a.test.js",), failing=False)
    assert canaries is not None
    cases = tuple(CaseResult(f"dist/rows.js::{title}", outcome) for title, outcome in canaries.planned.items())
    own = CaseResult("a.test.js::adds", "passed")
    assert canaries.forget(Tally(2, 1, (), (*cases, own))) == Tally(1, 0, (), (own,))
    assert canaries.forget(Tally(1, 2, (), (own,))) == Tally(1, 2, (), (own,))


@pytest.mark.parametrize(
    ("sample", "has", "has_not"),
    [
        ("'use strict'\nvar a = 1\nit('x', function () {\n\ta()\n})\n", ["'use strict'", "\tvar "], ["=>", ";", '"']),
        ('it("x", () => {\n    a();\n});\n', ["    const ", "=>", ";"], ["'", "use strict"]),
        ("import { it } from 'mocha'\nit('x', () => {\n  a()\n})\n", ["import { it as ", "  const "], [";", '"']),
    ],
)
def test_they_are_written_like_the_file_beside_them(sample: str, has: list[str], has_not: list[str]) -> None:
    text = WRITERS["mocha"](CanaryPlan({"passed": "adds rows", "skipped": "keeps rows"}), sample)
    assert all(part in text for part in has), text
    assert not any(part in text for part in has_not), text
