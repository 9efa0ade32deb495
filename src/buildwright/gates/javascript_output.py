"""Reads console output of JavaScript's test runners: how many tests ran, which, which failed. Must stay linear.

Formats as recorded in tests/data/console.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from buildwright.core.figures import count
from buildwright.core.finding import Finding
from buildwright.gates.junit import CaseResult, Outcome, Tally, is_file, named
from buildwright.gates.reporting import finding
from buildwright.gates.tool_output import TRACE_LINES, counts_in, until

_OUTCOMES: Mapping[str, Outcome] = {
    **dict.fromkeys(("✔", "✓", "ok", "pass"), "passed"),
    **dict.fromkeys(("✖", "✕", "\u00d7", "✘ [fail]:", "FAILED", "not ok", "fail"), "failed"),
    **dict.fromkeys(("﹣", "○ skipped", "✎ todo", "↓", "□", "-", "- [skip]", "- [todo]"), "skipped"),
    **dict.fromkeys(("ignored", "skip", "todo"), "skipped"),
}
_DURATION = re.compile(r" [\[(]?\d{1,9}(?:\.\d{1,9})? ?(?:ms|s|m|\u00b5s)[\])]?$")
_NODE = re.compile(r"(?:#|\u2139) (tests|pass|fail|cancelled|skipped|skip|todo) (\d{1,9})$")
_NODE_TEST = re.compile(r"(\s{0,80})(\u2714|\u2716|\ufe63|\u25b6|\u26a0) (.+)")
_NODE_PLACE = re.compile(r"\s{0,40}location: '(.{1,300}):(\d{1,9}):\d{1,9}'")
_NODE_DURATION = re.compile(r" \(\d{1,9}(?:\.\d{1,9})?ms\)$")
_TAP = re.compile(r"(\s{0,80})(ok|not ok) \d{1,9} - (.+)")
_TAP_TIME = re.compile(r" # time=\S{1,20}$")
_TAP_SUBTEST = re.compile(r"(\s{0,80})# Subtest: (.+)")
_DIRECTIVE = re.compile(r" # (SKIP|TODO)\b.*$", re.IGNORECASE)
_TAP_RUNNER = re.compile(r"# \{ (total: \d{1,9}(?:, [a-z]{1,20}: \d{1,9}){0,9}) \}$")
_TAP_COUNT = re.compile(r"([a-z]{1,20}): (\d{1,9})")
_TAPE = "TAP version "
_TAPE_COUNT = re.compile(
    r"# (tests|pass |fail ) (\d{1,9})$"
)  # the numbers stand below each other, unlike those of Node
_TAPE_TEST = re.compile(r"# (SKIP )?(.+)")
_TAPE_LINE = re.compile(r"(ok|not ok) \d{1,9}(?: (.+))?$")
_JEST = re.compile(r"Tests:\s{1,9}((?:\d{1,9} [a-z]{1,20}(?:, )?){1,9})")
_JEST_TEST = re.compile(r"(\s{2,80})(\u2713|\u2715|\u25cb skipped|\u270e todo) (.+)")
_JEST_SUITE = re.compile(r"(\s{2,80})([^\s\u25cf].*)")
_VITEST = re.compile(r"\s{0,9}Tests\s{1,9}(no tests$|(?:\d{1,9} [a-z]{1,20}(?: \| )?){1,9} \(\d)")
_VITEST_TEST = re.compile(r"\s{1,9}(\u2713|\u00d7|\u2193|\u25a1) (?:\|[^|]{1,80}\| )?(\S{1,300}) > (.+)")
_MOCHA = re.compile(r"  (\d{1,9}) (passing|pending|failing)(?: \(\d{1,9}m?[sh]?\))?$")
_MOCHA_FAIL = re.compile(r"  \d{1,9}\) (.+)")
_MOCHA_TEST = re.compile(r"(\s{2,80})(\u2714|\u2713|-|\d{1,9}\)) (.+)")
_BUN_COUNT = re.compile(r" (\d{1,9}) (pass|skip|todo|fail)$")
_BUN_END = re.compile(r"Ran \d{1,9} tests? across \d{1,9} files?\.")
_BUN_TEST = re.compile(r"\((pass|fail|skip|todo)\) (.+)")
_DENO = re.compile(r"(?:ok|FAILED) \| (\d{1,9} passed\b.{0,200})")
_DENO_FILE = re.compile(r"running \d{1,9} tests? from (\S{1,300})")
_DENO_TEST = re.compile(r"(\S.{0,300}) \.\.\. (ok|FAILED|ignored)\b")
_AVA = re.compile(r"  (\d{1,9}) tests? (passed|failed|skipped|todo)$")
_AVA_KNOWN = re.compile(r"  (\d{1,9}) known failures?$")
_AVA_TEST = re.compile(r"\s{2,9}(\u2714|\u2718 \[fail\]:|- \[skip\]|- \[todo\]) (.+)")
_UVU = re.compile(r"  (Total|Passed|Skipped):\s{1,9}(\d{1,9})$")


class _Nest:
    """The names around a line, by its indentation."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []

    def enter(self, indent: int, name: str) -> None:
        self.leave(indent)
        self._open.append((indent, name))

    def leave(self, indent: int) -> str:
        """Close what is open at this indentation or deeper; return the name that was open exactly here, else ""."""
        closed = ""
        while self._open and self._open[-1][0] >= indent:
            at, name = self._open.pop()
            closed = name if at == indent else closed
        return closed

    def path(self, name: str) -> str:
        return " > ".join([*(outer for _, outer in self._open), name])


def _plain(name: str) -> str:
    return _DURATION.sub("", _DURATION.sub("", name)).strip()


def _failed_number(number: int, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the findings; one that tells the number when the output has it and names no failure."""
    if number and not findings:
        return (finding("test.failed", f"{count(number, 'test')} failed, by the summary"),)
    return tuple(findings)


def _node(lines: Sequence[str]) -> Tally | None:
    counts: dict[str, int] = {}
    for line in lines:
        if match := _NODE.match(line):
            kind = "skipped" if match[1] == "skip" else match[1]
            counts[kind] = counts.get(kind, 0) + int(match[2])
    if "tests" not in counts or "pass" not in counts:
        return None
    cases = [*_spec_cases(lines), *_tap_cases(lines)]
    files = [case for case in cases if case.outcome != "failed" and is_file(case.name)]
    ran = counts["tests"] - counts.get("skipped", 0) - counts.get("todo", 0) - len(files)
    failed = counts.get("fail", 0) + counts.get("cancelled", 0)
    found = _failed_number(failed, _node_failures(lines))
    return Tally(max(ran, 0), counts.get("skipped", 0), found, named(case for case in cases if case not in files))


def _node_failures(lines: Sequence[str]) -> list[Finding]:
    found: list[Finding] = []
    in_failures = False
    for index, line in enumerate(lines):
        in_failures = in_failures or line.startswith("✖ failing tests")
        if (match := _TAP.match(line)) and match[2] == "not ok" and not _DIRECTIVE.search(match[3]):
            failure = _tap_failure(_TAP_TIME.sub("", match[3]), lines[index + 1 : index + TRACE_LINES])
            found += [failure] if failure else []
        elif in_failures and line.startswith("✖ ") and not line.startswith("✖ failing"):
            before = lines[index - 1].removeprefix("test at ").rsplit(":", 2) if index else []
            placed = len(before) == 3 and before[1].isdecimal()
            trace = "\n".join(
                [_NODE_DURATION.sub("", line[2:]), *until(lines[index + 1 : index + TRACE_LINES], ("test at ",))]
            )
            where = (before[0], int(before[1])) if placed else (None, None)
            found.append(finding("test.failed", trace, *where))
    return found


def _tap_failure(name: str, following: Sequence[str]) -> Finding | None:
    """Return a failed test, None for a suite that failed only because one of its tests did."""
    block = until(list(following), ("ok ", "not ok ", "# Subtest"))
    if any(line.strip() == "failureType: 'subtestsFailed'" for line in block):
        return None
    for line in block:
        if match := _NODE_PLACE.match(line):
            return finding("test.failed", "\n".join([name, *block]), match[1], int(match[2]))
    return finding("test.failed", "\n".join([name, *block]))


def _spec_cases(lines: Sequence[str]) -> Iterator[CaseResult]:
    """Yield tests of Node's reporter `spec`. A test with subtests cannot be told from a suite and is left out."""
    nest = _Nest()
    before = ""
    for line in lines:
        # Failures are told again at the end, each below its place.
        repeated, before = before.startswith("test at "), line
        match = _NODE_TEST.match(line)
        if match is None or repeated:
            continue
        indent, mark, name = len(match[1]), match[2], match[3]
        directive = _DIRECTIVE.search(name)
        name = _NODE_DURATION.sub("", _DIRECTIVE.sub("", name))
        if mark == "\u25b6" and not _NODE_DURATION.search(match[3]):
            nest.enter(indent, name)
        elif nest.leave(indent) != name and mark in _OUTCOMES and _NODE_DURATION.search(_DIRECTIVE.sub("", match[3])):
            yield CaseResult(nest.path(name), "skipped" if directive else _OUTCOMES[mark])


def _tap_cases(lines: Sequence[str]) -> Iterator[CaseResult]:
    """Yield tests of TAP; a test around others is left out.

    Format: https://node-tap.org/tap-format (subtests are indented, their name stands in a comment before them).
    """
    nest = _Nest()
    around: set[str] = set()
    for line in lines:
        if match := _TAP_SUBTEST.match(line):
            nest.enter(len(match[1]), match[2])
        elif match := _TAP.match(line):
            name = _TAP_TIME.sub("", _DIRECTIVE.sub("", match[3]))
            nest.leave(len(match[1]))
            outer = nest.path("")
            around.add(outer.removesuffix(" > "))
            full = nest.path(name)
            if full not in around:
                yield CaseResult(full, "skipped" if _DIRECTIVE.search(match[3]) else _OUTCOMES[match[2]])


def _tap_runner(lines: Sequence[str]) -> Tally | None:
    """Read the runner tap, whose last lines count what its files asserted."""
    found = [match for line in lines if (match := _TAP_RUNNER.match(line))]
    if not found:
        return None
    counts: dict[str, int] = {}
    for match in found:
        for kind, number in _TAP_COUNT.findall(match[1]):
            counts[kind] = counts.get(kind, 0) + int(number)
    skipped = counts.get("skip", 0) + counts.get("todo", 0)
    findings = _failed_number(counts.get("fail", 0), _node_failures(lines))
    return Tally(max(counts["total"] - skipped, 0), skipped, findings, named(_tap_cases(lines)))


def _tape(lines: Sequence[str]) -> Tally | None:
    """Read the runner tape: a comment begins each test, and the end counts what all of them asserted."""
    counts: dict[str, int] = {}
    for line in lines:
        if match := _TAPE_COUNT.match(line):
            counts[match[1].strip()] = counts.get(match[1].strip(), 0) + int(match[2])
    if "tests" not in counts or "pass" not in counts or not any(line.startswith(_TAPE) for line in lines):
        return None
    test, left_out, skipped = "", 0, 0
    outcomes: dict[str, Outcome] = {}
    found: list[Finding] = []
    for index, line in enumerate(lines):
        if match := _TAPE_LINE.match(line):
            name = match[2] or ""
            if _DIRECTIVE.search(name):
                left_out += 1
                outcomes.setdefault(test, "skipped")
            elif match[1] == "ok":
                outcomes[test] = "failed" if outcomes.get(test) == "failed" else "passed"
            else:
                outcomes[test] = "failed"
                trace = until(list(lines[index + 1 : index + TRACE_LINES]), ("ok ", "not ok ", "# ", "1.."))
                found.append(
                    finding("test.failed", "\n".join([_under(test, name), *trace]), *(_frame(trace) or (None, None)))
                )
        elif (match := _TAPE_TEST.match(line)) and not _TAPE_COUNT.match(line):
            test = match[2]
            if match[1]:
                skipped += 1
                outcomes.setdefault(test, "skipped")
    findings = _failed_number(counts.get("fail", 0), found)
    cases = named(CaseResult(name, outcome) for name, outcome in outcomes.items() if name)
    return Tally(max(counts["tests"] - left_out, 0), skipped + left_out, findings, cases)


def _under(test: str, name: str) -> str:
    return " > ".join(part for part in (test, name) if part)


def _jest(lines: Sequence[str]) -> Tally | None:
    counts = _all_counts(lines, _JEST)
    if counts is None:
        return None
    found: dict[tuple[str, str], Finding] = {}
    file = ""
    for index, line in enumerate(lines):
        if line.startswith("FAIL ") and line.split()[1:]:
            file = line.split()[1]
        elif line.startswith("  \u25cf ") and file:
            name = line.removeprefix("  \u25cf ")
            trace = until(
                lines[index + 1 : index + TRACE_LINES], ("  \u25cf ", "Tests:", "Test Suites:", "FAIL ", "PASS ")
            )
            code = "test.error" if name == "Test suite failed to run" else "test.failed"
            # jest repeats the failures of a large run at its end.
            found.setdefault((file, name), finding(code, "\n".join([name, *trace]), *(_frame(trace) or (file, None))))
    ran = counts.get("passed", 0) + counts.get("failed", 0)
    findings = _failed_number(counts.get("failed", 0), tuple(found.values()))
    return Tally(ran, counts.get("skipped", 0), findings, named(_jest_cases(lines)))


def _jest_cases(lines: Sequence[str]) -> Iterator[CaseResult]:
    nest, file = _Nest(), ""
    for line in lines:
        if line.startswith(("PASS ", "FAIL ")) and line.split()[1:]:
            nest, file = _Nest(), line.split()[1]
        elif not line or not line[0].isspace():
            file = ""
        elif file and (match := _JEST_TEST.match(line)):
            nest.leave(len(match[1]))
            yield CaseResult(f"{file}::{nest.path(_plain(match[3]))}", _OUTCOMES[match[2]], file)
        elif file and (match := _JEST_SUITE.match(line)):
            nest.enter(len(match[1]), match[2])


def _vitest(lines: Sequence[str]) -> Tally | None:
    counts = _all_counts(lines, _VITEST)
    if counts is None:
        return None
    found: list[Finding] = []
    for index, line in enumerate(lines):
        if line.startswith(" FAIL  "):
            name = line.removeprefix(" FAIL  ")
            test, inside, _ = name.partition(" > ")
            file = test.split()[-1] if inside else test.partition(" [ ")[0].split()[-1]
            trace = until(lines[index + 1 : index + TRACE_LINES], (" FAIL  ", "\u23af\u23af\u23af\u23af"))
            place = _frame(trace) or (file, None)
            found.append(finding("test.failed" if inside else "test.error", "\n".join([name, *trace]), *place))
    ran = counts.get("passed", 0) + counts.get("failed", 0)
    findings = _failed_number(counts.get("failed", 0), found)
    return Tally(ran, counts.get("skipped", 0), findings, named(_vitest_cases(lines)))


def _vitest_cases(lines: Sequence[str]) -> Iterator[CaseResult]:
    for line in lines:
        if match := _VITEST_TEST.match(line):
            yield CaseResult(f"{match[2]}::{_plain(match[3])}", _OUTCOMES[match[1]], match[2])


def _mocha(lines: Sequence[str]) -> Tally | None:
    counts: dict[str, int] = {}
    for line in lines:
        if match := _MOCHA.match(line):
            counts[match[2]] = counts.get(match[2], 0) + int(match[1])
    if "passing" not in counts:
        return None
    found: list[Finding] = []
    at_end = False
    for index, line in enumerate(lines):
        at_end = at_end or _MOCHA.match(line) is not None
        if at_end and (match := _MOCHA_FAIL.match(line)):
            trace = until(lines[index : index + TRACE_LINES], ("  ",), unless="     ")
            title = match[1]
            found.append(finding("test.failed", "\n".join([title, *trace[1:]]), *(_frame(trace) or (None, None))))
    findings = _failed_number(counts.get("failing", 0), found)
    ran = counts["passing"] + counts.get("failing", 0)
    return Tally(ran, counts.get("pending", 0), findings, named(_mocha_cases(lines)))


def _mocha_cases(lines: Sequence[str]) -> Iterator[CaseResult]:
    nest = _Nest()
    for line in lines:
        if _MOCHA.match(line):
            return
        if match := _MOCHA_TEST.match(line):
            nest.leave(len(match[1]))
            outcome = "failed" if match[2].endswith(")") else _OUTCOMES[match[2]]
            yield CaseResult(nest.path(_plain(match[3])), outcome)
        elif match := _JEST_SUITE.match(line):
            nest.enter(len(match[1]), match[2])


def _bun(lines: Sequence[str]) -> Tally | None:
    if not any(_BUN_END.match(line) for line in lines):
        return None
    counts: dict[str, int] = {}
    cases: list[CaseResult] = []
    file = ""
    for line in lines:
        if match := _BUN_COUNT.match(line):
            counts[match[2]] = counts.get(match[2], 0) + int(match[1])
        elif match := _BUN_TEST.match(line):
            cases.append(
                CaseResult(f"{file}::{_plain(match[2])}" if file else _plain(match[2]), _OUTCOMES[match[1]], file)
            )
        elif line.endswith(":") and is_file(line[:-1]):
            file = line[:-1]
    failed = [finding("test.failed", case.name, case.file or None) for case in cases if case.outcome == "failed"]
    ran = counts.get("pass", 0) + counts.get("fail", 0)
    skipped = counts.get("skip", 0) + counts.get("todo", 0)
    return Tally(ran, skipped, _failed_number(counts.get("fail", 0), failed), named(cases))


def _deno(lines: Sequence[str]) -> Tally | None:
    counts = _all_counts(lines, _DENO)
    if counts is None:
        return None
    cases: list[CaseResult] = []
    file = ""
    for line in lines:
        if match := _DENO_FILE.match(line):
            file = match[1].removeprefix("./")
        elif file and (match := _DENO_TEST.match(line)):
            cases.append(CaseResult(f"{file}::{match[1]}", _OUTCOMES[match[2]], file))
    failed = [finding("test.failed", case.name, case.file) for case in cases if case.outcome == "failed"]
    findings = _failed_number(counts.get("failed", 0), failed)
    return Tally(counts.get("passed", 0) + counts.get("failed", 0), counts.get("ignored", 0), findings, named(cases))


def _ava(lines: Sequence[str]) -> Tally | None:
    counts: dict[str, int] = {}
    for line in lines:
        if match := _AVA.match(line):
            counts[match[2]] = counts.get(match[2], 0) + int(match[1])
        elif match := _AVA_KNOWN.match(line):
            counts["known"] = counts.get("known", 0) + int(match[1])
    if not counts:
        return None
    cases = [CaseResult(_plain(match[2]), _OUTCOMES[match[1]]) for line in lines if (match := _AVA_TEST.match(line))]
    failed = [finding("test.failed", case.name) for case in cases if case.outcome == "failed"]
    # The number of passed tests is printed only where none failed.
    ran = max(
        counts.get("passed", 0) + counts.get("failed", 0) + counts.get("known", 0),
        sum(case.outcome != "skipped" for case in cases),
    )
    skipped = counts.get("skipped", 0) + counts.get("todo", 0)
    return Tally(ran, skipped, _failed_number(counts.get("failed", 0), failed), named(cases))


def _uvu(lines: Sequence[str]) -> Tally | None:
    counts: dict[str, int] = {}
    for line in lines:
        if match := _UVU.match(line):
            counts[match[1]] = counts.get(match[1], 0) + int(match[2])
    if len(counts) < len(("Total", "Passed", "Skipped")):
        return None
    failed = [finding("test.failed", line.strip()) for line in lines if line.startswith('   FAIL  "')]
    return Tally(counts["Total"], counts["Skipped"], _failed_number(counts["Total"] - counts["Passed"], failed))


def _all_counts(lines: Sequence[str], summary: re.Pattern[str]) -> dict[str, int] | None:
    """Return the sums over all summaries: a command may run a runner several times, and end with the last one's code."""
    found = [match for line in lines if (match := summary.match(line))]
    counts: dict[str, int] = {}
    for match in found:
        for kind, number in counts_in(match[1]).items():
            counts[kind] = counts.get(kind, 0) + number
    return counts if found else None


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


READERS: tuple[Callable[[Sequence[str]], Tally | None], ...] = (
    _node,
    _tap_runner,
    _tape,
    _jest,
    _vitest,
    _mocha,
    _bun,
    _deno,
    _ava,
    _uvu,
)
