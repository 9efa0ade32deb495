"""The ledger of audits: a chain of entries with signed checkpoints, outside the repository. Must never be rewritten.

Entries are JSON Lines, each sealed and with the SHA-256 of the one before. A checkpoint signs the number of entries and
the root of their Merkle tree (RFC 6962, section 2.1), so that a tail that was cut off, and a chain that was computed
again, show. A process killed between both leaves sealed entries, which the next checkpoint covers.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from buildwright.audit.dsse import PublicKey, StatementSigner, canonical, open_envelope, statement
from buildwright.errors import Conflict
from buildwright.workspace.git import naming_full_disk

CHECKPOINT_TYPE = "urn:x-buildwright:ledger-checkpoint:v1"
_FIRST = "0" * 64

LedgerFault = Literal["broken", "truncated", "unsigned", "forged"]


class LedgerProblem(NamedTuple):
    """What is wrong with a ledger: a `broken` link, a `truncated` tail, an `unsigned` tail, a `forged` checkpoint."""

    kind: LedgerFault
    message: str


@dataclass(frozen=True)
class LedgerState:
    """A ledger as it was read, with what is wrong with it."""

    entries: tuple[Mapping[str, Any], ...] = ()
    checkpoints: int = 0
    problems: tuple[LedgerProblem, ...] = field(default=())

    def of_tree(self, tree: str, kind: str) -> Iterator[Mapping[str, Any]]:
        """Yield the entries of a kind that are about a tree, oldest first."""
        return (one for one in self.entries if one.get("tree") == tree and one.get("type") == kind)


class Ledger:
    """The ledger in one directory: `ledger.jsonl` and `checkpoints.jsonl`. Two processes may append at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "ledger.jsonl"
        self._signed = folder / "checkpoints.jsonl"

    def read(self, keys: Sequence[PublicKey]) -> LedgerState:
        """Return all entries and what is wrong with them, as those who hold `keys` see it."""
        entries, digests, problems = _chain(_lines(self._file))
        envelopes = [_parsed(line) for line in _lines(self._signed)]
        covered, wrong = _check_signed(digests, envelopes, keys)
        open_tail = next((one for one in entries[covered:] if not _is_sealed(one, keys)), None)
        if open_tail is not None:
            wrong.append(
                LedgerProblem("unsigned", f"entry {open_tail.get('seq')} and those after it carry no signature")
            )
        return LedgerState(tuple(entries), len(envelopes), tuple(problems + wrong))

    def append(self, told: Sequence[Mapping[str, Any]], signer: StatementSigner, at: datetime) -> LedgerState:
        """Append entries and sign a checkpoint over all; both are on disk when this returns.

        Raises Conflict when something is wrong with the ledger: a signature would bless it. Raises DiskFull.
        """
        with naming_full_disk(self._folder), self._alone():
            problems = self.read((signer.public,)).problems
            if problems:
                raise Conflict(
                    f"Nothing was recorded: {problems[0].message}.",
                    fix=f"Move {self._folder} away to begin a new ledger.",
                )
            lines = _lines(self._file)
            previous = _digest(lines[-1]) if lines else _FIRST
            fresh = []
            for number, fields in enumerate(told, start=len(lines)):
                entry = {"seq": number, "prev": previous, "at": at.isoformat(), **fields}
                fresh.append(canonical({**entry, "seal": signer.seal(canonical(entry))}))
                previous = _digest(fresh[-1])
            _append(self._file, fresh)
            signed = _lines(self._signed)
            root = merkle_root([*map(_digest, lines), *map(_digest, fresh)])
            size = len(lines) + len(fresh)
            before = _digest(signed[-1]) if signed else _FIRST
            claim = {"size": size, "root": root, "prev_checkpoint": before, "at": at.isoformat()}
            subject = [{"name": "ledger.jsonl", "digest": {"sha256": root}}]
            _append(self._signed, [canonical(signer.sign(statement(subject, CHECKPOINT_TYPE, claim)))])
        return self.read((signer.public,))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def merkle_root(digests: Sequence[str]) -> str:
    """Return the root of the Merkle tree whose leaves are these digests, in hex (RFC 6962, section 2.1)."""
    if not digests:
        return hashlib.sha256(b"").hexdigest()
    level = [hashlib.sha256(b"\0" + bytes.fromhex(one)).digest() for one in digests]
    while len(level) > 1:
        # A node without a neighbour rises as it is: that gives the same tree as splitting at powers of two.
        pairs = [hashlib.sha256(b"\1" + level[n] + level[n + 1]).digest() for n in range(0, len(level) - 1, 2)]
        level = [*pairs, level[-1]] if len(level) % 2 else pairs
    return level[0].hex()


def render(state: LedgerState) -> str:
    """Return a ledger as Markdown for people. It is made from the ledger; nothing ever reads it back."""
    lines = [
        "# Audit ledger",
        "",
        "Made from the signed ledger of this machine; changes to this file change nothing.",
        "",
    ]
    for entry in state.entries:
        if entry.get("type") != "audit":
            continue
        lines += [f"## {entry.get('at')}: {'PASS' if entry.get('ok') else 'FAIL'}", ""]
        phase = entry.get("phase")
        lines += [f"- Phase: {phase}"] if phase else []
        lines += [f"- Commits: {entry.get('base') or 'none'}..{entry.get('head')}", f"- Tree: {entry.get('tree')}"]
        lines += [f"- {code}: {result}" for code, result in sorted(dict(entry.get("results", {})).items())]
        lines += [f"- Entry: {entry.get('seq')}", "", "Changes:", ""]
        lines += [f"- {change}" for change in entry.get("changes", ())] + [""]
    lines += [f"- Problem: {problem.kind}: {problem.message}" for problem in state.problems]
    return "\n".join(lines).rstrip() + "\n"


def _lines(path: Path) -> list[bytes]:
    try:
        return [line for line in path.read_bytes().split(b"\n") if line]
    except FileNotFoundError:
        return []


def _append(path: Path, lines: Sequence[bytes]) -> None:
    with path.open("ab") as file:
        file.write(b"".join(line + b"\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def _parsed(line: bytes) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _chain(lines: Sequence[bytes]) -> tuple[list[Mapping[str, Any]], list[str], list[LedgerProblem]]:
    entries: list[Mapping[str, Any]] = []
    digests: list[str] = []
    problems: list[LedgerProblem] = []
    previous = _FIRST
    for number, line in enumerate(lines):
        entry = _parsed(line)
        if not isinstance(entry, dict):
            problems.append(LedgerProblem("broken", f"entry {number} cannot be read"))
        else:
            if entry.get("prev") != previous or entry.get("seq") != number:
                problems.append(LedgerProblem("broken", f"entry {number} does not follow from the entry before it"))
            entries.append(entry)
        previous = _digest(line)
        digests.append(previous)
    return entries, digests, problems


def _check_signed(
    digests: Sequence[str], envelopes: Sequence[object], keys: Sequence[PublicKey]
) -> tuple[int, list[LedgerProblem]]:
    """Return how many entries are signed for, and what the checkpoints say against the entries."""
    problems: list[LedgerProblem] = []
    covered, previous = 0, _FIRST
    for number, envelope in enumerate(envelopes):
        told, wrong = open_envelope(envelope, keys)
        claim = told.get("predicate", {}) if told.get("predicateType") == CHECKPOINT_TYPE else {}
        if wrong or not isinstance(claim.get("size"), int):
            why = wrong or "it says nothing of a ledger"
            problems.append(LedgerProblem("forged", f"checkpoint {number} does not count: {why}"))
            continue
        if claim.get("prev_checkpoint") != previous:
            problems.append(LedgerProblem("broken", f"checkpoint {number} does not follow from the one before it"))
        previous = _digest(canonical(envelope))
        size = int(claim["size"])
        if size > len(digests):
            message = f"checkpoint {number} covers {size} entries and only {len(digests)} are left"
            problems.append(LedgerProblem("truncated", message))
            continue
        if merkle_root(digests[:size]) != claim.get("root"):
            problems.append(LedgerProblem("broken", f"the first {size} entries are not those that were signed"))
        covered = max(covered, size)
    return covered, problems


def _is_sealed(entry: Mapping[str, Any], keys: Sequence[PublicKey]) -> bool:
    message = canonical({name: value for name, value in entry.items() if name != "seal"})
    return any(key.accepts_seal(message, entry.get("seal")) for key in keys)
