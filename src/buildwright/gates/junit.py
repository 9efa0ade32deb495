"""Reads JUnit XML, the common report of test runners. Must never resolve an entity: a document with DTD is refused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple
from xml.etree import ElementTree

from buildwright.core.finding import Finding
from buildwright.gates.reporting import clip, finding

LARGEST_REPORT = 50_000_000
"""Largest report that is read, in bytes; a larger one counts as none."""

Outcome = Literal["passed", "failed", "skipped"]

_TRACE_LINES = 40
_JAVASCRIPT = re.compile(r"(?:/[^\n]{1,1000}|[^\s/][^\s]{0,1000})\.[cm]?[jt]sx?$")


class CaseResult(NamedTuple):
    """One test of a run. `name` is its identity: the same in every run and every tree that has the test."""

    name: str
    outcome: Outcome
    file: str = ""
    """The file that holds it, as the runner names it; "" when it does not."""


class Tally(NamedTuple):
    """The result of a test run. `ran` counts tests that were not skipped; None when it is unknown."""

    ran: int | None
    skipped: int = 0
    findings: tuple[Finding, ...] = ()
    """One per test that failed or could not run."""
    cases: tuple[CaseResult, ...] = ()
    """Every test that the run names; a runner that prints only numbers names none, or only those that failed."""
    retried: tuple[str, ...] = ()
    """Tests that the runner itself ran again after a failure, and that passed then."""


def named(cases: Iterable[CaseResult], root: str = "") -> tuple[CaseResult, ...]:
    """Return the cases with names that are unique (`name`, `name #2`, ...) and hold no path of the checkout `root`."""
    prefix = root.rstrip("/") + "/" if root else ""
    seen: dict[str, int] = {}
    result = []
    for case in cases:
        name, file = (
            (case.name.replace(prefix, ""), case.file.removeprefix(prefix)) if prefix else (case.name, case.file)
        )
        seen[name] = seen.get(name, 0) + 1
        result.append(CaseResult(name if seen[name] == 1 else f"{name} #{seen[name]}", case.outcome, file))
    return tuple(result)


def merged(tallies: Sequence[Tally]) -> Tally | None:
    """Return several runs as one, None for no run; unknown when the number of one is."""
    if not tallies:
        return None
    known = [tally.ran for tally in tallies if tally.ran is not None]
    ran = sum(known) if len(known) == len(tallies) else None
    findings = tuple(one for tally in tallies for one in tally.findings)
    cases = named(case for tally in tallies for case in tally.cases)
    retried = tuple(name for tally in tallies for name in tally.retried)
    return Tally(ran, sum(tally.skipped for tally in tallies), findings, cases, retried)


def is_file(name: str) -> bool:
    """Return whether a test's name is the path of a JavaScript file.

    Node's runner reports a file in which no test was found, or which ended the process, as a test of the file's name.
    """
    return _JAVASCRIPT.match(name) is not None


def read_junit(content: bytes, root: str = "", *, ended_well: bool = False) -> Tally | None:
    """Return the run that a report describes; None when it is not JUnit XML in UTF-8, or has a DTD.

    `root` is the checkout, whose path is taken out of names. Format: https://github.com/testmoapp/junitxml (there is no
    standard). Test cases are counted one by one, because the totals in the attributes of suites differ between runners.
    A test that failed and passed later counts as retried, and once, if the run `ended_well`: with exit code 0. Else two
    tests may have one name. Surefire says it in a case that passed (`flakyFailure`).
    """
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        return None
    try:
        document = ElementTree.fromstring(content.decode("utf-8"))  # noqa: S314  see the import
    except (ElementTree.ParseError, UnicodeDecodeError, ValueError):
        return None
    if document.tag not in {"testsuites", "testsuite"}:
        return None
    read = [(case, _case(case)) for case in document.iter("testcase")]
    read = [(case, result) for case, result in read if result.outcome == "failed" or not is_file(case.get("name", ""))]
    last = {(result.name, result.file): result.outcome for _, result in read} if ended_well else {}
    again = [one for one in read if one[1].outcome == "failed" and last.get((one[1].name, one[1].file)) == "passed"]
    read = [one for one in read if one not in again]
    again += [(case, result) for case, result in read if result.outcome == "passed" and _is_flaky(case)]
    skipped = sum(result.outcome == "skipped" for _, result in read)
    errors_outside = [suite for suite in document.iter("testsuite") for suite in suite.findall("error")]
    findings = [*(one for case, _ in read for one in _failures(case)), *(_failure(case, "") for case in errors_outside)]
    retried = (one.name for one in named(dict.fromkeys(result for _, result in again), root))
    return Tally(
        len(read) - skipped, skipped, tuple(findings), named((result for _, result in read), root), tuple(retried)
    )


def _is_flaky(case: ElementTree.Element) -> bool:
    return any(said.tag in {"flakyFailure", "flakyError"} for said in case)


def _case(case: ElementTree.Element) -> CaseResult:
    tags = {said.tag for said in case}
    outcome: Outcome = "failed" if tags & {"failure", "error"} else "skipped" if "skipped" in tags else "passed"
    owner, name = case.get("classname", ""), case.get("name", "")
    return CaseResult(f"{owner}::{name}" if owner else name, outcome, case.get("file", ""))


def _failures(case: ElementTree.Element) -> Iterator[Finding]:
    name = case.get("name", "")
    owner = case.get("classname", "")
    title = f"{owner}: {name}" if owner and owner != name else name
    for said in case:
        if said.tag in {"failure", "error"}:
            yield _failure(said, title, case.get("file"), case.get("line"))


def _failure(said: ElementTree.Element, title: str, file: str | None = None, line: str | None = None) -> Finding:
    trace = [one for one in (said.text or "").splitlines() if one.strip()]
    place, number = _place(trace) if file is None else (file, int(line) if line and line.isdecimal() else None)
    summary = (said.get("message") or "").strip()
    body = "\n".join(trace[-_TRACE_LINES:])
    first = title if summary in body else ": ".join(part for part in (title, clip(summary, 700)) if part)
    text = f"{first}\n{body}"
    return finding(f"test.{'failed' if said.tag == 'failure' else 'error'}", text, place, number)


def _place(trace: list[str]) -> tuple[str | None, int | None]:
    """Return the place of a failure: pytest ends each trace with `path:line: Kind`, and the last such line counts."""
    for line in reversed(trace):
        path, _, rest = line[:500].partition(":")
        number, colon, _ = rest.partition(":")
        if colon and number.isdecimal() and "." in path and not path[0].isspace():
            return path, int(number)
    return None, None
