"""The advisor that turns a spec into a checked task graph by asking a model. Must never touch a file or the user's key.

The model is reached only through the door it is given; the libraries that speak its protocol are imported at the first
call. The prompt is a pure function of spec and context: the same input gives the same bytes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module, resources
from typing import TYPE_CHECKING, Final, NoReturn

from pydantic import Field, ValidationError, field_validator

from buildwright.advisors.paths import path_problem
from buildwright.core.graph import Graph, compile_plan
from buildwright.core.model_names import DEFAULT_MODEL
from buildwright.core.record import Record, TaskId
from buildwright.core.spec import Spec
from buildwright.core.task import Task, TaskAction
from buildwright.errors import BadGraph, ModelFailed
from buildwright.ports import Door

if TYPE_CHECKING:
    from pydantic_ai import Agent, RunContext
    from pydantic_ai.models import Model

CONTEXT_LIMIT: Final = 60_000
"""Characters of repository context that go into the prompt; more is cut at the end and said so."""

ANSWER_TOKENS: Final = 32_000
"""Room for the plan: some 150 tasks. A door that reserves budget reserves this much."""

REQUEST_SECONDS: Final = 900.0
"""Longest time for one answer of the model."""


class PlannedTask(Record):
    """One task of the plan."""

    id: TaskId
    title: str = Field(min_length=1, max_length=200)
    goal: str = Field(min_length=1)
    action: TaskAction = "change"
    requirements: tuple[str, ...] = ()
    acceptance: tuple[str, ...] = Field(min_length=1)
    depends_on: tuple[TaskId, ...] = ()
    files_expected: tuple[str, ...] = Field(min_length=1)
    milestone: str = ""
    priority: int = 0
    critical: bool = False
    minutes: float = Field(default=10.0, gt=0)

    @field_validator("files_expected")
    @classmethod
    def _inside_the_repository(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        for path in paths:
            if problem := path_problem(path):
                raise ValueError(f"{path!r} {problem}")
        return paths


class PlannedGraph(Record):
    """The whole plan."""

    tasks: tuple[PlannedTask, ...] = Field(min_length=1)
    milestones: tuple[str, ...] = ()
    notes: str = ""

    def graph(self) -> Graph:
        """The plan as the engine's record, unchecked."""
        tasks = tuple(Task.model_validate(task.model_dump()) for task in self.tasks)
        return Graph(tasks=tasks, milestones=self.milestones, notes=self.notes)


class ModelPlanner:
    """Implements the port `Planner` with pydantic-ai. `retries` bounds repeated requests after a transport failure."""

    def __init__(self, retries: int = 2) -> None:
        self._retries = retries

    async def plan(self, spec: Spec, context: str, model: str, door: Door) -> Graph:
        """Ask for a plan, with one repair turn when it is no graph.

        Raises ModelFailed with its kind, or BadGraph when the repaired answer is still wrong.
        """
        # The libraries take seconds to import; a thread keeps the loop turning, and with it every other lane.
        await asyncio.to_thread(_import_libraries, model or DEFAULT_MODEL)
        from pydantic_ai.exceptions import AgentRunError

        rejected: list[BadGraph] = []
        async with _open_model(model or DEFAULT_MODEL, door, self._retries) as connected:
            agent = _make_agent(connected, rejected)
            try:
                result = await agent.run(planner_prompt(spec, context), event_stream_handler=_read_on)
            except AgentRunError as error:
                _raise_ours(error, rejected)
        return result.output.graph()


def planner_prompt(spec: Spec, context: str) -> str:
    """The user's side of the request: spec and repository, each fenced as data. Pure."""
    parts = [f"# Specification: {spec.title}", _fenced(_spec_text(spec))]
    if context.strip():
        shown = context
        if len(context) > CONTEXT_LIMIT:
            shown = f"{context[:CONTEXT_LIMIT]}\n[cut: {len(context) - CONTEXT_LIMIT} more characters]"
        parts += ["# The repository as it is now", _fenced(shown)]
    else:
        parts.append("# The repository is empty")
    return "\n\n".join(parts) + "\n"


def _spec_text(spec: Spec) -> str:
    pieces = [spec.text.strip()] if spec.text.strip() else []
    if spec.form == "interview":
        # The artifacts as validated say all that the raw text said, without its layout.
        pieces = []
    for name, artifact in (
        ("brief", spec.brief),
        ("build plan", spec.build_plan),
        ("product document", spec.product_doc),
    ):
        if artifact is not None:
            pieces.append(f"{name}:\n{artifact.model_dump_json(indent=2, exclude_defaults=True)}")
    return "\n\n".join(pieces) or spec.title


def _fenced(text: str) -> str:
    # One backtick more than any run inside, so that no text can close its own fence.
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _make_agent(model: Model, rejected: list[BadGraph]) -> Agent[None, PlannedGraph]:
    from pydantic_ai import Agent, ModelRetry, ToolOutput

    instructions = resources.files("buildwright.advisors.prompts").joinpath("planner.md").read_text(encoding="utf-8")
    agent: Agent[None, PlannedGraph] = Agent(
        model,
        output_type=ToolOutput(PlannedGraph, name="final_result"),
        instructions=instructions,
        name="planner",
        deps_type=type(None),
        retries={"output": 1},
        model_settings={"request_timeout": REQUEST_SECONDS, "max_tokens": ANSWER_TOKENS},
    )

    @agent.output_validator
    def check(planned: PlannedGraph) -> PlannedGraph:
        try:
            compile_plan(planned.graph())
        except BadGraph as error:
            rejected.append(error)
            raise ModelRetry(
                f"This plan cannot be built. {error} To mend it: {error.fix}. Send the whole plan."
            ) from error
        rejected.clear()
        return planned

    return agent


@asynccontextmanager
async def _open_model(name: str, door: Door, retries: int) -> AsyncIterator[Model]:
    import httpx2

    # The door is on this machine: a proxy named in the environment must not be asked for it.
    async with httpx2.AsyncClient(trust_env=False, timeout=httpx2.Timeout(REQUEST_SECONDS, connect=10.0)) as client:
        if _is_openai(name):
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
    provider = "openai" if _is_openai(name) else "anthropic"
    import_module(f"pydantic_ai.models.{provider}")
    import_module(f"pydantic_ai.providers.{provider}")


def _is_openai(name: str) -> bool:
    return re.match(r"(gpt-|chatgpt-|o\d)", name) is not None


def _raise_ours(error: Exception, rejected: list[BadGraph]) -> NoReturn:
    """Raise the error of our tree that says what the library's error means."""
    from pydantic_ai import exceptions as theirs

    kinds: tuple[tuple[type[Exception], str, str], ...] = (
        (theirs.ModelRateLimitError, "rate_limit", "wait a while, then resume the build"),
        (theirs.ModelQuotaExceededError, "auth", "check the credit and limits of the provider's account, then resume"),
        (theirs.ModelOverloadedError, "overloaded", "wait a while, then resume the build"),
        (
            theirs.ModelContextWindowExceededError,
            "context_length",
            "split the spec, or choose a model with a larger window",
        ),
        (theirs.ModelAuthenticationError, "auth", "check the provider's key, then resume the build"),
        (theirs.ModelNotFoundError, "refused", "choose another model with --planner-model"),
        (theirs.ModelRequestRejectedError, "refused", "read the message above; another model may accept the request"),
        (theirs.ModelTimeoutError, "timeout", "resume the build to ask again"),
        (theirs.ModelRequestTimeout, "timeout", "resume the build to ask again"),
        (theirs.ModelAPIError, "unavailable", "check the connection to the provider, then resume the build"),
        (theirs.ContentFilterError, "refused", "reword the spec, or choose another model"),
        (theirs.OutputTokenLimitExceeded, "context_length", "split the spec into smaller ones"),
    )
    for kind_of_error, kind, fix in kinds:
        if isinstance(error, kind_of_error):
            raise ModelFailed(f"The model did not deliver a plan: {_told(error)}", kind=kind, fix=fix) from error
    if rejected:
        last = rejected[-1]
        message = f"the model's plan is no graph, even after a second try: {last}"
        raise BadGraph(message, fix=f"{last.fix}; or build again, or write the task list yourself") from error
    if "output retries" in str(error):
        problem = _shape_problem(error)
        message = f"the model's plan has the wrong form, even after a second try: {problem}"
        raise BadGraph(message, fix="build again, try another model, or write the task list yourself") from error
    raise ModelFailed(
        f"The model did not deliver a plan: {_told(error)}", kind="unavailable", fix="resume the build to ask again"
    ) from error


async def _read_on(_: RunContext[None], events: AsyncIterable[object]) -> None:
    # A handler makes the library stream, so that no proxy on the way takes a long answer for a dead connection.
    async for _event in events:
        pass


def _told(error: Exception) -> str:
    """The provider's own words where it sent some, on one line."""
    match getattr(error, "body", None):
        case {"error": {"message": str(words)}} | {"message": str(words)}:
            pass
        case _:
            words = str(error)
    status = getattr(error, "status_code", None)
    told = " ".join(words.split())[:500]
    return f"{told} (HTTP {status})" if status else told


def _shape_problem(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ValidationError):
            first = cause.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            return f"{where}: {first['msg']}" if where else first["msg"]
        cause = cause.__cause__
    return "it did not call the tool that takes the plan"
