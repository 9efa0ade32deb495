"""The verb `gates`: prints which gates judged which tree, and what they found. Must never judge anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.argv0 import typed
from buildwright.cli.output import Output
from buildwright.cli.session import session
from buildwright.errors import Refused

if TYPE_CHECKING:
    from buildwright.core.finding import Evidence, Finding, Report
    from buildwright.views.verdicts import GatesView, VerdictView

_STYLES = {"error": "red", "warning": "yellow", "note": "dim"}


async def gates(
    build: Annotated[str, Parameter(help="Id of the build, or its first characters; the newest when left out.")] = "",
    task: Annotated[str, Parameter(help="Every verdict on this task.")] = "",
    /,
    *,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
    sarif: Annotated[bool, Parameter(help="SARIF 2.1.0 on stdout, for code scanning.")] = False,
    junit: Annotated[bool, Parameter(help="JUnit XML on stdout, for test reports.")] = False,
) -> None:
    """Show which gates ran on which tree, how long, what they found, and what was not run and why.

    Of a build the newest verdict on each tree is shown, of a task all.
    """
    import json as texts

    from buildwright.cli.version import number

    if json + sarif + junit > 1:
        raise Refused("--json, --sarif and --junit cannot be used together", fix="give one of them")
    output = Output(json)
    async with session() as app:
        build_id = await app.find(build)
        loaded = await app.builds.load(build_id)
        view = await app.gates(loaded, task)
    if sarif:
        from buildwright.views.sarif import sarif as as_sarif

        output.raw(texts.dumps(as_sarif(view, number()), ensure_ascii=False, indent=2) + "\n")
    elif junit:
        from buildwright.views.junit_xml import junit_xml

        output.raw(junit_xml(view, None if task else loaded))
    elif output.json:
        output.data(view.model_dump(mode="json"))
    else:
        _print_gates(output, view)


def _print_gates(output: Output, view: GatesView) -> None:
    """Print each verdict with its gates, then what was approved, and what can be."""
    from buildwright.cli.output import one_line

    for one in view.not_run:
        output.print(f"Not run: {one.what}: {one.why}")
    if not view.verdicts and not view.not_run:
        output.print("Nothing has been checked yet.")
    for verdict in view.verdicts:
        _print_verdict(output, verdict)
    for approval in view.approvals:
        output.print(
            f"Approved: {approval.finding} of {approval.task} ({approval.code}) by {approval.by}"
            f" at {approval.at:%Y-%m-%d %H:%M} UTC: {one_line(approval.reason)}"
        )
    asked = next((one for verdict in reversed(view.verdicts) for one in _asking(verdict, view)), None)
    if asked is not None:
        output.say(typed(f'If that change is wanted: buildwright approve {view.build[:8]} {asked} -m "..."'))


def _asking(verdict: VerdictView, view: GatesView) -> list[str]:
    """Return the fingerprints that a person may approve and has not yet."""
    approved = {approval.finding for approval in view.approvals}
    found = (one for report in verdict.reports if not report.ok for one in report.findings)
    return [one.fingerprint for one in found if one.can_be_approved and one.fingerprint not in approved]


def _print_verdict(output: Output, verdict: VerdictView) -> None:
    of = {
        "base": "what the build starts from",
        "patch": f"{verdict.task}, attempt {verdict.attempt}",
        "merge": f"{verdict.task}, attempt {verdict.attempt}, on top of what landed meanwhile",
        "result": "the final tree",
        "phase": f"audit of {verdict.phase}",
    }[verdict.subject]
    said = "passed" if verdict.ok else "refused"
    output.print(f"{of}: {said} (tree {verdict.tree[:10]})", style="bold")
    for report in verdict.reports:
        _print_report(output, report)
    for one in verdict.not_run:
        if all(report.gate != one.what for report in verdict.reports):
            output.print(f"  {one.what}: not run: {one.why}")


def _print_report(output: Output, report: Report) -> None:
    """Print one gate: how it ended, by which command and whose tests, and its findings, errors first."""
    proof, line = report.evidence, f"  {report.gate}: {report.result}"
    if proof is not None:
        whose = "the base's tests and settings" if proof.surface == "base" else "the tree's own tests and settings"
        line += f" ({run_of(proof)}, {whose})"
    output.print(line, style="" if report.ok else "red")
    for finding in report.findings:
        print_finding(output, finding)
    if report.dropped:
        output.print(f"    and {report.dropped} more, in its log")


def run_of(proof: Evidence) -> str:
    """Return the command of a gate in words: how it ended, its time and its tests."""
    from buildwright.cli.table import duration
    from buildwright.core.figures import count

    tests = f", {count(proof.tests, 'test')}" if proof.tests is not None else ""
    ended = "timed out" if proof.exit_code is None else f"exit {proof.exit_code}"
    return f"{proof.command}, {ended}, {duration(proof.seconds)}{tests}"


def print_finding(output: Output, finding: Finding) -> None:
    """Print a finding with its place, the last lines of what it shows, and the smallest change that passes."""
    from buildwright.cli.output import REASON, one_line
    from buildwright.core.terminal import lines_of

    short = finding.model_copy(update={"message": one_line(finding.message, 300)})
    output.print(f"    {finding.severity} {one_line(str(short), 600)}", style=_STYLES[finding.severity])
    for line in lines_of(finding.message)[1:]:
        output.print(f"{REASON}{one_line(line, 300)}", wrap=True)
    if finding.fix and finding.severity != "note":
        output.print(f"      fix: {one_line(finding.fix)}")
