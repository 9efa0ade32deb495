"""The board of one build in memory: the rules of the port `ActionQueue` on plain dictionaries. Knows no journal and no clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from buildwright.ports import ActionLease, QueuedAction, QueueUpdate


@dataclass(slots=True)
class Row:
    """An action on the board."""

    wanted: bool
    wanted_at: datetime
    holder: str = ""
    token: int = 0
    beat_at: datetime | None = None
    expires_at: datetime | None = None
    offered_at: datetime | None = None

    def live(self, now: datetime) -> bool:
        return self.holder != "" and self.expires_at is not None and self.expires_at > now

    def free(self, now: datetime) -> None:
        self.holder, self.beat_at, self.expires_at, self.offered_at, self.wanted_at = "", None, None, None, now


@dataclass(slots=True)
class ActionRows:
    """The rows of one build, and what `due` must know of it."""

    rows: dict[str, Row] = field(default_factory=dict)
    settled: bool = False
    wake_at: datetime | None = None
    offered_at: datetime | None = None

    def sweep(self, now: datetime) -> None:
        """Rows that are not wanted and that nobody has are gone."""
        self.rows = {key: row for key, row in self.rows.items() if row.wanted or row.live(now)}

    def holds(self, lease: ActionLease) -> bool:
        row = self.rows.get(lease.key)
        return row is not None and row.holder != "" and row.token == lease.token

    def settle(self, settlement: QueueUpdate, now: datetime) -> list[str]:
        """Make it what the settlement says; the keys that wait for somebody since now."""
        wanted, start = settlement.wanted, settlement.start
        known = {key for key, row in self.rows.items() if row.wanted or row.live(now)}
        for key in settlement.ended:
            if key in self.rows:
                self.rows[key].free(now)
                known.discard(key)
        for key, row in self.rows.items():
            row.wanted = key in wanted and (start or row.live(now))
        if start:
            for key in wanted:
                self.rows.setdefault(key, Row(True, now))
        self.sweep(now)
        self.settled, self.wake_at, self.offered_at = True, settlement.wake_at, None
        return [key for key in wanted if key not in known] if start else []

    def take(self, lease: ActionLease, seconds: float, now: datetime) -> ActionLease | None:
        """Give the row to the lease's holder, if it is to be had; with the time it waited."""
        row = self.rows.get(lease.key)
        if row is None or not row.wanted or (row.live(now) and row.holder != lease.holder):
            return None
        since = max(row.wanted_at, row.expires_at or row.wanted_at)
        row.holder, row.token, row.beat_at, row.offered_at = lease.holder, lease.token, now, None
        row.expires_at = now + timedelta(seconds=seconds)
        return lease._replace(waited=(now - since).total_seconds())

    def posted(self, build_id: str, now: datetime) -> list[QueuedAction]:
        self.sweep(now)
        return [
            QueuedAction(
                build_id,
                key,
                row.wanted,
                row.wanted_at,
                row.holder,
                row.token,
                row.beat_at,
                row.expires_at,
                row.live(now),
            )
            for key, row in self.rows.items()
        ]

    def free(self, holder: str, now: datetime) -> list[tuple[datetime, str]]:
        """Rows that a holder may take, with the time since when they are wanted."""
        return [
            (row.wanted_at, key)
            for key, row in self.rows.items()
            if row.wanted and (row.holder == holder or not row.live(now))
        ]

    def waiting(self, quiet: timedelta, now: datetime) -> list[tuple[datetime, str]]:
        """BuildRequest rows that nobody has and that were not offered lately, with the time since when they are wanted."""
        self.sweep(now)
        return [
            (row.wanted_at, key)
            for key, row in self.rows.items()
            if not row.live(now) and quiet_since(row.offered_at, quiet, now)
        ]


def quiet_since(offered_at: datetime | None, quiet: timedelta, now: datetime) -> bool:
    """Whether something has not been offered for so long."""
    return offered_at is None or offered_at <= now - quiet
