"""Compares what a test run's reports and its output say. Must never let one of them alone say that tests passed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from buildwright.core.finding import Finding
from buildwright.gates.junit import Tally, merged
from buildwright.gates.reporting import finding

_FIX = "let the tests neither write their report nor end their process, and print nothing that reads like a summary"


class Results(NamedTuple):
    """The result of a check's test runs, and what its sources disagree about."""

    tally: Tally | None
    findings: tuple[Finding, ...] = ()


def agreed(command: str, reports: Sequence[Tally], told: Tally | None) -> Results:
    """Return the reports as one result, else what the output tells, with a `test.disagreement` where they differ.

    Numbers are compared where one run wrote one report: of several, one may report and another only print.
    """
    reported = merged(reports)
    if reported is None or told is None:
        return Results(reported if reported is not None else told)
    if bool(reported.findings) != bool(told.findings):
        which = "report" if reported.findings else "output"
        message = f"Of `{command}` only the {which} says that tests failed."
        wrong = reported.findings or told.findings
        return Results(reported._replace(findings=wrong), (finding("test.disagreement", message, fix=_FIX),))
    if len(reports) == 1 and not reported.findings and reported.ran != told.ran:
        message = f"Of `{command}` the report names {reported.ran} tests that ran, the output tells of {told.ran}."
        return Results(reported, (finding("test.disagreement", message, fix=_FIX),))
    return Results(reported)
