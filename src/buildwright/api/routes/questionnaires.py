"""Interviews on projects: messages, the state, changed answers. Must never hold logic: that is in `wiring`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any

from fastapi import Header, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse

from buildwright.api import operations
from buildwright.api.bodies import Router
from buildwright.api.openapi import KEYED
from buildwright.api.problems import internal, problem_of, responses
from buildwright.api.project_build import OwnProject
from buildwright.api.state import CallerOf, CorrelationOf, SiteOf
from buildwright.core.interview import LONGEST_ANSWER
from buildwright.core.interview_steps import LONGEST_MESSAGE, InterviewMaterial
from buildwright.errors import BuildwrightError
from buildwright.request_model import RequestModel
from buildwright.views.interview import InterviewEntry, InterviewView
from buildwright.wiring.interviewing import InterviewMessage

router = Router(tags=["interviews"])

_PATH = "/projects/{project_id}/questionnaire"
_SSE: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
        "description": "The interview after the message; or, with `Accept: text/event-stream`, events: `reply` "
        "(`text`, and `again` when it replaces what came before), then `state` or `problem`.",
    }
}


class QuestionnaireMessage(RequestModel):
    """What the user says. A number chooses a suggested answer; an empty message goes on."""

    message: Annotated[str, Field(max_length=LONGEST_MESSAGE)] = ""
    material: Annotated[
        tuple[InterviewMaterial, ...], Field(max_length=50, description="Files to take answers from: path and text.")
    ] = ()
    model: Annotated[str, Field(max_length=200, description="The model that interviews, else the server's.")] = ""


class AnswerChange(RequestModel):
    """Another text for an answer."""

    text: Annotated[str, Field(min_length=1, max_length=LONGEST_ANSWER, pattern=r"\S")]


class InterviewList(BaseModel):
    """The caller's interviews, at most 50, the newest change first."""

    items: list[InterviewEntry]


@router.get("/questionnaires", responses=responses())
async def list_interviews(site: SiteOf, caller: CallerOf) -> InterviewList:
    """Return your interviews, the newest change first."""
    return InterviewList(items=list(await site.app.interviewing.listed(caller.user_id)))


@router.post(
    _PATH, response_model=InterviewView, responses=responses(403, 404, 409, 502, 507) | _SSE, openapi_extra=KEYED
)
async def tell(
    request: Request,
    said: QuestionnaireMessage,
    project: OwnProject,
    site: SiteOf,
    caller: CallerOf,
    correlation_id: CorrelationOf,
    accept: Annotated[str, Header(max_length=500)] = "",
) -> Response:
    """Say something to the interviewer; the answer is the whole interview after it.

    With `Accept: text/event-stream` the reply is streamed as it comes.
    """
    await site.rates.take(operations.BUILDS, caller.user_id)
    message = InterviewMessage(said.message, said.material, said.model)

    async def once(on_reply: Callable[[str], None] | None) -> Response:
        async def work() -> tuple[int, dict[str, Any], str]:
            view = await site.app.interviewing.tell(project.user_id, project.id, message, on_reply)
            return 200, view.model_dump(mode="json"), ""

        return await site.asked.once(request, caller.user_id, f"POST /projects/{project.id}/questionnaire", work)

    if "text/event-stream" not in accept:
        return await once(None)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(_told(once, correlation_id), media_type="text/event-stream", headers=headers)


@router.get(f"{_PATH}/state", responses=responses(403, 404))
async def state(project: OwnProject, site: SiteOf) -> InterviewView:
    """Return the interview on a project: sections with their answers, the question, contradictions and the cost."""
    return await site.app.interviewing.state(project.user_id, project.id)


@router.put(f"{_PATH}/answers/{{answer_id}}", responses=responses(403, 404, 409))
async def change_answer(
    answer_id: Annotated[str, Path(pattern=r"^A[1-9][0-9]{0,3}$", description="Id of the answer, such as A3.")],
    change: AnswerChange,
    project: OwnProject,
    site: SiteOf,
) -> InterviewView:
    """Change an answer. The interviewer looks for contradictions when it is asked next, before all is complete."""
    return await site.app.interviewing.change(project.user_id, project.id, answer_id, change.text)


async def _told(
    once: Callable[[Callable[[str], None]], Awaitable[Response]], correlation_id: str
) -> AsyncIterator[bytes]:
    """Yield the reply as it comes, and at the end the interview, or the problem. A client that leaves ends the turn."""
    texts: asyncio.Queue[str | None] = asyncio.Queue()

    async def run() -> Response:
        try:
            return await once(texts.put_nowait)
        finally:
            texts.put_nowait(None)

    turn = asyncio.create_task(run(), name="interview")
    try:
        sent = ""
        while (text := await texts.get()) is not None:
            again = not text.startswith(sent)
            piece = text if again else text[len(sent) :]
            if piece:
                yield _event("reply", json.dumps({"text": piece, "again": again}, ensure_ascii=False))
            sent = text
        yield _event("state", bytes((await turn).body).decode())
    except BuildwrightError as error:
        yield _event("problem", problem_of(error, correlation_id).model_dump_json())
    except Exception:
        yield _event("problem", internal(correlation_id).model_dump_json())
        raise
    finally:
        turn.cancel()
        # Shielded: who leaves is cancelled again and again, and the turn has yet to count what it cost.
        await asyncio.shield(asyncio.gather(turn, return_exceptions=True))


def _event(kind: str, data: str) -> bytes:
    return f"event: {kind}\ndata: {data}\n\n".encode()
