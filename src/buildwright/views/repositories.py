"""Repositories of a forge and the audits of their pushes as users see them. Pure data; must never hold a secret."""

from __future__ import annotations

from typing import Literal

from buildwright.core.finding import Finding
from buildwright.core.record import Record, UtcTime

WebhookState = Literal["waiting", "working", "missing"]
"""No delivery has come yet; one has; the forge was never told of it."""


class RepositoryView(Record):
    """A repository that the user's token may see."""

    name: str
    """`owner/name`."""
    address: str
    """Of its page."""
    default_branch: str
    private: bool
    may_administer: bool
    """Whether it can be connected: a webhook needs that right."""
    connected: str = ""
    """The id under which the user has connected it, "" when that is not so."""


class RepositoryListView(Record):
    """A page of repositories, those pushed to last first."""

    items: tuple[RepositoryView, ...]
    next_cursor: str = ""
    """"" on the last page."""


class ConnectedView(Record):
    """A repository that the user has connected."""

    id: str
    name: str
    webhook: WebhookState
    by_app: bool
    """Whether the webhook of the App serves it."""
    connected_at: UtcTime
    last_delivery_at: UtcTime | None = None
    last_event: str = ""
    ignored: int = 0
    """Deliveries of types that are not known."""


class ConnectedListView(Record):
    """The user's connected repositories, by name."""

    items: tuple[ConnectedView, ...]


class PushCheckView(Record):
    """What one check said."""

    code: str
    name: str
    result: str
    """`passed`, `warned`, `failed` or `not run`."""
    detail: str = ""
    """The first finding."""
    findings: tuple[Finding, ...] = ()
    """All that were kept; only where one audit is asked for."""


class PushAuditView(Record):
    """The audit of a commit that was pushed."""

    id: str
    repository: str
    branch: str
    commit: str
    base: str
    status: str
    """`queued`, `running`, `passed`, `failed`, or `broke` when it could not be done."""
    message: str = ""
    told: str = ""
    """What the forge was told: `status`, `status and check run`, or why nothing."""
    queued_at: UtcTime
    started_at: UtcTime | None = None
    completed_at: UtcTime | None = None
    seconds: float | None = None
    """From the push's arrival to the end."""
    ledger_entry: int | None = None
    checks: tuple[PushCheckView, ...] = ()


class PushAuditListView(Record):
    """A page of audits, newest first."""

    items: tuple[PushAuditView, ...]
    next_cursor: str = ""
