"""Phases of real builds, audited by the real audit: what it says is in the journal and in the signed ledger."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from buildwright.audit.ledger import Ledger
from buildwright.audit.run import Auditor, BuildAuditor
from buildwright.core import event as e
from buildwright.core.build import Build, Control
from buildwright.core.graph import Graph
from buildwright.core.task import Task
from buildwright.engine import commands
from buildwright.engine.resume_command import ResumeBuild
from buildwright.errors import GitFailed
from buildwright.ports import AuditedPhase, Builds, EndedPhase, GateTools, PhaseAuditor
from buildwright.views.evidence import evidence_of
from buildwright.views.verdicts import gates_view, why_build
from buildwright.workspace import GitWorkspace
from tests.adapters.scripted_agent import Write
from tests.engine.harness import FunctionGate, Site, make_site
from tests.git import git

CONTRACT = "# Phases\n\n## Phase 2\n\nGET /health\n"
PLAN = Graph(
    tasks=(Task(id="a", title="A", milestone="Phase 1"), Task(id="b", title="B", milestone="Phase 2")),
    milestones=("Phase 1", "Phase 2"),
)


def audited_site(folder: Path, builds: Builds, contract: str) -> tuple[Site, BuildAuditor, Auditor]:
    site = make_site(folder, builds, {("a", 1): [Write("phases.md", contract)]}, [FunctionGate(lambda *_: [])])
    workspace = site.workspace
    assert isinstance(workspace, GitWorkspace)

    async def tools() -> GateTools:
        raise AssertionError("the audit of a build runs no command")

    auditor = Auditor(site.home, os.environ, tools, lambda: datetime(2026, 11, 29, tzinfo=UTC))
    return site, BuildAuditor(auditor, workspace.mirror_with, str), auditor


def audits(site: Site) -> list[e.PhaseAudited]:
    return [one.event for one in site.journal if isinstance(one.event, e.PhaseAudited)]


async def run(site: Site, auditor: PhaseAuditor) -> Build:
    return await site.run(auditor=auditor)


async def test_each_phase_is_audited_over_what_it_changed(tmp_path: Path, builds: Builds) -> None:
    site, auditor, home = audited_site(tmp_path, builds, "# Phases\n")
    await site.start(PLAN)
    build = await run(site, auditor)
    assert build.outcome == "succeeded"
    one, two = audits(site)
    assert [one.base, one.head, two.base, two.head] == [build.base, one.head, one.head, build.head]
    assert [report.gate[:2] for report in one.verdict.reports][:9] == [f"A{n}" for n in range(1, 10)]
    (folder,) = (site.home / "audit").iterdir()
    entries = [entry for entry in Ledger(folder).read((home.signer.public,)).entries if entry["type"] == "audit"]
    assert [(entry["seq"], entry["phase"], entry["head"]) for entry in entries] == [
        (one.entry, "Phase 1", one.head),
        (two.entry, "Phase 2", two.head),
    ]
    told = gates_view(build, site.journal)
    assert [(one.phase, one.ok) for one in told.verdicts if one.subject == "phase"] == [
        ("Phase 1", True),
        ("Phase 2", True),
    ]
    assert [(one.phase, one.ok) for one in evidence_of(build, site.journal).audits] == [
        ("Phase 1", True),
        ("Phase 2", True),
    ]


async def test_a_phase_that_is_refused_pauses_and_the_user_may_accept_it(tmp_path: Path, builds: Builds) -> None:
    site, auditor, _ = audited_site(tmp_path, builds, CONTRACT)
    await site.start(PLAN)
    build = await run(site, auditor)
    assert build.control is Control.PAUSED
    assert build.pause is not None
    assert build.pause.reason == "audit"
    one, two = why_build(build, gates_view(build, site.journal)).audits
    assert (one.phase, one.ok, one.answer) == ("Phase 1", True, "Every check passed it.")
    assert (two.phase, two.ok, two.answer) == ("Phase 2", False, "W3 routes refused it.")
    assert (two.findings[0].file, two.findings[0].line, bool(two.findings[0].fix)) == ("phases.md", 5, True)
    assert "Phase 2 says no (W3 routes): phases.md:5: GET /health is not implemented." in build.pause.message
    assert site.delivered() not in git(site.repository, "branch", "--format=%(refname:short)").split()
    await commands.ask(builds, site.clock, site.build_id, ResumeBuild("go"))
    build = await run(site, auditor)
    assert (build.outcome, len(audits(site))) == ("succeeded", 2)
    assert site.files()["phases.md"] == CONTRACT.rstrip()


async def test_a_phase_that_is_refused_ends_a_build_that_asks_nobody(tmp_path: Path, builds: Builds) -> None:
    site, auditor, _ = audited_site(tmp_path, builds, CONTRACT)
    await site.start(PLAN, on_failure="fail")
    build = await run(site, auditor)
    assert (build.outcome, build.delivered) == ("failed", "")
    assert "GET /health is not implemented." in build.message
    assert site.delivered() not in git(site.repository, "branch", "--format=%(refname:short)").split()


class InterruptedAuditor:
    """Audits and is killed before the engine hears of it, the first time for each phase: then it is asked again."""

    def __init__(self, auditor: BuildAuditor) -> None:
        self._auditor = auditor
        self.asked = 0

    async def audit(self, phase: EndedPhase) -> AuditedPhase:
        audited = await self._auditor.audit(phase)
        self.asked += 1
        if self.asked % 2:
            raise GitFailed("killed")
        return audited


async def test_an_audit_whose_fact_was_lost_is_recorded_once(tmp_path: Path, builds: Builds) -> None:
    site, auditor, home = audited_site(tmp_path, builds, "# Phases\n")
    interrupted = InterruptedAuditor(auditor)
    await site.start(PLAN)
    build = await run(site, interrupted)
    assert build.outcome == "succeeded"
    (folder,) = (site.home / "audit").iterdir()
    entries = Ledger(folder).read((home.signer.public,)).entries
    kept = [entry["seq"] for entry in entries if entry["type"] == "audit"]
    assert (interrupted.asked, kept) == (4, [one.entry for one in audits(site)])
