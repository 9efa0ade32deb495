"""A build as text and back, so that opening one need not replay its whole journal. Pure; must never lose a field.

The text is derived data: if it cannot be parsed, drop it and replay the journal instead. `FORMAT` changes whenever the
fields of Build change their meaning, or an older build would not have a new field's default.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from typing import Any

from immutables import Map
from pydantic import TypeAdapter

from buildwright.core.build import Build, Moments, TaskState
from buildwright.core.graph import Graph, compile_plan
from buildwright.core.heap import Heap, heap_of, keys_of

FORMAT = 12
_MAPS_OF_HEAPS = ("later", "parked")
_MAPS = ("tasks", "unmet", "over_early", "holders", "moments")
_HAVE_DEFAULTS = {field.name for field in fields(Build) if (field.default, field.default_factory) != (MISSING, MISSING)}
_SPECIAL = {"plan", "ready", "active", *_MAPS_OF_HEAPS, *_MAPS}

_ADAPTERS: dict[str, TypeAdapter[Any]] = {}


def _adapters() -> dict[str, TypeAdapter[Any]]:
    if not _ADAPTERS:
        hints = _field_types()
        plain = {name: TypeAdapter(kind) for name, kind in hints.items() if name not in _SPECIAL}
        _ADAPTERS.update(
            plain
            | {
                "plan": TypeAdapter(Graph | None),
                "tasks": TypeAdapter(dict[str, TaskState]),
                "unmet": TypeAdapter(dict[int, int]),
                "over_early": TypeAdapter(dict[int, int]),
                "holders": TypeAdapter(dict[str, str]),
                "moments": TypeAdapter(dict[str, Moments]),
                "ready": TypeAdapter(list[int]),
                "active": TypeAdapter(list[str]),
                "later": TypeAdapter(dict[int, list[int]]),
                "parked": TypeAdapter(dict[str, list[int]]),
            }
        )
    return _ADAPTERS


def _field_types() -> dict[str, Any]:
    from typing import get_type_hints

    from buildwright.core import build as module

    return get_type_hints(Build, vars(module))


def dump(build: Build) -> str:
    """Return the build as JSON text. Takes O(size of the build)."""
    values: dict[str, Any] = {"format": FORMAT}
    for name, adapter in _adapters().items():
        value = getattr(build, name)
        if name == "plan":
            value = value.graph if value else None
        elif name == "ready":
            value = sorted(keys_of(value))
        elif name == "active":
            value = sorted(value)
        elif name in _MAPS_OF_HEAPS:
            value = {key: sorted(keys_of(heap)) for key, heap in value.items()}
        elif name in _MAPS:
            value = dict(value)
        values[name] = adapter.dump_python(value, mode="json")
    # By name, not as the tuples that they are: a field that is added may stand anywhere.
    values["tasks"] = {
        task: dict(zip(TaskState._fields, state, strict=True)) for task, state in values["tasks"].items()
    }
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)


def parse(text: str) -> Build:
    """Return the build that `dump` wrote. Raises ValueError when the text is of another format or not a snapshot."""
    raw = json.loads(text)
    if not isinstance(raw, dict) or raw.pop("format", None) != FORMAT:
        raise ValueError("this is not a snapshot of the format this version writes")
    values: dict[str, Any] = {}
    for name, adapter in _adapters().items():
        if name not in raw and name in _HAVE_DEFAULTS:
            continue  # the field is newer than the snapshot
        value = adapter.validate_python(raw[name])
        if name == "plan":
            value = compile_plan(value) if value is not None else None
        elif name == "ready":
            value = heap_of(value)
        elif name == "active":
            value = Map(dict.fromkeys(value))
        elif name in _MAPS_OF_HEAPS:
            value = Map({key: _heap(keys) for key, keys in value.items()})
        elif name in _MAPS:
            value = Map(value)
        values[name] = value
    return Build(**values)


def _heap(keys: list[int]) -> Heap:
    return heap_of(keys)


assert {field.name for field in fields(Build)} >= _SPECIAL
