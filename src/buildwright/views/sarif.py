"""The verdicts of gates as SARIF 2.1.0, the format of code scanning (OASIS Standard, 27 March 2020). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from buildwright.core.finding import Evidence, Finding, Report
from buildwright.core.sarif import run_names, sarif_log, sarif_places
from buildwright.views.verdicts import GatesView, VerdictView

FINGERPRINT = "buildwright/v1"
"""Name of the fingerprint in `partialFingerprints`; a new way of making it gets a new name."""


def sarif(view: GatesView, version: str) -> dict[str, Any]:
    """Return the log as a JSON object: one run for each gate, over all verdicts in the view; `audit` for the audit's."""
    told: dict[str, list[tuple[VerdictView, Report]]] = {}
    run_of = run_names(_gate(verdict, report) for verdict in view.verdicts for report in verdict.reports)
    for verdict in view.verdicts:
        for report in verdict.reports:
            told.setdefault(run_of[_gate(verdict, report)], []).append((verdict, report))
    runs = [_run(view, gate, reports, version) for gate, reports in told.items()]
    return sarif_log(runs)


def _gate(verdict: VerdictView, report: Report) -> str:
    return "audit" if verdict.subject == "phase" else report.gate


def _run(view: GatesView, gate: str, reports: list[tuple[VerdictView, Report]], version: str) -> dict[str, Any]:
    findings = [(verdict, finding) for verdict, report in reports for finding in report.findings]
    rules = list(dict.fromkeys(finding.code for _, finding in findings))
    return {
        "tool": {
            "driver": {
                "name": f"buildwright {gate}",
                "version": version,
                "rules": [{"id": rule} for rule in rules],
            }
        },
        "automationDetails": {"id": f"buildwright/{view.build}/{gate}"},
        "invocations": list(_invocations(reports)),
        "results": [_result(verdict, finding, rules) for verdict, finding in findings],
        "columnKind": "unicodeCodePoints",
    }


def _invocations(reports: list[tuple[VerdictView, Report]]) -> Iterator[dict[str, Any]]:
    for verdict, report in reports:
        proof = report.evidence
        notes = [{"level": "note", "message": {"text": one.why}} for one in verdict.not_run if one.what == report.gate]
        ran = proof is None or proof.exit_code is not None
        yield {
            "executionSuccessful": ran,
            **(_command(proof) if proof is not None else {}),
            **({"toolExecutionNotifications": notes} if notes else {}),
            "properties": {**_about(verdict), "ok": report.ok, "surface": proof.surface if proof is not None else ""},
        }


def _command(proof: Evidence) -> dict[str, Any]:
    code = {"exitCode": proof.exit_code} if proof.exit_code is not None else {}
    started = proof.started_at.isoformat().replace("+00:00", "Z")
    return {"commandLine": proof.command, "startTimeUtc": started, **code}


def _about(verdict: VerdictView) -> dict[str, Any]:
    return {
        "subject": verdict.subject,
        "task": verdict.task,
        "attempt": verdict.attempt,
        "tree": verdict.tree,
        **({"phase": verdict.phase} if verdict.phase else {}),
    }


def _result(verdict: VerdictView, finding: Finding, rules: list[str]) -> dict[str, Any]:
    fix = f"\n{finding.fix}" if finding.fix else ""
    approved = [{"kind": "external", "status": "accepted", "justification": finding.approved}]
    return {
        "ruleId": finding.code,
        "ruleIndex": rules.index(finding.code),
        "level": "error" if finding.approved else finding.severity,
        "message": {"text": finding.message + fix},
        **sarif_places(finding.file, finding.line),
        **({"partialFingerprints": {FINGERPRINT: finding.fingerprint}} if finding.fingerprint else {}),
        # A reader takes results without this array as "unknown", so those without an approval have an empty one.
        "suppressions": approved if finding.approved else [],
        "properties": _about(verdict),
    }
