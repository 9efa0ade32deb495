"""GitLab: gitlab.com and servers of one's own. Must never ask for what its port does not need."""

from __future__ import annotations

from typing import Any

import aiohttp

from buildwright.core.forges import ForgeSite
from buildwright.forges.alike import has_branch, opened_or_updated
from buildwright.forges.client import ForgeClient
from buildwright.forges.drafts import marked_title
from buildwright.ports import ForgeComment, ForgeIssue, HostedRepository, PullRequest, PullRequestText

_MARK = "Draft: "
"""Makes a merge request a draft, by its title."""
_DEVELOPER = 30
"""The least role that may push (GitLab's documentation, "Roles and permissions")."""
_REQUESTS = "/projects/{repository}/merge_requests"


class GitLab:
    """The port `Forge` on GitLab's REST API, where a pull request is a merge request."""

    def __init__(self, session: aiohttp.ClientSession, site: ForgeSite, token: str) -> None:
        self._client = ForgeClient(session, site, {"authorization": f"Bearer {token}"})

    async def repository(self, repository: str) -> HostedRepository:
        """See `Forge.repository`."""
        with self._client.told("look at it", repository):
            found = await self._client.getitem("/projects/{repository}", {"repository": repository})
            levels = [(one or {}).get("access_level", 0) for one in (found.get("permissions") or {}).values()]
            may_write = not levels or max(levels) >= _DEVELOPER
            return HostedRepository(
                found["path_with_namespace"], found.get("default_branch") or "", may_write, found["web_url"]
            )

    async def has_branch(self, repository: str, branch: str) -> bool:
        """See `Forge.has_branch`."""
        return await has_branch(self._client, "/projects/{repository}/repository/branches/{branch}", repository, branch)

    async def pull_request(self, repository: str, branch: str) -> PullRequest | None:
        """See `Forge.pull_request`."""
        asked = {"repository": repository, "source_branch": branch, "state": "opened"}
        with self._client.told("look at its merge requests", repository):
            async for one in self._client.getiter(f"{_REQUESTS}{{?source_branch,state}}", asked):
                if one["source_branch"] == branch and one["source_project_id"] == one["target_project_id"]:
                    return _read(one)
        return None

    async def open_pull_request(self, repository: str, branch: str, base: str, text: PullRequestText) -> PullRequest:
        """See `Forge.open_pull_request`."""
        wanted = {"source_branch": branch, "target_branch": base, **_words(text)}
        return await opened_or_updated(self, repository, branch, text, self._open(repository, wanted))

    async def _open(self, repository: str, wanted: dict[str, str]) -> PullRequest:
        with self._client.told("open a merge request", repository):
            return _read(await self._client.post(_REQUESTS, {"repository": repository}, data=wanted))

    async def update_pull_request(self, repository: str, there: PullRequest, text: PullRequestText) -> PullRequest:
        """See `Forge.update_pull_request`."""
        asked = {"repository": repository, "number": str(there.number)}
        with self._client.told("update a merge request", repository):
            return _read(await self._client.put(f"{_REQUESTS}/{{number}}", asked, data=_words(text)))

    async def issue(self, repository: str, number: int) -> ForgeIssue:
        """See `Forge.issue`."""
        asked = {"repository": repository, "number": str(number)}
        with self._client.told(f"read issue {number}", repository):
            found = await self._client.getitem("/projects/{repository}/issues/{number}", asked)
        author = found.get("author") or {}
        may_write = author.get("id") in await self._writers(repository)
        text, name = found.get("description") or "", author.get("username", "")
        return ForgeIssue(number, found["title"], text, name, may_write, found["web_url"])

    async def comments(self, repository: str, number: int) -> list[ForgeComment]:
        """See `Forge.comments`."""
        asked = {"repository": repository, "number": str(number), "sort": "asc", "per_page": "100"}
        writers = await self._writers(repository)
        with self._client.told("read the reviews of a merge request", repository):
            notes = self._client.getiter(f"{_REQUESTS}/{{number}}/notes{{?sort,per_page}}", asked)
            said = [one async for one in notes if not one["system"] and one["author"]["id"] in writers]
            return [_comment(one) for one in said]

    async def _writers(self, repository: str) -> set[int]:
        """Return the ids of the users with the right to push."""
        asked = {"repository": repository, "per_page": "100"}
        with self._client.told("read its members", repository):
            members = self._client.getiter("/projects/{repository}/members/all{?per_page}", asked)
            return {one["id"] async for one in members if one["access_level"] >= _DEVELOPER}


def _comment(note: dict[str, Any]) -> ForgeComment:
    place = note.get("position") or {}
    path = place.get("new_path") or place.get("old_path") or ""
    return ForgeComment(str(note["id"]), note["author"]["username"], note["body"], path, place.get("new_line") or 0)


def _words(text: PullRequestText) -> dict[str, str]:
    return {"title": marked_title(text.title, _MARK, text.draft), "description": text.body}


def _read(found: dict[str, Any]) -> PullRequest:
    return PullRequest(
        number=found["iid"],
        address=found["web_url"],
        branch=found["source_branch"],
        base=found["target_branch"],
        title=found["title"],
        body=found.get("description") or "",
        draft=found["title"].startswith(_MARK),
    )
