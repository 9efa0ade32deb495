"""The activities of a working agent, as one typed stream. Pure data; must never name a particular agent program.

Every agent yields these and nothing else; the last one is always `Finished`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from buildwright.core.model_names import maker_of
from buildwright.core.record import Record

FailureKind = Literal[
    "rate_limit",
    "overloaded",
    "context_length",
    "output_limit",
    "request_limit",
    "budget",
    "timeout",
    "auth",
    "refused",
    "crashed",
    "unavailable",
    "unknown_model",
    "no_change",
]
MODEL_AWAY: tuple[FailureKind, ...] = ("overloaded", "unavailable", "unknown_model")
"""Failures of a model that the next request to it would meet again."""

_PROVIDER_SAYS: dict[str, tuple[str, str]] = {
    "auth": ("the provider refuses the key", "check {key}, in the environment or in .env"),
    "rate_limit": ("the provider allows no more requests now", "wait, or run fewer tasks at once"),
    "overloaded": ("the provider is overloaded", "wait a while, or name another model with --model"),
    "unavailable": ("the provider cannot be reached", "check the network and the address of the provider"),
    "unknown_model": ("the provider does not have the model", "name another one with --model"),
}
_KEYS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY", "google": "GEMINI_API_KEY"}


def key_fix(model: str) -> str:
    """Return what to do about a key that the provider of this model refuses."""
    return _PROVIDER_SAYS["auth"][1].format(key=_KEYS[maker_of(model)])


def provider_trouble(kind: FailureKind | str, told: str, model: str, fix: str = "") -> str:
    """Return what a provider's failure means, what was told of it, and the fix, naming the variable of its key.

    `fix` is that of a failure that is not the provider's.
    """
    says, fix = _PROVIDER_SAYS.get(kind, ("", fix))
    words = f"{says}: {told}" if says else told
    return f"{words} Fix: {fix.format(key=_KEYS[maker_of(model)])}" if fix else words


class Said(Record):
    """Text that the agent wrote to the user. `more`: it was cut within a line, which the next text continues."""

    type: Literal["said"] = "said"
    text: str
    more: bool = False


class Printed(Record):
    """A line of diagnostics that the agent's program wrote beside what it tells: neither its words nor a warning."""

    type: Literal["printed"] = "printed"
    text: str


class Wrote(Record):
    """A file the agent created, changed or deleted in its lane (path relative to the lane)."""

    type: Literal["wrote"] = "wrote"
    path: str
    size_bytes: int
    language: str = ""
    deleted: bool = False


class Ran(Record):
    """A command the agent ran (`exit_code` None while unknown). `output` is its tail."""

    type: Literal["ran"] = "ran"
    command: str
    exit_code: int | None = None
    output: str = ""


class Heard(Record):
    """The agent took in these messages of the user (ids of `message.sent`)."""

    type: Literal["heard"] = "heard"
    message_ids: tuple[str, ...]


class UsedTokens(Record):
    """What one model request cost. Input tokens exclude cache reads and writes. `cost_usd` None: price unknown."""

    type: Literal["used_tokens"] = "used_tokens"
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: Decimal | None = None


class Warned(Record):
    """A warning to the agent's user about something that is no failure (a malformed block, a retry)."""

    type: Literal["warned"] = "warned"
    text: str


class Compacted(Record):
    """The agent's conversation came near the model's limit, and its oldest turns were cut."""

    type: Literal["compacted"] = "compacted"
    cut: int
    """Number of messages that were cut."""
    tokens_before: int
    """Of the whole conversation, by the agent's own estimate."""
    tokens_after: int


class Saved(Record):
    """A point from which the agent can go on: the lane as it is now, and this (opaque) conversation.

    Until the reader of the stream asks for the next activity, nothing changes in the lane but what the conversation does not
    tell of yet, of an agent that goes on working.
    """

    type: Literal["saved"] = "saved"
    conversation: str


class Finished(Record):
    """The agent is done with this attempt. `conversation` is opaque and comes back with the next attempt."""

    type: Literal["finished"] = "finished"
    ok: bool
    summary: str = ""
    failure: FailureKind | None = None
    conversation: str | None = None


Activity = Annotated[
    Said | Printed | Wrote | Ran | Heard | UsedTokens | Warned | Compacted | Saved | Finished,
    Field(discriminator="type"),
]
