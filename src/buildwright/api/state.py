"""What every route can reach: the App, the records, the streams and the caller. Must never hold logic of a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, NamedTuple
from weakref import WeakValueDictionary

from fastapi import Depends
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
    """The user who makes a request."""

    user_id: str
    kind: str
    """`session` (a cookie) or `bearer`."""


@dataclass(slots=True)
class ServerState:
    """The state of one server. Opened by `api.app`, closed at its end."""

    app: App
    records: Records
    signer: Signer
    hosting: LocalRunner
    intake: EventConsumer
    rates: Rates
    asked: IdempotentRequest
    log: Callable[..., None]
    hosts: frozenset[str]
    """Host names that the server answers to."""
    address: str = ""
    """The server's own URL."""
    body_seconds: float = BODY_SECONDS
    """Seconds that a client may take to send a body."""
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server is about to end: streams say so and end."""
    turns: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    """A lock for each user with a build being started: one request after the other, so that quotas hold."""
    seen: StateCache = field(init=False)
    """The newest states of builds, so that another look at one is cheap."""
    tails: Broadcasts = field(init=False)
    """The broadcasts that streams read from."""

    def __post_init__(self) -> None:
        self.seen = StateCache(self.app.builds)
        self.tails = Broadcasts(self.app.builds, self.records.runs, self.log, self._handed_over)
        self.hosting.on_news(self.tails.hear)

    def _handed_over(self, event_at: datetime) -> None:
        self.app.meters.handed_over(event_at, self.app.clock.now())


def state_of(connection: HTTPConnection) -> ServerState:
    """Return the state of the server that answers a request or WebSocket."""
    site: ServerState = connection.app.state.site
    return site


def caller_of(connection: HTTPConnection) -> Caller:
    """Return the caller that the guard has identified. Raises Unauthorized: a route outside the guard stays closed."""
    caller = connection.scope.get("state", {}).get("caller")
    if not isinstance(caller, Caller):
        raise Unauthorized("this request names nobody", fix="sign in, or send `Authorization: Bearer TOKEN`")
    return caller


def correlation_of(connection: HTTPConnection) -> str:
    """Return the id that finds the request, and the build that it starts, in the logs."""
    return str(connection.scope.get("state", {}).get("correlation_id", ""))


SiteOf = Annotated["ServerState", Depends(state_of)]
CallerOf = Annotated[Caller, Depends(caller_of)]
CorrelationOf = Annotated[str, Depends(correlation_of)]


async def owned_row(site: ServerState, build_id: str, caller: Caller) -> BuildRow:
    """Return the head row of the caller's build. Raises NotFound, Forbidden when it is another user's."""
    row = await site.records.runs.get(build_id)
    if row.user_id != caller.user_id:
        raise Forbidden("this build belongs to another user", fix="ask for a build of your own")
    return row
