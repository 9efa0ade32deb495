"""Jest, Vitest and Mocha as npm installs them: their tests are known by name, and a run that is bent gives itself away."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from buildwright.core.limits import Check
from buildwright.gates.checks import ChecksGate
from buildwright.gates.proof_of_tests import NAME
from buildwright.ports import GateTools
from buildwright.sandbox import NoSandbox
from tests.gates.projects import PATH, changed

pytestmark = [pytest.mark.real_input, pytest.mark.timeout(600)]

TASK = {
    "title": "Add spread",
    "goal": "Add `spread(values)`: how far the values lie apart.",
    "acceptance": ["the new function has a test"],
}


class Runner(NamedTuple):
    """A runner of tests: its package, its command, the start of a test file, its word for a test."""

    package: str
    version: str
    command: str
    head: str
    bent: Mapping[str, str]
    """Files that bend what it reports, loaded at its start."""
    more: str = ""
    """What its command has for that."""
    test: str = "test"


COMMONJS = "const assert = require('node:assert');\nconst stats = require('../stats.js');\n"
RUNNERS = {
    "jest": Runner(
        "jest",
        "30.5.2",
        "jest",
        COMMONJS,
        {
            "start.cjs": "const own = test;\nglobal.test = Object.assign((title) => own(title, () => {}), { skip: own.skip });\n"
        },
        " --setupFilesAfterEnv ./start.cjs",
    ),
    "vitest": Runner(
        "vitest",
        "3.2.4",
        "vitest run",
        "import { describe, expect, it, test } from 'vitest';\nimport assert from 'node:assert';\n"
        "import stats from '../stats.js';\n",
        {
            "vitest.config.mjs": "export default { test: { setupFiles: ['./start.mjs'] } };\n",
            "start.mjs": "import { beforeEach } from 'vitest';\n"
            "beforeEach(({ task, skip }) => { if (!task.name.startsWith('mean')) skip(); });\n",
        },
    ),
    "mocha": Runner(
        "mocha",
        "11.8.0",
        "mocha test",
        COMMONJS,
        {"start.cjs": "require('mocha').Runner.prototype.fail = () => {};\n"},
        " --require ./start.cjs",
        "it",
    ),
}
STATS = "exports.mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;\n"
SPREAD = "exports.spread = (values) => Math.max(...values) - Math.min(...values);\n"
PATH_OF_TESTS = "test/stats.test.js"


@pytest.fixture(scope="module", params=RUNNERS)
def runner(request: pytest.FixtureRequest) -> Runner:
    found: Runner = RUNNERS[request.param]
    return found


@pytest.fixture(scope="module")
def installed(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the runner's packages."""
    place = tmp_path_factory.mktemp(runner.package)
    wanted = {"private": True, "devDependencies": {runner.package: runner.version}}
    (place / "package.json").write_text(json.dumps(wanted))
    words = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    subprocess.run(words, cwd=place, check=True)
    return place / "node_modules"


def project(runner: Runner, tests: str) -> dict[str, str]:
    """A project with one test of `mean`, and others that are given."""
    mean = f"{runner.test}('mean', () => {{ assert.strictEqual(stats.mean([1, 2, 6]), 3); }});\n"
    return {
        "package.json": json.dumps({"name": "stats", "scripts": {"test": runner.command}}),
        "stats.js": STATS,
        PATH_OF_TESTS: runner.head + mean + tests,
    }


async def judge(
    folder: Path, installed: Path, base: Mapping[str, str], edits: Mapping[str, str]
) -> dict[str, list[str]]:
    """Return what was found, by gate and code."""
    gate = ChecksGate(GateTools(NoSandbox(), PATH, folder / "setups"))
    checks = (Check(name="npm test", command="npm test"),)
    patch = changed(folder, base, edits, task=TASK, checks=checks, setup=(f"ln -s {installed} node_modules",))
    found: dict[str, list[str]] = {}
    for judgement in await gate.judge(patch):
        for one in judgement.report.findings:
            found.setdefault(f"{judgement.report.gate}: {one.code}", []).append(one.message)
    return found


async def test_new_tests_are_known_by_name(runner: Runner, installed: Path, tmp_path: Path) -> None:
    """One new test of two needs the change; a table and a title made of parts are tests of their own."""
    tests = (
        f"{runner.test}('mean of \\'two\\'', () => {{ assert.strictEqual(stats.mean([2, 4]), 3); }});\n"
        f"for (const n of [4, 9]) {runner.test}('spread ' + n, () => {{\n"
        "  assert.strictEqual(stats.spread([n, 1]), n - 1);\n});\n"
    )
    base = project(runner, "")
    edits = {"stats.js": STATS + SPREAD, PATH_OF_TESTS: base[PATH_OF_TESTS] + tests}
    found = await judge(tmp_path, installed, base, edits)
    assert set(found) == {f"{NAME}: tests.proven", f"{NAME}: tests.notice_faults"}, found
    assert found[f"{NAME}: tests.proven"] == [
        "Of the 3 new tests 2 fail on the code before this change, as they should."
    ]


async def test_a_run_that_is_bent_gives_itself_away(runner: Runner, installed: Path, tmp_path: Path) -> None:
    base = project(runner._replace(command=runner.command + runner.more), "") | dict(runner.bent)
    found = await judge(tmp_path, installed, base, {"stats.js": STATS + SPREAD})
    assert "npm test: test.canary" in found, found
    honest = await judge(tmp_path / "honest", installed, project(runner, ""), {"stats.js": STATS + SPREAD})
    assert honest == {}
