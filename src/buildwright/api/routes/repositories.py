"""Repositories of GitHub: which the caller has there, which are connected, and the audits of their pushes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, Field

from buildwright.api.bodies import Router
from buildwright.api.problems import responses
from buildwright.api.state import CallerOf, SiteOf
from buildwright.request_model import RequestModel
from buildwright.views.repositories import (
    ConnectedListView,
    ConnectedView,
    PushAuditListView,
    PushAuditView,
    RepositoryListView,
)
from buildwright.wiring.repositories import PAGE

router = Router(prefix="/repos", tags=["repositories"])

RepositoryId = Annotated[str, Path(min_length=1, max_length=64, description="Id of the connected repository.")]
AuditId = Annotated[str, Path(min_length=1, max_length=64, description="Id of the audit.")]


class ConnectWish(RequestModel):
    """A repository to connect."""

    name: Annotated[str, Field(min_length=3, max_length=200, description="`owner/name`.")]


class Disconnected(BaseModel):
    """A repository that is connected no more."""

    disconnected: str
    note: str = Field(description="Why the webhook stays at the forge; empty if it is gone.")


@router.get("", responses=responses(404))
async def repositories(
    site: SiteOf,
    caller: CallerOf,
    search: Annotated[str, Query(max_length=100, description="A text in the name, in either case.")] = "",
    page: Annotated[int, Query(ge=1, le=1_000)] = 1,
    limit: Annotated[int, Query(ge=1, le=100)] = PAGE,
) -> RepositoryListView:
    """Return a page of the repositories that the caller's token may see, those pushed to last first."""
    return await site.connecting.listed(caller.user_id, search, page, limit)


@router.get("/connected", responses=responses())
async def connected(site: SiteOf, caller: CallerOf) -> ConnectedListView:
    """Return the caller's connected repositories."""
    return await site.connecting.connected(caller.user_id)


@router.post("/connect", status_code=201, responses=responses(403, 404, 409))
async def connect(wish: ConnectWish, site: SiteOf, caller: CallerOf) -> ConnectedView:
    """Connect a repository: a webhook with a secret of its own is added, and each push is audited from now on."""
    return await site.connecting.connect(caller.user_id, wish.name)


@router.get("/{repository_id}", responses=responses(404))
async def one(repository_id: RepositoryId, site: SiteOf, caller: CallerOf) -> ConnectedView:
    """Return one of the caller's connected repositories."""
    return await site.connecting.one(caller.user_id, repository_id)


@router.post("/{repository_id}/disconnect", responses=responses(404))
async def disconnect(repository_id: RepositoryId, site: SiteOf, caller: CallerOf) -> Disconnected:
    """Remove a connected repository: its webhook there, and all audits here. What the forge was told stays."""
    note = await site.connecting.disconnect(caller.user_id, repository_id)
    return Disconnected(disconnected=repository_id, note=note)


@router.get("/{repository_id}/audits", responses=responses(404))
async def audits(
    repository_id: RepositoryId,
    site: SiteOf,
    caller: CallerOf,
    branch: Annotated[str, Query(max_length=255, description="Only those of pushes to it.")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = PAGE,
    cursor: Annotated[str, Query(max_length=200, description="`next_cursor` of the page before.")] = "",
) -> PushAuditListView:
    """Return a page of the audits of a repository's pushes, newest first."""
    return await site.connecting.audits(caller.user_id, repository_id, limit, cursor, branch)


@router.get("/{repository_id}/audits/{audit_id}", responses=responses(404))
async def audit(repository_id: RepositoryId, audit_id: AuditId, site: SiteOf, caller: CallerOf) -> PushAuditView:
    """Return one audit with what each check has found."""
    return await site.connecting.audit(caller.user_id, repository_id, audit_id)
