"""Asks a model through its door with pydantic-ai, and translates the library's errors. Must never hold a prompt.

The libraries for the providers' protocols are imported at the first call.
"""

from __future__ import annotations

import asyncio
import gc
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from buildwright.advisors.instructions import instruction_digests, instructions_of
from buildwright.core.activity import key_fix
from buildwright.core.model_names import DEFAULT_MODEL, maker_of
from buildwright.errors import BuildwrightError, ModelFailed
from buildwright.ports import ModelEndpoint

if TYPE_CHECKING:
    from pydantic_ai import RunContext
    from pydantic_ai.models import Model

REQUEST_SECONDS: Final = 900.0
"""Longest time for one answer of the model."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Advisor(Generic[T]):
    """One kind of question to a model, answered by a record.

    `name` is also that of its file of instructions, `tool` the tool that takes the answer, and `tokens` the room for
    it, which a door that reserves budget reserves.
    """

    name: str
    output: type[T]
    tool: str
    tokens: int

    @property
    def digest(self) -> str:
        """SHA-256 of its instructions, in hexadecimal."""
        return instruction_digests()[self.name]

    async def ask(
        self,
        prompt: str,
        model: str,
        door: ModelEndpoint,
        *,
        retries: int,
        failed: Callable[[Exception], BuildwrightError],
        check: Callable[[T], T] | None = None,
        partly: Callable[[dict[str, Any]], None] | None = None,
    ) -> T:
        """Return the model's answer, after one repair turn when it has the wrong form or `check` raises ModelRetry.

        `retries` bounds repeated requests after transport failures. `partly` gets the answer as far as it has come, each
        time that more of it has. Raises what `failed` makes of the library's error.
        """
        name = model or DEFAULT_MODEL
        # In a thread: the libraries take seconds to import, and would block the event loop for every other lane.
        await asyncio.to_thread(_import_libraries, name)
        from pydantic_ai import Agent, ToolOutput
        from pydantic_ai.exceptions import AgentRunError

        async with _open_model(name, door, retries) as connected:
            agent: Agent[None, T] = Agent(
                connected,
                output_type=ToolOutput(self.output, name=self.tool),
                instructions=instructions_of(self.name),
                name=self.name,
                deps_type=type(None),
                retries={"output": 1},
                model_settings={"request_timeout": REQUEST_SECONDS, "max_tokens": self.tokens},
            )
            if check is not None:
                agent.output_validator(check)
            try:
                return (await agent.run(prompt, event_stream_handler=partial(_read_on, partly=partly))).output
            except AgentRunError as error:
                raise failed(error) from error


@asynccontextmanager
async def _open_model(name: str, door: ModelEndpoint, retries: int) -> AsyncIterator[Model]:
    """Yield the model behind the door; `retries` bounds repeated requests after a transport failure."""
    import httpx2

    # The door is on this machine: a proxy from the environment must not be used for it.
    async with httpx2.AsyncClient(trust_env=False, timeout=httpx2.Timeout(REQUEST_SECONDS, connect=10.0)) as client:
        if maker_of(name) == "openai":
            from openai import AsyncOpenAI
            from pydantic_ai.models.openai import OpenAIChatModel
            from pydantic_ai.providers.openai import OpenAIProvider

            openai = AsyncOpenAI(
                api_key=door.token,
                base_url=f"{door.url}/v1",
                http_client=client,
                max_retries=retries,
                timeout=REQUEST_SECONDS,
            )
            yield OpenAIChatModel(name, provider=OpenAIProvider(openai_client=openai))
        else:
            from anthropic import AsyncAnthropic
            from pydantic_ai.models.anthropic import AnthropicModel
            from pydantic_ai.providers.anthropic import AnthropicProvider

            anthropic = AsyncAnthropic(
                api_key=door.token, base_url=door.url, http_client=client, max_retries=retries, timeout=REQUEST_SECONDS
            )
            yield AnthropicModel(name, provider=AnthropicProvider(anthropic_client=anthropic))


def _import_libraries(name: str) -> None:
    """Import what asking this model needs. Takes seconds: call it in a thread."""
    provider = "openai" if maker_of(name) == "openai" else "anthropic"
    # Nothing of three thousand modules is garbage: looking for some among them takes a fifth of the time.
    collects = gc.isenabled()
    gc.disable()
    try:
        import_module(f"pydantic_ai.models.{provider}")
        import_module(f"pydantic_ai.providers.{provider}")
        # On a terminal the library would introduce itself; what stands there is the command's own.
        vars(import_module("pydantic_ai"))["BANNER_ENABLED"] = False
    finally:
        if collects:
            gc.enable()


def fenced(text: str) -> str:
    """Return the text fenced as data for a prompt."""
    # One backtick more than any run inside, so that no text can close its own fence.
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def middle_cut(text: str, limit: int) -> str:
    """Return the text without its middle, and a mark in its place, if it has more than `limit` characters."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n[cut: {len(text) - 2 * half} characters]\n{text[-half:]}"


def model_failure(error: Exception, what: str) -> ModelFailed | None:
    """Return our error for the library's error; None when that is about the answer's form."""
    from pydantic_ai import exceptions as theirs

    kinds: tuple[tuple[type[Exception], str, str], ...] = (
        (theirs.ModelRateLimitError, "rate_limit", "wait a while, then try again"),
        (theirs.ModelQuotaExceededError, "auth", "check the credit and limits of the provider's account"),
        (theirs.ModelOverloadedError, "overloaded", "wait a while, then try again"),
        (
            theirs.ModelContextWindowExceededError,
            "context_length",
            "split the spec, or choose a model with a larger window",
        ),
        (theirs.ModelAuthenticationError, "auth", key_fix(getattr(error, "model_name", ""))),
        (theirs.ModelNotFoundError, "unknown_model", "choose another model with --planner-model"),
        (theirs.ModelRequestRejectedError, "refused", "read the message above; another model may accept the request"),
        (theirs.ModelTimeoutError, "timeout", "try again; if it stays, name another model"),
        (theirs.ModelRequestTimeout, "timeout", "try again; if it stays, name another model"),
        (theirs.ModelAPIError, "unavailable", "check the network and the address of the provider"),
        (theirs.ContentFilterError, "refused", "reword the spec, or choose another model"),
        (theirs.OutputTokenLimitExceeded, "context_length", "split the spec into smaller ones"),
    )
    for kind_of_error, kind, fix in kinds:
        if isinstance(error, kind_of_error):
            return ModelFailed(f"The model did not deliver {what}: {told(error)}", kind=kind, fix=fix)
    return None


def failure_of(error: Exception, what: str) -> ModelFailed:
    """Return our error for the library's error, also for an answer of the wrong form."""
    if (failure := model_failure(error, what)) is not None:
        return failure
    if "output retries" in str(error):
        problem = shape_problem(error)
        message = f"the model delivered {what} of the wrong form, even after a second try: {problem}"
        return ModelFailed(message, kind="wrong_form")
    return ModelFailed(f"the model did not deliver {what}: {told(error)}", kind="unavailable")


async def _read_on(
    _: RunContext[None], events: AsyncIterable[object], *, partly: Callable[[dict[str, Any]], None] | None
) -> None:
    """Read a stream to its end."""
    # With a handler the library streams, so that no proxy on the way takes a long answer for a dead connection.
    from pydantic_ai.messages import PartDeltaEvent, PartStartEvent, ToolCallPart, ToolCallPartDelta

    said = ""
    async for event in events:
        if partly is None:
            continue
        match event:
            case PartStartEvent(part=ToolCallPart(args=begin)):
                said = begin if isinstance(begin, str) else ""
            case PartDeltaEvent(delta=ToolCallPartDelta(args_delta=str(more))):
                said += more
            case _:
                continue
        with suppress(ValueError):  # nothing of it can be read yet
            if isinstance(answer := from_json(said, allow_partial="trailing-strings"), dict):
                partly(answer)


def told(error: Exception) -> str:
    """Return the provider's own message if it sent one, on one line."""
    match getattr(error, "body", None):
        case {"error": {"message": str(words)}} | {"message": str(words)}:
            pass
        case _:
            words = str(error)
    status = getattr(error, "status_code", None)
    said = " ".join(words.split())[:500]
    return f"{said} (HTTP {status})" if status else said


def shape_problem(error: BaseException) -> str:
    """Return what was wrong with an answer that does not fit its record."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ValidationError):
            first = cause.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            return f"{where}: {first['msg']}" if where else first["msg"]
        cause = cause.__cause__
    return "it did not call the tool that takes the answer"
