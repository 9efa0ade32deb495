"""The gateway's HTTP responses: streams, broken connections, refusals. Must never decide what is answered."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from math import ceil

from aiohttp import web

from buildwright.gateway.exchange import AT_GATEWAY, BrokenOff, DeclinedByProvider, Protocol
from buildwright.gateway.protocols import PROTOCOLS

STREAM_HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
NOT_AGAIN = {"x-should-retry": "false"}
"""Clients ask again even after a 401 unless a header forbids it."""
WHOLE_HEADERS = {"Content-Type": "application/json; charset=utf-8"}


async def send(
    request: web.Request, pieces: AsyncGenerator[bytes, None], status: int, headers: Mapping[str, str]
) -> web.StreamResponse:
    """Send each piece as it comes; `pieces` is always closed in the end.

    Raises Declined(502) when they break off before the first piece, BrokenOff after it.
    """
    response = web.StreamResponse(status=status, headers=headers)
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                if not response.prepared:
                    await response.prepare(request)
                await response.write(piece)
    except BrokenOff as broken:
        if response.prepared or broken.scripted:
            raise
        raise DeclinedByProvider(502, "The provider broke off before it answered.", final=False) from broken
    if not response.prepared:
        await response.prepare(request)
    await response.write_eof()
    return response


def cut(request: web.Request) -> ConnectionResetError:
    """Close the connection in the middle of the answer, so that the client notices; raise what this returns."""
    if request.transport is not None:
        # Not abort(): what was sent before must arrive.
        request.transport.close()
    return ConnectionResetError("The answer breaks off here.")


def refusal(protocol: Protocol, no: DeclinedByProvider) -> web.Response:
    """Return the gateway's own refusal in the protocol's format."""
    body = PROTOCOLS[protocol].error_body(no.status, no.message)
    if not no.final:
        again = {} if no.wait is None else {"retry-after": f"{ceil(no.wait)}", AT_GATEWAY: "1"}
        return web.json_response(body, status=no.status, headers=again)
    return web.json_response(body, status=PROTOCOLS[protocol].final_status(no.status), headers=NOT_AGAIN)


def scripted_error(protocol: Protocol, status: int, retry_after: float | None) -> web.Response:
    """Return the response for a cassette's fault. `retry_after` in seconds."""
    headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
    body = PROTOCOLS[protocol].error_body(status, "Scripted by the cassette.")
    return web.json_response(body, status=status, headers=headers)


def models(protocol: Protocol, name: str) -> web.Response:
    """Return a list with this one model: Gemini's, or one that clients of all other protocols read."""
    if protocol == "gemini":
        methods = ["generateContent", "streamGenerateContent", "countTokens"]
        known = {"name": f"models/{name}", "displayName": name, "supportedGenerationMethods": methods}
        return web.json_response({"models": [known]})
    one = {"id": name, "type": "model", "object": "model", "display_name": name, "created": 0} | {
        "created_at": "1970-01-01T00:00:00Z",
        "owned_by": "buildwright",
    }
    return web.json_response({"object": "list", "data": [one], "has_more": False, "first_id": name, "last_id": name})


async def alive(_request: web.Request) -> web.Response:
    """Answer a client's HEAD request, sent without a token to test the connection."""
    return web.Response()


def nowhere(request: web.Request) -> web.Response:
    """Answer 404 to any other address."""
    protocol: Protocol = "openai" if "/chat" in request.path else "anthropic"
    return refusal(protocol, DeclinedByProvider(404, "The gateway has no such address."))
