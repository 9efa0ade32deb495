"""Judges whether a patch adds a secret. Must never show one: a finding has its kind, its place and its fingerprint."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from buildwright.core.finding import Finding
from buildwright.core.patch import FileChange
from buildwright.errors import GateBroken, ToolMissing
from buildwright.gates.changed import checkout, read_bytes
from buildwright.gates.reporting import finding, judgement
from buildwright.ports import GateTools, Judged, Judgement
from buildwright.secret_scan import LARGEST, FoundSecret, SecretScanner, added, too_large
from buildwright.secret_scan.kinds import CONTENT_UNREAD, IGNORE_COMMENT

_LINK = "120000"


class SecretsGate:
    """Refuses a patch after which its files hold a secret more often than before.

    A secret that the base holds already refuses no edit of its file, nor a move of it. Comments that hide lines from
    other scanners hide nothing here, and a new one is a finding too.
    """

    name = "secrets"
    needs_files = True
    refuses = "a key, a password or a key file that was added, and a comment that would hide one"

    def __init__(self, tools: GateTools) -> None:
        self._tools = tools

    async def judge(self, judged: Judged) -> list[Judgement]:
        """Return one judgement; none when there is no patch. Raises GateBroken without a checkout or the engine."""
        if judged.patch is None:
            return []
        root = checkout(judged)
        scanner = SecretScanner(self._tools.secret_rules, _teller(judged.on_output))
        try:
            after = await asyncio.to_thread(_search_all, scanner, root, judged.patch.changes)
            before = await _search_base(scanner, judged, {one.path for one in after})
        except ToolMissing as error:
            raise GateBroken(error.message, fix=error.fix) from error
        allowed = self._tools.allowed_secrets(judged.repository) if after else ()
        findings = [_finding(one) for one in added(before, after) if one.fingerprint not in allowed]
        return [judgement(self.name, "scope", findings)]


def _teller(on_output: Callable[[str], None] | None) -> Callable[[str], None] | None:
    """Return a function that adds a line to the gate's log; it may be called in another thread."""
    if on_output is None:
        return None
    loop = asyncio.get_running_loop()

    def say(text: str) -> None:
        loop.call_soon_threadsafe(on_output, text + "\n")

    return say


def _search_all(scanner: SecretScanner, root: Path, changes: tuple[FileChange, ...]) -> list[FoundSecret]:
    """Return the secrets in the new content of every changed file, and in the targets of links."""
    found: list[FoundSecret] = []
    for change in changes:
        if change.size > LARGEST:
            found.append(too_large(change.path))
        elif change.kind != "deleted":
            found += scanner.scan(change.path, _content(root, change))
    return found


def _content(root: Path, change: FileChange) -> bytes:
    if change.mode == _LINK:
        try:
            return str((root / change.path).readlink()).encode("utf-8", "surrogateescape")
        except OSError:
            return b""
    return read_bytes(root, change.path, LARGEST) or b""


async def _search_base(scanner: SecretScanner, judged: Judged, paths: set[str]) -> list[FoundSecret]:
    """Return the secrets that the base has in these files, and in files that the patch deletes or moves."""
    found: list[FoundSecret] = []
    if not paths or judged.read_base is None or judged.patch is None:
        return found
    for change in judged.patch.changes:
        if change.kind == "deleted" or (change.path in paths and change.kind != "added"):
            content = await judged.read_base(change.path)
            found += await asyncio.to_thread(scanner.scan, change.path, content or b"")
    return found


def _finding(one: FoundSecret) -> Finding:
    """Return what the user and the agent are told of one secret."""
    allow = f"a person allows it with `buildwright secrets allow {one.fingerprint} -m REASON`"
    line = one.line or None
    if one.kind == IGNORE_COMMENT:
        message = "A comment was added that hides lines from scanners of secrets."
        return finding(f"secrets.{one.kind}", message, one.path, line, fix=f"remove the comment; {allow}")
    if one.kind == CONTENT_UNREAD:
        message = f"The file is larger than {LARGEST // 1_000_000} MB, so it cannot be searched for secrets."
        return finding(f"secrets.{one.kind}", message, one.path, line, fix=f"leave it out of the repository; {allow}")
    message = f"A secret was added: {one.kind}, {one.masked}, fingerprint {one.fingerprint}."
    fix = f"take it out, and read it from the environment or a file outside the repository; if it is none, {allow}"
    return finding(f"secrets.{one.kind}", message, one.path, line, fix=fix)
