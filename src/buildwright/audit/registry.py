"""The checks of the audit, one record each, and those of other packages. Must never judge."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from pkgutil import resolve_name

from buildwright.audit.check import AuditCheck, AuditInput
from buildwright.audit.content import judge_boundaries, judge_secrets
from buildwright.audit.dependencies import judge_dependencies
from buildwright.audit.proof import judge_evidence, judge_ledger, judge_order, judge_tests
from buildwright.audit.routes import judge_routes
from buildwright.audit.scope import judge_commits, judge_diff_log, judge_minimal, judge_scope
from buildwright.errors import BadSettings

__all__ = ["AUDIT_CHECKS", "CHECKS_OF_OTHERS", "AuditCheck", "AuditInput", "audit_checks"]

AUDIT_CHECKS = (
    AuditCheck("A1", "scope", judge_scope),
    AuditCheck("A2", "minimal diff", judge_minimal),
    AuditCheck("A3", "evidence", judge_evidence),
    AuditCheck("A4", "boundaries", judge_boundaries),
    AuditCheck("A5", "diff log", judge_diff_log),
    AuditCheck("A6", "authorization", judge_commits),
    AuditCheck("A7", "order", judge_order),
    AuditCheck("A8", "tests", judge_tests),
    AuditCheck("A9", "dependencies", judge_dependencies),
    AuditCheck("W1", "secrets", judge_secrets),
    AuditCheck("W2", "ledger", judge_ledger),
    AuditCheck("W3", "routes", judge_routes),
)
"""Every check of ours, in the order in which they are reported."""

CHECKS_OF_OTHERS = "buildwright.audit_checks"
"""The group of entry points under which another package offers checks, each an `AuditCheck`; they come after ours."""


def audit_checks() -> Sequence[AuditCheck]:
    """Return all checks. Raises BadSettings naming one of another package that cannot be loaded."""
    others = []
    for entry in sorted(entry_points(group=CHECKS_OF_OTHERS), key=lambda one: one.name):
        try:
            found = resolve_name(entry.value)
        except (ImportError, AttributeError, ValueError) as error:
            raise BadSettings(
                f"the check {entry.name} ({entry.value}) cannot be loaded: {error}",
                fix="install its package again, or remove it",
            ) from error
        if not isinstance(found, AuditCheck):
            raise BadSettings(f"the check {entry.name} ({entry.value}) is not an AuditCheck", fix="ask its author")
        others.append(found)
    return (*AUDIT_CHECKS, *others)
