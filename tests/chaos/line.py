"""A TCP line between one worker and a server, that can be pulled out, put back, and made slow."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit


class Line:
    """Listens on a port of its own. What is on its way while the line is cut arrives when it is mended, as on a network."""

    def __init__(self, host: str, port: int) -> None:
        self._server_at = (host, port)
        self._whole = asyncio.Event()
        self._whole.set()
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()
        self.delay = 0.0
        """Seconds that every piece of data takes longer."""

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    def through(self, url: str) -> str:
        """The URL of the server, by way of this line."""
        assert self._server is not None
        parts = urlsplit(url)
        port = self._server.sockets[0].getsockname()[1]
        return parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{port}").geturl()

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        self._whole.set()

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for talk in list(self._talks):
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None
        self._talks.add(talk)
        try:
            await self._whole.wait()
            upstream, downstream = await asyncio.open_connection(*self._server_at)
            try:
                pumps = [asyncio.create_task(self._pump(*ends)) for ends in ((reader, downstream), (upstream, writer))]
                try:
                    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for pump in pumps:
                        pump.cancel()
                    await asyncio.gather(*pumps, return_exceptions=True)
            finally:
                downstream.transport.abort()
        except OSError:
            pass  # the server is away: the client sees its connection end
        finally:
            self._talks.discard(talk)
            writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            if self.delay:
                await asyncio.sleep(self.delay)
            await self._whole.wait()
            writer.write(data)
