"""The rules of a project's boundaries, read from their text. Pure; must never look at a file or an import.

`gates.boundaries` judges changes by them, and a contract of boundaries is checked to be such rules.
"""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from typing import Any, NamedTuple


class BoundaryRule(NamedTuple):
    """One rule for the files that match `places`; see the guide for what each key means."""

    places: tuple[str, ...]
    may_import: tuple[str, ...] | None
    must_not_import: tuple[str, ...]
    forbidden: tuple[tuple[re.Pattern[str], str], ...]
    """Patterns that no line of code may match, each with its reason."""
    name: str

    def covers(self, path: str) -> bool:
        """Return whether the rule is about this file. `*` also stands for slashes."""
        return any(fnmatchcase(path, one) or path.startswith(one.rstrip("*").rstrip("/") + "/") for one in self.places)


def read_rules(text: str) -> tuple[BoundaryRule, ...]:
    """Read the rules. Raises ValueError naming what is wrong."""
    told = json.loads(text)
    layers = told.get("layers", told.get("rules")) if isinstance(told, dict) else None
    if not isinstance(layers, list):
        raise ValueError("there is no list `layers`")
    return tuple(_rule(one, number) for number, one in enumerate(layers))


def _rule(told: Any, number: int) -> BoundaryRule:
    if not isinstance(told, dict):
        raise ValueError(f"layers[{number}] is not an object")
    places = _texts(told.get("from", told.get("glob", told.get("paths"))), f"layers[{number}].from")
    if not places:
        raise ValueError(f"layers[{number}] names no files: give `from` or `glob`")
    forbidden = told.get("forbidden", [])
    patterns = [one if isinstance(one, dict) else {"pattern": one} for one in forbidden]
    try:
        compiled = tuple((re.compile(str(one["pattern"])), str(one.get("reason", ""))) for one in patterns)
    except (re.error, KeyError) as error:
        raise ValueError(f"layers[{number}].forbidden: {error}") from error
    may = _texts(told["may_import"], f"layers[{number}].may_import") if "may_import" in told else None
    must_not = _texts(told.get("must_not_import"), f"layers[{number}].must_not_import")
    return BoundaryRule(places, may, must_not, compiled, str(told.get("name", ", ".join(places))))


def _texts(told: Any, what: str) -> tuple[str, ...]:
    listed = [] if told is None else [told] if isinstance(told, str) else told
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise ValueError(f"{what} is neither text nor a list of texts")
    return tuple(listed)
