"""Repositories on GitHub: found, made, watched by webhooks, and told what checks say. Must never ask with two tokens.

GitLab and Gitea have other webhooks and no check runs; what connects repositories refuses them by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import aiohttp

from buildwright.core.forges import ForgeSite
from buildwright.forges.client import ForgeClient
from buildwright.forges.github import HEADERS
from buildwright.ports import Annotation, CommitMark, ForgeCheckRun, HostedRepository, RepositoryPage

_ANNOTATIONS = 50
"""Of one request; more are added by updates."""
_MOST_LOOKED_AT = 1_000
"""Repositories that a search looks at: GitHub can search among all of them only by owner."""
_REPOSITORY = "/repos/{+repository}"
_LONGEST_DESCRIPTION = 140
_LONGEST_SUMMARY = 60_000
_LONGEST_MESSAGE = 4_000
_HOOKS = "give it the permission `Webhooks` (a classic token: `admin:repo_hook`), to read and write"
_STATUSES = "give it the permission `Commit statuses`, to read and write"
_CHECKS = "give it the permission `Checks`, to read and write, which only an App of GitHub can have"
_MAKES = "give it the permission `Administration` (a classic token: `repo`), to read and write"


class GitHubRepositories:
    """What GitHub does for repositories, asked with one token. `repository` is `owner/name`.

    Every method raises BadSettings (the token is not accepted, or may not do it), NotFound (nothing there that the token
    may see) and ForgeFailed (anything else).
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        site: ForgeSite,
        token: str,
        token_name: str = "",
        *,
        of_installation: bool = False,
    ) -> None:
        """`of_installation`: the token is one of an installation of an App."""
        self._client = ForgeClient(session, site, {"authorization": f"Bearer {token}", **HEADERS}, token_name)
        self._of_installation = of_installation

    async def repository(self, repository: str) -> HostedRepository:
        """Return a repository."""
        with self._client.told("look at it", repository):
            return _read(await self._client.getitem(_REPOSITORY, {"repository": repository}), self._of_installation)

    async def repositories(self, search: str, page: int, size: int) -> RepositoryPage:
        """Return page `page`, from 1, of the repositories whose name has the text `search`, whatever the case.

        Those pushed to last come first. A search looks at the first 1,000.
        """
        first, found, looked = (page - 1) * size, [], 0
        path = "/installation/repositories{?per_page}" if self._of_installation else "/user/repos{?per_page,sort}"
        with self._client.told("list repositories", "your repositories"):
            listed = self._client.getiter(path, {"per_page": "100", "sort": "pushed"}, iterable_key="repositories")
            async for one in listed:
                looked += 1
                if search.casefold() in one["full_name"].casefold():
                    found.append(one)
                if len(found) > first + size or looked >= _MOST_LOOKED_AT:
                    break
            here = tuple(_read(one, self._of_installation) for one in found[first : first + size])
        return RepositoryPage(here, len(found) > first + size)

    async def make_repository(self, name: str, description: str, *, private: bool) -> HostedRepository:
        """Make an empty repository; `name` is `owner/name`, where the owner is the token's user or an organisation."""
        owner, _, short = name.partition("/")
        wanted = {"name": short, "description": description[:350], "private": private, "auto_init": False}
        with self._client.told("make a repository", name, _MAKES):
            user = await self._client.getitem("/user")
            path = "/user/repos" if user["login"].casefold() == owner.casefold() else "/orgs/{owner}/repos"
            return _read(await self._client.post(path, {"owner": owner}, data=wanted), self._of_installation)

    async def add_webhook(self, repository: str, address: str, secret: str) -> str:
        """Have GitHub send pushes to an address, signed with the secret. Returns the webhook's id."""
        config = {"url": address, "content_type": "json", "secret": secret, "insecure_ssl": "0"}
        wanted = {"name": "web", "active": True, "events": ["push"], "config": config}
        with self._client.told("add a webhook", repository, _HOOKS):
            made = await self._client.post(f"{_REPOSITORY}/hooks", {"repository": repository}, data=wanted)
            return str(made["id"])

    async def remove_webhook(self, repository: str, webhook: str) -> None:
        """Remove a webhook. Raises NotFound also when it is gone already."""
        asked = {"repository": repository, "webhook": webhook}
        with self._client.told("remove a webhook", repository, _HOOKS):
            await self._client.delete(f"{_REPOSITORY}/hooks/{{webhook}}", asked)

    async def mark(self, repository: str, mark: CommitMark) -> None:
        """Set a status at a commit."""
        wanted = {"state": mark.state, "context": mark.context, "description": mark.description[:_LONGEST_DESCRIPTION]}
        asked = {"repository": repository, "commit": mark.commit}
        with self._client.told("set a commit status", repository, _STATUSES):
            await self._client.post(f"{_REPOSITORY}/statuses/{{commit}}", asked, data=wanted)

    async def add_check_run(self, repository: str, run: ForgeCheckRun) -> None:
        """Add the result of a check to a commit, with all its notes, 50 in each request."""
        first, *rest = _in_parts(run.annotations)
        wanted = {
            "name": run.name,
            "head_sha": run.commit,
            "status": "completed",
            "conclusion": "success" if run.ok else "failure",
            "output": _output(run, first),
        }
        with self._client.told("add a check run", repository, _CHECKS):
            asked = {"repository": repository}
            made = await self._client.post(f"{_REPOSITORY}/check-runs", asked, data=wanted)
            for part in rest:
                there = {**asked, "id": str(made["id"])}
                await self._client.patch(f"{_REPOSITORY}/check-runs/{{id}}", there, data={"output": _output(run, part)})


def _in_parts(annotations: Sequence[Annotation]) -> list[Sequence[Annotation]]:
    return [annotations[at : at + _ANNOTATIONS] for at in range(0, len(annotations), _ANNOTATIONS)] or [()]


def _output(run: ForgeCheckRun, annotations: Sequence[Annotation]) -> dict[str, Any]:
    notes = [
        {
            "path": one.path,
            "start_line": one.line,
            "end_line": one.line,
            "annotation_level": one.level,
            "title": one.title,
            "message": one.message[:_LONGEST_MESSAGE] or one.title,
        }
        for one in annotations
    ]
    return {"title": run.title, "summary": run.summary[:_LONGEST_SUMMARY], "annotations": notes}


def _read(found: dict[str, Any], of_installation: bool) -> HostedRepository:
    """Read a repository. The rights of an installation are those of its App, which an answer does not name."""
    may = found.get("permissions") or {}
    return HostedRepository(
        found["full_name"],
        found.get("default_branch") or "main",
        bool(may.get("push", True)),
        found["html_url"],
        bool(found.get("private")),
        of_installation or bool(may.get("admin")),
    )
