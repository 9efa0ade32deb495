"""The protocols that agents and models speak, one module each. Must never do I/O.

A module reads its protocol's requests and answers, and writes answers and errors; nothing outside of it knows the
protocol's fields. A new protocol is one module and one line in `PROTOCOLS`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from typing import Protocol as Interface

from buildwright.gateway.exchange import (
    AnswerFrame,
    AnswerReader,
    DeclinedByProvider,
    ModelAnswer,
    ModelRequest,
    Protocol,
    ProviderName,
    ReadWhen,
    Step,
    TextRequest,
)
from buildwright.gateway.protocols import anthropic, chat, gemini, responses


class WireProtocol(Interface):
    """What a module of this package has."""

    PROVIDER: ProviderName
    """Whose key is used, and whose prices are looked up first."""

    def steps(self, body: Mapping[str, Any]) -> Iterator[Step]:
        """Yield the steps of the conversation in a request. Raises DeclinedByProvider(400) when it has none."""

    def tool_names(self, body: Mapping[str, Any]) -> Iterator[str]:
        """Yield the names of the tools that the client offers."""

    def chosen_tool(self, body: Mapping[str, Any]) -> str:
        """Return the tool that the client forces, `*` for any, "" for none."""

    def counts_usage(self, body: Mapping[str, Any]) -> bool:
        """Return whether the provider reports usage in a stream unasked."""

    def path(self, model: str) -> str:
        """Return the path of `question` below a door, with its query."""

    def error_body(self, status: int, message: str) -> dict[str, Any]:
        """Return an error's body."""

    def error_frame(self, status: int, message: str) -> bytes:
        """Return an error event for the middle of a stream."""

    def final_status(self, status: int) -> int:
        """Return the status that makes clients of this protocol stop asking, where `status` would not."""

    def whole(self, asked: ModelRequest, answer: ModelAnswer) -> dict[str, Any]:
        """Return the body that answers a request without a stream."""

    def frames(self, asked: ModelRequest, answer: ModelAnswer, size: int) -> Iterator[AnswerFrame]:
        """Yield the answer as a stream whose pieces hold at most `size` characters."""

    def when_read(self, event: bytes) -> ReadWhen:
        """Return when an event must be read, by its bytes: `now` unless it is sure that it only adds a piece, or repeats.

        What ends an answer, tells its usage for good or says an error is read now, and the beginning of a tool's call
        where the way the answer ended hangs on it. Which model answers may be known by a piece alone.
        """

    def read_event(self, reader: AnswerReader, body: dict[str, Any]) -> str:
        """Read the data of one event of a stream; return the text that it adds."""

    def read_whole(self, reader: AnswerReader, body: dict[str, Any]) -> None:
        """Read the answer to a request without a stream."""

    def texts(self, body: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
        """Yield the texts in one event of a stream: a key that joins the pieces of one text, its holder, its place there."""

    def question(self, asked: TextRequest) -> dict[str, Any]:
        """Return the body of a request for a streamed answer in text."""


PROTOCOLS: dict[Protocol, WireProtocol] = {
    "anthropic": anthropic,
    "openai": chat,
    "responses": responses,
    "gemini": gemini,
}


def read_request(protocol: Protocol, raw: bytes, *, model: str = "", stream: bool | None = None) -> ModelRequest:
    """Parse a request body. Raises DeclinedByProvider(400) when it is invalid.

    `model` and `stream` are for a protocol that has them in the address and not in the body.
    """
    body = read_body(raw)
    name = model or body.get("model")
    wire = PROTOCOLS[protocol]
    if not isinstance(name, str):
        raise DeclinedByProvider(400, "model: a name is required.")
    said, turn, text, used = 0, 0, "", list[str]()
    for step in wire.steps(body):
        if step.text is None:
            turn += 1
            used += step.tools
        else:
            said, turn, text, used = said + 1, 0, step.text, []
    tools = tuple(wire.tool_names(body))
    return ModelRequest(
        protocol=protocol,
        model=name,
        stream=body.get("stream") is True if stream is None else stream,
        message=max(said - 1, 0),
        turn=turn,
        text=text,
        tools=tools,
        output_tool=_output_tool(wire.chosen_tool(body), tools),
        used=tuple(used),
        counts_usage=wire.counts_usage(body),
        size=len(raw),
        body=body,
    )


def read_body(raw: bytes) -> dict[str, Any]:
    """Parse a request's JSON. Raises DeclinedByProvider(400) when it is no object."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise DeclinedByProvider(400, f"The request is not valid JSON: {error}") from error
    if not isinstance(body, dict):
        raise DeclinedByProvider(400, "The request is not a JSON object.")
    return body


def _output_tool(chosen: str, tools: tuple[str, ...]) -> str:
    """Return the forced tool, else `final_result`: pydantic-ai does not force it on models that cannot be forced."""
    if chosen in tools:
        return chosen
    for tool in tools:
        if tool.startswith("final_result"):
            return tool
    return tools[0] if chosen == "*" and len(tools) == 1 else ""
