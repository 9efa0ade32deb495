"""The one door for commands of the command line, the library and the routes, to the store here or to a server.

`wiring.App` is the client of the store, `http_client.HttpClient` that of a server. Must never hold a rule of a build:
those are in `engine.commands`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
    from datetime import datetime

    from buildwright.core.build import Build
    from buildwright.core.contract_types import ContractType
    from buildwright.core.event import Recorded
    from buildwright.core.interview import Interview
    from buildwright.core.lessons import LessonEntry
    from buildwright.core.passage import Remark, RewriteWish
    from buildwright.core.spec import Spec
    from buildwright.engine.build_command import BuildCommand
    from buildwright.engine.commands import CommandResult, NewBuild
    from buildwright.engine.follow import News
    from buildwright.engine.fork_command import ForkBuild
    from buildwright.ports import BuildReader, BuildRow, Clock, CostKey, KeptWork, LogEntry
    from buildwright.settings import Settings
    from buildwright.stream_client import Notice
    from buildwright.views.attempts import AttemptsView
    from buildwright.views.contract_comments import CommentList, ContractComment
    from buildwright.views.contracts import (
        ContractsChange,
        ContractText,
        ContractView,
        RewrittenContract,
        TakenContracts,
    )
    from buildwright.views.costs import CostSum, KeptAnswers
    from buildwright.views.execution_log import TaskLogEntry
    from buildwright.views.interview import InterviewEntry, InterviewView
    from buildwright.views.lessons import LessonsImported, LessonsView
    from buildwright.views.overview import PlanView
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
    from buildwright.views.team import MemberRoleName, MemberView, TokenView, UserChanges, UserView
    from buildwright.views.verdicts import GatesView
    from buildwright.wiring.changes import Change
    from buildwright.wiring.cluster import Fetched
    from buildwright.wiring.interviewing import InterviewMessage
    from buildwright.wiring.prompt import PromptView
    from buildwright.wiring.runners import Runners


class InterviewClient(Protocol):
    """The interviews of one user, here or on a server."""

    async def begin(self, name: str, folder: str) -> str:
        """Create a project to interview its user about, and return its id. `folder` is its directory on this machine."""

    async def listed(self) -> Sequence[InterviewEntry]:
        """Return the interviews, the newest change first."""

    async def state(self, project_id: str) -> InterviewView:
        """Return the interview on a project; an empty one when it has none. Raises NotFound, Forbidden."""

    async def tell(
        self, project_id: str, message: InterviewMessage, on_reply: Callable[[str], None] | None = None
    ) -> InterviewView:
        """Return the interview after a message. `on_reply` gets the interviewer's reply, as far as it has come.

        Raises NotFound, Forbidden, Refused, Conflict (changed meanwhile), BadSettings (no key) and ModelFailed.
        """


class ContractClient(Protocol):
    """The contracts of one user's projects, here or on a server. `project_id` is that of `find`."""

    async def find(self, project: str, *, create: bool = False) -> tuple[str, str]:
        """Return id and name of a project, by its id, the beginning of one, or its name; `create` makes one of that name.

        Raises NotFound.
        """

    async def listed(self, project_id: str) -> tuple[ContractView, ...]:
        """Return the newest versions, in the order of the types. Raises NotFound, Forbidden, as all of these do."""

    async def versions(self, project_id: str, contract_type: ContractType) -> tuple[ContractView, ...]:
        """Return all versions of a contract, the newest first."""

    async def text(self, project_id: str, contract_type: ContractType, version: int = 0) -> ContractText:
        """Return a version of a contract (0: the newest) with its text."""

    async def save(
        self, project_id: str, contract_type: ContractType, content: str, version: int | None = None
    ) -> ContractsChange:
        """Keep a text as the next version, made from `version`. Raises BadSpec, Conflict when there is a newer one."""

    async def rewrite(self, project_id: str, contract_type: ContractType, wish: RewriteWish) -> RewrittenContract:
        """Return a contract with a passage as a model has rewritten it; nothing is kept.

        Raises NotFound, Forbidden, Refused, BadSettings (no key) and ModelFailed.
        """

    async def generate(
        self, project_id: str, interview: Interview | None = None, *, replace_edited: bool = False
    ) -> ContractsChange:
        """Make the contracts of the answers: given ones, or those of the project's interview. Raises BadSpec."""

    async def comments(
        self, project_id: str, contract_type: ContractType | None = None, *, resolved: bool = False
    ) -> CommentList:
        """Return the newest comments on one contract or on all; with `resolved` also those that are resolved."""

    async def comment(self, project_id: str, contract_type: ContractType, remark: Remark) -> ContractComment:
        """Keep a comment on lines of a contract. Raises Refused (no words, no such lines)."""

    async def resolve(self, project_id: str, comment_id: str, *, resolved: bool = True) -> ContractComment:
        """Mark a comment as resolved, or open it again."""

    async def stale(self, project_id: str) -> ContractsChange:
        """Return which work of the project's newest build its contracts make stale."""

    async def take(self, project_id: str) -> TakenContracts:
        """Let the project's newest build go on with the contracts as they are now.

        Raises NotFound (it does not run from contracts), Refused (it has them), IllegalMove, BadSpec.
        """


class TeamClient(Protocol):
    """Users, tokens and members of projects. On a server it takes the rights for them: every call may raise Forbidden."""

    async def users(self) -> tuple[UserView, ...]:
        """Return all users by id."""

    async def user(self, user_id: str = "") -> UserView:
        """Return a user, "" for the one of this client. Raises NotFound, as all that name a user do."""

    async def add_user(self, user_id: str, wanted: UserChanges) -> UserView:
        """Add a user. Raises Conflict when there is one of that id, Refused."""

    async def set_user(self, user_id: str, wanted: UserChanges) -> UserView:
        """Change a user. Raises Refused for what the server's setting decides."""

    async def disable_user(self, user_id: str) -> UserView:
        """Refuse a user, and take back all tokens. Raises Refused."""

    async def enable_user(self, user_id: str) -> UserView:
        """Let a user in again."""

    async def tokens(self, user_id: str = "") -> tuple[TokenView, ...]:
        """Return the tokens that count of a user, newest first."""

    async def revoke_token(self, token_id: str, user_id: str = "") -> None:
        """Take back a token. Raises NotFound."""

    async def revoke_tokens(self, user_id: str = "") -> int:
        """Take back all tokens of a user; return how many were known."""

    async def members(self, project_id: str) -> tuple[MemberView, ...]:
        """Return the users who see a project, its owner first. Raises NotFound."""

    async def set_member(self, project_id: str, user_id: str, role: MemberRoleName | None) -> tuple[MemberView, ...]:
        """Share a project with a user in a role, None ends that; return its members. Raises NotFound, Refused."""

    async def leave(self, project_id: str) -> None:
        """Be a member of a project no more. Raises NotFound, Refused (its owner)."""

    async def unlink_github(self) -> UserView:
        """Forget the account at GitHub of this client's user, with its token. Raises Conflict (none), Refused (needed)."""


class RepositoryClient(Protocol):
    """The connected repositories of one user, here or on a server. `repository_id` is that of `find`."""

    async def listed(self, search: str = "", page: int = 1) -> RepositoryListView:
        """Return a page of the repositories on GitHub that the user may see. Raises BadSettings, ForgeFailed."""

    async def connected(self) -> ConnectedListView:
        """Return the connected repositories, by name."""

    async def find(self, repository: str) -> str:
        """Return the id of a connected repository: by its name, its id, or the beginning of that. Raises NotFound."""

    async def connect(self, name: str) -> ConnectedView:
        """Connect `owner/name`: its pushes are audited from now on.

        Raises Conflict (connected already), Forbidden, NotFound, Refused, BadSettings and ForgeFailed.
        """

    async def disconnect(self, repository_id: str) -> str:
        """Remove a connected repository with its webhook and its audits; return why the webhook stays, if it does."""

    async def audits(
        self, repository_id: str, limit: int = 50, cursor: str = "", branch: str = ""
    ) -> PushAuditListView:
        """Return a page of the audits of its pushes, newest first. Raises NotFound, Refused."""

    async def audit(self, repository_id: str, audit_id: str) -> PushAuditView:
        """Return one audit with all findings. Raises NotFound."""


class Client(Protocol):
    """Builds, here or on a server. Every call raises StoreFailed; of a server Unreachable or Unauthorized."""

    @property
    def settings(self) -> Settings:
        """The settings of this process."""

    @property
    def clock(self) -> Clock:
        """The clock that events are timed by."""

    @property
    def builds(self) -> BuildReader:
        """The journals of the builds."""

    @property
    def in_cluster(self) -> bool:
        """Whether workers carry out the builds, as far as this process knows."""

    @property
    def elsewhere(self) -> bool:
        """Whether a server carries out the builds that are requested here."""

    @property
    def contracts(self) -> ContractClient:
        """The contracts of this user's projects."""

    @property
    def team(self) -> TeamClient:
        """Users, tokens and members of projects."""

    @property
    def repositories(self) -> RepositoryClient:
        """The connected repositories of this user."""

    async def start(self, new: NewBuild) -> str:
        """Create a build and return its id; `run` carries it out. Raises BadSettings, BadRepository, BadSpec."""

    async def fork(self, build_id: str, wanted: ForkBuild) -> str:
        """Create a build that goes on from a point of another one, and return its id; `run` carries it out.

        Raises Refused, BadGraph, NotFound (the other build's commits are gone), and what `start` does.
        """

    async def plan(self, new: NewBuild, on_begin: Callable[[], None] | None = None) -> PlanView:
        """Return a build's plan, leaving nothing behind. Raises BadGraph, ModelFailed, BadSettings, BadRepository.

        `on_begin` is called before a model is asked, once it is known that it can be.
        """

    async def find(self, build: str = "") -> str:
        """Return a build's full id, from an id, a unique beginning of one, or "" for the newest. Raises NotFound."""

    async def ask(self, build_id: str, command: BuildCommand) -> CommandResult:
        """Give a command to a build, whichever process runs it. Raises IllegalMove, NotFound."""

    async def crew(self, build_id: str) -> Runners:
        """Return the workers that hold actions of the build now."""

    async def change(self, build: Build, task: str = "", attempt: int = 0, *, binary: bool = False) -> Change:
        """Return what the build, or one of its tasks or their attempts, changed. Raises NotFound, GitFailed."""

    async def review(self, build: Build, task: str = "", *, ignore_space: bool = False) -> ReviewView:
        """Return the change of the build, or of a task, with the purpose of each hunk. Raises NotFound, GitFailed.

        With `ignore_space` lines that differ in white space alone count as the same.
        """

    async def attempts(self, build: Build, task: str, left: int, right: int) -> AttemptsView:
        """Return what two attempts at a task changed, side by side. Raises NotFound, Refused, GitFailed."""

    async def prompt(self, build: Build, task: str, attempt: int = 0) -> PromptView:
        """Return what an attempt (0: the newest, or the one to come) at the task is told. Raises NotFound, GitFailed."""

    async def kept(self, build: Build) -> tuple[KeptWork, ...]:
        """Return what is kept of the build's attempts that did not land. Raises GitFailed."""

    async def gates(self, build: Build, task: str = "") -> GatesView:
        """Return what the gates said in the build, or of one of its tasks. Raises NotFound."""

    async def project_names(self, ids: Collection[str]) -> Mapping[str, str]:
        """Return the names of those of these projects that were given one, and that the caller may see."""

    async def costs(
        self, by: CostKey, start: datetime | None = None, end: datetime | None = None, build: str = ""
    ) -> Sequence[CostSum]:
        """Return what requests to models cost from `start` to before `end`: of all builds here, or the token's user's.

        `build`: of the build with this id alone.
        """

    async def kept_answers(
        self, start: datetime | None = None, end: datetime | None = None, build: str = ""
    ) -> KeptAnswers:
        """Return the answers that were played again instead of bought twice, as `costs`, by days of UTC."""

    async def stats(self, by: StatsPeriod, start: datetime | None = None, end: datetime | None = None) -> Stats:
        """Return what builds came to, of the hours from that of `start` to that before `end`: of all here, or the token's
        user's."""

    async def lessons(self) -> LessonsView:
        """Return the lessons of this user's builds, or the token's user's, and whether they help."""

    async def forget_lesson(self, lesson_id: str) -> None:
        """Remove a lesson. Raises NotFound."""

    async def import_lessons(self, entries: Sequence[LessonEntry]) -> LessonsImported:
        """Keep the lessons of a file that the user does not have yet."""

    async def execution_log(
        self, build_id: str, after: int = 0, limit: int = 1000, task: str = ""
    ) -> Sequence[TaskLogEntry]:
        """Return the entries of a build's log of tasks with an id > `after`, of one task when given."""

    async def stuck(self, build_id: str, number: int = 0) -> StuckView:
        """Return one time that the build was stuck (0: the newest), with its context. Raises NotFound."""

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
        """Carry the build out, or watch its workers, until it ends, waits for its user (unless `stay`), or `detach`.

        `on_event` gets every event after `since`, an older state; without it those after the state found first. Raises
        BuildIsRunning when another process of this home carries it out, NotFound, LostLease, BadSettings.
        """

    def news(self, build: Build, seconds: float) -> AsyncGenerator[News, None]:
        """Yield the news of a build after this state, look by look, until the caller leaves or after `seconds`.

        A look may find nothing. Raises NotFound, StoreFailed, Unreachable.
        """

    async def stepped(
        self,
        build_id: str,
        step_id: str,
        seconds: float = math.inf,
        on_event: Callable[[Recorded, Build], None] | None = None,
        since: Build | None = None,
    ) -> Build:
        """Return the build once it has made the step, or rests; or as it is after `seconds`."""

    @property
    def interviews(self) -> InterviewClient:
        """The interviews of this user."""

    async def bring_home(self, build: Build) -> Fetched:
        """Bring delivered results into the user's repository, if that is on this machine and this home's."""


@asynccontextmanager
async def open_client(settings: Settings, notify: Callable[[Notice], None] | None = None) -> AsyncIterator[Client]:
    """Open the server of BUILDWRIGHT_URL if the settings name one, else the store of the home.

    `notify` is told when the connection to a server is lost and when it is back; without it the program's log is.
    Raises BadSettings, StoreFailed.
    """
    if settings.server_url:
        from buildwright.http_client import open_http_client
        from buildwright.stream_client import find_server

        server = find_server(settings)
        assert server is not None, "the settings name one"
        async with open_http_client(server, notify) as remote:
            yield remote
        return
    from buildwright.wiring import open_app

    async with open_app(settings) as app:
        yield app


async def contract_texts(client: ContractClient, project_id: str) -> list[ContractText]:
    """Return the newest contracts of a project with their texts."""
    return [await client.text(project_id, one.contract_type, one.version) for one in await client.listed(project_id)]


async def spec_of_project(client: ContractClient, project: str, folder: str) -> tuple[str, Spec]:
    """Return a project's id, and what a build from its contracts is to build. Raises NotFound, BadSpec, BadSettings."""
    from buildwright.wiring.contracts import spec_of

    project_id, name = await client.find(project)
    found = await contract_texts(client, project_id)
    return project_id, spec_of(tuple(one.as_contract() for one in found), name, folder)


async def list_builds(settings: Settings, limit: int = 50, build_prefix: str = "") -> list[BuildRow]:
    """Return rows of builds, newest first, with ids that start with `build_prefix`: as `builds.rows` of a client does.

    A home without a cluster is read without opening a client. Raises what `open_client` does.
    """
    if settings.server_url or settings.database_url:
        async with open_client(settings) as client:
            return await client.builds.rows(limit, build_prefix)
    from buildwright.store.build_rows import list_rows

    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return await asyncio.to_thread(list_rows, settings.database, limit, build_prefix)
