"""What forges have alike: one pull request of a branch, which users may write, branches. Must never know one of them by name."""

from __future__ import annotations

from collections.abc import Awaitable
from http import HTTPStatus
from typing import Any

import gidgethub

from buildwright.errors import ForgeFailed, NotFound
from buildwright.forges.client import ForgeClient
from buildwright.ports import Forge, HostedRepository, PullRequest, PullRequestText

_WRITES = frozenset({"write", "maintain", "admin", "owner"})
"""Permissions with which a user may push."""


async def opened_or_updated(
    forge: Forge, repository: str, branch: str, text: PullRequestText, opening: Awaitable[PullRequest]
) -> PullRequest:
    """Return the pull request that `opening` opens; where the forge has one of the branch already, that one with the text.

    Raises what `opening` does.
    """
    try:
        return await opening
    except ForgeFailed as refusal:
        there = await forge.pull_request(repository, branch) if "already exists" in refusal.message else None
        if there is None:
            raise
        return await forge.update_pull_request(repository, there, text)


async def has_branch(client: ForgeClient, path: str, repository: str, branch: str) -> bool:
    """Return whether a branch is at `path`, where the forge answers with 404 if it is not."""
    try:
        with client.told("look at its branches", repository):
            await client.getitem(path, {"repository": repository, "branch": branch})
    except NotFound:
        return False
    return True


def hosted(found: dict[str, Any]) -> HostedRepository:
    """Return a repository as GitHub and Gitea describe it."""
    may = found.get("permissions") or {}
    return HostedRepository(found["full_name"], found["default_branch"], bool(may.get("push", True)), found["html_url"])


class Writers:
    """The users with the right to write to a repository, on GitHub and Gitea: each is asked for once."""

    def __init__(self, client: ForgeClient, repository: str) -> None:
        self._client = client
        self._repository = repository
        self._known: dict[str, bool] = {}

    async def have(self, who: dict[str, Any] | None) -> bool:
        """Return whether the author of something, as the forge names one, may write. A deleted user may not."""
        name = name_of(who)
        if name not in self._known:
            self._known[name] = bool(name) and await self._may_write(name)
        return self._known[name]

    async def _may_write(self, name: str) -> bool:
        path = "/repos/{+repository}/collaborators/{name}/permission"
        try:
            found = await self._client.getitem(path, {"repository": self._repository, "name": name})
        except gidgethub.BadRequest as refusal:
            if refusal.status_code != HTTPStatus.NOT_FOUND:
                raise
            return False  # an App's own user, such as a bot, is no collaborator
        return found["permission"] in _WRITES


def name_of(who: dict[str, Any] | None) -> str:
    """Return the name of an author; "" of a deleted user."""
    return str((who or {}).get("login") or "")
