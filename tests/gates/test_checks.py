"""The checks gate on real projects, with the real tools, in both sandboxes."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from buildwright.core.finding import Report, Verdict
from buildwright.core.limits import Check
from buildwright.core.patch import FileChange, Patch
from buildwright.errors import BadSettings
from buildwright.gates.causes import way_to_get
from buildwright.gates.checks import ChecksGate
from buildwright.ports import GateTools, Sandbox
from buildwright.sandbox import Bubblewrap, NoSandbox
from tests.gates.projects import PATH, TREE, changed, judged, write

ADD = "def add(a: int, b: int) -> int:\n    return a + b\n"
GOOD = "from calc import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n\ndef test_zero():\n    assert add(0, 0) == 0\n"
BAD = GOOD + "\ndef test_wrong():\n    assert add(1, 2) == 4, 'three is not four'\n"
FAST = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q"


@pytest.fixture(params=[NoSandbox(), Bubblewrap()], ids=lambda sandbox: sandbox.name)
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    found: Sandbox = request.param
    return found


async def reports(root: Path, sandbox: Sandbox | None = None, **more: Any) -> list[Report]:
    gate = ChecksGate(GateTools(sandbox or NoSandbox(), PATH))
    return [one.report for one in await gate.judge(judged(root, **more))]


def command(line: str, **more: Any) -> tuple[Check, ...]:
    return (Check(name="it", command=line, **more),)


def codes(report: Report) -> list[str]:
    return [one.code for one in report.findings]


async def test_good_tests_pass_with_evidence(sandbox: Sandbox, tmp_path: Path) -> None:
    write(tmp_path, {"calc.py": ADD, "test_calc.py": GOOD})
    heard: list[str] = []
    judgements = await ChecksGate(GateTools(sandbox, PATH)).judge(judged(tmp_path, on_output=heard.append))
    assert len(judgements) == 1
    report, output = judgements[0]
    assert report.ok, report.findings
    assert report.kind == "test"
    assert b"2 passed" in output
    assert "".join(heard).encode() == output
    evidence = report.evidence
    assert evidence is not None
    assert (evidence.tree, evidence.exit_code, evidence.tests, evidence.sandbox) == (TREE, 0, 2, sandbox.name)
    assert evidence.output_digest == hashlib.sha256(output).hexdigest()
    assert evidence.command == "python -m pytest -q"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["calc.py", "test_calc.py"]


async def test_a_failing_test_is_a_finding_with_its_place(sandbox: Sandbox, tmp_path: Path) -> None:
    write(tmp_path, {"calc.py": ADD, "tests/test_calc.py": BAD, "conftest.py": ""})
    (report,) = await reports(tmp_path, sandbox)
    assert not report.ok
    (finding,) = report.findings
    assert (finding.code, finding.file, finding.line) == ("test.failed", "tests/test_calc.py", 11)
    assert "three is not four" in finding.message
    assert "test_wrong" in finding.message
    assert report.evidence is not None
    assert report.evidence.tests == 3


async def test_what_cannot_be_imported_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, {"test_calc.py": "import no_such_module_at_all\n"})
    (report,) = await reports(tmp_path, checks=command(FAST))
    assert codes(report) == ["test.error"]
    assert "no_such_module_at_all" in report.findings[0].message


async def test_a_setting_of_a_plugin_that_is_missing_names_the_plugin(tmp_path: Path) -> None:
    settings = "[tool.pytest.ini_options]\nfilterwarnings = ['error']\nqt_api = 'pyside6'\ntimeout = 60\n"
    write(tmp_path, {"calc.py": ADD, "test_calc.py": GOOD, "pyproject.toml": settings})
    (report,) = await reports(tmp_path, checks=command("python -m pytest -q"))
    assert not report.ok
    assert report.findings[0].fix.startswith("pytest-qt is not in the Python of the checks")


async def test_a_program_that_may_not_be_run_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"tool": "#!/bin/sh\n"})
    *_, report = await reports(tmp_path, checks=command("PATH=$PWD; tool --all"))
    assert codes(report) == ["check.tool_missing"]
    assert report.findings[0].message.startswith("tool, which `PATH=$PWD; tool --all` calls, may not be run")


NOTHING = {
    "no test in the file": ({"test_a.py": "x = 1\n"}, command(FAST)),
    "all skipped": ({"test_a.py": "import pytest\n@pytest.mark.skip\ndef test_a(): pass\n"}, command(FAST)),
    "settings only": ({"pyproject.toml": "[tool.pytest.ini_options]\n"}, ()),
    "exit code hidden": ({"test_a.py": "x = 1\n"}, command(f"{FAST}; true")),
    "node without tests": (
        {"package.json": json.dumps({"scripts": {"test": "node --test"}}), "index.js": "1\n"},
        (),
    ),
    "unittest without tests": ({"test_a.py": "x = 1\n"}, command("python -m unittest discover || true")),
    "said by jest": ({}, command("echo 'No tests found, exiting with code 0'")),
}


@pytest.mark.parametrize("name", NOTHING)
async def test_nothing_collected_is_a_no(tmp_path: Path, name: str) -> None:
    files, checks = NOTHING[name]
    write(tmp_path, files)
    *_, report = await reports(tmp_path, checks=checks)
    assert not report.ok
    assert codes(report) == ["test.none_collected"]


async def test_what_is_said_of_skipped_tests_is_not_of_canaries(tmp_path: Path) -> None:
    """Canary tests fail on purpose: who reads of them looks for a fault that is none."""
    write(tmp_path, {"a.test.js": "const { it } = require('node:test');\nit.skip('adds', () => {});\n"})
    (report,) = await reports(tmp_path, checks=command("node --test", report="node --test"))
    assert codes(report) == ["test.none_collected"]
    assert report.findings[0].message == "it proved nothing: all 1 tests were skipped by `node --test`."


async def test_a_report_that_says_failed_outweighs_exit_code_zero(tmp_path: Path) -> None:
    write(tmp_path, {"calc.py": ADD, "test_calc.py": BAD})
    *_, report = await reports(tmp_path, checks=command(f"{FAST} || true"))
    assert codes(report) == ["test.disagreement", "test.failed"]


async def test_an_exit_code_outweighs_a_report_that_says_passed(tmp_path: Path) -> None:
    write(tmp_path, {"calc.py": ADD, "test_calc.py": GOOD})
    *_, report = await reports(tmp_path, checks=command(f"{FAST}; exit 9"))
    assert codes(report) == ["check.failed"]
    assert "exited with code 9" in report.findings[0].message


async def test_a_failure_in_the_first_of_two_runs_counts(tmp_path: Path) -> None:
    write(tmp_path, {"calc.py": ADD, "a/test_calc.py": BAD, "b/test_calc.py": GOOD})
    *_, report = await reports(tmp_path, checks=command(f"for d in a b; do PYTHONPATH=. {FAST} $d; done"))
    assert codes(report) == ["test.disagreement", "test.failed"]


async def test_a_report_that_lies_ready_is_not_believed(tmp_path: Path) -> None:
    write(tmp_path, {"out/report.xml": '<testsuite><testcase name="a"/></testsuite>'})
    (report,) = await reports(tmp_path, checks=command("true", report="out/report.xml"))
    assert codes(report) == ["test.uncounted"]
    assert not report.ok


NODE_TESTS = "const { it } = require('node:test');\nit('adds', () => {});\n"


async def test_nodes_runner_reports_from_inside_the_sandbox(sandbox: Sandbox, tmp_path: Path) -> None:
    write(tmp_path, {"a.test.js": NODE_TESTS, "b.test.js": "// later\n"})
    (report,) = await reports(tmp_path, sandbox, checks=command("node --test", report="node --test"))
    assert (report.ok, report.evidence and report.evidence.tests) == (True, 1)
    # The reporter writes a report of its own: without a readable output it alone tells the number.
    dots = command("node --test --test-reporter=dot", report="node --test")
    (report,) = await reports(tmp_path, sandbox, checks=dots)
    assert (report.ok, report.evidence and report.evidence.tests) == (True, 1)


async def test_an_output_that_tells_of_other_tests_than_the_report_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"a.test.js": NODE_TESTS, "more.sh": "printf '# tests 5\\n# pass 5\\n'\n"})
    (report,) = await reports(tmp_path, checks=command("node --test && sh more.sh", report="node --test"))
    assert codes(report) == ["test.disagreement"]


async def test_a_forged_report_in_the_tree_is_not_taken(tmp_path: Path) -> None:
    forged = '<testsuite tests="1"><testcase name="a"/></testsuite>'
    write(tmp_path, {"report.xml": forged, "test_a.py": "x = 1\n"})
    (report,) = await reports(tmp_path, checks=command(FAST))
    assert codes(report) == ["test.none_collected"]


async def test_a_named_report_is_read_but_no_link_followed(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", {"r.xml": '<testsuite><testcase name="secret"/></testsuite>'})
    root = write(tmp_path / "root", {"make.sh": "echo '<testsuite><testcase name=\"a\"/></testsuite>' > out.xml\n"})
    (report,) = await reports(root, checks=command("sh make.sh", report="out.xml"))
    assert report.ok
    assert report.evidence is not None
    assert report.evidence.tests == 1
    (report,) = await reports(root, checks=command(f"ln -sf {outside}/r.xml out.xml", report="out.xml"))
    assert not report.ok
    assert codes(report) == ["test.uncounted"]


@pytest.mark.parametrize(
    ("line", "ok"), [("./vitest run", False), ("pytest --version", False), ("echo all is well", True)]
)
async def test_a_count_that_cannot_be_read_counts_against_known_runners_only(
    tmp_path: Path, line: str, ok: bool
) -> None:
    write(tmp_path, {"vitest": "#!/bin/sh\necho '{}'\n"}).joinpath("vitest").chmod(0o755)
    (report,) = await reports(tmp_path, checks=command(line))
    assert report.ok == ok
    assert [(one.code, one.severity) for one in report.findings] == [("test.uncounted", "note" if ok else "error")]


async def test_the_trees_own_package_wins_over_an_installed_one(sandbox: Sandbox, tmp_path: Path) -> None:
    """With a src layout `pytest` alone would import an installed package of that name: here, the real `iniconfig`."""
    write(tmp_path, {"pyproject.toml": "[project]\nname='x'\n", "src/iniconfig/__init__.py": "OURS = True\n"})
    line = "python -c 'import iniconfig; assert iniconfig.OURS'"
    (report,) = await reports(tmp_path, sandbox, checks=command(line, kind="other"))
    assert report.ok, report.findings


async def test_of_a_base_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    write(tmp_path, {"mypy.ini": "[mypy]\n", "a.py": "x: int = 'text'\n", "test_a.py": "def test_a(): assert 0\n"})
    report, tests = await reports(tmp_path)
    assert (report.kind, tests.kind) == ("typecheck", "test")
    assert not tests.ok
    (finding,) = report.findings
    assert (finding.code, finding.file, finding.line) == ("mypy.assignment", "a.py", 1)


async def test_typecheck_lint_and_test_each_have_a_verdict(tmp_path: Path) -> None:
    write(tmp_path, {"mypy.ini": "[mypy]\n", "ruff.toml": "", "calc.py": ADD, "test_calc.py": GOOD})
    found = await reports(tmp_path)
    assert [(report.gate, report.kind, report.ok) for report in found] == [
        ("mypy", "typecheck", True),
        ("ruff", "lint", True),
        ("pytest", "test", True),
    ]


async def test_lint_findings_have_rule_and_place(tmp_path: Path) -> None:
    write(tmp_path, {"ruff.toml": "", "a.py": "import os\n", "test_a.py": "def test_a(): pass\n"})
    report, _ = await reports(tmp_path)
    assert [(one.code, one.file, one.line) for one in report.findings] == [("ruff.F401", "a.py", 1)]


async def test_node_tests_are_counted_and_their_failures_found(sandbox: Sandbox, tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "package.json": json.dumps({"name": "x", "scripts": {"test": "node --test"}}),
            "good.test.js": "require('node:test')('fine', () => {});\n",
        },
    )
    (report,) = await reports(tmp_path, sandbox)
    assert report.ok, report.findings
    assert report.evidence is not None
    assert report.evidence.tests == 1
    bad = "const test = require('node:test');\ntest('broken', () => { throw new Error('it broke'); });\n"
    write(tmp_path, {"bad.test.js": bad})
    (report,) = await reports(tmp_path, sandbox)
    assert not report.ok
    assert any("it broke" in one.message and one.file == "bad.test.js" for one in report.findings), report.findings


async def test_a_check_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    (report,) = await reports(tmp_path, checks=command("echo working && sleep 600"), gate_seconds=0.5)
    assert codes(report) == ["check.timeout"]
    assert "working" in report.findings[0].message
    assert report.evidence is not None
    assert report.evidence.exit_code is None


@pytest.mark.parametrize(
    ("script", "limit", "says", "fix"),
    [
        (
            "for n in 1 2 3 4; do head -c 30000000 /dev/zero > f$n; done; sleep 60",
            {"disk_gib": 0.05},
            "51 MiB on disk",
            "--disk",
        ),
        ("head -c 80000000 /dev/zero | tail; sleep 60", {"memory_bytes": 40 * 1024**2}, "40 MiB of memory", "use less"),
    ],
)
async def test_a_check_that_a_limit_ends_is_told_which_and_what_to_do(
    tmp_path: Path, script: str, limit: dict[str, Any], says: str, fix: str
) -> None:
    """It counts as no test that fails by chance, and is not run again."""
    *_, report = await reports(tmp_path, checks=command(script), **limit)
    assert codes(report) == ["check.limit"]
    assert f"more than {says}" in report.findings[0].message
    assert fix in str(report.findings[0].fix)


async def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    (report,) = await reports(tmp_path, checks=command("no-such-linter --all", kind="lint"))
    assert codes(report) == ["check.tool_missing"]
    assert "no-such-linter" in report.findings[0].message
    assert report.findings[0].fix == "declare it as a dependency, or install it on this machine"


def test_the_way_to_get_a_package_manager_is_named() -> None:
    assert way_to_get("pnpm") == "install it: corepack enable pnpm, or npm install --global pnpm"
    assert way_to_get("poetry") == "install it: pipx install poetry, or pip install poetry"


async def test_failure_without_known_words_shows_the_end_of_the_output(tmp_path: Path) -> None:
    line = "seq 1 5000 && echo the last words && exit 3"
    (report,) = await reports(tmp_path, checks=command(line, kind="build"))
    assert codes(report) == ["check.failed"]
    assert "the last words" in report.findings[0].message


async def test_a_project_without_checks_is_not_proven(tmp_path: Path) -> None:
    (report,) = await reports(tmp_path)
    assert not report.ok
    assert codes(report) == ["checks.none"]


async def test_setup_runs_first_and_its_failure_ends_it(tmp_path: Path) -> None:
    checks = command("test -f ready", kind="other")
    found = await reports(tmp_path, checks=checks, setup=("touch ready",))
    assert [(report.gate, report.ok) for report in found] == [("setup", True), ("it", True)]
    found = await reports(tmp_path, checks=checks, setup=("echo no luck; exit 1",))
    assert [(report.gate, codes(report)) for report in found] == [("setup", ["setup.failed"])]


async def test_the_tasks_own_validation_comes_last(tmp_path: Path) -> None:
    checks = command("true", kind="lint")
    found = await reports(tmp_path, checks=checks, task={"validation": {"command": "test -f made"}})
    assert [(report.kind, report.ok) for report in found] == [("lint", True), ("validation", False)]
    write(tmp_path, {"made": ""})
    found = await reports(tmp_path, checks=checks, task={"validation": {"command": "test -f made"}})
    assert [report.ok for report in found] == [True, True]


async def test_checks_see_only_the_allowed_environment(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUILDWRIGHT_CANARY", "canary-55aa")
    monkeypatch.delenv("RUSTUP_HOME", raising=False)
    gate = ChecksGate(GateTools(sandbox, PATH))
    judgements = await gate.judge(judged(tmp_path, checks=command("env && touch $HOME/a $TMPDIR/b", kind="other")))
    output = judgements[0].output.decode()
    names = {line.split("=")[0] for line in output.splitlines() if not line.partition("=")[0].endswith("_ID")}
    of_tools = {"GOCACHE", "GOMODCACHE", "MAVEN_OPTS", "GRADLE_USER_HOME"}  # where there is go, or java
    assert names - of_tools - {"PWD", "OLDPWD", "GIT_CEILING_DIRECTORIES"} == {
        "PATH",
        "HOME",
        "TMPDIR",
        "LANG",
        "CI",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONPATH",
        "PYTEST_ADDOPTS",
        "NODE_OPTIONS",
        "pnpm_config_verify_deps_before_run",
    }
    assert "canary-55aa" not in output
    assert judgements[0].report.ok


async def test_runs_at_the_same_time_do_not_meet(tmp_path: Path) -> None:
    roots = [write(tmp_path / name, {"calc.py": ADD, "test_calc.py": GOOD if name == "a" else BAD}) for name in "ab"]
    first, second = await asyncio.gather(*(reports(root, checks=command(FAST)) for root in roots))
    assert [report.ok for report in (*first, *second)] == [True, False]


async def test_wrong_settings_of_the_project_are_named(tmp_path: Path) -> None:
    write(tmp_path, {"buildwright.toml": "[checks\n"})
    with pytest.raises(BadSettings, match=r"buildwright\.toml"):
        await reports(tmp_path)


@pytest.mark.parametrize(("touched", "ran"), [("server/app.py", True), ("web/page.html", False)])
async def test_a_check_with_paths_runs_for_the_changes_it_concerns(tmp_path: Path, touched: str, ran: bool) -> None:
    write(tmp_path, {"server/app.py": "x = 1\n"})
    checks = (
        Check(name="all", command="true", kind="other"),
        Check(name="api", command="false", kind="other", paths=("server/*",)),
    )
    patch = Patch(base_tree="b", tree=TREE, changes=(FileChange(path=touched, kind="modified"),))
    first, api = await reports(tmp_path, checks=checks, what=patch)
    assert first.ok
    assert api.ok is not ran
    assert Verdict(tree=TREE, reports=(first, api)).whole is ran
    _, whole = await reports(tmp_path, checks=checks)
    assert not whole.ok, "on a whole tree every check runs"


async def test_a_script_that_names_a_folder_is_read_as_none(tmp_path: Path) -> None:
    """`node --test test/` names a folder where a script may stand."""
    package = json.dumps({"name": "x", "scripts": {"test": "node --test test/"}})
    write(tmp_path, {"package.json": package, "test/good.test.js": "require('node:test')('fine', () => {});\n"})
    (report,) = await reports(tmp_path)
    assert report.ok, report.findings


PARTS = {
    "backend/pyproject.toml": '[project]\nname = "api"\nversion = "1"\n',
    "backend/answer.py": "def answer():\n    return 42\n",
    "backend/test_answer.py": "from answer import answer\n\n\ndef test_answer():\n    assert answer() == 42\n",
    "frontend/package.json": '{"scripts": {"test": "node --test", "lint": "node --check page.mjs"}}',
    "frontend/page.mjs": "export const title = 'Page';\n",
    "frontend/page.test.mjs": "import test from 'node:test';\nimport './page.mjs';\ntest('loads', () => {});\n",
}


@pytest.mark.parametrize(
    ("edits", "left_out"),
    [
        ({"backend/answer.py": "def answer():\n    return 6 * 7\n"}, {"npm test (frontend)": "backend/"}),
        ({"frontend/page.mjs": "export const title = 'A page';\n"}, {"pytest (backend)": "frontend/"}),
        ({"shared.json": "{}"}, {}),
        ({"backend/more.py": "x = 1\n", "frontend/more.mjs": "export const x = 1;\n"}, {}),
        ({"backend/notes.py": "PLACE = '../frontend/page.mjs'\n"}, {"npm test (frontend)": "backend/"}),
    ],
)
async def test_the_tests_of_a_part_run_for_changes_that_may_concern_it(
    tmp_path: Path, edits: dict[str, str | None], left_out: dict[str, str]
) -> None:
    found = await ChecksGate(GateTools(NoSandbox(), PATH)).judge(changed(tmp_path, PARTS, edits))
    told = {one.report.gate: one.report for one in found}
    assert all(report.ok for report in told.values()), told
    not_run = {name: report for name, report in told.items() if "check.not_run" in codes(report)}
    assert set(not_run) == set(left_out)
    for name, folder in left_out.items():
        assert f"not run: the change touches only {folder}" in not_run[name].findings[0].message
    assert told["npm lint (frontend)"].evidence is not None, "linters run for every change"


async def test_a_part_that_names_another_is_tested_with_it(tmp_path: Path) -> None:
    reads = "import test from 'node:test';\nimport fs from 'node:fs';\n"
    reads += "test('reads', () => { fs.readFileSync('../backend/answer.py'); });\n"
    base = {**PARTS, "frontend/page.test.mjs": reads}
    found = await ChecksGate(GateTools(NoSandbox(), PATH)).judge(changed(tmp_path, base, {"backend/answer.py": None}))
    assert not all(one.report.ok for one in found)


async def test_a_folder_where_a_report_is_to_be_stops_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """Neither one that an earlier check made, nor one that the check itself makes."""
    write(tmp_path, {"calc.py": ADD, "test_calc.py": GOOD})
    lay = "mkdir -p $HOME/../report.xml/x named.xml/y"
    earlier = Check(name="lint", command=lay, kind="lint")
    later = Check(name="tests", command=FAST, report="pytest")
    done = await reports(tmp_path, sandbox, checks=(earlier, later))
    assert [(one.gate, one.ok) for one in done] == [("lint", True), ("tests", True)], done
    own = Check(name="own", command=f"{FAST}; {lay}", report="named.xml")
    done = await reports(tmp_path, sandbox, checks=(own,))
    assert done[-1].gate == "own"


async def test_a_flood_reaches_the_log_only_in_part(tmp_path: Path) -> None:
    heard: list[str] = []
    flood = Check(name="flood", command="yes 'a line' | head -n 500000; echo last", kind="lint")
    gate = ChecksGate(GateTools(NoSandbox(), PATH))
    *_, done = await gate.judge(judged(tmp_path, checks=(flood,), on_output=heard.append))
    assert done.report.ok
    told = "".join(heard)
    assert len(told) + 100 * told.count("\n") < 1_200_000
    assert "the rest is not shown" in told
    assert done.output.endswith(b"last\n"), "the report keeps the end"
