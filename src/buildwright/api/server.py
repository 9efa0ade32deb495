"""The settings of uvicorn: limits, time-outs, WebSocket pings. Must never hold a route."""

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
"""Proxies cut connections that are silent for half a minute."""
HEAD_SECONDS = 20.0
"""Most seconds for the head of a request, from the connection or its first byte on."""
LARGEST_FRAME = 65_536
"""Most bytes of a frame that a client sends."""


SEND_BUFFER = 262_144
"""Bytes that the system buffers for a client that does not read. Its default is megabytes for each."""


class Connection(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """A connection that can be dropped at once (`scope["state"]["abort"]`): asyncio sends all before it closes one."""

    head_seconds = HEAD_SECONDS
    _late: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:
        """Set the buffer size, `abort`, and that nothing waits for what a client acknowledges. Called by asyncio."""
        found = transport.get_extra_info("socket")
        if found is not None:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app_state: dict[str, Any] = {**self.app_state, "abort": transport.abort}
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and watch the head of a request. Called by asyncio."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching. Called by asyncio."""
        if self._late is not None:
            self._late.cancel()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Limit the time for the head of a request: uvicorn waits for ever if a client sends it byte by byte."""
        if self._waits():
            if self._late is None:
                self._late = self.loop.call_later(self.head_seconds, self._give_up)
        elif self._late is not None:
            self._late.cancel()
            self._late = None

    def _waits(self) -> bool:
        """Return whether no request is being answered and there is no WebSocket."""
        answering = self.cycle is not None and not self.cycle.response_complete
        return not answering and self.transport.get_protocol() is self

    def _give_up(self) -> None:
        self._late = None
        if self._waits():
            self.transport.close()


class Quiet(Server):
    """A server that leaves signals to the command that started it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture no signals: the command that serves has handlers of its own."""
        yield


def calm_collector() -> None:
    """Let Python collect garbage less often, and never look at objects that exist from the start.

    A full collection stops a server of a thousand connections for a third of a second. With these numbers one comes
    about once for as many new objects as some thousand connections have.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def configured(api: ASGIApp, head_seconds: float = HEAD_SECONDS) -> Config:
    """Return uvicorn's settings for this application."""
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
        h11_max_incomplete_event_size=131_072,  # more than the guard lets in, so that the guard refuses it
    )
