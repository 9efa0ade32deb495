"""Gitea, and Forgejo, which speaks its API. Must never ask for what its port does not need."""

from __future__ import annotations

from typing import Any

import aiohttp

from buildwright.core.forges import ForgeSite
from buildwright.forges.alike import Writers, has_branch, hosted, name_of, opened_or_updated
from buildwright.forges.client import ForgeClient, no_issue
from buildwright.forges.drafts import marked_title
from buildwright.ports import ForgeComment, ForgeIssue, HostedRepository, PullRequest, PullRequestText

_MARK = "WIP: "
"""Makes a pull request a draft, by its title."""
_PULLS = "/repos/{+repository}/pulls"


class Gitea:
    """The port `Forge` on Gitea's REST API."""

    def __init__(self, session: aiohttp.ClientSession, site: ForgeSite, token: str) -> None:
        self._client = ForgeClient(session, site, {"authorization": f"token {token}"})

    async def repository(self, repository: str) -> HostedRepository:
        """See `Forge.repository`."""
        with self._client.told("look at it", repository):
            return hosted(await self._client.getitem("/repos/{+repository}", {"repository": repository}))

    async def has_branch(self, repository: str, branch: str) -> bool:
        """See `Forge.has_branch`."""
        return await has_branch(self._client, "/repos/{+repository}/branches/{branch}", repository, branch)

    async def pull_request(self, repository: str, branch: str) -> PullRequest | None:
        """See `Forge.pull_request`. Gitea cannot be asked for those of a branch, so it goes through the open ones."""
        asked = {"repository": repository, "state": "open", "limit": "50"}
        with self._client.told("look at its pull requests", repository):
            async for one in self._client.getiter(f"{_PULLS}{{?state,limit}}", asked):
                if one["head"]["ref"] == branch and one["head"].get("repo_id") == one["base"].get("repo_id"):
                    return _read(one)
        return None

    async def open_pull_request(self, repository: str, branch: str, base: str, text: PullRequestText) -> PullRequest:
        """See `Forge.open_pull_request`."""
        wanted = {"head": branch, "base": base, **_words(text)}
        return await opened_or_updated(self, repository, branch, text, self._open(repository, wanted))

    async def _open(self, repository: str, wanted: dict[str, str]) -> PullRequest:
        with self._client.told("open a pull request", repository):
            return _read(await self._client.post(_PULLS, {"repository": repository}, data=wanted))

    async def update_pull_request(self, repository: str, there: PullRequest, text: PullRequestText) -> PullRequest:
        """See `Forge.update_pull_request`."""
        asked = {"repository": repository, "number": str(there.number)}
        with self._client.told("update a pull request", repository):
            return _read(await self._client.patch(f"{_PULLS}/{{number}}", asked, data=_words(text)))

    async def issue(self, repository: str, number: int) -> ForgeIssue:
        """See `Forge.issue`."""
        asked = {"repository": repository, "number": str(number)}
        with self._client.told(f"read issue {number}", repository):
            found = await self._client.getitem("/repos/{+repository}/issues/{number}", asked)
            if found.get("pull_request"):
                raise no_issue(number)
            author = name_of(found.get("user"))
            may_write = await Writers(self._client, repository).have(found.get("user"))
        return ForgeIssue(number, found["title"], found.get("body") or "", author, may_write, found["html_url"])

    async def comments(self, repository: str, number: int) -> list[ForgeComment]:
        """See `Forge.comments`."""
        asked = {"repository": repository, "number": str(number), "limit": "50"}
        found, writers = list[ForgeComment](), Writers(self._client, repository)
        with self._client.told("read the reviews of a pull request", repository):
            reviews = [one async for one in self._client.getiter(f"{_PULLS}/{{number}}/reviews{{?limit}}", asked)]
            for review in reviews:
                name = name_of(review.get("user"))
                if not await writers.have(review.get("user")):
                    continue
                if review.get("body"):
                    found.append(ForgeComment(f"r{review['id']}", name, review["body"]))
                inside = f"{_PULLS}/{{number}}/reviews/{{review}}/comments"
                lines = await self._client.getitem(inside, {**asked, "review": str(review["id"])})
                found += [
                    ForgeComment(
                        f"c{one['id']}",
                        name,
                        one["body"],
                        one["path"],
                        one.get("position") or 0,
                        one["diff_hunk"] or "",
                    )
                    for one in lines
                    if name_of(one.get("user")) == name
                ]
        return found


def _words(text: PullRequestText) -> dict[str, str]:
    return {"title": marked_title(text.title, _MARK, text.draft), "body": text.body}


def _read(found: dict[str, Any]) -> PullRequest:
    return PullRequest(
        number=found["number"],
        address=found["html_url"],
        branch=found["head"]["ref"],
        base=found["base"]["ref"],
        title=found["title"],
        body=found.get("body") or "",
        draft=found["title"].startswith(_MARK),
    )
