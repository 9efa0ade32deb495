"""Sending a subscription's frames to one client, over WebSocket and SSE alike. Must never know the wire format."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from buildwright.api.subscription import Sent, Subscription
from buildwright.errors import NotFound, StoreFailed
from buildwright.views.frames import Fields, StreamFrame

Why: TypeAlias = Literal["ended", "slow", "closing", "vanished", "failed", "gone"]
"""Why the frames end.

The build has ended, the client is too slow, the server ends, the build was removed, the store does not answer, the
client has gone.
"""
PARTING_SECONDS = 1.0
"""Most seconds for the last frame."""
ABORT_SECONDS = 5.0


async def deliver(reader: Subscription, put: Callable[[Sent], Awaitable[None]]) -> Why:
    """Put every frame of a subscription until it ends; return why it ended."""
    try:
        async with aclosing(reader.frames()) as frames:
            async for sent in frames:
                await put(sent)
    except NotFound:
        return "vanished"
    except StoreFailed:
        return "failed"
    return "ended"


def why_of(stopped: asyncio.Future[str]) -> Why:
    """Return why a subscription was stopped."""
    match stopped.result():
        case "slow":
            return "slow"
        case "vanished":
            return "vanished"
        case _:
            return "closing"


def words(reader: Subscription, kind: str, payload: Fields) -> bytes:
    """Return a frame of the stream itself: hello, reset, end, error."""
    return StreamFrame(kind, datetime.now(UTC), reader.selection.project_id, payload).encoded()


def abort(scope_state: object) -> None:
    """Drop the connection at once, whatever waits to be sent: a client that does not read will not read a close."""
    found = scope_state.get("abort") if isinstance(scope_state, dict) else None
    if callable(found):
        found()
