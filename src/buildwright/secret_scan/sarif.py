"""Findings of the search as SARIF 2.1.0 (OASIS), for tools that show such. Must never hold a value that was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from buildwright.secret_scan.found import FoundSecret

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(found: Sequence[FoundSecret], version: str) -> dict[str, Any]:
    """Return one run with a result for each secret; `version` is that of this program."""
    rules = [{"id": f"secrets.{kind}"} for kind in sorted({one.kind for one in found})]
    driver = {"name": "buildwright", "version": version, "rules": rules}
    return {"version": "2.1.0", "$schema": SCHEMA, "runs": [{"tool": {"driver": driver}, "results": _results(found)}]}


def _results(found: Sequence[FoundSecret]) -> list[dict[str, Any]]:
    return [
        {
            "ruleId": f"secrets.{one.kind}",
            "level": "error",
            "message": {"text": f"{one.kind}, {one.masked}"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": one.path},
                        **({"region": {"startLine": one.line}} if one.line else {}),
                    }
                }
            ],
            "partialFingerprints": {"secret/v1": one.fingerprint},
        }
        for one in found
    ]
