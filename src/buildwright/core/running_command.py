"""The lines of a build's log that say which command of the project begins, and how it ended. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

KIND = "command"
"""The kind of these log lines."""
_BEGUN = re.compile(r"(?P<name>[^:]+): (?P<command>.+) \(at most (?P<seconds>[0-9.e+]+) s\)", re.DOTALL)


class RunningCommand(NamedTuple):
    """A command that began: the check or step it belongs to, and the seconds it may take."""

    name: str
    command: str
    seconds: float
    planted: bool = False
    """Whether a test of ours that must fail runs beside the project's own."""

    def __str__(self) -> str:
        return f"{self.name}: {' '.join(self.command.split())} (at most {self.seconds:g} s)"

    def ended(self, exit_code: int | None) -> str:
        """Return the line for its end; without an exit code its time was up."""
        how = "timed out" if exit_code is None else f"exited with code {exit_code}"
        why = ": a test that must fail ran beside the project's own" if self.planted and exit_code else ""
        return f"{self.name} {how}{why}"


def read_running(text: str) -> RunningCommand | None:
    """Return the command whose begin a line tells; None for the line of an end."""
    found = _BEGUN.fullmatch(text)
    return RunningCommand(found["name"], found["command"], float(found["seconds"])) if found else None
