"""The advisor that writes sealed tests of a task, by asking a model. Must never touch a file or the user's key.

It is shown the task and the base, never the change: what it writes judges a change that does not exist yet.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import partial
from typing import Final

from pydantic import Field

from buildwright.advisors.asking import Advisor, failure_of, fenced
from buildwright.core.record import Record
from buildwright.core.sealed import Language, SealedFile, SealedTests
from buildwright.ports import ModelEndpoint

CONTEXT_LIMIT: Final = 80_000
"""Characters of the context that go into the prompt; more is cut at the end."""


class WrittenTestFile(Record):
    """One test file of the answer."""

    acceptance: int = Field(ge=1, description="Number of the acceptance line that it is about.")
    language: Language
    text: str = Field(min_length=1, max_length=20_000)


class WrittenTests(Record):
    """The whole answer."""

    files: tuple[WrittenTestFile, ...] = Field(default=(), max_length=8)
    why_none: str = Field(default="", description="Why there are no files.")


_SEALER: Final = Advisor("sealer", WrittenTests, tool="final_result_sealed_tests", tokens=16_000)
_failure: Final = partial(failure_of, what="sealed tests")


class ModelSealer:
    """Implements the port `Sealer` with pydantic-ai. `retries` bounds repeated requests after transport failures."""

    def __init__(self, retries: int = 2) -> None:
        self._retries = retries

    async def seal(
        self, context: str, lines: Sequence[str], languages: Sequence[Language], model: str, door: ModelEndpoint
    ) -> SealedTests:
        """Ask for test files, with one repair turn if the answer has the wrong form. Raises ModelFailed and its kind."""

        def check(written: WrittenTests) -> WrittenTests:
            from pydantic_ai import ModelRetry

            for number, file in enumerate(written.files, 1):
                if problem := problem_of(file, len(lines), languages):
                    raise ModelRetry(f"file {number}: {problem}")
            return written

        prompt = sealer_prompt(context, languages)
        written = await _SEALER.ask(prompt, model, door, retries=self._retries, failed=_failure, check=check)
        files = (
            SealedFile(line=lines[file.acceptance - 1], language=file.language, text=file.text)
            for file in written.files
        )
        return SealedTests(files=tuple(files), why_none=written.why_none)


def sealer_prompt(context: str, languages: Sequence[Language]) -> str:
    """Return the user's side of the request: the context, fenced as data, within its bound. Pure."""
    return f"Languages: {', '.join(languages)}\n\n{fenced(context[:CONTEXT_LIMIT])}\n"


def problem_of(file: WrittenTestFile, lines: int, languages: Sequence[Language]) -> str:
    """Return what keeps a file from being run at all, "" when nothing does."""
    if file.acceptance > lines:
        return f"there is no acceptance line {file.acceptance}"
    if file.language not in languages:
        return f"{file.language} cannot be run here; choose one of {', '.join(languages)}"
    if file.language == "node":
        return "" if "node:test" in file.text else "it does not import node:test"
    try:
        tree = ast.parse(file.text)
    except (SyntaxError, ValueError, RecursionError) as error:
        return f"it is not Python: {error}"
    names = (node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return "" if any(name.startswith("test") for name in names) else "it has no function whose name begins with test"
