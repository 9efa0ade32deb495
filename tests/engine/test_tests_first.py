"""Tests before their code: they must fail until the code is there, then pass, and hold up nobody else meanwhile."""

from __future__ import annotations

from pathlib import Path

from buildwright.core import event as e
from buildwright.core.build import Build
from buildwright.core.finding import Verdict
from buildwright.core.graph import Graph
from buildwright.core.limits import Check, Limits
from buildwright.core.task import Task
from buildwright.gates.checks import ChecksGate
from buildwright.ports import Builds, GateTools
from buildwright.sandbox import NoSandbox
from tests.adapters.scripted_agent import Step, Write
from tests.engine.harness import ONE_PROCESS, Site, make_site
from tests.gates.projects import PATH

CHECK = Check(name="unit", command="python3 -m unittest -q", kind="test")
BASE = {
    "app.py": "def one():\n    return 1\n",
    "test_app.py": "import unittest\nimport app\n\n\nclass AppTest(unittest.TestCase):\n"
    "    def test_one(self):\n        self.assertEqual(app.one(), 1)\n",
}
TEST = (
    "import unittest\nfrom add import add\n\n\nclass AddTest(unittest.TestCase):\n"
    "    def test_add(self):\n        self.assertEqual(add(1, 2), 3)\n"
)
CODE = "def add(a, b):\n    return a + b\n"
TESTS_FIRST = Task(id="tests", title="Tests of add", tests_first=("code",))
BETWEEN = Task(id="between", title="Something else", depends_on=("tests",))
CODE_LATER = Task(id="code", title="Add", depends_on=("between",))


async def built(
    tmp_path: Path, builds: Builds, **written: tuple[str, str] | list[tuple[str, str]]
) -> tuple[Site, Build]:
    """Build tests, something else, then code; `written` are path and text of each task's files."""
    script: dict[tuple[str, int], list[Step]] = {
        (task, 1): [Write(*one) for one in (files if isinstance(files, list) else [files])]
        for task, files in written.items()
    }
    site = make_site(tmp_path, builds, script, (ChecksGate(GateTools(NoSandbox(), PATH)),), BASE)
    graph = Graph(tasks=(TESTS_FIRST, BETWEEN, CODE_LATER))
    build = await site.build(graph, checks=(CHECK,), limits=Limits(attempts=1), on_failure="fail")
    return site, build


def verdict_on(site: Site, task: str) -> Verdict:
    return next(
        one.event.verdict for one in site.journal if isinstance(one.event, e.PatchJudged) and one.event.task == task
    )


@ONE_PROCESS
async def test_tests_come_first_and_pass_with_their_code(tmp_path: Path, builds: Builds) -> None:
    site, build = await built(
        tmp_path, builds, tests=("test_add.py", TEST), between=("more.py", "x = 1\n"), code=("add.py", CODE)
    )
    assert build.outcome == "succeeded"
    red = verdict_on(site, "tests")
    shown = next(report for report in red.reports if report.gate == "unit, tests first")
    assert shown.evidence is not None
    assert shown.evidence.exit_code == 1
    assert not red.whole
    assert any(
        "tests of tests (test_add.py)" in one.message for r in verdict_on(site, "between").reports for one in r.findings
    )
    green = verdict_on(site, "code")
    assert green.whole
    assert [report.evidence.tests for report in green.reports if report.evidence and not report.evidence.surface] == [2]


async def test_tests_that_pass_already_are_refused(tmp_path: Path, builds: Builds) -> None:
    empty = TEST.replace("from add import add\n", "").replace("add(1, 2)", "1 + 2")
    _, build = await built(tmp_path, builds, tests=("test_add.py", empty))
    assert [one.code for one in build.task("tests").findings] == ["tests.not_red"]


async def test_tests_first_do_not_excuse_what_the_task_breaks(tmp_path: Path, builds: Builds) -> None:
    broken = [("test_add.py", TEST), ("app.py", "def one():\n    return 2\n")]
    _, build = await built(tmp_path, builds, tests=broken)
    assert build.outcome == "failed"
    assert "test_one" in " ".join(one.message for one in build.task("tests").findings)


async def test_code_has_to_make_the_tests_pass_as_they_were(tmp_path: Path, builds: Builds) -> None:
    first = {"tests": ("test_add.py", TEST), "between": ("more.py", "x = 1\n")}
    weak = TEST.replace("add(1, 2), 3", "add(1, 2), 0")
    _, build = await built(
        tmp_path, builds, **first, code=[("add.py", CODE.replace("a + b", "0")), ("test_add.py", weak)]
    )
    assert build.outcome == "failed"
    assert "tests.still_red" in [one.code for one in build.task("code").findings]


async def test_code_that_leaves_them_failing_is_refused(tmp_path: Path, builds: Builds) -> None:
    wrong = CODE.replace("a + b", "a - b")
    first = {"tests": ("test_add.py", TEST), "between": ("more.py", "x = 1\n")}
    _, build = await built(tmp_path, builds, **first, code=("add.py", wrong))
    assert build.outcome == "failed"
    assert build.task("code").rejection == "gate"
