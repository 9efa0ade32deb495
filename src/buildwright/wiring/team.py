"""Users, tokens and members of one store, for the App and the routes. Must never decide what a caller may: see `auth.rights`.

What holds for every caller is here: the server's own user stays an owner, and only known users become members.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, get_args

from buildwright.auth.rights import Role, may_change_member, who_may
from buildwright.errors import Conflict, Forbidden, NotFound, Refused
from buildwright.store.users import Change, MemberRecord, MemberRole, TokenRecord, UserRecord
from buildwright.views.team import MemberView, TokenView, UserChanges, UserView

if TYPE_CHECKING:
    from buildwright.ports import Clock
    from buildwright.settings import Settings
    from buildwright.store.projects import ProjectRecord
    from buildwright.store.records import Records

ALLOW_COMMANDS = "BUILDWRIGHT_ALLOW_COMMANDS"
GITHUB_USERS = "github:"
"""How the id of a user begins that was made by signing in with GitHub."""
_LIMITS: tuple[Change, ...] = ("most_builds", "most_builds_an_hour", "most_usd_a_month")


def month_start(now: datetime) -> datetime:
    """Return the beginning of a time's month."""
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def may_run_commands(environment: Mapping[str, str], own_user: str, user_id: str, granted: bool) -> bool:
    """Return whether a user's builds may run commands of the server's machine.

    BUILDWRIGHT_ALLOW_COMMANDS is `all`, `none`, or `owner` (the default): the user of the server's process, and users
    with the right `granted`.
    """
    allowed = environment.get(ALLOW_COMMANDS, "").strip().lower() or "owner"
    return allowed == "all" or (allowed == "owner" and (granted or user_id == own_user))


@dataclass(slots=True)
class Team:
    """The users of one store. Methods raise NotFound for a user that is not there, and StoreFailed."""

    records: Records
    clock: Clock
    environment: Mapping[str, str]
    own_user: str
    """The user of the server's process, always an owner."""

    async def users(self) -> tuple[UserView, ...]:
        """Return all users by id, with what their requests to models cost this month."""
        start = month_start(self.clock.now())
        spent = {one.key: one.cost_usd for one in await self.records.runs.costs("user", start)}
        return tuple([await self._view(one, spent) for one in await self.records.users.all()])

    async def user(self, user_id: str) -> UserView:
        """Return one user."""
        found = await self.records.users.find(user_id)
        if found is None and user_id == self.own_user:
            found = await self.records.users.seen(user_id, self.clock.now(), "owner")
        return await self._shown(found or await self.records.users.get(user_id))

    async def add(self, user_id: str, wanted: UserChanges) -> UserView:
        """Add a user. Raises Conflict when there is one of that id, Refused (see `change`)."""
        self._check(user_id, wanted)
        role = "owner" if user_id == self.own_user else wanted.role or "member"
        made = await self.records.users.add(user_id, self.clock.now(), wanted.name or "", role)
        return await self._changed(made.user_id, wanted)

    async def change(self, user_id: str, wanted: UserChanges) -> UserView:
        """Change a user. Raises Refused for the server's own user as a member, and where the server's setting decides."""
        self._check(user_id, wanted)
        await self.user(user_id)
        return await self._changed(user_id, wanted)

    async def disable(self, user_id: str) -> tuple[UserView, tuple[str, ...]]:
        """Refuse a user, and take back all tokens; return the user and the ids of the tokens. Raises Refused."""
        if user_id == self.own_user:
            raise Refused(f"{user_id} is the user of the server itself", fix="disable another user")
        now = self.clock.now()
        disabled = await self.records.users.disable(user_id, now)
        gone = await self.records.issued.revoke_all(user_id, now)
        return await self._shown(disabled), tuple(one.jti for one in gone)

    async def enable(self, user_id: str) -> UserView:
        """Let a user in again, with a new token."""
        return await self._shown(await self.records.users.enable(user_id))

    async def tokens(self, user_id: str, this: str = "") -> tuple[TokenView, ...]:
        """Return a user's tokens that count, newest first; `this` is the id of the one that asks."""
        return tuple(_token(one, this) for one in await self.records.issued.all(user_id, self.clock.now()))

    async def revoke(self, user_id: str, token_id: str) -> TokenView:
        """Take back a token of a user. Raises NotFound."""
        return _token(await self.records.issued.revoke(user_id, token_id, self.clock.now()))

    async def revoke_all(self, user_id: str) -> tuple[TokenView, ...]:
        """Take back all tokens of a user; return those that were known. One that was never used counts no more either."""
        await self.user(user_id)
        return tuple(map(_token, await self.records.issued.revoke_all(user_id, self.clock.now())))

    async def members(self, project: ProjectRecord) -> tuple[MemberView, ...]:
        """Return the users who see a project, its owner first, then by id."""
        owner = MemberView(user_id=project.user_id, role="owner", added_at=project.created_at)
        return (owner, *(MemberView(**_member(one)) for one in await self.records.members.all(project.id)))

    async def set_member(
        self, project: ProjectRecord, role_of_caller: Role | None, caller: str, user_id: str, role: MemberRole | None
    ) -> tuple[MemberView, ...]:
        """Share a project with a user in a role, or with None end that. Raises NotFound, Forbidden, Refused (the owner)."""
        if user_id == project.user_id:
            raise Refused(f"{user_id} is the owner of the project", fix="name another user")
        before = await self.records.members.role(project.id, user_id)
        if role is None and before is None:
            raise NotFound(f"{user_id} is not a member of this project", fix="see GET /projects/{id}/members")
        if not may_change_member(role_of_caller, before, role):
            raise Forbidden("your role does not allow to change this member", fix=f"ask {who_may('share')}")
        if role is None:
            await self.records.members.remove(project.id, user_id)
        else:
            await self.records.users.get(user_id)
            await self.records.members.put(MemberRecord(project.id, user_id, role, caller, self.clock.now()))
        return await self.members(project)

    async def leave(self, project: ProjectRecord, user_id: str) -> None:
        """End the sharing of a project with a user, at the request of that user. Raises NotFound, Refused (the owner)."""
        if user_id == project.user_id:
            raise Refused(
                "you are the owner of the project",
                fix="end the sharing with others: `buildwright user unshare PROJECT USER`",
            )
        if not await self.records.members.remove(project.id, user_id):
            raise NotFound(f"{user_id} is not a member of this project", fix="see `buildwright user members PROJECT`")

    async def unlink_github(self, user_id: str) -> UserView:
        """Forget a user's account at GitHub, with its token. Raises Conflict (none is linked), Refused (signs in by it alone)."""
        found = await self.user(user_id)
        if not found.github_login:
            raise Conflict("no account of GitHub is linked", fix="link one on the page of the team")
        if user_id.startswith(GITHUB_USERS):
            raise Refused(
                f"{user_id} signs in with this account alone",
                fix="have an owner of the server disable the user, if that is what you want",
            )
        return await self._shown(await self.records.users.set_github(user_id, None, None, None))

    def _check(self, user_id: str, wanted: UserChanges) -> None:
        if user_id == self.own_user and wanted.role == "member":
            raise Refused(f"{user_id} is the user of the server itself, and stays an owner", fix="leave the role")
        if wanted.may_run_commands is None:
            return
        granted = wanted.may_run_commands
        if may_run_commands(self.environment, self.own_user, user_id, granted) is not granted:
            setting = self.environment.get(ALLOW_COMMANDS, "owner")
            raise Refused(
                f"the server's setting decides who runs commands, for {user_id} too: {ALLOW_COMMANDS}={setting}",
                fix=f"set {ALLOW_COMMANDS}=owner where the server runs, then say it for each user",
            )

    async def _changed(self, user_id: str, wanted: UserChanges) -> UserView:
        given = wanted.model_dump(exclude_unset=True)
        changes: dict[Change, Any] = {}
        for name in get_args(Change):
            if name in given and (given[name] is not None or name in _LIMITS):
                changes[name] = given[name]
        return await self._shown(await self.records.users.change(user_id, changes))

    async def _shown(self, user: UserRecord) -> UserView:
        start = month_start(self.clock.now())
        sums = await self.records.runs.costs("user", start, None, user.user_id)
        return await self._view(user, {one.key: one.cost_usd for one in sums})

    async def _view(self, user: UserRecord, spent: Mapping[str, Decimal]) -> UserView:
        granted = may_run_commands(self.environment, self.own_user, user.user_id, user.may_run_commands)
        return UserView(
            user_id=user.user_id,
            name=user.name,
            role="owner" if user.user_id == self.own_user else user.role,
            may_run_commands=granted,
            most_builds=user.most_builds,
            most_builds_an_hour=user.most_builds_an_hour,
            most_usd_a_month=user.most_usd_a_month,
            spent_usd=spent.get(user.user_id, Decimal(0)),
            unfinished=len(await self.records.runs.unfinished(user.user_id)),
            created_at=user.created_at,
            disabled_at=user.disabled_at,
            github_login=user.github_login or "",
        )


class OwnTeam:
    """Implements `TeamClient` on the store of this machine, as the user of the settings, with every right."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Team]:
        from buildwright.store.records import Records

        records = Records.open(self._settings.database_url or self._settings.database)
        try:
            yield Team(records, self._clock, self._settings.environment, self._settings.user)
        finally:
            await records.close()

    async def users(self) -> tuple[UserView, ...]:
        """See `TeamClient.users`."""
        async with self._open() as team:
            await team.user(self._settings.user)
            return await team.users()

    async def user(self, user_id: str = "") -> UserView:
        """See `TeamClient.user`."""
        async with self._open() as team:
            return await team.user(user_id or self._settings.user)

    async def add_user(self, user_id: str, wanted: UserChanges) -> UserView:
        """See `TeamClient.add_user`."""
        async with self._open() as team:
            return await team.add(user_id, wanted)

    async def set_user(self, user_id: str, wanted: UserChanges) -> UserView:
        """See `TeamClient.set_user`."""
        async with self._open() as team:
            return await team.change(user_id, wanted)

    async def disable_user(self, user_id: str) -> UserView:
        """See `TeamClient.disable_user`."""
        async with self._open() as team:
            return (await team.disable(user_id))[0]

    async def enable_user(self, user_id: str) -> UserView:
        """See `TeamClient.enable_user`."""
        async with self._open() as team:
            return await team.enable(user_id)

    async def tokens(self, user_id: str = "") -> tuple[TokenView, ...]:
        """See `TeamClient.tokens`."""
        async with self._open() as team:
            return await team.tokens(user_id or self._settings.user)

    async def revoke_token(self, token_id: str, user_id: str = "") -> None:
        """See `TeamClient.revoke_token`."""
        async with self._open() as team:
            await team.revoke(user_id or self._settings.user, token_id)

    async def revoke_tokens(self, user_id: str = "") -> int:
        """See `TeamClient.revoke_tokens`."""
        async with self._open() as team:
            return len(await team.revoke_all(user_id or self._settings.user))

    async def members(self, project_id: str) -> tuple[MemberView, ...]:
        """See `TeamClient.members`."""
        async with self._open() as team:
            return await team.members(await team.records.projects.get(project_id))

    async def set_member(self, project_id: str, user_id: str, role: MemberRole | None) -> tuple[MemberView, ...]:
        """See `TeamClient.set_member`."""
        async with self._open() as team:
            project = await team.records.projects.get(project_id)
            return await team.set_member(project, "owner", self._settings.user, user_id, role)

    async def leave(self, project_id: str) -> None:
        """See `TeamClient.leave`."""
        async with self._open() as team:
            await team.leave(await team.records.projects.get(project_id), self._settings.user)

    async def unlink_github(self) -> UserView:
        """See `TeamClient.unlink_github`."""
        async with self._open() as team:
            return await team.unlink_github(self._settings.user)


def _member(member: MemberRecord) -> dict[str, object]:
    return {name: value for name, value in member._asdict().items() if name != "project_id"}


def _token(token: TokenRecord, this: str = "") -> TokenView:
    fields = token._asdict()
    del fields["revoked_at"]
    return TokenView(id=fields.pop("jti"), **fields, is_this=token.jti == this)
