"""Signing in with GitHub by OAuth: where to send a browser, and what its code is worth. Must never keep a token."""

from __future__ import annotations

import base64
import hashlib
import json
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlencode

import aiohttp

from buildwright.core.forges import ForgeSite
from buildwright.errors import ForgeFailed, NotFound, Unauthorized
from buildwright.forges.client import ForgeClient
from buildwright.forges.github import HEADERS

_SECONDS = 30.0
_LARGEST = 100_000
_AGAIN = "sign in again"
_NAME = "your account of GitHub"


class GitHubAccount(NamedTuple):
    """A user of GitHub: the number stays, the name may change."""

    id: int
    login: str


class GitHubOAuth:
    """An application that people let act for them."""

    def __init__(self, session: aiohttp.ClientSession, site: ForgeSite, client_id: str, client_secret: str) -> None:
        self._session = session
        self._site = site
        self._client_id = client_id
        self._client_secret = client_secret

    async def token(self, code: str, verifier: str, callback: str) -> str:
        """Return the token that a code is worth. Raises Unauthorized when it is worth none, ForgeFailed."""
        given = {
            "client_id": self._client_id,
            "client_secret": self._client_secret,
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": callback,
        }
        address = f"{self._site.origin}{self._site.above}/login/oauth/access_token"
        try:
            async with self._session.post(
                address,
                json=given,
                headers={"accept": "application/json"},
                timeout=aiohttp.ClientTimeout(total=_SECONDS),
                allow_redirects=False,
            ) as answer:
                raw = await answer.content.read(_LARGEST)
                found = json.loads(raw) if answer.status == HTTPStatus.OK else None
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise ForgeFailed(
                f"{self._site.host} did not say what the code is worth", passes=True, fix=_AGAIN
            ) from error
        token = found.get("access_token") if isinstance(found, dict) else None
        if not isinstance(token, str) or not token:
            raise Unauthorized(f"{self._site.host} does not accept the code", fix=_AGAIN)
        return token

    async def account(self, token: str) -> GitHubAccount:
        """Return whose token it is. Raises BadSettings, ForgeFailed."""
        client = self._client(token)
        with client.told("say who you are", _NAME):
            found = await client.getitem("/user")
            return GitHubAccount(int(found["id"]), str(found["login"]))

    async def is_member(self, token: str, organisation: str) -> bool:
        """Return whether the token's user belongs to an organisation. Raises BadSettings (no right to see), ForgeFailed."""
        client = self._client(token)
        try:
            with client.told("look at your memberships", organisation):
                path = "/user/memberships/orgs/{organisation}"
                return bool((await client.getitem(path, {"organisation": organisation}))["state"] == "active")
        except NotFound:
            return False

    def _client(self, token: str) -> ForgeClient:
        return ForgeClient(self._session, self._site, {"authorization": f"Bearer {token}", **HEADERS}, _NAME)


def sign_in_address(site: ForgeSite, client_id: str, callback: str, state: str, verifier: str, scope: str) -> str:
    """Return the address at GitHub where a person lets the application act for them (PKCE, RFC 7636)."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    asked = {
        "client_id": client_id,
        "redirect_uri": callback,
        "scope": scope,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{site.origin}{site.above}/login/oauth/authorize?{urlencode(asked)}"
