"""Forges of this process: opened by a remote's address, with the token that the environment has for that host alone.

Must never show a token.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from buildwright.core.forges import ForgeAddress, find_forge
from buildwright.errors import BadSettings, NotFound
from buildwright.ports import Forge, ForgeComment, ForgeIssue, HostedAt, OpenForge

if TYPE_CHECKING:
    import aiohttp

    from buildwright.settings import Settings


_PULL = "a pull request"


def forge_opener(settings: Settings) -> OpenForge:
    """Return what opens the forge of a remote. See `OpenForge`."""

    def opened(address: str) -> AbstractAsyncContextManager[HostedAt]:
        return _opened(address, settings)

    return opened


@asynccontextmanager
async def _opened(address: str, settings: Settings, what: str = _PULL) -> AsyncIterator[HostedAt]:
    found, token = known_forge(address, settings, what)
    import aiohttp

    async with aiohttp.ClientSession(trust_env=True) as session:
        yield HostedAt(_forge(session, found, token), found.repository)


def known_forge(address: str, settings: Settings, what: str = _PULL) -> tuple[ForgeAddress, str]:
    """Return the repository that a remote's address names, and the token for it. Raises BadSettings: `what` needs them."""
    from buildwright.workspace.git import mask

    found = find_forge(address, settings.environment)
    other = ", or push only: --deliver push" if what == _PULL else ""
    if found is None:
        raise BadSettings(
            f"{what} needs a forge, and {mask(address)} is not on one that is known here",
            fix=f"set GITHUB_API_URL, GITLAB_API_URL or GITEA_API_URL to its API{other}",
        )
    token = settings.environment.get(found.site.variable, "").strip()
    if not token:
        raise BadSettings(
            f"{what} on {found.site.host} needs a token, and {found.site.variable} is not set",
            fix=f"export {found.site.variable}=...{other}",
        )
    return found, token


def _forge(session: aiohttp.ClientSession, found: ForgeAddress, token: str) -> Forge:
    from buildwright import forges

    match found.site.kind:
        case "github":
            return forges.GitHub(session, found.site, token)
        case "gitlab":
            return forges.GitLab(session, found.site, token)
        case "gitea":
            return forges.Gitea(session, found.site, token)


async def check_forge(address: str, settings: Settings) -> None:
    """Check that a pull request could be opened for this remote: the token may write to the repository.

    Raises BadSettings, NotFound (no such repository for this token), ForgeFailed.
    """
    async with _opened(address, settings) as at:
        found = await at.forge.repository(at.repository)
    if not found.may_write:
        site = known_forge(address, settings)[0].site
        raise BadSettings(
            f"the token in {site.variable} may not write to {found.name} on {site.host}",
            fix="give it a token of a user who may push there",
        )


async def comments_on(address: str, branch: str, settings: Settings) -> list[ForgeComment]:
    """Return what people with the right to write there say of the open pull request of a branch.

    Raises NotFound (none is open), BadSettings, ForgeFailed.
    """
    async with _opened(address, settings) as at:
        there = await at.forge.pull_request(at.repository, branch)
        if there is None:
            raise NotFound(
                f"no pull request of {branch} is open", fix="open it again on its page, or deliver once more"
            )
        return await at.forge.comments(at.repository, there.number)


async def issue_of(repository: str, number: int, settings: Settings) -> ForgeIssue:
    """Return an issue of the forge that a repository comes from: by its own address, or that of its remote `origin`.

    Raises BadRepository, BadSettings, NotFound, ForgeFailed.
    """
    from buildwright.workspace import GitWorkspace

    address = await GitWorkspace(settings.home, settings.environment).address_of(repository, "")
    async with _opened(address, settings, f"issue {number}") as at:
        return await at.forge.issue(at.repository, number)
