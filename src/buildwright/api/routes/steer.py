"""Steering a build that runs by itself: pause, resume, say, stop, run. Again is harmless where the build is there already."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from buildwright.api import steering
from buildwright.api.asking import Asking, CleanText, OwnBuild, TaskName, stating
from buildwright.api.problems import responses
from buildwright.api.site import CallerOf, SiteOf
from buildwright.core.build import Control
from buildwright.core.limits import Budget
from buildwright.errors import IllegalMove
from buildwright.views.overview import Standing, standing_of

router = APIRouter(prefix="/api/builds/{build_id}", tags=["steering builds"])

Words = Annotated[CleanText, Field(max_length=20_000)]


class Why(Asking):
    """Why something is asked for, for the record."""

    message: Words = ""


class Answer(Asking):
    """The answer to a pause: go on as it is, try the failed tasks again or give them up, or end the build."""

    choice: Literal["go", "retry", "skip", "abort"] = "go"
    message: Words = Field(default="", description="For the agent that tries again; goes with `retry` and `abort`.")
    budget_usd: Budget | None = Field(default=None, description="What the build may cost from now on.")


class Said(Asking):
    """Something for the agents."""

    text: Annotated[CleanText, Field(min_length=1, max_length=20_000)]
    task: TaskName = ""


class Receipt(BaseModel):
    """A message was taken; the event `message.delivered` names it once an agent has it."""

    build_id: str
    message_id: str
    task: str


@router.post("/pause", responses=responses(400, 403, 404, 409))
async def pause(site: SiteOf, caller: CallerOf, build: OwnBuild, wanted: Why | None = None) -> Standing:
    """Let nothing new start; what runs may finish. A paused build stays as it is."""
    await site.rates.take(steering.BUILDS, caller.user_id)
    if build.control is Control.PAUSED:
        return standing_of(build)
    with stating(build):
        try:
            return standing_of(await site.app.pause(build.id, wanted.message if wanted else ""))
        except IllegalMove:
            build = await site.seen.newest(build.id)
            if build.control is not Control.PAUSED:  # somebody else was first
                raise
    return standing_of(build)


@router.post("/resume", responses=responses(400, 403, 404, 409))
async def resume(site: SiteOf, caller: CallerOf, build: OwnBuild, wanted: Answer | None = None) -> Standing:
    """Answer a pause, and go on. `go` to a build that is not paused changes nothing, and sees that somebody carries it out."""
    await site.rates.take(steering.BUILDS, caller.user_id)
    answer = wanted or Answer()
    if build.control is not Control.RUNNING or answer != Answer():
        with stating(build):
            build = await site.app.resume(build.id, answer.choice, answer.message, answer.budget_usd)
    await site.hosting.begin(build.id)
    return standing_of(build)


@router.post("/say", status_code=202, responses=responses(400, 403, 404, 409))
async def say(site: SiteOf, caller: CallerOf, build: OwnBuild, wanted: Said) -> Receipt:
    """Tell the agents something while they work. When none runs, the next one gets it."""
    await site.rates.take(steering.BUILDS, caller.user_id)
    with stating(build):
        message_id = await site.app.say(build.id, wanted.text, wanted.task)
    return Receipt(build_id=build.id, message_id=message_id, task=wanted.task)


@router.post(
    "/stop",
    response_model=Standing,
    responses={202: {"model": Standing, "description": "It is ending."}, **responses(400, 403, 404, 409)},
)
async def stop(
    site: SiteOf,
    caller: CallerOf,
    build: OwnBuild,
    wanted: Why | None = None,
    wait_seconds: Annotated[
        float, Query(ge=0, le=steering.LONGEST_WAIT, description="Seconds to wait for its end.")
    ] = 20.0,
) -> Response:
    """End the build: agents are ended, nothing more lands. A build that was stopped stays as it is."""
    await site.rates.take(steering.BUILDS, caller.user_id)
    build = await steering.stop(site, build, wanted.message if wanted else "", wait_seconds)
    headers = {"Location": f"/api/builds/{build.id}"}
    return JSONResponse(standing_of(build).model_dump(mode="json"), 200 if build.is_terminal else 202, headers)


@router.post("/run", status_code=202, responses=responses(403, 404, 409))
async def run(site: SiteOf, caller: CallerOf, build: OwnBuild) -> Standing:
    """See that somebody carries the build out; harmless when somebody does."""
    await site.rates.take(steering.BUILDS, caller.user_id)
    steering.refuse_ended(build, "carried out")
    await site.hosting.begin(build.id)
    return standing_of(build)
