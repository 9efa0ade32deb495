"""Server-sent events of a build or a project, and the same frames as pages (`GET /events`). Must never change a build.

The pages have the truth that all streams repeat. A stream's `id:` is a cursor, so `Last-Event-ID` continues where the
connection broke. `curl -N` shows the frames as they come.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import Depends, Header, Query
from pydantic import BaseModel, Field
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from buildwright.api.bodies import Router
from buildwright.api.broadcast import Why
from buildwright.api.cursor import LONGEST, START
from buildwright.api.fixes import prefers_commands
from buildwright.api.open_stream import Hello, StreamStart, build_of, open_reader, project_of
from buildwright.api.params import TASK
from buildwright.api.problems import responses
from buildwright.api.send import PARTING_SECONDS, abort, deliver, words
from buildwright.api.state import CallerOf, ServerState, SiteOf
from buildwright.api.subscription import Selection, Sent, Subscription, Topics
from buildwright.errors import Refused
from buildwright.views.frames import Names

router = Router(tags=["streams"])

PING_SECONDS = 15.0
RETRY_MILLISECONDS = 2_000
MOST_PAGE_BYTES = 4_000_000

After = Annotated[
    str, Query(max_length=LONGEST, description="A cursor; `start` for the first event on; nothing for now.")
]
LastEventId = Annotated[str, Header(alias="Last-Event-ID", max_length=LONGEST, description="The same, by browsers.")]
TopicsOf = Annotated[
    str, Query(max_length=2_000, description="Of events, journal, log and log:BUILD, with commas between them.")
]
NamesOf = Annotated[
    Literal["devteam", "builder"], Query(description="Whose names frames have: those of /ws/devteam, or of /ws.")
]


class StreamQuery(NamedTuple):
    """The unparsed query of a client to any stream."""

    after: str
    topics: str
    names: Names


def _stream_query(
    after: After = "", topics: TopicsOf = "events,log", names: NamesOf = "devteam", last_event_id: LastEventId = ""
) -> StreamQuery:
    return StreamQuery(last_event_id or after, topics, names)


StreamQueryOf = Annotated[StreamQuery, Depends(_stream_query)]
_EVENT = {
    "type": "object",
    "description": "One event: `data` is a frame as JSON text, `id` the cursor after it.",
    "properties": {
        "data": {"type": "string"},
        "id": {"type": "string"},
        "event": {"type": "string"},
        "retry": {"type": "integer"},
    },
    "required": ["data"],
}
_SSE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Frames, one in each event, from `hello` on",
        "content": {"text/event-stream": {"schema": _EVENT}},
    },
}
_NOTHING_MORE: dict[int | str, dict[str, Any]] = {204: {"description": "The build has ended, and you have all of it"}}


class FramePage(BaseModel):
    """Frames in order, and where the next page begins."""

    frames: list[dict[str, Any]] = Field(description="Each `{type, ts, projectId, payload}`.")
    cursor: str = Field(description="`after` of the next page, also when there is nothing new yet.")


@router.get(
    "/api/builds/{build_id}/stream",
    response_class=Response,
    responses=responses(403, 404) | _SSE | _NOTHING_MORE,
)
async def build_stream(
    build_id: str,
    site: SiteOf,
    caller: CallerOf,
    query: StreamQueryOf,
    tail: Annotated[int, Query(ge=0, le=100_000, description="Start with this many of the last log lines.")] = 0,
    task: Annotated[str, Query(pattern=TASK, description="Of which task they are counted; nothing for all.")] = "",
) -> Response:
    """Stream what happens in a build, as it happens, until it has ended."""
    selection = await build_of(site, caller, build_id)
    return await _stream(site, selection, query, StreamStart(tail, task) if tail and not query.after else None)


@router.get("/api/projects/{project_id}/stream", response_class=Response, responses=responses(403, 404) | _SSE)
async def project_stream(project_id: str, site: SiteOf, caller: CallerOf, query: StreamQueryOf) -> Response:
    """Stream what happens in your builds of a project: those that go on, and those that begin."""
    return await _stream(site, await project_of(site, caller, project_id), query)


@router.get("/events", response_model=FramePage, responses=responses(403, 404))
async def events(
    site: SiteOf,
    caller: CallerOf,
    project: Annotated[str, Query(max_length=200, description="A project, or else `build`.")] = "",
    build: Annotated[str, Query(max_length=200, description="A build, or else `project`.")] = "",
    after: Annotated[
        str, Query(max_length=LONGEST, description="A cursor; nothing or `start` for the first event on.")
    ] = "",
    limit: Annotated[
        int, Query(ge=1, le=500, description="At most this many frames; one has up to 500 log lines.")
    ] = 100,
    topics: TopicsOf = "events",
    names: NamesOf = "devteam",
) -> Response:
    """Return what has happened in a build or a project: the same frames as the streams have, as pages."""
    if bool(project) == bool(build):
        raise Refused("name what to read", fix="give ?build=ID, or ?project=ID")
    selection = await (build_of(site, caller, build) if build else project_of(site, caller, project))
    reader, hello = await open_reader(site.tails, selection, names, Topics.of_query(topics), after or START, live=False)
    if hello.resume == "reset":
        raise Refused(
            "this cursor is of another database, or what followed it is gone", fix="read from the start: after=start"
        )
    texts: list[str] = []
    cursor, size = hello.cursor, 0
    async with aclosing(reader.frames(live=False)) as frames:
        async for sent in frames:
            texts.append(sent.text)
            cursor, size = sent.cursor, size + len(sent.text)
            if len(texts) == limit or size > MOST_PAGE_BYTES:
                break
        else:
            cursor = reader.cursor()
    return Response(f'{{"frames":[{",".join(texts)}],"cursor":"{cursor}"}}', media_type="application/json")


async def _stream(
    site: ServerState, selection: Selection, query: StreamQuery, last: StreamStart | None = None
) -> Response:
    after, topics = query.after, Topics.of_query(query.topics)
    reader, hello = await open_reader(site.tails, selection, query.names, topics, after, last=last)
    if after and hello.resume == "live" and reader.is_at_end:
        reader.leave()
        return Response(status_code=204)  # which tells a browser not to come back
    return EventStream(reader, hello, site)


class EventStream(Response):
    """Frames as server-sent events. Hand-made: a frame is encoded once for all its clients, and never parsed again."""

    media_type = "text/event-stream"

    def __init__(self, reader: Subscription, hello: Hello, site: ServerState) -> None:
        super().__init__(None, 200, {"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._reader = reader
        self._hello = hello
        self._meters = site.app.meters
        self._sessions = site.sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            ends = self._sessions.stream(self._reader.selection, self._reader.stop)
            with ends, self._meters.stream("sse") as dropped:
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                why = await self._run(receive, send, prefers_commands(Headers(scope=scope)))
                if why == "slow":
                    dropped()
                if why != "gone":
                    await self._part(scope, send, why)
        finally:
            self._reader.leave()

    async def _run(self, receive: Receive, send: Send, commands: bool) -> Why:
        async def put(sent: Sent) -> None:
            await send(_chunk(_event(sent.text, sent.cursor)))

        hello = words(self._reader, "hello", self._hello.payload(self._reader)).decode()
        await send(_chunk(f"retry: {RETRY_MILLISECONDS}\n".encode() + _event(hello, self._hello.cursor)))
        sending = asyncio.create_task(deliver(self._reader, put, commands=commands))
        leaving = asyncio.create_task(_left(receive))
        try:
            while True:
                wanted: set[asyncio.Future[Any]] = {sending, leaving, self._reader.stopped}
                done, _ = await asyncio.wait(wanted, timeout=PING_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if self._reader.stopped in done:
                    return self._reader.stopped.result()
                if sending in done:
                    return sending.result()
                if leaving in done:
                    return "gone"
                if not self._reader.is_busy:
                    await send(_chunk(b": ping\n\n"))
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _part(self, scope: Scope, send: Send, why: Why) -> None:
        kind = "end" if why in {"ended", "vanished", "signed-out"} else "reset"
        cursor = self._reader.cursor()
        try:
            async with asyncio.timeout(PARTING_SECONDS):
                text = words(self._reader, kind, {"after": cursor, "why": why}).decode()
                await send({"type": "http.response.body", "body": _event(text, cursor), "more_body": False})
        except TimeoutError:
            abort(scope.get("state"))


def _event(text: str, cursor: str) -> bytes:
    return f"id: {cursor}\ndata: {text}\n\n".encode()


def _chunk(body: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": True}


async def _left(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
