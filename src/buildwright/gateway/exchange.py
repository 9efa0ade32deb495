"""One exchange with a model, in no protocol's words: the request, the answer, their refusals. Must never do I/O."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from pydantic_core import from_json

Protocol = Literal["anthropic", "openai", "responses", "gemini"]
"""Anthropic's Messages, OpenAI's Chat Completions, OpenAI's Responses, and Gemini's generateContent."""

ProviderName = Literal["anthropic", "openai", "google"]


CHARS_PER_TOKEN = 4
"""For tokens that are not reported: roughly right for English and code."""

HOLD_HEADER = "x-hold-seconds"
"""A client's wish: how long its request may wait at the gateway before it is told to come again."""
AT_GATEWAY = "x-waited-at-gateway"
"""Says that a request only waited at the gateway, for a limit that another one has met."""


class DeclinedByProvider(Exception):
    """The gateway itself refuses a request. `final` tells the client not to try again.

    `kind` names the failure where its status says too little, and `wait` is after how many seconds to come again.
    """

    def __init__(
        self, status: int, message: str, *, final: bool = True, kind: str = "", wait: float | None = None
    ) -> None:
        self.status, self.message, self.final, self.kind, self.wait = status, message, final, kind, wait
        super().__init__(message)


class BrokenOff(Exception):
    """An answer breaks off: the provider was lost, or (`scripted`) the cassette says so."""

    def __init__(self, *, scripted: bool = False) -> None:
        self.scripted = scripted
        super().__init__("The answer breaks off.")


class ProviderError(NamedTuple):
    """An error in a body, or in an event in the middle of a stream."""

    type: str
    message: str


class Tokens(NamedTuple):
    """The tokens of one request. `input` excludes the cache; `cache_write_1h` is the dearer part of `cache_write`."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0


class ToolUse(NamedTuple):
    """One tool call in an answer. A tool that takes plain text has it as `{"input": text}`."""

    name: str
    input: dict[str, Any]


class Step(NamedTuple):
    """One step of a conversation: what a person said, or (`text` None) a round of the assistant with these tools."""

    text: str | None
    tools: tuple[str, ...] = ()


class TextRequest(NamedTuple):
    """What the gateway's own client asks: `turns` are pairs of role (`user` or `assistant`) and text."""

    model: str
    system: str
    turns: tuple[tuple[str, str], ...]
    max_tokens: int


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """The parts of a request that the gateway needs.

    `message` is how many messages of a person came before the last one (0 for the first), `turn` the assistant's rounds
    since that one. Both follow from the request alone, so that a retry or a resumed conversation gets the same answer.
    """

    protocol: Protocol
    model: str
    stream: bool
    message: int
    turn: int
    text: str
    """The last message of a person."""
    tools: tuple[str, ...]
    output_tool: str
    """The tool by which the client wants a structured answer, "" when it wants text."""
    used: tuple[str, ...]
    """The tools that the assistant has used since `text`."""
    counts_usage: bool
    """Whether the stream has usage unless we ask for it (False only in OpenAI's Chat Completions)."""
    size: int
    """Bytes of the request."""
    body: Mapping[str, Any]


def most_output(body: Mapping[str, Any]) -> int | None:
    """Return the most tokens that a request lets its answer have, in any protocol's words; None if it does not say."""
    inner = body.get("generationConfig")
    places = [body, inner] if isinstance(inner, dict) else [body]
    for name in ("max_completion_tokens", "max_tokens", "max_output_tokens", "maxOutputTokens"):
        for place in places:
            if isinstance(most := place.get(name), int) and not isinstance(most, bool) and most > 0:
                return most
    return None


ReadWhen = Literal["now", "later", "never"]
"""When an event of a stream must be read: at once; once the pieces of the answer must be known; not at all."""

AnswerEnd = Literal["", "refused", "output_limit"]
"""Why a model ended its answer before it was done, as the kind of failure that this is; "" if it did not."""


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """A model's answer: text, then tool calls. `id` is unique in a conversation, because clients match tools by it."""

    id: str
    model: str
    text: str
    calls: tuple[ToolUse, ...]
    tokens: Tokens
    ends: AnswerEnd = ""

    def call_id(self, index: int) -> str:
        """Return the id of a tool call."""
        return f"toolu_{self.id}{index:03d}"


class AnswerFrame(NamedTuple):
    """A piece of a stream: its bytes, and how many characters of the answer are in it."""

    data: bytes
    chars: int


@dataclass(slots=True)
class AnswerReader:
    """What has been read of one answer. Reading must never fail on what is not understood.

    `text`, `chars` and `calls` may lack what the stream has not had to read (`AnswerStream`).
    """

    protocol: Protocol
    model: str = ""
    tokens: Tokens | None = None
    """None until the provider reports usage."""
    text: list[str] = field(default_factory=list)
    stop: str = ""
    """Why the answer ended, in the protocol's own words."""
    done: bool = False
    """Whether the answer is complete."""
    error: ProviderError | None = None
    chars: int = 0
    """Characters of the answer, its thinking and its tool calls: what it is counted by where no usage came."""
    open_calls: dict[int, tuple[str, list[str]]] = field(default_factory=dict)
    """Name and pieces of JSON of each tool call, by its place."""

    @property
    def calls(self) -> tuple[ToolUse, ...]:
        """The tool calls so far, in order; one whose input is not an object has an empty input."""
        return tuple(ToolUse(name, json_object("".join(parts))) for _, (name, parts) in sorted(self.open_calls.items()))

    def say(self, text: object) -> str:
        """Add a piece of text, and return it; anything else adds nothing."""
        if not isinstance(text, str):
            return ""
        self.text.append(text)
        self.chars += len(text)
        return text

    def call(self, place: int, piece: object) -> None:
        """Add a piece of a tool call's input."""
        if place in self.open_calls and isinstance(piece, str):
            self.open_calls[place][1].append(piece)
            self.chars += len(piece)

    def think(self, text: object) -> None:
        """Count a piece of the model's thinking."""
        self.chars += len(text) if isinstance(text, str) else 0

    def fail(self, error: Mapping[str, Any], kind: str = "type") -> None:
        """Note the error that the answer ends with; `kind` is the field that holds its name."""
        self.error = ProviderError(str(error.get(kind) or ""), str(error.get("message") or "no reason given"))


def each_text(value: Any, change: Callable[[str], str], *, but: Collection[str] = ()) -> Any:
    """Return a JSON value with every string in it changed, except in objects of the types in `but`."""
    match value:
        case str():
            return change(value)
        case {"type": str() as kind} if kind in but:
            return value
        case dict():
            return {change(key): each_text(one, change, but=but) for key, one in value.items()}
        case list():
            return [each_text(one, change, but=but) for one in value]
        case _:
            return value


def json_object(text: str) -> dict[str, Any]:
    """Return the object in a JSON text, an empty one for anything else, such as `[DONE]`."""
    try:
        value = from_json(text, cache_strings="keys")
    except ValueError:
        # Half of a pair of surrogates, which only the library of Python takes.
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def unsaid(event: bytes, *names: bytes) -> bool:
    """Return whether none of these fields (in their quotes) has a value in an event's JSON: missing, or null.

    By its bytes alone: within a text a quote has a backslash before it, so that no text looks like a field.
    """
    for name in names:
        at = event.find(name)
        while at >= 0:
            at += len(name)
            if not event.startswith(_NULL, at):
                return False
            at = event.find(name, at)
    return True


_NULL = (b":null", b": null")


def event_begins(*kinds: str) -> tuple[bytes, ...]:
    """Return how the data lines of events of these types begin, where the type is the first field."""
    return tuple(f'data: {{"type":{space}"{kind}"'.encode() for kind in kinds for space in ("", " "))


def mapping(value: object) -> dict[str, Any]:
    """Return the value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> list[dict[str, Any]]:
    """Return the objects in a list; nothing for anything else."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def number(source: Mapping[str, Any], key: str, default: int = 0) -> int:
    """Return a count in an object."""
    value = source.get(key)
    return value if isinstance(value, int) and value >= 0 else default


def texts_of(content: object) -> str:
    """Return the text in a message's content: a string, or blocks that have `text`."""
    if isinstance(content, str):
        return content
    return "\n".join(str(block["text"]) for block in objects(content) if isinstance(block.get("text"), str))


def pieces_of(text: str, size: int) -> Iterator[str]:
    """Yield the text in pieces of at most `size` characters."""
    for start in range(0, len(text), size):
        yield text[start : start + size]


def data_event(body: object) -> bytes:
    """Return an event of a stream that has only data."""
    return b"data: " + json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n\n"


def named_event(name: str, body: Mapping[str, Any]) -> bytes:
    """Return an event of a stream with a name and data."""
    return b"event: " + name.encode() + b"\n" + data_event(body)


def leaves(value: object, *, but: Collection[str] = ()) -> Iterator[tuple[Any, Any]]:
    """Yield the place of every text in a JSON value (its holder and its key there), except in objects of the types in `but`."""
    if isinstance(value, dict):
        places: Any = () if value.get("type") in but else value.items()
    else:
        places = enumerate(value) if isinstance(value, list) else ()
    for key, one in places:
        if isinstance(one, str):
            yield value, key
        else:
            yield from leaves(one, but=but)
