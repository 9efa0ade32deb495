"""The gateway: one server on 127.0.0.1 with its doors, tokens, meters and budgets. Must never log a key or a token.

A door answers `/v1/messages`, `/v1/messages/count_tokens`, `/v1/chat/completions`, `/v1/models` and `HEAD /`.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from buildwright.core.limits import Options
from buildwright.core.model_names import DEFAULT_MODEL
from buildwright.errors import BadSettings
from buildwright.gateway import cassette, http, prices, replay, upstream, wire
from buildwright.gateway.calls import Call, OnCall, telling
from buildwright.gateway.door import Opened, door_id, end
from buildwright.gateway.kept import KeptAnswers, Played, Purchase
from buildwright.gateway.reading import AnswerReader
from buildwright.gateway.recorder import Recorder
from buildwright.ports import NO_BUDGET, Answers, Budget, Door, Spend

if TYPE_CHECKING:
    import aiohttp
    from aiohttp import web

    _Handle = Callable[["Opened", web.Request, wire.Protocol], Awaitable[web.StreamResponse]]

LARGEST_REQUEST = 32 * 1024 * 1024

_log = logging.getLogger(__name__)


class LocalGateway:
    """The one door to language models; one per process and event loop.

    `environment` holds the providers' keys and addresses, a relative `record_to` is below `home`, `answers` keeps what
    was bought, and `on_call` is called once for each request when it is over.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        home: Path,
        record_to: Path | None = None,
        answers: Answers | None = None,
        on_call: OnCall | None = None,
    ) -> None:
        self._environment = environment
        self._on_call = on_call
        self._answers = answers
        self._recorder = Recorder(home / record_to) if record_to is not None else None
        self._starting = asyncio.Lock()
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._pricing: asyncio.Task[None] | None = None
        self._address = ""
        self._doors: dict[str, Opened] = {}
        self._spent: defaultdict[str, Decimal] = defaultdict(Decimal)
        self._unpriced: set[str] = set()
        self.refusals: Counter[int] = Counter()
        """How often a provider answered with each status of 400 and above."""

    async def open(
        self,
        build_id: str,
        task: str,
        attempt: int,
        options: Options,
        lane: Path | None = None,
        budget: Budget = NO_BUDGET,
        *,
        kept: bool = True,
    ) -> Door:
        """Open a door. Raises BadSettings (no usable key, no cassette), BadSpec (the cassette is wrong)."""
        player = None
        if options.cassette:
            path = Path(options.cassette)
            tape = await asyncio.to_thread(cassette.load, path)
            player = replay.Player(tape, str(path), task, attempt, lane)
        else:
            self.check_keys(task, options, why="")
            if self._recorder is not None:
                await asyncio.to_thread(self._recorder.prepare)
        async with self._starting:
            if self._runner is None:
                await self._start()
        opened = Opened(
            id=secrets.token_urlsafe(9),
            token=f"lane-{secrets.token_urlsafe(32)}",
            build_id=build_id,
            task=task,
            attempt=attempt,
            lane=lane,
            model=options.model,
            budget=budget.most_usd,
            player=player,
            kept=KeptAnswers(self._answers, build_id, task, attempt, lane) if self._answers and kept else None,
        )
        # The journal knows what earlier processes spent; this process knows what the journal has not got yet.
        self._spent[build_id] = max(self._spent[build_id], budget.spent_usd)
        self._doors[opened.id] = opened
        return Door(url=f"{self._address}/d/{opened.id}", token=opened.token)

    def metered(self, door: Door) -> list[Spend]:
        """Return the spends since the last call. After `shut` they can be taken once more."""
        opened = self._doors.get(door_id(door))
        if opened is None:
            return []
        taken, opened.spends = opened.spends, []
        if not opened.open:
            del self._doors[opened.id]
        return taken

    async def shut(self, door: Door) -> None:
        """Close the door and cancel its requests; its spends can be taken once more."""
        opened = self._doors.get(door_id(door))
        if opened is not None:
            opened.open = False
            await end(opened.under_way)
            if not opened.spends:
                self._doors.pop(opened.id, None)

    async def close(self) -> None:
        """Stop the server, and every request under way."""
        async with self._starting:
            for opened in self._doors.values():
                opened.open = False
                await end(opened.under_way)
            if self._pricing is not None:
                await self._pricing
            runner, session, self._runner, self._session = self._runner, self._session, None, None
            if runner is not None:
                await runner.cleanup()
            if session is not None:
                await session.close()

    def check_keys(self, task: str, options: Options, why: str = "planning a Markdown spec asks a model: ") -> None:
        """Check that a door for this task ("" for an advisor) could be opened without a cassette. Raises BadSettings.

        `why` begins the message and says what an advisor is needed for.
        """
        if options.cassette:
            return
        found = [name for name in ("anthropic", "openai") if self._provider(name) is not None]
        model = options.model if task else options.planner_model or options.model
        if options.agent == "shell" and task and not options.model and found:
            return  # The command chooses its provider itself.
        named = model or DEFAULT_MODEL
        wanted = upstream.protocol_of(named)
        if wanted not in found:
            who = "" if task else why
            other = (
                "OPENAI_API_KEY and --model gpt-..."
                if wanted == "anthropic"
                else "ANTHROPIC_API_KEY and --model claude-..."
            )
            raise BadSettings(
                f"{who}{upstream.key_name(wanted)} is not set, and {named} needs it",
                fix=f"set {upstream.key_name(wanted)} (or {other}) in the environment or in .env; without a key, replay "
                "with --cassette FILE, or give a complete task list to --agent shell",
            )

    def _provider(self, protocol: wire.Protocol) -> upstream.Provider | None:
        return upstream.read_provider(self._environment, protocol)

    async def _start(self) -> None:
        await asyncio.to_thread(_import_aiohttp)
        import aiohttp
        from aiohttp import web

        if self._pricing is None:
            self._pricing = asyncio.create_task(asyncio.to_thread(prices.load))

        app = web.Application(client_max_size=LARGEST_REQUEST)
        app.add_routes(
            [
                web.post("/d/{door}/v1/messages", self._messages),
                web.post("/d/{door}/v1/messages/count_tokens", self._count_tokens),
                web.post("/d/{door}/v1/chat/completions", self._chat),
                web.get("/d/{door}/v1/models", self._models),
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

    # --- requests ----------------------------------------------------------------------------------------------------

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        return await self._answered(request, "anthropic", self._converse)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        return await self._answered(request, "openai", self._converse)

    async def _count_tokens(self, request: web.Request) -> web.StreamResponse:
        return await self._answered(request, "anthropic", self._count)

    async def _models(self, request: web.Request) -> web.StreamResponse:
        return await self._answered(request, "anthropic", self._list_models)

    async def _answered(self, request: web.Request, protocol: wire.Protocol, handle: _Handle) -> web.StreamResponse:
        """Admit the request through its door; answer a refusal in the protocol's format."""
        from aiohttp import web

        task = asyncio.current_task()
        opened = None
        try:
            opened = self._admit(request)
            if task is not None:
                opened.under_way.add(task)
            return await handle(opened, request, protocol)
        except wire.Declined as no:
            return http.refusal(protocol, no)
        except wire.BrokenOff:
            raise http.cut(request) from None
        except web.HTTPRequestEntityTooLarge:
            message = f"The request has more than {LARGEST_REQUEST} bytes."
            return http.refusal(protocol, wire.Declined(413, message))
        finally:
            if opened is not None and task is not None:
                opened.under_way.discard(task)

    def _admit(self, request: web.Request) -> Opened:
        opened = self._doors.get(request.match_info["door"])
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        tokens = [token.encode() for token in (request.headers.get("x-api-key", ""), bearer) if token]
        known = (opened.token if opened is not None and opened.open else secrets.token_urlsafe()).encode()
        if opened is None or not any(hmac.compare_digest(token, known) for token in tokens):
            raise wire.Declined(401, "This token opens no door of the gateway.")
        return opened

    async def _count(self, opened: Opened, request: web.Request, protocol: wire.Protocol) -> web.StreamResponse:
        from aiohttp import web

        raw = await request.read()
        asked = wire.read_request(protocol, raw)
        if opened.player is not None:
            return web.json_response({"input_tokens": len(raw) // replay.CHARS_PER_TOKEN})
        reply = await self._send_on(asked, raw, request, "/messages/count_tokens")
        return await http.send(request, reply.pieces, reply.status, reply.headers)

    async def _converse(self, opened: Opened, request: web.Request, protocol: wire.Protocol) -> web.StreamResponse:
        raw = await request.read()
        asked = wire.read_request(protocol, raw)
        with telling(self._on_call, opened, asked) as call:
            return await self._answer(opened, request, asked, raw, call)

    async def _answer(
        self, opened: Opened, request: web.Request, asked: wire.Asked, raw: bytes, call: Call
    ) -> web.StreamResponse:
        from aiohttp import web

        found = await opened.kept.find(asked) if opened.kept is not None else None
        if isinstance(found, Played):
            # Bought before: free, whatever the budget is.
            call.replayed = True
            opened.spends.append(found.spend)
            return web.Response(body=found.body, headers={"Content-Type": found.content_type})
        spent = self._spent[opened.build_id]
        if opened.budget is not None and spent >= opened.budget:
            raise wire.Declined(402, f"The build's budget of ${opened.budget} is spent (${spent:f}).")
        if opened.player is not None:
            return await self._replay(opened, opened.player, request, asked, found, call)
        await self._priced()
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
                self._meter(opened, asked, reply.reader, found)
        if self._recorder is not None and reply.status < 300 and reply.reader.done and reply.reader.error is None:
            provider = self._provider(asked.protocol)
            hidden = [opened.token] + ([provider.key] if provider is not None else [])
            self._recorder.keep(opened.task, opened.attempt, opened.lane, asked, reply.reader, hidden)
        return response

    async def _list_models(self, opened: Opened, _request: web.Request, _protocol: wire.Protocol) -> web.StreamResponse:
        model = opened.player.cassette.model if opened.player is not None else ""
        return http.models(model or opened.model or DEFAULT_MODEL)

    async def _send_on(self, asked: wire.Asked, raw: bytes, request: web.Request, tail: str) -> upstream.Reply:
        provider = self._provider(asked.protocol)
        if provider is None or self._session is None:
            variable = upstream.key_name(asked.protocol)
            raise wire.Declined(
                401, f"{variable} is not set where Buildwright runs, so {asked.model!r} cannot be asked."
            )
        query = f"?{request.query_string}" if request.query_string else ""
        reply = await upstream.request(self._session, provider, asked, raw, tail + query, request.headers)
        if reply.status >= 400:
            self.refusals[reply.status] += 1
        return reply

    async def _replay(
        self,
        opened: Opened,
        player: replay.Player,
        request: web.Request,
        asked: wire.Asked,
        purchase: Purchase | None,
        call: Call,
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
        await self._priced()
        headers = http.STREAM_HEADERS if asked.stream else http.WHOLE_HEADERS
        # Metered by what was sent, as a live answer is.
        pieces = replay.play(asked, answer, pace, fault, reader)
        try:
            pieces = _kept(opened, asked, purchase, pieces, reader, headers["Content-Type"])
            return await http.send(request, pieces, 200, headers)
        finally:
            self._meter(opened, asked, reader, purchase)

    async def _priced(self) -> None:
        """Wait for the price list: reading it takes long enough to block every other door."""
        if self._pricing is not None:
            await asyncio.shield(self._pricing)

    def _meter(self, opened: Opened, asked: wire.Asked, reader: AnswerReader, purchase: Purchase | None) -> None:
        if reader.tokens is None and not reader.done:
            return
        spend = opened.spend(asked, reader, purchase.name if purchase is not None else "")
        if spend.cost_usd is not None:
            self._spent[opened.build_id] += Decimal(spend.cost_usd)
        elif spend.model not in self._unpriced:
            self._unpriced.add(spend.model)
            _log.warning("No price is known for %s: its requests count as nothing against a budget.", spend.model)
        opened.spends.append(spend)


def _import_aiohttp() -> None:
    import aiohttp.web  # noqa: F401


def _kept(
    opened: Opened,
    asked: wire.Asked,
    purchase: Purchase | None,
    pieces: AsyncGenerator[bytes, None],
    reader: AnswerReader,
    content_type: str,
) -> AsyncGenerator[bytes, None]:
    """Return the pieces of an answer, keeping the answer on the way if this door keeps its answers."""
    if opened.kept is None or purchase is None:
        return pieces
    return opened.kept.keeping(purchase, pieces, reader, content_type, lambda: opened.spend(asked, reader))
