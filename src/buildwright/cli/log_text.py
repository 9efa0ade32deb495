"""The lines that people see for an entry of a log. Must never import the events: `logs` starts quickly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from buildwright.ports import LogEntry, LogLine


def log_rows(entry: LogEntry | LogLine) -> Iterator[str]:
    """Yield the lines for an entry of the log: when, who, what kind, and the text."""
    who = f"{entry.task or 'build'}" + (f"#{entry.attempt}" if entry.attempt > 1 else "")
    for part in entry.text.splitlines() or [""]:
        yield f"{entry.at:%H:%M:%S} {who} {entry.kind:<8} {part}"
