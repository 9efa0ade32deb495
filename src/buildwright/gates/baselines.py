"""Keeps how checks ended on trees that patches lie on, and which tests fail by chance.

Must never keep of a tree what a patch could have written there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from buildwright.core.limits import Check
from buildwright.gates.junit import CaseResult

KEPT = 64
"""Number of trees whose results stay, those used last."""
MOST_FLAKY = 500
"""Number of tests of one repository that are remembered for failing by chance, those seen last."""


class BaselineResult(NamedTuple):
    """How a check ended on a tree."""

    ok: bool
    cases: tuple[CaseResult, ...] = ()
    bars_canaries: bool = False
    """Whether a tool of the check does not let canary tests pass."""


class Baselines:
    """Results by tree, below one directory that belongs to this class, or in memory alone."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._known: dict[str, Mapping[str, BaselineResult]] = {}
        self._flaky: dict[str, Mapping[str, bool]] = {}

    def get(self, tree: str, python: str, checks: Iterable[Check]) -> Mapping[str, BaselineResult]:
        """Return the results of those of the checks that are known, by the check's name."""
        key = _key(tree, python)
        if key not in self._known and self._folder is not None:
            self._known[key] = _read(self._folder / key)
        known = self._known.get(key, {})
        return {check.name: known[_name(check)] for check in checks if _name(check) in known}

    def put(self, tree: str, python: str, results: Mapping[Check, BaselineResult]) -> None:
        """Add results of a tree to those that are known."""
        key = _key(tree, python)
        self.get(tree, python, ())
        merged = {**self._known.get(key, {}), **{_name(check): result for check, result in results.items()}}
        self._known[key] = merged
        while len(self._known) > KEPT:
            del self._known[next(iter(self._known))]
        if self._folder is not None:
            # A baseline that could not be written is made again.
            with contextlib.suppress(OSError):
                _write(self._folder, key, merged)

    def flaky(self, repository: str) -> Mapping[str, bool]:
        """Return the tests that failed by chance in a repository, each with whether it did so without a change."""
        key = _key("flaky", repository)
        if key not in self._flaky:
            self._flaky[key] = _read_flaky(self._folder / key) if self._folder is not None else {}
        return self._flaky[key]

    def saw_flaky(self, repository: str, tests: Iterable[str], *, without_change: bool) -> None:
        """Remember that tests failed by chance."""
        key = _key("flaky", repository)
        known = dict(self.flaky(repository))
        for name in tests:
            known[name] = known.pop(name, False) or without_change
        self._flaky[key] = dict(list(known.items())[-MOST_FLAKY:])
        if self._folder is not None:
            with contextlib.suppress(OSError):
                _write(self._folder, key, self._flaky[key])


def _key(tree: str, python: str) -> str:
    return hashlib.sha256(f"{tree}\0{python}".encode()).hexdigest()


def _name(check: Check) -> str:
    return f"{check.name}\0{check.command}"


def _read(path: Path) -> dict[str, BaselineResult]:
    try:
        document = json.loads(path.read_bytes())
        os.utime(path)
        return {
            name: BaselineResult(bool(ok), tuple(CaseResult(*case) for case in cases), *map(bool, bars))
            for name, (ok, cases, *bars) in document.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _read_flaky(path: Path) -> dict[str, bool]:
    try:
        document = json.loads(path.read_bytes())
        os.utime(path)
        return {str(name): bool(without_change) for name, without_change in document.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _write(folder: Path, key: str, results: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(dir=folder)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(results, file)
    Path(name).replace(folder / key)
    ages = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
    for path in ages[:-KEPT]:
        path.unlink(missing_ok=True)
