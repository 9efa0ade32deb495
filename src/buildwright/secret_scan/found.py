"""A secret that was found: what it is, where it stands, its fingerprint, and as SARIF. Must never let the value out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from buildwright.core.sarif import sarif_log, sarif_places

FINGERPRINT_LENGTH = 16
_SALT = b"buildwright secret fingerprint 1"
_LONG = 20
_SHOWN = 4


@dataclass(frozen=True, slots=True)
class FoundSecret:
    """One secret. `kind` is the name of the rule, `line` counts from 1 (0 for a whole file)."""

    kind: str
    path: str
    line: int
    value: bytes = field(repr=False)
    commit: str = ""
    """The commit whose version of the file holds it; "" for the newest version."""

    @property
    def fingerprint(self) -> str:
        """The name of the value, by which a person allows it: the same in every file and on every machine."""
        return fingerprint_of(self.value)

    @property
    def masked(self) -> str:
        """The beginning of a long value, nothing of a short one, and how long it is."""
        if self.line == 0:
            return f"{len(self.value)} bytes"
        shown = self.value[:_SHOWN].decode("ascii", "replace") if len(self.value) >= _LONG else ""
        return f"{shown}... ({len(self.value)} characters)"

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else self.path
        return f"{where}: {self.kind}, {self.masked}, fingerprint {self.fingerprint}"


@lru_cache(maxsize=4096)
def fingerprint_of(value: bytes) -> str:
    """Return 16 hex digits of the scrypt hash (RFC 7914) of a value: slow, because a short password can be guessed."""
    return hashlib.scrypt(value, salt=_SALT, n=2**12, r=8, p=1, dklen=FINGERPRINT_LENGTH // 2).hex()


def added(before: Iterable[FoundSecret], after: Iterable[FoundSecret]) -> Iterator[FoundSecret]:
    """Yield the secrets that `after` holds more often than `before`; of equal ones the last.

    A secret that was moved, or whose line was edited, is not new; one that was copied is.
    """
    known: dict[bytes, int] = {}
    for old in before:
        known[old.value] = known.get(old.value, 0) + 1
    for one in after:
        if known.get(one.value, 0) > 0:
            known[one.value] -= 1
        else:
            yield one


def sarif(found: Sequence[FoundSecret], version: str) -> dict[str, Any]:
    """Return one run with a result for each secret; `version` is that of this program."""
    rules = [{"id": f"secrets.{kind}"} for kind in sorted({one.kind for one in found})]
    driver = {"name": "buildwright", "version": version, "rules": rules}
    return sarif_log([{"tool": {"driver": driver}, "results": _results(found)}])


def _results(found: Sequence[FoundSecret]) -> list[dict[str, Any]]:
    return [
        {
            "ruleId": f"secrets.{one.kind}",
            "level": "error",
            "message": {"text": f"{one.kind}, {one.masked}"},
            **sarif_places(one.path, one.line),
            "partialFingerprints": {"secret/v1": one.fingerprint},
        }
        for one in found
    ]
