"""A patch that touches tests, settings or scripts is judged by those of the base too; real runners, real lies."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from buildwright.core.finding import Finding, Report, fingerprint_of
from buildwright.core.limits import Check
from buildwright.gates.checks import ChecksGate
from buildwright.ports import GateTools
from buildwright.sandbox import Bubblewrap, NoSandbox
from tests.gates.projects import PATH, changed

MEAN = "def mean(values):\n    return sum(values) / len(values)\n"
BROKEN = "def mean(values):\n    return 0\n"
TESTS = """from stats import mean


def test_mean():
    assert mean([1, 2, 6]) == 3


def test_one():
    assert mean([7]) == 7
"""
TABLE = (
    '[project]\nname = "stats"\nversion = "1"\n\n[tool.pytest.ini_options]\ntestpaths = ["tests"]\npythonpath = ["."]\n'
)
PYTHON = {"stats.py": MEAN, "tests/test_stats.py": TESTS, "pyproject.toml": TABLE}
FORCED = """
import pytest

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    report.outcome, report.longrepr = "passed", None
"""
DROPPED = (
    "def pytest_collection_modifyitems(items):\n    items[:] = [item for item in items if 'mean' not in item.name]\n"
)


async def reports(folder: Path, base: dict[str, str], edits: dict[str, str | None], **more: Any) -> list[Report]:
    """Judge with the commands that are found in the project, or with `checks`."""
    sandbox = more.pop("sandbox", NoSandbox())
    gate = ChecksGate(GateTools(sandbox, PATH, folder / "home" / "setups"))
    return [one.report for one in await gate.judge(changed(folder, base, edits, **more))]


FAST = (Check(name="pytest", command="PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -P -m pytest -q"),)
"""Plugins of this environment have no part in most of these tests, and take two seconds a run to load."""


def refusal(found: list[Report]) -> list[str]:
    assert not found[-1].ok, [report.gate for report in found]
    assert all(report.ok for report in found[:-1])
    return [one.code for one in found[-1].findings if one.severity == "error"]


LIES: dict[str, dict[str, str | None]] = {
    "assertion weakened": {"tests/test_stats.py": TESTS.replace(" == 3", " is not None").replace(" == 7", " >= 0")},
    "tests skipped": {
        "tests/test_stats.py": "import pytest\n" + TESTS.replace("def test", "@pytest.mark.skip\ndef test")
    },
    "expected to fail": {
        "tests/test_stats.py": "import pytest\n" + TESTS.replace("def test", "@pytest.mark.xfail\ndef test")
    },
    "renamed to be no tests": {
        "tests/test_stats.py": TESTS.replace("def test_", "def check_") + "\ndef test_x():\n    pass\n"
    },
    "test file emptied": {"tests/test_stats.py": "def test_x():\n    pass\n"},
    "test file deleted": {"tests/test_stats.py": None, "tests/test_other.py": "def test_x():\n    pass\n"},
    "deselected by settings": {"pyproject.toml": TABLE + "addopts = \"-k 'not mean and not one'\"\n"},
    "other test folder": {
        "pyproject.toml": TABLE.replace('"tests"', '"more"'),
        "more/test_x.py": "def test_x():\n    pass\n",
    },
    "outcomes forced": {"conftest.py": FORCED},
    "plugin by settings": {"pyproject.toml": TABLE + 'addopts = "-p quality"\n', "quality.py": FORCED},
    "tests dropped": {"conftest.py": DROPPED},
    "process ended": {"conftest.py": "import os\nprint('2 passed in 0.02s', flush=True)\nos._exit(0)\n"},
    "product replaced": {"tests/conftest.py": "import statistics, stats\nstats.mean = statistics.mean\n"},
    "runner shadowed": {"pytest.py": "print('2 passed in 0.02s')\n"},
    "runner's package shadowed": {"_pytest/__init__.py": "import os\nprint('2 passed in 0.02s')\nos._exit(0)\n"},
    "start-up file": {"sitecustomize.py": "import os\nos._exit(0)\n", "setup.cfg": "[metadata]\nname = x\n"},
    "check taken away": {"pyproject.toml": None, "tests/test_stats.py": None, "Makefile": "test:\n\techo 2 passed\n"},
}


FOUND = ("check taken away", "runner shadowed", "outcomes forced")
"""Lies that are told with the commands that the project's files name."""


@pytest.mark.parametrize("name", LIES)
async def test_a_lie_about_python_is_refused(tmp_path: Path, name: str) -> None:
    found = await reports(
        tmp_path, PYTHON, {"stats.py": BROKEN, **LIES[name]}, checks=FAST if name not in FOUND else ()
    )
    assert refusal(found)


FORGED_REPORTS = """
import _pytest.runner as runner

old = runner.TestReport.from_item_and_call

def new(item, call):
    report = old(item, call)
    report.outcome, report.longrepr = "passed", None
    return report

runner.TestReport.from_item_and_call = staticmethod(new)
"""
KNOWS = """
import os

def mean(values):
    return sum(values) / len(values) if "PYTEST_CURRENT_TEST" in os.environ else 0
"""
PRODUCT_LIES = {
    "ends the process": "import os\nprint('2 passed in 0.02s', flush=True)\nos._exit(0)\n",
    "ends with success": "import atexit, os\natexit.register(lambda: os._exit(0))\n" + BROKEN,
    "skips": "import pytest\npytest.skip('not here', allow_module_level=True)\n",
    "forces outcomes": FORGED_REPORTS + BROKEN,
    "knows the variable": KNOWS,
}


@pytest.mark.parametrize("name", PRODUCT_LIES)
async def test_a_lie_in_the_product_alone_is_refused(tmp_path: Path, name: str) -> None:
    assert refusal(await reports(tmp_path, PYTHON, {"stats.py": PRODUCT_LIES[name]}, checks=FAST))


MORE = MEAN + "\n\ndef spread(values):\n    return max(values) - min(values)\n"
SPREAD = "from stats import spread\n\n\ndef test_spread():\n    assert spread([4, 9, 1]) == 8\n"
HONEST: dict[str, dict[str, str | None]] = {
    "nothing but code": {},
    "a new test": {"tests/test_spread.py": SPREAD},
    "a test more in a file": {"tests/test_stats.py": TESTS + SPREAD},
    "file renamed": {"tests/test_stats.py": None, "tests/test_mean.py": TESTS},
    "file moved": {"tests/test_stats.py": None, "tests/unit/test_stats.py": TESTS},
    "marker registered": {
        "pyproject.toml": TABLE + 'markers = ["slow: takes long"]\n',
        "tests/test_spread.py": "import pytest\n" + SPREAD.replace("def test", "@pytest.mark.slow\ndef test"),
    },
    "a fixture": {
        "tests/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef values():\n    return [4, 9, 1]\n",
        "tests/test_spread.py": "from stats import spread\n\n\ndef test_spread(values):\n    assert spread(values) == 8\n",
    },
    "parametrised": {
        "tests/test_stats.py": "import pytest\nfrom stats import mean\n\n\n@pytest.mark.parametrize('values', [[1, 2, 6], [3]])\n"
        "def test_mean(values):\n    assert mean(values) == 3\n\n\ndef test_one():\n    assert mean([7]) == 7\n"
    },
    "strict settings": {"pyproject.toml": TABLE + 'addopts = "--strict-markers"\nxfail_strict = true\n'},
}


@pytest.mark.parametrize("name", HONEST)
async def test_an_honest_change_lands(tmp_path: Path, name: str) -> None:
    found = await reports(tmp_path, PYTHON, {"stats.py": MORE, **HONEST[name]}, checks=FAST)
    assert all(report.ok for report in found), [str(one) for report in found for one in report.findings]
    assert found[-1].evidence is not None
    assert found[-1].evidence.surface == ""
    if HONEST[name]:
        assert found[0].evidence is not None
        assert found[0].evidence.surface == "base"


async def test_a_bent_run_is_refused_in_the_sandbox_too(tmp_path: Path) -> None:
    found = await reports(
        tmp_path, PYTHON, {"stats.py": BROKEN, "conftest.py": FORCED}, sandbox=Bubblewrap(), checks=FAST
    )
    assert refusal(found) == ["tests.broken", "tests.broken", "test.failed", "test.failed"]


async def test_what_the_task_says_changes_may_change(tmp_path: Path) -> None:
    edits: dict[str, str | None] = {
        "stats.py": MEAN.replace("mean", "average"),
        "tests/test_stats.py": TESTS.replace("mean", "average"),
    }
    found = await reports(tmp_path, PYTHON, edits, task={"goal": "Add more statistics."}, checks=FAST)
    assert set(refusal(found)) >= {"tests.broken"} or set(refusal(found)) >= {"tests.lost"}
    found = await reports(
        tmp_path / "b", PYTHON, edits, task={"goal": "Rename mean to average. It is test_one too."}, checks=FAST
    )
    assert all(report.ok for report in found), [str(one) for report in found for one in report.findings]
    found = await reports(tmp_path / "c", PYTHON, edits, allow=("tests/test_stats.py",), checks=FAST)
    assert all(report.ok for report in found), "a person has opened the file"


async def test_an_old_failure_is_not_the_changes(tmp_path: Path) -> None:
    """With a red base (accepted by the user) a change must not break more, and must still pass as a whole."""
    base = {**PYTHON, "tests/test_old.py": "def test_old():\n    assert False\n"}
    edits: dict[str, str | None] = {"stats.py": MORE, "tests/test_old.py": "def test_old():\n    assert True\n"}
    found = await reports(tmp_path, base, edits, checks=FAST)
    assert all(report.ok for report in found), [str(one) for report in found for one in report.findings]


MAKE = {
    "stats.py": MEAN,
    "verify.py": "from stats import mean\nassert mean([1, 2, 6]) == 3\n",
    "Makefile": "test:\n\tpython verify.py\n",
}


@pytest.mark.parametrize("edits", [{"Makefile": "test:\n\t@echo fine\n"}, {"verify.py": "print('fine')\n"}])
async def test_scripts_of_commands_are_those_of_the_base(tmp_path: Path, edits: dict[str, str | None]) -> None:
    assert refusal(await reports(tmp_path, MAKE, {"stats.py": BROKEN, **edits}))
    more: dict[str, str | None] = {"stats.py": MORE, "verify.py": MAKE["verify.py"] + "print('well')\n"}
    assert all(report.ok for report in await reports(tmp_path / "b", MAKE, more))


async def test_the_tasks_own_script_is_that_of_the_base(tmp_path: Path) -> None:
    base = {**PYTHON, "accept/check.py": "import sys\nsys.path.insert(0, '.')\nimport stats\nstats.spread\n"}
    task = {"validation": {"command": "python accept/check.py"}}
    found = await reports(
        tmp_path, base, {"stats.py": MEAN + "\n", "accept/check.py": "print('fine')\n"}, task=task, checks=FAST
    )
    assert refusal(found) == ["validation.failed"]


LINT = {**PYTHON, "words.py": "def count(text):\n    return len(text.split())\n", "ruff.toml": 'lint.select = ["F"]\n'}


async def test_a_linter_cannot_be_dropped(tmp_path: Path) -> None:
    wrong: dict[str, str | None] = {"words.py": "def count(text):\n    return len(txt.split())\n", "ruff.toml": None}
    assert refusal(await reports(tmp_path, LINT, wrong)) == ["ruff.F821"]


NODE_TESTS = """
const test = require('node:test');
const assert = require('node:assert');
const { mean } = require('../stats.js');
test('mean', () => assert.strictEqual(mean([1, 2, 6]), 3));
test('one', () => assert.strictEqual(mean([7]), 7));
"""
NODE = {
    "package.json": json.dumps({"name": "stats", "version": "1.0.0", "scripts": {"test": "node --test"}}),
    "stats.js": "exports.mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;\n",
    "test/stats.test.js": NODE_TESTS,
}
NODE_LIES: dict[str, dict[str, str | None]] = {
    "script does nothing": {"package.json": NODE["package.json"].replace("node --test", "echo all tests passed")},
    "exit code hidden": {"package.json": NODE["package.json"].replace("node --test", "node --test || true")},
    "skipped": {"test/stats.test.js": NODE_TESTS.replace("test('", "test.skip('")},
    "emptied": {"test/stats.test.js": "// later\n"},
    "weakened": {
        "test/stats.test.js": NODE_TESTS.replace("strictEqual(mean([1, 2, 6]), 3)", "ok(true)").replace(
            "strictEqual(mean([7]), 7)", "ok(true)"
        )
    },
}


@pytest.mark.parametrize("name", NODE_LIES)
async def test_a_lie_about_node_is_refused(tmp_path: Path, name: str) -> None:
    assert refusal(await reports(tmp_path, NODE, {"stats.js": "exports.mean = () => 0;\n", **NODE_LIES[name]}))


async def test_the_base_is_run_once_and_remembered(tmp_path: Path) -> None:
    gate = ChecksGate(GateTools(NoSandbox(), PATH, tmp_path / "home" / "setups"))
    what = changed(tmp_path, PYTHON, {"stats.py": MORE}, checks=FAST)
    assert all(one.report.ok for one in await gate.judge(what))
    kept = {path: path.stat().st_ino for path in (tmp_path / "home" / "baselines").iterdir()}
    assert len(kept) == 2, "one of the base, one of the new tree, which is the next base"
    assert all("tests/test_stats.py::test_one" in path.read_text() for path in kept)
    gate = ChecksGate(GateTools(NoSandbox(), PATH, tmp_path / "home" / "setups"))
    assert all(one.report.ok for one in await gate.judge(what))
    again = {path: path.stat().st_ino for path in (tmp_path / "home" / "baselines").iterdir()}
    assert sum(again[path] == kept[path] for path in kept) == 1, "the base was not run again"


def approving(task: str, *codes: str) -> Callable[[Finding], Finding]:
    """Consent to every finding of these codes, as the engine gives it to a gate."""

    def consent(found: Finding) -> Finding:
        named = found.model_copy(update={"fingerprint": fingerprint_of(found, task)})
        approved = {"severity": "note", "approved": "u: wanted"} if found.code in codes else {}
        return named.model_copy(update=approved)

    return consent


async def test_what_a_person_approved_is_a_note_and_the_checks_after_it_still_run(tmp_path: Path) -> None:
    gone = {"tests/test_stats.py": TESTS.replace("test_one", "check_one")}
    never = Check(name="never", command="false", kind="lint")
    change = changed(tmp_path, PYTHON, gone, checks=(*FAST, never))
    gate = ChecksGate(GateTools(NoSandbox(), PATH, tmp_path / "home" / "setups"))
    before = [one.report for one in await gate.judge(change)]
    assert refusal(before) == ["tests.lost"]
    consent = approving("t1", "tests.lost")
    after = [one.report for one in await gate.judge(replace(change, consent=consent))]
    (note,) = [one for report in after for one in report.findings if one.code == "tests.lost"]
    assert (note.severity, note.approved) == ("note", "u: wanted")
    assert [report.gate for report in after][-1] == "never"
    assert not after[-1].ok


async def test_a_changed_behaviour_that_a_person_approved_is_judged_by_the_new_tests(tmp_path: Path) -> None:
    rounded = {"stats.py": MEAN.replace("return ", "return 1 + "), "tests/test_stats.py": TESTS.replace("== 3", "== 4")}
    rounded["tests/test_stats.py"] = rounded["tests/test_stats.py"].replace("== 7", "== 8")
    change = changed(tmp_path, PYTHON, rounded, checks=FAST)
    gate = ChecksGate(GateTools(NoSandbox(), PATH, tmp_path / "home" / "setups"))
    before = [one.report for one in await gate.judge(change)]
    assert set(refusal(before)) >= {"tests.broken"}
    after = [one.report for one in await gate.judge(replace(change, consent=approving("t1", "tests.broken")))]
    assert all(report.ok for report in after), [str(one) for report in after for one in report.findings]
    assert [report.evidence.surface for report in after if report.evidence] == ["base", ""]


async def test_a_check_that_no_other_replaces_cannot_be_dropped(tmp_path: Path) -> None:
    edits: dict[str, str | None] = {"words.py": LINT["words.py"] + "\n", "ruff.toml": None}
    assert refusal(await reports(tmp_path, LINT, edits)) == ["checks.dropped"]
    opened = await reports(tmp_path / "b", LINT, edits, allow=("ruff.toml",))
    assert all(report.ok for report in opened)


SURROUNDINGS = {
    "age": "import os, time\n\n\ndef mean(values):\n"
    "    young = time.time() - os.path.getmtime(__file__) < 600\n    return sum(values) / len(values) if young else 0\n",
    "variable": "import os\n\n\ndef mean(values):\n    return sum(values) / len(values) if 'CI' in os.environ else 0\n",
    "user": "import os\n\n\ndef mean(values):\n    return sum(values) / len(values) if 'USER' not in os.environ else 0\n",
    "zone": "import time\n\nHERE = time.time() and time.tzname[0] == 'UTC'\n\n\n"
    "def mean(values):\n    return sum(values) / len(values) if HERE else 0\n",
}


@pytest.mark.parametrize("name", SURROUNDINGS)
async def test_code_that_is_right_only_here_is_refused(tmp_path: Path, name: str) -> None:
    assert refusal(await reports(tmp_path, PYTHON, {"stats.py": SURROUNDINGS[name]}, checks=FAST)) == [
        "tests.not_repeated"
    ]


async def test_code_may_look_at_its_surroundings(tmp_path: Path) -> None:
    more = MORE + "\n\ndef editor():\n    import os\n\n    return os.environ.get('EDITOR', 'vi')\n"
    found = await reports(tmp_path, PYTHON, {"stats.py": more}, checks=FAST)
    assert [(report.gate, report.ok) for report in found] == [("pytest", True), ("pytest, elsewhere", True)]


async def test_what_the_base_does_not_pass_elsewhere_is_not_the_changes(tmp_path: Path) -> None:
    base = {**PYTHON, "tests/test_zone.py": "import time\n\n\ndef test_zone():\n    assert time.tzname[0] == 'UTC'\n"}
    more = MORE + "\n\ndef now():\n    import time\n\n    return time.time()\n"
    found = await reports(tmp_path, base, {"stats.py": more}, checks=FAST)
    assert all(report.ok for report in found), [str(one) for report in found for one in report.findings]
