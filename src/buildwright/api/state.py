"""What every route can reach: the App, the records, the streams and who asks. Holds no logic of a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, NamedTuple
from weakref import WeakValueDictionary

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from buildwright.api.broadcast import Broadcasts
from buildwright.api.cache import StateCache
from buildwright.api.idempotency import IdempotentRequest
from buildwright.api.rates import Rates
from buildwright.errors import Forbidden, Unauthorized
from buildwright.ports import BuildRow

if TYPE_CHECKING:
    from buildwright.auth import Signer
    from buildwright.store.records import Records
    from buildwright.wiring import App
    from buildwright.wiring.event_consumer import EventConsumer
    from buildwright.wiring.local_runner import LocalRunner


BODY_SECONDS = 20.0


class Caller(NamedTuple):
    """Who makes a request."""

    user_id: str
    kind: str
    """`session` (a cookie) or `bearer`."""


@dataclass(slots=True)
class ServerState:
    """One server. Opened by `api.app`, closed at its end."""

    app: App
    records: Records
    signer: Signer
    hosting: LocalRunner
    intake: EventConsumer
    rates: Rates
    asked: IdempotentRequest
    log: Callable[..., None]
    hosts: frozenset[str]
    """Host names it answers to."""
    address: str = ""
    """Its own URL."""
    body_seconds: float = BODY_SECONDS
    """How long a client may take to send a body."""
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it is about to end: streams say so and end."""
    turns: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    """Of users who start something at this moment: one after the other, so that limits on builds hold."""
    seen: StateCache = field(init=False)
    """The newest states of builds, so that looking at one again is cheap."""
    tails: Broadcasts = field(init=False)
    """What streams read from."""

    def __post_init__(self) -> None:
        self.seen = StateCache(self.app.builds)
        self.tails = Broadcasts(self.app.builds, self.records.runs, self.log, self._handed_over)
        self.hosting.on_news(self.tails.hear)

    def _handed_over(self, event_at: datetime) -> None:
        self.app.meters.handed_over(event_at, self.app.clock.now())


def state_of(connection: HTTPConnection) -> ServerState:
    """The server that answers. For requests and WebSockets alike."""
    site: ServerState = connection.app.state.site
    return site


def caller_of(connection: HTTPConnection) -> Caller:
    """Who asks, as the guard has found out. Raises Unauthorized: a route outside the guard stays closed."""
    caller = connection.scope.get("state", {}).get("caller")
    if not isinstance(caller, Caller):
        raise Unauthorized("this request names nobody", fix="sign in, or send `Authorization: Bearer TOKEN`")
    return caller


def correlation_of(connection: HTTPConnection) -> str:
    """The id that finds the request in the logs, and the build that it starts."""
    return str(connection.scope.get("state", {}).get("correlation_id", ""))


SiteOf = Annotated["ServerState", Depends(state_of)]
CallerOf = Annotated[Caller, Depends(caller_of)]
CorrelationOf = Annotated[str, Depends(correlation_of)]


async def owned_row(site: ServerState, build_id: str, caller: Caller) -> BuildRow:
    """The head row of the caller's build. Raises NotFound, Forbidden when it is another user's."""
    row = await site.records.runs.get(build_id)
    if row.user_id != caller.user_id:
        raise Forbidden("this build belongs to another user", fix="ask for a build of your own")
    return row


async def _owned(build_id: str, request: Request) -> BuildRow:
    return await owned_row(state_of(request), build_id, caller_of(request))


OwnedBuild = Annotated[BuildRow, Depends(_owned)]
"""The build that the path names by `build_id`, if it is the caller's."""
