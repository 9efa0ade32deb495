"""The advisor that says why a build is stuck, by asking a model. Must never touch a file or the user's key.

It gets what the engine collected (tasks, error history, log) as data, cut in the middle to a bound: the tasks and first
errors are at the beginning, the newest lines at the end.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from buildwright.advisors.asking import Advisor, failure_of, fenced, middle_cut
from buildwright.core.finding import Diagnosis
from buildwright.ports import ModelEndpoint

CONTEXT_LIMIT: Final = 60_000
"""Characters of the context that go into the prompt."""

_DIAGNOSER: Final = Advisor("diagnoser", Diagnosis, tool="final_result_diagnosis", tokens=4_000)
_failure: Final = partial(failure_of, what="a diagnosis")


class ModelDiagnoser:
    """Implements the port `Diagnoser` with pydantic-ai. `retries` bounds repeated requests after transport failures."""

    def __init__(self, retries: int = 2) -> None:
        self._retries = retries

    async def diagnose(self, context: str, model: str, door: ModelEndpoint) -> Diagnosis:
        """Ask for the cause, with one repair turn if the answer has the wrong form. Raises ModelFailed and its kind."""
        return await _DIAGNOSER.ask(
            diagnoser_prompt(context),
            model,
            door,
            retries=self._retries,
            failed=_failure,
        )


def diagnoser_prompt(context: str) -> str:
    """Return the user's side of the request: the context, fenced as data, within its bound. Pure."""
    return f"# What is known of the build\n\n{fenced(middle_cut(context, CONTEXT_LIMIT))}\n"
