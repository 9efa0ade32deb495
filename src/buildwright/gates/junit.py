"""Reads JUnit XML, the common report of test runners. Must never resolve an entity: a document with DTD is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from xml.etree import ElementTree

from buildwright.core.finding import Finding
from buildwright.gates.reporting import clip, finding

LARGEST_REPORT = 50_000_000
"""Largest report that is read, in bytes; a larger one counts as none."""

_TRACE_LINES = 40


class Tally(NamedTuple):
    """The result of a test run. `ran` counts tests that were not skipped; None when it is unknown."""

    ran: int | None
    skipped: int = 0
    findings: tuple[Finding, ...] = ()
    """One per test that failed or could not run."""


def read_junit(content: bytes) -> Tally | None:
    """Return the run that a report describes; None when it is not JUnit XML in UTF-8, or has a DTD.

    Format: https://github.com/testmoapp/junitxml (there is no standard). Test cases are counted one by one, because the
    totals in the attributes of suites differ between runners.
    """
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        return None
    try:
        root = ElementTree.fromstring(content.decode("utf-8"))  # noqa: S314  see the import
    except (ElementTree.ParseError, UnicodeDecodeError, ValueError):
        return None
    if root.tag not in {"testsuites", "testsuite"}:
        return None
    cases = list(root.iter("testcase"))
    skipped = sum(case.find("skipped") is not None for case in cases)
    errors_outside = [suite for suite in root.iter("testsuite") for suite in suite.findall("error")]
    findings = [*(one for case in cases for one in _failures(case)), *(_failure(case, "") for case in errors_outside)]
    return Tally(len(cases) - skipped, skipped, tuple(findings))


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
    text = f"{title}: {clip(summary, 700)}\n{body}" if summary not in body else f"{title}\n{body}"
    return finding(f"test.{'failed' if said.tag == 'failure' else 'error'}", text, place, number)


def _place(trace: list[str]) -> tuple[str | None, int | None]:
    """Return the place of a failure: pytest ends each trace with `path:line: Kind`, and the last such line counts."""
    for line in reversed(trace):
        path, _, rest = line[:500].partition(":")
        number, colon, _ = rest.partition(":")
        if colon and number.isdecimal() and "." in path and not path[0].isspace():
            return path, int(number)
    return None, None
