"""A server that speaks the Anthropic Messages protocol (streaming) and answers from a script. Stateless but for its record."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from aiohttp import web


@dataclass(frozen=True)
class Use:
    """The model calls a tool."""

    tool: str
    input: dict[str, Any]


@dataclass(frozen=True)
class Status:
    """The provider answers with an error."""

    status: int
    kind: str
    text: str = "no"


@dataclass(frozen=True)
class Ends:
    """The model's answer ends before its end, for this reason."""

    reason: str
    text: str = "I begin"


@dataclass(frozen=True)
class Broken:
    """The connection breaks off while the model answers."""

    text: str = "I begin"


Round: TypeAlias = list[str | Use] | Status | Ends | Broken | None
"""One answer: texts and tool calls; an error; one that is cut short, or breaks off; or None: no answer, ever."""


@dataclass
class FakeMessages:
    """The running server. `requests` holds every body, in order."""

    answer: Callable[[int, dict[str, Any]], Round]
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        self.headers.append(dict(request.headers))
        turn = sum(message["role"] == "assistant" for message in body["messages"])
        answer = self.answer(turn, body)
        if answer is None:
            await asyncio.sleep(3600)
        if isinstance(answer, Status):
            error = {"type": "error", "error": {"type": answer.kind, "message": answer.text}}
            return web.json_response(error, status=answer.status)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        parts: Sequence[str | Use] = [answer.text] if isinstance(answer, Ends | Broken) else answer or []
        ends = answer.reason if isinstance(answer, Ends) else "end_turn"
        events = _events(parts, turn, body["model"], ends)
        for event in events[:3] if isinstance(answer, Broken) else events:
            await response.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        if isinstance(answer, Broken) and request.transport is not None:
            request.transport.abort()
            return response
        await response.write_eof()
        return response


def _events(answer: Sequence[str | Use], turn: int, model: str, ends: str) -> list[dict[str, Any]]:
    uses = any(isinstance(part, Use) for part in answer)
    message: dict[str, Any] = {
        "id": f"msg_{turn}", "type": "message", "role": "assistant", "model": model, "content": [], "stop_reason": None,
        "stop_sequence": None, "usage": {"input_tokens": 100, "output_tokens": 1, "cache_read_input_tokens": 20,
                                         "cache_creation_input_tokens": 10},
    }  # fmt: skip
    events: list[dict[str, Any]] = [{"type": "message_start", "message": message}]
    for index, part in enumerate(answer):
        if isinstance(part, str):
            block: dict[str, Any] = {"type": "text", "text": ""}
            delta: dict[str, Any] = {"type": "text_delta", "text": part}
        else:
            block = {"type": "tool_use", "id": f"toolu_{turn}_{index}", "name": part.tool, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(part.input)}
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events.append({"type": "content_block_delta", "index": index, "delta": delta})
        events.append({"type": "content_block_stop", "index": index})
    stop = {"stop_reason": "tool_use" if uses else ends, "stop_sequence": None}
    events.append({"type": "message_delta", "delta": stop, "usage": {"output_tokens": 50}})
    events.append({"type": "message_stop"})
    return events


@asynccontextmanager
async def serving(answer: Callable[[int, dict[str, Any]], Round]) -> AsyncIterator[FakeMessages]:
    """A server on a free port of 127.0.0.1. `answer(turn, body)`: turn counts the assistant's messages so far."""
    fake = FakeMessages(answer)
    app = web.Application(client_max_size=2**26)
    app.router.add_post("/v1/messages", fake.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    fake.url = f"http://{host}:{port}"
    try:
        yield fake
    finally:
        await runner.cleanup()
