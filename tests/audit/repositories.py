"""Repositories to audit: a small Python project with a base commit, and changes made to it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from buildwright.audit.check import AuditReport
from buildwright.audit.comparison import AuditRange
from buildwright.audit.run import Auditor, AuditRequest
from buildwright.ports import GateTools
from buildwright.sandbox import NoSandbox
from tests.git import git

PROJECT = {
    "pyproject.toml": '[project]\nname = "calc"\nversion = "0"\ndependencies = ["attrs", "pyyaml"]\n',
    "calc.py": "def add(a, b):\n    return a + b\n",
    "tests/test_calc.py": "from calc import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n",
    "conftest.py": "",
    "README.md": "# calc\n",
}


def project(folder: Path, files: Mapping[str, str] | None = None) -> Path:
    """Make a repository with one commit on `main`, and a branch `work` that is checked out."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet")
    write(folder, {**PROJECT, **(files or {})})
    commit(folder, "base")
    git(folder, "checkout", "--quiet", "-b", "work")
    return folder


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def commit(folder: Path, message: str = "change") -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def change(folder: Path, files: Mapping[str, str]) -> str:
    write(folder, files)
    return commit(folder)


def auditor(home: Path) -> Auditor:
    async def tools() -> GateTools:
        return GateTools(NoSandbox(), os.environ["PATH"], home / "setups")

    return Auditor(home, os.environ, tools, lambda: datetime(2026, 11, 29, tzinfo=UTC))


async def audited(
    repository: Path,
    home: Path,
    *claimed: str,
    run: bool = False,
    work_tree: bool = False,
    phase: str = "",
    **more: tuple[str, ...],
) -> AuditReport:
    request = AuditRequest(
        str(repository),
        AuditRange("main", "", work_tree),
        claimed,
        phase,
        run_checks=run,
        write=False,
        allow=more.get("allow", ()),
        authors=more.get("authors", ()),
    )
    return await auditor(home).audit(request)


def said(report: AuditReport, code: str) -> tuple[str, set[str]]:
    """Return how a check ended and the codes of its findings."""
    outcome = next(one for one in report.outcomes if one.code == code)
    return outcome.result, {one.code for one in outcome.findings}


def places(report: AuditReport, code: str) -> set[str]:
    outcome = next(one for one in report.outcomes if one.code == code)
    return {one.file for one in outcome.findings if one.file and one.severity == "error"}
