"""What the pages of projects ask before anything is made: targets, what a project needs, its plan. Must never start a build."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

from pydantic import BaseModel, Field

from buildwright.api import project_build
from buildwright.api.access import role_in_project
from buildwright.api.bodies import Router
from buildwright.api.problems import responses
from buildwright.api.project_build import OwnProject
from buildwright.api.requests import BuildRequest, TargetType, address_of
from buildwright.api.state import CallerOf, SiteOf
from buildwright.api.targets import check_repository, folders, is_owner, may_run_commands, would_open
from buildwright.auth.rights import refusals
from buildwright.errors import BadRepository, BadSettings
from buildwright.request_model import RequestModel
from buildwright.views.home import card_of
from buildwright.views.overview import PlanView
from buildwright.views.project_page import ProjectOverview, ProjectParts, project_page

router = Router(tags=["projects"])

_MOST_BUILDS = 20


class TargetKind(BaseModel):
    """A kind of place that builds can work in."""

    target_type: TargetType
    title: str
    words: str
    example: str
    available: bool
    why_not: str = Field(description='Why this server does not have it; "" when it does.')


class TargetKinds(BaseModel):
    """All kinds, those that this server has first."""

    items: list[TargetKind]


class TargetWish(RequestModel):
    """A target as a person types it."""

    target_type: TargetType
    target_ref: Annotated[str, Field(max_length=2_000)] = ""


class TargetChecked(BaseModel):
    """Whether a build could be given this target. A host is not asked: whether it has the repository shows at the start."""

    ok: bool
    words: str
    fix: str = ""
    repository: str = Field("", description='Path or address that builds use; "" while it is not good.')


_KINDS: dict[TargetType, tuple[str, str, str]] = {
    "local_path": (
        "A folder on this machine",
        "A git repository, or a path where there is none yet.",
        "/home/you/project",
    ),
    "github_existing": (
        "A repository elsewhere",
        "On GitHub as owner/name, or any address over https or ssh.",
        "owner/name",
    ),
    "github_new": ("A new repository on GitHub", "It is made for this project.", "owner/new-name"),
}
"""Title, words and example of each kind."""


@router.get("/api/targets", responses=responses())
async def target_kinds(site: SiteOf, caller: CallerOf) -> TargetKinds:
    """Return the kinds of targets, and which of them this server has for the caller."""
    own = is_owner(site, caller)
    lacks: dict[TargetType, str] = {}
    if not folders(site.app.settings.environment, own_machine=own):
        lacks["local_path"] = "You may build in no folder here: BUILDWRIGHT_ROOTS names those for all users."
    try:
        if site.connecting.access.of_machine(caller.user_id) is None:
            needs = f"This server has no {site.connecting.access.site.variable}."
            lacks["github_new"] = needs if own else "Only the server's owner can have one made."
    except BadSettings as error:
        lacks["github_new"] = f"{error.message}."
    found = [
        TargetKind(
            target_type=kind,
            title=title,
            words=words,
            example=example,
            available=kind not in lacks,
            why_not=lacks.get(kind, ""),
        )
        for kind, (title, words, example) in _KINDS.items()
    ]
    return TargetKinds(items=sorted(found, key=lambda one: not one.available))


@router.post("/api/targets/check", responses=responses())
async def check_target_as_typed(wish: TargetWish, site: SiteOf, caller: CallerOf) -> TargetChecked:
    """Say whether a target is good, while it is typed. Nothing is fetched, made or looked up."""
    environment, own = site.app.settings.environment, is_owner(site, caller)
    try:
        address = address_of(wish.target_type, wish.target_ref.strip(), environment)
        if wish.target_type == "github_new":
            words = f"{address} is made when the first build begins, as a private repository, and pushed to."
            return TargetChecked(ok=True, words=words, repository=address)
        if wish.target_type == "local_path":
            path, opens = await asyncio.to_thread(would_open, address, environment, own_machine=own)
            if opens:
                is_there = await asyncio.to_thread(path.exists)
                words = "It is in no git repository yet" if is_there else "There is nothing here yet"
                words = f"{words}: the first build makes it one, and what it builds are the files here."
                return TargetChecked(ok=True, words=words, repository=str(path))
        checked = await asyncio.to_thread(check_repository, address, environment, own_machine=own)
    except (BadRepository, BadSettings) as error:
        return TargetChecked(ok=False, words=error.message, fix=error.fix)
    branch = "A git repository: builds put their results on a branch of their own."
    words = branch if wish.target_type == "local_path" else f"Builds push a branch to {checked}."
    return TargetChecked(ok=True, words=words, repository=checked)


@router.get("/projects/{project_id}/page", responses=responses(403, 404))
async def get_project_page(project: OwnProject, site: SiteOf, caller: CallerOf) -> ProjectOverview:
    """Return what a project has, what it still needs, how a build of it would be, and its builds."""
    kept = json.loads(project.spec) if project.spec else {}
    interview = await site.app.interviewing.state(project.user_id, project.id)
    rows = await site.records.runs.page("", _MOST_BUILDS, project_id=project.id)
    now = site.app.clock.now()
    builds = [card_of(await site.seen.newest(row.build_id), now) for row in rows]
    parts = ProjectParts(
        id=project.id,
        name=project.name,
        description=project.description,
        target_type=project.target_type,
        target_ref=project.target_ref,
        spec=kept.get("spec", ""),
        tasks=len(kept.get("tasks") or ()),
        contracts=len(await site.records.contracts.newest(project.user_id, project.id)),
        interview=interview,
    )
    refused = {str(act): why for act, why in refusals(await role_in_project(site, caller, project), "project").items()}
    return project_page(parts, builds, refused, may_run_commands=may_run_commands(site, caller))


@router.post("/projects/{project_id}/build/plan", responses=responses(400, 403, 404, 502, 507))
async def plan_build(wish: BuildRequest, project: OwnProject, site: SiteOf, caller: CallerOf) -> PlanView:
    """Show what a build of the project would do, and what it is likely to take. Nothing is kept.

    A spec without a list of tasks goes through the planner, which asks a model.
    """
    return await project_build.planned(site, caller, project, wish)
