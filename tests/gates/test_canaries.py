"""Canary tests among a project's own, in the real runner of Node and in Cargo; the form of the others' files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from buildwright.core.limits import Check
from buildwright.gates.canaries import Canaries, CanaryResults, naming_tests
from buildwright.gates.junit import CaseResult, Tally
from buildwright.gates.node_reporting import node_reporting, node_reports
from buildwright.gates.results import agreed
from buildwright.gates.test_output import read_run
from tests.gates.projects import write

COMMONJS = "const { test } = require('node:test');\ntest('fine', () => {});\n"
MODULE = "import { test } from 'node:test';\ntest('fine', () => {});\n"
NODE = Check(name="node", command="node --test", report="node --test")


def place(root: Path, check: Check = NODE, tests: tuple[str, ...] = ("a.test.js",), **given: bool) -> Canaries:
    canaries = Canaries.place(root, check, tests, **given)
    assert canaries is not None
    return canaries


def run(root: Path, command: str, private: Path) -> tuple[Tally, int]:
    private.mkdir(exist_ok=True)
    env = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        "CI": "1",
        "NO_COLOR": "1",
        **node_reporting(private),
    }
    done = subprocess.run(
        ["sh", "-c", command], cwd=root, env=env, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    results = agreed(command, node_reports(private, str(root)), read_run(done.stdout.decode()))
    assert results.tally is not None, done.stdout
    return results.tally, done.returncode


@pytest.mark.parametrize(
    ("files", "test", "command"),
    [
        ({"a.test.js": COMMONJS}, "a.test.js", "node --test"),
        ({"test/test-a.mjs": MODULE}, "test/test-a.mjs", "node --test"),
        ({"a.test.js": MODULE, "package.json": '{"type": "module"}'}, "a.test.js", "node --test"),
        # The command names its files, so the tests are added to one of them.
        ({"a.test.js": COMMONJS}, "a.test.js", "node --test a.test.js"),
        ({"a.test.mjs": MODULE}, "a.test.mjs", "node --test a.test.mjs"),
        ({"test.js": COMMONJS}, "test.js", "node --test"),
        (
            {"a.test.js": COMMONJS, "package.json": '{"scripts": {"test": "npm run t", "t": "node --test"}}'},
            "a.test.js",
            "npm test",
        ),
        (
            {"a.test.js": COMMONJS, "package.json": '{"scripts": {"test": "node --test", "posttest": "exit 3"}}'},
            "a.test.js",
            "npm test --ignore-scripts",
        ),
    ],
)
def test_an_honest_run_of_nodes_runner_keeps_every_plan(
    tmp_path: Path, files: Mapping[str, str], test: str, command: str
) -> None:
    root = write(tmp_path / "project", files)
    canaries = place(root, Check(name="t", command=command), (test,), failing=True)
    tally, code = run(root, command, tmp_path / "private")
    assert (code, tally.ran, tally.skipped, len(tally.findings)) == (1, 3, 1, 1)
    results = canaries.judge(tally, code)
    assert (results.exit_code, results.findings, results.tally.findings) == (0, (), ())
    assert [(case.name.rpartition("::")[2], case.outcome) for case in results.tally.cases] == [("fine", "passed")]
    assert (results.tally.ran, results.tally.skipped) == (1, 0)
    canaries.remove(root)
    assert {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()} == files


def test_a_real_failure_beside_them_keeps_the_exit_code(tmp_path: Path) -> None:
    root = write(tmp_path / "project", {"a.test.js": COMMONJS.replace("{});", "{ throw new Error('no'); });")})
    canaries = place(root)
    results = canaries.judge(*run(root, "node --test", tmp_path / "private"))
    assert (results.exit_code, len(results.tally.findings), results.findings) == (1, 1, ())


BENDERS = {
    "an exit hook": "process.on('exit', () => { process.exitCode = 0; });",
    "an early end": "if (process.env.NODE_TEST_CONTEXT) process.exit(0);",
    "no test fails": "const t = require('node:test'); const m = require('node:module'); const load = m._load;"
    "m._load = (name, ...rest) => name === 'node:test' ? Object.assign((n) => t(n, () => {}), "
    "{ test: Object.assign((n) => t(n, () => {}), { skip: t.skip }) }) : load(name, ...rest);",
}


@pytest.mark.parametrize("text", BENDERS.values(), ids=BENDERS)
def test_a_start_up_file_that_bends_the_run_gives_itself_away(tmp_path: Path, text: str) -> None:
    root = write(tmp_path / "project", {"a.test.js": COMMONJS, "hook.cjs": text})
    canaries = place(root, Check(name="t", command="node --test --require ./hook.cjs"), failing=True)
    results = canaries.judge(*run(root, "node --require ./hook.cjs --test", tmp_path / "private"))
    assert "test.canary" in {one.code for one in results.findings} or results.exit_code != 0
    assert results.findings


def test_names_and_files_say_nothing_of_what_they_are_for(tmp_path: Path) -> None:
    root = write(tmp_path, {"a.test.js": COMMONJS})
    seen = [place(root) for _ in range(3)]
    assert len({one.path for one in seen}) == 3 or len({title for one in seen for title in one.planned}) == 9
    for one in seen:
        text = (root / one.path).read_text().lower()
        assert not any(word in text for word in ("canary", "control", "buildwright", "planned"))


@pytest.mark.parametrize(
    ("package", "command"),
    [
        ({}, "node --test && tsc"),
        ({}, "node --test --test-force-exit; jest --bail"),
        ({"package.json": '{"scripts": {"test": "jest"}, "jest": {"coverageThreshold": {}}}'}, "npm test"),
        ({".mocharc.yml": "bail: true\n"}, "mocha"),
        ({"package.json": '{"scripts": {"pretest": "eslint .", "test": "mocha"}}'}, "npm test"),
    ],
)
def test_the_failing_one_is_left_out_where_it_would_hide_another_reason(
    tmp_path: Path, package: Mapping[str, str], command: str
) -> None:
    sample = COMMONJS if "node" in command else "test('fine', () => {});\n"
    root = write(tmp_path, {"a.test.js": sample, **package})
    canaries = place(root, Check(name="t", command=command))
    assert sorted(canaries.planned.values()) == ["passed", "skipped"]
    cases = tuple(CaseResult(f"a::{title}", outcome) for title, outcome in canaries.planned.items())
    assert canaries.judge(Tally(5, 1, (), cases), 1) == (Tally(4), 1, ())


@pytest.mark.parametrize(
    ("command", "sample", "text", "starts", "calls"),
    [
        ("npx jest", "src/user.test.js", "test('x', () => {});", "", "test("),
        ("npx jest", "src/user.test.ts", "import { a } from './a';\ntest('x', a);", "export {};", "test("),
        ("npx jest", "a_test.js", "const { test } = require('@jest/globals');", "const { test: ", "("),
        ("vitest run", "src/user.spec.tsx", "import { it } from 'vitest';", "import { test as ", "("),
        ("vitest run", "src/user.spec.ts", "it('x', () => {});", "", "test("),
        ("mocha", "test/user.js", "describe('x', () => it('y'));", "", "it("),
        ("mocha --ui tdd", "test/user.js", "suite('x', () => {});", "", "test("),
        ("mocha", "test/user.mjs", "import { it } from 'mocha';", "import { it as ", "("),
        ("go test ./...", "calc/calc_test.go", "package calc_test\n", "package calc_test\n", "testing.T"),
    ],
)
def test_the_form_of_the_projects_own_tests_is_followed(
    tmp_path: Path, command: str, sample: str, text: str, starts: str, calls: str
) -> None:
    root = write(tmp_path, {sample: text})
    canaries = place(root, Check(name="t", command=command), (sample,), failing=True)
    placed = (root / canaries.path).read_text()
    assert placed.startswith(starts)
    assert calls in placed
    assert (posix := Path(canaries.path)).parent == Path(sample).parent
    assert posix.name.partition(".")[2] == Path(sample).name.partition(".")[2]
    assert all(title in placed for title in canaries.planned)


@pytest.mark.parametrize(
    ("command", "run"),
    [
        ("go test .", "go test -v ."),
        ("cd lib && go test ./... -count=1", "cd lib && go test -v ./... -count=1"),
        ("go vet -v ./... && go test ./...", "go vet -v ./... && go test -v ./..."),
        ("go test -vet=off ./...; go test -json ./...", "go test -v -vet=off ./...; go test -json ./..."),
        ("go test -race --v ./...", "go test -race --v ./..."),
        ("go test ./... -test.v", "go test ./... -test.v"),
        ("cargo test --no-fail-fast", "cargo test --no-fail-fast"),
    ],
)
def test_go_is_asked_to_name_all_tests(command: str, run: str) -> None:
    assert naming_tests(command) == run


def test_none_are_placed_where_a_script_runs_go_without_naming_tests(tmp_path: Path) -> None:
    sample = 'package a\n\nimport "testing"\n\nfunc TestA(t *testing.T) {}\n'
    for script, is_placed in (("go test ./...", False), ("go test -v ./...", True)):
        package = json.dumps({"scripts": {"test": script}})
        root = write(tmp_path / script.replace("/", "-"), {"a_test.go": sample, "package.json": package})
        found = Canaries.place(root, Check(name="npm", command="npm test"), ("a_test.go",))
        assert (found is not None) == is_placed


SUM = """import unittest


class Sum(unittest.TestCase):
    def test_adds(self):
        self.assertEqual(1 + 2, 3)
"""
SEARCH = "python -m unittest discover -s tests"


def run_unittest(files: Path, canaries: Canaries, command: str) -> tuple[CanaryResults, str]:
    done = subprocess.run(
        command.replace("python", sys.executable), shell=True, cwd=files, check=False, capture_output=True, text=True
    )
    told = read_run(done.stdout + done.stderr)
    assert told is not None, done.stderr
    return canaries.judge(told, done.returncode), done.stderr


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (SEARCH, "tests/test_sum.py"),
        (f"{SEARCH} -v", "tests/test_sum.py"),
        ("python -m unittest", "tests/test_sum.py"),
        ("python -m unittest discover . '*_test.py' -b", "tests/sum_test.py"),
        ("python -m unittest -v tests.test_sum", "tests/test_sum.py"),
        ("python -m unittest tests/tests.py", "tests/tests.py"),
    ],
)
def test_an_honest_run_of_unittest_keeps_every_plan(tmp_path: Path, command: str, path: str) -> None:
    files = {"tests/__init__.py": "", path: SUM}
    root = write(tmp_path / "project", files)
    canaries = place(root, Check(name="t", command=command), (path,))
    assert "failed" in canaries.planned.values()
    results, said = run_unittest(root, canaries, command)
    assert (results.exit_code, results.findings) == (0, ()), said
    assert (results.tally.ran, results.tally.skipped, results.tally.findings) == (1, 0, ())
    canaries.remove(root)
    left = {one.relative_to(root).as_posix(): one.read_text() for one in root.rglob("*.py")}
    assert left == files


@pytest.mark.parametrize("command", ["python manage.py test", ".venv/bin/python manage.py test -v 2"])
def test_in_a_search_of_django_they_stand_where_it_looks(tmp_path: Path, command: str) -> None:
    root = write(tmp_path, {"shop/__init__.py": "", "shop/tests.py": SUM})
    canaries = place(root, Check(name="t", command=command), ("shop/tests.py",))
    assert (canaries.path, set(canaries.planned.values())) == ("shop/tests.py", {"passed", "failed", "skipped"})


BENT_UNITTEST = {
    "failures are no failures": "import unittest\nunittest.TestResult.addFailure = lambda *a: None\n"
    "unittest.TextTestResult.addFailure = unittest.TestResult.addFailure\n",
    "the run is always well": "import unittest\nunittest.TestResult.wasSuccessful = lambda self: True\n",
    "tests are dropped": "import unittest\nunittest.TestLoader.loadTestsFromModule = "
    "lambda self, module, **k: self.suiteClass(map(self.loadTestsFromTestCase, [getattr(module, 'Sum')] if "
    "hasattr(module, 'Sum') else []))\n",
    "claims are empty": "import unittest\nunittest.TestCase.assertEqual = lambda *a: None\n",
    "a report of its own": "import os, sys\nsys.stderr.write('test_adds (tests.test_sum.Sum.test_adds) ... ok\\n\\n"
    "Ran 1 test in 0.000s\\n\\nOK\\n')\nos._exit(0)\n",
}


@pytest.mark.parametrize("verbose", ["", " -v"])
@pytest.mark.parametrize("text", BENT_UNITTEST.values(), ids=BENT_UNITTEST)
def test_a_run_of_unittest_that_is_bent_gives_itself_away(tmp_path: Path, text: str, verbose: str) -> None:
    root = write(tmp_path, {"tests/__init__.py": "import total\n", "tests/test_sum.py": SUM, "total.py": text})
    canaries = place(root, Check(name="t", command=SEARCH + verbose), ("tests/test_sum.py",))
    results, said = run_unittest(root, canaries, f"{SEARCH} -t .{verbose}")
    assert "test.canary" in {one.code for one in results.findings}, said


@pytest.mark.parametrize(
    ("command", "files"),
    [
        ("python -m unittest tests.test_sum.Sum", {}),
        ("python -m unittest discover -k adds", {}),
        (f"{SEARCH} -p 'check*.py'", {}),
        (SEARCH, {"tests/__init__.py": "def load_tests(loader, tests, pattern):\n    return tests\n"}),
        ("python -m unittest", {"tests/__init__.py": None}),
        ("python manage.py test tests.test_sum", {}),
        ("python manage.py test -k adds", {}),
    ],
)
def test_where_unittest_would_not_find_them_there_are_none(
    tmp_path: Path, command: str, files: Mapping[str, str | None]
) -> None:
    whole = {"tests/__init__.py": "", "tests/test_sum.py": SUM, **files}
    root = write(tmp_path, {path: text for path, text in whole.items() if text is not None})
    assert Canaries.place(root, Check(name="t", command=command), ("tests/test_sum.py",)) is None


def test_of_a_file_that_the_runner_leaves_out_nothing_is_concluded(tmp_path: Path) -> None:
    root = write(tmp_path, {"e2e/a.test.js": "test('x', () => {});"})
    canaries = place(root, Check(name="t", command="jest"), ("e2e/a.test.js",))
    one = (CaseResult("src/b.test.js::fine", "passed", "src/b.test.js"),)
    results = canaries.judge(Tally(1, 0, (), one), 0)
    assert [(said.code, said.severity) for said in results.findings] == [("test.canary", "warning")]
    mine = (CaseResult("e2e/a.test.js::x", "passed", "e2e/a.test.js"),)
    assert "error" in {said.severity for said in canaries.judge(Tally(1, 0, (), mine), 0).findings}


CARGO = '[package]\nname = "sample"\nversion = "0.1.0"\nedition = "2021"\n'


def test_an_integration_test_is_placed_for_cargo_and_read_in_its_output(tmp_path: Path) -> None:
    """The output is of the form that `tests/data/console/cargo_fail.txt` records."""
    root = write(
        tmp_path, {"Cargo.toml": CARGO, "src/lib.rs": "#[cfg(test)]\nmod t {\n    #[test]\n    fn fine() {}\n}\n"}
    )
    canaries = place(root, Check(name="cargo", command="cargo test --no-fail-fast --offline"), ("src/lib.rs",))
    assert re.fullmatch(r"tests/\w+\.rs", canaries.path)
    text = (root / canaries.path).read_text()
    assert all(f"fn {name}()" in text for name in canaries.planned)
    said = {"passed": "ok", "failed": "FAILED", "skipped": "ignored"}
    lines = [f"test {name} ... {said[outcome]}" for name, outcome in canaries.planned.items()]
    failed = next(name for name, outcome in canaries.planned.items() if outcome == "failed")
    output = "\n".join(
        [
            "     Running unittests src/lib.rs (target/debug/deps/sample-e6daf73c296d6df0)",
            "",
            "running 1 test",
            "test t::fine ... ok",
            "",
            "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "",
            f"     Running {canaries.path} (target/debug/deps/sample-0a1b2c3d4e5f6a7b)",
            "",
            "running 3 tests",
            *lines,
            "",
            "failures:",
            "",
            f"---- {failed} stdout ----",
            "",
            f"thread '{failed}' (19344) panicked at {canaries.path}:9:5:",
            "assertion `left == right` failed",
            "",
            "",
            "failures:",
            f"    {failed}",
            "",
            "test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "",
        ]
    )
    tally = read_run(output)
    assert tally is not None
    results = canaries.judge(tally, 101)
    assert (results.exit_code, results.findings) == (0, ())
    assert [case.name for case in results.tally.cases] == ["sample src/lib.rs::t::fine"]


@pytest.mark.parametrize(
    ("files", "command", "tests"),
    [
        ({"a.test.js": COMMONJS}, "make test", ("a.test.js",)),
        ({"a.test.js": "test('x', () => {});"}, "node --test", ("a.test.js",)),
        ({"a_test.py": ""}, "node --test", ("a_test.py",)),
        ({}, "npm test", ()),
        ({"Cargo.toml": CARGO}, "cargo test --lib", ("src/lib.rs",)),
        ({"a.test.js": "test('x', () => {});"}, "jest -t sums", ("a.test.js",)),
        ({"a.spec.ts": "import { test } from '@playwright/test';"}, "vitest run", ("a.spec.ts",)),
    ],
)
def test_where_the_runner_or_a_place_is_not_known_there_are_none(
    tmp_path: Path, files: Mapping[str, str], command: str, tests: tuple[str, ...]
) -> None:
    assert Canaries.place(write(tmp_path, files), Check(name="t", command=command), tests) is None


def test_a_link_out_of_the_checkout_is_not_followed(tmp_path: Path) -> None:
    root = write(tmp_path / "project", {"b/c.js": ""})
    outside = write(tmp_path / "outside", {"a.test.js": COMMONJS})
    (root / "t").symlink_to(outside)
    assert Canaries.place(root, NODE, ("t/a.test.js",)) is None
    assert [path.name for path in outside.iterdir()] == ["a.test.js"]


def test_a_runner_that_names_no_test_is_told(tmp_path: Path) -> None:
    canaries = place(write(tmp_path, {"a.test.js": COMMONJS}))
    results = canaries.judge(Tally(4), 1)
    assert (results.exit_code, [one.severity for one in results.findings]) == (1, ["warning"])
