"""What the parsers read in the output of real tools, and that hostile output costs them no more than its length."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from buildwright.core.finding import LONGEST_MESSAGE
from buildwright.gates.junit import read_junit
from buildwright.gates.lines import findings_in, within
from buildwright.gates.reporting import clip, finding
from buildwright.gates.runs import read_run

Place = tuple[str, str | None, int | None]

LINES: list[tuple[str, str, list[Place]]] = [
    ("tsc", "src/app.ts(12,5): error TS2322: Type 'string' is not assignable.", [("tsc.TS2322", "src/app.ts", 12)]),
    (
        "tsc pretty",
        "\x1b[96msrc/app.ts\x1b[0m:\x1b[93m3\x1b[0m:7 - \x1b[91merror\x1b[0m\x1b[90m TS2304: \x1b[0mCannot find name.",
        [("tsc.TS2304", "src/app.ts", 3)],
    ),
    (
        "mypy",
        (
            "a/b.py:3: error: Incompatible return value type  [return-value]\n"
            "a/b.py:4:9: note: Consider x\n"
            "Found 1 error in 1 file (checked 2 source files)"
        ),
        [("mypy.return-value", "a/b.py", 3), ("mypy.error", "a/b.py", 4)],
    ),
    (
        "ruff",
        "a.py:1:8: F401 [*] `os` imported but unused\nb.py:2:1: invalid-syntax: Expected an expression\nFound 2 errors.",
        [("ruff.F401", "a.py", 1), ("ruff.invalid-syntax", "b.py", 2)],
    ),
    (
        "ruff json",
        (
            '[{"code": "F401", "filename": "/w/a.py", "location": {"row": 4, "column": 8}, "message": "unused"},'
            ' {"code": null, "filename": "/w/b.py", "location": {"row": 1, "column": 1}, "message": "bad"}]'
        ),
        [("ruff.F401", "/w/a.py", 4), ("ruff.invalid-syntax", "/w/b.py", 1)],
    ),
    (
        "eslint",
        (
            "\n/w/src/a.js\n  1:7   error    'x' is assigned a value but never used  no-unused-vars\n"
            "  2:1   warning  Unexpected console statement            no-console\n\n✖ 2 problems (1 error, 1 warning)\n"
        ),
        [("eslint.no-unused-vars", "/w/src/a.js", 1), ("eslint.no-console", "/w/src/a.js", 2)],
    ),
    (
        "eslint json",
        (
            '[{"filePath": "/w/a.js", "messages": [{"ruleId": "semi", "severity": 2, "message": "Missing", "line": 9}]},'
            ' {"filePath": "/w/b.js", "messages": []}]'
        ),
        [("eslint.semi", "/w/a.js", 9)],
    ),
    ("go build", "# example.com/x\n./main.go:5:2: undefined: y\n", [("go.error", "./main.go", 5)]),
    (
        "rustc",
        'error[E0308]: mismatched types\n --> src/main.rs:2:18\n  |\n2 |     let x: i32 = "a";\n',
        [("rustc.E0308", "src/main.rs", 2)],
    ),
    ("javac by maven", "[ERROR] /w/src/A.java:[7,9] cannot find symbol", [("java.error", "/w/src/A.java", 7)]),
    ("prose", "Everything is fine.\nTime: 12:30: all good\nhttp://example.org:80: no\n", []),
    ("not a report", "[{ this is not JSON }]", []),
]


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in LINES], ids=[case[0] for case in LINES])
def test_lines_of_tools(text: str, expected: list[Place]) -> None:
    assert [(one.code, one.file, one.line) for one in findings_in(text)] == expected


def test_files_are_named_from_the_tree() -> None:
    given = [
        finding("a", "x", name, 1) for name in ("/w/t/src/a.py", "./b.py", "file:///w/t/c.js", "/etc/passwd", "../d")
    ]
    found = within(given, "/w/t")
    assert [one.file for one in found] == ["src/a.py", "b.py", "c.js", None, None]
    assert found[3].message == "/etc/passwd: x"


DATA = Path(__file__).parent.parent / "data" / "console"


def recorded(name: str) -> str:
    return (DATA / f"{name}.txt").read_text()


NODE_TAP = recorded("node_tap")
NODE_SPEC = recorded("node_spec")
JEST = recorded("jest")
VITEST = recorded("vitest")
CARGO = recorded("cargo")
GO = recorded("go")
GO_BUILD = '{"Action":"output","Package":"x","Output":"x/a.go:3: undefined: y\\n"}\n{"Action":"fail","Package":"x"}\n'
UNITTEST = recorded("unittest")
PYTEST = recorded("pytest")
MAVEN = recorded("maven")

RUNS: list[tuple[str, str, int, int, list[str]]] = [
    ("node tap", NODE_TAP, 2, 1, ["broken"]),
    ("node spec", NODE_SPEC, 2, 0, ["broken (0.9ms)"]),
    ("jest", JEST, 3, 1, ["adds \u203a carries"]),
    ("vitest", VITEST, 2, 0, ["src/sum.test.ts > adds > carries"]),
    ("cargo", CARGO, 2, 1, ["tests::carries"]),
    ("go", GO, 2, 1, ["TestA"]),
    ("go that does not build", GO_BUILD, 0, 0, ["x"]),
    ("unittest", UNITTEST, 4, 1, ["FAIL: test_add (test_calc.Add.test_add)"]),
    (
        "pytest",
        PYTEST,
        4,
        3,
        ["tests/test_a.py::test_b - assert 1 == 2", "tests/test_c.py - ImportError: x"],
    ),
    ("pytest quiet", "..\n2 passed in 0.01s\n", 2, 0, []),
    ("pytest, nothing", "\nno tests ran in 0.01s\n", 0, 0, []),
    ("maven", MAVEN, 3, 1, ["[ERROR]   CalcTest.adds:9 expected: <4> but was: <3>"]),
    ("jest, nothing", "No tests found, exiting with code 1\n", 0, 0, []),
    ("vitest, nothing", "No test files found, exiting with code 1\n", 0, 0, []),
]


@pytest.mark.parametrize(
    ("text", "ran", "skipped", "failed"), [case[1:] for case in RUNS], ids=[case[0] for case in RUNS]
)
def test_runs_of_tests(text: str, ran: int, skipped: int, failed: list[str]) -> None:
    run = read_run(text)
    assert run is not None
    assert (run.ran, run.skipped) == (ran, skipped)
    assert [one.message.splitlines()[0] for one in run.findings] == failed


def test_failures_have_their_file() -> None:
    places = {}
    for name, text in (("tap", NODE_TAP), ("spec", NODE_SPEC), ("jest", JEST), ("vitest", VITEST)):
        run = read_run(text)
        assert run is not None
        places[name] = (run.findings[0].file, run.findings[0].line)
    assert places == {
        "tap": ("/w/bad.test.js", 2),
        "spec": ("bad.test.js", 2),
        "jest": ("src/sum.test.js", None),
        "vitest": ("src/sum.test.ts", None),
    }


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
