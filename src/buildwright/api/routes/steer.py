"""Steering a build that runs by itself: a route for each command, and `run`. Must never hold a rule of a build.

The rules are in `engine.commands`.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, create_model
from starlette.responses import JSONResponse, Response

from buildwright.api import operations
from buildwright.api.bodies import Router
from buildwright.api.params import OwnBuild, stating
from buildwright.api.problems import responses
from buildwright.api.state import Caller, CallerOf, SiteOf
from buildwright.api.targets import check_commands
from buildwright.core.build import Build
from buildwright.core.graph import Graph
from buildwright.core.spec import Spec
from buildwright.engine.build_command import BuildCommand, fields_of
from buildwright.engine.commands import COMMANDS, SendMessage, StopBuild, TakeStep
from buildwright.engine.review_command import SendReview
from buildwright.errors import IllegalMove
from buildwright.request_model import RequestModel
from buildwright.views.overview import Standing, standing_of

router = Router(prefix="/api/builds/{build_id}", tags=["steering builds"])


class Receipt(BaseModel):
    """A message was accepted; the event `message.delivered` names it once an agent has it."""

    build_id: str
    message_id: str
    task: str


class StepTaken(BaseModel):
    """A step was accepted; the process or worker that carries out the build makes it."""

    build_id: str
    step_id: str


class ReviewTaken(BaseModel):
    """A review was accepted: the event `review.sent` names the tasks that were made of it."""

    build_id: str
    review_id: str


RECEIPTS: dict[type[BuildCommand], type[BaseModel]] = {
    SendMessage: Receipt,
    SendReview: ReviewTaken,
    TakeStep: StepTaken,
}
"""Answers of commands with a receipt; all others are answered with the build's standing."""


def body_of(kind: type[BuildCommand]) -> Any:
    """Return the type of a command's body: its fields with their bounds, and None if no field is required."""
    given = fields_of(kind)
    model = create_model(kind.__name__, __base__=RequestModel, __doc__=kind.__doc__, **given)
    return model if any(default is ... for _, default in given.values()) else model | None


def command_of(kind: type[BuildCommand], body: RequestModel | None) -> BuildCommand:
    """Return the command in a parsed body."""
    return kind(**dict(body or ()))


def _add_route(kind: type[BuildCommand]) -> None:
    answer, body = RECEIPTS.get(kind, Standing), body_of(kind)

    async def endpoint(site: SiteOf, caller: CallerOf, build: OwnBuild, wanted: Any = None) -> Any:
        await site.rates.take(operations.BUILDS, caller.user_id)
        command = command_of(kind, wanted)
        options, tasks = command.asks_of_machine()
        check_commands(site, caller, Spec(title=kind.name, graph=Graph(tasks=tuple(tasks))), options)
        new_id = ""
        if not command.holds(build):
            build, new_id = await ask(site, caller, build, command)
        if command.wakes:
            await site.hosting.begin(build.id)
        if not kind.receipt:
            return standing_of(build)
        return {"build_id": build.id, kind.receipt: new_id, "task": getattr(command, "task", "")}

    endpoint.__name__, endpoint.__doc__ = kind.name, kind.__doc__
    endpoint.__annotations__["wanted"] = body
    if isinstance(body, type):
        endpoint.__defaults__ = None  # it must be given
    router.add_api_route(
        f"/{kind.name}",
        endpoint,
        methods=["POST"],
        response_model=answer,
        status_code=202 if kind.receipt else 200,
        responses=responses(400, 403, 404, 409),
    )


async def ask(site: SiteOf, caller: Caller, build: Build, command: BuildCommand) -> tuple[Build, str]:
    """Send a command, unless another request did so first. Raises IllegalMove with the state that does not allow it."""
    with stating(build):
        try:
            return await site.app.ask(build.id, command, caller.user_id)
        except IllegalMove:
            build = await site.seen.newest(build.id)
            if not command.holds(build):
                raise
            return build, ""


async def stop(
    site: SiteOf,
    caller: CallerOf,
    build: OwnBuild,
    wanted: Any = None,
    wait_seconds: Annotated[
        float, Query(ge=0, le=operations.LONGEST_WAIT, description="Seconds to wait for its end.")
    ] = 20.0,
) -> Response:
    """End the build: agents are ended, nothing more lands. A build that was stopped stays as it is."""
    await site.rates.take(operations.BUILDS, caller.user_id)
    build = await operations.stop(site, caller, build, wanted.message if wanted else "", wait_seconds)
    headers = {"Location": f"/api/builds/{build.id}"}
    return JSONResponse(standing_of(build).model_dump(mode="json"), 200 if build.is_terminal else 202, headers)


for command_kind in COMMANDS:
    if command_kind is not StopBuild:  # StopBuild has a route of its own, which may wait for the end
        _add_route(command_kind)
stop.__annotations__["wanted"] = body_of(StopBuild)
router.add_api_route(
    "/stop",
    stop,
    methods=["POST"],
    response_model=Standing,
    responses={202: {"model": Standing, "description": "It is ending."}, **responses(400, 403, 404, 409)},
)


@router.post("/run", status_code=202, responses=responses(403, 404, 409))
async def run(site: SiteOf, caller: CallerOf, build: OwnBuild) -> Standing:
    """Make sure that the build is carried out; harmless when it already is."""
    await site.rates.take(operations.BUILDS, caller.user_id)
    operations.refuse_ended(build, "carried out")
    await site.hosting.begin(build.id)
    return standing_of(build)
