"""What every route can reach: the App, the records, the streams and the caller. Must never hold logic of a request."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from weakref import WeakValueDictionary

from fastapi import Depends
from starlette.requests import HTTPConnection

from buildwright.api.assistants import Assistants
from buildwright.api.audit_news import AuditNews
from buildwright.api.broadcast import Broadcasts
from buildwright.api.idempotency import IdempotentRequest
from buildwright.api.machine_looks import MachineLooks
from buildwright.api.people import Caller, People
from buildwright.api.rates import Rates
from buildwright.api.sessions import Sessions
from buildwright.core.build import Build
from buildwright.engine.build_cache import BuildCache
from buildwright.errors import Unauthorized
from buildwright.ports import Builds

if TYPE_CHECKING:
    from buildwright.auth import Signer
    from buildwright.store.records import Records
    from buildwright.wiring import App
    from buildwright.wiring.event_consumer import EventConsumer
    from buildwright.wiring.github_sign_in import GitHubSignIn
    from buildwright.wiring.local_runner import LocalRunner
    from buildwright.wiring.push_audits import PushAuditor
    from buildwright.wiring.repositories import Connecting

__all__ = [
    "Caller",
    "CallerOf",
    "CorrelationOf",
    "ServerState",
    "SiteOf",
    "StateCache",
    "caller_of",
    "correlation_of",
    "state_of",
]

BODY_SECONDS = 20.0
MOST_BUILDS = 64
MOST_BYTES = 32_000_000
LARGEST = 8_000_000
"""Bytes. A larger text is made anew each time."""


@dataclass(slots=True)
class ServerState:
    """The state of one server. Opened by `api.app`, closed at its end."""

    app: App
    records: Records
    signer: Signer
    hosting: LocalRunner
    intake: EventConsumer
    connecting: Connecting
    github_sign_in: GitHubSignIn
    pushes: PushAuditor
    rates: Rates
    asked: IdempotentRequest
    log: Callable[..., None]
    hosts: frozenset[str]
    """Host names that the server answers to."""
    address: str
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
    audit_news: AuditNews = field(default_factory=AuditNews)
    """What streams are told of audits of pushes."""
    sessions: Sessions = field(init=False)
    """The sessions and tokens that count no more."""
    people: People = field(init=False)
    """The users behind tokens."""
    assistants: Assistants = field(init=False)
    """The tools for assistants."""
    machine: MachineLooks = field(init=False)
    """What the server sees of its machine."""

    def __post_init__(self) -> None:
        self.sessions = Sessions(self.records.tokens, self.records.admission)
        self.people = People(self.records, self.app.settings.user)
        self.assistants = Assistants(self.app.settings, self.address, self.closing)
        self.machine = MachineLooks(self.app.settings, self.app.clock)
        self.seen = StateCache(self.app.builds)
        self.tails = Broadcasts(self.app.builds, self.records.runs, self.log, self._handed_over)
        self.hosting.on_news(self.tails.hear)
        self.pushes.on_change(self.audit_news.hear)

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
        raise Unauthorized("no credentials were sent", fix="sign in, or send `Authorization: Bearer TOKEN`")
    return caller


def correlation_of(connection: HTTPConnection) -> str:
    """Return the id that finds the request, and the build that it starts, in the logs."""
    return str(connection.scope.get("state", {}).get("correlation_id", ""))


SiteOf = Annotated["ServerState", Depends(state_of)]
CallerOf = Annotated[Caller, Depends(caller_of)]
CorrelationOf = Annotated[str, Depends(correlation_of)]


class StateCache:
    """Newest states of builds, and texts made from them, for cheap reads: the cache of one server. Not safe for threads.

    Must never hold what the journal lacks. The state of a build at one version, and a full page of events, never
    change; so nothing here is ever out of date.
    """

    def __init__(self, builds: Builds) -> None:
        self._known = BuildCache(builds, MOST_BUILDS)
        self._texts: OrderedDict[Hashable, bytes] = OrderedDict()
        self._bytes = 0

    async def newest(self, build_id: str) -> Build:
        """Return the build as of its last event. Raises NotFound, StoreFailed."""
        return await self._known.newest(build_id)

    def knows(self, build_id: str) -> bool:
        """Return whether the build is in the cache, so that reading it again costs only what is new."""
        return self._known.glance(build_id) is not None

    async def text(self, key: Hashable, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return the text under a key, made when it is not there."""
        found = self.kept(key)
        return found if found is not None else self.keep(key, await make())

    def kept(self, key: Hashable) -> bytes | None:
        """Return the text under a key, None when it is not there (any more)."""
        found = self._texts.get(key)
        if found is not None:
            self._texts.move_to_end(key)
        return found

    def keep(self, key: Hashable, text: bytes) -> bytes:
        """Keep a text while there is room for it, and return it."""
        if len(text) <= LARGEST:
            self._bytes += len(text) - len(self._texts.pop(key, b""))
            self._texts[key] = text
            while self._bytes > MOST_BYTES:
                _, dropped = self._texts.popitem(last=False)
                self._bytes -= len(dropped)
        return text
