"""An event as the one JSON object that every program sees, and back. Pure; leaves nothing out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from buildwright.core.event import Recorded, decode, encode

_NOT_THE_EVENTS = frozenset({"schema", "build", "seq", "at", "type"})


def event_fields(recorded: Recorded) -> dict[str, Any]:
    """An event with its number, time and type beside its own fields. What has its default is left out."""
    return {"seq": recorded.seq, "at": recorded.at, "type": recorded.event.type, **json.loads(encode(recorded.event))}


def from_fields(fields: Mapping[str, Any]) -> Recorded:
    """The event that `event_fields` wrote, also after its way through JSON: enough to `apply`.

    Raises KeyError for what is no event, pydantic.ValidationError for an unknown one.
    """
    at = fields["at"]
    moment = at if isinstance(at, datetime) else datetime.fromisoformat(at)
    own = {name: value for name, value in fields.items() if name not in _NOT_THE_EVENTS}
    return Recorded(int(fields["seq"]), moment, decode(fields["type"], json.dumps(own)))
