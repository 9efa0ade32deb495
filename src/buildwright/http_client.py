"""The client of a server: the calls of `Client` as HTTP requests. Must never decide, or know a command by name.

BUILDWRIGHT_URL names the server, BUILDWRIGHT_TOKEN the token (`buildwright token` prints one there).
Large because it is a list: each call of a `Client` once, with its path.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, fields
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import BaseModel

from buildwright import errors
from buildwright.core.build import Build
from buildwright.core.contract_types import ContractType
from buildwright.core.event import Recorded, decode
from buildwright.core.interview import Interview
from buildwright.core.lessons import LessonEntry
from buildwright.core.passage import Remark, RewriteWish
from buildwright.core.snapshot import parse
from buildwright.engine import commands
from buildwright.engine.build_command import BuildCommand
from buildwright.engine.commands import CommandResult, NewBuild
from buildwright.engine.follow import News, catch_up, stepped
from buildwright.engine.fork_command import ForkBuild
from buildwright.errors import BuildwrightError, Unreachable
from buildwright.http_team import HttpTeam
from buildwright.ports import BuildRow, Clock, CostKey, KeptWork, LogEntry, LogLine
from buildwright.views.attempts import AttemptsView
from buildwright.views.contract_comments import CommentList, ContractComment
from buildwright.views.contracts import ContractsChange, ContractText, ContractView, RewrittenContract, TakenContracts
from buildwright.views.costs import CostSum, KeptAnswers
from buildwright.views.execution_log import TaskLogEntry
from buildwright.views.explain import KeptWorkView
from buildwright.views.interview import InterviewEntry, InterviewView
from buildwright.views.lessons import LessonsImported, LessonsView
from buildwright.views.overview import PlanView, WorkerHolds
from buildwright.views.repositories import (
    ConnectedListView,
    ConnectedView,
    PushAuditListView,
    PushAuditView,
    RepositoryListView,
)
from buildwright.views.review import ReviewView
from buildwright.views.stats import Stats, StatsPeriod
from buildwright.views.stuck import StuckView
from buildwright.views.verdicts import GatesView
from buildwright.wiring import SystemClock
from buildwright.wiring.changes import Change
from buildwright.wiring.cluster import Fetched
from buildwright.wiring.interviewing import InterviewMessage
from buildwright.wiring.prompt import PromptView
from buildwright.wiring.repositories import found_in
from buildwright.wiring.runners import Runners

if TYPE_CHECKING:
    import aiohttp

    from buildwright.stream_client import BuildStream, Notice, ServerAccess

_PAGE = 500
_ANSWER_SECONDS = 100.0
_STREAM_SECONDS = 960.0
"""Longest silence of an answer that is streamed: a model may take its time before the first word."""
_AGAIN_SECONDS = 0.3
_QUIET_SECONDS = 1.0
"""A build that waits for its user is watched until the server has been silent for this long."""


class Wire:
    """Requests to one server. Raises the errors that the server names, Unreachable when it does not answer."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def get(self, path: str, **query: object) -> dict[str, Any]:
        """Send a GET request with these query fields; return the JSON of the answer."""
        given = {name: str(value) for name, value in query.items() if value not in ("", None)}
        return await self._ask("GET", path, params=given)

    async def post(self, path: str, body: object | None = None, **headers: str) -> dict[str, Any]:
        """Send a POST request. Headers without a value are left out; `_` in a name stands for `-`."""
        return await self._send("POST", path, body, headers)

    async def put(self, path: str, body: object, **headers: str) -> dict[str, Any]:
        """Send a PUT request, as `post` does."""
        return await self._send("PUT", path, body, headers)

    async def patch(self, path: str, body: object) -> dict[str, Any]:
        """Send a PATCH request."""
        return await self._send("PATCH", path, body, {})

    async def delete(self, path: str, **query: object) -> dict[str, Any]:
        """Send a DELETE request with these query fields."""
        return await self._ask("DELETE", path, params={name: str(value) for name, value in query.items() if value})

    async def _send(self, method: str, path: str, body: object | None, headers: Mapping[str, str]) -> dict[str, Any]:
        given = {name.replace("_", "-"): value for name, value in headers.items() if value}
        given["content-type"] = "application/json"
        # As a file: aiohttp sends large bytes in one piece, and warns of it.
        sent = io.BytesIO(json.dumps(body if body is not None else {}).encode())
        return await self._ask(method, path, data=sent, headers=given)

    async def events(self, path: str, body: object) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        """Send a POST request that is answered by server-sent events; yield the kind and the JSON of each.

        An error that the server names, also after the first event, is raised.
        """
        import aiohttp

        headers = {"content-type": "application/json", "accept": "text/event-stream"}
        parts: dict[str, Any] = {"data": io.BytesIO(json.dumps(body).encode()), "headers": headers}
        parts["timeout"] = aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=_STREAM_SECONDS)
        with self._answering():
            async with self._session.post(self.url + path, **parts) as answer:
                if answer.status >= 400:
                    self._check(answer.status, await answer.json(content_type=None))
                kind = ""
                async for raw in answer.content:
                    name, _, value = raw.decode().rstrip("\n").partition(": ")
                    if name == "event":
                        kind = value
                    elif name == "data":
                        found = json.loads(value)
                        if kind == "problem":
                            self._check(int(found["status"]), found)
                        yield kind, found

    async def _ask(self, method: str, path: str, **parts: Any) -> dict[str, Any]:
        with self._answering():
            async with self._session.request(method, self.url + path, **parts) as answer:
                found = await answer.json(content_type=None)
                status = answer.status
        return self._check(status, found)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Raise Unreachable when the server does not answer in the block."""
        import aiohttp

        try:
            yield
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unreachable(
                f"the server {self.url} does not answer: {str(error) or type(error).__name__}",
                fix="start it with `buildwright serve`, or unset BUILDWRIGHT_URL to use the store of this machine",
            ) from error

    @staticmethod
    def _check(status: int, found: Mapping[str, Any]) -> dict[str, Any]:
        """Return the JSON of an answer; raise the error that it names."""
        if status == 401:
            fix = "print a token with `buildwright token` where the server runs, and set BUILDWRIGHT_TOKEN to it"
            raise errors.Unauthorized(str(found.get("detail", "")) or None, fix=fix)
        if status >= 400:
            raise _kind_of(str(found.get("code", "")), status)(
                str(found.get("detail", "the server refused")), fix=str(found.get("fix", "")) or None
            )
        return dict(found or {})  # an answer may be empty


class HttpInterviews:
    """The interviews of the token's user on a server."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def begin(self, name: str, folder: str) -> str:  # noqa: ARG002  the directory is of this machine
        """Create a project to interview its user about, and return its id."""
        return str((await self._wire.post("/projects", {"name": name}))["id"])

    async def listed(self) -> Sequence[InterviewEntry]:
        """Return the interviews, the newest change first."""
        found = await self._wire.get("/questionnaires")
        return [InterviewEntry.model_validate_json(json.dumps(each)) for each in found["items"]]

    async def state(self, project_id: str) -> InterviewView:
        """Return the interview on a project."""
        return _interview(await self._wire.get(f"/projects/{project_id}/questionnaire/state"))

    async def tell(
        self, project_id: str, message: InterviewMessage, on_reply: Callable[[str], None] | None = None
    ) -> InterviewView:
        """Return the interview after a message; see `InterviewClient.tell`."""
        if message.cassette:
            raise errors.Refused("a server asks its own models", fix="leave out --cassette, or unset BUILDWRIGHT_URL")
        material = [each.model_dump() for each in message.material]
        body = {"message": message.text, "material": material, "model": message.model}
        said = ""
        async with aclosing(self._wire.events(f"/projects/{project_id}/questionnaire", body)) as events:
            async for kind, found in events:
                if kind == "state":
                    return _interview(found)
                said = found["text"] if found["again"] else said + found["text"]
                if on_reply is not None:
                    on_reply(said)
        raise Unreachable("the server ended the reply before its end", fix="say it again")


class HttpBuilds:
    """The journals of the caller's builds, as the server shows them."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def rows(self, limit: int = 50, build_prefix: str = "") -> list[BuildRow]:
        """Return the caller's builds, newest first; `build_prefix` selects ids that begin with it."""
        rows: list[BuildRow] = []
        cursor = ""
        while len(rows) < limit:
            most = min(limit - len(rows), _PAGE)
            page = await self._wire.get("/api/builds", limit=most, cursor=cursor, prefix=build_prefix)
            rows += [_row(item) for item in page["items"]]
            cursor = page["next_cursor"] or ""
            if not cursor:
                break
        return rows

    async def load(self, build_id: str) -> Build:
        """Return the newest state of a build."""
        return parse((await self._wire.get(f"/api/builds/{build_id}/state"))["state"])

    async def read(self, build_id: str, after: int = 0, limit: int | None = None) -> list[Recorded]:
        """Return the events with seq > after."""
        items = self._items(f"/api/builds/{build_id}/events", after, limit)
        return [_recorded(item) async for item in items]

    async def read_log(
        self, build_id: str, after: int = 0, task: str = "", limit: int = 1000, tail: bool = False
    ) -> list[LogLine]:
        """Return the log lines with seq > after, or with `tail` the last ones."""
        path, query = f"/api/builds/{build_id}/logs", {"task": task, "tail": "true" if tail else ""}
        return [_line(item) async for item in self._items(path, after, limit, once=tail, **query)]

    async def _items(
        self, path: str, after: int, limit: int | None, *, once: bool = False, **query: str
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield at most `limit` numbered items after `after`, page by page; with `once` those of the first page."""
        while limit is None or limit > 0:
            most = _PAGE if limit is None else min(_PAGE, limit)
            items = (await self._wire.get(path, after=after, limit=most, **query))["items"]
            for item in items:
                yield item
            if once or len(items) < most:
                return
            after, limit = items[-1]["seq"], None if limit is None else limit - most

    async def holder(self, build_id: str) -> str | None:
        """Return the name of the process that runs the build now, None when there is none."""
        return str((await self._wire.get(f"/api/builds/{build_id}/runners"))["runner"] or "") or None


class HttpRepositories:
    """Implements `RepositoryClient` with the connected repositories of the token's user."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def listed(self, search: str = "", page: int = 1) -> RepositoryListView:
        """See `RepositoryClient.listed`."""
        found = await self._wire.get("/repos", search=search, page=page)
        return RepositoryListView.model_validate_json(json.dumps(found))

    async def connected(self) -> ConnectedListView:
        """See `RepositoryClient.connected`."""
        return ConnectedListView.model_validate_json(json.dumps(await self._wire.get("/repos/connected")))

    async def find(self, repository: str) -> str:
        """See `RepositoryClient.find`."""
        return found_in((await self.connected()).items, repository)

    async def connect(self, name: str) -> ConnectedView:
        """See `RepositoryClient.connect`."""
        return ConnectedView.model_validate_json(json.dumps(await self._wire.post("/repos/connect", {"name": name})))

    async def disconnect(self, repository_id: str) -> str:
        """See `RepositoryClient.disconnect`."""
        return str((await self._wire.post(f"/repos/{repository_id}/disconnect"))["note"])

    async def audits(
        self, repository_id: str, limit: int = 50, cursor: str = "", branch: str = ""
    ) -> PushAuditListView:
        """See `RepositoryClient.audits`."""
        found = await self._wire.get(f"/repos/{repository_id}/audits", limit=limit, cursor=cursor, branch=branch)
        return PushAuditListView.model_validate_json(json.dumps(found))

    async def audit(self, repository_id: str, audit_id: str) -> PushAuditView:
        """See `RepositoryClient.audit`."""
        found = await self._wire.get(f"/repos/{repository_id}/audits/{quote(audit_id, safe='')}")
        return PushAuditView.model_validate_json(json.dumps(found))


async def _projects(wire: Wire) -> list[dict[str, Any]]:
    """Return all projects that the token's user sees."""
    cursor, found = "", list[dict[str, Any]]()
    while True:
        page = await wire.get("/projects", limit=500, cursor=cursor)
        found += page["items"]
        cursor = page["next_cursor"] or ""
        if not cursor:
            return found


class HttpContracts:
    """Implements `ContractClient` with the projects of the token's user."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def find(self, project: str, *, create: bool = False) -> tuple[str, str]:
        """See `ContractClient.find`."""
        found = await _projects(self._wire)
        exact = [one for one in found if project in {one["id"], one["name"]}]
        chosen = exact or [one for one in found if len(project) >= 4 and str(one["id"]).startswith(project)]
        if len(chosen) > 1:
            raise errors.NotFound(f"{project} names {len(chosen)} projects", fix="name it by its id")
        if not chosen and not create:
            raise errors.NotFound(f"there is no project {project}", fix="see GET /projects for yours")
        made = chosen[0] if chosen else await self._wire.post("/projects", {"name": project})
        return str(made["id"]), str(made["name"])

    async def listed(self, project_id: str) -> tuple[ContractView, ...]:
        """See `ContractClient.listed`."""
        found = await self._wire.get(f"/projects/{project_id}/contracts")
        return tuple(ContractView.model_validate_json(json.dumps(each)) for each in found["items"])

    async def versions(self, project_id: str, contract_type: ContractType) -> tuple[ContractView, ...]:
        """See `ContractClient.versions`."""
        found = await self._wire.get(f"/projects/{project_id}/contracts/{contract_type}/versions")
        return tuple(ContractView.model_validate_json(json.dumps(each)) for each in found["items"])

    async def text(self, project_id: str, contract_type: ContractType, version: int = 0) -> ContractText:
        """See `ContractClient.text`."""
        found = await self._wire.get(f"/projects/{project_id}/contracts/{contract_type}", version=version)
        return ContractText.model_validate_json(json.dumps(found))

    async def save(
        self, project_id: str, contract_type: ContractType, content: str, version: int | None = None
    ) -> ContractsChange:
        """See `ContractClient.save`."""
        named = {"If_Match": f'"{version}"'} if version is not None else {}
        path = f"/projects/{project_id}/contracts/{contract_type}"
        return _contracts_change(await self._wire.put(path, {"content": content}, **named))

    async def rewrite(self, project_id: str, contract_type: ContractType, wish: RewriteWish) -> RewrittenContract:
        """See `ContractClient.rewrite`."""
        if wish.cassette:
            raise errors.Refused("the model of a server cannot be played", fix="leave `--cassette` out")
        body = {name: value for name, value in wish._asdict().items() if value and name != "cassette"}
        found = await self._wire.post(f"/projects/{project_id}/contracts/{contract_type}/rewrite", body)
        return RewrittenContract.model_validate_json(json.dumps(found))

    async def generate(
        self, project_id: str, interview: Interview | None = None, *, replace_edited: bool = False
    ) -> ContractsChange:
        """See `ContractClient.generate`."""
        body: dict[str, Any] = {"replace_edited": replace_edited}
        if interview is not None:
            answers = [answer.model_dump(mode="json", exclude={"revision"}) for answer in interview.answers]
            body |= {"title": interview.title, "answers": answers}
        return _contracts_change(await self._wire.post(f"/projects/{project_id}/contracts/generate", body))

    async def comments(
        self, project_id: str, contract_type: ContractType | None = None, *, resolved: bool = False
    ) -> CommentList:
        """See `ContractClient.comments`."""
        named = {"contract_type": contract_type} if contract_type is not None else {}
        path = f"/projects/{project_id}/contracts/comments"
        found = await self._wire.get(path, resolved="true" if resolved else "false", **named)
        return CommentList.model_validate_json(json.dumps(found))

    async def comment(self, project_id: str, contract_type: ContractType, remark: Remark) -> ContractComment:
        """See `ContractClient.comment`."""
        path = f"/projects/{project_id}/contracts/{contract_type}/comments"
        return ContractComment.model_validate_json(json.dumps(await self._wire.post(path, remark._asdict())))

    async def resolve(self, project_id: str, comment_id: str, *, resolved: bool = True) -> ContractComment:
        """See `ContractClient.resolve`."""
        path = f"/projects/{project_id}/contracts/comments/{quote(comment_id, safe='')}/resolve"
        return ContractComment.model_validate_json(json.dumps(await self._wire.post(path, {"resolved": resolved})))

    async def stale(self, project_id: str) -> ContractsChange:
        """See `ContractClient.stale`."""
        return _contracts_change(await self._wire.get(f"/projects/{project_id}/contracts/stale"))

    async def take(self, project_id: str) -> TakenContracts:
        """See `ContractClient.take`."""
        found = await self._wire.post(f"/projects/{project_id}/contracts/take", {})
        return TakenContracts.model_validate_json(json.dumps(found))


def _contracts_change(found: Mapping[str, Any]) -> ContractsChange:
    return ContractsChange.model_validate_json(json.dumps(found))


class HttpClient:
    """A `Client` whose builds are carried out by a server."""

    def __init__(self, server: ServerAccess, wire: Wire, notify: Callable[[Notice], None] | None = None) -> None:
        """`notify` is told when a watched stream loses its connection, and when it is back."""
        self.settings = server.settings
        self.clock: Clock = SystemClock()
        self.builds = HttpBuilds(wire)
        self.interviews = HttpInterviews(wire)
        self.in_cluster = False
        """Unknown here: the server has the builds carried out."""
        self.elsewhere = True
        self._wire = wire
        self._server = server
        self._notify = notify or _log_notice

    @property
    def contracts(self) -> HttpContracts:
        """The contracts of the projects of the token's user."""
        return HttpContracts(self._wire)

    @property
    def team(self) -> HttpTeam:
        """The users of the server, and the tokens of this one."""
        return HttpTeam(self._wire)

    @property
    def repositories(self) -> HttpRepositories:
        """The connected repositories of the token's user."""
        return HttpRepositories(self._wire)

    async def start(self, new: NewBuild) -> str:
        """Create a build of the token's user; the server carries it out."""
        named = {"Idempotency_Key": new.build_id, "X_Correlation_Id": new.correlation_id}
        body = _wanted(new) | {"project_id": new.project_id or None}
        return str((await self._wire.post("/api/builds", body, **named))["build_id"])

    async def fork(self, build_id: str, wanted: ForkBuild) -> str:
        """Create a build of the token's user that goes on from a point of another one; the server carries it out."""
        fields = {name: _as_json(value) for name, value in asdict(wanted).items() if value}
        return str((await self._wire.post(f"/api/builds/{build_id}/fork", fields))["build_id"])

    async def plan(self, new: NewBuild, on_begin: Callable[[], None] | None = None) -> PlanView:
        """Return the plan for a spec, without building it."""
        if on_begin is not None and new.spec.graph is None:
            on_begin()
        found = await self._wire.post("/api/plans", _wanted(new))
        return PlanView.model_validate_json(json.dumps({name: found[name] for name in PlanView.model_fields}))

    async def find(self, build: str = "") -> str:
        """Return the full id of a build, from an id, a unique beginning of one, or "" for the newest."""
        return await commands.find(self.builds, build)

    async def ask(self, build_id: str, command: BuildCommand) -> CommandResult:
        """Give any command to a build: the path is its name, and the body is its fields."""
        fields = {name: _as_json(value) for name, value in asdict(command).items()}
        found = await self._wire.post(f"/api/builds/{build_id}/{command.name}", fields)
        return CommandResult(await self.builds.load(build_id), str(found.get(command.receipt, "")))

    async def crew(self, build_id: str) -> Runners:
        """Return the workers that hold actions of the build."""
        found = await self._wire.get(f"/api/builds/{build_id}/runners")
        holdings = tuple(WorkerHolds(**item) for item in found["holdings"])
        return Runners(found["runner"], found["in_cluster"], found["workers"], holdings)

    async def change(self, build: Build, task: str = "", attempt: int = 0, *, binary: bool = False) -> Change:
        """Return what the build, or one of its tasks or their attempts, changed."""
        more: dict[str, Any] = {"attempt": attempt} if attempt else {}
        more |= {"binary": "true"} if binary else {}
        found = await self._wire.get(f"/api/builds/{build.id}/diff", task=task, **more)
        return Change(found["old"], found["new"], found["diff"])

    async def review(self, build: Build, task: str = "", *, ignore_space: bool = False) -> ReviewView:
        """Return the change of the build, or of one of its tasks, with the purpose of each hunk."""
        more = {"ignore_space": "true"} if ignore_space else {}
        found = await self._wire.get(f"/api/builds/{build.id}/review", task=task, **more)
        return ReviewView.model_validate_json(json.dumps(found))

    async def attempts(self, build: Build, task: str, left: int, right: int) -> AttemptsView:
        """Return what two attempts at a task changed, side by side."""
        found = await self._wire.get(f"/api/builds/{build.id}/attempts", task=task, left=left, right=right)
        return AttemptsView.model_validate_json(json.dumps(found))

    async def prompt(self, build: Build, task: str, attempt: int = 0) -> PromptView:
        """Return what an attempt (0: the newest, or the one to come) at the task is told, part by part."""
        found = await self._wire.get(f"/api/builds/{build.id}/prompt", task=task, attempt=attempt)
        return PromptView.model_validate_json(json.dumps(found))

    async def kept(self, build: Build) -> tuple[KeptWork, ...]:
        """Return what is kept of the build's attempts that did not land."""
        found = await self._wire.get(f"/api/builds/{build.id}/kept")
        return tuple(KeptWorkView.model_validate_json(json.dumps(item)).as_work(build.id) for item in found["items"])

    async def gates(self, build: Build, task: str = "") -> GatesView:
        """Return what the gates said in the build, or of one of its tasks."""
        found = await self._wire.get(f"/api/builds/{build.id}/gates", task=task)
        return GatesView.model_validate_json(json.dumps(found))

    async def project_names(self, ids: Collection[str]) -> Mapping[str, str]:
        """Return the names of those of these projects that the token's user sees."""
        return {one["id"]: one["name"] for one in await _projects(self._wire) if one["id"] in ids}

    async def costs(
        self, by: CostKey, start: datetime | None = None, end: datetime | None = None, build: str = ""
    ) -> Sequence[CostSum]:
        """Return what requests to models cost from `start` to before `end`, over the builds of the token's user, or of one."""
        found = await self._wire.get("/api/costs", by=by, build=build, **_between(start, end))
        return [CostSum.model_validate_json(json.dumps(each)) for each in found["sums"]]

    async def kept_answers(
        self, start: datetime | None = None, end: datetime | None = None, build: str = ""
    ) -> KeptAnswers:
        """Return the answers that were played again instead of bought twice, of the builds of the token's user, or of one."""
        found = await self._wire.get("/api/costs", by="result", build=build, **_between(start, end))
        return KeptAnswers.model_validate_json(json.dumps(found["kept"]))

    async def stats(self, by: StatsPeriod, start: datetime | None = None, end: datetime | None = None) -> Stats:
        """Return what the builds of the token's user came to, of the hours from that of `start` to that before `end`."""
        found = await self._wire.get("/api/stats", by=by, **_between(start, end))
        return Stats.model_validate_json(json.dumps(found))

    async def lessons(self) -> LessonsView:
        """Return the lessons of the token's user, and whether they help."""
        return LessonsView.model_validate_json(json.dumps(await self._wire.get("/api/lessons")))

    async def forget_lesson(self, lesson_id: str) -> None:
        """Remove a lesson. Raises NotFound."""
        await self._wire.post(f"/api/lessons/{quote(lesson_id, safe='')}/forget")

    async def import_lessons(self, entries: Sequence[LessonEntry]) -> LessonsImported:
        """Keep the lessons of a file that the token's user does not have yet."""
        body = {"lessons": [entry.model_dump(mode="json") for entry in entries]}
        return LessonsImported.model_validate(await self._wire.post("/api/lessons/import", body))

    async def execution_log(
        self, build_id: str, after: int = 0, limit: int = 1000, task: str = ""
    ) -> Sequence[TaskLogEntry]:
        """Return the entries of a build's log of tasks with an id > `after`, of one task when given."""
        path = f"/api/builds/{build_id}/task-execution-log"
        found = await self._wire.get(path, after=after, limit=limit, **({"task": task} if task else {}))
        return [TaskLogEntry.model_validate_json(json.dumps(each)) for each in found["items"]]

    async def stuck(self, build_id: str, number: int = 0) -> StuckView:
        """Return one time that the build was stuck (0: the newest), with its context."""
        found = await self._wire.get(f"/api/builds/{build_id}/stuck", number=number)
        return StuckView.model_validate_json(json.dumps(found))

    async def stepped(
        self,
        build_id: str,
        step_id: str,
        seconds: float = math.inf,
        on_event: Callable[[Recorded, Build], None] | None = None,
        since: Build | None = None,
    ) -> Build:
        """Return the build once it has made the step, or rests; see `Client.stepped`."""
        return await stepped(self.builds, build_id, step_id, seconds, on_event, since)

    async def run(
        self,
        build_id: str,
        on_event: Callable[[Recorded, Build], None] | None = None,
        on_log: Callable[[LogEntry], None] | None = None,
        detach: asyncio.Event | None = None,
        *,
        stay: bool = False,
        since: Build | None = None,
    ) -> Build:
        """Have the server carry the build out, and watch its stream until it has ended or rests.

        The stream goes on after a cut or a restart of the server, and misses nothing.
        """
        from buildwright.stream_client import BuildStream

        build = since or await self.builds.load(build_id)
        if build.is_terminal:
            return build
        with suppress(errors.IllegalMove):  # it has ended since it was loaded: the stream has the rest
            await self._wire.post(f"/api/builds/{build_id}/run")
        stream = BuildStream(self._server, build_id, "journal", self._notify, told=build.version, quiet=_QUIET_SECONDS)
        watching = asyncio.create_task(_watch(stream, on_event, on_log, stay))
        leaving = asyncio.create_task((detach or asyncio.Event()).wait())
        try:
            await asyncio.wait({watching, leaving}, return_when=asyncio.FIRST_COMPLETED)
            is_over = watching.done()
            if is_over:
                watching.result()
        finally:
            watching.cancel()
            leaving.cancel()
            await asyncio.gather(watching, leaving, return_exceptions=True)
        seen = stream.build
        build = seen if seen is not None and seen.version > build.version else build
        if is_over and not (build.is_terminal or (build.waits_for_user and not stay)):
            # The server ended the stream of a build that has just begun again, and had not heard of that yet.
            await asyncio.sleep(_AGAIN_SECONDS)
            return await self.run(build_id, on_event, on_log, detach, stay=stay, since=build)
        return build

    async def news(self, build: Build, seconds: float) -> AsyncGenerator[News, None]:
        """Yield the news of a build after this state, for at most `seconds`: what has come is read when the stream says so."""
        from buildwright.stream_client import QUIET, BuildStream

        time = asyncio.get_running_loop().time
        until, quiet = time() + seconds, min(seconds, _QUIET_SECONDS)
        stream = BuildStream(self._server, build.id, "journal", self._notify, after="", quiet=quiet)
        async with aclosing(stream.frames()) as frames:
            async for frame in frames:
                if frame["type"] != QUIET and frame["payload"].get("seq", math.inf) > build.version:
                    steps = await catch_up(self.builds, build)
                    build = steps[-1].build if steps else build
                    yield News(build, steps)
                if time() >= until:
                    return

    async def bring_home(self, build: Build) -> Fetched:
        """Bring nothing home: the server's repositories are its own."""
        return Fetched(build, False)


@asynccontextmanager
async def open_http_client(
    server: ServerAccess, notify: Callable[[Notice], None] | None = None
) -> AsyncIterator[HttpClient]:
    """Open a client of a server, until the end of the block."""
    import aiohttp

    headers = server.headers()
    if server.settings.correlation_id:
        headers["X-Correlation-Id"] = server.settings.correlation_id
    timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS, sock_connect=10.0)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout, trust_env=False) as session:
        yield HttpClient(server, Wire(server.url, session), notify)


def _log_notice(notice: Notice) -> None:
    logging.getLogger(__name__).warning(notice.text)


def _kind_of(code: str, status: int) -> type[BuildwrightError]:
    """Return the error class for a problem's code, so that a command ends as it would beside the store."""
    named = getattr(errors, code.title().replace("-", ""), None)
    if isinstance(named, type) and issubclass(named, BuildwrightError):
        return named
    return errors.Refused if status < 500 else errors.CouldNot


def _wanted(new: NewBuild) -> dict[str, Any]:
    """Return the body of a request for a build or a plan."""
    spec, options = new.spec.model_dump(mode="json"), new.options.model_dump(mode="json")
    return {"spec": spec, "options": options, "repository": new.repository, "base": new.base}


async def _watch(
    stream: BuildStream,
    on_event: Callable[[Recorded, Build], None] | None,
    on_log: Callable[[LogEntry], None] | None,
    stay: bool,
) -> None:
    """Report the news of a stream until the build has ended or rests."""
    from buildwright.stream_client import QUIET

    async with aclosing(stream.news()) as all_news:
        async for frame, news in all_news:
            if news is None:
                continue
            news.tell(on_event, on_log)
            # Running actions of a build that waits go on there, watched or not.
            rests = news.build.waits_for_user and not stay and frame["type"] == QUIET
            if not news.more and (news.build.is_terminal or rests):
                return


def _interview(found: Mapping[str, Any]) -> InterviewView:
    return InterviewView.model_validate_json(json.dumps(found))


def _row(item: Mapping[str, Any]) -> BuildRow:
    times = {name: _time(item[name]) for name in ("created_at", "updated_at", "completed_at")}
    names = {field.name for field in fields(BuildRow)} - times.keys()
    return BuildRow(**{name: item[name] for name in names}, **times)  # type: ignore[arg-type]


def _recorded(item: Mapping[str, Any]) -> Recorded:
    fields = {name: value for name, value in item.items() if name not in {"seq", "at", "type"}}
    at = _time(item["at"])
    assert at is not None
    return Recorded(item["seq"], at, decode(item["type"], json.dumps(fields)))


def _line(item: Mapping[str, Any]) -> LogLine:
    at = _time(item["at"])
    assert at is not None
    return LogLine(item["seq"], at, item["task"], item["attempt"], item["kind"], item["text"])


def _between(start: datetime | None, end: datetime | None) -> dict[str, str]:
    """Return the two ends of a time as parameters of a request."""
    return {name: moment.isoformat() for name, moment in (("since", start), ("until", end)) if moment}


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _as_json(value: Any) -> Any:
    """Return a field of a command as the body of a request has it; of a record only what was given."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, tuple):
        return [_as_json(item) for item in value]
    return str(value) if isinstance(value, Decimal) else value
