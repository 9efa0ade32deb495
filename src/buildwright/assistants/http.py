"""The tools over streamable HTTP, for a server: each call is made to that server itself, with the caller's own token.

So a tool can do what the caller may over HTTP, and nothing else. Must never use the store.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from buildwright.assistants.context import ToolContext
from buildwright.assistants.server import server_of
from buildwright.assistants.tools import TOOLS
from buildwright.client import open_client
from buildwright.core.limits import Options
from buildwright.errors import Unauthorized
from buildwright.settings import Settings


def manager_of(settings: Settings, address: str, largest_body: int) -> StreamableHTTPSessionManager:
    """Return the manager of the requests to a server at `address`. It keeps nothing between two requests."""

    @asynccontextmanager
    async def opened(ctx: Any) -> AsyncIterator[ToolContext]:
        headers = ctx.request.headers
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized("no credentials were sent", fix="send `Authorization: Bearer TOKEN`")
        own = {"BUILDWRIGHT_URL": address, "BUILDWRIGHT_TOKEN": token.strip()}
        theirs = replace(settings, environment={**settings.environment, **own})
        async with open_client(theirs) as client:
            yield ToolContext(client, _target, _begun)

    return StreamableHTTPSessionManager(server_of(TOOLS, opened), stateless=True, max_request_body_size=largest_body)


def _target(repository: str) -> tuple[str, Options]:
    """Return the repository and the options as they are: the server has no file of options for its users."""
    return repository, Options()


async def _begun(build_id: str) -> None:
    """Do nothing: a server begins its builds itself."""
