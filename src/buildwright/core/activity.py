"""What an agent does while it works, as one typed stream: said, wrote, ran, heard, used tokens, saved, finished. Pure data.

Every agent, whatever program it is, yields these and nothing else; the last one is always `Finished`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from buildwright.core.record import Record

FailureKind = Literal[
    "rate_limit", "overloaded", "context_length", "timeout", "auth", "refused", "crashed", "unavailable", "no_change"
]


class Said(Record):
    """Text the agent wrote to us. `more`: it was cut within a line, which goes on in the next one."""

    type: Literal["said"] = "said"
    text: str
    more: bool = False


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
    """Something the agent's user should know that is not a failure (a malformed block, a retry)."""

    type: Literal["warned"] = "warned"
    text: str


class Saved(Record):
    """The agent could go on from here: from the lane as it is now and this (opaque) conversation.

    Until whoever reads the stream asks for the next activity, the agent changes nothing in its lane.
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


Activity = Annotated[Said | Wrote | Ran | Heard | UsedTokens | Warned | Saved | Finished, Field(discriminator="type")]
