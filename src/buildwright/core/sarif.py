"""What every SARIF 2.1.0 log has in common (OASIS Standard, 27 March 2020). Pure; must never hold a rule of a check."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


MOST_RUNS = 20
"""Runs that code scanning takes in one file (docs.github.com, "SARIF support for code scanning")."""
LAST_RUN = "others"


def run_names(names: Iterable[str]) -> dict[str, str]:
    """Return the run that each check belongs to: one of its own, the last for all that are too many."""
    known = list(dict.fromkeys(names))
    if len(known) <= MOST_RUNS:
        return {name: name for name in known}
    return {name: name if place < MOST_RUNS - 1 else LAST_RUN for place, name in enumerate(known)}


def sarif_log(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a log of these runs as a JSON object."""
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": list(runs)}


def sarif_places(file: str | None, line: int | None) -> dict[str, Any]:
    """Return the `locations` of a result, empty without a file. `file` is relative to the tree, `line` from 1."""
    if not file:
        return {}
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(file), "uriBaseId": "%SRCROOT%"}}
    if line is not None and line > 0:
        place["region"] = {"startLine": line}
    return {"locations": [{"physicalLocation": place}]}
