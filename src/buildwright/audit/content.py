"""Judges what the files of a change hold: what a boundary of the project forbids, and secrets. Must never show one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from buildwright.audit.check import AuditInput
from buildwright.core.boundary_rules import BoundaryRule, read_rules
from buildwright.core.finding import NOT_RUN, Finding
from buildwright.gates.boundaries import RULES, BoundedFile, judge_file, rule_files, unreadable
from buildwright.gates.reporting import finding
from buildwright.secret_scan import FoundSecret, SecretScanner, added
from buildwright.workspace.trees import TreeEntry


async def judge_boundaries(audit: AuditInput) -> Sequence[Finding]:
    """Return imports and lines that the change adds and that a boundary forbids (see `gates.boundaries`).

    The rules are those of the base and of the head: a change that loosens the rules is still judged by those before it.
    """
    comparison = audit.comparison
    sides = [side[path] for path in rule_files() for side in (comparison.before, comparison.after) if path in side]
    if not sides:
        return [finding(NOT_RUN, f"not run: the project has no {RULES}", severity="note")]
    await comparison.read(sides)
    await comparison.read_changed()
    rules: list[BoundaryRule] = []
    for entry in dict.fromkeys(sides):
        try:
            rules += read_rules(comparison.text(entry) or "")
        except ValueError as error:
            return [unreadable(error)]
    found: list[Finding] = []
    for path in comparison.patch.paths:
        mine = [rule for rule in dict.fromkeys(rules) if rule.covers(path)]
        content = comparison.content(comparison.after.get(path))
        if mine and content is not None:
            before, after = (comparison.imports(path, side.get(path)) for side in (comparison.before, comparison.after))
            added = tuple(number for number, _ in comparison.lines[path].added)
            found += judge_file(BoundedFile(path, content, before, after, added), mine)
    return found


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
