"""A fake provider on 127.0.0.1 that speaks all protocols and remembers what reached it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from aiohttp import web

from buildwright.ports import Purse, PurseName

ANTHROPIC_KEY = "sk-ant-api03-upstream-key-0123456789"
OPENAI_KEY = "sk-proj-upstream-key-0123456789abcdef"
GEMINI_KEY = "AIza-upstream-key-0123456789abcdef"


def of_build(most: Decimal, spent: Decimal = Decimal(0), build: str = "b1") -> tuple[Purse, ...]:
    """The purse of a build."""
    return (Purse(PurseName("build", build), most, spent),)


def sse(*bodies: dict[str, Any] | str) -> list[bytes]:
    out = []
    for body in bodies:
        if isinstance(body, str):
            out.append(f"data: {body}\n\n".encode())
        else:
            name = f"event: {body['type']}\n" if "type" in body else ""
            out.append(f"{name}data: {json.dumps(body)}\n\n".encode())
    return out


def anthropic_stream(*pieces: str, stop: str = "end_turn", output: int = 7, **usage: Any) -> list[bytes]:
    used = {"input_tokens": 100, "output_tokens": 1, **usage}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929"}
    return sse(
        {"type": "message_start", "message": message | {"content": [], "stop_reason": None, "usage": used}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
            for piece in pieces
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": output}},
        {"type": "message_stop"},
    )


def openai_stream(*pieces: str, usage: dict[str, Any] | None = None) -> list[bytes]:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5-2025-08-07"}
    chunks: list[dict[str, Any] | str] = [
        head | {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]} for piece in pieces
    ]
    chunks.append(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if usage is not None:
        chunks.append(head | {"choices": [], "usage": usage})
    return sse(*chunks, "[DONE]")


def responses_stream(*pieces: str, **usage: Any) -> list[bytes]:
    head = {"id": "resp_1", "object": "response", "model": "gpt-5-2025-08-07", "output": []}
    part = {"type": "message", "id": "msg_1", "role": "assistant", "content": []}
    used = {"input_tokens": 100, "output_tokens": 7, **usage}
    return sse(
        {"type": "response.created", "response": head | {"status": "in_progress"}},
        {"type": "response.output_item.added", "output_index": 0, "item": part},
        *(
            {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0}
            | {"delta": piece}
            for piece in pieces
        ),
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": part | {"content": [{"type": "output_text", "text": "".join(pieces)}]},
        },
        {"type": "response.completed", "response": head | {"status": "completed", "usage": used}},
    )


def gemini_stream(*pieces: str, **usage: Any) -> list[bytes]:
    def chunk(text: str, **more: Any) -> dict[str, Any]:
        candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0, **more}
        return {"candidates": [candidate], "modelVersion": "gemini-2.5-flash"}

    used = {"promptTokenCount": 100, "candidatesTokenCount": 7, "totalTokenCount": 107, **usage}
    ending = chunk(pieces[-1], finishReason="STOP") | {"usageMetadata": used}
    return sse(*(chunk(piece) for piece in pieces[:-1]), ending)


class Provider:
    """Answers with what `script` holds, one item per request; the last one repeats.

    Models that `by_model` names have a script of their own there.

    An item is a list of stream pieces (`None` in it breaks the connection, a number waits), a dict (JSON body), or
    (status, headers, dict).
    """

    def __init__(self) -> None:
        self.script: list[Any] = []
        self.by_model: dict[str, list[Any]] = {}
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.cancelled = asyncio.Event()
        self.url = ""

    def environment(self) -> dict[str, str]:
        return {
            "ANTHROPIC_API_KEY": ANTHROPIC_KEY,
            "ANTHROPIC_BASE_URL": self.url,
            "OPENAI_API_KEY": OPENAI_KEY,
            "OPENAI_BASE_URL": f"{self.url}/v1",
            "GEMINI_API_KEY": GEMINI_KEY,
            "GOOGLE_GEMINI_BASE_URL": self.url,
        }

    def asked(self) -> list[str]:
        """The model of each request."""
        return [str(body.get("model", "")) for _, _, body in self.requests]

    def _next(self) -> Any:
        model = self.asked()[-1]
        script = self.by_model.get(model, self.script)
        number = self.asked().count(model) if model in self.by_model else len(self.requests)
        return script[min(number, len(script)) - 1]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.path_qs, headers, await request.json()))
        item = self._next()
        if isinstance(item, dict):
            return web.json_response(item)
        if isinstance(item, tuple):
            status, extra, body = item
            return web.json_response(body, status=status, headers=extra)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "request-id": "req_42"})
        await response.prepare(request)
        try:
            for piece in item:
                if piece is None:
                    assert request.transport is not None
                    request.transport.close()
                    raise ConnectionResetError
                if isinstance(piece, asyncio.Event):
                    await piece.wait()
                else:
                    await response.write(piece)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return response


@asynccontextmanager
async def running_provider() -> AsyncIterator[Provider]:
    provider = Provider()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.add_routes([web.post("/{rest:.*}", provider.answer)])
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield provider
    finally:
        await runner.cleanup()
