"""Everything the engine is given: ports and callables, put together by `wiring`. Must never hold logic."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from buildwright.core.action import Action
from buildwright.core.build import Build
from buildwright.core.event import Recorded
from buildwright.core.limits import Options
from buildwright.kept_verdicts import KeptVerdicts
from buildwright.ports import (
    Agent,
    Briefing,
    BriefingRequest,
    Builds,
    Clock,
    Diagnoser,
    Furnished,
    Gate,
    Gateway,
    Judged,
    LessonBook,
    LessonWriter,
    LogEntry,
    OpenForge,
    PhaseAuditor,
    Planner,
    Reviewer,
    SealedTrial,
    Sealer,
    Workspace,
)
from buildwright.time_advice import machine_load

Observe = Callable[[Action, Build, float | None], AbstractContextManager[object]]


def _unobserved(_action: Action, _build: Build, _waited: float | None) -> AbstractContextManager[object]:
    """Observe nothing."""
    return nullcontext()


class HiredAgent(NamedTuple):
    """An agent, and what makes a lane ready for it; see `Adapters.furnish`."""

    agent: Agent
    furnish: Callable[[Judged, Path], Awaitable[Furnished]] | None = None


@dataclass(frozen=True, slots=True)
class Adapters:
    """The outside, as the engine sees it."""

    builds: Builds
    clock: Clock
    agent: Agent
    """In an attempt in a lane the one that makes it; see `hired`."""
    holder: str
    """Name of this process, for leases: `host:pid:start`."""
    scratch: Path
    """The directory for attempts without lanes."""
    brief: Callable[[BriefingRequest], Awaitable[Briefing]]
    workspace: Workspace | None = None
    gates: Sequence[Gate] = ()
    auditor: PhaseAuditor | None = None
    """Without one the audit of a phase has no reports, as the verdict of no gates."""
    furnish: Callable[[Judged, Path], Awaitable[Furnished]] | None = None
    """Makes a lane ready for an agent that runs commands: its files as what would be judged, and where caches lie."""
    hire: Callable[[Options, str], HiredAgent] | None = None
    """Returns an agent that the options name. Raises BadSettings. None where `agent` makes every attempt."""
    gateway: Gateway | None = None
    open_forge: OpenForge | None = None
    """Opens the forge of a remote, for pull requests; None where there is none to be asked."""
    planner: Planner | None = None
    diagnoser: Diagnoser | None = None
    sealer: Sealer | None = None
    sealed_trial: SealedTrial | None = None
    reviewer: Reviewer | None = None
    lessons: Callable[[], Awaitable[LessonBook]] | None = None
    """Opens what keeps lessons; None to give and learn none."""
    lesson_writer: LessonWriter | None = None
    instructions: Mapping[str, str] = field(default_factory=dict)
    """Digest of what each advisor is instructed, by the advisor's name."""
    kept: KeptVerdicts | None = None
    """Verdicts on bases that passed before; None to judge each base anew."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What checks find their programs by: the environment of this process."""
    plan_context: Callable[[Build], Awaitable[str]] | None = None
    """Returns what the planner is told about the repository."""
    on_event: Callable[[Recorded, Build], None] | None = None
    on_log: Callable[[LogEntry], None] | None = None
    detach: asyncio.Event = field(default_factory=asyncio.Event)
    """When set, nothing new starts, running actions are ended cleanly, the lease is released."""
    mask: Callable[[str], str] = str
    """Takes secrets out of text, before it is logged or stored."""
    load: Callable[[], float] = machine_load
    """Returns how many processes wanted to run in the last minute (mean)."""
    observe: Observe = _unobserved
    """Entered around each try to carry out an action; the seconds are those from being wanted to being begun, None for
    another try. Must not raise."""
    stay: bool = False
    """Whether to wait while the build is paused (until its pause limit) instead of returning."""
    lease_seconds: float = 30.0
    checkpoint_seconds: float = 5.0
    """Least time between two checkpoints of an attempt."""
    poll_seconds: float = 0.1
    """How often to look for events of other processes."""

    def hired(self, options: Options, agent: str) -> HiredAgent:
        """Return the agent of this name. Raises BadSettings."""
        return HiredAgent(self.agent, self.furnish) if self.hire is None else self.hire(options, agent)
