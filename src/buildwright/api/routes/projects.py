"""Projects, and starting their builds. Must never hold logic: that is in `project_build` and the records."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import BaseModel, Field, StringConstraints
from starlette.responses import Response

from buildwright.api import project_build
from buildwright.api.bodies import Router
from buildwright.api.openapi import KEYED
from buildwright.api.pages import cursor_of, place_of
from buildwright.api.params import Limit
from buildwright.api.problems import responses
from buildwright.api.project_build import OwnProject
from buildwright.api.requests import BuildRequest, SpecText, TargetType, TaskList, check_target, kept_spec
from buildwright.api.state import CallerOf, CorrelationOf, SiteOf
from buildwright.core.contract_types import ContractType
from buildwright.ports import BuildRow
from buildwright.request_model import RequestModel
from buildwright.store.projects import ProjectRecord
from buildwright.views.project import BuildAnswer
from buildwright.views.statuses import BuildStatusName, project_status

router = Router(prefix="/projects", tags=["projects"])


class NewProject(RequestModel):
    """A project to create. Target and spec are those of its builds, unless a build names others."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
    description: Annotated[str, Field(max_length=10_000)] = ""
    target_type: TargetType | None = None
    target_ref: Annotated[str, Field(max_length=2_000)] = ""
    spec: SpecText = ""
    tasks: TaskList | None = None


class NewestBuild(BaseModel):
    """The newest build of a project, in short."""

    build_id: str
    status: BuildStatusName
    title: str
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None = None


class ProjectAnswer(BaseModel):
    """A project. `status` is `draft` until it has a build, then that of its newest build."""

    id: str
    name: str
    description: str
    status: str
    target_type: str = Field(description='`local_path`, `github_existing` or `github_new`; "" while it has none.')
    target_ref: str
    created_at: datetime
    updated_at: datetime
    build: NewestBuild | None = None


class ProjectDetail(ProjectAnswer):
    """A project with what is to be built."""

    spec: str = ""
    tasks: list[dict[str, Any]] | None = None
    contracts: dict[ContractType, int] = Field({}, description="The newest version of each contract that it has.")


class ProjectPage(BaseModel):
    """Projects, newest first."""

    items: list[ProjectAnswer]
    next_cursor: str | None = Field(description="`cursor` of the next page; null for the last one.")


@router.post("", status_code=201, response_model=ProjectDetail, responses=responses(409), openapi_extra=KEYED)
async def create_project(request: Request, wish: NewProject, site: SiteOf, caller: CallerOf) -> Response:
    """Create a project. With an Idempotency-Key a repeat returns the same project."""
    if wish.target_type is not None:
        check_target(wish.target_type, wish.target_ref)
    spec = await asyncio.to_thread(kept_spec, wish.spec, wish.tasks)

    async def work() -> tuple[int, dict[str, Any], str]:
        project = await site.records.projects.create(
            caller.user_id,
            wish.name,
            wish.description,
            wish.target_type or "",
            wish.target_ref,
            spec,
            at=site.app.clock.now(),
        )
        return 201, _detail(project, None).model_dump(mode="json"), f"/projects/{project.id}"

    return await site.asked.once(request, caller.user_id, "POST /projects", work)


@router.get("", responses=responses())
async def list_projects(
    site: SiteOf,
    caller: CallerOf,
    limit: Limit = 50,
    cursor: Annotated[str, Query(max_length=500, description="`next_cursor` of the page before.")] = "",
) -> ProjectPage:
    """Return your projects and those shared with you, newest first, with the status of their newest builds."""
    shared = await site.records.admission.shared(caller.user_id)
    found = await site.records.projects.page(caller.user_id, limit + 1, place_of(cursor), shared)
    page = found[:limit]
    rows = await site.records.runs.latest_of_projects([project.id for project in page])
    more = len(found) > limit
    return ProjectPage(
        items=[ProjectAnswer(**_fields(project, rows.get(project.id))) for project in page],
        next_cursor=cursor_of(page[-1].created_at, page[-1].id) if more else None,
    )


@router.get("/{project_id}", responses=responses(403, 404))
async def get_project(project: OwnProject, site: SiteOf) -> ProjectDetail:
    """Return a project with the status of its newest build."""
    kept = [one.contract for one in await site.records.contracts.newest(project.user_id, project.id)]
    detail = _detail(project, await site.records.runs.latest_by_project(project.id))
    return detail.model_copy(update={"contracts": {one.contract_type: one.version for one in kept}})


@router.post(
    "/{project_id}/build",
    status_code=202,
    response_model=BuildAnswer,
    responses=responses(403, 404, 409, 502, 507),
    openapi_extra=KEYED,
)
async def start_build(
    request: Request,
    wish: BuildRequest,
    project: OwnProject,
    site: SiteOf,
    caller: CallerOf,
    correlation_id: CorrelationOf,
) -> Response:
    """Start a build of the project. It continues after this answer; Location is where to read it."""

    async def work() -> tuple[int, dict[str, Any], str]:
        build_id = await project_build.start(site, caller, project, wish, correlation_id)
        started = BuildAnswer(build_id=build_id, project_id=project.id, status="pending")
        return 202, started.model_dump(mode="json"), f"/projects/{project.id}/build/status"

    return await site.asked.once(request, caller.user_id, f"POST /projects/{project.id}/build", work)


def _fields(project: ProjectRecord, row: BuildRow | None) -> dict[str, Any]:
    status = project_status(row.control, row.outcome, row.version) if row else None
    newest = NewestBuild(status=status, **asdict(row)) if row and status else None
    return {
        **project._asdict(),
        "status": status or project.status,
        "build": newest,
    }


def _detail(project: ProjectRecord, row: BuildRow | None) -> ProjectDetail:
    kept = json.loads(project.spec) if project.spec else {}
    return ProjectDetail(**{**_fields(project, row), "spec": kept.get("spec", ""), "tasks": kept.get("tasks")})
