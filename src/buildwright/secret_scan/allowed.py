"""The secrets that a person allowed, by fingerprint, in a file of the home. Must never hold a value of one.

One JSON file for all repositories, outside of them: what an agent writes cannot change it, and no merge meets in it.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from buildwright.core.record import Record, UtcTime
from buildwright.core.sanitize import Identifier, UserText
from buildwright.errors import Refused, StoreFailed
from buildwright.secret_scan.found import FINGERPRINT_LENGTH

_FINGERPRINT = re.compile(rf"[0-9a-f]{{{FINGERPRINT_LENGTH}}}")


class AllowedSecret(Record):
    """One decision of a person: this value is no secret in this repository."""

    repository: UserText
    """Its path or URL, as `workspace.locate` gives it."""
    fingerprint: Identifier
    reason: UserText
    by: UserText
    at: UtcTime


class AllowedSecrets:
    """All decisions of a home, kept in one file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def all(self, repository: str = "") -> tuple[AllowedSecret, ...]:
        """Return the decisions for a repository ("" for all), oldest first. Raises StoreFailed when they are damaged."""
        try:
            text = self._file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ()
        try:
            rows = [AllowedSecret.model_validate(row) for row in json.loads(text)]
        except (ValueError, TypeError, ValidationError) as error:
            raise StoreFailed(
                f"{self._file} cannot be read: {error}", fix=f"fix it, or remove it: {self._file}"
            ) from error
        return tuple(row for row in rows if repository in {"", row.repository})

    def fingerprints(self, repository: str) -> frozenset[str]:
        """Return the fingerprints that are allowed in a repository."""
        return frozenset(row.fingerprint for row in self.all(repository))

    def allow(self, repository: str, fingerprint: str, reason: str, by: str, at: datetime) -> AllowedSecret:
        """Record a decision, in place of an older one. Raises Refused for what is no fingerprint or has no reason."""
        if not _FINGERPRINT.fullmatch(fingerprint):
            raise Refused(
                f"{fingerprint[:40]!r} is not a fingerprint",
                fix=f"copy the {FINGERPRINT_LENGTH} letters and digits that the finding ends with",
            )
        if not reason.strip():
            raise Refused("a decision needs its reason", fix="say it with -m")
        new = AllowedSecret(repository=repository, fingerprint=fingerprint, reason=reason.strip(), by=by, at=at)
        with self._alone():
            rows = [row for row in self.all() if (row.repository, row.fingerprint) != (repository, fingerprint)]
            self._write([*rows, new])
        return new

    def _write(self, rows: list[AllowedSecret]) -> None:
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps([row.model_dump(mode="json") for row in rows], indent=1) + "\n", encoding="utf-8")
        fresh.replace(self._file)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the file's lock, so that two processes do not lose each other's decisions."""
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
