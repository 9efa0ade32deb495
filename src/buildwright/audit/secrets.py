"""Judges whether the lines that a change adds carry a key. Must never show one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from buildwright.audit.check import AuditInput
from buildwright.core.finding import Finding
from buildwright.core.secrets import MASK, Masker
from buildwright.gates.reporting import finding


def secret_lines(path: str, lines: Sequence[tuple[int, str]]) -> Iterator[tuple[int, str]]:  # noqa: ARG001
    """Yield the number of each line that holds a key, and what kind of key it is. `lines` are those added to a file."""
    find = Masker()
    whole = "\n".join(text for _, text in lines)
    if MASK not in find(whole) and "PRIVATE KEY" not in whole:
        return
    for number, text in lines:
        if "PRIVATE KEY-----" in text and "BEGIN" in text:
            yield number, "a private key"
        elif MASK in find(text) and MASK not in text:
            yield number, "a key of a known shape"


async def judge_secrets(audit: AuditInput) -> Sequence[Finding]:
    """Return the added lines that hold a key."""
    return [
        finding(
            "secrets.found",
            f"{path} holds {kind}.",
            path,
            number,
            fix="take it out, read it from the environment, and revoke it if it is real",
        )
        for path, lines in audit.comparison.lines.items()
        for number, kind in secret_lines(path, lines.added)
    ]
