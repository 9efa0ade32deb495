"""Answers in JSON as they go over the wire: tagged for a later request, and compressed. Must never change what they say."""

from __future__ import annotations

import asyncio
import gzip
import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message

SMALLEST = 1_000
"""Fewest bytes that are compressed: a smaller answer is one packet either way."""
LARGE = 64_000
"""From this many bytes on another thread compresses, so that the server's loop goes on."""
_LEVEL = 4
"""Of gzip: nearly as small as the highest, at a third of its time."""


def takes(headers: Headers, encoding: str) -> bool:
    """Return whether a client takes this content coding (RFC 9110, section 12.5.3)."""
    for part in headers.get("accept-encoding", "").lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() == encoding:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


async def sent(method: str, asked: Headers, start: Message, body: bytes) -> tuple[Message, bytes]:
    """Return the start and body of a whole answer as they are sent: to GET with a tag, compressed, or 304 without a body.

    Only answers with the status 200 to GET change: others may hold a token that is shown once.
    """
    headers = MutableHeaders(scope=start)
    if method == "GET" and start["status"] == 200:
        tag = headers.setdefault("etag", f'W/"{hashlib.sha256(body).hexdigest()[:32]}"')
        headers.add_vary_header("accept-encoding")
        if _knows(asked.get("if-none-match", ""), tag):
            del headers["content-length"], headers["content-type"]
            return {**start, "status": 304}, b""
        # A route's own strong tag is that of exactly these bytes.
        if len(body) >= SMALLEST and tag.startswith("W/") and takes(asked, "gzip"):
            body = await asyncio.to_thread(_packed, body) if len(body) >= LARGE else _packed(body)
            headers["content-encoding"] = "gzip"
    headers["content-length"] = str(len(body))
    return start, body


def _knows(given: str, tag: str) -> bool:
    """Return whether If-None-Match names the tag, by the weak comparison of RFC 9110, section 8.8.3.2."""
    opaque = tag.removeprefix("W/")
    return given.strip() == "*" or opaque in (one.strip().removeprefix("W/") for one in given.split(","))


def _packed(body: bytes) -> bytes:
    return gzip.compress(body, _LEVEL, mtime=0)
