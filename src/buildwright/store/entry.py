"""Events on their way into the journal, encoded outside of the database's turn. Must never use a connection."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, Self

from buildwright.core.build import Build, Control
from buildwright.core.event import AnyEvent
from buildwright.store.rows import encode_all, event_rows
from buildwright.store.values import to_text
from buildwright.views.runtime import HeadChange, head_change
from buildwright.views.statuses import BuildPhase


class JournalEntry(NamedTuple):
    """Events to be appended after `expected`, encoded outside of the database's turn."""

    build_id: str
    expected: int
    at: datetime
    moment: str
    """`at` as text."""
    change: HeadChange
    rows: list[tuple[Any, ...]]
    """Rows of the events table, from seq `expected` + 1."""

    @classmethod
    def of(
        cls, build_id: str, expected: int, events: Sequence[AnyEvent], at: datetime, after: Build | None = None
    ) -> Self:
        """Encode events. `after` is the build after them. Raises ValueError for a time without a zone."""
        moment = to_text(at)
        rows = event_rows(build_id, expected, moment, encode_all(events))
        return cls(build_id, expected, at, moment, head_change(events, after), rows)

    @property
    def phase(self) -> str:
        """The phase of a new build."""
        return self.change.get("phase", BuildPhase.PLANNING)

    @property
    def control(self) -> str:
        """The control of a new build."""
        return self.change.get("control", Control.RUNNING)
