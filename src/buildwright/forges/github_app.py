"""An App of GitHub: it proves itself by its key, and gets tokens for where it is installed. Must never keep a token."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import aiohttp

from buildwright.core.forges import ForgeSite
from buildwright.errors import BadSettings, NotFound
from buildwright.forges.client import ForgeClient
from buildwright.forges.github import HEADERS

_KEY = "set GITHUB_APP_KEY_FILE to the private key that GitHub gave for the App (PEM)"
_SECONDS = 540
"""That a signature counts: GitHub takes at most ten minutes, by its own clock."""


class InstallationToken(NamedTuple):
    """A token of one installation, and until when it counts."""

    token: str
    until: datetime


class GitHubApp:
    """An App, asked as itself. Methods raise BadSettings (it is not accepted) and ForgeFailed."""

    def __init__(self, session: aiohttp.ClientSession, site: ForgeSite, app_id: str, key: bytes) -> None:
        """Raise BadSettings when the key is none."""
        from gidgethub.apps import get_jwt
        from jwt import PyJWTError

        try:
            proof = get_jwt(app_id=app_id, private_key=key, expiration=_SECONDS)
        except (PyJWTError, ValueError, TypeError) as error:
            raise BadSettings("the key of the App of GitHub cannot be read", fix=_KEY) from error
        self._client = ForgeClient(session, site, {"authorization": f"Bearer {proof}", **HEADERS}, "the App of GitHub")

    async def installation(self, repository: str) -> int:
        """Return the installation that has a repository, 0 when there is none."""
        try:
            with self._client.told("look for its installation", repository, _KEY):
                found = await self._client.getitem("/repos/{+repository}/installation", {"repository": repository})
                return int(found["id"])
        except NotFound:
            return 0

    async def token(self, installation: int) -> InstallationToken:
        """Return a new token of an installation. Raises NotFound when it is gone."""
        with self._client.told("ask for a token", f"installation {installation}", _KEY):
            path = "/app/installations/{installation}/access_tokens"
            made = await self._client.post(path, {"installation": str(installation)}, data={})
            return InstallationToken(str(made["token"]), datetime.fromisoformat(made["expires_at"]))
