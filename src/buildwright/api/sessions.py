"""Sessions and tokens that count no more, and the streams that they opened. Must never keep a token.

A session is known by the id of its token. That it is over stands in the store, so that each server of a cluster refuses it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from buildwright.api.broadcast import Why
from buildwright.errors import StoreFailed
from buildwright.store.records import SpentTokens

if TYPE_CHECKING:
    from buildwright.api.subscription import Selection
    from buildwright.store.admission import Admission

_LOOK_SECONDS = 2.0
"""Within this time a stream ends whose user has signed out, or sees the project no more, by way of another process."""


class _Stream(NamedTuple):
    """An open stream: the token that it ends with, and the user and project if it is of another user's builds."""

    token: str
    user_id: str
    project_id: str
    stop: Callable[[Why], None]


class Sessions:
    """The open streams of one server. `watch` runs as long as the server."""

    def __init__(self, tokens: SpentTokens, admission: Admission) -> None:
        self._tokens = tokens
        self._admission = admission
        self._streams: set[_Stream] = set()

    async def end(self, session: str, until: datetime, now: datetime) -> None:
        """Refuse a session, which is valid `until` then at the latest, from `now` on, and end its streams here."""
        await self._tokens.use(session, until, now)
        self.stop({session})

    @contextmanager
    def stream(self, selection: Selection, stop: Callable[[Why], None]) -> Iterator[None]:
        """Have `stop` called when the token of the selection counts no more, or its user sees the builds no more."""
        shared = selection.caller != selection.user_id
        stream = _Stream(selection.session, selection.caller if shared else "", selection.project_id, stop)
        self._streams.add(stream)
        try:
            yield
        finally:
            self._streams.discard(stream)

    async def watch(self) -> None:
        """End streams that another process has put an end to, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self.look()
            except StoreFailed:  # the next look may do better
                continue

    async def look(self) -> None:
        """End the streams whose tokens count no more, and those of projects that their users do not see any more.

        Raises StoreFailed.
        """
        open_ones = {stream.token for stream in self._streams}
        if open_ones:
            self.stop(await self._tokens.used(open_ones))
        for user_id, project_id in {(one.user_id, one.project_id) for one in self._streams if one.user_id}:
            if not await self._admission.sees(user_id, project_id):
                for stream in tuple(self._streams):
                    if (stream.user_id, stream.project_id) == (user_id, project_id):
                        stream.stop("vanished")

    def stop(self, tokens: Iterable[str]) -> None:
        """End the streams here that were opened with these tokens or sessions."""
        gone = set(tokens)
        for stream in tuple(self._streams):
            if stream.token in gone:
                stream.stop("signed-out")
