"""A task whose agent changed nothing: done when its own command proves that the work is there, refused otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildwright.core import event as e
from buildwright.core.build import Build
from buildwright.core.graph import Graph
from buildwright.core.limits import Check, Limits
from buildwright.core.proof import can_be_proven
from buildwright.core.task import Task, TaskAction, Validation
from buildwright.gates.checks import ChecksGate
from buildwright.gates.scope import ScopeGate
from buildwright.ports import Builds, GateTools
from buildwright.sandbox import NoSandbox
from tests.adapters.scripted_agent import Say
from tests.engine.harness import Site, make_site
from tests.gates.projects import PATH
from tests.git import git

CHECK = Check(name="ready", command="grep -q hello README.md")


async def idle(
    tmp_path: Path, builds: Builds, command: str, files: tuple[str, ...] = (), action: TaskAction = "change"
) -> tuple[Site, Build]:
    """Build one task with an agent that only talks."""
    validation = Validation(command=command) if command else None
    task = Task(id="a", title="Look", validation=validation, files_expected=files, action=action)
    # Without proof no gate runs for the task, and the base must not be at work when the build ends.
    gates = (ScopeGate(), ChecksGate(GateTools(NoSandbox(), PATH))) if can_be_proven(task) else (ScopeGate(),)
    site = make_site(tmp_path, builds, {("a", 1): [Say("it is all there")]}, gates)
    build = await site.build(
        Graph(tasks=(task,)), checks=(CHECK,), limits=Limits(attempts=1), on_failure="fail", accept_base=True
    )
    return site, build


async def test_a_task_whose_work_is_there_is_done_by_proof(tmp_path: Path, builds: Builds) -> None:
    site, build = await idle(tmp_path, builds, "test -f README.md", ("./README.md",))
    assert build.outcome == "succeeded"
    (landed,) = (one.event for one in site.journal if isinstance(one.event, e.ChangeLanded))
    assert landed.proof == "by proof: nothing to change"
    judged = next(one.event for one in site.journal if isinstance(one.event, e.PatchJudged))
    assert [report.gate for report in judged.verdict.reports] == ["scope", "ready", "validation"]
    assert judged.verdict.reports[-1].evidence is not None
    assert "Nothing to change: `test -f README.md` passes." in git(
        site.repository, "log", "-1", "--format=%b", site.delivered()
    )


@pytest.mark.parametrize("command", ["", "true", "echo fine", "test -f README.md || true"])
async def test_without_proof_it_stays_refused(tmp_path: Path, builds: Builds, command: str) -> None:
    site, build = await idle(tmp_path, builds, command)
    assert build.outcome == "failed"
    assert build.task("a").rejection == "empty"
    assert "patch.judged" not in site.kinds()


@pytest.mark.parametrize(
    ("command", "files", "action", "code"),
    [
        ("test -f missing.py", (), "change", "validation.failed"),
        ("grep  -q hello README.md", (), "change", "proof.not_own"),
        ("test -f README.md", ("src/app.py",), "create", "proof.file"),
        ("test -f README.md", ("README.md",), "delete", "proof.file"),
    ],
)
async def test_what_proves_something_else_is_no_proof(
    tmp_path: Path, builds: Builds, command: str, files: tuple[str, ...], action: TaskAction, code: str
) -> None:
    site, build = await idle(tmp_path, builds, command, files, action)
    assert build.outcome == "failed"
    assert [finding.code for finding in build.task("a").findings] == [code]
    assert "change.landed" not in site.kinds()
