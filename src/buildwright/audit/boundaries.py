"""Judges the boundaries of a project (see `gates.boundaries`), by the rules of the base and of the head."""

from __future__ import annotations

from collections.abc import Sequence

from buildwright.audit.check import AuditInput
from buildwright.core.finding import NOT_RUN, Finding
from buildwright.gates.boundaries import RULES, BoundaryRule, BoundedFile, judge_file, read_rules, unreadable
from buildwright.gates.reporting import finding


async def judge_boundaries(audit: AuditInput) -> Sequence[Finding]:
    """Return imports and lines that the change adds and that a boundary forbids.

    A change that loosens the rules is still judged by those before it.
    """
    comparison = audit.comparison
    sides = [side[RULES] for side in (comparison.before, comparison.after) if RULES in side]
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
