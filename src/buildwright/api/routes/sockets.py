"""WebSockets: `/ws/devteam` and `/ws`. Must never send news before the caller is known.

Each connection is accepted first, so that the client learns why it is closed; then the caller is identified.

Close codes: 1000 the build has ended, 1001 the server ends, 1008 too many frames, 1009 a frame too large, 1011 the
store does not answer, 1013 too slow; 4400 a malformed request, 4401 unknown caller, 4403 another user's, 4404 no such
thing.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from buildwright.api.bodies import Router
from buildwright.api.broadcast import Why
from buildwright.api.cursor import LONGEST
from buildwright.api.fixes import prefers_commands
from buildwright.api.guard import identify, is_own_origin
from buildwright.api.open_stream import StreamStart, build_of, open_reader, project_of
from buildwright.api.send import ABORT_SECONDS, PARTING_SECONDS, abort, deliver, words
from buildwright.api.state import Caller, ServerState, state_of
from buildwright.api.subscription import Selection, Sent, Subscription, Topics
from buildwright.errors import BuildwrightError, Forbidden, NotFound, Refused, StoreFailed, Unauthorized
from buildwright.store.repositories import PushAudit
from buildwright.views.frames import Names, StreamFrame
from buildwright.wiring.repositories import audit_view

router = Router()

LONGEST_TICKET = 4_096
MOST_LAST = 10_000
_BURST = 30.0
_FRAMES_PER_SECOND = 10.0
_CLOSES: dict[Why, tuple[int, str]] = {
    "ended": (1000, "the build has ended"),
    "slow": (1013, "too slow: connect again with the cursor of `reset`"),
    "closing": (1001, "the server is shutting down: connect again in a moment"),
    "vanished": (4404, "the build was removed, or is not shared with you any more"),
    "signed-out": (4401, "you have signed out, or your token was taken back"),
    "failed": (1011, "the store does not answer: connect again in a moment"),
}
_REFUSALS = ((Unauthorized, 4401), (Forbidden, 4403), (NotFound, 4404), (StoreFailed, 1011))


class Subscribe(BaseModel, extra="forbid"):
    """The news that a client wants from here on."""

    topics: list[str] = Field(default_factory=lambda: ["events", "log"], max_length=100)
    after: str | None = Field(default=None, max_length=LONGEST)
    """A cursor, or `start`; without it the stream continues where it is."""
    last: int = Field(default=0, ge=0, le=MOST_LAST)
    """How many of the newest lines of the log come first, whatever was had of it; 0: those that follow."""


@router.websocket("/ws/devteam")
async def devteam(websocket: WebSocket) -> None:
    """Stream what happens in the builds of a project, or in one build: `execution-update` and `execution-log`."""
    await _serve(websocket, "devteam")


@router.websocket("/ws")
async def builder(websocket: WebSocket) -> None:
    """Stream the same by the names of the builder: `phase_start`, `audit_fail`, `file_created`, `build_log` etc.

    With `repositories=true` it streams the audits of the caller's pushes instead.
    """
    await _serve(websocket, "builder")


async def _serve(websocket: WebSocket, names: Names) -> None:
    site = state_of(websocket)
    await websocket.accept()
    try:
        caller = await caller_by(site, websocket)
        if names == "builder" and websocket.query_params.get("repositories", "") == "true":
            await _tell_audits(site, caller, websocket)
            return
        selection = await _selected(site, caller, websocket)
        topics = Topics.of_query(websocket.query_params.get("topics", "events,log"))
        after, last = websocket.query_params.get("after", ""), _last_of(websocket)
        with site.app.meters.stream("ws") as dropped:
            if await _Socket(site, websocket, selection, names).run(topics, after, last) == "slow":
                dropped()
    except (WebSocketDisconnect, RuntimeError):
        return  # the client has gone; Starlette reports it in either way
    except BuildwrightError as error:
        await _close(websocket, _code_of(error), str(error))


async def _tell_audits(site: ServerState, caller: Caller, websocket: WebSocket) -> None:
    """Send a frame `push_audit` for each audit of the caller's pushes that is queued, begins or ends."""
    stopped: asyncio.Future[Why] = asyncio.get_running_loop().create_future()

    def stop(why: Why) -> None:
        if not stopped.done():
            stopped.set_result(why)

    async def say(kind: str, payload: dict[str, Any]) -> None:
        frame = StreamFrame(kind, datetime.now(UTC), "", payload).encoded()
        await websocket.send({"type": "websocket.send", "text": frame.decode()})

    async def send(queue: asyncio.Queue[PushAudit]) -> None:
        await say("hello", {})
        while True:
            await say("push_audit", audit_view(await queue.get()).model_dump(mode="json"))

    async def hear() -> None:
        while (await websocket.receive())["type"] != "websocket.disconnect":
            pass

    own = Selection(caller.user_id, "", session=caller.session, caller=caller.user_id)
    with site.audit_news.listen(caller.user_id) as queue, site.sessions.stream(own, stop):
        closing = asyncio.create_task(site.closing.wait())
        tasks = [asyncio.create_task(send(queue)), asyncio.create_task(hear()), closing]
        try:
            either: set[asyncio.Future[Any]] = {*tasks, stopped}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if stopped.done() or closing.done():
                code, reason = _CLOSES[stopped.result() if stopped.done() else "closing"]
                await _close(websocket, code, reason)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _code_of(error: BuildwrightError) -> int:
    return next((code for kind, code in _REFUSALS if isinstance(error, kind)), 4400)


async def caller_by(site: ServerState, websocket: WebSocket) -> Caller:
    """Return the caller: from a bearer token, a ticket, or a session on a page of this server.

    Raises Unauthorized, Forbidden, StoreFailed.
    """
    headers = websocket.headers
    origins = headers.getlist("origin")
    if origins and not is_own_origin(site, headers):
        raise Forbidden("a page of another site opened this", fix="use the pages of this server")
    ticket = websocket.query_params.get("ticket", "")
    if ticket:
        now = site.app.clock.now()
        claims = site.signer.read(ticket[:LONGEST_TICKET], "ticket", now)
        if not await site.records.tokens.use(claims.jti, claims.expires_at, now):
            raise Unauthorized("this ticket was used before", fix="get a new one: POST /api/tickets")
        return await site.people.admit(claims, now)
    caller = await identify(site, headers, "GET")
    if caller.kind == "session" and not origins:
        raise Forbidden("a cookie counts only on a page of this server", fix="send a bearer token or a ticket")
    return caller


def _last_of(websocket: WebSocket) -> int:
    """Return with how many of the newest lines of the log a stream begins. Raises Refused."""
    text = websocket.query_params.get("last", "0")
    if not text.isascii() or not text.isdigit() or len(text) > 6 or int(text) > MOST_LAST:
        raise Refused(
            "`last` is not a number of lines that a stream begins with", fix=f"name one from 0 to {MOST_LAST:,}"
        )
    return int(text)


async def _selected(site: ServerState, caller: Caller, websocket: WebSocket) -> Selection:
    query = websocket.query_params
    build = query.get("build", "")
    project = query.get("projectId", "") or query.get("project", "")
    if bool(build) == bool(project):
        raise Refused("name what to watch", fix="connect with ?build=ID, or with ?projectId=ID")
    return await (build_of(site, caller, build) if build else project_of(site, caller, project))


class _Socket:
    """One accepted connection."""

    def __init__(self, site: ServerState, websocket: WebSocket, selection: Selection, names: Names) -> None:
        self._site = site
        self._websocket = websocket
        self._selection = selection
        self._names: Names = names
        self._allowed = _BURST
        self._counted_at = asyncio.get_running_loop().time()

    async def run(self, topics: Topics, after: str, last: int) -> Why:
        """Send frames until the stream or the client ends; start anew when the client subscribes to something else."""
        wanted: Subscribe | None = None
        hearing = asyncio.create_task(self._hear())
        try:
            while True:
                reader, hello = await open_reader(
                    self._site.tails,
                    self._selection,
                    self._names,
                    topics,
                    after,
                    last=StreamStart(last) if last else None,
                )
                try:
                    kind = "hello" if wanted is None else "subscribed"
                    await self._say(words(reader, kind, hello.payload(reader)))
                    why = await self._carry(reader, hearing)
                    if why != "gone" or not _asked(hearing):
                        await self._part(reader, why)
                        return why
                    wanted = hearing.result()
                    assert wanted is not None
                    topics = Topics.parse(wanted.topics)
                    after, last = wanted.after if wanted.after is not None else reader.cursor(), wanted.last
                    hearing = asyncio.create_task(self._hear())
                finally:
                    reader.leave()
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)

    async def _carry(self, reader: Subscription, hearing: asyncio.Task[Subscribe | None]) -> Why:
        """Send until one side stops; return why, `gone` when the client has sent a subscription or has left."""
        sending = asyncio.create_task(deliver(reader, self._put, commands=prefers_commands(self._websocket.headers)))
        try:
            with self._site.sessions.stream(self._selection, reader.stop):
                either: set[asyncio.Future[Any]] = {sending, hearing, reader.stopped}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if reader.stopped.done():
                return reader.stopped.result()
            return sending.result() if sending.done() else "gone"
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _put(self, sent: Sent) -> None:
        await self._websocket.send({"type": "websocket.send", "text": sent.text})

    async def _say(self, body: bytes) -> None:
        await self._websocket.send({"type": "websocket.send", "text": body.decode()})

    async def _part(self, reader: Subscription, why: Why) -> None:
        """Send the last frame and close, if the client still reads."""
        state = self._websocket.scope.get("state")
        if why == "gone":
            return
        try:
            async with asyncio.timeout(PARTING_SECONDS):
                if why in {"slow", "failed"}:
                    await self._say(words(reader, "reset", {"after": reader.cursor(), "why": why}))
                code, reason = _CLOSES[why]
                await _close(self._websocket, code, reason)
        except TimeoutError:
            abort(state)
            return
        if why == "slow":
            asyncio.get_running_loop().call_later(ABORT_SECONDS, abort, state)

    async def _hear(self) -> Subscribe | None:
        """Return the client's next subscription, None when it has gone. Answers frames that it does not understand."""
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return None
            if not self._takes():
                await _close(self._websocket, 1008, "too many frames")
                return None
            text = message.get("text")
            trouble = "a frame is JSON text"
            if text is not None:
                try:
                    found = _understood(text)
                except Refused as error:
                    trouble = str(error)
                else:
                    if found is not None:
                        return found
                    await self._answer("pong", {})
                    continue
            await self._answer("error", {"code": "bad-frame", "detail": trouble})

    async def _answer(self, kind: str, payload: dict[str, Any]) -> None:
        await self._say(StreamFrame(kind, datetime.now(UTC), self._selection.project_id, payload).encoded())

    def _takes(self) -> bool:
        """Count one frame of the client; return whether it may send that many."""
        now = asyncio.get_running_loop().time()
        self._allowed = min(_BURST, self._allowed + (now - self._counted_at) * _FRAMES_PER_SECOND)
        self._counted_at = now
        self._allowed -= 1.0
        return self._allowed >= 0.0


def _asked(hearing: asyncio.Task[Subscribe | None]) -> bool:
    return hearing.done() and not hearing.cancelled() and hearing.exception() is None and hearing.result() is not None


def _understood(text: str) -> Subscribe | None:
    """Return the subscription in a frame, None for a ping. Raises Refused for anything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise Refused("a frame is a JSON object") from None
    if not isinstance(found, dict):
        raise Refused("a frame is a JSON object")
    kind = found.pop("type", "")
    if kind == "ping":
        return None
    if kind != "subscribe":
        raise Refused("frames that are known: subscribe, ping")
    payload = found.get("payload", found)
    try:
        wanted = Subscribe.model_validate(payload)
        Topics.parse(wanted.topics)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise Refused(f"subscribe: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    return wanted


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    """Close the connection; a reason has at most 123 bytes."""
    short = reason.encode()[:120].decode("utf-8", "ignore")
    try:
        await websocket.close(code, short)
    except (RuntimeError, WebSocketDisconnect):
        return
