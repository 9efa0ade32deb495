"""How uvicorn is set: limits, time-outs, WebSocket pings. Holds no route."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp
from uvicorn import Config, Server

GRACE_SECONDS = 10
PING_SECONDS = 20.0
"""Proxies cut connections that are quiet for half a minute."""
LARGEST_FRAME = 65_536
"""Bytes of a frame that a client sends."""


class Quiet(Server):
    """A server that leaves signals to whoever started it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: the command that serves has its own."""
        yield


def configured(api: ASGIApp) -> Config:
    """uvicorn's settings for this application."""
    return Config(
        api,
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
