"""A language model behind a door of the gateway, as a stream of text. Must never hold a key or call a provider."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Literal

from buildwright.core.activity import FailureKind
from buildwright.core.model_names import DEFAULT_MODEL
from buildwright.errors import ModelFailed
from buildwright.gateway.exchange import AT_GATEWAY, HOLD_HEADER, AnswerReader, Protocol, ProviderError, TextRequest
from buildwright.gateway.failures import failure_kind, within
from buildwright.gateway.parse import EventScanner, TooLong, read_body, read_event
from buildwright.gateway.protocols import PROTOCOLS
from buildwright.gateway.upstream import ANTHROPIC_VERSION, protocol_of
from buildwright.ports import ModelEndpoint, Spent, Stopped, Text, Turn

if TYPE_CHECKING:
    import aiohttp

LONGEST_DELAY = 30.0
"""Longest pause between two tries in seconds, unless the provider asks for more."""

_FIXES: dict[FailureKind, str] = {
    "auth": "Check the provider's key in the environment or in .env.",
    "context_length": "Make the task smaller, or name a model with a longer context.",
    "rate_limit": "Wait, or run fewer tasks at once.",
    "overloaded": "Wait a while, or name another model.",
    "unknown_model": "Name another model.",
    "timeout": "Try again; if it stays, name another model.",
}

_log = logging.getLogger(__name__)


class _Again(Exception):
    """A failed try that is worth repeating. `wait` is what the provider asked for, in seconds.

    `at_gateway`: it was no try, for it only waited at the gateway for the end of a limit.
    """

    def __init__(self, failure: ModelFailed, wait: float | None = None, *, at_gateway: bool = False) -> None:
        self.failure, self.wait, self.at_gateway = failure, wait, at_gateway
        super().__init__(str(failure))


class GatewayModel:
    """Asks models through a door.

    `read_seconds` is the longest silence of one try, `tries` the number of tries for one answer, `delay` the first
    pause between them (it doubles), `patience` the seconds that all tries together may take.
    """

    def __init__(
        self, read_seconds: float = 120.0, tries: int = 4, delay: float = 0.5, patience: float = 600.0
    ) -> None:
        self._read_seconds = read_seconds
        self._tries = tries
        self._delay = delay
        self._patience = patience

    async def stream(
        self, door: ModelEndpoint, model: str, system: str, turns: Sequence[Turn], max_tokens: int = 32_000
    ) -> AsyncIterator[Text | Spent | Stopped]:
        """Stream one answer. Raises ModelFailed; a failed try is repeated only if no text has come yet."""
        name = model or DEFAULT_MODEL
        protocol = protocol_of(name)
        asked = TextRequest(name, system, tuple((turn.role, turn.text) for turn in turns), max_tokens)
        give_up_at = time.monotonic() + self._patience
        number = 0
        while True:
            spoke, number, began = False, number + 1, time.monotonic()
            try:
                async with aclosing(self._try(door, protocol, asked)) as pieces:
                    async for piece in pieces:
                        spoke = spoke or isinstance(piece, Text)
                        yield piece
                return
            except _Again as again:
                pause = self._pause(number, again.wait)
                if again.at_gateway:
                    number, give_up_at = number - 1, give_up_at + time.monotonic() - began
                    continue
                if spoke or number == self._tries or time.monotonic() + pause > give_up_at:
                    raise again.failure from again
                _log.info("Asking the model again in %.1f s: %s", pause, again.failure)
            await asyncio.sleep(pause)

    def _pause(self, number: int, asked_for: float | None) -> float:
        if asked_for is not None:
            return asked_for
        # Spread out, because many lanes are refused at the same moment.
        return min(self._delay * 2.0 ** (number - 1), LONGEST_DELAY) * random.uniform(0.75, 1.25)  # noqa: S311

    async def _try(
        self, door: ModelEndpoint, protocol: Protocol, asked: TextRequest
    ) -> AsyncGenerator[Text | Spent | Stopped, None]:
        import aiohttp

        wire = PROTOCOLS[protocol]
        headers = {"Authorization": f"Bearer {door.token}", "Content-Type": "application/json"}
        headers[HOLD_HEADER] = f"{self._read_seconds * 0.8:g}"
        raw = json.dumps(wire.question(asked), ensure_ascii=False).encode("utf-8", "replace")
        if protocol == "anthropic":
            headers["anthropic-version"] = ANTHROPIC_VERSION
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=self._read_seconds)
        reader = AnswerReader(protocol)
        try:
            async with (
                # The door is on this machine: no proxy from the environment.
                aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
                # A file, because aiohttp warns about large bytes.
                session.post(
                    door.url + wire.path(asked.model), data=io.BytesIO(raw), headers=headers, allow_redirects=False
                ) as response,
            ):
                if response.status != 200:
                    raise _refused(response.status, response.headers, await _problem(protocol, response))
                scanner = EventScanner()
                async for data in response.content.iter_any():
                    for event in scanner.feed(data):
                        if text := read_event(reader, event):
                            yield Text(text)
                        if reader.error is not None:
                            raise _failed_within(reader.error)
        except TimeoutError as error:
            message = f"The model was silent for {self._read_seconds:g} s."
            raise _Again(ModelFailed(message, kind="timeout", fix=_FIXES["timeout"])) from error
        except aiohttp.ClientPayloadError as error:
            raise _Again(ModelFailed("The model's answer broke off.", kind="unavailable")) from error
        except (aiohttp.ClientError, OSError) as error:
            message = f"The gateway is not reached: {type(error).__name__}."
            raise _Again(ModelFailed(message, kind="unavailable")) from error
        except TooLong as error:
            raise ModelFailed("The model's answer is not a stream of events.", kind="unavailable") from error
        if not reader.done or not reader.stop:
            raise _Again(ModelFailed("The model's answer broke off.", kind="unavailable"))
        if reader.tokens is not None:
            tokens = reader.tokens
            answered = reader.model or asked.model
            yield Spent(answered, tokens.input, tokens.output, tokens.cache_read, tokens.cache_write)
        yield Stopped(_reason(reader.stop))


def _reason(stop: str) -> Literal["end", "length", "refused"]:
    if stop in {"max_tokens", "length", "model_context_window_exceeded"}:
        return "length"
    return "refused" if stop in {"refusal", "content_filter"} else "end"


async def _problem(protocol: Protocol, response: aiohttp.ClientResponse) -> tuple[ProviderError, bool]:
    """Return the error in a response's body, and whether the client may try again."""
    reader = AnswerReader(protocol)
    raw = await response.content.read(65_536)
    read_body(reader, raw)
    error = reader.error or ProviderError("", raw.decode("utf-8", "replace").strip()[:300] or "no reason given")
    return error, response.headers.get("x-should-retry") != "false"


def _refused(status: int, headers: Mapping[str, str], problem: tuple[ProviderError, bool]) -> Exception:
    error, may_retry = problem
    kind = failure_kind(status, error)
    failure = ModelFailed(f"The request failed ({status}): {error.message}", kind=kind, fix=_FIXES.get(kind))
    again = may_retry and (status in {408, 409, 429} or status >= 500) and error.type != "insufficient_quota"
    if not again:
        return failure
    return _Again(failure, _seconds(headers.get("retry-after")), at_gateway=AT_GATEWAY in headers)


def _failed_within(error: ProviderError) -> Exception:
    kind = within(error)
    failure = ModelFailed(f"The model failed in its answer: {error.message}", kind=kind, fix=_FIXES.get(kind))
    return _Again(failure) if kind in {"rate_limit", "overloaded", "unavailable"} else failure


def _seconds(retry_after: str | None) -> float | None:
    try:
        return max(0.0, float(retry_after)) if retry_after is not None else None
    except ValueError:
        # An HTTP date, which no model provider sends: the usual pause is used.
        return None
