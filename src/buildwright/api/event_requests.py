"""Schemas of the events that can be posted, and the making of an event from a request. Must never start anything.

Events are started by `wiring.event_consumer`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from fastapi import Path
from pydantic import ConfigDict, Field, JsonValue, model_validator

from buildwright.api import operations, quotas
from buildwright.api.params import CleanText, check_project
from buildwright.api.targets import check_commands
from buildwright.core.limits import Delivery, Options
from buildwright.core.spec import Spec
from buildwright.engine.commands import NewBuild
from buildwright.errors import Forbidden
from buildwright.request_model import RequestModel
from buildwright.views.automation import DEVTEAM_AUTOMATION, workflow_of
from buildwright.wiring.event_consumer import INITIALIZE, NOTE, Order, build_id_of

if TYPE_CHECKING:
    from buildwright.api.state import Caller, ServerState
    from buildwright.store.inbox import Received

EVENTS = "BUILDWRIGHT_RATE_EVENTS"
_PROJECT = r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$"
_PROJECT_WORDS = "The caller's own name for the project. It belongs to the user who names it first."

ProjectName = Annotated[str, Field(pattern=_PROJECT, description=_PROJECT_WORDS)]
ProjectInPath = Annotated[str, Path(alias="projectId", pattern=_PROJECT, description=_PROJECT_WORDS)]


_ONE_OF_BOTH: dict[str, JsonValue] = {
    "oneOf": [
        {"required": ["spec"], "properties": {"spec": {"type": "string"}, "tasks": {"type": "null"}}},
        {"required": ["tasks"], "properties": {"tasks": {"type": "array"}, "spec": {"type": "null"}}},
    ],
    "allOf": [{"properties": {"options": {"properties": {"by_hand": {"const": False}}}}}],
}


class Initialize(RequestModel):
    """An execution of a workflow on a repository: what is to be built, and how."""

    model_config = ConfigDict(json_schema_extra=_ONE_OF_BOTH)

    projectId: ProjectName  # noqa: N815  the wire's name
    repository: Annotated[CleanText, Field(min_length=1, max_length=2000)] = Field(
        description="Path on the server, or URL, of the git repository to build on."
    )
    base: Annotated[CleanText, Field(max_length=250)] = Field(default="", description="Branch or commit to start from.")
    spec: Annotated[CleanText, Field(min_length=1)] | None = Field(
        default=None, description="What is to be built, as Markdown. A model plans it, unless it is a list of tasks."
    )
    tasks: list[dict[str, Any]] | None = Field(
        default=None, min_length=1, max_length=20_000, description="A complete task list instead, which needs no model."
    )
    workflow: Annotated[CleanText, Field(min_length=1, max_length=100)] = Field(
        default=DEVTEAM_AUTOMATION.name, description="Name or id of the workflow."
    )
    options: Options = Field(
        default_factory=Options,
        description="How it is built. Without `delivery` the result is pushed to the repository's URL, or becomes a branch "
        "of a repository on the server.",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.spec is None) == (self.tasks is None):
            raise ValueError("give either spec or tasks")
        if self.options.by_hand:
            raise ValueError("an execution runs by itself: leave options.by_hand out")
        return self


class DevteamInitialize(Initialize):
    """An event that begins an execution, as `POST /api/devteam/automation/initialize` does."""

    type: Literal["devteam.initialize"]


class ProjectNote(RequestModel):
    """Something worth keeping about a project. It is kept under its task id, and starts nothing."""

    type: Literal["project.note"]
    projectId: ProjectName  # noqa: N815  the wire's name
    text: Annotated[CleanText, Field(min_length=1, max_length=20_000)]
    data: dict[str, Any] = Field(default_factory=dict, description="Anything more, for the reader.")


AnyAsked = Annotated[DevteamInitialize | ProjectNote, Field(discriminator="type")]
"""Every event that can be posted, told apart by `type`."""


async def check_owner(site: ServerState, caller: Caller, project: str) -> None:
    """Check that the caller may start a build of the project.

    One that is only a name belongs to the user who named it first. Raises NotFound, Forbidden.
    """
    if await check_project(site, caller, project):
        return
    owner = await site.records.inbox.owner(project)
    if owner and owner != caller.user_id:
        raise Forbidden("this project belongs to another user", fix="name a project of your own")


async def asked_for(
    site: ServerState, caller: Caller, correlation_id: str, wanted: Initialize | ProjectNote
) -> Received:
    """Return the event that a request asks for, fully checked; it is not kept yet.

    Raises Forbidden, Refused, BadSpec, BadRepository, BadSettings, TooMany, Conflict (too many builds at once).
    """
    from buildwright.store.inbox import asked

    await check_owner(site, caller, wanted.projectId)
    if isinstance(wanted, ProjectNote):
        kind, data = NOTE, {"text": wanted.text, "data": wanted.data}
    else:
        await site.rates.take(operations.BUILDS, caller.user_id)
        order = await _order(site, caller, wanted)
        kind, data = INITIALIZE, await asyncio.to_thread(order.model_dump, mode="json", exclude_defaults=True)
    return asked(caller.user_id, wanted.projectId, kind, data, correlation_id, site.app.clock.now())


def told(log: Callable[..., None], row: Received) -> None:
    """Log that an event was received, with the ids that lead to all that follows from it."""
    ids: dict[str, str] = {"executionId": build_id_of(row.event_id)} if row.type == INITIALIZE else {}
    ids |= {"projectId": row.project_id, "correlationId": row.correlation_id}
    log("event-received", eventId=row.event_id, taskId=row.task_id, type=row.type, **ids)


async def _order(site: ServerState, caller: Caller, wanted: Initialize) -> Order:
    workflow = workflow_of(wanted.workflow)
    spec = await asyncio.to_thread(_spec, wanted)
    options = wanted.options
    if "delivery" not in options.model_fields_set and not wanted.repository.startswith("/"):
        options = options.model_copy(update={"delivery": Delivery(kind="push")})
    check_commands(site, caller, spec, options)
    repository = await operations.checked_target(site, caller, wanted.repository, options)
    options = (await site.app.checked(NewBuild(spec, options, repository))).options
    await quotas.check(site, caller.user_id)
    return Order(spec=spec, options=options, repository=repository, base=wanted.base, workflow=workflow.name)


def _spec(wanted: Initialize) -> Spec:
    """Return the spec of a request. Raises BadSpec, BadGraph naming line or key."""
    from buildwright.advisors.spec_file import parse_spec

    if wanted.tasks is None:
        return parse_spec(wanted.spec or "", "spec.md")
    return parse_spec(json.dumps({"title": wanted.projectId, "tasks": wanted.tasks}), "tasks.json")
