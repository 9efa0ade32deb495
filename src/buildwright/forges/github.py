"""GitHub: github.com, Enterprise, and servers that speak its API. Must never ask for what its port does not need."""

from __future__ import annotations

from typing import Any

import aiohttp

from buildwright.core.forges import ForgeSite
from buildwright.errors import ForgeFailed
from buildwright.forges.alike import Writers, hosted, name_of, opened_or_updated
from buildwright.forges.client import ForgeClient, no_issue
from buildwright.forges.drafts import marked_title
from buildwright.ports import ForgeComment, ForgeIssue, HostedRepository, PullRequest, PullRequestText

HEADERS = {"x-github-api-version": "2022-11-28"}
"""Sent with every request."""
_READY = "markPullRequestReadyForReview"
_TO_DRAFT = "convertPullRequestToDraft"
_MARK = "Draft: "
"""Begins the title where the repository has no drafts."""
_PULLS = "/repos/{+repository}/pulls"


class GitHub:
    """The port `Forge` on GitHub's REST API; it asks GraphQL only to make a draft ready and back, which REST cannot."""

    def __init__(self, session: aiohttp.ClientSession, site: ForgeSite, token: str) -> None:
        headers = {"authorization": f"Bearer {token}", **HEADERS}
        self._client = ForgeClient(session, site, headers)
        self._site = site

    async def repository(self, repository: str) -> HostedRepository:
        """See `Forge.repository`."""
        with self._client.told("look at it", repository):
            return hosted(await self._client.getitem("/repos/{+repository}", {"repository": repository}))

    async def has_branch(self, repository: str, branch: str) -> bool:
        """See `Forge.has_branch`."""
        path, asked = (
            "/repos/{+repository}/git/matching-refs/heads/{+branch}",
            {"repository": repository, "branch": branch},
        )
        with self._client.told("look at its branches", repository):
            return any([one["ref"] == f"refs/heads/{branch}" async for one in self._client.getiter(path, asked)])

    async def pull_request(self, repository: str, branch: str) -> PullRequest | None:
        """See `Forge.pull_request`."""
        head = f"{repository.partition('/')[0]}:{branch}"
        asked = {"repository": repository, "head": head, "state": "open", "per_page": "100"}
        with self._client.told("look at its pull requests", repository):
            async for one in self._client.getiter(f"{_PULLS}{{?head,state,per_page}}", asked):
                if one["head"]["ref"] == branch:
                    return _read(one)
        return None

    async def open_pull_request(self, repository: str, branch: str, base: str, text: PullRequestText) -> PullRequest:
        """See `Forge.open_pull_request`."""
        wanted = {"title": text.title, "body": text.body, "head": branch, "base": base, "draft": text.draft}
        return await opened_or_updated(self, repository, branch, text, self._open(repository, wanted))

    async def _open(self, repository: str, wanted: dict[str, Any]) -> PullRequest:
        try:
            return await self._open_as(repository, wanted)
        except ForgeFailed as refusal:
            if not (wanted["draft"] and "draft pull requests are not supported" in refusal.message.lower()):
                raise
            marked = marked_title(wanted["title"], _MARK, True)
            return await self._open_as(repository, {**wanted, "title": marked, "draft": False})

    async def _open_as(self, repository: str, wanted: dict[str, Any]) -> PullRequest:
        with self._client.told("open a pull request", repository):
            return _read(await self._client.post(_PULLS, {"repository": repository}, data=wanted))

    async def update_pull_request(self, repository: str, there: PullRequest, text: PullRequestText) -> PullRequest:
        """See `Forge.update_pull_request`."""
        by_title = there.title.startswith(_MARK)
        draft = there.draft and not by_title
        if draft != text.draft and not by_title:
            draft = await self._turn(repository, there, text.draft)
        title = marked_title(text.title, _MARK, text.draft and not draft)
        asked = {"repository": repository, "number": str(there.number)}
        with self._client.told("update a pull request", repository):
            changed = {"title": title, "body": text.body}
            return _read(await self._client.patch(f"{_PULLS}/{{number}}", asked, data=changed))

    async def issue(self, repository: str, number: int) -> ForgeIssue:
        """See `Forge.issue`."""
        asked = {"repository": repository, "number": str(number)}
        with self._client.told(f"read issue {number}", repository):
            found = await self._client.getitem("/repos/{+repository}/issues/{number}", asked)
            if "pull_request" in found:
                raise no_issue(number)
            author = name_of(found.get("user"))
            may_write = await Writers(self._client, repository).have(found.get("user"))
        return ForgeIssue(number, found["title"], found["body"] or "", author, may_write, found["html_url"])

    async def comments(self, repository: str, number: int) -> list[ForgeComment]:
        """See `Forge.comments`. `author_association` does not say it: members and collaborators may only read."""
        asked = {"repository": repository, "number": str(number), "per_page": "100"}
        writers, pull = Writers(self._client, repository), f"{_PULLS}/{{number}}"
        with self._client.told("read the reviews of a pull request", repository):
            reviews = [one async for one in self._client.getiter(f"{pull}/reviews{{?per_page}}", asked)]
            lines = [one async for one in self._client.getiter(f"{pull}/comments{{?per_page}}", asked)]
            whole = [
                ForgeComment(f"r{one['id']}", one["user"]["login"], one["body"])
                for one in reviews
                if one["body"] and await writers.have(one["user"])
            ]
            return whole + [
                ForgeComment(
                    f"c{one['id']}",
                    one["user"]["login"],
                    one["body"],
                    one["path"],
                    one.get("line") or 0,
                    one.get("diff_hunk") or "",
                )
                for one in lines
                if await writers.have(one["user"])
            ]

    async def _turn(self, repository: str, there: PullRequest, draft: bool) -> bool:
        """Make a pull request a draft, or ready. Returns whether it is a draft then: not every repository has them."""
        name = _TO_DRAFT if draft else _READY
        asks = f"mutation($id: ID!) {{ {name}(input: {{pullRequestId: $id}}) {{ pullRequest {{ isDraft }} }} }}"
        try:
            with self._client.told("make a pull request a draft" if draft else "make a pull request ready", repository):
                found = await self._client.graphql(asks, endpoint=_graphql(self._site), id=there.key)
                return bool(found[name]["pullRequest"]["isDraft"])
        except ForgeFailed:
            if draft:
                return False
            raise


def _graphql(site: ForgeSite) -> str:
    """Return the address of GraphQL: beside the REST API of a server, below that of github.com."""
    rest = "/api/v3"
    return f"{site.api.removesuffix(rest)}/api/graphql" if site.api.endswith(rest) else f"{site.api}/graphql"


def _read(found: dict[str, Any]) -> PullRequest:
    return PullRequest(
        number=found["number"],
        address=found["html_url"],
        branch=found["head"]["ref"],
        base=found["base"]["ref"],
        title=found["title"],
        body=found["body"] or "",
        draft=bool(found.get("draft")) or found["title"].startswith(_MARK),
        key=found["node_id"],
    )
