"""The advisor that words the lesson of a mended failure, by asking a model. Must never touch a file or the user's key.

It gets the task, the refusals and what mended them as data, cut in the middle to a bound.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from buildwright.advisors.asking import Advisor, failure_of, fenced, middle_cut
from buildwright.core.lessons import LessonDraft, pattern_of
from buildwright.ports import ModelEndpoint

CONTEXT_LIMIT: Final = 40_000
"""Characters of the context that go into the prompt."""

_WRITER: Final = Advisor("lesson_writer", LessonDraft, tool="final_result_lesson", tokens=1_000)
_failure: Final = partial(failure_of, what="a lesson")


class ModelLessonWriter:
    """Implements the port `LessonWriter` with pydantic-ai. `retries` bounds requests after transport failures."""

    def __init__(self, retries: int = 2) -> None:
        self._retries = retries

    @property
    def instructions(self) -> str:
        """SHA-256 of its instructions, in hexadecimal."""
        return _WRITER.digest

    async def word(self, context: str, model: str, door: ModelEndpoint) -> LessonDraft:
        """Ask for the lesson, with one repair turn if the answer has the wrong form. Raises ModelFailed and its kind."""
        prompt = f"# What happened\n\n{fenced(middle_cut(context, CONTEXT_LIMIT))}\n"
        return await _WRITER.ask(prompt, model, door, retries=self._retries, failed=_failure, check=_checked)


def _checked(draft: LessonDraft) -> LessonDraft:
    from pydantic_ai import ModelRetry

    if not pattern_of(draft.pattern):
        raise ModelRetry("`pattern` must be a path, folder or glob below the top of the repository, such as src/*.py")
    return draft
