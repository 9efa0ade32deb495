"""How uvicorn is set: limits, time-outs, WebSocket pings. Holds no route."""

from __future__ import annotations

import gc
import socket
from asyncio import TimerHandle, Transport
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.types import ASGIApp
from uvicorn import Config, Server
from uvicorn.protocols.http.auto import AutoHTTPProtocol

GRACE_SECONDS = 10
PING_SECONDS = 20.0
"""Proxies cut connections that are quiet for half a minute."""
HEAD_SECONDS = 20.0
"""For the head of a request, from the connection or its first byte on."""
LARGEST_FRAME = 65_536
"""Bytes of a frame that a client sends."""


SEND_BUFFER = 262_144
"""Bytes that the system keeps for a client that does not read. Left to itself it keeps megabytes for each."""


class Connection(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """A connection that can be dropped at once (`scope["state"]["abort"]`): asyncio closes one only when all is sent."""

    head_seconds = HEAD_SECONDS
    _late: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:
        """Called by asyncio."""
        found = transport.get_extra_info("socket")
        if found is not None:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self.app_state: dict[str, Any] = {**self.app_state, "abort": transport.abort}
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        if self._late is not None:
            self._late.cancel()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """A client that sends the head of a request byte by byte would keep its connection for ever: uvicorn waits for it."""
        if self._waits():
            if self._late is None:
                self._late = self.loop.call_later(self.head_seconds, self._give_up)
        elif self._late is not None:
            self._late.cancel()
            self._late = None

    def _waits(self) -> bool:
        """Whether there is no request that is being answered, nor a WebSocket."""
        answering = self.cycle is not None and not self.cycle.response_complete
        return not answering and self.transport.get_protocol() is self

    def _give_up(self) -> None:
        self._late = None
        if self._waits():
            self.transport.close()


class Quiet(Server):
    """A server that leaves signals to whoever started it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: the command that serves has its own."""
        yield


def calm_collector() -> None:
    """Let Python look for garbage less often, and never at what is there from the start.

    A full look stops a server of a thousand connections for a third of a second. With these numbers it comes once for about
    as many new objects as some thousand connections have.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def configured(api: ASGIApp, head_seconds: float = HEAD_SECONDS) -> Config:
    """uvicorn's settings for this application."""
    connection = type("Connection", (Connection,), {"head_seconds": head_seconds})
    return Config(
        api,
        http=connection,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        ws_max_size=LARGEST_FRAME,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PING_SECONDS,
        ws_per_message_deflate=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE_SECONDS,
        h11_max_incomplete_event_size=131_072,  # more than the guard lets in, so that it is the one who says no
    )
