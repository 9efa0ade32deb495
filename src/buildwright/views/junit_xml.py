"""Tasks and verdicts of gates as JUnit XML: a suite of the tasks, and one for each task and tree. Pure."""

from __future__ import annotations

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from buildwright.core.build import Build, TaskPhase
from buildwright.core.finding import Report
from buildwright.views.explain import answer_for
from buildwright.views.overview import task_view
from buildwright.views.verdicts import GatesView, VerdictView

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML 1.0 document can hold (section 2.2)."""


def junit_xml(view: GatesView, build: Build | None = None) -> str:
    """Return the document. A gate that refused is a failure, one that was not run is skipped.

    With the build, a first suite has its tasks: one that was given up is a failure, one that has not landed is skipped.
    """
    root = Element("testsuites", name=_text(f"buildwright {view.build}"))
    if build is not None:
        _add_tasks(root, build)
    for verdict in view.verdicts:
        _add_suite(root, verdict)
    for name in ("tests", "failures", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    root.set("errors", "0")
    root.set("time", f"{sum(verdict.seconds for verdict in view.verdicts):.3f}")
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _add_tasks(root: Element, build: Build) -> None:
    suite = SubElement(root, "testsuite", name="tasks", timestamp=build.created_at.strftime("%Y-%m-%dT%H:%M:%S"))
    seconds, plan = 0.0, build.plan
    for task in plan.graph.tasks if plan is not None else ():
        view = task_view(build, task.id, build.updated_at)
        seconds += view.seconds or 0.0
        case = _case(suite, "tasks", task.id, view.seconds or 0.0)
        if view.phase in {TaskPhase.FAILED, TaskPhase.REJECTED}:
            failure = SubElement(case, "failure", message=_text(view.reason), type=_text(view.phase))
            failure.text = _text("\n".join(map(str, build.task(task.id).findings)))
        elif view.phase != TaskPhase.DONE and plan is not None:
            SubElement(case, "skipped", message=_text(answer_for(build, plan, task, build.updated_at)))
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", "0")
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    suite.set("time", f"{seconds:.3f}")


def _add_suite(root: Element, verdict: VerdictView) -> None:
    name = " ".join(filter(None, (verdict.task, verdict.subject, verdict.phase, verdict.tree[:12])))
    suite = SubElement(root, "testsuite", name=_text(name), timestamp=verdict.at.strftime("%Y-%m-%dT%H:%M:%S"))
    refusals = sum(not report.ok for report in verdict.reports)
    ran = {report.gate for report in verdict.reports if report.evidence is not None or not report.ok}
    for report in verdict.reports:
        reasons = [one.why for one in verdict.not_run if one.what == report.gate]
        _add_case(suite, name, report, reasons if report.gate not in ran else [])
    known = {report.gate for report in verdict.reports}
    for one in verdict.not_run:
        if one.what not in known:
            SubElement(_case(suite, name, one.what, 0.0), "skipped", message=_text(one.why))
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(refusals))
    suite.set("errors", "0")
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    suite.set("time", f"{verdict.seconds:.3f}")


def _add_case(suite: Element, suite_name: str, report: Report, not_run: list[str]) -> None:
    case = _case(suite, suite_name, report.gate, report.evidence.seconds if report.evidence is not None else 0.0)
    if not_run:
        SubElement(case, "skipped", message=_text("; ".join(not_run)))
    elif not report.ok:
        errors = [finding for finding in report.findings if finding.severity == "error"] or list(report.findings)
        message = errors[0].message.splitlines()[0] if errors and errors[0].message else "refused"
        failure = SubElement(case, "failure", message=_text(message), type=_text(errors[0].code if errors else ""))
        failure.text = _text(
            "\n".join(f"{finding}" + (f"\n  fix: {finding.fix}" * bool(finding.fix)) for finding in errors)
        )
    others = [str(finding) for finding in report.findings if report.ok or finding.severity != "error"]
    if others:
        SubElement(case, "system-out").text = _text("\n".join(others))


def _case(suite: Element, suite_name: str, gate: str, seconds: float) -> Element:
    return SubElement(suite, "testcase", classname=_text(suite_name), name=_text(gate), time=f"{seconds:.3f}")


def _text(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
