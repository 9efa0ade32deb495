"""The tools for assistants of one server, opened with the first request for them. Must never serve a caller unknown."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from starlette.types import Receive, Scope, Send

from buildwright.api.bodies import LARGEST_SPEC

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    from buildwright.settings import Settings

PATH = "/mcp"


class Assistants:
    """Answers requests of the Model Context Protocol. The library is imported when the first one comes."""

    def __init__(self, settings: Settings, address: str, closing: asyncio.Event) -> None:
        self._settings = settings
        self._address = address
        self._closing = closing
        self._manager: asyncio.Future[StreamableHTTPSessionManager] | None = None
        self._serving: asyncio.Task[None] | None = None

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Ends early when the server is about to end."""
        if self._manager is None:
            self._manager = asyncio.get_running_loop().create_future()
            self._serving = asyncio.create_task(self._serve(self._manager), name="assistants")
        manager = await asyncio.shield(self._manager)
        answering = asyncio.create_task(manager.handle_request(scope, receive, send))
        closing = asyncio.create_task(self._closing.wait())
        try:
            await asyncio.wait({answering, closing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended = answering.done()
            answering.cancel()
            closing.cancel()
            await asyncio.gather(answering, closing, return_exceptions=True)
        if ended:
            answering.result()

    async def close(self) -> None:
        """Wait until all is closed; the server is about to end."""
        if self._serving is not None:
            with suppress(asyncio.CancelledError):
                await self._serving

    async def _serve(self, opened: asyncio.Future[StreamableHTTPSessionManager]) -> None:
        # In a thread: the library takes a second to import, and others are to be answered meanwhile.
        module = await asyncio.to_thread(import_module, "buildwright.assistants.http")
        manager = module.manager_of(self._settings, self._address, LARGEST_SPEC)
        async with manager.run():
            opened.set_result(manager)
            await self._closing.wait()
