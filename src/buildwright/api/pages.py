"""Cursors of pages that go on after a number or a text. They are opaque: only who gave one out reads it. Holds no route."""

from __future__ import annotations

import base64
import binascii

from buildwright.errors import Refused


def cursor_for(place: int | str) -> str:
    """The cursor of the page after this place."""
    return base64.urlsafe_b64encode(str(place).encode()).decode().rstrip("=")


def text_in(cursor: str) -> str:
    """The place in a cursor, "" for the first page. Raises Refused for what was never given out."""
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error) as error:
        raise _refused() from error


def number_in(cursor: str) -> int:
    """The same for a number, 0 for the first page."""
    text = text_in(cursor) or "0"
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise _refused()
    return int(text)


def _refused() -> Refused:
    return Refused("the cursor is none that was given out", fix="take `next_cursor` of the page before")
