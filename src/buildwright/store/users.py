"""Users of a server, the ids of their tokens, and the members of projects. Must never keep a token, only its id.

Nothing here knows the caller: `auth.rights` holds the rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from sqlalchemy import Row, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from buildwright.errors import Conflict, NotFound
from buildwright.store.database import Database
from buildwright.store.stats import COST_UNITS
from buildwright.store.tables import project_members, tokens, used_tokens, users

ServerRole = Literal["owner", "member"]
MemberRole = Literal["maintainer", "member", "viewer"]
Change = Literal["name", "role", "may_run_commands", "most_builds", "most_builds_an_hour", "most_usd_a_month"]
"""What can be changed of a user by `Users.change`."""

_MOST_LISTED = 2_000
_MOST_FORGOTTEN = 500
"""Expired tokens that are removed with one new token."""
_LIST_USERS = "see `buildwright user list`"


class UserRecord(NamedTuple):
    """A user. A limit of None is the server's; one of 0 is none at all."""

    user_id: str
    name: str
    role: ServerRole
    may_run_commands: bool
    most_builds: int | None
    """Builds at once."""
    most_builds_an_hour: int | None
    most_usd_a_month: Decimal | None
    created_at: datetime
    disabled_at: datetime | None
    tokens_since: datetime | None
    """Tokens that were issued before are refused."""
    github_id: int | None
    github_login: str | None


class TokenRecord(NamedTuple):
    """A token that was issued, or seen."""

    jti: str
    user_id: str
    kind: str
    """`bearer` or `session`."""
    label: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


class MemberRecord(NamedTuple):
    """A user with whom a project is shared."""

    project_id: str
    user_id: str
    role: MemberRole
    added_by: str
    added_at: datetime


_USER = [users.c[name] for name in UserRecord._fields]
_TOKEN = [tokens.c[name] for name in TokenRecord._fields]
_MEMBER = [project_members.c[name] for name in MemberRecord._fields]


class Users:
    """The users of a server."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, user_id: str) -> UserRecord | None:
        """Return a user, None when there is none of that id."""
        found = await self._database.fetch(select(*_USER).where(users.c.user_id == user_id))
        return _user(found[0]) if found else None

    async def get(self, user_id: str) -> UserRecord:
        """Return a user. Raises NotFound."""
        found = await self.find(user_id)
        if found is None:
            raise NotFound(f"there is no user {user_id}", fix=_LIST_USERS)
        return found

    async def by_github(self, github_id: int) -> UserRecord | None:
        """Return the user with that id at GitHub, None when there is none."""
        found = await self._database.fetch(select(*_USER).where(users.c.github_id == github_id))
        return _user(found[0]) if found else None

    async def all(self) -> list[UserRecord]:
        """Return the users by id, the first 2,000."""
        return [
            _user(row)
            for row in await self._database.fetch(select(*_USER).order_by(users.c.user_id).limit(_MOST_LISTED))
        ]

    async def seen(
        self, user_id: str, at: datetime, role: ServerRole = "member", *, may_run_commands: bool = False
    ) -> UserRecord:
        """Return a user, added with this role and right if there is none of that id yet."""
        await self._database.change(self._insert(user_id, user_id, at, role, may_run_commands).on_conflict_do_nothing())
        return await self.get(user_id)

    async def add(
        self,
        user_id: str,
        at: datetime,
        name: str = "",
        role: ServerRole = "member",
        *,
        may_run_commands: bool = False,
    ) -> UserRecord:
        """Add a user. Raises Conflict when there is one of that id."""
        insert = self._insert(user_id, name or user_id, at, role, may_run_commands).on_conflict_do_nothing()
        found = await self._database.change(insert.returning(*_USER))
        if not found:
            raise Conflict(f"there is a user {user_id} already", fix=f"see `buildwright user show {user_id}`")
        return _user(found[0])

    async def change(self, user_id: str, changes: Mapping[Change, Any]) -> UserRecord:
        """Change a user; None takes a limit off. Money is a Decimal in USD. Raises NotFound."""
        values: dict[str, Any] = {str(name): value for name, value in changes.items()}
        if values.get("most_usd_a_month") is not None:
            values["most_usd_a_month"] = round(Decimal(values["most_usd_a_month"]) * COST_UNITS)
        return await self._set(user_id, values) if values else await self.get(user_id)

    async def disable(self, user_id: str, at: datetime) -> UserRecord:
        """Refuse a user from now on; the first time counts. Raises NotFound."""
        was = await self.get(user_id)
        return was if was.disabled_at else await self._set(user_id, {"disabled_at": at})

    async def enable(self, user_id: str) -> UserRecord:
        """Let a user in again. Raises NotFound."""
        return await self._set(user_id, {"disabled_at": None})

    async def set_github(
        self, user_id: str, github_id: int | None, login: str | None, token: bytes | None
    ) -> UserRecord:
        """Keep a user's account at GitHub, with the encrypted token. Raises NotFound, Conflict when another user is that one."""
        holder = await self.by_github(github_id) if github_id is not None else None
        if holder is not None and holder.user_id != user_id:
            raise Conflict(f"this account of GitHub belongs to the user {holder.user_id}", fix=_LIST_USERS)
        values = {"github_id": github_id, "github_login": login, "github_token": token}
        return await self._set(user_id, values)

    async def github_token(self, user_id: str) -> bytes | None:
        """Return the encrypted token for GitHub of a user, None when there is none."""
        found = await self._database.fetch(select(users.c.github_token).where(users.c.user_id == user_id))
        return found[0].github_token if found else None

    def _insert(self, user_id: str, name: str, at: datetime, role: ServerRole, may_run_commands: bool) -> Any:
        values = {"user_id": user_id, "name": name, "role": role, "may_run_commands": may_run_commands}
        return self._database.insert(users).values(**values, created_at=at)

    async def _set(self, user_id: str, values: Mapping[str, Any]) -> UserRecord:
        change = update(users).where(users.c.user_id == user_id).values(**values).returning(*_USER)
        found = await self._database.change(change)
        if not found:
            raise NotFound(f"there is no user {user_id}", fix=_LIST_USERS)
        return _user(found[0])


class IssuedTokens:
    """The tokens of all users. Callers name the user, who sees and takes back no token of another user."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, token: TokenRecord) -> None:
        """Keep a token that was issued, and forget those that have expired by then. One that is known stays as it is."""
        old = select(tokens.c.jti).where(tokens.c.expires_at <= token.created_at).limit(_MOST_FORGOTTEN)

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(delete(tokens).where(tokens.c.jti.in_(old.with_for_update(skip_locked=True))))
            await connection.execute(self._database.insert(tokens).values(token._asdict()).on_conflict_do_nothing())

        await self._database.write(work)

    async def used(self, token: TokenRecord) -> None:
        """Keep when a token was used (`last_used_at`); one that is not known is kept as it is given."""
        insert = self._database.insert(tokens).values(token._asdict())
        await self._database.change(
            insert.on_conflict_do_update(
                index_elements=[tokens.c.jti], set_={"last_used_at": insert.excluded.last_used_at}
            )
        )

    async def all(self, user_id: str, at: datetime) -> list[TokenRecord]:
        """Return a user's tokens that count at that time, newest first, at most 2,000."""
        query = select(*_TOKEN).where(
            tokens.c.user_id == user_id, tokens.c.expires_at > at, tokens.c.revoked_at.is_(None)
        )
        rows = await self._database.fetch(
            query.order_by(tokens.c.created_at.desc(), tokens.c.jti.desc()).limit(_MOST_LISTED)
        )
        return [TokenRecord._make(row) for row in rows]

    async def revoke(self, user_id: str, jti: str, at: datetime) -> TokenRecord:
        """Take a token back: its id counts as used. Raises NotFound when the user has none of that id."""
        mine = (tokens.c.jti == jti) & (tokens.c.user_id == user_id)
        found = await self._revoke(mine, at)
        if found:
            return found[0]
        known = await self._database.fetch(select(*_TOKEN).where(mine))
        if not known:
            raise NotFound(f"user {user_id} has no token {jti}", fix="see `buildwright token list`")
        return TokenRecord._make(known[0])

    async def revoke_all(self, user_id: str, at: datetime) -> list[TokenRecord]:
        """Take back all tokens of a user, also those that were never used; return those that were known."""
        found = await self._revoke(tokens.c.user_id == user_id, at)
        await self._database.change(update(users).where(users.c.user_id == user_id).values(tokens_since=at))
        return found

    async def _revoke(self, which: Any, at: datetime) -> list[TokenRecord]:
        change = update(tokens).where(which, tokens.c.revoked_at.is_(None)).values(revoked_at=at).returning(*_TOKEN)

        async def work(connection: AsyncConnection) -> list[TokenRecord]:
            found = [TokenRecord._make(row) for row in (await connection.execute(change)).all()]
            if found:
                values = [{"jti": token.jti, "expires_at": token.expires_at} for token in found]
                insert = self._database.insert(used_tokens).on_conflict_do_nothing()
                await connection.execute(insert, values)
            return found

        return await self._database.write(work)


class ProjectMembers:
    """With whom projects are shared. Knows no project: whether there is one is for the caller to check."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def role(self, project_id: str, user_id: str) -> MemberRole | None:
        """Return the role of a user in a project that is shared with him, else None."""
        is_it = (project_members.c.project_id == project_id) & (project_members.c.user_id == user_id)
        found = await self._database.fetch(select(project_members.c.role).where(is_it))
        return found[0].role if found else None

    async def all(self, project_id: str) -> list[MemberRecord]:
        """Return the members of a project by id."""
        query = select(*_MEMBER).where(project_members.c.project_id == project_id)
        return [
            MemberRecord._make(row) for row in await self._database.fetch(query.order_by(project_members.c.user_id))
        ]

    async def roles(self, user_id: str) -> dict[str, MemberRole]:
        """Return the projects that are shared with a user, by id, with the role in each."""
        query = select(project_members.c.project_id, project_members.c.role).where(project_members.c.user_id == user_id)
        return {row.project_id: row.role for row in await self._database.fetch(query)}

    async def put(self, member: MemberRecord) -> MemberRecord:
        """Share a project with a user, or change the role; return it as it is then (who added stays)."""
        insert = self._database.insert(project_members).values(member._asdict())
        upsert = insert.on_conflict_do_update(
            index_elements=[project_members.c.project_id, project_members.c.user_id], set_={"role": member.role}
        )
        return MemberRecord._make((await self._database.change(upsert.returning(*_MEMBER)))[0])

    async def remove(self, project_id: str, user_id: str) -> bool:
        """End the sharing with a user; return whether it was shared."""
        is_it = (project_members.c.project_id == project_id) & (project_members.c.user_id == user_id)
        gone = delete(project_members).where(is_it).returning(project_members.c.user_id)
        return bool(await self._database.change(gone))


def _user(row: Row[Any]) -> UserRecord:
    user = UserRecord._make(row)
    usd = user.most_usd_a_month
    return user if usd is None else user._replace(most_usd_a_month=Decimal(usd) / COST_UNITS)
