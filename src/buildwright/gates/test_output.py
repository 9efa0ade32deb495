"""Reads test runs from console output: the runner, how many tests ran, which failed. Must stay linear in its input."""

from __future__ import annotations

import json
import re
from bisect import bisect
from collections.abc import Callable, Iterator, Mapping, Sequence

from buildwright.core.finding import Finding
from buildwright.gates.javascript_output import READERS as JAVASCRIPT
from buildwright.gates.junit import CaseResult, Outcome, Tally, merged, named
from buildwright.gates.reporting import finding
from buildwright.gates.tool_output import LONGEST_LINE, TRACE_LINES, counts_in, plain_lines, until

_PYTEST_SUMMARY = re.compile(r"=* ?((?:\d{1,9} [a-z]{1,20}(?:, )?){1,9}) in \d")
_PYTEST_WORDS = "PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS"
_PYTEST_VERBOSE = re.compile(rf"([^\s:]{{1,300}}\.py::\S.{{0,500}}?) ({_PYTEST_WORDS})\b")
_PYTEST_SHORT = re.compile(rf"({_PYTEST_WORDS}) ([^\s:]{{1,300}}\.py::\S[^ ]{{0,500}})")
_PYTEST_OUTCOMES: Mapping[str, Outcome] = {
    "PASSED": "passed",
    "FAILED": "failed",
    "ERROR": "failed",
    "SKIPPED": "skipped",
    "XFAIL": "skipped",
    "XPASS": "passed",
}
_UNITTEST_TEST = re.compile(r"(\w{1,200}) \(([\w.]{1,300})\)(?: \.\.\. (.+))?$")
_UNITTEST_DOCUMENTED = re.compile(r".{1,300} \.\.\. (ok|FAIL|ERROR|skipped .*|expected failure|unexpected success)$")
_UNITTEST = re.compile(r"Ran (\d{1,9}) tests? in ")
_UNITTEST_SKIPPED = re.compile(r"(?:OK|FAILED) \(.{0,100}?skipped=(\d{1,9})")
_CARGO = re.compile(r"test result: (?:ok|FAILED)\. (\d{1,9}) passed; (\d{1,9}) failed; (\d{1,9}) ignored")
_CARGO_RUNNING = re.compile(r"\s{1,9}Running (?:unittests )?(\S{1,300}) \((\S{1,300})\)$")
_CARGO_DOCTESTS = re.compile(r"\s{1,9}Doc-tests (\S{1,300})$")
_CARGO_TEST = re.compile(r"test (.{1,300}) \.\.\. (ok|FAILED|ignored)\b")
_CARGO_FAIL = re.compile(r"---- (.{1,300}) stdout ----$")
_CARGO_PANIC = re.compile(r"thread '.{1,300}' (?:\(\d{1,9}\) )?panicked at ([^:]{1,300}):(\d{1,9}):\d{1,9}:?")
_GO_TEST = re.compile(r"\s{0,40}--- (PASS|FAIL|SKIP): (\S{1,300}) \(\d")
_GO_PACKAGE = re.compile(r"(?:ok  |FAIL)\t(\S{1,300})")
_MAVEN = re.compile(
    r"(?:\[(INFO|WARNING|ERROR)\] )?Tests run: (\d{1,9}), Failures: \d{1,9}, Errors: \d{1,9}, Skipped: (\d{1,9})$"
)
_MAVEN_GOAL = re.compile(r"\[INFO\] --- (?:maven-)?(?:surefire|failsafe)(?:-plugin)?:\d")
_MAVEN_THREADS = re.compile(r"\[INFO\] Using the MultiThreadedBuilder ")
_GRADLE = re.compile(r"(\S.{0,300}?) > (.{1,300}) (PASSED|FAILED|SKIPPED)$")
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
_RUNNERS = re.compile(
    r"\b(pytest|unittest|vitest|jest|mocha|cargo test|ava|uvu)\b|\b(?:(bun)|(deno)) test\b"
    r"|\b(?:node|tsx)\b(?: [^\s&|;]{1,200}){0,20}? (--test)(?![\w-])|(?:^|[\s/])(tap)(?![\w.-])"
    r"|\b(manage\.py test)\b"
)
_NAMES = {2: "bun test", 3: "deno test", 4: "node --test", 5: "tap", 6: "unittest"}
"""Names of runners by their group; Django's runs by `unittest`, and says what that says."""


def runner_of(command: str) -> str:
    """Return the runner in a command whose usual output says how many tests ran, else ""."""
    found = _RUNNERS.search(command[: 10 * LONGEST_LINE])
    return _NAMES.get(found.lastindex or 1, found[1]) if found else ""


def read_run(text: str) -> Tally | None:
    """Return all runs that the text tells of as one; None when no format is recognised.

    A command may run several runners, or one several times, and end with the exit code of the last.
    """
    runs = [run] if '"Action":' in text and (run := _go_json(text)) is not None else []
    lines = list(plain_lines(text))
    runs += [run for read in _READERS if (run := read(lines)) is not None]
    if runs:
        return merged(runs)
    if any(line.strip().lower().startswith(_NOTHING) for line in lines):
        return Tally(0)
    return None


def _pytest(lines: Sequence[str]) -> Tally | None:
    """Read every summary, not only the last: a loop over folders prints one for each."""
    summaries = [counts_in(match[1]) for line in lines if (match := _PYTEST_SUMMARY.match(line))]
    if not summaries:
        return None
    kinds = ("passed", "failed", "xfailed", "xpassed", "error", "errors")
    ran = sum(counts.get(kind, 0) for counts in summaries for kind in kinds)
    wrong = sum(counts.get(kind, 0) for counts in summaries for kind in ("failed", "error", "errors"))
    found = _pytest_failures(lines)
    if wrong and not found:
        found = [finding("test.failed", f"{wrong} tests failed, by the summary")]
    skipped = sum(counts.get("skipped", 0) for counts in summaries)
    return Tally(ran, skipped, tuple(found), named(_pytest_cases(lines)))


def _pytest_cases(lines: Sequence[str]) -> Iterator[CaseResult]:
    """Yield the tests of `-v`, `-ra` and the short summary, each once, by the name that the JUnit report gives it."""
    outcomes: dict[str, Outcome] = {}
    for line in lines:
        if (match := _PYTEST_VERBOSE.match(line)) or (match := _PYTEST_SHORT.match(line)):
            node, word = (match[1], match[2]) if match.re is _PYTEST_VERBOSE else (match[2], match[1])
            outcomes[node] = _PYTEST_OUTCOMES[word]
    for node, outcome in outcomes.items():
        file, *owners, name = node.split("::")
        owner = ".".join([file.removesuffix(".py").replace("/", "."), *owners])
        yield CaseResult(f"{owner}::{name}", outcome, file)


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
            trace = until(lines[index : index + TRACE_LINES], ("====", "Ran "))
            code = "test.failed" if line.startswith("FAIL") else "test.error"
            found.append(finding(code, "\n".join(trace), *_python_place(trace)))
    return Tally(sum(total) - skipped, skipped, tuple(found), named(_unittest_cases(lines)))


def _unittest_cases(lines: Sequence[str]) -> Iterator[CaseResult]:
    """Yield the tests of `-v` and those that failed; one with a docstring has it on a line before its outcome."""
    waiting, said_of = "", set()
    for line in lines:
        if match := _UNITTEST_TEST.match(line):
            method, owner, said = match[1], match[2].removesuffix(f".{match[1]}"), match[3]
            waiting = f"{owner}::{method}"
        elif waiting and (match := _UNITTEST_DOCUMENTED.match(line)):
            said = match[1]
        else:
            continue
        if said:
            yield CaseResult(waiting, _unittest_outcome(said))
            said_of.add(waiting)
            waiting = ""
    for line in lines:
        word, _, rest = line.partition(": ")
        if word in {"FAIL", "ERROR"} and (match := _UNITTEST_TEST.match(rest)):
            name = f"{match[2].removesuffix(f'.{match[1]}')}::{match[1]}"
            if name not in said_of:
                said_of.add(name)
                yield CaseResult(name, "failed")


def _unittest_outcome(said: str) -> Outcome:
    if said.startswith(("FAIL", "ERROR", "unexpected")):
        return "failed"
    return "skipped" if said.startswith(("skipped", "expected")) else "passed"


def _python_place(trace: Sequence[str]) -> tuple[str | None, int | None]:
    """Return the innermost frame of a traceback that is not in Python's library or in a package."""
    for line in reversed(trace):
        file, mark, rest = line.strip().removeprefix('File "').partition('", line ')
        number = rest.partition(",")[0]
        if mark and number.isdecimal() and "/lib/python" not in file and not file.startswith("<"):
            return file, int(number)
    return None, None


def _cargo(lines: Sequence[str]) -> Tally | None:
    results = [match for line in lines if (match := _CARGO.match(line))]
    if not results:
        return None
    ran = sum(int(match[1]) + int(match[2]) for match in results)
    found: list[Finding] = []
    for index, line in enumerate(lines):
        if match := _CARGO_FAIL.match(line):
            trace = until(lines[index + 1 : index + TRACE_LINES], ("---- ", "failures:", "stack backtrace:"))
            places = [one for said in trace if (one := _CARGO_PANIC.match(said))]
            place = (places[0][1], int(places[0][2])) if places else (None, None)
            found.append(finding("test.failed", "\n".join([match[1], *trace]), *place))
    return Tally(ran, sum(int(match[3]) for match in results), tuple(found), named(_cargo_cases(lines)))


def _cargo_cases(lines: Sequence[str]) -> Iterator[CaseResult]:
    """Yield the tests by crate, file and path: `sample src/lib.rs::tests::adds`."""
    owner = ""
    for line in lines:
        if match := _CARGO_RUNNING.match(line):
            owner = f"{match[2].rpartition('/')[2].rpartition('-')[0]} {match[1]}"
        elif match := _CARGO_DOCTESTS.match(line):
            owner = f"{match[1]} doc-tests"
        elif match := _CARGO_TEST.match(line):
            outcome: Outcome = "passed" if match[2] == "ok" else "failed" if match[2] == "FAILED" else "skipped"
            yield CaseResult(f"{owner}::{match[1]}", outcome)


def _maven(lines: Sequence[str]) -> Tally | None:
    """Read Surefire's totals: one for each run of its goal, whose tests stand between the goal's line and the total.

    The total of a class ends with its time. Tests may print lines of the same form: the last of a run is Surefire's, and
    more than one are a `test.disagreement`. Releases before 2.20 write totals without a level. Where Maven builds
    modules at once, as it says first, their lines are mixed: then there are no more totals than runs.
    """
    found = [(place, match) for place, line in enumerate(lines) if (match := _MAVEN.match(line.rstrip()))]
    totals = [one for one in found if one[1][1]] or found
    if not totals:
        return None
    goals = [place for place, line in enumerate(lines) if _MAVEN_GOAL.match(line)]
    if any(map(_MAVEN_THREADS.match, lines[: goals[0]] if goals else ())):
        counted, most = [match for _, match in totals], len(goals)
    else:
        counted = list({bisect(goals, place): match for place, match in totals}.values())
        most = len(counted) if goals else len(totals)
    total, skipped = (sum(int(match[group]) for match in counted) for group in (2, 3))
    # What Maven itself says of the failed module stands below the last total, in lines of the same form.
    tests = (line for line in lines[: totals[-1][0]] if line.startswith("[ERROR]   "))
    failures = [finding("test.failed", line.removeprefix("[ERROR]").strip()) for line in tests]
    if len(totals) > most:
        message = f"The output has {len(totals)} totals of tests, of which Surefire wrote {most}."
        failures.append(
            finding("test.disagreement", message, fix="let the tests print nothing that reads like a total")
        )
    return Tally(total - skipped, skipped, tuple(failures))


def _gradle(lines: Sequence[str]) -> Tally | None:
    """Read the events of tests that an initialization script lets Gradle print (`gates.java`)."""
    cases: list[CaseResult] = []
    found: list[Finding] = []
    for index, line in enumerate(lines):
        if match := _GRADLE.match(line):
            outcome: Outcome = "passed" if match[3] == "PASSED" else "failed" if match[3] == "FAILED" else "skipped"
            cases.append(CaseResult(f"{match[1]}::{match[2]}", outcome))
            if outcome == "failed":
                trace = until(lines[index : index + TRACE_LINES], ("",), " ")
                found.append(finding("test.failed", "\n".join(trace)))
    if not cases:
        return None
    skipped = sum(case.outcome == "skipped" for case in cases)
    return Tally(len(cases) - skipped, skipped, tuple(found), named(cases))


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
    outcomes: dict[str, Outcome] = {"pass": "passed", "fail": "failed", "skip": "skipped"}
    cases = (CaseResult(f"{package}::{test}", outcomes[action]) for (package, test), action in tests.items())
    return Tally(len(tests) - skipped, skipped, tuple(found), named(cases))


def _go_verbose(lines: Sequence[str]) -> Tally | None:
    """Read `go test -v`, whose package is named after its tests. Recorded by hand with Go 1.27."""
    outcomes: dict[str, Outcome] = {"PASS": "passed", "FAIL": "failed", "SKIP": "skipped"}
    cases: list[CaseResult] = []
    waiting: list[tuple[str, Outcome]] = []
    broken: list[str] = []
    for line in lines:
        if match := _GO_TEST.match(line):
            waiting.append((match[2], outcomes[match[1]]))
        elif match := _GO_PACKAGE.match(line):
            # A package fails with its tests; one without a failed test could not be built, or was ended from inside.
            if line.startswith("FAIL") and not any(outcome == "failed" for _, outcome in waiting):
                broken.append(match[1])
            cases += [CaseResult(f"{match[1]}::{name}", outcome) for name, outcome in waiting]
            waiting = []
    if not cases:
        return None
    skipped = sum(case.outcome == "skipped" for case in cases)
    failed = [case.name for case in cases if case.outcome == "failed"]
    found = tuple(finding("test.failed", name) for name in (*failed, *broken))
    return Tally(len(cases) - skipped, skipped, found, named(cases))


_READERS: tuple[Callable[[Sequence[str]], Tally | None], ...] = (
    *JAVASCRIPT,
    _cargo,
    _go_verbose,
    _maven,
    _gradle,
    _unittest,
    _pytest,
)
