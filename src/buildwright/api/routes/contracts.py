"""The contracts of a project. Must never hold logic: that is in `wiring.contracts`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from fastapi import Header, Path, Query, Request, Response
from pydantic import BaseModel, Field

from buildwright.api import operations
from buildwright.api.bodies import Router
from buildwright.api.openapi import KEYED
from buildwright.api.problems import responses
from buildwright.api.project_build import OwnProject
from buildwright.api.routes.steer import ask
from buildwright.api.state import CallerOf, ServerState, SiteOf
from buildwright.api.targets import check_commands
from buildwright.core.contract_types import FOLDER, ContractType
from buildwright.core.contracts import LARGEST, BuildContracts, check_folder
from buildwright.core.interview import LONGEST_ANSWER, LONGEST_LINE, MOST_ANSWERS, Answer, Interview, SectionName
from buildwright.core.limits import Options
from buildwright.core.passage import Remark, RewriteWish
from buildwright.core.spec import text_difference
from buildwright.errors import NotFound, Refused
from buildwright.request_model import RequestModel
from buildwright.views.contract_comments import CommentList, ContractComment
from buildwright.views.contracts import (
    ContractsChange,
    ContractText,
    ContractView,
    RewrittenContract,
    TakenContracts,
    taken_contracts,
)
from buildwright.wiring.contract_comments import Commenting
from buildwright.wiring.contracts import Contracting, zipped

router = Router(prefix="/projects/{project_id}/contracts", tags=["contracts"])

Version = Annotated[int, Query(ge=0, le=2**53, description="Version; 0 for the newest.")]


class NewAnswer(RequestModel):
    """An answer to make contracts of, as one of an interview."""

    id: Annotated[str, Field(pattern=r"^(A[1-9][0-9]{0,3})?$", description="Left out, its place in the list.")] = ""
    section: SectionName
    text: Annotated[str, Field(min_length=1, max_length=LONGEST_ANSWER, pattern=r"\S")]
    question: Annotated[str, Field(max_length=LONGEST_LINE)] = ""
    origin: Literal["said", "assumed", "found"] = "said"
    source: Annotated[str, Field(max_length=LONGEST_LINE)] = ""


class GenerateWish(RequestModel):
    """What to make the contracts of; without answers, of the project's interview."""

    title: Annotated[str, Field(max_length=200)] = ""
    answers: Annotated[list[NewAnswer] | None, Field(max_length=MOST_ANSWERS)] = None
    replace_edited: bool = Field(False, description="Make those again, too, that a person has edited.")


class ContractWish(RequestModel):
    """A contract as it is to be."""

    content: Annotated[str, Field(max_length=LARGEST)]


class PassageWish(RequestModel):
    """What is to change in a passage of a contract."""

    text: Annotated[str, Field(min_length=1, max_length=LONGEST_ANSWER, pattern=r"\S", description="What to change.")]
    first: Annotated[int, Field(ge=1, le=LARGEST, description="The first line of the passage, from 1.")]
    last: Annotated[int, Field(ge=0, le=LARGEST, description="Its last line; 0 for the paragraph around `first`.")] = 0
    content: Annotated[
        str, Field(max_length=LARGEST, description="The text that has the passage; else that of the newest version.")
    ] = ""
    model: Annotated[str, Field(max_length=200, description="The model that rewrites, else the server's.")] = ""


class ContractList(BaseModel):
    """Contracts by type, or the versions of one, the newest first."""

    items: tuple[ContractView, ...]


class ContractDrafts(BaseModel):
    """Contracts as they would be made of the answers so far, with their texts."""

    items: tuple[ContractText, ...]


class CommentWish(RequestModel):
    """A comment on lines of a contract."""

    text: Annotated[str, Field(min_length=1, max_length=LONGEST_ANSWER, pattern=r"\S")]
    first: Annotated[int, Field(ge=1, le=LARGEST, description="The first line of the passage, from 1.")]
    last: Annotated[int, Field(ge=0, le=LARGEST, description="Its last line; 0 for the paragraph around `first`.")] = 0
    version: Annotated[
        int, Field(ge=0, le=2**53, description="The version that has these lines; 0 for the newest.")
    ] = 0


class CommentState(RequestModel):
    """What a comment is to be."""

    resolved: bool = True


class ContractDiff(BaseModel):
    """How two versions of a contract differ, as a unified diff; "" when they do not."""

    contract_type: ContractType
    old: int
    new: int
    diff: str


def _kept(site: ServerState) -> Contracting:
    return Contracting(site.records, site.app.builds, site.app.clock)


def _comments(site: ServerState) -> Commenting:
    return Commenting(site.records, site.app.clock)


@router.post("/generate", responses=responses(403, 404, 409))
async def generate_contracts(wish: GenerateWish, project: OwnProject, site: SiteOf) -> ContractsChange:
    """Make the ten contracts of the answers, and say what of a build that makes stale.

    One that comes out as it is gets no new version; one that a person edited stays, unless the request says otherwise.
    """
    interview = None
    if wish.answers is not None:
        told = [{"id": one.id or f"A{at}", **one.model_dump(exclude={"id"})} for at, one in enumerate(wish.answers, 1)]
        if len({one["id"] for one in told}) < len(told):
            raise Refused("two answers have the same id", fix="leave `id` out, or give each its own")
        interview = Interview(title=wish.title, answers=tuple(Answer.model_validate(one) for one in told))
    return await _kept(site).generate(project.user_id, project.id, interview, replace_edited=wish.replace_edited)


@router.get("", responses=responses(403, 404))
async def list_contracts(project: OwnProject, site: SiteOf) -> ContractList:
    """Return the newest version of each contract, without the texts."""
    return ContractList(items=await _kept(site).listed(project.user_id, project.id))


@router.get("/draft", responses=responses(403, 404))
async def draft_contracts(project: OwnProject, site: SiteOf) -> ContractDrafts:
    """Return the contracts as the answers of the interview so far would make them. Nothing is kept."""
    return ContractDrafts(items=await _kept(site).drafts(project.user_id, project.id))


@router.get("/stale", responses=responses(403, 404))
async def stale_work(project: OwnProject, site: SiteOf) -> ContractsChange:
    """Return the tasks and merged work of the newest build that the contracts make stale as they are now."""
    return await _kept(site).stale(project.user_id, project.id)


@router.post("/take", responses=responses(400, 403, 404, 409, 502))
async def take_contracts(project: OwnProject, site: SiteOf, caller: CallerOf) -> TakenContracts:
    """Let the newest build go on with the contracts as they are now; what has landed is brought up to date.

    Tasks that have not begun take the new words; each other stale one is followed by a task that mends it.
    """
    await site.rates.take(operations.BUILDS, caller.user_id)
    build, command = await _kept(site).taking(project.user_id, project.id)
    check_commands(site, caller, command.spec, Options())
    after, _ = await ask(site, caller, build, command)
    await site.hosting.begin(build.id)
    return taken_contracts(project.id, build, after)


@router.get(
    "/export",
    response_class=Response,
    responses={**responses(403, 404, 422), 200: {"content": {"application/zip": {}}}},
)
async def export_contracts(
    project: OwnProject,
    site: SiteOf,
    folder: Annotated[str, Query(max_length=200, description="Folder in the archive.")] = FOLDER,
) -> Response:
    """Return the newest contracts as a zip archive of the files that a build writes."""
    kept = await site.records.contracts.newest(project.user_id, project.id)
    if not kept:
        raise NotFound("the project has no contracts", fix="make them: POST /projects/{id}/contracts/generate")
    contracts = tuple(one.contract for one in kept)
    files = BuildContracts(contracts=contracts, folder=check_folder(folder)).files
    headers = {"Content-Disposition": 'attachment; filename="contracts.zip"'}
    return Response(zipped(files), media_type="application/zip", headers=headers)


@router.get("/comments", responses=responses(403, 404))
async def list_comments(
    project: OwnProject,
    site: SiteOf,
    contract_type: Annotated[ContractType | None, Query(description="Only those on this contract.")] = None,
    resolved: Annotated[bool, Query(description="With those that are resolved.")] = False,
) -> CommentList:
    """Return the newest comments on paragraphs, each with where its paragraph is now, or since when it is another one."""
    return await _comments(site).listed(project.user_id, project.id, contract_type, resolved=resolved)


@router.post("/comments/{comment_id}/resolve", responses=responses(403, 404))
async def resolve_comment(
    comment_id: Annotated[str, Path(pattern=r"^[A-Za-z0-9-]{1,64}$", description="Id of the comment.")],
    project: OwnProject,
    site: SiteOf,
    caller: CallerOf,
    wanted: CommentState | None = None,
) -> ContractComment:
    """Mark a comment as resolved or, with `resolved` false, as open again. One that is so already stays as it is."""
    resolved = (wanted or CommentState()).resolved
    return await _comments(site).resolve(project.user_id, project.id, comment_id, caller.user_id, resolved=resolved)


@router.post("/{contract_type}/comments", status_code=201, responses=responses(403, 404))
async def comment_on_contract(
    contract_type: ContractType, wish: CommentWish, project: OwnProject, site: SiteOf, caller: CallerOf
) -> ContractComment:
    """Keep a comment on a paragraph of a contract, or on the lines that are named. No agent is told."""
    await site.rates.take(operations.BUILDS, caller.user_id)
    remark = Remark(wish.text, wish.first, wish.last, wish.version)
    return await _comments(site).add(project.user_id, project.id, contract_type, remark, caller.user_id)


@router.get("/{contract_type}", responses=responses(403, 404))
async def get_contract(
    contract_type: ContractType, project: OwnProject, site: SiteOf, response: Response, version: Version = 0
) -> ContractText:
    """Return a contract with its text, and the answers that its lines came from. The ETag is its version."""
    found = await _kept(site).text(project.user_id, project.id, contract_type, version)
    response.headers["ETag"] = f'"{found.version}"'
    return found


@router.put("/{contract_type}", responses=responses(403, 404, 409))
async def put_contract(
    contract_type: ContractType,
    wish: ContractWish,
    project: OwnProject,
    site: SiteOf,
    response: Response,
    dry_run: Annotated[bool, Query(description="Check it and say what it makes stale, and keep nothing.")] = False,
    if_match: Annotated[
        str, Header(max_length=30, description="The ETag of the version that was changed; without it, the newest.")
    ] = "",
) -> ContractsChange:
    """Keep a contract as its next version once it is checked, and say what of a build that makes stale."""
    named = re.fullmatch(r'(?:W/)?"([0-9]{1,15})"', if_match.strip())
    if if_match and if_match.strip() != "*" and named is None:
        raise Refused("If-Match names no version", fix="send the ETag of GET as it is")
    version = int(named[1]) if named else None
    kept = _kept(site)
    if dry_run:
        return await kept.impact(project.user_id, project.id, contract_type, wish.content, version)
    change = await kept.save(project.user_id, project.id, contract_type, wish.content, version)
    newest = await kept.text(project.user_id, project.id, contract_type)
    response.headers["ETag"] = f'"{newest.version}"'
    return change


@router.post(
    "/{contract_type}/rewrite",
    response_model=RewrittenContract,
    responses=responses(403, 404, 502, 507),
    openapi_extra=KEYED,
)
async def rewrite_contract(
    contract_type: ContractType,
    wish: PassageWish,
    project: OwnProject,
    site: SiteOf,
    caller: CallerOf,
    request: Request,
) -> Response:
    """Return the contract with a passage as a model has rewritten it, and the difference. Nothing is kept."""
    await site.rates.take(operations.BUILDS, caller.user_id)

    async def work() -> tuple[int, dict[str, Any], str]:
        wanted = RewriteWish(**wish.model_dump())
        found = await site.app.rewriting.rewrite(project.user_id, project.id, contract_type, wanted)
        return 200, found.model_dump(mode="json"), ""

    path = f"POST /projects/{project.id}/contracts/{contract_type}/rewrite"
    return await site.asked.once(request, caller.user_id, path, work)


@router.get("/{contract_type}/versions", responses=responses(403, 404))
async def contract_versions(contract_type: ContractType, project: OwnProject, site: SiteOf) -> ContractList:
    """Return all versions of a contract, the newest first, without the texts."""
    return ContractList(items=await _kept(site).versions(project.user_id, project.id, contract_type))


@router.get("/{contract_type}/diff", responses=responses(403, 404))
async def contract_diff(
    contract_type: ContractType, project: OwnProject, site: SiteOf, old: Version = 0, new: Version = 0
) -> ContractDiff:
    """Return how two versions differ: by default the newest and the one before it."""
    after = await _kept(site).text(project.user_id, project.id, contract_type, new)
    before = await _kept(site).text(project.user_id, project.id, contract_type, old or max(1, after.version - 1))
    lines = text_difference(before.content, after.content)
    return ContractDiff(contract_type=contract_type, old=before.version, new=after.version, diff="\n".join(lines))
