"""Tokens for GitHub: of installations of an App, of users who signed in with it, of this machine's owner.

Must never show a token, nor give one user what another one's token can do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from buildwright.core.forges import ForgeSite, github_of
from buildwright.errors import BadSettings

if TYPE_CHECKING:
    from buildwright.auth import Vault
    from buildwright.forges import GitHubRepositories
    from buildwright.forges.github_app import InstallationToken
    from buildwright.ports import Clock
    from buildwright.settings import Settings
    from buildwright.store.users import Users

APP_ID = "GITHUB_APP_ID"
APP_KEY_FILE = "GITHUB_APP_KEY_FILE"
_LARGEST_KEY = 20_000
_EARLY = timedelta(minutes=1)
"""Time before its end at which a token of an installation is asked for again."""
_INSTALLATION_KNOWN = timedelta(minutes=5)


class ForgeToken(NamedTuple):
    """A token, and what errors call it."""

    text: str
    name: str
    of_installation: bool = False
    of_owner: bool = False
    """Whether it is in the environment of this process: what else its owner's git knows counts as well."""


class GitHubAccess:
    """What this process may ask GitHub with."""

    def __init__(self, settings: Settings, users: Users, vault: Vault, clock: Clock) -> None:
        self._settings = settings
        self._users = users
        self._vault = vault
        self._clock = clock
        self._tokens: dict[int, InstallationToken] = {}
        self._installations: dict[str, tuple[int, datetime]] = {}

    @property
    def site(self) -> ForgeSite:
        """GitHub, as the environment names it. Raises BadSettings."""
        return github_of(self._settings.environment)

    @property
    def is_app(self) -> bool:
        """Whether this process is an App of GitHub."""
        return bool(self._settings.environment.get(APP_ID, "").strip())

    async def own(self, user_id: str) -> ForgeToken:
        """Return the token of a user: the one of signing in, or for this machine's owner that of the environment.

        Raises BadSettings when there is none.
        """
        sealed = await self._users.github_token(user_id)
        if sealed is not None:
            return ForgeToken(self._vault.open(sealed), "your account of GitHub")
        if (token := self.of_machine(user_id)) is not None:
            return token
        raise BadSettings(
            "you have no access to GitHub here",
            fix=f"sign in with GitHub, or have the server's owner set {self.site.variable}",
        )

    def of_machine(self, user_id: str) -> ForgeToken | None:
        """Return the token of the environment, with which builds push; None for any user but the machine's owner."""
        variable = self.site.variable
        token = self._settings.environment.get(variable, "").strip()
        if user_id != self._settings.user or not token:
            return None
        return ForgeToken(token, f"the token in {variable}", of_owner=True)

    async def of(self, user_id: str, repository: str) -> ForgeToken:
        """Return the token for a repository that the user has connected: that of the App's installation if it has one.

        Raises BadSettings, ForgeFailed.
        """
        if self.is_app and (installation := await self._installation(repository)):
            token = await self._of_installation(installation)
            return ForgeToken(token, "the installation of the App", of_installation=True)
        return await self.own(user_id)

    @asynccontextmanager
    async def opened(self, token: ForgeToken) -> AsyncIterator[GitHubRepositories]:
        """Open GitHub with a token."""
        import aiohttp

        from buildwright.forges import GitHubRepositories

        async with aiohttp.ClientSession(trust_env=True) as session:
            yield GitHubRepositories(session, self.site, token.text, token.name, of_installation=token.of_installation)

    async def _installation(self, repository: str) -> int:
        known, until = self._installations.get(repository, (0, self._clock.now()))
        if until > self._clock.now():
            return known
        import aiohttp

        from buildwright.forges.github_app import GitHubApp

        async with aiohttp.ClientSession(trust_env=True) as session:
            found = await GitHubApp(session, self.site, *await self._app()).installation(repository)
        self._installations[repository] = (found, self._clock.now() + _INSTALLATION_KNOWN)
        return found

    async def _of_installation(self, installation: int) -> str:
        known = self._tokens.get(installation)
        if known is None or known.until - _EARLY <= self._clock.now():
            import aiohttp

            from buildwright.forges.github_app import GitHubApp

            async with aiohttp.ClientSession(trust_env=True) as session:
                known = await GitHubApp(session, self.site, *await self._app()).token(installation)
            self._tokens[installation] = known
        return known.token

    async def _app(self) -> tuple[str, bytes]:
        environment = self._settings.environment
        path = Path(environment.get(APP_KEY_FILE, "").strip()).expanduser()
        try:
            key = await asyncio.to_thread(_read, path)
        except OSError as error:
            raise BadSettings(
                f"the key of the App of GitHub cannot be read: {error.strerror}", fix=f"set {APP_KEY_FILE} to its path"
            ) from error
        return environment[APP_ID].strip(), key


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LARGEST_KEY)
