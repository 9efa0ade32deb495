"""Judges what was run on a tree: the tests, the evidence for them and their order. Must never read a result in the tree.

What the project writes about its own runs (`evidence/test_runs_latest.md`) proves nothing; where it claims more than our
run shows, that is a finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from buildwright.audit.check import AuditInput
from buildwright.audit.scope import DIFF_LOG
from buildwright.core.finding import NOT_RUN, Finding, Report
from buildwright.gates.reporting import finding

CLAIMED_RUNS = "evidence/test_runs_latest.md"
_CLAIM = re.compile(r"^\W*status\W+pass", re.IGNORECASE | re.MULTILINE)
_STAGES = {"syntax": 0, "typecheck": 0, "lint": 0, "test": 2, "validation": 3}
"""The stage of a kind of check. A project's own `build` may come first or last, so it has none."""
_NAMES = ("static", "runtime", "behaviour", "contract")
_HEADING = re.compile(r"^#{1,6}\s.*?\b(static|runtime|behaviou?r|contract)\b", re.IGNORECASE | re.MULTILINE)


class _Run(NamedTuple):
    name: str
    kind: str
    ok: bool
    started_at: datetime


def _not_run(why: str) -> list[Finding]:
    return [finding(NOT_RUN, f"not run: {why}", severity="note")]


async def judge_tests(audit: AuditInput) -> Sequence[Finding]:
    """Return what the project's own checks refuse, run by us on exactly this tree. No test at all is a refusal."""
    if audit.reports is None:
        return _not_run("the project's checks were left out")
    found = [one for report in audit.reports if not report.ok for one in report.findings]
    ran = [report for report in audit.reports if report.kind == "test" and report.evidence is not None]
    if not found and not any(_has_tests(report) for report in ran):
        message = "No test ran." if ran else "The project has no tests that can be run."
        fix = "add a test, or name the command that runs them in buildwright.toml"
        found.append(finding("tests.none", message, fix=fix))
    return found


def _has_tests(report: Report) -> bool:
    return report.evidence is not None and report.evidence.tests != 0


async def judge_evidence(audit: AuditInput) -> Sequence[Finding]:
    """Return what lacks proof: a run of ours without evidence on this tree, and a claim that our run does not bear out."""
    tree = audit.comparison.patch.tree
    found = []
    for report in audit.reports or ():
        if report.evidence is not None and report.evidence.tree != tree:
            message = f"{report.gate} was run on tree {report.evidence.tree[:12]} and not on {tree[:12]}."
            found.append(finding("evidence.other_tree", message, fix="run the audit again on this tree"))
    runs = list(_runs(audit))
    entry = audit.comparison.after.get(CLAIMED_RUNS)
    if entry is not None and CLAIMED_RUNS in audit.comparison.patch.paths:
        await audit.comparison.read((entry,))
        claims = _CLAIM.search(audit.comparison.text(entry) or "") is not None
        proven = any(run.kind == "test" for run in runs) and all(run.ok for run in runs)
        if claims and not proven:
            message = f"{CLAIMED_RUNS} says that the tests pass, and no run of ours on this tree shows it."
            fix = f"make the tests pass where they are run, or take the claim out of {CLAIMED_RUNS}"
            found.append(finding("evidence.unproven", message, CLAIMED_RUNS, fix=fix))
    if not runs and not found:
        if audit.reports is None:
            return _not_run("nothing was run on this tree yet")
        found.append(finding("evidence.none", "Nothing was run on this tree.", fix="give the project a check to run"))
    return found


async def judge_order(audit: AuditInput) -> Sequence[Finding]:
    """Return stages that came too early: static checks first, then behaviour, then the contract."""
    found = []
    latest: tuple[int, str] = (-1, "")
    for run in sorted(_runs(audit), key=lambda one: one.started_at):
        stage = _STAGES.get(run.kind)
        if stage is None:
            continue
        if stage < latest[0]:
            message = f"{run.name} ({_NAMES[stage]}) was run after {latest[1]} ({_NAMES[latest[0]]})."
            found.append(finding("order.late", message, fix=f"run {run.name} before {latest[1]}"))
        latest = max(latest, (stage, run.name))
    for path in (CLAIMED_RUNS, DIFF_LOG):
        entry = audit.comparison.after.get(path)
        if entry is not None and path in audit.comparison.patch.paths:
            await audit.comparison.read((entry,))
            found += _headings(path, audit.comparison.text(entry) or "")
    return found


def _headings(path: str, text: str) -> Iterator[Finding]:
    """Yield stages that a file of the project lists in another order."""
    before = -1
    for match in _HEADING.finditer(text):
        stage = _NAMES.index(match[1].lower().replace("behavior", "behaviour"))
        if stage < before:
            line = text.count("\n", 0, match.start()) + 1
            message = f"{path} lists {_NAMES[stage]} after {_NAMES[before]}."
            yield finding("order.listed", message, path, line, fix=f"verify in the order {', '.join(_NAMES)}")
        before = max(before, stage)


def _runs(audit: AuditInput) -> Iterator[_Run]:
    """Yield the runs on this tree: those of just now, else those of its newest audit in the signed ledger.

    Runs with the base's tests and settings come first by design and are no part of the order.
    """
    if audit.reports is not None:
        for report in audit.reports:
            proof = report.evidence
            if proof is not None and not proof.surface and proof.tree == audit.comparison.patch.tree:
                yield _Run(report.gate, report.kind, report.ok, proof.started_at)
        return
    if audit.ledger.problems:
        return
    entries = list(audit.ledger.of_tree(audit.comparison.patch.tree, "check"))
    newest = max((str(one["at"]) for one in entries), default="")
    for one in entries:
        if one["at"] == newest and not one.get("surface"):
            yield _Run(
                str(one["name"]), str(one["kind"]), bool(one["ok"]), datetime.fromisoformat(str(one["started_at"]))
            )


async def judge_ledger(audit: AuditInput) -> Sequence[Finding]:
    """Return what is wrong with the ledger, each kind of fault by its own name."""
    fix = "move the ledger's directory away to begin a new one; what it proved before is lost"
    return [finding(f"ledger.{one.kind}", f"{one.message}.", fix=fix) for one in audit.ledger.problems]
