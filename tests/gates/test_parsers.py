"""What the parsers read in the output of real tools, and that hostile output costs them no more than its length."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from buildwright.core.finding import LONGEST_MESSAGE
from buildwright.core.limits import Check
from buildwright.gates.junit import CaseResult, read_junit
from buildwright.gates.project_run import despite_success
from buildwright.gates.reporting import clip, finding
from buildwright.gates.test_output import read_run
from buildwright.gates.tool_output import findings_in, within

Place = tuple[str, str | None, int | None]

ESLINT: list[Place] = [
    ("eslint.no-var", "src/a.js", 1),
    ("eslint.no-unused-vars", "src/a.js", 1),
    ("eslint.no-constant-condition", "src/a.js", 2),
    ("eslint.no-undef", "src/a.js", 3),
    ("eslint.error", "src/b.js", 1),
]

DATA = Path(__file__).parent.parent / "data" / "console"
RECORDINGS: dict[str, dict[str, Any]] = json.loads((DATA / "recordings.json").read_text())
PROJECT = "/project"
"""Where the recordings say they were made."""


def recorded(name: str) -> str:
    return (DATA / f"{name}.txt").read_text()


LINES: dict[str, list[Place]] = {
    "tsc_fail": [("tsc.TS2322", "src/a.ts", 1), ("tsc.TS2304", "src/a.ts", 3)],
    "tsc_pretty": [("tsc.TS2322", "src/a.ts", 1), ("tsc.TS2304", "src/a.ts", 3)],
    "npm_build_fail": [("tsc.TS2322", "src/a.ts", 1), ("tsc.TS2304", "src/a.ts", 3)],
    "tsc_pass": [],
    "eslint9_fail": ESLINT,
    "eslint9_json": ESLINT,
    "eslint10_fail": ESLINT,
    "mypy_fail": [("mypy.assignment", "a.py", 1), ("mypy.name-defined", "a.py", 5)],
    "mypy_columns": [
        ("mypy.no-untyped-def", "b.py", 1),
        ("mypy.error", "a.py", 1),
        ("mypy.error", "a.py", 5),
        ("mypy.name-defined", "a.py", 5),
    ],
    "pyright_fail": [("pyright.error", "a.py", 1), ("pyright.reportUndefinedVariable", "a.py", 5)],
    "ruff_concise": [("ruff.F401", "a.py", 1), ("ruff.invalid-syntax", "b.py", 2)],
    "ruff_full": [("ruff.F401", "a.py", 1), ("ruff.invalid-syntax", "b.py", 2)],
    "ruff_json": [("ruff.F401", "a.py", 1), ("ruff.invalid-syntax", "b.py", 2)],
    "ruff_format": [("ruff.format", "a.py", None), ("ruff.format", "b.py", None)],
    "cargo_error": [("rustc.E0308", "src/lib.rs", 5)],
    "vite_fail": [],
}


@pytest.mark.parametrize("name", LINES)
def test_lines_of_tools(name: str) -> None:
    found = within(findings_in(recorded(name)), PROJECT)
    assert [(one.code, one.file, one.line) for one in found] == LINES[name]
    # What a tool calls wrong is an error; a run that ended well says nothing, vite says it in no line of its own.
    said = any(one.severity == "error" for one in found)
    assert said == (RECORDINGS[name]["exit_code"] != 0) or name == "vite_fail"


MESSAGES = {
    "tsc_fail": "Type 'string' is not assignable to type 'number'.",
    "eslint10_fail": "Unexpected var, use let or const instead",
    "mypy_fail": 'Incompatible types in assignment (expression has type "str", variable has type "int")',
    "pyright_fail": 'Type "Literal[\'text\']" is not assignable to declared type "int"',
    "ruff_full": "`os` imported but unused",
    "cargo_error": "mismatched types",
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_of_tools(name: str) -> None:
    assert findings_in(recorded(name))[0].message == MESSAGES[name]


def test_warnings_are_warnings() -> None:
    assert [one.severity for one in findings_in(recorded("eslint10_fail"))] == ["warning", *["error"] * 4]


# From the documentation of Go and Maven, which were not at hand to be recorded; and what only looks like a finding.
WORDS: list[tuple[str, str, list[Place]]] = [
    ("go build", "# example.com/x\n./main.go:5:2: undefined: y\n", [("go.error", "./main.go", 5)]),
    ("javac by maven", "[ERROR] /w/src/A.java:[7,9] cannot find symbol", [("java.error", "/w/src/A.java", 7)]),
    ("prose", "Everything is fine.\nTime: 12:30: all good\nhttp://example.org:80: no\n", []),
    ("not a report", "[{ this is not JSON }]", []),
]


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in WORDS], ids=[case[0] for case in WORDS])
def test_lines_from_documentation(text: str, expected: list[Place]) -> None:
    assert [(one.code, one.file, one.line) for one in findings_in(text)] == expected


def test_files_are_named_from_the_tree() -> None:
    given = [
        finding("a", "x", name, 1) for name in ("/w/t/src/a.py", "./b.py", "file:///w/t/c.js", "/etc/passwd", "../d")
    ]
    found = within(given, "/w/t")
    assert [one.file for one in found] == ["src/a.py", "b.py", "c.js", None, None]
    assert found[3].message == "/etc/passwd: x"


class Run(NamedTuple):
    """What is to be read from a recorded test run; `failed` holds the first line, file and line of each failure."""

    ran: int
    skipped: int = 0
    failed: tuple[tuple[str, str | None, int | None], ...] = ()


VITEST_FAILED = ("test/sum.test.ts > sum > carries", "test/sum.test.ts", 7)
JEST_FAILED = ("sum \u203a carries", "test/sum.test.js", 6)

RUNS: dict[str, Run] = {
    "node_none": Run(0),
    "node_pass": Run(1),
    "node_tap_fail": Run(3, 1, (("broken", "bad.test.js", 4),)),
    "node_spec_fail": Run(3, 1, (("broken", "bad.test.js", 4),)),
    "node_nested_fail": Run(3, 0, (("carries", "bad.test.js", 5),)),
    "node_nested_tap_fail": Run(3, 0, (("carries", "bad.test.js", 5),)),
    "jest_none": Run(0),
    "jest_empty": Run(0, 0, (("Test suite failed to run", "test/sum.test.js", None),)),
    "jest_pass": Run(2),
    "jest_fail": Run(3, 1, (JEST_FAILED,)),
    "jest_broken": Run(3, 1, (JEST_FAILED, ("Test suite failed to run", "test/broken.test.js", 1))),
    "vitest_none": Run(0),
    "vitest_empty": Run(0, 0, (("test/sum.test.ts [ test/sum.test.ts ]", "test/sum.test.ts", None),)),
    "vitest_pass": Run(2),
    "vitest_fail": Run(3, 1, (VITEST_FAILED,)),
    "vitest_broken": Run(
        3, 1, (("test/broken.test.ts [ test/broken.test.ts ]", "test/broken.test.ts", 1), VITEST_FAILED)
    ),
    "mocha_none": Run(0),
    "mocha_empty": Run(0),
    "mocha_pass": Run(1),
    "mocha_fail": Run(2, 1, (("sum", "test/sum.js", 5),)),
    "cargo_none": Run(0),
    "cargo_fail": Run(2, 1, (("tests::carries", "src/lib.rs", 16),)),
    "gradle_fail": Run(2, 1, (("WordsTest > breaks FAILED", None, None),)),
    "unittest_none": Run(0),
    "unittest_fail": Run(
        3,
        1,
        (
            ("ERROR: test_breaks (test_a.Sum.test_breaks)", "test_a.py", 12),
            ("FAIL: test_carries (test_a.Sum.test_carries)", "test_a.py", 9),
        ),
    ),
    "unittest_error": Run(1, 0, (("ERROR: test_a (unittest.loader._FailedTest.test_a)", "test_a.py", 1),)),
    "names_jest": Run(4, 1, (("sum \u203a carries", "test/a.test.js", 4),)),
    "names_vitest": Run(4, 1, (("test/a.test.js > sum > carries", "test/a.test.js", 4),)),
    "names_mocha": Run(4, 1, (("sum", "test/a.test.js", 4),)),
    "names_node_spec": Run(5, 1, (("carries", "test/a.test.js", 5),)),
    "names_node_tap": Run(5, 1, (("carries", "test/a.test.js", 5),)),
    # A file in which no test was found, or which ended the process, is a passed test for Node.
    "names_node_files": Run(0),
    "names_node_files_tap": Run(0),
    "names_unittest": Run(
        3,
        1,
        (
            ("ERROR: test_breaks (test_a.Sum.test_breaks)", "test_a.py", 13),
            ("FAIL: test_carries (test_a.Sum.test_carries)", "test_a.py", 10),
        ),
    ),
    "names_pytest": Run(3, 1, (("test_a.py::test_wrong - AssertionError: ten", "test_a.py", None),)),
    "bun_fail": Run(4, 2, (("a.test.ts::sum > carries", "a.test.ts", None),)),
    "bun_skipped": Run(0, 1),
    "deno_fail": Run(3, 1, (("a.test.ts::carries", "a.test.ts", None),)),
    "deno_skipped": Run(0, 1),
    "ava_fail": Run(2, 2, (("carries Test failed via `t.fail()`", None, None),)),
    "ava_tap": Run(2, 1, (("carries", None, None),)),
    "ava_skipped": Run(0, 1),
    "uvu_fail": Run(2, 1, (('FAIL  "carries"', None, None),)),
    "uvu_skipped": Run(0, 1),
    "tape_fail": Run(3, 3, (("carries > over ten", "a.test.js", 4),)),
    "tape_skipped": Run(0, 1),
    "tap_fail": Run(2, 1, (("not", None, None), ("carries", None, None), ("a.test.js", None, None))),
    "tap_skipped": Run(0, 1),
    "pytest_none": Run(0),
    "pytest_pass": Run(1),
    "pytest_fail": Run(3, 1, (("tests/test_a.py::test_wrong - AssertionError: ten", "tests/test_a.py", None),)),
    "pytest_error": Run(1, 0, (("tests/test_b.py", "tests/test_b.py", None),)),
}


@pytest.mark.parametrize("name", RUNS)
def test_runs_of_tests(name: str) -> None:
    run = read_run(recorded(name))
    assert run is not None
    failed = tuple((one.message.splitlines()[0], one.file, one.line) for one in within(run.findings, PROJECT))
    assert Run(run.ran or 0, run.skipped, failed) == RUNS[name]
    passed = run.ran != 0 and not failed
    # mocha, node, cargo and unittest end with 0 when there is no test at all: the reason to count.
    assert passed == (RECORDINGS[name]["exit_code"] == 0 and RUNS[name].ran != 0)


def test_a_failure_of_any_run_counts_not_only_of_the_last() -> None:
    # A loop over folders ends with the exit code of the last, here 0.
    assert RECORDINGS["names_pytest_loop"]["exit_code"] == 0
    run = read_run(recorded("names_pytest_loop"))
    assert run is not None
    assert (run.ran, [one.message for one in run.findings]) == (2, ["test_a.py::test_a - assert 0"])


@pytest.mark.parametrize(
    "summary",
    [
        "1 failed, 1 passed in 0.1s\n1 passed in 0.1s\n",
        "Tests:       1 failed, 1 passed, 2 total\nTests:       1 passed, 1 total\n",
        "  1 passing (3ms)\n  1 failing\n  1 passing (3ms)\n",
        "# tests 2\n# pass 1\n# fail 1\n# tests 1\n# pass 1\n# fail 0\n",
        "1 failed in 0.1s\n\nRan 2 tests in 0.1s\n\nOK\n",
    ],
)
def test_a_failure_that_only_a_number_tells_is_one(summary: str) -> None:
    run = read_run(summary)
    assert run is not None
    assert run.ran == 3
    assert len(run.findings) == 1


def test_every_recording_is_read_by_a_test() -> None:
    assert set(RECORDINGS) == {path.stem for path in DATA.glob("*.txt")} == {*LINES, *RUNS, "names_pytest_loop"}


SUM = (
    "sum > adds passed",
    "sum > adds #2 passed",
    "sum > carries failed",
    "sum > later skipped",
    "sum > in > deep passed",
)

CASES: dict[str, tuple[str, ...]] = {
    "names_jest": tuple(f"test/a.test.js::{case}" for case in SUM),
    "names_vitest": tuple(f"test/a.test.js::{case}" for case in SUM),
    "names_mocha": SUM,
    "names_node_spec": (*SUM, "sum > someday skipped", "last passed"),
    "names_node_tap": (*SUM, "sum > someday skipped", "last passed"),
    "names_node_files": (),
    "names_unittest": (
        "test_a.Sum::test_adds passed",
        "test_a.Sum::test_breaks failed",
        "test_a.Sum::test_carries failed",
        "test_a.Sum::test_later skipped",
    ),
    "names_pytest": (
        "test_a::test_fine passed",
        "test_a::test_wrong failed",
        "test_a::test_later skipped",
        "test_a::test_known skipped",
    ),
    "bun_fail": (*(f"a.test.ts::{case}" for case in SUM), "a.test.ts::sum > someday skipped"),
    "deno_fail": (
        "a.test.ts::adds passed",
        "a.test.ts::carries failed",
        "a.test.ts::later skipped",
        "a.test.ts::steps passed",
    ),
    "ava_tap": ("later skipped", "someday skipped", "adds passed", "carries failed"),
    "tape_fail": ("adds passed", "carries failed", "later skipped", "someday skipped"),
    "cargo_fail": (
        "sample src/lib.rs::tests::adds passed",
        "sample src/lib.rs::tests::carries failed",
        "sample src/lib.rs::tests::later skipped",
    ),
    "gradle_fail": ("WordsTest::breaks failed", "WordsTest::adds passed", "WordsTest::later skipped"),
}


def test_a_go_package_that_is_not_built_or_ends_itself_has_failed() -> None:
    run = read_run(GO_BROKEN)
    assert run is not None
    assert [one.message for one in run.findings] == ["x/a::TestA", "x/b", "x/c"]
    assert run.ran == 2


@pytest.mark.parametrize("name", CASES)
def test_tests_are_named_alike_in_every_run(name: str) -> None:
    run = read_run(recorded(name))
    assert run is not None
    assert tuple(f"{case.name} {case.outcome}" for case in run.cases) == CASES[name]


GO = (
    '{"Action":"run","Package":"x","Test":"TestA"}\n'
    '{"Action":"output","Package":"x","Test":"TestA","Output":"    a_test.go:5: wrong\\n"}\n'
    '{"Action":"fail","Package":"x","Test":"TestA"}\n{"Action":"pass","Package":"x","Test":"TestB"}\n'
    '{"Action":"skip","Package":"x","Test":"TestC"}\n{"Action":"fail","Package":"x"}\n'
)
GO_BUILD = '{"Action":"output","Package":"x","Output":"x/a.go:3: undefined: y\\n"}\n{"Action":"fail","Package":"x"}\n'
GO_VERBOSE = (
    "=== RUN   TestA\n=== RUN   TestA/in_x\n    a_test.go:5: wrong\n--- FAIL: TestA (0.00s)\n    --- PASS: TestA/in_x (0.00s)\n"
    "=== RUN   TestC\n    a_test.go:9: later\n--- SKIP: TestC (0.00s)\nFAIL\nFAIL\tx/calc\t0.006s\n"
)
GO_BROKEN = (
    "=== RUN   TestA\n--- FAIL: TestA (0.00s)\nFAIL\nFAIL\tx/a\t0.006s\n=== RUN   TestB\n--- PASS: TestB (0.00s)\n"
    "exit status 1\nFAIL\tx/b\t0.002s\nFAIL\tx/c [build failed]\nok  \tx/d\t0.001s\nFAIL\n"
)
MAVEN = (
    "[ERROR]   CalcTest.adds:9 expected: <4> but was: <3>\n[ERROR] Tests run: 4, Failures: 1, Errors: 0, Skipped: 1\n"
)
MODULE_FAILED = (
    "[ERROR] addsTwo(org.example.SumTest)  Time elapsed: 0.022 s  <<< FAILURE!\n[INFO] Results:\n[INFO] \n[ERROR] Failures: \n"
    "[ERROR]   SumTest.addsTwo:9 expected:<5> but was:<-1>\n[INFO] \n"
    "[ERROR] Tests run: 1, Failures: 1, Errors: 0, Skipped: 0\n[INFO] \n"
    "[ERROR] After correcting the problems, you can resume the build with the command\n[ERROR]   mvn <args> -rf :core\n"
)
GOAL = "[INFO] --- maven-surefire-plugin:2.22.3:test (default-test) @ words ---\n"
MODULES = (
    f"{GOAL}[INFO] Tests run: 1, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 1.289 s - in org.example.SumTest\n[INFO] \n"
    "[INFO] Results:\n[INFO] \n[INFO] Tests run: 1, Failures: 0, Errors: 0, Skipped: 0\n[INFO] \n"
    "[INFO] Building app 1                                                     [3/3]\n"
    f"{GOAL}[INFO] Tests run: 2, Failures: 0, Errors: 0, Skipped: 1, Time elapsed: 1.617 s - in org.example.app.BillTest\n"
    "[INFO] \n"
    "[INFO] Results:\n[INFO] \n[WARNING] Tests run: 2, Failures: 0, Errors: 0, Skipped: 1\n"
)
"""Of Surefire 2.22.3 in two modules."""
PRINTED = "Tests run: 40, Failures: 0, Errors: 0, Skipped: 0\n"
ALL_SKIPPED = (
    f"{GOAL}[INFO] \n[INFO]  T E S T S\n[INFO] Running WordsTest\n%s"
    "[WARNING] Tests run: 3, Failures: 0, Errors: 0, Skipped: 3, Time elapsed: 0.485 s - in WordsTest\n"
    "[INFO] \n[INFO] Results:\n[INFO] \n[WARNING] Tests run: 3, Failures: 0, Errors: 0, Skipped: 3\n[INFO] \n"
)
TWO_TOTALS = "The output has 2 totals of tests, of which Surefire wrote 1."
AT_ONCE = "[INFO] Using the MultiThreadedBuilder implementation with a thread count of 2\n"
ONE = "[INFO] Tests run: 1, Failures: 0, Errors: 0, Skipped: 0\n"


@pytest.mark.parametrize(
    ("text", "ran", "wrong"),
    [
        (ALL_SKIPPED % "", 0, []),
        (ALL_SKIPPED % PRINTED, 0, []),
        (ALL_SKIPPED % f"[INFO] {PRINTED}", 0, [TWO_TOTALS]),
        (f"{ALL_SKIPPED % ''}{GOAL}{ONE}", 1, []),
        (f"{PRINTED}[WARNING] {PRINTED.replace('Skipped: 0', 'Skipped: 40')}", 0, []),
        (f"[INFO] {PRINTED}{ONE}", 1, []),
        (f"{GOAL}Results :\n\n{PRINTED}", 40, []),
        (f"{GOAL}{PRINTED}Results :\n\n{PRINTED}", 40, [TWO_TOTALS]),
        (f"{AT_ONCE}{GOAL}{GOAL}{ONE}{ONE}", 2, []),
        (f"{AT_ONCE}{GOAL}{ONE}{ONE}", 2, [TWO_TOTALS]),
        (f"{GOAL}{AT_ONCE}{GOAL}{ONE}{ONE}", 1, [TWO_TOTALS]),
        (f"{GOAL.replace('maven-surefire-plugin', 'failsafe')}{ONE}{GOAL}{ONE}", 2, []),
    ],
)
def test_a_total_that_a_test_prints_is_not_counted_beside_surefires(text: str, ran: int, wrong: list[str]) -> None:
    """Recorded with Surefire 2.22.3 and tests that print such lines."""
    run = read_run(text)
    assert run is not None
    assert run.ran == ran
    assert [(one.code, one.message) for one in run.findings] == [("test.disagreement", said) for said in wrong]
    check = Check(name="maven", command="mvn test", kind="test")
    assert [one.message for one in despite_success(check, run)] == wrong


@pytest.mark.parametrize(
    ("text", "ran", "skipped", "failed"),
    [
        (GO, 2, 1, ["TestA"]),
        (GO_BUILD, 0, 0, ["x"]),
        (GO_VERBOSE, 2, 1, ["x/calc::TestA"]),
        (MAVEN, 3, 1, ["CalcTest.adds:9 expected: <4> but was: <3>"]),
        (MODULE_FAILED, 1, 0, ["SumTest.addsTwo:9 expected:<5> but was:<-1>"]),
        (MODULES, 2, 1, []),
    ],
    ids=["go", "go that does not build", "go -v", "maven", "maven with a failed module", "maven with modules"],
)
def test_runs_from_documentation(text: str, ran: int, skipped: int, failed: list[str]) -> None:
    run = read_run(text)
    assert run is not None
    assert (run.ran, run.skipped) == (ran, skipped)
    assert {case.name for case in run.cases} <= {
        *("x::TestA", "x::TestB", "x::TestC"),
        *("x/calc::TestA", "x/calc::TestA/in_x", "x/calc::TestC"),
    }
    assert [one.message.splitlines()[0] for one in run.findings] == failed


def test_words_of_no_runner_are_no_run() -> None:
    assert read_run("building...\ndone\n") is None
    assert read_run('{"a": 1}\n{"b": \n') is None


JUNIT = b"""<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="s" tests="99">
<testcase classname="tests.test_a" name="test_ok"/>
<testcase classname="tests.test_a" name="test_skipped"><skipped message="later"/></testcase>
<testcase classname="tests.test_a" name="test_bad"><failure message="assert 1 == 2">def test_bad():
&gt;       assert 1 == 2
E       assert 1 == 2

tests/test_a.py:7: AssertionError</failure></testcase>
<testcase classname="" name="broken" file="b.py" line="3"><error message="cannot import"/></testcase>
</testsuite></testsuites>"""


def test_junit_is_counted_from_its_cases() -> None:
    run = read_junit(JUNIT)
    assert run is not None
    assert (run.ran, run.skipped) == (3, 1)
    assert [(one.code, one.file, one.line) for one in run.findings] == [
        ("test.failed", "tests/test_a.py", 7),
        ("test.error", "b.py", 3),
    ]
    assert "assert 1 == 2" in run.findings[0].message
    assert run.cases == (
        CaseResult("tests.test_a::test_ok", "passed"),
        CaseResult("tests.test_a::test_skipped", "skipped"),
        CaseResult("tests.test_a::test_bad", "failed"),
        CaseResult("broken", "failed", "b.py"),
    )


def test_names_are_unique_and_hold_no_path_of_the_checkout() -> None:
    cases = b"".join(
        b'<testcase classname="/w/t/a.test.js" name="%s" file="/w/t/a.test.js"/>' % name for name in (b"x", b"y", b"x")
    )
    run = read_junit(b"<testsuite>" + cases + b"</testsuite>", "/w/t")
    assert run is not None
    assert [case.name for case in run.cases] == ["a.test.js::x", "a.test.js::y", "a.test.js::x #2"]
    assert {case.file for case in run.cases} == {"a.test.js"}


def test_a_file_that_node_reports_as_a_test_is_none_unless_it_failed() -> None:
    cases = b'<testcase classname="test" name="/w/t/a.test.js"/><testcase classname="test" name="b.mjs"/>'
    failed = b'<testcase classname="test" name="/w/t/c.test.js"><failure message="exit code 1"/></testcase>'
    run = read_junit(b"<testsuites>" + cases + failed + b"</testsuites>", "/w/t")
    assert run is not None
    assert (run.ran, run.cases) == (1, (CaseResult("test::c.test.js", "failed"),))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not xml",
        b"<html/>",
        b"<testsuite><testcase></testsuite>",
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><testsuite><testcase name="&b;"/></testsuite>',
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuite><testcase name="&a;"/></testsuite>',
        '<?xml version="1.0" encoding="utf-16"?><testsuite/>'.encode("utf-16"),
    ],
)
def test_what_is_not_plain_junit_is_no_report(content: bytes) -> None:
    assert read_junit(content) is None


def test_a_long_message_keeps_both_ends() -> None:
    clipped = clip("first" + "x" * 100_000 + "last")
    assert len(clipped) <= LONGEST_MESSAGE
    assert clipped.startswith("first")
    assert clipped.endswith("last")


HOSTILE: list[Callable[[int], str]] = [
    lambda size: "a" * size,
    lambda size: "a:" * (size // 2),
    lambda size: "1:" * (size // 2),
    lambda size: " " * size,
    lambda size: "(" * size,
    lambda size: "\x1b[" * (size // 2),
    lambda size: "1 a, " * (size // 5),
    lambda size: "a:1\n" * (size // 4),
    lambda size: "FAIL: x\n" * (size // 8),
    lambda size: "not ok 1 - x\n" * (size // 13),
    lambda size: "FAIL a\n  ● x\nTests: 1 failed, 1 total\n" * (size // 40),
    lambda size: "1 passing\n  1) x\n" * (size // 16),
    lambda size: " FAIL  a\n \u276f a:1:1\n Tests  no tests\n" * (size // 40),
    lambda size: "  1 passing\n" + "  1) x\n     at a\n" * (size // 17),
    lambda size: "Ran 1 test in 1s\nFAIL: x\n" * (size // 25),
    lambda size: "---- x stdout ----\n" * (size // 19) + "test result: ok. 1 passed; 0 failed; 0 ignored\n",
    lambda size: '{"Action":"output"}\n' * (size // 20),
    lambda size: "# Subtest: x\n  ok 1 - x\n" * (size // 25),
    lambda size: "▶ x\n  ✔ x (1ms)\n" * (size // 16),
    lambda size: "PASS a\n  x\n    ✓ y (1 ms)\n" * (size // 28),
    lambda size: "x.py::a PASSED\n" * (size // 15),
    lambda size: "[{" + "[" * size + "]",
]


@pytest.mark.parametrize("make", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_output_costs_no_more_than_its_length(make: Callable[[int], str]) -> None:
    def cost(size: int) -> float:
        text = make(size)
        began = time.process_time()
        findings_in(text)
        read_run(text)
        return time.process_time() - began

    small, large = min(cost(20_000) for _ in range(3)), cost(400_000)
    # 20 times the input: a quadratic reader would take 400 times as long.
    assert large < max(small, 0.002) * 120
