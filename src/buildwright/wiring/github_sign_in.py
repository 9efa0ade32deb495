"""Signing in with GitHub: which accounts may, and which users of this server they are. Must never let one in by default.

Between the two requests of a browser all that is known lies sealed in its cookie: an answer for another browser is refused.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from buildwright.errors import BadSettings, Conflict, Forbidden, Unauthorized
from buildwright.wiring.repositories import PUBLIC_URL, public_url
from buildwright.wiring.team import GITHUB_USERS

if TYPE_CHECKING:
    from buildwright.auth import Vault
    from buildwright.forges.github_oauth import GitHubAccount, GitHubOAuth
    from buildwright.ports import Clock
    from buildwright.settings import Settings
    from buildwright.store.records import Records
    from buildwright.store.users import UserRecord
    from buildwright.wiring.github_access import GitHubAccess

CLIENT_ID = "GITHUB_CLIENT_ID"
CLIENT_SECRET = "GITHUB_CLIENT_SECRET"  # noqa: S105  its name
ALLOWED = "BUILDWRIGHT_GITHUB_ALLOWED"
CALLBACK = "/auth/github/callback"
SECONDS = 600
"""That a person may take at GitHub."""
_ORGANISATION = "org:"
_AGAIN = "sign in again, in the same browser"


class BegunSignIn(NamedTuple):
    """A sign-in that has begun: where the browser goes, and the cookie that it has to bring back."""

    address: str
    cookie: str


class EndedSignIn(NamedTuple):
    """A sign-in that has ended: the user, and the page that was wanted."""

    user_id: str
    there: str


def allowed(environment: Mapping[str, str]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the logins that may sign in, in lower case, and the organisations whose members may."""
    named = environment.get(ALLOWED, "").replace(",", " ").split()
    logins = frozenset(one.lower() for one in named if not one.startswith(_ORGANISATION))
    return logins, tuple(one.removeprefix(_ORGANISATION) for one in named if one.startswith(_ORGANISATION))


@dataclass(slots=True)
class GitHubSignIn:
    """The sign-in of one server."""

    settings: Settings
    records: Records
    access: GitHubAccess
    vault: Vault
    clock: Clock

    @property
    def is_set_up(self) -> bool:
        """Whether people can sign in with GitHub here."""
        environment = self.settings.environment
        return all(environment.get(name, "").strip() for name in (CLIENT_ID, CLIENT_SECRET, PUBLIC_URL))

    def begin(self, there: str, user_id: str = "") -> BegunSignIn:
        """Begin a sign-in that leads to the page `there`. With `user_id` the account is to be that user's from then on.

        Raises BadSettings.
        """
        from buildwright.forges.github_oauth import sign_in_address

        client_id, _ = self._client()
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        scope = "repo read:org" if allowed(self.settings.environment)[1] else "repo"
        address = sign_in_address(self.access.site, client_id, self._callback, state, verifier, scope)
        until = (self.clock.now() + timedelta(seconds=SECONDS)).timestamp()
        kept = {"state": state, "verifier": verifier, "until": until, "there": there, "user": user_id}
        return BegunSignIn(address, self.vault.seal(json.dumps(kept)).decode())

    async def end(self, cookie: str, code: str, state: str) -> EndedSignIn:
        """Return the user whom a code of GitHub stands for, made if there is none yet and the account may sign in.

        Raises Unauthorized (not this browser's, too late, used before), Forbidden (the account may not sign in), Conflict
        (the account is another user's), BadSettings and ForgeFailed.
        """
        import aiohttp

        from buildwright.forges.github_oauth import GitHubOAuth

        kept = self._opened(cookie)
        now = self.clock.now()
        until = now + timedelta(seconds=max(kept["until"] - now.timestamp(), 0.0))
        if not hmac.compare_digest(str(kept["state"]).encode(), state.encode("utf-8", "replace")):
            raise Unauthorized("this answer of GitHub is not for this browser", fix=_AGAIN)
        if not await self.records.tokens.use(f"github-{kept['state']}", until, now):
            raise Unauthorized("this answer of GitHub was used before, or came too late", fix=_AGAIN)
        async with aiohttp.ClientSession(trust_env=True) as session:
            asked = GitHubOAuth(session, self.access.site, *self._client())
            token = await asked.token(code, str(kept["verifier"]), self._callback)
            account = await asked.account(token)
            user = await self._user(asked, token, account, str(kept["user"]))
        await self.records.users.set_github(user.user_id, account.id, account.login, self.vault.seal(token))
        return EndedSignIn(user.user_id, str(kept["there"]))

    async def _user(self, asked: GitHubOAuth, token: str, account: GitHubAccount, user_id: str) -> UserRecord:
        users, now = self.records.users, self.clock.now()
        found = await users.by_github(account.id)
        if user_id:
            if found is not None and found.user_id != user_id:
                raise Conflict("this account of GitHub is another user's here", fix="sign in with it instead")
            return found or await users.seen(user_id, now)
        if found is None:
            logins, organisations = allowed(self.settings.environment)
            is_let_in = account.login.lower() in logins
            for organisation in () if is_let_in else organisations:
                is_let_in = is_let_in or await asked.is_member(token, organisation)
            if not is_let_in:
                raise Forbidden(
                    f"{account.login} may not sign in here", fix=f"ask the server's owner to name it in {ALLOWED}"
                )
            try:
                found = await users.add(f"{GITHUB_USERS}{account.login.lower()}", now, account.login)
            except Conflict:  # the name has changed hands at GitHub
                found = await users.add(f"{GITHUB_USERS}{account.login.lower()}-{account.id}", now, account.login)
        if found.disabled_at is not None:
            raise Forbidden(f"{account.login} may not sign in here any more", fix="ask the server's owner")
        return found

    def _opened(self, cookie: str) -> dict[str, Any]:
        try:
            kept: dict[str, Any] = json.loads(self.vault.open(cookie.encode("ascii", "replace")))
        except BadSettings:
            raise Unauthorized("this browser has not begun to sign in with GitHub", fix=_AGAIN) from None
        return kept

    def _client(self) -> tuple[str, str]:
        if not self.is_set_up:
            raise BadSettings(
                "signing in with GitHub is not set up here",
                fix=f"set {CLIENT_ID}, {CLIENT_SECRET} and {PUBLIC_URL} where the server runs",
            )
        environment = self.settings.environment
        return environment[CLIENT_ID].strip(), environment[CLIENT_SECRET].strip()

    @property
    def _callback(self) -> str:
        return f"{public_url(self.settings.environment)}{CALLBACK}"
