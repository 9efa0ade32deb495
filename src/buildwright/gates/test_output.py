"""Reads test runs from console output: the runner, how many tests ran, which failed. Must stay linear in its input."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

from buildwright.core.finding import Finding
from buildwright.gates.junit import Tally
from buildwright.gates.reporting import finding
from buildwright.gates.tool_output import LONGEST_LINE, plain_lines

_PYTEST_SUMMARY = re.compile(r"=* ?((?:\d{1,9} [a-z]{1,20}(?:, )?){1,9}) in \d")
_UNITTEST = re.compile(r"Ran (\d{1,9}) tests? in ")
_UNITTEST_SKIPPED = re.compile(r"(?:OK|FAILED) \(.{0,100}?skipped=(\d{1,9})")
_NODE = re.compile(r"(?:#|\u2139) (tests|pass|fail|cancelled|skipped|todo) (\d{1,9})$")
_NODE_TAP_FAIL = re.compile(r"\s{0,40}not ok \d{1,9} - (.+)")
_NODE_PLACE = re.compile(r"\s{0,40}location: '(.{1,300}):(\d{1,9}):\d{1,9}'")
_NODE_DURATION = re.compile(r" \(\d{1,9}(?:\.\d{1,9})?ms\)$")
_JEST = re.compile(r"Tests:\s{1,9}((?:\d{1,9} [a-z]{1,20}(?:, )?){1,9})")
_VITEST = re.compile(r"\s{0,9}Tests\s{1,9}(no tests$|(?:\d{1,9} [a-z]{1,20}(?: \| )?){1,9} \(\d)")
_MOCHA = re.compile(r"  (\d{1,9}) (passing|pending|failing)(?: \(\d{1,9}m?[sh]?\))?$")
_MOCHA_FAIL = re.compile(r"  \d{1,9}\) (.+)")
_CARGO = re.compile(r"test result: (?:ok|FAILED)\. (\d{1,9}) passed; (\d{1,9}) failed; (\d{1,9}) ignored")
_CARGO_FAIL = re.compile(r"---- (.{1,300}) stdout ----$")
_CARGO_PANIC = re.compile(r"thread '.{1,300}' (?:\(\d{1,9}\) )?panicked at ([^:]{1,300}):(\d{1,9}):\d{1,9}:?")
_MAVEN = re.compile(
    r"(?:\[\w{1,9}\] )?Tests run: (\d{1,9}), Failures: (\d{1,9}), Errors: (\d{1,9}), Skipped: (\d{1,9})$"
)
_COUNT = re.compile(r"(\d{1,9}) ([a-z]{1,20})")
_NOTHING = (
    "no tests found",
    "no test files found",
    "no tests ran",
    "no test suite found",
    "collected 0 items",
    "no tests to run",
    "error: no test specified",
    "error: no test files found",
)
_TRACE_LINES = 40


_RUNNERS = re.compile(r"\b(pytest|unittest|vitest|jest|mocha|node --test|cargo test)\b")


def runner_of(command: str) -> str:
    """Return the runner in a command whose usual output says how many tests ran, else ""."""
    found = _RUNNERS.search(command[: 10 * LONGEST_LINE])
    return found[1] if found else ""


def read_run(text: str) -> Tally | None:
    """Return the run in the first format that is recognised; None when none is."""
    if text.lstrip().startswith('{"'):
        run = _go_json(text)
        if run is not None:
            return run
    lines = list(plain_lines(text))
    for read in _READERS:
        run = read(lines)
        if run is not None:
            return run
    if any(line.strip().lower().startswith(_NOTHING) for line in lines):
        return Tally(0)
    return None


def _counts(words: str) -> dict[str, int]:
    return {kind: int(number) for number, kind in _COUNT.findall(words)}


def _pytest(lines: Sequence[str]) -> Tally | None:
    for line in reversed(lines):
        match = _PYTEST_SUMMARY.match(line)
        if match is None:
            continue
        counts = _counts(match[1])
        ran = sum(counts.get(kind, 0) for kind in ("passed", "failed", "xfailed", "xpassed", "error", "errors"))
        return Tally(ran, counts.get("skipped", 0), tuple(_pytest_failures(lines)))
    return None


def _pytest_failures(lines: Sequence[str]) -> list[Finding]:
    found = []
    for line in lines:
        word, _, rest = line.partition(" ")
        if word in {"FAILED", "ERROR"} and rest:
            file = rest.partition(" - ")[0].partition("::")[0]
            code = "test.failed" if word == "FAILED" else "test.error"
            found.append(finding(code, rest, file if file.endswith(".py") else None))
    return found


def _unittest(lines: Sequence[str]) -> Tally | None:
    total = [int(match[1]) for line in lines if (match := _UNITTEST.match(line))]
    if not total:
        return None
    skipped = sum(int(match[1]) for line in lines if (match := _UNITTEST_SKIPPED.match(line)))
    found: list[Finding] = []
    for index, line in enumerate(lines):
        if line.startswith(("FAIL: ", "ERROR: ")):
            trace = _until(lines[index : index + _TRACE_LINES], ("====", "Ran "))
            code = "test.failed" if line.startswith("FAIL") else "test.error"
            found.append(finding(code, "\n".join(trace), *_python_place(trace)))
    return Tally(sum(total) - skipped, skipped, tuple(found))


def _python_place(trace: Sequence[str]) -> tuple[str | None, int | None]:
    """Return the innermost frame of a traceback that is not in Python's library or in a package."""
    for line in reversed(trace):
        file, mark, rest = line.strip().removeprefix('File "').partition('", line ')
        number = rest.partition(",")[0]
        if mark and number.isdecimal() and "/lib/python" not in file and not file.startswith("<"):
            return file, int(number)
    return None, None


def _until(lines: Sequence[str], ends: tuple[str, ...], unless: str = "\n") -> list[str]:
    """Return the lines up to the next that starts with one of `ends` and not with `unless`, at least the first."""
    taken: list[str] = []
    for line in lines:
        if taken and line.startswith(ends) and not line.startswith(unless):
            break
        taken.append(line)
    return taken


def _node(lines: Sequence[str]) -> Tally | None:
    counts = {match[1]: int(match[2]) for line in lines if (match := _NODE.match(line))}
    if "tests" not in counts or "pass" not in counts:
        return None
    found: list[Finding] = []
    in_failures = False
    for index, line in enumerate(lines):
        in_failures = in_failures or line.startswith("✖ failing tests")
        if (match := _NODE_TAP_FAIL.match(line)) and "# SKIP" not in line and "# TODO" not in line:
            failure = _node_failure(match[1], lines[index + 1 : index + _TRACE_LINES])
            found += [failure] if failure else []
        elif in_failures and line.startswith("✖ ") and not line.startswith("✖ failing"):
            before = lines[index - 1].removeprefix("test at ").rsplit(":", 2) if index else []
            placed = len(before) == 3 and before[1].isdecimal()
            trace = "\n".join(
                [_NODE_DURATION.sub("", line[2:]), *_until(lines[index + 1 : index + _TRACE_LINES], ("test at ",))]
            )
            where = (before[0], int(before[1])) if placed else (None, None)
            found.append(finding("test.failed", trace, *where))
    ran = counts["tests"] - counts.get("skipped", 0) - counts.get("todo", 0)
    return Tally(ran, counts.get("skipped", 0), tuple(found))


def _node_failure(name: str, following: Sequence[str]) -> Finding | None:
    """Return a failed test, None for a suite that failed only because one of its tests did."""
    block = _until(list(following), ("ok ", "not ok ", "# Subtest"))
    if any(line.strip() == "failureType: 'subtestsFailed'" for line in block):
        return None
    for line in block:
        if match := _NODE_PLACE.match(line):
            return finding("test.failed", "\n".join([name, *block]), match[1], int(match[2]))
    return finding("test.failed", "\n".join([name, *block]))


def _jest(lines: Sequence[str]) -> Tally | None:
    counts = _last_counts(lines, _JEST)
    if counts is None:
        return None
    found: dict[tuple[str, str], Finding] = {}
    file = ""
    for index, line in enumerate(lines):
        if line.startswith("FAIL ") and line.split()[1:]:
            file = line.split()[1]
        elif line.startswith("  \u25cf ") and file:
            name = line.removeprefix("  \u25cf ")
            trace = _until(
                lines[index + 1 : index + _TRACE_LINES], ("  \u25cf ", "Tests:", "Test Suites:", "FAIL ", "PASS ")
            )
            code = "test.error" if name == "Test suite failed to run" else "test.failed"
            # jest repeats the failures of a large run at its end.
            found.setdefault((file, name), finding(code, "\n".join([name, *trace]), *(_frame(trace) or (file, None))))
    return Tally(counts.get("passed", 0) + counts.get("failed", 0), counts.get("skipped", 0), tuple(found.values()))


def _vitest(lines: Sequence[str]) -> Tally | None:
    counts = _last_counts(lines, _VITEST)
    if counts is None:
        return None
    found: list[Finding] = []
    for index, line in enumerate(lines):
        if line.startswith(" FAIL  "):
            name = line.removeprefix(" FAIL  ")
            test, inside, _ = name.partition(" > ")
            file = test.split()[-1] if inside else test.partition(" [ ")[0].split()[-1]
            trace = _until(lines[index + 1 : index + _TRACE_LINES], (" FAIL  ", "\u23af\u23af\u23af\u23af"))
            place = _frame(trace) or (file, None)
            found.append(finding("test.failed" if inside else "test.error", "\n".join([name, *trace]), *place))
    return Tally(counts.get("passed", 0) + counts.get("failed", 0), counts.get("skipped", 0), tuple(found))


def _mocha(lines: Sequence[str]) -> Tally | None:
    counts = {match[2]: int(match[1]) for line in lines if (match := _MOCHA.match(line))}
    if "passing" not in counts:
        return None
    found: list[Finding] = []
    at_end = False
    for index, line in enumerate(lines):
        at_end = at_end or _MOCHA.match(line) is not None
        if at_end and (match := _MOCHA_FAIL.match(line)):
            trace = _until(lines[index : index + _TRACE_LINES], ("  ",), unless="     ")
            title = match[1]
            found.append(finding("test.failed", "\n".join([title, *trace[1:]]), *(_frame(trace) or (None, None))))
    return Tally(counts["passing"] + counts.get("failing", 0), counts.get("pending", 0), tuple(found))


def _last_counts(lines: Sequence[str], summary: re.Pattern[str]) -> dict[str, int] | None:
    found = [match for line in lines if (match := summary.match(line))]
    return _counts(found[-1][1]) if found else None


def _frame(trace: Sequence[str]) -> tuple[str, int] | None:
    """Return the first frame of a JavaScript stack (`at f (file:line:column)`) that is not in a package or Node."""
    for line in trace:
        word, _, rest = line.strip().partition(" ")
        if word not in {"at", "\u276f"}:
            continue
        file, *numbers = rest.rpartition(" ")[2].strip("()").removeprefix("file://").rsplit(":", 2)
        outside = "node_modules/" in file or file.startswith(("node:", "<"))
        if file and len(numbers) == 2 and numbers[0].isdecimal() and not outside:
            return file, int(numbers[0])
    return None


def _cargo(lines: Sequence[str]) -> Tally | None:
    results = [match for line in lines if (match := _CARGO.match(line))]
    if not results:
        return None
    ran = sum(int(match[1]) + int(match[2]) for match in results)
    found: list[Finding] = []
    for index, line in enumerate(lines):
        if match := _CARGO_FAIL.match(line):
            trace = _until(lines[index + 1 : index + _TRACE_LINES], ("---- ", "failures:", "stack backtrace:"))
            places = [one for said in trace if (one := _CARGO_PANIC.match(said))]
            place = (places[0][1], int(places[0][2])) if places else (None, None)
            found.append(finding("test.failed", "\n".join([match[1], *trace]), *place))
    return Tally(ran, sum(int(match[3]) for match in results), tuple(found))


def _maven(lines: Sequence[str]) -> Tally | None:
    """Read Surefire's last totals. Written from its documentation, not from a recorded run."""
    found = [match for line in lines if (match := _MAVEN.match(line.strip()))]
    if not found:
        return None
    total, _, _, skipped = (int(number) for number in found[-1].groups())
    failures = [finding("test.failed", line) for line in lines if line.startswith("[ERROR]   ")]
    return Tally(total - skipped, skipped, tuple(failures))


def _go_json(text: str) -> Tally | None:
    """Read `go test -json`: one event per line; the output of a test is in its own events.

    Written from the documentation of cmd/test2json, not from a recorded run.
    """
    said: dict[tuple[str, str], list[str]] = {}
    results: dict[tuple[str, str], str] = {}
    for line in text.splitlines():
        if not line.startswith("{") or len(line) > 10 * LONGEST_LINE:
            continue
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        key = (str(event.get("Package", "")), str(event.get("Test", "")))
        match event.get("Action"):
            case "output":
                said.setdefault(key, []).append(str(event.get("Output", "")))
            case "pass" | "fail" | "skip" as action:
                results[key] = action
    if not results:
        return None
    tests = {key: action for key, action in results.items() if key[1]}
    skipped = sum(action == "skip" for action in tests.values())
    failed = [key for key, action in tests.items() if action == "fail"]
    broken = [key for key, action in results.items() if action == "fail" and not key[1]]
    # A package fails with its tests; only one without a failed test could not be built or run.
    failed += [key for key in broken if not any(package == key[0] for package, _ in failed)]
    found = [
        finding("test.failed", f"{test or package}\n{''.join(said.get((package, test), []))}")
        for package, test in failed
    ]
    return Tally(len(tests) - skipped, skipped, tuple(found))


_READERS: tuple[Callable[[Sequence[str]], Tally | None], ...] = (
    _node,
    _jest,
    _vitest,
    _mocha,
    _cargo,
    _maven,
    _unittest,
    _pytest,
)
