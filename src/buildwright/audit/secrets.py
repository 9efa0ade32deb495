"""Judges whether a change adds a secret, by the scanner that the gate has. Must never show one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from buildwright.audit.check import AuditInput
from buildwright.core.finding import Finding
from buildwright.gates.reporting import finding
from buildwright.secret_scan import FoundSecret, SecretScanner, added
from buildwright.workspace.patch import TreeEntry


async def judge_secrets(audit: AuditInput) -> Sequence[Finding]:
    """Return the secrets that the changed files hold more often than before. Raises ToolMissing without the engine."""
    comparison = audit.comparison
    await comparison.read_changed()
    scanner = SecretScanner(audit.secret_rules)
    after = await asyncio.to_thread(_search, audit, scanner, comparison.after)
    before = await asyncio.to_thread(_search, audit, scanner, comparison.before) if after else []
    return [_finding(one) for one in added(before, after) if one.fingerprint not in audit.allowed_secrets]


def _search(audit: AuditInput, scanner: SecretScanner, files: Mapping[str, TreeEntry]) -> list[FoundSecret]:
    found: list[FoundSecret] = []
    for path in audit.comparison.patch.paths:
        found += scanner.scan(path, audit.comparison.content(files.get(path)) or b"")
    return found


def _finding(one: FoundSecret) -> Finding:
    message = f"{one.path} holds a secret: {one.kind}, {one.masked}, fingerprint {one.fingerprint}."
    fix = f"take it out and revoke it if it is real; a person allows it with `buildwright secrets allow {one.fingerprint}`"
    return finding(f"secrets.{one.kind}", message, one.path, one.line or None, fix=fix)
