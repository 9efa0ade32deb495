"""Sending a subscription's frames to one client, over WebSocket and SSE alike. Must never know the wire format."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime

from buildwright.api.broadcast import Why
from buildwright.api.fixes import answer_over_http
from buildwright.api.subscription import Sent, Subscription
from buildwright.errors import NotFound, StoreFailed
from buildwright.views.frames import Fields, StreamFrame

PARTING_SECONDS = 1.0
"""Most seconds for the last frame."""
ABORT_SECONDS = 5.0


async def deliver(reader: Subscription, put: Callable[[Sent], Awaitable[None]], *, commands: bool) -> Why:
    """Put every frame of a subscription until it ends; return why it ended.

    With `commands` what frames say names commands, else paths and fields. Lines of a log stay as they are.
    """
    try:
        async with aclosing(reader.frames()) as frames:
            async for sent in frames:
                said = commands or sent.of_log
                await put(sent if said else sent._replace(text=answer_over_http(sent.text.encode()).decode()))
    except NotFound:
        return "vanished"
    except StoreFailed:
        return "failed"
    return "ended"


def words(reader: Subscription, kind: str, payload: Fields) -> bytes:
    """Return a frame of the stream itself: hello, reset, end, error."""
    return StreamFrame(kind, datetime.now(UTC), reader.selection.project_id, payload).encoded()


def abort(scope_state: object) -> None:
    """Drop the connection at once, whatever waits to be sent: a client that does not read will not read a close."""
    found = scope_state.get("abort") if isinstance(scope_state, dict) else None
    if callable(found):
        found()
