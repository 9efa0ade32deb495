"""Writes an audit for other programs: SARIF for code scanning, JUnit XML for CI. Must never leave a finding out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from buildwright.audit.check import AuditOutcome, AuditReport, DependencyChange
from buildwright.core.finding import NOT_RUN, Finding
from buildwright.core.sarif import run_names, sarif_log, sarif_places


def sarif(report: AuditReport) -> dict[str, Any]:
    """Return SARIF 2.1.0 with one run per check, whose code is its rule.

    Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/.
    """
    run_of = run_names(one.code for one in report.outcomes)
    runs: dict[str, list[AuditOutcome]] = {}
    for one in report.outcomes:
        runs.setdefault(run_of[one.code], []).append(one)
    return sarif_log([_run(report, name, outcomes) for name, outcomes in runs.items()])


def _run(report: AuditReport, name: str, outcomes: Sequence[AuditOutcome]) -> dict[str, Any]:
    rules = [{"id": one.code, "name": one.name, "shortDescription": {"text": one.name}} for one in outcomes]
    return {
        "tool": {"driver": {"name": f"buildwright audit {name}", "rules": rules}},
        "automationDetails": {"id": f"buildwright/audit/{name}"},
        "versionControlProvenance": [{"repositoryUri": f"file://{report.repository}", "revisionId": report.head}],
        "results": [_result(one, found) for one in outcomes for found in one.findings if found.code != NOT_RUN],
        "properties": {
            "base": report.base,
            "tree": report.tree,
            "ok": all(one.result != "failed" for one in outcomes),
            "results": {one.code: one.result for one in outcomes},
        },
    }


def cyclonedx(repository: str, base: str, head: str, changes: Sequence[DependencyChange]) -> dict[str, Any]:
    """Return what manifests declare anew and no more, as CycloneDX 1.6 with a package URL (purl) for each name.

    It has no components when no manifest changed. Versions are those of lock files, so they are left out.
    Sources: https://cyclonedx.org/docs/1.6/json/, https://github.com/package-url/purl-spec.
    """
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "name": repository, "version": head},
            "properties": [{"name": "buildwright:base", "value": base}],
        },
        "components": [_component(one) for one in changes],
    }


def _component(one: DependencyChange) -> dict[str, Any]:
    group, _, name = one.name.rpartition("/")
    url = f"pkg:{one.type}/{quote(one.name, safe='/')}"
    return {
        "type": "library",
        "bom-ref": f"{one.change}:{one.manifest}:{url}",
        **({"group": group} if group else {}),
        "name": name,
        "purl": url,
        "properties": [
            {"name": "buildwright:change", "value": one.change},
            {"name": "buildwright:manifest", "value": one.manifest},
        ],
    }


def _result(outcome: AuditOutcome, one: Finding) -> dict[str, Any]:
    text = f"{one.message} Fix: {one.fix}." if one.fix else one.message
    print_ = hashlib.sha256(f"{one.code}\0{one.file}\0{one.message}".encode()).hexdigest()
    return {
        "ruleId": outcome.code,
        "level": one.severity,
        "message": {"text": text},
        "partialFingerprints": {"finding/v1": print_},
        "properties": {"code": one.code},
        **sarif_places(one.file, one.line),
    }


def junit(report: AuditReport) -> str:
    """Return JUnit XML: one suite, one case per check."""
    failures = sum(one.result == "failed" for one in report.outcomes)
    skipped = sum(one.result == "not run" for one in report.outcomes)
    counts = {"tests": str(len(report.outcomes)), "failures": str(failures), "skipped": str(skipped), "errors": "0"}
    suites = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(suites, "testsuite", {"name": report.phase or "audit", **counts})
    for one in report.outcomes:
        attributes = {"classname": "audit", "name": f"{one.code} {one.name}", "time": f"{one.seconds:.3f}"}
        case = ElementTree.SubElement(suite, "testcase", attributes)
        text = _legal("\n".join(told(one)))
        if one.result == "failed":
            ElementTree.SubElement(case, "failure", {"message": text.partition("\n")[0]}).text = text
        elif one.result == "not run":
            ElementTree.SubElement(case, "skipped", {"message": text.partition("\n")[0]})
        elif text:
            ElementTree.SubElement(case, "system-out").text = text
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def told(outcome: AuditOutcome) -> Iterator[str]:
    """Yield a line for each finding: its place, what is wrong, and the smallest change that passes."""
    for one in outcome.findings:
        yield f"{one}: {one.fix}" if one.fix else str(one)
    if outcome.dropped:
        yield f"and {outcome.dropped} more"


def _legal(text: str) -> str:
    """Return the text without characters that XML 1.0 cannot hold."""
    return "".join(one for one in text if one in "\t\n\r" or " " <= one < "\ud800" or "\ue000" <= one <= "\ufffd")
