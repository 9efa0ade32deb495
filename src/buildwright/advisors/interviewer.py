"""The advisor that interviews a user about what is to be built. Must never touch a file or the user's key.

It gets the answers so far, the open questions and the user's message, and files that were dropped in, all as data.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from buildwright.advisors.asking import Advisor, failure_of, fenced
from buildwright.core.interview import SECTIONS, Interview
from buildwright.core.interview_steps import InterviewerReply, InterviewMaterial, reply_problem
from buildwright.errors import ModelFailed
from buildwright.ports import ModelEndpoint

MATERIAL_LIMIT: Final = 120_000
"""Characters of dropped-in files that go into the prompt; of more, each file gives its beginning."""

_INTERVIEWER: Final = Advisor("interviewer", InterviewerReply, tool="final_result_interview", tokens=16_000)
_FIXES: Final = {
    "wrong_form": "send an empty message to ask again; if it stays, name another model",
    "refused": "read the message above; another model may accept the request",
    "context_length": "drop in less, or name a model with a larger window",
}
"""What to do about failures, where another advisor's advice would not fit."""


class ModelInterviewer:
    """Interviews with pydantic-ai. `retries` bounds repeated requests after transport failures."""

    def __init__(self, retries: int = 2) -> None:
        self._retries = retries

    @property
    def instructions(self) -> str:
        """SHA-256 of its instructions, in hexadecimal."""
        return _INTERVIEWER.digest

    async def reply(
        self,
        interview: Interview,
        message: str,
        material: Sequence[InterviewMaterial],
        model: str,
        door: ModelEndpoint,
        on_reply: Callable[[str], None] | None = None,
    ) -> InterviewerReply:
        """Ask for the reply to a message, with one repair turn when it cannot be. Raises ModelFailed and its kind.

        The message is "" when files were dropped in and nothing was said.
        `on_reply` gets the text of the reply as far as it has come, again and again; after a repair turn a new one.
        """

        problem = ""

        def check(reply: InterviewerReply) -> InterviewerReply:
            from pydantic_ai import ModelRetry

            nonlocal problem
            if problem := reply_problem(interview, reply, material, spoke=bool(message)):
                raise ModelRetry(f"{problem} Send the whole answer again.")
            return reply

        def partly(answer: dict[str, Any]) -> None:
            if on_reply is not None and isinstance(text := answer.get("reply"), str):
                on_reply(text)

        return await _INTERVIEWER.ask(
            interviewer_prompt(interview, message, material),
            model,
            door,
            retries=self._retries,
            failed=lambda error: _failed(error, problem),
            check=check,
            partly=partly if on_reply is not None else None,
        )


def _failed(error: Exception, problem: str) -> ModelFailed:
    """Return our error for the library's error. `problem` is what was wrong with the last reply of the right form."""
    failure = failure_of(error, "a reply")
    message = failure.message
    if failure.kind == "wrong_form" and problem:
        message = f"the model delivered a reply that cannot be, even after a second try: {problem}"
    return ModelFailed(message, kind=failure.kind, fix=_FIXES.get(failure.kind, failure.fix))


def interviewer_prompt(interview: Interview, message: str, material: Sequence[InterviewMaterial] = ()) -> str:
    """Return the user's side of the request: the interview, dropped-in files and the message, each as data. Pure."""
    known = {
        "title": interview.title,
        "answers": [each.model_dump(exclude_defaults=True) for each in interview.answers],
        "open questions": [each.model_dump(exclude_defaults=True) for each in interview.questions],
        "contradictions": [each.model_dump() for each in interview.contradictions],
        "complete": list(interview.complete),
        "next free id": f"A{interview.taken + 1}",
    }
    sections = "\n".join(f"- {name}: {about}" for name, about in SECTIONS.items())
    parts = [
        f"# The sections\n\n{sections}",
        f"# The interview so far\n\n{fenced(json.dumps(known, ensure_ascii=False, indent=1))}",
    ]
    if material:
        parts.append("# Files that were dropped in: take from them what they state, and ask only for the rest")
        share = MATERIAL_LIMIT // len(material)
        parts += [
            f"## {json.dumps(each.path, ensure_ascii=False)}\n\n{_numbered(each.text, share)}" for each in material
        ]
    parts.append(f"# What the person says now\n\n{fenced(message or '(nothing)')}")
    return "\n\n".join(parts) + "\n"


def _numbered(text: str, most: int) -> str:
    """Return a file with the numbers of its lines, so that a source can name them."""
    shown = text if len(text) <= most else text[:most]
    lines = "\n".join(f"{number}: {line}" for number, line in enumerate(shown.split("\n"), 1))
    return fenced(lines if len(text) <= most else f"{lines}\n[cut: {len(text) - most} more characters]")
