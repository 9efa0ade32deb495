"""Tests that fail by chance are tried again and named; those of the change itself are refused. Real runners."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from buildwright.core.finding import Report
from buildwright.core.limits import Check
from buildwright.gates.checks import ChecksGate
from buildwright.gates.flaky import rule_of
from buildwright.gates.junit import CaseResult
from buildwright.ports import GateTools, Judged
from buildwright.sandbox import NoSandbox
from tests.gates.projects import PATH, TREE, changed, judged, patch, write

MEAN = "def mean(values):\n    return sum(values) / len(values)\n"
FASTER = "def mean(values):\n    total = sum(values)\n    return total / len(values)\n"
STEADY = "from stats import mean\n\n\ndef test_mean():\n    assert mean([1, 2, 6]) == 3\n"
FAST = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q"
CHECKS = (Check(name="pytest", command=FAST),)


def chance(counter: Path, *fails: int, name: str = "test_chance") -> str:
    """Return a test that fails in these of its runs, counted from 0 in a file outside of every tree."""
    return f"""import pathlib


def {name}():
    counter = pathlib.Path({str(counter)!r})
    run = len(counter.read_text()) if counter.exists() else 0
    counter.write_text("x" * (run + 1))
    assert run not in {set(fails) or "()"}, "bad luck"
"""


def runs(counter: Path) -> int:
    return len(counter.read_text())


class Home:
    """A gate with a home that outlives it."""

    def __init__(self, folder: Path, checks: tuple[Check, ...] = CHECKS) -> None:
        self._gate = ChecksGate(GateTools(NoSandbox(), PATH, folder / "home" / "setups"))
        self._folder = folder
        self._checks = checks
        self._number = 0

    async def change(self, base: dict[str, str], edits: dict[str, str | None]) -> list[Report]:
        self._number += 1
        return await self._judge(changed(self._folder / str(self._number), base, edits, checks=self._checks))

    async def base(self, files: dict[str, str]) -> list[Report]:
        self._number += 1
        root = write(self._folder / str(self._number), files)

        @asynccontextmanager
        async def checkout(tree: str) -> AsyncIterator[Path]:
            assert tree == TREE
            self._number += 1
            yield Path(shutil.copytree(root, self._folder / str(self._number)))

        return await self._judge(replace(judged(root, checks=self._checks), checkout=checkout))

    async def _judge(self, what: Judged) -> list[Report]:
        return [one.report for one in await self._gate.judge(replace(what, repository="/r"))]


def codes(report: Report) -> list[str]:
    return [one.code for one in report.findings]


def exits(reports: list[Report]) -> list[int | None]:
    return [report.evidence.exit_code for report in reports if report.evidence]


async def test_a_test_that_fails_by_chance_is_named_and_does_not_refuse(tmp_path: Path) -> None:
    base = {"stats.py": MEAN, "test_stats.py": STEADY, "test_chance.py": chance(tmp_path / "n", 0)}
    found = await Home(tmp_path).change(base, {"stats.py": FASTER})
    assert all(report.ok for report in found)
    assert [report.gate for report in found] == [*(f"pytest, run {number} of 4" for number in (1, 2, 3)), "pytest"]
    assert exits(found) == [1, 0, 0, 0], "the evidence of every run is kept"
    (flaky,) = found[-1].findings
    assert (flaky.code, flaky.severity, flaky.file) == ("test.flaky", "warning", "test_chance.py")
    assert "test_chance.py::test_chance is flaky" in flaky.message
    assert "it failed in run 1 and passed in run 2, 3, 4" in flaky.message
    assert {one.severity for one in found[0].findings} == {"note"}
    assert "bad luck" in str(found[0].findings)


async def test_a_test_that_fails_again_counts_as_before(tmp_path: Path) -> None:
    base = {"stats.py": MEAN, "test_stats.py": STEADY}
    (report,) = await Home(tmp_path).change(base, {"stats.py": "def mean(values):\n    return 0\n"})
    assert not report.ok
    assert codes(report) == ["test.failed", "test.tried_again"]
    assert "tried again and failed again" in report.findings[-1].message


async def test_what_does_not_pass_three_times_is_refused(tmp_path: Path) -> None:
    base = {"stats.py": MEAN, "test_chance.py": chance(tmp_path / "n", 0, 3)}
    found = await Home(tmp_path).change(base, {"stats.py": FASTER})
    assert not found[-1].ok
    assert codes(found[-1]) == ["test.failed", "test.tried_again"]
    assert "failed in 2 of 3 runs" in found[-1].findings[-1].message
    assert runs(tmp_path / "n") == 4, "one of them on the base, and no run more than can change the answer"


async def test_one_pass_is_enough_beside_a_change_of_prose(tmp_path: Path) -> None:
    base = {"stats.py": MEAN, "test_chance.py": chance(tmp_path / "n", 0, 1)}
    found = await Home(tmp_path).change(base, {"README.md": "# Mean\n"})
    assert all(report.ok for report in found)
    assert exits(found) == [1, 1, 0]
    assert codes(found[-1]) == ["test.flaky"]


async def test_a_run_cannot_leave_something_in_the_tree_that_lets_the_next_one_pass(tmp_path: Path) -> None:
    lie = (
        "def mean(values):\n"
        "    with open('.seen', 'a') as seen:\n"
        "        if seen.tell() == 0:\n"
        "            seen.write('x')\n"
        "            return 0\n"
        "    return sum(values) / len(values)\n"
    )
    found = await Home(tmp_path).change({"stats.py": MEAN, "test_stats.py": STEADY}, {"stats.py": lie})
    assert not found[-1].ok
    assert "test.tried_again" in codes(found[-1])


@pytest.mark.parametrize("file", ["test_chance.py", "tests/helper.py"])
async def test_a_test_that_the_change_wrote_must_be_steady(tmp_path: Path, file: str) -> None:
    base = {"stats.py": MEAN, "test_stats.py": STEADY, "tests/helper.py": "X = 1\n"}
    name = "test_new.py" if file == "test_chance.py" else "test_chance.py"
    edits: dict[str, str | None] = {"stats.py": FASTER}
    if file == "test_chance.py":
        edits[name] = chance(tmp_path / "n", 0)
    else:
        # The base's test fails by chance only beside the changed helper: as it was before, it passes.
        base[name] = "from tests.helper import X\n" + chance(tmp_path / "n", 2)
        edits[file] = "X = 2\n"
    found = await Home(tmp_path).change(base, edits)
    assert not found[-1].ok
    assert codes(found[-1])[:2] == ["test.flaky_new", "test.failed"]
    assert name in found[-1].findings[0].message
    assert exits(found)[-2:] == [0, 1], "the run that passed is kept beside the one that counts"


@pytest.mark.parametrize(
    "line",
    [
        "import random",
        "import time; time.sleep(0)",
        "import threading; threading.Thread",
        "import os; os.path.exists('x')",
    ],
)
async def test_a_change_that_looks_at_chance_itself_is_not_excused(tmp_path: Path, line: str) -> None:
    base = {"stats.py": MEAN, "test_chance.py": chance(tmp_path / "n", 0)}
    found = await Home(tmp_path).change(base, {"stats.py": f"{line}\n\n\n{FASTER}"})
    assert not found[-1].ok
    assert codes(found[-1])[0] == "test.flaky_new"
    assert "new lines of the change look at chance" in found[-1].findings[0].message


async def test_code_cannot_change_itself_before_it_is_read(tmp_path: Path) -> None:
    test = "import stats\n" + chance(tmp_path / "n", 0)
    lie = f"import random\nopen(__file__, 'w').write({MEAN!r})\n{FASTER}"
    found = await Home(tmp_path).change({"stats.py": MEAN, "test_chance.py": test}, {"stats.py": lie})
    assert not found[-1].ok
    assert codes(found[-1])[0] == "test.flaky_new"


async def test_the_base_may_have_flaky_tests_and_they_are_remembered(tmp_path: Path) -> None:
    home, files = Home(tmp_path), {"stats.py": MEAN, "test_chance.py": chance(tmp_path / "n", 0, 2, 3)}
    found = await home.base(files)
    assert all(report.ok for report in found)
    assert codes(found[-1]) == ["test.flaky"]
    assert "Seen before" not in found[-1].findings[0].message
    found = await Home(tmp_path).change(files, {"stats.py": FASTER})
    assert all(report.ok for report in found), "known to fail without the change, it need not pass three times"
    assert "Seen before in this repository" in found[-1].findings[0].message
    assert exits(found) == [1, 1, 0]


async def test_a_red_base_stays_red(tmp_path: Path) -> None:
    (report,) = await Home(tmp_path).base({"stats.py": "def mean(values):\n    return 0\n", "test_stats.py": STEADY})
    assert not report.ok
    assert codes(report) == ["test.failed", "test.tried_again"]


async def test_a_base_is_tried_again_once(tmp_path: Path) -> None:
    (report,) = await Home(tmp_path).base({"stats.py": MEAN, "test_chance.py": chance(tmp_path / "n", 0, 1)})
    assert not report.ok
    assert "was tried again and failed again" in report.findings[-1].message
    assert runs(tmp_path / "n") == 2


async def test_tests_of_the_base_over_new_code_are_tried_again_too(tmp_path: Path) -> None:
    base = {"stats.py": MEAN, "test_stats.py": STEADY, "test_chance.py": chance(tmp_path / "n", 1)}
    new = STEADY + "\n\ndef test_one():\n    assert mean([7]) == 7\n"
    found = await Home(tmp_path).change(base, {"stats.py": FASTER, "test_stats.py": new})
    assert all(report.ok for report in found)
    before = [report for report in found if report.gate == "pytest, as before"]
    assert [codes(report) for report in before] == [["test.flaky"]]


async def test_nodes_tests_are_tried_again(tmp_path: Path) -> None:
    counter = tmp_path / "n"
    test = (
        "import test from 'node:test';\nimport assert from 'node:assert';\nimport fs from 'node:fs';\n"
        f"test('by chance', () => {{\n  const file = {str(counter)!r};\n"
        "  const run = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').length : 0;\n"
        "  fs.writeFileSync(file, 'x'.repeat(run + 1));\n  assert.notStrictEqual(run, 0);\n});\n"
    )
    base = {"stats.mjs": "export const one = 1;\n", "chance.test.mjs": test}
    home = Home(tmp_path, (Check(name="node", command="node --test"),))
    found = await home.change(base, {"stats.mjs": "export const one = 2 - 1;\n"})
    assert all(report.ok for report in found), found[-1].findings
    assert codes(found[-1]) == ["test.flaky"]
    assert "by chance is flaky" in found[-1].findings[0].message


async def test_a_runner_that_names_only_failures_has_them_named(tmp_path: Path) -> None:
    body = chance(tmp_path / "n", 0).replace("def test_chance()", "def chance()")
    case = "\n\nimport unittest\n\n\nclass Luck(unittest.TestCase):\n    def test_luck(self):\n        chance()\n"
    home = Home(tmp_path, (Check(name="unittest", command="python -m unittest -q"),))
    found = await home.change({"stats.py": MEAN, "test_luck.py": body + case}, {"stats.py": FASTER})
    assert all(report.ok for report in found)
    assert "test_luck.Luck::test_luck is flaky" in found[-1].findings[0].message


async def test_a_check_that_names_no_test_stands_for_itself(tmp_path: Path) -> None:
    script = f"echo x >> {tmp_path}/n\ntest $(wc -l < {tmp_path}/n) -ne 1\n"
    home = Home(tmp_path, (Check(name="all", command="sh check.sh"),))
    found = await home.change({"stats.py": MEAN, "check.sh": script}, {"stats.py": FASTER})
    assert all(report.ok for report in found)
    assert "`sh check.sh` is flaky" in str(found[-1].findings)


@pytest.mark.parametrize(
    ("name", "file", "touched", "own"),
    [
        ("tests/test_a.py::test_x", "tests/test_a.py", "tests/test_a.py", True),
        ("tests/test_a.py::test_x", "tests/test_a.py", "tests/test_b.py", False),
        ("test_a.py::test_x", "test_a.py", "part/test_a.py", True),
        ("tests.test_a.Luck::test_x", "", "tests/test_a.py", True),
        ("tests.test_a.Luck::test_x", "", "tests/test_b.py", False),
        ("tests.test_a.Luck::test_x", "", "tests/conftest.py", True),
        ("test::adds 1.5", "", "a.test.mjs", True),
        ("test::adds 1.5", "", "a.mjs", False),
        ("example.org/stats::TestMean", "", "stats_test.go", True),
        ("sample src/lib.rs::tests::adds", "", "src/lib.rs", True),
        ("`sh check.sh`", "", "tests/a.sh", True),
        ("`sh check.sh`", "", "stats.py", False),
    ],
)
async def test_whose_a_test_is_is_told_by_its_file_and_in_doubt_it_is_the_changes(
    tmp_path: Path, name: str, file: str, touched: str, own: bool
) -> None:
    rule = await rule_of(judged(tmp_path, patch(touched)), (CaseResult(name, "failed", file),), {}, "now")
    assert bool(rule.own) is own


async def test_only_tests_are_tried_again(tmp_path: Path) -> None:
    script = f"echo x >> {tmp_path}/n\nexit 1\n"
    home = Home(tmp_path, (Check(name="lint", kind="lint", command="sh lint.sh"),))
    (report,) = await home.change({"stats.py": MEAN, "lint.sh": script}, {"stats.py": FASTER})
    assert not report.ok
    assert runs(tmp_path / "n") == len("x\n")


CANNED = (
    '<testsuite><testcase classname="S" name="one"><failure message="first try">x</failure></testcase>'
    '<testcase classname="S" name="one"/></testsuite>'
)


async def _with_report(folder: Path, canned: str, command: str = "cp canned.xml out.xml") -> list[Report]:
    checks = (Check(name="unit", command=command, report="out.xml"),)
    return await Home(folder, checks).change({"canned.xml": canned, "stats.py": MEAN}, {"stats.py": FASTER})


async def test_a_runner_that_retries_may_list_a_test_twice(tmp_path: Path) -> None:
    (report,) = await _with_report(tmp_path, CANNED)
    assert report.ok
    assert [(one.code, one.severity) for one in report.findings] == [("test.retried", "note")]
    assert "S::one failed and passed" in report.findings[0].message
    assert report.evidence is not None
    assert report.evidence.tests == 1


@pytest.mark.parametrize(
    ("canned", "command"),
    [
        (CANNED, "cp canned.xml out.xml; false"),
        (CANNED.replace('name="one"/>', 'name="two"/>'), "cp canned.xml out.xml"),
        (
            '<testsuite><testcase name="one"/><testcase name="one"><failure message="m"/></testcase></testsuite>',
            "cp canned.xml out.xml",
        ),
    ],
)
async def test_a_failure_that_no_retry_undid_is_refused(tmp_path: Path, canned: str, command: str) -> None:
    found = await _with_report(tmp_path, canned, command)
    assert not found[-1].ok


RETRIES = """import pytest
from _pytest.runner import runtestprotocol


def pytest_runtest_protocol(item, nextitem):
    # As pytest-rerunfailures does: a report of a failure that is tried again has the outcome "rerun".
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    if any(one.failed for one in reports) and item.name == "test_chance":
        for one in reports:
            one.outcome = "rerun" if one.failed else one.outcome
            item.ihook.pytest_runtest_logreport(report=one)
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for one in reports:
        item.ihook.pytest_runtest_logreport(report=one)
    return True
"""


async def test_what_a_plugin_of_pytest_ran_again_is_named(tmp_path: Path) -> None:
    base = {"stats.py": MEAN, "test_chance.py": chance(tmp_path / "n", 0), "conftest.py": RETRIES}
    (report,) = await Home(tmp_path).change(base, {"stats.py": FASTER})
    assert report.ok, report.findings
    assert codes(report) == ["test.retried"]
    assert "test_chance.py::test_chance failed and passed" in report.findings[0].message


async def test_a_runner_that_ends_before_any_test_is_not_tried_again(tmp_path: Path) -> None:
    counter = tmp_path / "runs"
    broken = (
        f"import pathlib\n\npathlib.Path({str(counter)!r}).open('a').write('x')\nraise SystemExit('no pytest here')\n"
    )
    check = Check(name="pytest", command="python stub.py -m pytest", kind="test")
    report, *_ = await Home(tmp_path, (check,)).base({"stub.py": broken})
    assert not report.ok
    assert "test.tried_again" not in codes(report)
    assert runs(counter) == 1
