"""The advisor that rewrites a passage of a contract as a person asks. Must never touch a file or the user's key.

It gets the contract, the passage and the person's words as data.
"""

from __future__ import annotations

from typing import Final

from buildwright.advisors.asking import Advisor, failure_of, fenced, middle_cut
from buildwright.advisors.contracts import check_contract
from buildwright.core.contract_types import FILES, ContractType
from buildwright.core.passage import Passage, RewrittenPassage
from buildwright.errors import BadSpec, ModelFailed
from buildwright.ports import ModelEndpoint

CONTEXT_LIMIT: Final = 60_000
"""Characters of the contract that go into the prompt; the passage is there whole besides."""

_REWRITER: Final = Advisor("rewriter", RewrittenPassage, tool="final_result_passage", tokens=16_000)


class ModelRewriter:
    """Rewrites with pydantic-ai. `retries` bounds repeated requests after transport failures."""

    def __init__(self, retries: int = 2) -> None:
        self._retries = retries

    @property
    def instructions(self) -> str:
        """SHA-256 of its instructions, in hexadecimal."""
        return _REWRITER.digest

    async def rewrite(
        self, contract_type: ContractType, text: str, passage: Passage, wish: str, model: str, door: ModelEndpoint
    ) -> RewrittenPassage:
        """Return what is to stand in place of a passage, with one repair turn if the contract would not be valid then.

        Raises ModelFailed and its kind.
        """

        problem = ""

        def check(answer: RewrittenPassage) -> RewrittenPassage:
            from pydantic_ai import ModelRetry

            nonlocal problem
            try:
                check_contract(contract_type, passage.replaced(text, answer.text))
            except BadSpec as error:
                problem = str(error)
                raise ModelRetry(f"The contract would not be valid: {error} Send the whole answer again.") from error
            return answer

        return await _REWRITER.ask(
            rewriter_prompt(contract_type, text, passage, wish),
            model,
            door,
            retries=self._retries,
            failed=lambda error: _failed(error, problem),
            check=check,
        )


def _failed(error: Exception, problem: str) -> ModelFailed:
    """Return our error for the library's error. `problem` is why the last contract would not have been valid."""
    failure = failure_of(error, "a passage")
    if failure.kind != "wrong_form":
        return failure
    message = f"with what the model wrote the contract would not be valid, even after a second try: {problem}"
    fix = "name all lines that have to change, say it otherwise, or name another model"
    return ModelFailed(message if problem else failure.message, kind=failure.kind, fix=fix)


def rewriter_prompt(contract_type: ContractType, text: str, passage: Passage, wish: str) -> str:
    """Return the user's side of the request: the contract, the passage and what the person asks, each as data. Pure."""
    parts = (
        f"# The contract {FILES[contract_type]}\n\n{fenced(middle_cut(text, CONTEXT_LIMIT))}",
        f"# The passage: lines {passage.first} to {passage.last}\n\n{fenced(passage.of(text))}",
        f"# What the person asks\n\n{fenced(wish)}",
    )
    return "\n\n".join(parts) + "\n"
