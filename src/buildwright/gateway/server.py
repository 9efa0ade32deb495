"""The gateway's server on 127.0.0.1: answers the requests that come through doors. Must never log a key or a token.

Imported when the first door is opened: its HTTP library takes long to load.

A door answers `/v1/messages`, `/v1/messages/count_tokens`, `/v1/chat/completions`, `/v1/models` and `HEAD /`.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import partial

import aiohttp
from aiohttp import web

from buildwright.core.model_names import DEFAULT_MODEL
from buildwright.gateway import http, protocols, replay, upstream
from buildwright.gateway.access import CallRecord, Meter, OnCall, Opened, end, telling
from buildwright.gateway.parse import AnswerReader
from buildwright.gateway.recorder import Recorder
from buildwright.gateway.response_cache import Played, Purchase

_Handle = Callable[[Opened, web.Request, protocols.Protocol], Awaitable[web.StreamResponse]]

LARGEST_REQUEST = 32 * 1024 * 1024


class GatewayServer:
    """Answers from a provider, a cassette or the answers that are kept, within the budget of each door.

    `environment` holds the providers' keys and addresses, `doors` the open doors by id, `recorder` keeps live answers,
    `on_call` is called once for each request when it is over, and `refusals` counts a provider's statuses of 400 and above.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        doors: Mapping[str, Opened],
        meter: Meter,
        recorder: Recorder | None,
        on_call: OnCall | None,
        refusals: Counter[int],
    ) -> None:
        self._environment = environment
        self._doors = doors
        self._meter = meter
        self._recorder = recorder
        self._on_call = on_call
        self._starting = asyncio.Lock()
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._address = ""
        self._refusals = refusals

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
            runner, session, self._runner, self._session = self._runner, self._session, None, None
            if runner is not None:
                await runner.cleanup()
            if session is not None:
                await session.close()

    async def _start(self) -> None:

        self._meter.load_prices()
        app = web.Application(client_max_size=LARGEST_REQUEST)
        app.add_routes(
            [
                web.post("/d/{door}/v1/messages", self._through("anthropic", self._converse)),
                web.post("/d/{door}/v1/messages/count_tokens", self._through("anthropic", self._count)),
                web.post("/d/{door}/v1/chat/completions", self._through("openai", self._converse)),
                web.get("/d/{door}/v1/models", self._through("anthropic", self._list_models)),
                web.head("/d/{door}", http.alive),
                web.head("/d/{door}/", http.alive),
                web.route("*", "/{rest:.*}", http.nowhere),
            ]
        )
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

    def _through(self, protocol: protocols.Protocol, handle: _Handle) -> Callable[..., Awaitable[web.StreamResponse]]:
        return partial(self._answered, protocol=protocol, handle=handle)

    async def _answered(
        self, request: web.Request, protocol: protocols.Protocol, handle: _Handle
    ) -> web.StreamResponse:
        """Admit the request through its door; answer a refusal in the protocol's format."""

        task = asyncio.current_task()
        opened = None
        try:
            opened = self._admit(request)
            if task is not None:
                opened.under_way.add(task)
            return await handle(opened, request, protocol)
        except protocols.DeclinedByProvider as no:
            return http.refusal(protocol, no)
        except protocols.BrokenOff:
            raise http.cut(request) from None
        except web.HTTPRequestEntityTooLarge:
            message = f"The request has more than {LARGEST_REQUEST} bytes."
            return http.refusal(protocol, protocols.DeclinedByProvider(413, message))
        finally:
            if opened is not None and task is not None:
                opened.under_way.discard(task)

    def _admit(self, request: web.Request) -> Opened:
        opened = self._doors.get(request.match_info["door"])
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        tokens = [token.encode() for token in (request.headers.get("x-api-key", ""), bearer) if token]
        known = (opened.token if opened is not None and opened.open else secrets.token_urlsafe()).encode()
        if opened is None or not any(hmac.compare_digest(token, known) for token in tokens):
            raise protocols.DeclinedByProvider(401, "This token opens no door of the gateway.")
        return opened

    async def _count(self, opened: Opened, request: web.Request, protocol: protocols.Protocol) -> web.StreamResponse:

        raw = await request.read()
        asked = protocols.read_request(protocol, raw)
        if opened.player is not None:
            return web.json_response({"input_tokens": len(raw) // replay.CHARS_PER_TOKEN})
        reply = await self._send_on(asked, raw, request, "/messages/count_tokens")
        return await http.send(request, reply.pieces, reply.status, reply.headers)

    async def _converse(self, opened: Opened, request: web.Request, protocol: protocols.Protocol) -> web.StreamResponse:
        raw = await request.read()
        asked = protocols.read_request(protocol, raw)
        with telling(self._on_call, opened, asked) as call:
            return await self._answer(opened, request, asked, raw, call)

    async def _answer(
        self, opened: Opened, request: web.Request, asked: protocols.ModelRequest, raw: bytes, call: CallRecord
    ) -> web.StreamResponse:

        found = await opened.kept.find(asked) if opened.kept is not None else None
        if isinstance(found, Played):
            # Bought before: free, whatever the budget is.
            call.replayed = True
            opened.spends.append(found.spend)
            return web.Response(body=found.body, headers={"Content-Type": found.content_type})
        self._meter.check(opened.access)
        if opened.player is not None:
            return await self._replay(opened, opened.player, request, asked, found, call)
        await self._meter.priced()
        tail = "/messages" if asked.protocol == "anthropic" else "/chat/completions"
        reply = await self._send_on(asked, raw, request, tail)
        call.refused(reply.status)
        pieces = reply.pieces
        if reply.status < 300:
            call.reader = reply.reader
            content_type = next((reply.headers[name] for name in reply.headers if name.lower() == "content-type"), "")
            pieces = _kept(opened, asked, found, pieces, reply.reader, content_type)
        try:
            response = await http.send(request, pieces, reply.status, reply.headers)
        finally:
            if reply.status < 300:
                self._meter.charge(opened, asked, reply.reader, _name_of(found))
        if self._recorder is not None and reply.status < 300 and reply.reader.done and reply.reader.error is None:
            provider = upstream.read_provider(self._environment, asked.protocol)
            hidden = [opened.token] + ([provider.key] if provider is not None else [])
            access = opened.access
            self._recorder.keep(access.task, access.attempt, access.lane, asked, reply.reader, hidden)
        return response

    async def _list_models(
        self, opened: Opened, _request: web.Request, _protocol: protocols.Protocol
    ) -> web.StreamResponse:
        model = opened.player.cassette.model if opened.player is not None else ""
        return http.models(model or opened.access.options.model or DEFAULT_MODEL)

    async def _send_on(
        self, asked: protocols.ModelRequest, raw: bytes, request: web.Request, tail: str
    ) -> upstream.ProviderReply:
        provider = upstream.read_provider(self._environment, asked.protocol)
        if provider is None or self._session is None:
            variable = upstream.key_name(asked.protocol)
            raise protocols.DeclinedByProvider(
                401, f"{variable} is not set where Buildwright runs, so {asked.model!r} cannot be asked."
            )
        query = f"?{request.query_string}" if request.query_string else ""
        reply = await upstream.request(self._session, provider, asked, raw, tail + query, request.headers)
        if reply.status >= 400:
            self._refusals[reply.status] += 1
        return reply

    async def _replay(
        self,
        opened: Opened,
        player: replay.Player,
        request: web.Request,
        asked: protocols.ModelRequest,
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
            self._meter.charge(opened, asked, reader, _name_of(purchase))


def _kept(
    opened: Opened,
    asked: protocols.ModelRequest,
    purchase: Purchase | None,
    pieces: AsyncGenerator[bytes, None],
    reader: AnswerReader,
    content_type: str,
) -> AsyncGenerator[bytes, None]:
    """Return the pieces of an answer, keeping the answer on the way if this door keeps its answers."""
    if opened.kept is None or purchase is None:
        return pieces
    return opened.kept.keeping(purchase, pieces, reader, content_type, lambda: opened.spend(asked, reader))


def _name_of(purchase: Purchase | None) -> str:
    return purchase.name if purchase is not None else ""
