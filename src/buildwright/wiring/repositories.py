"""Repositories that users connect: found, connected with a webhook, disconnected, and the audits of their pushes.

Must never show one user another's, nor keep a secret that is not sealed.
"""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from buildwright.core.finding import Finding
from buildwright.errors import BadSettings, BuildwrightError, Conflict, Forbidden, NotFound, Refused
from buildwright.views.repositories import (
    ConnectedListView,
    ConnectedView,
    PushAuditListView,
    PushAuditView,
    PushCheckView,
    RepositoryListView,
    RepositoryView,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from buildwright.auth import Vault
    from buildwright.ports import Clock
    from buildwright.settings import Settings
    from buildwright.store.records import Records
    from buildwright.store.repositories import ConnectedRepository, PushAudit, PushCheck
    from buildwright.store.repositories import Repositories as RepositoryStore
    from buildwright.wiring.github_access import ForgeToken, GitHubAccess

PUBLIC_URL = "BUILDWRIGHT_PUBLIC_URL"
APP_SECRET = "GITHUB_WEBHOOK_SECRET"  # noqa: S105  its name
WEBHOOKS = "/webhooks/github"
PAGE = 50


def public_url(environment: Mapping[str, str]) -> str:
    """Return the address at which others reach the server, without a slash at its end; "" for none. Raises BadSettings."""
    given = environment.get(PUBLIC_URL, "").strip().rstrip("/")
    try:
        parts = urlsplit(given)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and not (parts.query or parts.fragment)
    except ValueError:
        good = False
    if given and not good:
        raise BadSettings(
            f"{PUBLIC_URL} is not an http:// or https:// address", fix="for example https://build.example"
        )
    return given


def found_in(mine: Sequence[ConnectedView], repository: str) -> str:
    """Return the id of one of these, given its id, the beginning of one, or its name. Raises NotFound."""
    found = [one for one in mine if one.id == repository or one.name.casefold() == repository.casefold()]
    found = found or [one for one in mine if len(repository) >= 4 and one.id.startswith(repository)]
    if len(found) != 1:
        raise NotFound(f"you have connected no repository {repository}", fix="see `buildwright repo list`")
    return found[0].id


def public_host(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the host name of the public address, none without one. Raises BadSettings."""
    return tuple(filter(None, ((urlsplit(public_url(environment)).hostname or "").lower(),)))


def connecting_for(settings: Settings, records: Records, key: bytes, clock: Clock) -> Connecting:
    """Return the connected repositories of a store. `key` is the one that signs tokens."""
    from buildwright.auth import Vault
    from buildwright.wiring.github_access import GitHubAccess

    vault = Vault(key)
    return Connecting(settings, records.repositories, GitHubAccess(settings, records.users, vault, clock), vault, clock)


@dataclass(slots=True)
class Connecting:
    """The connected repositories of one store. Methods raise what those of `Database` do."""

    settings: Settings
    store: RepositoryStore
    access: GitHubAccess
    vault: Vault
    clock: Clock

    async def listed(self, user_id: str, search: str = "", page: int = 1, size: int = PAGE) -> RepositoryListView:
        """Return page `page`, from 1, of the repositories that the user's token may see, by a text in their names.

        Raises BadSettings (no token, or it is not accepted) and ForgeFailed.
        """
        token = await self.access.own(user_id)
        async with self.access.opened(token) as forge:
            found = await forge.repositories(search, page, size)
        site = self.access.site.api
        mine = {one.name.casefold(): one.id for one in await self.store.all(user_id) if one.site == site}
        items = tuple(
            RepositoryView(
                name=one.name,
                address=one.address,
                default_branch=one.default_branch,
                private=one.private,
                may_administer=one.may_administer,
                connected=mine.get(one.name.casefold(), ""),
            )
            for one in found.repositories
        )
        return RepositoryListView(items=items, next_cursor=str(page + 1) if found.more else "")

    async def connected(self, user_id: str) -> ConnectedListView:
        """Return the user's connected repositories."""
        return ConnectedListView(items=tuple(self._view(one) for one in await self.store.all(user_id)))

    async def one(self, user_id: str, repository_id: str) -> ConnectedView:
        """Return one of the user's connected repositories. Raises NotFound."""
        return self._view(await self.store.get(user_id, repository_id))

    async def find(self, user_id: str, repository: str) -> str:
        """Return the id of a connected repository, given its id, the beginning of one, or its name. Raises NotFound."""
        return found_in((await self.connected(user_id)).items, repository)

    async def connect(self, user_id: str, name: str) -> ConnectedView:
        """Connect a repository: its pushes are audited from now on.

        Raises Conflict (connected already), Forbidden (not the user's to connect), NotFound (nothing there that the
        user's token may see), Refused (no name of a repository), BadSettings and ForgeFailed.
        """
        owner, _, short = name.partition("/")
        if not owner or not short or "/" in short or len(name) > 200 or not name.isprintable():
            raise Refused(f"{name[:100]} is not the name of a repository", fix="name it as owner/name")
        own = await self.access.own(user_id)
        async with self.access.opened(own) as forge:
            found = await forge.repository(name)
        if not found.may_administer:
            raise Forbidden(
                f"you may not administer {found.name}, which connecting it needs",
                fix="ask someone who may, or take a token with that right",
            )
        token = await self.access.of(user_id, found.name)
        by_app = token.of_installation and bool(self.settings.environment.get(APP_SECRET, "").strip())
        here = public_url(self.settings.environment)
        if not here:
            raise BadSettings(
                f"{self.access.site.host} cannot tell this server of pushes: {PUBLIC_URL} is not set",
                fix=f"set {PUBLIC_URL} to the address at which the server can be reached from there",
            )
        secret = secrets.token_urlsafe(32)
        sealed = self.vault.seal(secret)
        row = await self.store.connect(user_id, self.access.site.api, found.name, sealed, self.clock.now())
        if by_app:
            return self._view(row)
        try:
            address = f"{here}{WEBHOOKS}?{urlencode({'repository': row.id})}"
            async with self.access.opened(token) as forge:
                webhook = await forge.add_webhook(found.name, address, secret)
        except BuildwrightError:
            await self.store.disconnect(user_id, row.id)
            raise
        await self.store.set_webhook(row.id, webhook)
        return self._view(row._replace(webhook=webhook))

    async def made(
        self, user_id: str, name: str, description: str, *, begun: bool, to_pull: bool = False
    ) -> tuple[str, str]:
        """Make a private repository; return its address, and the branch that is to be its first.

        One that is there already is taken when the work on it has begun (`begun`); its first branch is "" then. Raises
        Conflict when it has not, Refused when a pull request (`to_pull`) is to be the first that comes into it,
        BadSettings (builds push with the token of the environment alone) and ForgeFailed.
        """
        token = self.access.of_machine(user_id)
        site = self.access.site
        if token is None:
            raise BadSettings(
                f"a new repository is pushed to with the token in {site.variable}, which only the server's owner uses",
                fix="make the repository yourself, and name it as github_existing",
            )
        async with self.access.opened(token) as forge:
            try:
                there = await forge.repository(name)
            except NotFound:
                there = None
            if there is not None and not begun:
                raise Conflict(f"there is a repository {there.name} already", fix="name it as github_existing")
            if there is None and to_pull:
                raise Refused(
                    f"{name} is to be made, and an empty repository has no branch that a pull request could be for",
                    fix="let the first build push its result, which becomes the first branch; deliver it so again later",
                )
            new = there or await forge.make_repository(name, description, private=True)
        return site.remote_of(new.name), "" if there else new.default_branch

    async def disconnect(self, user_id: str, repository_id: str) -> str:
        """Remove a connected repository: its webhook, and all that is kept of it here. Returns "", or why the webhook stays.

        Raises NotFound. Deliveries of a webhook that stays are refused.
        """
        row = await self.store.get(user_id, repository_id)
        stays = ""
        if row.webhook:
            try:
                async with self.access.opened(await self._token(row)) as forge:
                    with suppress(NotFound):  # it was removed on the forge's page
                        await forge.remove_webhook(row.name, row.webhook)
            except BuildwrightError as error:
                stays = f"the webhook stays at {row.name}: {error}"
        await self.store.disconnect(user_id, repository_id)
        return stays

    async def audits(
        self, user_id: str, repository_id: str, limit: int = PAGE, cursor: str = "", branch: str = ""
    ) -> PushAuditListView:
        """Return a page of the audits of a repository, newest first, of one branch when given. Raises NotFound, Refused."""
        await self.store.get(user_id, repository_id)
        rows = await self.store.page(user_id, repository_id, limit + 1, _place(cursor), branch)
        shown, more = rows[:limit], len(rows) > limit
        checks = await self.store.checks([one.id for one in shown])
        following = f"{shown[-1].queued_at.isoformat()} {shown[-1].id}" if more else ""
        return PushAuditListView(items=tuple(audit_view(one, checks[one.id]) for one in shown), next_cursor=following)

    async def audit(self, user_id: str, repository_id: str, audit_id: str) -> PushAuditView:
        """Return one audit with all findings. Raises NotFound."""
        row, report = await self.store.audit(user_id, repository_id, audit_id)
        checks = (await self.store.checks([row.id]))[row.id]
        told = json.loads(report)["outcomes"] if report else []
        findings = {one["code"]: tuple(map(Finding.model_validate, one["findings"])) for one in told}
        return audit_view(row, checks, findings)

    async def _token(self, row: ConnectedRepository) -> ForgeToken:
        return await self.access.of(row.user_id, row.name)

    def _view(self, row: ConnectedRepository) -> ConnectedView:
        by_app = not row.webhook and self.access.is_app
        state = "working" if row.last_delivery_at else "waiting" if row.webhook or by_app else "missing"
        return ConnectedView(
            id=row.id,
            name=row.name,
            webhook=state,
            by_app=by_app,
            connected_at=row.created_at,
            last_delivery_at=row.last_delivery_at,
            last_event=row.last_event,
            ignored=row.ignored,
        )


@dataclass(slots=True)
class OwnRepositories:
    """The connected repositories of one user. It is the `RepositoryClient` of the store."""

    all: Connecting
    user_id: str

    async def listed(self, search: str = "", page: int = 1) -> RepositoryListView:
        return await self.all.listed(self.user_id, search, page)

    async def connected(self) -> ConnectedListView:
        return await self.all.connected(self.user_id)

    async def find(self, repository: str) -> str:
        return await self.all.find(self.user_id, repository)

    async def connect(self, name: str) -> ConnectedView:
        return await self.all.connect(self.user_id, name)

    async def disconnect(self, repository_id: str) -> str:
        return await self.all.disconnect(self.user_id, repository_id)

    async def audits(
        self, repository_id: str, limit: int = PAGE, cursor: str = "", branch: str = ""
    ) -> PushAuditListView:
        return await self.all.audits(self.user_id, repository_id, limit, cursor, branch)

    async def audit(self, repository_id: str, audit_id: str) -> PushAuditView:
        return await self.all.audit(self.user_id, repository_id, audit_id)


def audit_view(
    row: PushAudit, checks: Sequence[PushCheck] = (), findings: Mapping[str, tuple[Finding, ...]] | None = None
) -> PushAuditView:
    """Return an audit as users see it."""
    known = findings or {}
    return PushAuditView(
        id=row.id,
        repository=row.repository,
        branch=row.branch,
        commit=row.commit_sha,
        base=row.base_sha,
        status=row.status,
        message=row.message,
        told=row.told,
        queued_at=row.queued_at,
        started_at=row.started_at,
        completed_at=row.completed_at,
        seconds=(row.completed_at - row.queued_at).total_seconds() if row.completed_at else None,
        ledger_entry=row.ledger_entry,
        checks=tuple(PushCheckView(**one._asdict(), findings=known.get(one.code, ())) for one in checks),
    )


def _place(cursor: str) -> tuple[datetime, str] | None:
    """Return the time and id in a cursor, None for "". Raises Refused."""
    if not cursor:
        return None
    moment, _, name = cursor.partition(" ")
    try:
        when = datetime.fromisoformat(moment)
        if when.tzinfo is None or not name.isascii() or not name.isprintable():
            raise ValueError(cursor)
        return when.astimezone(UTC), name
    except (ValueError, OverflowError) as error:
        raise Refused(
            "the cursor is not one that was given out", fix="take `next_cursor` of the page before"
        ) from error
