"""Converts events to rows and back, with their checksums. Must never use a connection; errors name a path."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias
from zlib import crc32

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from buildwright.core.event import EVENT_TYPES, AnyEvent, Recorded, decode, encode
from buildwright.errors import StoreFailed
from buildwright.store.faults import damaged
from buildwright.store.values import to_time

EventRow: TypeAlias = tuple[int, str, str, str, int]
"""Seq, time, type, JSON, checksum: a row of the journal as it is read."""
EncodedEvent: TypeAlias = tuple[str, str]
"""Type and JSON of an event."""


def encode_all(events: Sequence[AnyEvent]) -> list[EncodedEvent]:
    """Return events as type and JSON. Called outside the writer thread, so that the thread only writes."""
    return [(event.type, _encode(event)) for event in events]


def event_rows(build_id: str, after: int, at: str, encoded: Sequence[EncodedEvent]) -> list[tuple[Any, ...]]:
    """Return rows of the events table, the first with seq `after` + 1."""
    return [
        (build_id, seq, at, kind, data, _event_crc(build_id, seq, at, kind, data))
        for seq, (kind, data) in enumerate(encoded, after + 1)
    ]


def recorded_from(path: Path | str, build_id: str, after: int, rows: Sequence[EventRow]) -> list[Recorded]:
    """Return events from the rows after `after`. Raises StoreFailed for a gap, a changed row or an unknown event."""
    found = []
    for expected, (seq, at, kind, data, crc) in enumerate(rows, after + 1):
        if seq != expected:
            raise damaged(path, f"build {build_id} has event {seq} where event {expected} should be")
        if crc != _event_crc(build_id, seq, at, kind, data):
            raise damaged(path, f"event {seq} of build {build_id} is not what was written")
        found.append(Recorded(seq, to_time(at), event_of(build_id, seq, kind, data)))
    return found


def text_crc(build_id: str, seq: int, data: str) -> int:
    """Return the checksum of a snapshot."""
    return crc32(f"{build_id}\0{seq}\0{data}".encode())


def _encode(event: AnyEvent) -> str:
    try:
        return encode(event)
    except PydanticSerializationError:
        # Program output and file names may hold lone surrogates, which JSON does not allow.
        found = event.model_dump(mode="python", exclude_defaults=True, exclude={"type"})
        return (
            json.dumps(found, ensure_ascii=False, separators=(",", ":"), default=str)
            .encode("utf-8", "replace")
            .decode()
        )


def _event_crc(build_id: str, seq: int, at: str, kind: str, data: str) -> int:
    return crc32(f"{build_id}\0{seq}\0{at}\0{kind}\0{data}".encode())


def event_of(build_id: str, seq: int, kind: str, data: str) -> AnyEvent:
    """Return the event of a row, which is not checked. Raises StoreFailed for one that this version cannot read."""
    where = f"event {seq} of build {build_id}"
    fix = "use the version of Buildwright that wrote this journal, or a newer one"
    if kind not in EVENT_TYPES:
        raise StoreFailed(f"{where} is a {kind!r}, which this version does not know", fix=fix)
    try:
        return decode(kind, data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise StoreFailed(f"{where} ({kind}) cannot be read: {place}: {first['msg']}", fix=fix) from error
