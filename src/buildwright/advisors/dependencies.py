"""Finds the order of tasks under whatever key a list of others writes it. Must never drop such a key without a word."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from typing import Any, Final

from buildwright.advisors.documents import SPELLINGS, key_path
from buildwright.errors import BadSpec

_INVERSE: Final = frozenset({"blocks", "before", "requiredby", "unblocks", "successors"})


def under_one_key(items: Iterable[Any], key: str, known: Collection[str], name: str, where: Sequence[str | int]) -> Any:
    """Return tasks as plain data with what they wait for under `key`, whatever key it was under; subtasks, too.

    Raises BadSpec for a key that is nearly one of them, and for one that says it the other way round.
    """
    return [
        _with_key(item, key, known, name, (*where, index)) if isinstance(item, dict) else item
        for index, item in enumerate(items)
    ]


def _with_key(
    item: dict[str, Any], key: str, known: Collection[str], name: str, where: tuple[str | int, ...]
) -> dict[str, Any]:
    found: list[Any] = []
    others: dict[str, Any] = {}
    for one, value in item.items():
        if one != key and one in known:
            others[one] = value
        elif _means_dependency(one, key, name, where):
            found += _listed(value, name, (*where, one))
        else:
            others[one] = value
    inner = others.get("subtasks")
    if isinstance(inner, list):
        others["subtasks"] = under_one_key(inner, key, known, name, (*where, "subtasks"))
    return {**others, key: found} if found else others


def _means_dependency(one: str, key: str, name: str, where: tuple[str | int, ...]) -> bool:
    folded = re.sub(r"[^a-z]", "", one.lower())
    if folded in SPELLINGS:
        return True
    path = key_path((*where, one))
    if folded in _INVERSE:
        message = f"{one!r} says which tasks come later, the other way round"
        raise BadSpec(message, file=name, key=path, fix=f"write the order as {key!r} of the later task")
    if one not in _HARMLESS and get_close_matches(folded, SPELLINGS, n=1, cutoff=0.8):
        raise BadSpec(f"unknown key; did you mean {key!r}?", file=name, key=path, fix=f"write {key!r}, or rename it")
    return False


_HARMLESS: Final = frozenset({"dependency_count", "dependent_count", "dependents", "description", "details", "updated"})


def _listed(value: Any, name: str, where: tuple[str | int, ...]) -> list[Any]:
    """Return the ids in a value: a list, one id, or ids with commas between."""
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [part for part in re.split(r"[,\s]+", value) if part]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [value]
    if not isinstance(value, list):
        raise BadSpec("should be a list of ids", file=name, key=key_path(where), fix="write the ids of tasks as a list")
    return value
