"""Findings that a person approves, over real git and every way to build: the refused change lands as it is, or it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildwright.core.build import Build, Control, TaskPhase
from buildwright.core.finding import Finding, Report, Verdict
from buildwright.core.limits import Limits
from buildwright.engine import commands
from buildwright.engine.commands import ApproveFinding, StopBuild
from buildwright.engine.judge import with_consent
from buildwright.engine.resume_command import ResumeBuild
from buildwright.errors import IllegalMove
from buildwright.ports import Builds, Judged
from buildwright.views.verdicts import gates_view
from tests.adapters.scripted_agent import Write
from tests.engine.harness import FunctionGate, Script, Site, make_site, tasks

SCRIPT: Script = {("a", 1): [Write("ci.yml", "on: push\n")], ("b", 1): [Write("b.txt", "b\n")]}


def asks(_files: Path, judged: Judged) -> list[str]:
    return ["ci.yml reaches further"] if judged.patch is not None and "ci.yml" in judged.patch.paths else []


async def paused(tmp_path: Path, builds: Builds, *more: FunctionGate) -> tuple[Site, Build, str]:
    """A build whose task `a` was refused for something that asks for consent, and the name of that finding."""
    site = make_site(tmp_path, builds, SCRIPT, [FunctionGate(asks, "reach.workflow"), *more])
    build = await site.build(tasks("a", "b: a"), limits=Limits(attempts=1))
    assert build.control is Control.PAUSED
    (found,) = build.task("a").findings
    return site, build, found.fingerprint


async def approve(site: Site, name: str) -> Build:
    return (await commands.ask(site.builds, site.clock, site.build_id, ApproveFinding(name, "wanted"))).build


async def test_the_refused_change_lands_without_another_attempt(tmp_path: Path, builds: Builds) -> None:
    later = FunctionGate(lambda _files, _judged: [])
    site, refused, name = await paused(tmp_path, builds, later)
    change = refused.task("a").kept_tree
    assert change not in later.trees
    assert refused.task("a").verdict.not_reached == ("function",)  # type: ignore[union-attr]
    build = await approve(site, name)
    assert (build.control, build.task("a").phase) == (Control.RUNNING, TaskPhase.JUDGING)
    build = await site.run()
    assert build.outcome == "succeeded"
    assert change in later.trees, "the gates after the one that had refused were asked as well"
    assert site.files()["ci.yml"] == "on: push"
    assert (build.task("a").attempt, build.task("b").attempt) == (1, 1)
    events = await site.builds.read(site.build_id)
    assert [r.event.type for r in events].count("task.started") == 2
    view = gates_view(build, events, "a")
    assert [verdict.ok for verdict in view.verdicts] == [False, True]
    (note,) = view.verdicts[-1].reports[0].findings
    assert (note.severity, note.fingerprint, note.approved) == ("note", name, "u: wanted")


async def test_what_comes_after_it_is_still_refused(tmp_path: Path, builds: Builds) -> None:
    broken = FunctionGate(lambda files, _judged: ["it does not work"] if (files / "ci.yml").exists() else [])
    site, _, name = await paused(tmp_path, builds, broken)
    await approve(site, name)
    build = await site.run()
    assert build.control is Control.PAUSED
    assert [one.message for one in build.task("a").findings] == ["it does not work"]
    with pytest.raises(IllegalMove, match="cannot be approved"):
        await approve(site, build.task("a").findings[0].fingerprint)
    with pytest.raises(IllegalMove, match="approved already"):
        await approve(site, name)
    await commands.ask(site.builds, site.clock, site.build_id, ResumeBuild("skip"))
    assert (await site.run()).outcome == "succeeded"
    assert "ci.yml" not in site.files()


async def test_a_build_that_is_stopped_after_an_approval_lands_nothing(tmp_path: Path, builds: Builds) -> None:
    site, _, name = await paused(tmp_path, builds)
    await approve(site, name)
    await commands.ask(site.builds, site.clock, site.build_id, StopBuild())
    build = await site.run()
    assert build.outcome == "stopped"
    assert "change.landed" not in [recorded.event.type for recorded in await site.builds.read(site.build_id)]
    with pytest.raises(IllegalMove, match="has ended"):
        await approve(site, name)


async def test_an_approved_finding_is_a_note_wherever_its_change_is_judged(tmp_path: Path, builds: Builds) -> None:
    """Also on top of another change that landed meanwhile."""
    site = make_site(tmp_path, builds, SCRIPT, [FunctionGate(asks, "reach.workflow")])
    build = await site.build(tasks("a", "b"), limits=Limits(attempts=1))
    assert build.pause is not None
    assert build.pause.task == "a"
    await approve(site, build.task("a").findings[0].fingerprint)
    build = await site.run()
    assert build.outcome == "succeeded"
    assert site.files() == {"README.md": "hello", "ci.yml": "on: push", "b.txt": "b"}
    assert build.task("a").attempt == 1


def test_a_report_that_may_hide_errors_does_not_pass() -> None:
    def consent(finding: Finding) -> Finding:
        return finding.model_copy(update={"severity": "note", "approved": "u: yes", "fingerprint": "0" * 12})

    error, warning = Finding(code="scope.protected", message="no"), Finding(code="x", message="w", severity="warning")
    report = Report(gate="scope", ok=False, findings=(error,))
    assert with_consent(report, consent).ok
    assert not with_consent(report.model_copy(update={"dropped": 1}), consent).ok
    listed = report.model_copy(update={"findings": (error, warning), "dropped": 1})
    assert with_consent(listed, lambda one: one if one is warning else consent(one)).ok
    assert not with_consent(report.model_copy(update={"findings": ()}), consent).ok
    assert not with_consent(report, lambda one: one).ok
    assert Verdict(tree="t", reports=(with_consent(report, consent),)).ok
