"""Builds bounded reports from any number of findings. Must decide nothing but whether there is an error."""

from __future__ import annotations

from collections.abc import Sequence

from buildwright.core.finding import LONGEST_MESSAGE, MOST_FINDINGS, CheckKind, Evidence, Finding, Report, Severity
from buildwright.ports import Judgement

_CUT = " [...] "


def clip(text: str, limit: int = LONGEST_MESSAGE) -> str:
    """Return the text within the limit, cut in the middle: what failed comes first, why it failed often last."""
    text = text.strip()
    if len(text) <= limit:
        return text
    half = (limit - len(_CUT)) // 2
    return text[:half] + _CUT + text[-half:]


def finding(
    code: str,
    message: str,
    file: str | None = None,
    line: int | None = None,
    *,
    severity: Severity = "error",
    fix: str = "",
) -> Finding:
    """Return a finding whose message is within its bound."""
    return Finding(code=code, message=clip(message), severity=severity, file=file, line=line, fix=fix)


def judgement(
    gate: str,
    kind: CheckKind,
    findings: Sequence[Finding],
    output: bytes = b"",
    evidence: Evidence | None = None,
) -> Judgement:
    """Return a judgement that refuses if there is an error; errors are kept before warnings and notes."""
    rank: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}
    ordered = sorted(findings, key=lambda one: rank[one.severity])
    report = Report(
        gate=gate,
        kind=kind,
        ok=not any(one.severity == "error" for one in findings),
        findings=tuple(ordered[:MOST_FINDINGS]),
        dropped=max(len(ordered) - MOST_FINDINGS, 0),
        evidence=evidence,
    )
    return Judgement(report, output if evidence else "\n".join(map(str, ordered)).encode())
