"""The advisor that says why a build is stuck, by asking a model. Must never touch a file or the user's key.

It gets what the engine collected (tasks, error history, log) as data, cut in the middle to a bound: the tasks and first
errors are at the beginning, the newest lines at the end.
"""

from __future__ import annotations

import asyncio
from typing import Final

from buildwright.advisors.asking import (
    REQUEST_SECONDS,
    fenced,
    import_libraries,
    instructions,
    model_failure,
    open_model,
    read_on,
    shape_problem,
    told,
)
from buildwright.core.finding import Diagnosis
from buildwright.core.model_names import DEFAULT_MODEL
from buildwright.errors import ModelFailed
from buildwright.ports import Door

CONTEXT_LIMIT: Final = 60_000
"""Characters of the context that go into the prompt."""

ANSWER_TOKENS: Final = 4_000
"""Room for the diagnosis. A door that reserves budget reserves this much."""


class ModelDiagnoser:
    """Implements the port `Diagnoser` with pydantic-ai. `retries` bounds repeated requests after transport failures."""

    def __init__(self, retries: int = 2) -> None:
        self._retries = retries

    async def diagnose(self, context: str, model: str, door: Door) -> Diagnosis:
        """Ask for the cause, with one repair turn if the answer has the wrong form. Raises ModelFailed and its kind."""
        # In a thread: the libraries take seconds to import, and would block the event loop for every other lane.
        await asyncio.to_thread(import_libraries, model or DEFAULT_MODEL)
        from pydantic_ai import Agent, ToolOutput
        from pydantic_ai.exceptions import AgentRunError

        async with open_model(model or DEFAULT_MODEL, door, self._retries) as connected:
            agent: Agent[None, Diagnosis] = Agent(
                connected,
                output_type=ToolOutput(Diagnosis, name="final_result_diagnosis"),
                instructions=instructions("diagnoser.md"),
                name="diagnoser",
                deps_type=type(None),
                retries={"output": 1},
                model_settings={"request_timeout": REQUEST_SECONDS, "max_tokens": ANSWER_TOKENS},
            )
            try:
                result = await agent.run(diagnoser_prompt(context), event_stream_handler=read_on)
            except AgentRunError as error:
                raise _failure(error) from error
        return result.output


def diagnoser_prompt(context: str) -> str:
    """Return the user's side of the request: the context, fenced as data, within its bound. Pure."""
    return f"# What is known of the build\n\n{fenced(_cut(context))}\n"


def _cut(text: str) -> str:
    if len(text) <= CONTEXT_LIMIT:
        return text
    half = CONTEXT_LIMIT // 2
    return f"{text[:half]}\n[cut: {len(text) - 2 * half} characters]\n{text[-half:]}"


def _failure(error: Exception) -> ModelFailed:
    failure = model_failure(error, "a diagnosis")
    if failure is not None:
        return failure
    if "output retries" in str(error):
        problem = shape_problem(error)
        return ModelFailed(f"the diagnosis has the wrong form, even after a second try: {problem}", kind="wrong_form")
    return ModelFailed(f"the model did not deliver a diagnosis: {told(error)}", kind="unavailable")
