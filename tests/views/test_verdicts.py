"""What is seen of the gates: which verdicts, what was not run and why, and the formats that other tools read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import pytest

from buildwright.core import event as e
from buildwright.core.finding import Evidence, Finding, Report, Verdict
from buildwright.core.graph import Graph
from buildwright.core.limits import Options
from buildwright.core.patch import FileChange, Patch
from buildwright.core.task import Task
from buildwright.errors import NotFound
from buildwright.views.junit_xml import junit_xml
from buildwright.views.sarif import sarif
from buildwright.views.verdicts import GatesView, NotRun, gates_view
from tests.core.machine import Machine

PATCH = Patch(base_tree="t0", tree="t1", changes=(FileChange(path="a.txt", kind="added"),))
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def proof(tree: str, **more: Any) -> Evidence:
    fields = {
        "command": "pytest -q",
        "exit_code": 1,
        "seconds": 1.5,
        "output_digest": "d",
        "started_at": NOON,
        "tests": 3,
    }
    return Evidence(tree=tree, **(fields | more))


PROTECTED = Finding(
    code="scope.protected", message="no & <no>\nnot this", file="a dir/ä.yml", fingerprint="0123456789ab"
)
APPROVED = PROTECTED.model_copy(update={"severity": "note", "approved": "ana: we want it"})
LOST = Finding(
    code="tests.lost", message="test_x is gone\x00", file="t.py", line=7, fix="bring it back", fingerprint="a" * 12
)
SKIPPED = Finding(code="check.not_run", message="the change touches none of web/*", severity="note")
FIRST = Verdict(
    tree="t1", reports=(Report(gate="scope", ok=False, findings=(PROTECTED,)),), not_reached=("links", "checks")
)
SECOND = Verdict(
    tree="t1",
    reports=(
        Report(gate="scope", ok=True, findings=(APPROVED,)),
        Report(gate="pytest, as before", kind="test", ok=False, findings=(LOST,), evidence=proof("t1", surface="base")),
        Report(gate="web", kind="test", ok=True, findings=(SKIPPED,)),
    ),
)


def machine(**options: Any) -> Machine:
    """A build at which one task was judged twice, and the tree that it began with once."""
    graph = Graph(tasks=(Task(id="a", title="A"), Task(id="b", title="B")))
    made = Machine(graph, Options(**options), lambda _: 0)
    made.take(e.TargetPrepared(commit="base", tree="t0"))
    made.take(e.PlanMade(graph=graph))
    made.take(e.BaseJudged(verdict=Verdict(tree="t0", reports=(Report(gate="pytest", ok=True, evidence=proof("t0")),))))
    made.take(e.TaskStarted(task="a", attempt=1, base="base"))
    made.take(e.AgentBroke(task="a", attempt=1, kind="timeout", message="slow"))
    for attempt, verdict in ((2, FIRST), (3, SECOND)):
        made.take(e.TaskRetried(task="a"))
        made.take(e.TaskStarted(task="a", attempt=attempt, base="base"))
        made.take(e.AgentFinished(task="a", attempt=attempt, patch=PATCH.model_copy(update={"tree": f"t{attempt}"})))
        made.take(e.PatchJudged(task="a", attempt=attempt, verdict=verdict))
    return made


@pytest.fixture
def view() -> GatesView:
    made = machine()
    return gates_view(made.build, made.journal, "a")


def test_of_a_build_the_newest_verdict_on_each_tree_is_shown_and_of_a_task_all(view: GatesView) -> None:
    made = machine()
    whole = gates_view(made.build, made.journal)
    assert [(one.subject, one.task, one.attempt) for one in whole.verdicts] == [("base", "", 0), ("patch", "a", 3)]
    assert [(one.subject, one.attempt, one.ok) for one in view.verdicts] == [("patch", 2, False), ("patch", 3, False)]
    assert gates_view(made.build, made.journal, "b").verdicts == ()
    with pytest.raises(NotFound, match="no task c"):
        gates_view(made.build, made.journal, "c")
    assert GatesView.model_validate_json(view.model_dump_json()) == view


def test_what_was_not_run_is_said_with_its_reason(view: GatesView) -> None:
    first, second = view.verdicts
    why = "not asked, because scope refused before"
    assert first.not_run == (NotRun(what="links", why=why), NotRun(what="checks", why=why))
    assert second.not_run == (NotRun(what="web", why="the change touches none of web/*"),)
    off = machine(gates=True)
    assert gates_view(off.build, off.journal).not_run == ()
    build = off.build.evolve({"options": Options(gates=False)})
    assert [one.what for one in gates_view(build, []).not_run] == ["every gate"]


def check_sarif(log: dict[str, Any]) -> None:
    """What the standard demands of every log (section 3), of what is used here."""
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    assert set(log) == {"$schema", "version", "runs"}
    for run in log["runs"]:
        driver = run["tool"]["driver"]
        assert driver["name"]
        ids = [rule["id"] for rule in driver["rules"]]
        assert len(ids) == len(set(ids))
        for call in run["invocations"]:
            assert isinstance(call["executionSuccessful"], bool)
            assert isinstance(call.get("exitCode", 0), int)
        for result in run["results"]:
            assert ids[result["ruleIndex"]] == result["ruleId"]
            assert result["level"] in {"none", "note", "warning", "error"}
            assert result["message"]["text"]
            assert all(isinstance(value, str) for value in result.get("partialFingerprints", {}).values())
            for one in result["suppressions"]:
                assert one["kind"] in {"inSource", "external"}
                assert one["status"] in {"accepted", "underReview", "rejected"}
            for place in result.get("locations", []):
                where = place["physicalLocation"]
                assert " " not in where["artifactLocation"]["uri"]
                assert where.get("region", {"startLine": 1})["startLine"] >= 1


def test_sarif_has_a_run_for_each_gate_and_approvals_as_suppressions(view: GatesView) -> None:
    log = json.loads(json.dumps(sarif(view, "1.2.3")))
    check_sarif(log)
    runs = {run["tool"]["driver"]["name"]: run for run in log["runs"]}
    assert list(runs) == ["buildwright scope", "buildwright pytest, as before", "buildwright web"]
    before, after = runs["buildwright scope"]["results"]
    assert (before["level"], before["suppressions"]) == ("error", [])
    assert after["suppressions"] == [{"kind": "external", "status": "accepted", "justification": "ana: we want it"}]
    assert before["partialFingerprints"] == {"buildwright/v1": "0123456789ab"}
    assert before["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20dir/%C3%A4.yml"
    (lost,) = runs["buildwright pytest, as before"]["results"]
    assert lost["locations"][0]["physicalLocation"]["region"] == {"startLine": 7}
    assert lost["message"]["text"].endswith("bring it back")
    (call,) = runs["buildwright pytest, as before"]["invocations"]
    assert (call["commandLine"], call["exitCode"], call["properties"]["surface"]) == ("pytest -q", 1, "base")
    assert call["startTimeUtc"] == "2026-01-02T12:00:00Z"
    (notified,) = runs["buildwright web"]["invocations"][0]["toolExecutionNotifications"]
    assert notified["message"]["text"] == "the change touches none of web/*"
    check_sarif(sarif(GatesView(build="b"), "1"))


def test_junit_has_a_suite_for_each_tree_and_a_case_for_each_gate(view: GatesView) -> None:
    root = ElementTree.fromstring(junit_xml(view))
    assert (root.tag, root.get("tests"), root.get("failures"), root.get("skipped")) == ("testsuites", "6", "2", "3")
    first, second = root.findall("testsuite")
    assert first.get("name") == "a patch t1"
    assert [case.get("name") for case in first] == ["scope", "links", "checks"]
    assert [one.tag for case in first for one in case] == ["failure", "skipped", "skipped"]
    failure = first.find("testcase/failure")
    assert failure is not None
    assert (failure.get("message"), failure.get("type")) == ("no & <no>", "scope.protected")
    assert "0123456789ab" in (failure.text or "")
    scope, pytest_case, web = second.findall("testcase")
    assert "approved by ana: we want it" in (scope.findtext("system-out") or "")
    assert pytest_case.get("time") == "1.500"
    assert "\N{REPLACEMENT CHARACTER}" in (pytest_case.findtext("failure") or "")
    assert web.find("skipped") is not None
