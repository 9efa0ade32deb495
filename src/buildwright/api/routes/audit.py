"""The audit over HTTP, for the user whose machine this is. Must never judge: that is in `audit`."""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import Field

from buildwright.api.bodies import Router
from buildwright.api.problems import responses
from buildwright.api.state import CallerOf, SiteOf
from buildwright.api.targets import check_repository, is_owner
from buildwright.audit.check import AuditReport
from buildwright.audit.comparison import AuditRange
from buildwright.audit.run import AuditRequest
from buildwright.errors import BadRepository, Forbidden
from buildwright.request_model import RequestModel
from buildwright.wiring.auditing import auditor

router = Router(prefix="/audit", tags=["audit"])

_Names = Annotated[list[Annotated[str, Field(max_length=2_000)]], Field(max_length=1_000)]
_Commit = Annotated[str, Field(max_length=200)]


class AuditWish(RequestModel):
    """A change to audit. The fields are the options of `buildwright audit`."""

    repository: Annotated[str, Field(max_length=2_000, description="Absolute path of a repository on this machine.")]
    base: _Commit = Field("", description="Where HEAD left the default branch, if left out.")
    head: _Commit = Field("", description="HEAD, if left out.")
    claimed_files: _Names = Field([], description="Files that the change says it touches.")
    phase: Annotated[str, Field(max_length=200)] = ""
    allow: _Names = Field([], description="Paths that a person has opened.")
    authors: _Names = Field([], description="Addresses whose commits a person vouches for.")
    run_checks: bool = Field(False, description="Run the project's own checks too, with their time limits.")


@router.post("/run", responses=responses(403))
async def run_audit(wish: AuditWish, site: SiteOf, caller: CallerOf) -> AuditReport:
    """Audit a change, and record it in the ledger. Only for the user whose machine this is. Writes into no repository."""
    if not is_owner(site, caller):
        raise Forbidden("audits are for the owner of this machine", fix="ask the owner for one")
    repository = await asyncio.to_thread(check_repository, wish.repository, site.app.settings.environment)
    if "://" in repository or not repository.startswith("/"):
        raise BadRepository("an audit needs a repository on this machine", fix="give an absolute path")
    request = AuditRequest(
        repository,
        AuditRange(wish.base, wish.head),
        tuple(wish.claimed_files),
        wish.phase,
        tuple(wish.allow),
        tuple(wish.authors),
        run_checks=wish.run_checks,
        write=False,
    )
    return await auditor(site.app.settings).audit(request)
