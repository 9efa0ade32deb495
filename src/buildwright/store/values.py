"""Values as columns of a database hold them: times and texts. Must never import the events."""

from __future__ import annotations

from datetime import UTC, datetime


def to_text(at: datetime) -> str:
    """Return a time as SQLAlchemy stores it in SQLite: UTC, sortable text. Raises ValueError for no time zone."""
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    return at.isoformat(" ", "microseconds")[:26]


def to_time(text: str) -> datetime:
    """Return the time that `to_text` wrote."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def plain(text: str) -> str:
    """Return text that a database accepts: lone surrogates, which program output may hold, become "?"."""
    return text.encode("utf-8", "replace").decode("utf-8")
