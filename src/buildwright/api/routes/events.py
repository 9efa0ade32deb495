"""Events from other systems: kept before they are answered, and reported on. Must never start anything itself."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Request
from pydantic import AwareDatetime, BaseModel, Field
from starlette.responses import Response

from buildwright.api.bodies import Router
from buildwright.api.event_requests import EVENTS, AnyAsked, asked_for, told
from buildwright.api.openapi import KEYED
from buildwright.api.problems import responses
from buildwright.api.state import CallerOf, CorrelationOf, SiteOf
from buildwright.errors import Forbidden, NotFound
from buildwright.views.automation import task_context

router = Router(prefix="/events", tags=["events"])


class Accepted(BaseModel):
    """The event is kept, and will be started even if the server ends now."""

    task_id: str
    event_id: str


class EventStatus(BaseModel):
    """How far an event is."""

    task_id: str
    event_id: str
    type: str
    projectId: str  # noqa: N815  the wire's name
    correlationId: str  # noqa: N815  the wire's name
    status: str = Field(description="`received`, `started`, `done` or `failed`.")
    build_id: str = Field(description='The build that it began; "" while there is none.')
    message: str
    task_context: dict[str, Any] = Field(
        description="What the execution has come to (docs/guides/http.md); empty before it began, and of a note."
    )
    created_at: AwareDatetime
    updated_at: AwareDatetime


@router.post(
    "", status_code=202, response_model=Accepted, responses=responses(400, 403, 409, 502, 507), openapi_extra=KEYED
)
async def post_event(
    wanted: AnyAsked, request: Request, site: SiteOf, caller: CallerOf, correlation_id: CorrelationOf
) -> Response:
    """Receive an event. Location is its status. A repeat with the same Idempotency-Key gets the first answer."""
    await site.rates.take(EVENTS, caller.user_id)

    async def make() -> tuple[Any, dict[str, Any], str]:
        row = await asked_for(site, caller, correlation_id, wanted)
        told(site.log, row)
        return row, {"task_id": row.task_id, "event_id": row.event_id}, f"/events/{row.task_id}"

    answer = await site.asked.receive(request, caller.user_id, "POST /events", make)
    site.intake.wake()
    return answer


@router.get("/{task_id}", responses=responses(403, 404))
async def event_status(
    task_id: Annotated[str, Path(pattern=r"^[A-Za-z0-9-]{1,64}$")], site: SiteOf, caller: CallerOf
) -> EventStatus:
    """Return what has become of an event."""
    row = await site.records.inbox.by_task(task_id)
    if row.user_id != caller.user_id:
        raise Forbidden("this event belongs to another user", fix="ask for an event of your own")
    context = row.task_context
    if row.status == "started":
        try:
            context = task_context(await site.seen.newest(row.build_id), row.project_id)
        except NotFound:  # removed since then: only its record is left
            context = row.task_context
    fields = row._asdict() | {"task_context": context}
    return EventStatus(**fields, projectId=row.project_id, correlationId=row.correlation_id)
