"""What the parsers read in the output of real tools, and that hostile output costs them no more than its length."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from buildwright.core.finding import LONGEST_MESSAGE
from buildwright.gates.junit import read_junit
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


def test_every_recording_is_read_by_a_test() -> None:
    assert set(RECORDINGS) == {path.stem for path in DATA.glob("*.txt")} == {*LINES, *RUNS}


GO = (
    '{"Action":"run","Package":"x","Test":"TestA"}\n'
    '{"Action":"output","Package":"x","Test":"TestA","Output":"    a_test.go:5: wrong\\n"}\n'
    '{"Action":"fail","Package":"x","Test":"TestA"}\n{"Action":"pass","Package":"x","Test":"TestB"}\n'
    '{"Action":"skip","Package":"x","Test":"TestC"}\n{"Action":"fail","Package":"x"}\n'
)
GO_BUILD = '{"Action":"output","Package":"x","Output":"x/a.go:3: undefined: y\\n"}\n{"Action":"fail","Package":"x"}\n'
MAVEN = (
    "[ERROR]   CalcTest.adds:9 expected: <4> but was: <3>\n[ERROR] Tests run: 4, Failures: 1, Errors: 0, Skipped: 1\n"
)


@pytest.mark.parametrize(
    ("text", "ran", "skipped", "failed"),
    [
        (GO, 2, 1, ["TestA"]),
        (GO_BUILD, 0, 0, ["x"]),
        (MAVEN, 3, 1, ["[ERROR]   CalcTest.adds:9 expected: <4> but was: <3>"]),
    ],
    ids=["go", "go that does not build", "maven"],
)
def test_runs_from_documentation(text: str, ran: int, skipped: int, failed: list[str]) -> None:
    run = read_run(text)
    assert run is not None
    assert (run.ran, run.skipped) == (ran, skipped)
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
