"""A TCP proxy that can cut connections, also after a request went through and before its answer came back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class Proxy:
    """Between a client and one server. `swallow` says how many answers to a request that names `mark` are lost.

    `named` counts those requests.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self.mark = b""
        self.named = 0
        self.swallow = 0
        self.swallowed = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, downstream = await asyncio.open_connection(*self._server)
        lose = asyncio.Event()
        there = asyncio.create_task(self._forth(reader, downstream, lose))
        back = asyncio.create_task(self._back(upstream, writer, lose))
        await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        for task in (there, back):
            task.cancel()
        await asyncio.gather(there, back, return_exceptions=True)
        writer.transport.abort()
        downstream.close()

    async def _forth(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lose: asyncio.Event) -> None:
        while data := await reader.read(1 << 16):
            if self.mark in data:
                self.named += 1
                if self.swallow > 0:
                    self.swallow -= 1
                    lose.set()
            writer.write(data)

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lose: asyncio.Event) -> None:
        while data := await reader.read(1 << 16):
            if lose.is_set():
                # The server has done what it was asked to: it has answered.
                self.swallowed += 1
                return
            writer.write(data)


@asynccontextmanager
async def proxy_to(url: str) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy to the server of a URL, and the URL that goes through it."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    proxy = Proxy((parts.hostname, parts.port))
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield proxy, parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{port}").geturl()
    finally:
        server.close()
