"""The sessions of browsers that have signed out, and the streams that they opened. Must never keep a token.

A session is known by the id of its token. That it is over stands in the store, so that each server of a cluster refuses it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from buildwright.api.broadcast import Why
from buildwright.errors import StoreFailed, Unauthorized
from buildwright.store.records import SpentTokens

_LOOK_SECONDS = 10.0
"""Within this time a stream ends whose user has signed out at another server."""


class Sessions:
    """What one server knows of sessions. `watch` runs as long as the server."""

    def __init__(self, tokens: SpentTokens) -> None:
        self._tokens = tokens
        self._streams: dict[str, set[Callable[[Why], None]]] = {}

    async def check(self, session: str) -> None:
        """Raise Unauthorized for a session that has signed out; "" stands for a caller without one. Raises StoreFailed."""
        if session and await self._tokens.used([session]):
            raise Unauthorized("this session has signed out", fix="sign in again")

    async def end(self, session: str, until: datetime, now: datetime) -> None:
        """Refuse a session, which is valid `until` then at the latest, from `now` on, and end its streams here."""
        await self._tokens.use(session, until, now)
        self._stop(session)

    @contextmanager
    def stream(self, session: str, stop: Callable[[Why], None]) -> Iterator[None]:
        """Have `stop` called when the session signs out during this block."""
        streams = self._streams.setdefault(session, set())
        streams.add(stop)
        try:
            yield
        finally:
            streams.discard(stop)
            if not streams:
                self._streams.pop(session, None)

    async def watch(self) -> None:
        """End streams whose user has signed out at another server, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            open_ones = [session for session in self._streams if session]
            try:
                over = await self._tokens.used(open_ones) if open_ones else set()
            except StoreFailed:  # the next look may do better
                continue
            for session in over:
                self._stop(session)

    def _stop(self, session: str) -> None:
        for stop in tuple(self._streams.get(session, ())):
            stop("signed-out")
