"""The user behind a token: found or made, refused when disabled, and when a token was last used. Must never read a token.

A user needs no row to begin with: the first request with a valid token makes it.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from buildwright.errors import DiskFull, StoreFailed, Unauthorized
from buildwright.store.admission import UserStanding
from buildwright.store.users import ServerRole, TokenRecord

if TYPE_CHECKING:
    from buildwright.auth import Claims
    from buildwright.store.records import Records

_USE_SECONDS = 60.0
"""A token's last use is written at most once in this time."""
_MOST_KNOWN = 10_000


class Caller(NamedTuple):
    """The user who makes a request."""

    user_id: str
    kind: str
    """`session` (a cookie), `bearer` or `ticket`."""
    session: str = ""
    """The id of the session or bearer token that it came with; of a ticket, those of the token that got it."""
    is_server_owner: bool = False
    """Whether the user is an owner of this server, who sees every project and build."""
    may_run_commands: bool = False
    """Whether an owner has granted the user to run commands; the server's setting decides as well."""


class People:
    """What one server knows of its users, beside the store."""

    def __init__(self, records: Records, own_user: str) -> None:
        """`own_user` is the user of the server's process, an owner of the server."""
        self._records = records
        self._own_user = own_user
        self._written: OrderedDict[str, datetime] = OrderedDict()

    async def admit(self, claims: Claims, now: datetime) -> Caller:
        """Return the caller that valid claims stand for. Raises Unauthorized when they count no more, StoreFailed."""
        lasts = claims.kind in {"bearer", "session"}
        ids = {claims.jti, claims.session} if lasts else {claims.session}  # others are used here and now, once
        standing, is_spent = await self._records.admission.look(claims.user_id, ids - {""})
        if is_spent:
            gone = (
                "this session has signed out, or was ended" if claims.kind == "session" else "this token was taken back"
            )
            raise Unauthorized(gone, fix="sign in again")
        if standing is None:
            standing = await self._made(claims.user_id, now)
        if standing.disabled_at is not None:
            raise Unauthorized("this user is disabled", fix="ask an owner of the server")
        since = standing.tokens_since
        if since is not None and claims.issued_at < since.replace(microsecond=0):
            raise Unauthorized("this token was taken back", fix="sign in again")
        if lasts:
            await self._note_use(claims, now)
        return Caller(
            claims.user_id,
            claims.kind,
            claims.session or claims.jti,
            is_server_owner=standing.role == "owner",
            may_run_commands=standing.may_run_commands,
        )

    def role_of(self, user_id: str) -> ServerRole:
        """Return the role that a user has to begin with."""
        return "owner" if user_id == self._own_user else "member"

    async def _made(self, user_id: str, now: datetime) -> UserStanding:
        role = self.role_of(user_id)
        with suppress(DiskFull):  # a full disk must not keep users from reading
            await self._records.users.seen(user_id, now, role)
        return UserStanding(role, False, None, None)

    async def _note_use(self, claims: Claims, now: datetime) -> None:
        before = self._written.get(claims.jti)
        if before is not None and now - before < timedelta(seconds=_USE_SECONDS):
            return
        self._written[claims.jti] = now
        if len(self._written) > _MOST_KNOWN:
            self._written.popitem(last=False)
        token = TokenRecord(claims.jti, claims.user_id, claims.kind, "", claims.issued_at, claims.expires_at, now)
        with suppress(StoreFailed, DiskFull):  # it is only for the list
            await self._records.issued.used(token)
