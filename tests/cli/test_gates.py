"""`gates` and `approve` as a user types them: what was refused is seen, approved, and lands as it is."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.cli.conftest import Program, shell, write_tasks
from tests.cli.test_remote import Serving, serving

WORKFLOW = 'mkdir -p .github/workflows; echo "on: push" > .github/workflows/ci.yml; echo "$BUILDWRIGHT_TASK_ID" > a.txt'
"""An agent's command that does its task and changes what runs elsewhere."""


def refused(program: Program, repository: Path, tmp_path: Path, *more: str, **environment: str) -> dict[str, Any]:
    """A build of one task that was refused for its workflow, and is paused; its summary."""
    spec = write_tasks(tmp_path / "one.json", {"id": "a", "title": "A", "files_expected": ["a.txt"]})
    wanted = shell(f"echo x >> {tmp_path}/attempts; {WORKFLOW}", "--attempts", "1", "--json", *more)
    ended = program("build", spec, "--repo", repository, "--check", "build:ok=true", *wanted, **environment)
    assert ended.code == 4, ended.err
    summary: dict[str, Any] = ended.lines[-1]
    return summary


def kinds(program: Program, build: str) -> list[str]:
    return [event["type"] for event in program("events", build).lines]


def files(repository: Path, build: str) -> list[str]:
    names = ["git", "ls-tree", "-r", "--name-only", f"buildwright/{build[:8]}"]
    return subprocess.run(names, cwd=repository, capture_output=True, text=True, check=True).stdout.split()


def attempts(tmp_path: Path) -> int:
    return len((tmp_path / "attempts").read_text().splitlines())


def test_what_was_refused_is_approved_and_lands_without_another_attempt(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    summary = refused(program, repository, tmp_path)
    build, (name,) = summary["id"], summary["pause"]["approvable"]
    assert any(name in line for line in summary["pause"]["findings"])
    assert f'buildwright approve {build[:8]} {name} -m "..."' in program("status", build).out
    shown = program("gates", build)
    assert f"[scope.protected {name}]" in shown.out
    assert "syntax: not run: not asked, because scope refused before" in shown.out
    assert f"approve {build[:8]} {name}" in shown.err
    assert name in program("why", build, "a").out

    approved = program("approve", build, name[:6], "-m", "we want this workflow", "--json")
    assert approved.code == 0, approved.err
    found = approved.object
    assert (found["task"], found["finding"], found["judged_again"], found["left"]) == ("a", name, True, [])
    done = program("run", build)
    assert done.code == 0, done.err
    assert files(repository, build) == [".github/workflows/ci.yml", "README.md", "a.txt"]
    assert attempts(tmp_path) == 1
    events = kinds(program, build)
    assert events.count("task.started") == 1
    place = events.index("finding.approved")
    assert events[place : place + 3] == ["finding.approved", "judging.reopened", "build.resumed"]

    view = program("gates", build, "--json").object
    (approval,) = view["approvals"]
    assert (approval["finding"], approval["reason"], bool(approval["by"])) == (name, "we want this workflow", True)
    (note,) = [
        one
        for verdict in view["verdicts"]
        for report in verdict["reports"]
        for one in report["findings"]
        if one["approved"]
    ]
    assert (note["severity"], note["fingerprint"]) == ("note", name)
    assert note["approved"].endswith(": we want this workflow")
    assert [verdict["ok"] for verdict in program("gates", build, "a", "--json").object["verdicts"]] == [False, True]
    assert "we want this workflow" in program("why", build, "a").out
    over = program("approve", build, name, "-m", "again")
    assert (over.code, "the build has ended (succeeded)" in over.err, "start a new build" in over.err) == (
        7,
        True,
        True,
    )


def test_approving_through_a_server(program: Program, repository: Path, tmp_path: Path) -> None:
    with serving(program) as server:
        found = Serving(server.process, server.environment)
        summary = refused(program, repository, tmp_path, **found.environment)
        build, (name,) = summary["id"], summary["pause"]["approvable"]
        there = program("gates", build, "--json", **found.environment)
        assert there.object == program("gates", build, "--json").object
        assert program("gates", build, "nothing", **found.environment).code == 2
        approved = program("approve", build, name, "-m", "wanted", "--json", **found.environment)
        assert approved.code == 0, approved.err
        assert approved.object["judged_again"] is True
        ended = program("run", build, **found.environment)
        assert ended.code == 0, ended.err
    assert attempts(tmp_path) == 1
    assert kinds(program, build).count("task.started") == 1
    assert program("status", build, "--json").object["outcome"] == "succeeded"


def test_what_cannot_be_approved_is_refused_with_the_reason(program: Program, repository: Path, tmp_path: Path) -> None:
    summary = refused(program, repository, tmp_path)
    build, (name,) = summary["id"], summary["pause"]["approvable"]
    wrong = program("approve", build, "0" * 12, "-m", "yes")
    assert (wrong.code, "buildwright gates" in wrong.err) == (2, True)
    for words in ("", "  "):
        silent = program("approve", build, name, "-m", words)
        assert (silent.code, "needs a reason" in silent.err) == (2, True)
    assert program("say", build, "").code == 2
    assert program("approve", build, "", "-m", "yes").code == 2
    assert program("approve", build, "not-hex", "-m", "yes").code == 2
    assert program("pause", build).code == 7
    assert program("approve", build, name, "-m", "yes").code == 0
    twice = program("approve", build, name, "-m", "yes, really")
    assert (twice.code, "approved already" in twice.err) == (7, True)
    stopped = program("stop", build, "--yes")
    assert stopped.code in {0, 1}, stopped.err
    assert program("status", build, "--json").object["outcome"] == "stopped"
    assert "change.landed" not in kinds(program, build)
    late = program("approve", build, name, "-m", "yes")
    assert (late.code, "has ended" in late.err) == (7, True)


def test_a_failing_check_cannot_be_approved(program: Program, repository: Path, tmp_path: Path) -> None:
    spec = write_tasks(tmp_path / "one.json", {"id": "a", "title": "A"})
    wanted = shell("echo a > a.txt", "--attempts", "1", "--json", "--check", "build:never=test ! -e a.txt")
    summary = program("build", spec, "--repo", repository, *wanted).lines[-1]
    assert summary["pause"]["approvable"] == []
    view = program("gates", summary["id"], "--json").object
    (name,) = [one["fingerprint"] for one in view["verdicts"][-1]["reports"][-1]["findings"]]
    answer = program("approve", summary["id"], name, "-m", "yes")
    assert answer.code == 7
    assert "check.failed cannot be approved" in answer.err
    assert "scope.*" in answer.err
    assert "resume" in answer.err


def test_a_file_that_the_task_did_not_name_is_seen(program: Program, repository: Path, tmp_path: Path) -> None:
    spec = write_tasks(tmp_path / "one.json", {"id": "a", "title": "A", "files_expected": ["a.txt"]})
    wanted = shell("echo a > a.txt; echo b > b.txt; rm README.md", "--check", "build:ok=true")
    ended = program("build", spec, "--repo", repository, *wanted)
    assert ended.code == 0, ended.err
    assert "Look at a: README.md was deleted" in ended.out
    status = program("status", "--json").object
    assert len(status["tasks"][0]["warnings"]) == 1
    assert "README.md was deleted" in program("status").out
    why = program("why", status["id"], "a", "--json").object
    assert why["outside"] == ["README.md", "b.txt"]
    assert "Outside of what the task named:\n  README.md\n  b.txt" in program("why", status["id"], "a").out


def test_the_formats_of_other_tools(program: Program, repository: Path, tmp_path: Path) -> None:
    summary = refused(program, repository, tmp_path)
    build, (name,) = summary["id"], summary["pause"]["approvable"]
    program("approve", build, name, "-m", "wanted")
    assert program("run", build).code == 0
    log = json.loads(program("gates", build, "a", "--sarif").out)
    (scope,) = [run for run in log["runs"] if run["tool"]["driver"]["name"] == "buildwright scope"]
    before, after = [one for one in scope["results"] if one["ruleId"] == "scope.protected"]
    assert before["partialFingerprints"] == after["partialFingerprints"] == {"buildwright/v1": name}
    assert before["suppressions"] == []
    assert [one["kind"] for one in after["suppressions"]] == ["external"]
    assert after["suppressions"][0]["justification"].endswith(": wanted")
    root = ElementTree.fromstring(program("gates", build, "a", "--junit").out)
    suites = root.findall("testsuite")
    assert [suite.get("failures") for suite in suites] == ["1", "0"]
    assert [one.get("name") for one in suites[0].findall("testcase") if one.find("skipped") is not None][:1] == [
        "links"
    ]
    both = program("gates", build, "--sarif", "--junit")
    assert (both.code, "cannot be used together" in both.err) == (2, True)


def test_without_gates_that_is_what_is_said(program: Program, three: Path, repository: Path) -> None:
    assert (
        program("build", three, "--repo", repository, *shell('echo x > "$BUILDWRIGHT_TASK_ID"', "--no-gates")).code == 0
    )
    assert "Not run: every gate: the gates are off (--no-gates)" in program("gates").out


@pytest.mark.parametrize("verb", ["gates", "approve"])
def test_they_explain_themselves(program: Program, verb: str) -> None:
    assert "--json" in program(verb, "--help").out
