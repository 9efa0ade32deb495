"""A model that plays a list of answers, for tests that need no HTTP. Must never invent an answer that nobody scripted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from buildwright.errors import ModelFailed
from buildwright.ports import Door, Spent, Stopped, Text, Turn

_CHARS_PER_TOKEN = 4


class Question(NamedTuple):
    """What a scripted model was asked."""

    model: str
    system: str
    turns: tuple[Turn, ...]


class ScriptedModel:
    """Plays `answers` in order, one per call: text, an error to raise, or text and then the error that cuts it.

    `questions` keeps what was asked. When the answers are used up it raises ModelFailed.
    """

    def __init__(self, answers: Sequence[str | ModelFailed | tuple[str, ModelFailed]], piece: int = 40) -> None:
        self._answers = list(answers)
        self._piece = piece
        self.questions: list[Question] = []

    async def stream(
        self, door: Door, model: str, system: str, turns: Sequence[Turn], max_tokens: int = 32_000
    ) -> AsyncIterator[Text | Spent | Stopped]:
        """Play the next answer; it stops by length after `max_tokens` of about four characters."""
        del door  # Nothing is behind it here.
        number = len(self.questions)
        self.questions.append(Question(model, system, tuple(turns)))
        if number >= len(self._answers):
            raise ModelFailed(f"The script has {len(self._answers)} answers; this is question {number + 1}.")
        answer = self._answers[number]
        if isinstance(answer, ModelFailed):
            raise answer
        text, failure = answer if isinstance(answer, tuple) else (answer, None)
        said = text[: max_tokens * _CHARS_PER_TOKEN]
        for start in range(0, len(said), self._piece):
            yield Text(said[start : start + self._piece])
        if failure is not None:
            raise failure
        asked = len(system) + sum(len(turn.text) for turn in turns)
        yield Spent(model or "scripted", asked // _CHARS_PER_TOKEN, len(said) // _CHARS_PER_TOKEN + 1, 0, 0)
        yield Stopped("end" if said == text else "length")
