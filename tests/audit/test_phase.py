"""The audit of a phase of a build: what the gates settled only warns, what they never saw is refused, once recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from buildwright.audit.ledger import Ledger
from buildwright.audit.run import BuildAuditor
from buildwright.core.finding import Finding, Severity
from buildwright.ports import AuditedPhase, EndedPhase, as_found
from tests.audit.repositories import auditor, change, commit, project
from tests.git import git

PHASES = "# Phases\n\n## Phase 2\n\nGET /health\n"


def ended(repository: Path, *judged: str, claimed: tuple[str, ...] = ("calc.py",), name: str = "Phase 1") -> EndedPhase:
    base, head = (git(repository, "rev-parse", name) for name in ("main", "work"))
    commits = frozenset(git(repository, "rev-list", f"{base}..{head}").split())
    return EndedPhase("b1", str(repository), name, base, head, claimed, frozenset(judged), commits, ())


async def audit(phase: EndedPhase, home: Path) -> tuple[AuditedPhase, dict[str, list[tuple[str, Severity]]]]:
    async def mirror(_build: str, _base: str, _head: str) -> Path:
        return Path(phase.repository)

    audited = await BuildAuditor(auditor(home), mirror, str).audit(phase)
    found = {one.gate: [(each.code, each.severity) for each in one.findings] for one in audited.reports}
    assert {one.gate: one.ok for one in audited.reports} == {
        gate: all(severity != "error" for _, severity in findings) for gate, findings in found.items()
    }
    return audited, found


async def test_what_the_gates_let_land_is_not_refused_again(tmp_path: Path) -> None:
    repository = project(tmp_path / "r")
    change(repository, {"calc.py": "def add(a, b):\n    return b + a\n", "README.md": "# calc  \n"})
    _, found = await audit(ended(repository, "calc.py", "README.md"), tmp_path / "home")
    assert found["A1 scope"] == [("scope.outside", "warning")]
    assert found["A2 minimal diff"] == [("minimal.whitespace", "warning")]
    assert found["A8 tests"] == [("tests.none", "warning")]
    _, unseen = await audit(ended(repository, "calc.py"), tmp_path / "home")
    assert unseen["A1 scope"] == [("scope.outside", "error")]
    assert unseen["A2 minimal diff"] == [("minimal.whitespace", "error")]


async def test_a_phase_of_tasks_that_were_done_by_proof_is_not_refused_for_its_empty_change(tmp_path: Path) -> None:
    repository = project(tmp_path / "r")
    git(repository, "commit", "-q", "--allow-empty", "-m", "Nothing to change")
    _, found = await audit(ended(repository), tmp_path / "home")
    assert ("scope.empty", "warning") in found["A1 scope"]


async def test_a_route_that_is_due_in_the_phase_is_missed(tmp_path: Path) -> None:
    repository = project(tmp_path / "r", {"phases.md": PHASES})
    change(repository, {"calc.py": "A = 1\n"})
    for name, severity in (("Phase 1", "warning"), ("Phase 2", "error")):
        _, found = await audit(ended(repository, "calc.py", name=name), tmp_path / "home")
        assert found["W3 routes"] == [("routes.missing", severity)]


async def test_what_a_person_approved_is_refused_no_more(tmp_path: Path) -> None:
    repository = project(tmp_path / "r")
    change(repository, {"calc.py": "import requests\n"})
    phase = ended(repository, "calc.py")
    consents: list[tuple[Callable[[Finding], Finding], list[tuple[str, str]]]] = [
        (as_found, [("dependencies.undeclared", "error")]),
        (lambda one: one.model_copy(update={"severity": "note", "approved": "ada: fine"}), []),
    ]
    for consent, expected in consents:
        _, found = await audit(replace(phase, consent=consent), tmp_path / "home")
        assert found["A9 dependencies"] == expected


async def test_an_audit_that_is_made_again_is_recorded_once(tmp_path: Path) -> None:
    repository, home = project(tmp_path / "r"), tmp_path / "home"
    change(repository, {"calc.py": "A = 1\n"})
    first, _ = await audit(ended(repository, "calc.py"), home)
    again, _ = await audit(ended(repository, "calc.py"), home)
    (folder,) = (home / "audit").iterdir()
    state = Ledger(folder).read((auditor(home).signer.public,))
    assert (first.entry, again.entry, len(state.entries), state.problems) == (0, 0, 1, ())
    assert (state.entries[0]["build"], state.entries[0]["phase"]) == ("b1", "Phase 1")
    commit(repository, "more")
    later, _ = await audit(ended(repository, "calc.py"), home)
    assert later.entry == 1
