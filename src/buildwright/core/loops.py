"""Whether a task goes in circles: the same change comes back, or the same findings do. Pure; decides nothing.

Only what the gates refused counts. A conflict, or a refusal on top of what landed meanwhile, says that the base has
moved, and an agent that broke has no change: neither is remembered here, and both end a row of equal findings.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from buildwright.core.build import Refused, TaskState
from buildwright.core.finding import Finding
from buildwright.core.patch import Patch

KEPT_FINDINGS = 10
"""Findings kept of each refused change, to be said again if it comes back."""

_VARYING = re.compile(r"0x[0-9a-fA-F]+|\d+")
"""What differs between two runs that fail alike: addresses, lines, times, counts."""


def refused(state: TaskState, patch: Patch, findings: Sequence[Finding]) -> tuple[Refused, ...]:
    """What the task remembers once the gates have refused this patch too. As long as the attempts since the user's word."""
    newest = Refused(
        state.attempt, patch.base_tree, patch.tree, same_reasons(findings), tuple(findings[:KEPT_FINDINGS])
    )
    return (*state.refused, newest)


def same_reasons(findings: Sequence[Finding]) -> str:
    """Equal for findings that differ only in numbers and order; "" when nothing was said, which is like nothing else."""
    errors = [finding for finding in findings if finding.severity == "error"] or findings
    if not errors:
        return ""
    said = {(finding.code, finding.file or "", _VARYING.sub("#", finding.message)) for finding in errors}
    return hashlib.sha256(repr(sorted(said)).encode("utf-8", "replace")).hexdigest()


def same_change(state: TaskState) -> Refused | None:
    """The newest refused attempt that made, on the same base, exactly the tree of the current patch."""
    patch = state.patch
    if patch is None:
        return None
    same = (patch.base_tree, patch.tree)
    return next((old for old in reversed(state.refused) if (old.base_tree, old.tree) == same), None)


def same_findings(state: TaskState) -> int:
    """How many attempts in a row, the current one last, were refused for the same findings."""
    row = 0
    for old in reversed(state.refused):
        if old.attempt != state.attempt - row or not old.reasons or old.reasons != state.refused[-1].reasons:
            break
        row += 1
    return row
