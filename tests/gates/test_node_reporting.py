"""Reports that Node's runners write beside their own output, by the real runner of Node on this machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from buildwright.gates.junit import CaseResult, Tally
from buildwright.gates.node_reporting import node_reporting, node_reports
from buildwright.gates.reporting import finding
from buildwright.gates.results import agreed
from buildwright.gates.test_output import read_run
from tests.gates.projects import write

TESTS = (
    "const { describe, it } = require('node:test');\n"
    "describe('sum', () => {\n  it('adds', () => {});\n  it('adds', () => {});\n  it.skip('later', () => {});\n"
    "  it.todo('someday');\n});\nit('last', () => {});\n"
)
CASES = {
    "test/a.test.js::sum > adds": "passed",
    "test/a.test.js::sum > adds #2": "passed",
    "test/a.test.js::sum > later": "skipped",
    "test/a.test.js::sum > someday": "skipped",
    "test/a.test.js::last": "passed",
}


class Ran(NamedTuple):
    code: int
    output: str
    reports: list[Tally]


def run(tmp_path: Path, files: Mapping[str, str], command: str) -> Ran:
    """Run a command in a project, its private folder has a space in its path."""
    private = tmp_path / "its own"
    private.mkdir(exist_ok=True)
    project = write(tmp_path / "project", files)
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CI": "1", "NO_COLOR": "1", **node_reporting(private)}
    done = subprocess.run(
        ["sh", "-c", command], cwd=project, env=env, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return Ran(done.returncode, done.stdout.decode(), node_reports(private, str(project)))


@pytest.mark.parametrize(
    "command",
    [
        "node --test",
        "node --test --test-reporter=tap",
        "node --test --test-reporter spec --test-reporter-destination stdout",
        "npm test --silent",
    ],
)
def test_report_and_output_of_nodes_runner_agree(tmp_path: Path, command: str) -> None:
    files = {"test/a.test.js": TESTS, "package.json": '{"scripts": {"test": "node --test"}}'}
    ran = run(tmp_path, files, command)
    (report,) = ran.reports
    assert (ran.code, {case.name: case.outcome for case in report.cases}) == (0, CASES)
    told = read_run(ran.output)
    assert told is not None
    assert (told.ran, report.ran) == (3, 3)
    assert agreed(command, ran.reports, told) == (report, ())


def test_a_failure_is_in_the_report_with_its_place_and_the_code_is_the_runners(tmp_path: Path) -> None:
    text = "const { it } = require('node:test');\n\nit('carries', () => { throw new Error('no\\u0007<&'); });\n"
    ran = run(tmp_path, {"test/a.test.js": text}, "node --test")
    ((report,), (failure,)) = (ran.reports, ran.reports[0].findings)
    assert (ran.code, report.ran) == (1, 1)
    assert (failure.file, failure.line) == (str(tmp_path / "project/test/a.test.js"), 3)
    assert "no<&" in failure.message


def test_each_run_has_a_report_of_its_own(tmp_path: Path) -> None:
    text = "const { it } = require('node:test');\nit('fine', () => {});\n"
    ran = run(tmp_path, {"a/x.test.js": text, "b/x.test.js": text}, "for d in a b; do (cd $d && node --test); done")
    assert sorted(case.name for report in ran.reports for case in report.cases) == [
        "a/x.test.js::fine",
        "b/x.test.js::fine",
    ]


def test_what_the_runner_starts_does_not_see_that_it_is_reported(tmp_path: Path) -> None:
    text = (
        "const { it } = require('node:test');\nconst { execFileSync } = require('node:child_process');\n"
        "it('env', () => {\n  const below = execFileSync(process.execPath, ['-p', 'process.env.NODE_OPTIONS']);\n"
        "  if (process.env.NODE_OPTIONS || process.execArgv.length || `${below}`.trim() !== 'undefined') throw 1;\n});\n"
    )
    assert run(tmp_path, {"a.test.js": text}, "node --test").code == 0


@pytest.mark.parametrize("text", ["// later\n", "process.exit(0);\n"])
def test_a_file_without_a_test_is_no_test(tmp_path: Path, text: str) -> None:
    ran = run(tmp_path, {"a.test.js": text}, "node --test")
    assert ran.code == 0
    assert agreed("node --test", ran.reports, read_run(ran.output)) == (Tally(0), ())


def test_programs_that_are_no_runner_are_left_alone(tmp_path: Path) -> None:
    ran = run(tmp_path, {"a.js": "console.log(process.argv.length, process.exitCode);"}, "node a.js && node -p 1")
    assert (ran.code, ran.output, ran.reports) == (0, "2 undefined\n1\n", [])


FAILED = finding("test.failed", "a")
ONE = Tally(1, 0, (), (CaseResult("a", "passed"),))
BAD = Tally(1, 0, (FAILED,), (CaseResult("a", "failed"),))


@pytest.mark.parametrize(
    ("reports", "told", "wrong"),
    [
        ([ONE], ONE, ()),
        ([BAD], BAD, ()),
        ([ONE], BAD, ("test.disagreement", "test.failed")),
        ([BAD], ONE, ("test.disagreement", "test.failed")),
        ([ONE], Tally(2), ("test.disagreement",)),
        ([ONE, ONE], Tally(1), ("test.disagreement",)),
        ([ONE, ONE], Tally(3), ()),
        ([ONE, ONE], Tally(0), ()),
        ([ONE], None, ()),
        ([], BAD, ()),
    ],
)
def test_a_failure_that_one_source_tells_counts(
    reports: list[Tally], told: Tally | None, wrong: tuple[str, ...]
) -> None:
    results = agreed("npm test", reports, told)
    assert tuple(one.code for one in results.findings) == wrong
    assert results.tally is not None
    assert bool(results.tally.findings) == any(tally.findings for tally in (*reports, *([told] if told else [])))


# A runner as npm installs it, cut down to what is looked at: where it lies, and what it does with its arguments.
MOCHA = """
class Runner extends require('node:events') {
  run(done) {
    const test = (title) => ({ file: __filename, titlePath: () => ['sum', title] });
    this.emit('pass', test('adds'));
    this.emit('pending', test('later'));
    this.emit('fail', test('carries'), new Error('no'));
    if (!process.env.ENDED) this.emit('end');
    done();
  }
}
module.exports = Runner;
"""
MOCHA_FILES = {
    "node_modules/mocha/bin/mocha.js": "new (require('../lib/runner.js'))().run(() => process.exit(1));",
    "node_modules/mocha/lib/runner.js": MOCHA,
}


def test_mocha_is_followed_beside_its_reporter(tmp_path: Path) -> None:
    ran = run(tmp_path, MOCHA_FILES, "node node_modules/mocha/bin/mocha.js")
    names = [f"{case.name.rpartition('::')[2]} {case.outcome}" for case in ran.reports[0].cases]
    assert names == ["sum > adds passed", "sum > later skipped", "sum > carries failed"]


def test_a_run_that_ends_before_its_report_is_a_failure(tmp_path: Path) -> None:
    ran = run(tmp_path, MOCHA_FILES, "ENDED=1 node node_modules/mocha/bin/mocha.js")
    ((failure,),) = (report.findings for report in ran.reports)
    assert "ended before its report" in failure.message


# What Jest 30 hands to its processor of results, and Vitest 4 to a reporter, as far as it is read.
JEST = """
const [, , option] = process.argv;
const processor = require(option.split('=')[1]);
const test = (title, status, text) => ({ ancestorTitles: ['sum'], title, status, failureMessages: text ? [text] : [] });
const file = __dirname + '/../../../a.test.js';
processor({ testResults: [
  { testFilePath: file, testResults: [test('adds', 'passed'), test('later', 'pending'), test('carries', 'failed', 'no')] },
  { testFilePath: 'b.test.js', testExecError: {}, failureMessage: 'cannot load', testResults: [] },
] });
"""
VITEST = """
const option = process.argv.filter((one) => one.startsWith('--reporter=')).pop();
const { default: Reporter } = await import(option.split('=')[1]);
const test = (name, state, ...errors) => ({ fullName: `sum > ${name}`, result: () => ({ state, errors }) });
const tests = [test('adds', 'passed'), test('later', 'skipped'), test('carries', 'failed', new Error('no'))];
const module = (moduleId, tests, errors) => ({
  moduleId, errors: () => errors, children: { allTests: () => tests, allSuites: () => [] } });
const reporter = new Reporter();
reporter.onInit();
reporter.onTestRunEnd([module(`${process.cwd()}/a.test.js`, tests, []), module('b', [], [new Error('cannot load')])]);
"""


@pytest.mark.parametrize(
    ("program", "text"), [("jest/bin/jest.js", JEST), ("vitest/vitest.mjs", VITEST)], ids=["jest", "vitest"]
)
def test_other_runners_are_given_a_reporter(tmp_path: Path, program: str, text: str) -> None:
    ran = run(tmp_path, {f"node_modules/{program}": text}, f"node node_modules/{program}")
    assert ran.code == 0, ran.output
    (report,) = ran.reports
    assert [f"{case.name} {case.outcome}" for case in report.cases] == [
        "a.test.js::sum > adds passed",
        "a.test.js::sum > later skipped",
        "a.test.js::sum > carries failed",
    ]
    assert (report.ran, len(report.findings)) == (2, 2)
    assert "sum > carries" in report.findings[0].message
    assert "cannot load" in report.findings[1].message
