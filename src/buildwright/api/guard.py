"""The guard around every route: host, size, time, caller, correlation id. Must never let a request through by default.

It decides nothing else, and a refused request never reaches a route. Pure ASGI, because a stream must not be buffered.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from buildwright.api.assistants import PATH as ASSISTANTS
from buildwright.api.bodies import Body, BodyRefusedError, largest, too_large
from buildwright.api.browser import FRONT, page_at, wants_page
from buildwright.api.fixes import answer_over_http, prefers_commands
from buildwright.api.problems import MEDIA_TYPE, Problem, internal, plain, problem_of, response, without_inside
from buildwright.api.state import Caller, ServerState
from buildwright.api.whole_answers import sent
from buildwright.errors import BuildwrightError, DiskFull, Forbidden, StoreFailed, Unauthorized
from buildwright.wiring.repositories import WEBHOOKS

COOKIE = "buildwright_session"
GITHUB_SIGN_IN = ("/auth/github", "/auth/github/callback")
PUBLIC = frozenset({"/health", "/health/version", "/sign-in", "/openapi.json", "/docs", WEBHOOKS, *GITHUB_SIGN_IN})
"""Paths that need no caller; every other path needs one, whether it exists or not."""
PUBLIC_BELOW = ("/static/", "/assets/")
OWN_TICKET = frozenset({"/ws", "/ws/devteam"})
"""Paths of WebSockets: accepted so that the client learns why they are closed; `sockets` identifies the caller."""
LARGEST_HEADERS = 32_768
HANDLER_SECONDS = 90.0
CORRELATION = "x-correlation-id"

_STREAMS = re.compile(r"/api/(builds|projects)/[^/]+/stream|/projects/[^/]+/questionnaire|/mcp")
"""Paths of streams, which may go on as long as the client wants, and of replies that a model may take its time for."""
_CORRELATION_FORM = re.compile(r"[\w.:/-]{1,128}", re.ASCII)
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = {
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


class Guard:
    """The outermost application."""

    def __init__(self, app: ASGIApp, site: ServerState) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(CORRELATION, "")
        correlation_id = given if _CORRELATION_FORM.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["correlation_id"] = correlation_id
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send, headers)
        else:
            await _Request(self._app, self._site, correlation_id).run(scope, receive, send, headers)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        if scope["path"] in OWN_TICKET and host_of(headers) in self._site.hosts:
            await self._app(scope, receive, send)
            return
        # Accepted and then closed: to a client a refusal before the upgrade looks like a broken network, and it retries
        # for ever.
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 4404, "reason": "there is no such stream"})


class _Request:
    """One request on its way in, and its answer on the way out."""

    def __init__(self, app: ASGIApp, site: ServerState, correlation_id: str) -> None:
        self._app = app
        self._site = site
        self._correlation_id = correlation_id
        self._status = 0
        self._refused: Problem | None = None
        self._commands = False
        """Whether the client prefers commands to paths and fields in what answers say."""
        self._held: Message | None = None
        """The start of an answer in JSON, until all of it is there."""
        self._body: list[bytes] = []

    async def run(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        began = time.perf_counter()
        self._send, self._method, self._asked = send, scope["method"], headers
        self._commands = prefers_commands(headers) or scope["path"] == ASSISTANTS  # they know commands: each is a tool
        try:
            problem = await self._refusal(scope, headers)
            if problem is not None and problem.status == 401 and _opens_page(scope, headers):
                await RedirectResponse(_sign_in_for(scope), 303)(scope, receive, self._answer)
                return
            if problem is not None:
                extra = {"WWW-Authenticate": "Bearer"} if problem.status == 401 else {}
                if problem.status == 413:
                    extra["Connection"] = "close"
                await response(problem, extra)(scope, receive, self._answer)
                return
            limit = asyncio.timeout(None if _streams(scope["path"]) else HANDLER_SECONDS)
            async with limit:
                await self._app(
                    scope, Body(receive, self._refuse, self._site.body_seconds, largest(scope)).receive, self._answer
                )
        except BodyRefusedError:
            pass  # answered below, like one that the application has caught
        except Exception as error:
            if isinstance(error, TimeoutError) and limit.expired():
                text = f"the server did not have the answer within {HANDLER_SECONDS:.0f} seconds"
                await self._fail(scope, receive, plain(503, "Too slow", text, "try again", self._correlation_id))
            elif self._refused is None:
                self._site.log("request-failed", level="error", correlationId=self._correlation_id, error=repr(error))
                await self._fail(scope, receive, internal(self._correlation_id))
        finally:
            try:
                if self._refused is not None:
                    problem, self._refused = self._refused, None
                    await self._fail(scope, receive, problem, {"Connection": "close"})
            finally:
                self._told(scope, time.perf_counter() - began)

    def _refuse(self, problem: Problem) -> None:
        """Note that the body cannot be used: what the application answers to it is not sent."""
        self._refused = problem.model_copy(update={"correlationId": self._correlation_id})

    async def _refusal(self, scope: Scope, headers: Headers) -> Problem | None:
        if host_of(headers) not in self._site.hosts:
            text = "this server is not known by that host name"
            return plain(
                421,
                "Wrong host",
                text,
                "use the address that it printed, or set BUILDWRIGHT_HOSTS",
                self._correlation_id,
            )
        size = sum(len(name) + len(value) for name, value in headers.raw)
        if size + len(scope.get("raw_path") or b"") + len(scope["query_string"]) > LARGEST_HEADERS:
            text = f"address and headers have at most {LARGEST_HEADERS} bytes"
            return plain(431, "Headers too large", text, "send less", self._correlation_id)
        length = headers.get("content-length", "0")
        most = largest(scope)
        if not (length.isascii() and length.isdigit()) or int(length) > most:
            return too_large(most, self._correlation_id)
        path = scope["path"]
        if path in PUBLIC or path.startswith(PUBLIC_BELOW):
            return None
        try:
            scope["state"]["caller"] = await identify(self._site, headers, scope["method"])
        except BuildwrightError as error:
            problem = problem_of(error, self._correlation_id)
            return without_inside(problem, self._site.log) if isinstance(error, StoreFailed | DiskFull) else problem
        return None

    async def _answer(self, message: Message) -> None:
        if self._refused is not None and not self._status:
            return
        if message["type"] == "http.response.start":
            self._status = message["status"]
            kind = Headers(raw=message["headers"]).get("content-type", "")
            if kind.startswith(("application/json", MEDIA_TYPE)):
                self._held = message
                return
        if self._held is not None:
            await self._answer_whole(self._held, message)
            return
        await self._send_on(message)

    async def _answer_whole(self, start: Message, message: Message) -> None:
        """Send an answer in JSON once it is whole. To most clients what it says names paths and fields."""
        self._body.append(message.get("body", b""))
        if message.get("more_body", False):
            return
        self._held = None
        body = b"".join(self._body)
        start, body = await sent(self._method, self._asked, start, body if self._commands else answer_over_http(body))
        await self._send_on(start)
        await self._send_on({"type": "http.response.body", "body": body})

    async def _send_on(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers[CORRELATION] = self._correlation_id
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)

    async def _fail(
        self, scope: Scope, receive: Receive, problem: Problem, headers: Mapping[str, str] | None = None
    ) -> None:
        if not self._status:  # nothing was sent yet; otherwise the connection breaks off, which tells the client
            await response(problem, headers)(scope, receive, self._answer)

    def _told(self, scope: Scope, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "")
        self._site.app.meters.request(scope["method"], route, self._status, seconds)
        self._site.log(
            "request",
            method=scope["method"],
            route=route or "(none)",
            status=self._status,
            seconds=round(seconds, 4),
            correlationId=self._correlation_id,
        )


def _opens_page(scope: Scope, headers: Headers) -> bool:
    """Return whether a person opens an address of the pages in a browser, whether or not there is a page."""
    return wants_page(scope["method"], headers) and not scope["path"].startswith("/api/")


def _sign_in_for(scope: Scope) -> str:
    """Return the address of the page for signing in that leads on to the page of a request, if one is there."""
    query = scope["query_string"].decode("latin-1")
    there = page_at(f"{scope['path']}?{query}" if query else scope["path"])
    return "/sign-in" if there == FRONT else f"/sign-in?next={quote(there, safe='/')}"


async def identify(site: ServerState, headers: Headers, method: str) -> Caller:
    """Return the caller: from a bearer token, or from a session cookie on a request from our own pages.

    Raises Unauthorized (also of a token that was taken back, or a disabled user), Forbidden (another site's page sent the
    cookie), StoreFailed.
    """
    now = site.app.clock.now()
    given = headers.getlist("authorization")
    if given:
        scheme, _, token = given[0].partition(" ")
        if len(given) > 1:
            raise Unauthorized("two credentials were sent", fix="send one `Authorization: Bearer TOKEN`")
        if scheme.lower() != "bearer":
            raise Unauthorized("only bearer tokens are known here", fix="send `Authorization: Bearer TOKEN`")
        return await site.people.admit(site.signer.read(token.strip(), "bearer", now), now)
    session = _cookies(headers).get(COOKIE, "")
    if not session:
        raise Unauthorized("no credentials were sent", fix="sign in, or send `Authorization: Bearer TOKEN`")
    claims = site.signer.read(session, "session", now)
    if method not in _SAFE and not same_site(site, headers):
        raise Forbidden("another site's page sent this request", fix="use the pages of this server")
    return await site.people.admit(claims, now)


def same_site(site: ServerState, headers: Headers) -> bool:
    """Return whether a request with a cookie comes from a page of this server.

    Without an Origin it comes from no page.
    """
    origins = headers.getlist("origin")
    if not origins:
        return headers.get("sec-fetch-site", "same-origin") in {"same-origin", "none"}
    return is_own_origin(site, headers)


def is_own_origin(site: ServerState, headers: Headers) -> bool:
    """Return whether the one Origin is this server as the client calls it: host and port, nothing else."""
    origins = headers.getlist("origin")
    if len(origins) != 1:
        return False
    try:
        parts = urlsplit(origins[0])
        own = urlsplit(f"//{headers.get('host', '')}")
        same_port = (parts.port or _default_port(parts.scheme)) == (own.port or _default_port(parts.scheme))
    except ValueError:
        return False
    plain = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    host = (parts.hostname or "").lower()
    return parts.scheme in {"http", "https"} and plain and same_port and host == own.hostname and host in site.hosts


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def host_of(headers: Headers) -> str:
    """Return the host name of the request, in lower case and without its port; "" for none or a malformed one."""
    named = headers.getlist("host")
    if len(named) != 1 or re.search(r"[^A-Za-z0-9.:\[\]-]", named[0]):
        return ""
    try:
        return (urlsplit(f"//{named[0]}").hostname or "").lower()
    except ValueError:
        return ""


def _cookies(headers: Headers) -> Mapping[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")).items()}
    except CookieError:
        return {}


def _streams(path: str) -> bool:
    return _STREAMS.fullmatch(path) is not None
