"""Checks of other packages come after ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildwright.audit.registry import AUDIT_CHECKS, audit_checks
from buildwright.errors import BadSettings
from tests.audit.repositories import audited, change, project, said

CHECK = """
from buildwright.audit.check import AuditCheck
from buildwright.core.finding import Finding


async def no_prints(audit):
    lines = audit.comparison.lines.items()
    found = ((path, number) for path, one in lines for number, text in one.added if text.startswith("print("))
    return [Finding(code="style.print", message="prints", file=path, line=number) for path, number in found]


CHECK = AuditCheck("X1", "no prints", no_prints)
OTHER = 1
"""


async def test_another_package_adds_a_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    package = site / "their_audit-1.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: their-audit\nVersion: 1\n")
    (package / "entry_points.txt").write_text("[buildwright.audit_checks]\nprints = their_audit:CHECK\n")
    (site / "their_audit.py").write_text(CHECK)
    monkeypatch.syspath_prepend(site)
    assert [one.code for one in audit_checks()] == [*(one.code for one in AUDIT_CHECKS), "X1"]
    repository = project(tmp_path / "r")
    change(repository, {"calc.py": "print('x')\n"})
    assert said(await audited(repository, tmp_path / "home"), "X1") == ("failed", {"style.print"})
    (package / "entry_points.txt").write_text("[buildwright.audit_checks]\nprints = their_audit:OTHER\n")
    with pytest.raises(BadSettings, match="is not an AuditCheck"):
        audit_checks()
    (package / "entry_points.txt").write_text("[buildwright.audit_checks]\nprints = their_audit:GONE\n")
    with pytest.raises(BadSettings, match="cannot be loaded"):
        audit_checks()
