"""The place of a client in a stream: for each build the last event and log line it has had. Must never grant access.

Pure, and opaque to clients. A cursor holds nothing secret: a request with one is authenticated like any other.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

LONGEST = 16_000
START = "start"
"""In place of a cursor: from the first event on."""
_EDITION = "1"


class Place(NamedTuple):
    """How much of one build a client has had."""

    event: int = 0
    """Seq of the last event."""
    line: int = 0
    """Seq of the last log line."""
    at: int = 0
    """Time of that event in microseconds. Another journal under the same id has another time."""
    part: int = 0
    """Number of frames of the next event that the client has had already."""


class Newest(NamedTuple):
    """The newest build of a project that the client knows of."""

    created: int
    """Time of creation in microseconds."""
    build_id: str


class Cursor(NamedTuple):
    """All places of one client. `newest` is None for a stream of one build."""

    form: str
    """The form of the frames: `Place.part` counts only for a client that asks for the same form."""
    places: Mapping[str, Place]
    newest: Newest | None = None

    def encoded(self) -> str:
        """Return the cursor as clients keep it: in characters that need no quoting in JSON, a header or a URL."""
        places = [[build_id, *_cut(place)] for build_id, place in self.places.items()]
        text = json.dumps([self.form, places, self.newest], separators=(",", ":"))
        return _EDITION + urlsafe_b64encode(text.encode()).decode("ascii").rstrip("=")


def decode(text: str) -> Cursor | None:
    """Return the cursor in `text`, None when it is not one of ours."""
    if not text.startswith(_EDITION) or len(text) > LONGEST or not text.isascii():
        return None
    try:
        body = text[1:]
        form, places, newest = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        found = {_text(build_id): Place(*map(_count, numbers)) for build_id, *numbers in places}
        known = Newest(_count(newest[0]), _text(newest[1])) if newest is not None else None
        return Cursor(_text(form), found, known)
    except (ValueError, TypeError, LookupError, RecursionError):
        return None


def microseconds(at: datetime) -> int:
    """Return a time as cursors hold it, in microseconds."""
    return round(at.timestamp() * 1_000_000)


def _cut(place: Place) -> tuple[int, ...]:
    return place if place.part else place[:3]


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 200:
        raise ValueError
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError
    return value
