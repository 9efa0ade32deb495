"""Users, tokens and members on a server, for a program with a token. Must never hold a rule: the server has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import quote

from buildwright.views.team import MemberRoleName, MemberView, TokenView, UserChanges, UserView


class TeamWire(Protocol):
    """Requests to one server."""

    async def get(self, path: str, **query: object) -> dict[str, Any]:
        """Send a GET request; return the JSON of the answer."""

    async def post(self, path: str, body: object | None = None, **headers: str) -> dict[str, Any]:
        """Send a POST request."""

    async def put(self, path: str, body: object, **headers: str) -> dict[str, Any]:
        """Send a PUT request."""

    async def patch(self, path: str, body: object) -> dict[str, Any]:
        """Send a PATCH request."""

    async def delete(self, path: str, **query: object) -> dict[str, Any]:
        """Send a DELETE request."""


class HttpTeam:
    """Implements `TeamClient` with the rights of the token's user."""

    def __init__(self, wire: TeamWire) -> None:
        self._wire = wire

    async def users(self) -> tuple[UserView, ...]:
        """See `TeamClient.users`."""
        return tuple(map(_user, (await self._wire.get("/api/users"))["items"]))

    async def user(self, user_id: str = "") -> UserView:
        """See `TeamClient.user`."""
        user_id = user_id or str((await self._wire.get("/auth/me"))["user_id"])
        return _user(await self._wire.get(_place(user_id)))

    async def add_user(self, user_id: str, wanted: UserChanges) -> UserView:
        """See `TeamClient.add_user`."""
        return _user(await self._wire.post("/api/users", {"user_id": user_id, **_changes(wanted)}))

    async def set_user(self, user_id: str, wanted: UserChanges) -> UserView:
        """See `TeamClient.set_user`."""
        return _user(await self._wire.patch(_place(user_id), _changes(wanted)))

    async def disable_user(self, user_id: str) -> UserView:
        """See `TeamClient.disable_user`."""
        return _user(await self._wire.post(f"{_place(user_id)}/disable"))

    async def enable_user(self, user_id: str) -> UserView:
        """See `TeamClient.enable_user`."""
        return _user(await self._wire.post(f"{_place(user_id)}/enable"))

    async def tokens(self, user_id: str = "") -> tuple[TokenView, ...]:
        """See `TeamClient.tokens`."""
        found = await self._wire.get("/api/tokens", user=user_id)
        return tuple(TokenView.model_validate_json(json.dumps(one)) for one in found["items"])

    async def revoke_token(self, token_id: str, user_id: str = "") -> None:
        """See `TeamClient.revoke_token`."""
        await self._wire.delete(f"/api/tokens/{quote(token_id, safe='')}", user=user_id)

    async def revoke_tokens(self, user_id: str = "") -> int:
        """See `TeamClient.revoke_tokens`."""
        return int((await self._wire.delete("/api/tokens", user=user_id))["revoked"])

    async def members(self, project_id: str) -> tuple[MemberView, ...]:
        """See `TeamClient.members`."""
        return _members(await self._wire.get(f"/projects/{project_id}/members"))

    async def set_member(self, project_id: str, user_id: str, role: MemberRoleName | None) -> tuple[MemberView, ...]:
        """See `TeamClient.set_member`."""
        path = f"/projects/{project_id}/members/{quote(user_id, safe='')}"
        found = await (self._wire.put(path, {"role": role}) if role is not None else self._wire.delete(path))
        return _members(found)

    async def leave(self, project_id: str) -> None:
        """See `TeamClient.leave`."""
        await self._wire.post(f"/projects/{project_id}/leave")

    async def unlink_github(self) -> UserView:
        """See `TeamClient.unlink_github`."""
        return _user(await self._wire.post("/auth/github/unlink"))


def _place(user_id: str) -> str:
    return f"/api/users/{quote(user_id, safe='')}"


def _changes(wanted: UserChanges) -> dict[str, Any]:
    return wanted.model_dump(mode="json", exclude_unset=True)


def _user(found: Mapping[str, Any]) -> UserView:
    return UserView.model_validate_json(json.dumps(found))


def _members(found: Mapping[str, Any]) -> tuple[MemberView, ...]:
    return tuple(MemberView.model_validate_json(json.dumps(one)) for one in found["items"])
