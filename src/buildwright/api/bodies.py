"""Bodies of requests: how large each may be, and large ones read beside the event loop. Must never know what is in one."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import Message, Receive, Scope

from buildwright.api.problems import Problem, plain

LARGEST_BODY = 1_000_000
LARGEST_SPEC = 10_000_000
"""Bytes of a body that may hold a spec or a list of tasks."""
_SPECS = re.compile(
    r"/api/(builds|plans|build/start|builds/[^/]+/(task|split|fork|plan)|devteam/automation/initialize)|/projects(/[^/]+/build(/plan)?)?|/events|/mcp|/webhooks/github"
)
"""Paths whose body may hold a spec, or a long list of commits."""
_AT_ONCE = 50_000
"""Bytes of a body that are decoded and checked at once, without a thread: it takes about a millisecond."""


def largest(scope: Scope) -> int:
    """Return how many bytes the body of a request may have."""
    return LARGEST_SPEC if scope["method"] in {"POST", "PUT"} and _SPECS.fullmatch(scope["path"]) else LARGEST_BODY


def too_large(most: int, correlation_id: str = "") -> Problem:
    """Return the problem of a body that is too large to read."""
    return plain(413, "Too large", f"a body here has at most {most} bytes", "send less", correlation_id)


class BodyRefusedError(Exception):
    """The end of reading a body that is refused. The application may catch it: `refuse` was called before."""


class Body:
    """A body within its limits of time and size, also when it names no length."""

    def __init__(self, receive: Receive, refuse: Callable[[Problem], None], seconds: float, most: int) -> None:
        self._receive = receive
        self._refuse = refuse
        self._seen = 0
        self._most = most
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._over = False

    async def receive(self) -> Message:
        """Return the next part. Raises BodyRefusedError."""
        if self._over:
            return await self._receive()  # only tells whether the client has gone
        try:
            async with asyncio.timeout(max(0.01, self._until - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            text = f"the body did not come within {self._seconds:g} seconds"
            self._refuse(plain(408, "Too slow", text, "try again"))
            raise BodyRefusedError from None
        self._seen += len(message.get("body", b""))
        if self._seen > self._most:
            self._refuse(too_large(self._most))
            raise BodyRefusedError
        self._over = message["type"] != "http.request" or not message.get("more_body", False)
        return message


class _BodyRequest(Request):
    """A request, whose body may be decoded and checked already."""

    read: Any = None
    """The model that was made of it, or why none could be."""

    async def json(self) -> Any:
        if isinstance(self.read, Exception):
            raise self.read
        return await super().json() if self.read is None else self.read


class BodyRoute(APIRoute):
    """A route that decodes and checks a large body in a thread, so that other requests are answered meanwhile.

    FastAPI does both on the event loop. What comes out is the model itself, which it then takes as it is.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle, field = super().get_route_handler(), self.body_field
        if field is None:
            return handle

        def read(body: bytes) -> tuple[Any, list[Any]]:
            try:
                return field.validate(json.loads(body), loc=("body",))
            except (ValueError, RecursionError) as error:  # it is not JSON, or not text, or too deep
                return error, []

        async def handled(request: Request) -> Response:
            request = _BodyRequest(request.scope, request.receive)
            body = await request.body()
            if len(body) > _AT_ONCE and "json" in request.headers.get("content-type", ""):
                request.read, wrong = await asyncio.to_thread(read, body)
                if wrong:
                    raise RequestValidationError(wrong)
            return await handle(request)

        return handled


Router = partial(APIRouter, route_class=BodyRoute)
"""Makes the router of a module of routes."""
