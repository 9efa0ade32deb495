"""The gateway's server on 127.0.0.1: answers the requests that come through doors. Must never log a key or a token.

Imported when the first door is opened: its HTTP library takes long to load.

A door answers, each with and without `/v1`, as some agents append it themselves:

- Anthropic's `/messages` and `/messages/count_tokens`
- OpenAI's `/chat/completions`, `/responses`, `/responses/input_tokens` and `/embeddings`
- `/models`, and `HEAD /`
- Gemini's `/v1beta/models` and `/v1beta/models/MODEL:METHOD`
"""

from __future__ import annotations

import asyncio
import hmac
import re
import secrets
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from functools import cache, partial
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from buildwright.core.model_names import DEFAULT_MODEL
from buildwright.gateway import http, replay, upstream
from buildwright.gateway.access import CallRecord, OnCall, Opened, WindowKey, end, telling
from buildwright.gateway.exchange import (
    CHARS_PER_TOKEN,
    HOLD_HEADER,
    AnswerReader,
    BrokenOff,
    DeclinedByProvider,
    ModelRequest,
    Protocol,
)
from buildwright.gateway.limits import LONGEST_HOLD, LimitedRequest, QuotaWindows, window_key
from buildwright.gateway.meter import Meter
from buildwright.gateway.protocols import PROTOCOLS, read_body, read_request
from buildwright.gateway.recorder import Recorder
from buildwright.gateway.response_cache import Played, Purchase

_Handle = Callable[[Opened, web.Request, Protocol], Awaitable[web.StreamResponse]]

_TOKEN_HEADERS = ("x-api-key", "x-goog-api-key", "api-key")
_BELOW_DOOR = re.compile(r"^/d/([^/]+)(/.*)", re.DOTALL)
_VERSION = re.compile(r"^/v1(?:beta)?(?=/)")

LARGEST_REQUEST = 32 * 1024 * 1024
MOST_UNDER_WAY = 4 * LARGEST_REQUEST
"""Bytes of the requests of one attempt that may be under way at once: compressed they cost their sender nothing."""
TEND_SECONDS = 0.5


class GatewayServer:
    """Answers from a provider, a cassette or the answers that are kept, within the budget of each door.

    `environment` holds the providers' keys and addresses, `doors` the open doors by id, `recorder` keeps live answers,
    `on_call` is called once for each request when it is over, and `refusals` counts a provider's statuses of 400 and above.

    Large because every step of one request shares the door, the budget and the call record.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        doors: Mapping[str, Opened],
        meter: Meter,
        limits: QuotaWindows,
        recorder: Recorder | None,
        on_call: OnCall | None,
        refusals: Counter[int],
    ) -> None:
        self._environment = environment
        self._doors = doors
        self._meter = meter
        self._limits = limits
        self._recorder = recorder
        self._on_call = on_call
        self._starting = asyncio.Lock()
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._tending: asyncio.Task[None] | None = None
        self._address = ""
        self._refusals = refusals
        self._proxy_for = cache(upstream.proxy_for)  # it goes over all of the environment

    async def start(self) -> str:
        """Start the server unless it runs; return its address."""
        async with self._starting:
            if self._runner is None:
                await self._start()
            return self._address

    async def close(self) -> None:
        """Close every door, end the requests under way, and stop the server."""
        async with self._starting:
            for opened in self._doors.values():
                opened.open = False
                await end(opened.under_way)
            await self._meter.priced()
            if self._tending is not None:
                await end([self._tending])
            runner, session, self._runner, self._session = self._runner, self._session, None, None
            if runner is not None:
                await runner.cleanup()
            if session is not None:
                await session.close()

    async def _start(self) -> None:
        self._meter.load_prices()
        app = web.Application(client_max_size=LARGEST_REQUEST)
        app.add_routes(self._routes())
        # When a client disconnects, cancelling its handler is what ends the provider's work for it.
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0, backlog=512).start()
        except OSError:
            await runner.cleanup()
            raise
        host, port = runner.addresses[0][:2]
        self._address = f"http://{host}:{port}"
        self._session = aiohttp.ClientSession(
            # Without trust_env, which would also look up every host in .netrc; see upstream for the proxies.
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._runner = runner
        self._tending = asyncio.create_task(self._tend(), name="ledger")

    async def _tend(self) -> None:
        """While doors are open: see which limits other processes have met, and keep what is held back for requests."""
        while True:
            await asyncio.sleep(TEND_SECONDS)
            if self._doors:
                await self._limits.refresh()
                await self._meter.renew()

    def _routes(self) -> list[web.RouteDef]:
        asked: tuple[tuple[str, Protocol, _Handle], ...] = (
            ("/messages", "anthropic", self._converse),
            ("/messages/count_tokens", "anthropic", self._count),
            ("/chat/completions", "openai", self._converse),
            ("/responses", "responses", self._converse),
            ("/responses/input_tokens", "responses", self._count),
            ("/embeddings", "openai", self._embed),
        )
        routes = [web.head("/d/{door}", http.alive), web.head("/d/{door}/", http.alive)]
        for version in ("/v1", ""):
            door = "/d/{door}" + version
            routes += [web.post(door + tail, self._through(protocol, handle)) for tail, protocol, handle in asked]
            routes.append(web.get(f"{door}/models", self._through("anthropic", self._list_models)))
        routes.append(web.get("/d/{door}/v1beta/models", self._through("gemini", self._list_models)))
        for version in ("/v1beta", "/v1"):
            address = "/d/{door}" + version + "/models/{model:[^:]+}:{method:[a-zA-Z]+}"
            routes.append(web.post(address, self._through("gemini", self._gemini)))
        return [*routes, web.route("*", "/{rest:.*}", self._nowhere)]

    def _through(self, protocol: Protocol, handle: _Handle) -> Callable[..., Awaitable[web.StreamResponse]]:
        return partial(self._answered, protocol=protocol, handle=handle)

    async def _answered(self, request: web.Request, protocol: Protocol, handle: _Handle) -> web.StreamResponse:
        """Admit the request through its door; answer a refusal in the protocol's format."""

        task = asyncio.current_task()
        opened = None
        try:
            opened = self._admit(request)
            if task is not None:
                opened.under_way.add(task)
            return await handle(opened, request, protocol)
        except DeclinedByProvider as no:
            return http.refusal(protocol, no)
        except BrokenOff:
            raise http.cut(request) from None
        except web.HTTPRequestEntityTooLarge:
            message = f"The request has more than {LARGEST_REQUEST} bytes."
            return http.refusal(protocol, DeclinedByProvider(413, message))
        finally:
            if opened is not None and task is not None:
                opened.under_way.discard(task)
                opened.held.pop(task, None)

    async def _nowhere(self, request: web.Request) -> web.Response:
        """Answer 404 to any other address, and remember it if it is below a door."""
        found = _BELOW_DOOR.match(request.path)
        opened = self._doors.get(found[1]) if found else None
        if found and opened is not None:
            opened.deny(f"{request.method} {found[2]}")
        return http.nowhere(request)

    def _admit(self, request: web.Request) -> Opened:
        opened = self._doors.get(request.match_info["door"])
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        given = [bearer, *(request.headers.get(name, "") for name in _TOKEN_HEADERS), request.query.get("key", "")]
        tokens = [token.encode() for token in given if token]
        known = (opened.token if opened is not None and opened.open else secrets.token_urlsafe()).encode()
        if opened is None or not any(hmac.compare_digest(token, known) for token in tokens):
            if opened is not None and opened.open:
                opened.deny("a wrong token")
            raise DeclinedByProvider(401, "This token is not valid at the gateway.")
        return opened

    async def _gemini(self, opened: Opened, request: web.Request, protocol: Protocol) -> web.StreamResponse:
        """Answer a request of Gemini's protocol, whose address says what is asked."""
        match request.match_info["method"]:
            case "generateContent" | "streamGenerateContent":
                return await self._converse(opened, request, protocol)
            case "countTokens":
                return await self._count(opened, request, protocol)
            case "embedContent" | "batchEmbedContents":
                return await self._embed(opened, request, protocol)
            case method:
                raise DeclinedByProvider(404, f"The gateway does not know the method {method}.")

    async def _body(self, opened: Opened, request: web.Request) -> bytes:
        """Read a request's body. Raises DeclinedByProvider where its door's other requests leave it no room."""
        async with opened.reading:
            raw = await request.read()
            if sum(opened.held.values()) + len(raw) > MOST_UNDER_WAY:
                message = f"The requests under way have more than {MOST_UNDER_WAY} bytes together."
                raise DeclinedByProvider(429, message, final=False, wait=1.0)
            task = asyncio.current_task()
            if task is not None:
                opened.held[task] = len(raw)
        return raw

    async def _read(self, opened: Opened, request: web.Request, protocol: Protocol) -> tuple[ModelRequest, bytes]:
        raw = await self._body(opened, request)
        if protocol != "gemini":
            return read_request(protocol, raw), raw
        streamed = request.match_info["method"] == "streamGenerateContent" and request.query.get("alt") == "sse"
        return read_request(protocol, raw, model=request.match_info["model"], stream=streamed), raw

    async def _count(self, opened: Opened, request: web.Request, protocol: Protocol) -> web.StreamResponse:
        """Count the tokens of a request, which costs nothing."""
        raw = await self._body(opened, request)
        model = request.match_info.get("model") or str(read_body(raw).get("model", ""))
        if opened.player is not None:
            field = "totalTokens" if protocol == "gemini" else "input_tokens"
            return web.json_response({field: len(raw) // CHARS_PER_TOKEN})
        reply = await self._send_on(protocol, model, raw, request)
        return await http.send(request, reply.pieces, *_head(protocol, reply))

    async def _embed(self, opened: Opened, request: web.Request, protocol: Protocol) -> web.StreamResponse:
        """Pass a request for embeddings on, metered by the tokens that the provider reports."""
        raw = await self._body(opened, request)
        body = read_body(raw)
        if opened.player is not None:
            raise DeclinedByProvider(400, "A cassette has no embeddings.")
        model = request.match_info.get("model") or str(body.get("model", ""))
        asked = ModelRequest(protocol, model, False, 0, 0, "", (), "", (), True, len(raw), body)
        with telling(self._on_call, opened, asked) as call:
            opened.count()
            async with self._meter.reserve(opened.access, asked) as hold, self._turn(opened, request, asked) as turn:
                reply = await self._send_on(protocol, model, raw, request)
                await turn.answered(reply.status, reply.headers)
                call.refused(reply.status)
                try:
                    response = await http.send(request, reply.pieces, *_head(protocol, reply))
                finally:
                    self._meter.charge(hold, opened, asked, reply.reader, "")
                call.ended()
                return response

    async def _converse(self, opened: Opened, request: web.Request, protocol: Protocol) -> web.StreamResponse:
        asked, raw = await self._read(opened, request, protocol)
        with telling(self._on_call, opened, asked) as call:
            opened.count()
            return await self._answer(opened, request, asked, raw, call)

    async def _answer(
        self, opened: Opened, request: web.Request, asked: ModelRequest, raw: bytes, call: CallRecord
    ) -> web.StreamResponse:
        found = await opened.kept.find(asked) if opened.kept is not None else None
        if isinstance(found, Played):
            # Bought before: free, whatever the budget is.
            call.replayed = True
            opened.spends.append(found.spend)
            await self._meter.replayed(found.spend)
            return web.Response(body=found.body, headers={"Content-Type": found.content_type})
        if opened.player is None:  # before money is held back: it may take long
            await self._meter.priced()
            await self._limits.wait(self._window(asked), opened, _patience(request))
        async with self._meter.reserve(opened.access, asked) as call.hold:
            if opened.player is not None:
                response = await self._replay(opened, opened.player, request, asked, found, call)
            else:
                async with self._turn(opened, request, asked) as turn:
                    response = await self._buy(opened, request, asked, raw, found, call, turn)
            # Before the money is settled: the client has its answer, so its agent may end, and the door be shut.
            call.ended()
            return response

    def _window(self, asked: ModelRequest) -> WindowKey:
        provider = upstream.read_provider(self._environment, asked.protocol)
        if provider is None:  # then it is refused
            return WindowKey(PROTOCOLS[asked.protocol].PROVIDER, "", asked.model)
        return window_key(provider, asked.model)

    def _turn(
        self, opened: Opened, request: web.Request, asked: ModelRequest
    ) -> AbstractAsyncContextManager[LimitedRequest]:
        """Let a request go to its provider when no limit speaks against it."""
        return self._limits.turn(self._window(asked), opened, _patience(request))

    async def _buy(
        self,
        opened: Opened,
        request: web.Request,
        asked: ModelRequest,
        raw: bytes,
        found: Purchase | None,
        call: CallRecord,
        turn: LimitedRequest,
    ) -> web.StreamResponse:
        reply = await self._send_on(asked.protocol, asked.model, raw, request, asked)
        if reply.status >= 300:
            # Read and noted first: a client that has its refusal may end, and then it matters why, and until when.
            refusal: list[bytes] = []
            with suppress(BrokenOff):
                async with aclosing(reply.pieces):
                    async for piece in reply.pieces:
                        refusal.append(piece)  # noqa: PERF401  what came before it broke off counts
            call.refused(reply.status, reply.reader.error)
            await turn.answered(reply.status, reply.headers, reply.reader.error)
            call.ended()
            return await http.send(request, _again(refusal), *_head(asked.protocol, reply))
        await turn.answered(reply.status, reply.headers)
        call.reader = reply.reader
        content_type = next((reply.headers[name] for name in reply.headers if name.lower() == "content-type"), "")
        pieces = _kept(opened, asked, found, reply.pieces, reply.reader, content_type)
        try:
            response = await http.send(request, pieces, *_head(asked.protocol, reply))
        finally:
            if call.hold is not None:
                self._meter.charge(call.hold, opened, asked, reply.reader, _name_of(found))
        if self._recorder is not None and reply.reader.done and reply.reader.error is None:
            provider = upstream.read_provider(self._environment, asked.protocol)
            hidden = [opened.token] + ([provider.key] if provider is not None else [])
            access = opened.access
            self._recorder.keep(access.task, access.attempt, access.lane, asked, reply.reader, hidden)
        return response

    async def _list_models(self, opened: Opened, _request: web.Request, protocol: Protocol) -> web.StreamResponse:
        model = opened.player.cassette.model if opened.player is not None else ""
        return http.models(protocol, model or opened.access.options.model or DEFAULT_MODEL)

    async def _send_on(
        self, protocol: Protocol, model: str, raw: bytes, request: web.Request, asked: ModelRequest | None = None
    ) -> upstream.ProviderReply:
        """Send a request to its provider, by the path it came by. `asked` is given where usage may have to be added."""
        provider = upstream.read_provider(self._environment, protocol)
        if provider is None or self._session is None:
            variable = upstream.key_name(protocol)
            raise DeclinedByProvider(
                401, f"{variable} is not set where Buildwright runs, so {model!r} cannot be asked."
            )
        tail = _VERSION.sub("", request.path.removeprefix(f"/d/{request.match_info['door']}"), count=1)
        query = urlencode([(name, value) for name, value in request.query.items() if name != "key"])
        to = tail + (f"?{query}" if query else "")
        reply = await upstream.request(
            self._session,
            provider,
            protocol,
            asked,
            raw,
            to,
            request.headers,
            proxy=self._proxy_for(provider.url),
            whole=self._recorder is not None,
        )
        if reply.status >= 400:
            self._refusals[reply.status] += 1
        return reply

    async def _replay(
        self,
        opened: Opened,
        player: replay.Player,
        request: web.Request,
        asked: ModelRequest,
        purchase: Purchase | None,
        call: CallRecord,
    ) -> web.StreamResponse:
        call.replayed = True
        found, fault = player.find(asked)
        if (no := replay.status_fault(fault)) is not None:
            call.refused(no.status)
            return http.scripted_error(asked.protocol, no.status, no.retry_after)
        # In a thread: rendering reads the lane's files.
        answer = await asyncio.to_thread(player.answer, asked, found)
        paced = found.entry.pace or player.cassette.pace
        pace = paced.tokens_per_second if paced is not None else None
        reader = call.reader = AnswerReader(asked.protocol)
        await self._meter.priced()
        headers = http.STREAM_HEADERS if asked.stream else http.WHOLE_HEADERS
        # Metered by what was sent, as a live answer is.
        pieces = replay.play(asked, answer, pace, fault, reader)
        try:
            pieces = _kept(opened, asked, purchase, pieces, reader, headers["Content-Type"])
            return await http.send(request, pieces, 200, headers)
        finally:
            if call.hold is not None:
                self._meter.charge(call.hold, opened, asked, reader, _name_of(purchase))


async def _again(pieces: list[bytes]) -> AsyncGenerator[bytes, None]:
    for piece in pieces:
        yield piece


def _head(protocol: Protocol, reply: upstream.ProviderReply) -> tuple[int, Mapping[str, str]]:
    """Return status and headers of an answer; a key that is refused now is refused the next time too."""
    if reply.status not in {401, 403}:
        return reply.status, reply.headers
    return PROTOCOLS[protocol].final_status(reply.status), reply.headers | http.NOT_AGAIN


def _kept(
    opened: Opened,
    asked: ModelRequest,
    purchase: Purchase | None,
    pieces: AsyncGenerator[bytes, None],
    reader: AnswerReader,
    content_type: str,
) -> AsyncGenerator[bytes, None]:
    """Return the pieces of an answer, keeping the answer on the way if this door keeps its answers."""
    if opened.kept is None or purchase is None:
        return pieces
    return opened.kept.keeping(purchase, pieces, reader, content_type, lambda: opened.spend(asked, reader))


def _patience(request: web.Request) -> float:
    """Return for how many seconds a client wants to wait here."""
    try:
        wish = float(request.headers.get(HOLD_HEADER, LONGEST_HOLD))
    except ValueError:
        return LONGEST_HOLD
    return min(max(wish, 0.0), LONGEST_HOLD) if wish == wish else LONGEST_HOLD  # noqa: PLR0124  no NaN


def _name_of(purchase: Purchase | None) -> str:
    return purchase.name if purchase is not None else ""
