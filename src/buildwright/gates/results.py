"""Compares what a test run's reports and its output say. Must never let one of them alone say that tests passed."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from buildwright.core.finding import Finding
from buildwright.core.limits import Check
from buildwright.gates.changed import read_bytes
from buildwright.gates.junit import LARGEST_REPORT, Tally, merged, read_junit
from buildwright.gates.node_reporting import clear_node_reports, node_reports
from buildwright.gates.reporting import finding
from buildwright.gates.test_output import read_run

_INTERNAL = "pytest: internal: internal error"
"""How the report names what stopped pytest itself, such as a plugin or a setting that it does not know."""
_FIX = "let the tests neither write their report nor end their process, and print nothing that reads like a summary"


def clear_reports(files: Path, report: Path, check: Check) -> None:
    """Remove `report` and those of Node beside it, and what lies where the check's own is to appear: an old one is no result."""
    _clear(report)
    clear_node_reports(report.parent)
    if is_report_path(check.report):
        place = files / check.report
        if place.parent.resolve().is_relative_to(files.resolve()):
            _clear(place)


def _clear(place: Path) -> None:
    """Remove whatever a check has left there, also a folder. What cannot be removed is no readable report either."""
    with contextlib.suppress(OSError):
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)


def is_report_path(report: str) -> bool:
    """Return whether what a check names is a file that it writes, not a runner whose output is read."""
    return "/" in report or report.endswith(".xml")


class Results(NamedTuple):
    """The result of a check's test runs, and what its sources disagree about."""

    tally: Tally | None
    findings: tuple[Finding, ...] = ()


def results_of(
    check: Check,
    files: Path,
    private: Path,
    report: str,
    text: str,
    own: Callable[[Tally], Tally] = lambda run: run,
    *,
    ended_well: bool = False,
) -> Results:
    """Return the result of a test run from every report that there is and from its output.

    `report` is the name in `private` of what Buildwright asked for, used where the check names no file of its own; the
    reports of runners in Node lie there too. `own` takes what is not the project's out of the report; `ended_well` says
    that the command ended with exit code 0.
    """
    place = (files, check.report) if is_report_path(check.report) else (private, report)
    content = read_bytes(*place, LARGEST_REPORT)
    root = str(files.resolve())
    read = read_junit(content, root, ended_well=ended_well) if content is not None else None
    asked = own(read) if read is not None else None
    of_node = node_reports(private, root)
    told = read_run(text)
    if asked is None:
        return agreed(check.command, of_node, told)
    # pytest's report counts an expected failure as skipped, its output as one that ran.
    return agreed(check.command, [asked], told, numbers=False)


def agreed(command: str, reports: Sequence[Tally], told: Tally | None, *, numbers: bool = True) -> Results:
    """Return the reports as one result, else what the output tells, with a `test.disagreement` where they differ.

    `numbers` of tests are compared too.
    """
    reported = merged(reports)
    if reported is None or told is None:
        return Results(reported if reported is not None else told)
    if any(one.message.startswith(_INTERNAL) for one in reported.findings):
        return Results(reported)  # pytest's summary tells of tests alone, and it came to none
    if bool(reported.findings) != bool(told.findings):
        which = "report" if reported.findings else "output"
        message = f"Of `{command}` only the {which} says that tests failed."
        wrong = reported.findings or told.findings
        return Results(reported._replace(findings=wrong), (finding("test.disagreement", message, fix=_FIX), *wrong))
    if numbers and not reported.findings and _differ(reported.ran or 0, told.ran or 0, len(reports)):
        message = f"Of `{command}` the report names {reported.ran} tests that ran, the output tells of {told.ran}."
        return Results(reported, (finding("test.disagreement", message, fix=_FIX),))
    return Results(reported)


def _differ(reported: int, told: int, reports: int) -> bool:
    """Return whether numbers of tests contradict: of several runs one may only print, none reports without printing.

    Words like "no tests found" beside a report come from a run that had none.
    """
    return told > 0 and (reported > told or (reports == 1 and reported < told))
