"""Port for forges: servers that keep repositories and take pull requests. Must never hold logic."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class HostedRepository:
    """A repository as its forge describes it."""

    name: str
    """`owner/name`, on GitLab also with groups in between."""
    default_branch: str
    may_write: bool
    """Whether the token may push to it. True where the forge does not say."""
    address: str
    """Of its page."""
    private: bool = False
    """False also where the forge does not say."""
    may_administer: bool = False
    """Whether the token may change its webhooks. False where the forge does not say."""


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request that is open; on GitLab it is called a merge request."""

    number: int
    address: str
    """Of its page."""
    branch: str
    """The branch that it wants to bring in."""
    base: str
    """The branch that is to take it."""
    title: str
    body: str
    draft: bool
    key: str = ""
    """What else the forge knows it by; "" where the number is enough."""


@dataclass(frozen=True, slots=True)
class PullRequestText:
    """What a pull request is to say and be."""

    title: str
    body: str
    draft: bool


@dataclass(frozen=True, slots=True)
class ForgeComment:
    """What a person with the right to write to the repository says of a pull request, on a line or on the whole."""

    id: str
    """Letters, digits and hyphens; no other comment on the pull request has it."""
    author: str
    text: str
    path: str = ""
    """The file that it is about; "" for the whole."""
    line: int = 0
    """From 1; 0 where it is about no line, or about one that is gone."""
    hunk: str = ""
    """The lines of the change that it is about, as a diff shows them."""


@dataclass(frozen=True, slots=True)
class ForgeIssue:
    """An issue, as the person who filed it left it."""

    number: int
    title: str
    text: str
    """Markdown."""
    author: str
    """"" for a deleted user."""
    may_write: bool
    """Whether the author has the right to write to the repository."""
    address: str
    """Of its page."""


@dataclass(frozen=True, slots=True)
class RepositoryPage:
    """Repositories that a token may see, those pushed to last first."""

    repositories: tuple[HostedRepository, ...]
    more: bool
    """Whether there may be others after these."""


CommitState = Literal["pending", "success", "failure", "error"]


@dataclass(frozen=True, slots=True)
class CommitMark:
    """A status at a commit, as the forge shows it beside the commit."""

    commit: str
    state: CommitState
    context: str
    """The name of the status: a later one of the same name takes its place."""
    description: str


@dataclass(frozen=True, slots=True)
class Annotation:
    """A note at a line of a file."""

    path: str
    line: int
    """From 1."""
    level: Literal["notice", "warning", "failure"]
    title: str
    message: str


@dataclass(frozen=True, slots=True)
class ForgeCheckRun:
    """What a check said of a commit, with notes at lines."""

    commit: str
    name: str
    ok: bool
    title: str
    summary: str
    """Markdown."""
    annotations: tuple[Annotation, ...] = ()


class Forge(Protocol):
    """One forge, asked with one token. `repository` is a full name as in `HostedRepository`.

    Every method raises BadSettings (the token is not accepted, or may not do it), NotFound (nothing there that the token
    may see) and ForgeFailed (anything else).
    """

    async def repository(self, repository: str) -> HostedRepository:
        """Return a repository."""

    async def has_branch(self, repository: str, branch: str) -> bool:
        """Return whether a repository has the branch."""

    async def pull_request(self, repository: str, branch: str) -> PullRequest | None:
        """Return the open pull request of a branch of the repository, None when there is none."""

    async def open_pull_request(self, repository: str, branch: str, base: str, text: PullRequestText) -> PullRequest:
        """Open a pull request that brings `branch` into `base`, and return it; the one that is open already if any.

        A draft is marked by its title where the forge or the repository has no drafts.
        """

    async def update_pull_request(self, repository: str, there: PullRequest, text: PullRequestText) -> PullRequest:
        """Give a pull request this text, and make it a draft or ready. Returns it as it is then."""

    async def issue(self, repository: str, number: int) -> ForgeIssue:
        """Return an issue. Raises NotFound also for a number that is a pull request's."""

    async def comments(self, repository: str, number: int) -> list[ForgeComment]:
        """Return the comments of reviews of a pull request by people with the right to write to the repository, oldest first.

        What others say is left out: on a public repository all users may comment, and agents do what comments ask for.
        """


class HostedAt(NamedTuple):
    """A repository on a forge, and the forge."""

    forge: Forge
    repository: str


OpenForge = Callable[[str], AbstractAsyncContextManager[HostedAt]]
"""Opens the forge that keeps the repository at a remote's address. Raises BadSettings when there is none, or no token."""
