"""What each task of a build does now and what the next ones wait for, in words. Must never print.

Known from the log as it comes: a command of the project with its time, else the last thing that an agent did.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from buildwright.cli.output import one_line
from buildwright.cli.table import cells, duration
from buildwright.core import event as e
from buildwright.core.build import Build, Stage, TaskPhase
from buildwright.core.event import Recorded
from buildwright.core.running_command import KIND, RunningCommand, read_running
from buildwright.ports import LogEntry, LogLine
from buildwright.views.overview import running_tasks
from buildwright.views.statuses import MET

_ASIDE = (
    *(e.AgentHeartbeat, e.TokensUsed, e.CheckpointCreated, e.MessageSent, e.MessageDelivered, e.AgentDenied),
    e.ConversationCompacted,
)
"""Events after which a task does what it did before."""
_LATE_SECONDS = 60.0
"""Seconds above its limit after which a command is taken for dead, with the process that would have told its end."""
_MOST_TEXT = 100
_LEAST_TEXT = 12
"""The fewest characters of a command that tell which it is."""


class _Begun(NamedTuple):
    command: RunningCommand
    at: datetime


class CurrentSteps:
    """The current step of each task. `hear` gets each log entry, `see` each event; "" names the build itself."""

    def __init__(self) -> None:
        self._steps: dict[str, _Begun | str] = {}

    def hear(self, entry: LogEntry | LogLine) -> None:
        """Note what a log entry tells: a command that begins or has ended, or what an agent does."""
        if entry.kind == KIND:
            command = read_running(entry.text)
            if command is None:
                self._steps.pop(entry.task, None)
            else:
                self._steps[entry.task] = _Begun(command, entry.at)
        elif entry.kind not in {"gate", "engine"} and entry.task and (text := one_line(entry.text, _MOST_TEXT)):
            self._steps[entry.task] = f"{entry.kind}: {text}"

    def see(self, recorded: Recorded) -> None:
        """Forget the step of a task that an event has moved on."""
        if not isinstance(recorded.event, _ASIDE):
            self._steps.pop(getattr(recorded.event, "task", ""), None)

    def step(self, task: str, now: datetime, most: int = _MOST_TEXT) -> str:
        """Return what the task does now, such as `tests: python -m pytest, 34 s of 120 s`; "" when it is not known.

        Of a command at most `most` characters are shown.
        """
        match self._steps.get(task):
            case _Begun(command, at):
                took = max(0.0, (now - at).total_seconds())
                if took > command.seconds + _LATE_SECONDS:
                    return ""
                shown = one_line(command.command, most)
                return f"{command.name}: {shown}, {took:.0f} s of {command.seconds:g} s"
            case str(text):
                return text
        return ""

    def rows(self, build: Build, now: datetime, width: int | None = None) -> Iterator[str]:
        """Yield a line for what judges the base or the result, then one for each task in work, in plan order.

        A command is shortened where the line would be wider than `width`, so that its time is seen.
        """
        if build.stage is Stage.CREATED and build.options.lanes and build.pause is None and not build.waits_for_step:
            yield "base  fetching the repository"
        if self.step("", now):
            yield self._row("", f"{'base' if build.base_verdict is None else 'result'}  judging", now, width)
        for task in running_tasks(build):
            state = build.task(task)
            took = build.clock.seconds(state.attempt_at or now, now, state.rested_before_attempt)
            again = f", attempt {state.attempt} of {state.allowed}" if state.attempt > 1 else ""
            yield self._row(task, f"{task}  {state.phase.value}{again}, {duration(took)}", now, width)

    def _row(self, task: str, start: str, now: datetime, width: int | None) -> str:
        row = f"{start}  {self.step(task, now)}".rstrip()
        over = cells(row) - width if width is not None else 0
        match self._steps.get(task):
            case _Begun(command, _) if over > 0:
                most = max(_LEAST_TEXT, min(cells(command.command), _MOST_TEXT) - over)
                return f"{start}  {self.step(task, now, most)}".rstrip()
        return row


def waiting_rows(build: Build, most: int) -> list[str]:
    """Return what the next tasks wait for, at most `most` of them, in plan order. O(tasks before the last of them)."""
    rows: list[str] = []
    if build.plan is None or build.is_terminal:
        return rows
    for task in build.plan.graph.tasks:
        if len(rows) == most:
            break
        state = build.task(task.id)
        if state.phase is TaskPhase.PARKED:
            holder = build.holders.get(state.waits_for, "")
            rows.append(f"{task.id}  waits for {state.waits_for}" + (f", which {holder} works on" if holder else ""))
        elif state.phase is TaskPhase.WAITING:
            unmet = [need for need in task.depends_on if build.task(need).phase not in MET]
            rows.append(f"{task.id}  waits for {', '.join(unmet) if unmet else 'an earlier milestone'}")
        elif state.phase is TaskPhase.READY:
            of_base = build.base_verdict is None and build.options.gates and build.options.lanes
            rows.append(f"{task.id}  waits for {'the checks of the base' if of_base else 'a free agent'}")
    return rows
