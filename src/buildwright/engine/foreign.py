"""What the world says in facts, made fit to be kept and shown: no secrets, no terminal controls. Must never touch an id, a
path of a patch, or a number: only words.
"""

from __future__ import annotations

from collections.abc import Callable

from buildwright.core import event as e
from buildwright.core.event import AnyEvent
from buildwright.core.finding import LONGEST_MESSAGE, Finding, Report, Verdict
from buildwright.core.terminal import clean

Mask = Callable[[str], str]


def cleaned(fact: AnyEvent, mask: Mask) -> AnyEvent:
    """The fact with the words in it that come from agents, tools and models cleaned; the very same when nothing is to do."""
    match fact:
        case e.PatchJudged() | e.BaseJudged() | e.MergeJudged() | e.BuildVerified():
            verdict = _verdict(fact.verdict, mask)
            return fact if verdict is fact.verdict else fact.model_copy(update={"verdict": verdict})
        case e.AgentFinished():
            return fact.model_copy(update={"summary": clean(fact.summary, mask)})
        case e.AgentBroke() | e.BuildPaused() | e.DeliveryFailed() | e.PlanRejected() | e.BuildFinished():
            return fact.model_copy(update={"message": clean(fact.message, mask)})
        case e.TargetPrepared():
            return fact.model_copy(update={"notes": tuple(clean(note, mask) for note in fact.notes)})
        case e.BuildStuck():
            words = {"errors": tuple(clean(error, mask) for error in fact.errors), "advice": clean(fact.advice, mask)}
            advice = tuple(each.model_copy(update={"text": clean(each.text, mask)}) for each in fact.task_advice)
            return fact.model_copy(update={**words, "task_advice": advice, "no_advice": clean(fact.no_advice, mask)})
        case _:
            return fact


def _verdict(verdict: Verdict, mask: Mask) -> Verdict:
    reports = tuple(_report(report, mask) for report in verdict.reports)
    same = all(new is old for new, old in zip(reports, verdict.reports, strict=True))
    return verdict if same else verdict.model_copy(update={"reports": reports})


def _report(report: Report, mask: Mask) -> Report:
    findings = tuple(_finding(finding, mask) for finding in report.findings)
    same = all(new is old for new, old in zip(findings, report.findings, strict=True))
    return report if same else report.model_copy(update={"findings": findings})


def _finding(finding: Finding, mask: Mask) -> Finding:
    words = {
        "message": clean(finding.message, mask)[:LONGEST_MESSAGE],
        "fix": clean(finding.fix, mask),
        "code": clean(finding.code, mask),
        "file": finding.file and clean(finding.file, mask),
    }
    same = all(getattr(finding, name) == text for name, text in words.items())
    return finding if same else finding.model_copy(update=words)
