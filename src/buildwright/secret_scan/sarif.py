"""Findings of the search as SARIF 2.1.0 (OASIS), for tools that show such. Must never hold a value that was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from buildwright.core.sarif import sarif_log, sarif_places
from buildwright.secret_scan.found import FoundSecret


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
