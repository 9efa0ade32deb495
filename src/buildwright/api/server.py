"""How uvicorn is set: limits, time-outs, WebSocket pings. Holds no route."""

from __future__ import annotations

import gc
import socket
from asyncio import Transport
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.types import ASGIApp
from uvicorn import Config, Server
from uvicorn.protocols.http.auto import AutoHTTPProtocol

GRACE_SECONDS = 10
PING_SECONDS = 20.0
"""Proxies cut connections that are quiet for half a minute."""
LARGEST_FRAME = 65_536
"""Bytes of a frame that a client sends."""


SEND_BUFFER = 262_144
"""Bytes that the system keeps for a client that does not read. Left to itself it keeps megabytes for each."""


class Connection(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """A connection that can be dropped at once (`scope["state"]["abort"]`): asyncio closes one only when all is sent."""

    def connection_made(self, transport: Transport) -> None:
        """Called by asyncio."""
        found = transport.get_extra_info("socket")
        if found is not None:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self.app_state: dict[str, Any] = {**self.app_state, "abort": transport.abort}
        super().connection_made(transport)


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


def configured(api: ASGIApp) -> Config:
    """uvicorn's settings for this application."""
    return Config(
        api,
        http=Connection,
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
        h11_max_incomplete_event_size=32_768,
    )
