"""Ports for agents, models and advisors. Must never hold logic."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol
from urllib.parse import urlsplit

from buildwright.core.addresses import Destination
from buildwright.ports.commands import Reach

if TYPE_CHECKING:
    import asyncio

    from buildwright.core.activity import Activity
    from buildwright.core.build import Build, TaskState
    from buildwright.core.finding import Diagnosis, Finding, Report
    from buildwright.core.graph import Graph
    from buildwright.core.limits import Limits
    from buildwright.core.review import Review
    from buildwright.core.sealed import Language, SealedTests
    from buildwright.core.spec import Spec
    from buildwright.core.task import Task

GO_ON = "Go on from where you were."
"""All that a resumed agent tells its model. The gateway does not count it as part of the question."""


@dataclass(frozen=True, slots=True)
class ModelEndpoint:
    """The gateway as an agent sees it: base URL (no trailing slash) and a token for this attempt; no provider's key."""

    url: str
    token: str

    @property
    def relays(self) -> dict[int, tuple[str, int]]:
        """The port of a box's loopback that leads to the gateway: of the network an agent sees nothing else."""
        parts = urlsplit(self.url)
        return {parts.port: (parts.hostname, parts.port)} if parts.hostname and parts.port else {}

    @property
    def reach(self) -> Reach:
        """The gateway as all that a proxy leads to, for clients that ask theirs even for a loopback."""
        return Reach(trusted=tuple(Destination(host, (port,)) for host, port in self.relays.values()))


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the user to a running agent."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """One attempt, as an agent gets it: `prompt` is the whole task, `feedback` why the last attempt was rejected."""

    build_id: str
    task: Task
    attempt: int
    lane: Path
    home: Path
    prompt: str
    limits: Limits
    feedback: str = ""
    conversation: str = ""
    """What the agent returned in its last `Finished` (or `Saved`, if `resumed`), to continue from."""
    resumed: bool = False
    """The attempt was begun before and its process died: lane and conversation are those of its newest checkpoint."""
    model: str = ""
    door: ModelEndpoint | None = None
    protected: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    command: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables by which the agent's commands find what the project's checks find, the PATH among them."""
    on_denied: Callable[[str], None] | None = None
    """Called with each place (`host:port`) that the agent, or a program it started, asked for and may not reach."""


class Agent(Protocol):
    """A program that changes files in its lane. Cancelling the iteration ends it and everything it started."""

    name: str
    resumes: bool
    """Whether it continues from its rejected change and the feedback; otherwise a new attempt starts from the base."""
    touches_files: bool
    """False for an agent that needs no directory at all."""
    uses_model: Literal["always", "if given", "never"]

    def run(self, assignment: Assignment, inbox: asyncio.Queue[Message]) -> AsyncIterator[Activity]:
        """Work on the assignment; the last activity is `Finished`. Raises AgentFailed when it cannot start.

        Messages put in `inbox` while it runs are read at the next turn and acknowledged by `Heard`.
        """


class Briefing(NamedTuple):
    """The texts an attempt gets: the task, and why the last attempt was rejected ("" for the first)."""

    prompt: str
    feedback: str


class BriefingRequest(NamedTuple):
    """Input of a briefing. `tree` is the content of the lane; `conflicts` are files with both sides marked.

    `wrong_before` is why the gates refused the attempt that the user has put back.
    """

    build: Build
    task: Task
    state: TaskState
    tree: str
    carried: bool
    conflicts: tuple[str, ...]
    wrong_before: tuple[Finding, ...] = ()


class Turn(NamedTuple):
    """One turn of a conversation with a model."""

    role: Literal["user", "assistant"]
    text: str


class Text(NamedTuple):
    """A piece of a model's answer."""

    text: str


class Spent(NamedTuple):
    """The tokens of the request; input excludes the cache."""

    model: str
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int


class Stopped(NamedTuple):
    """Why the answer ended; the last chunk."""

    reason: Literal["end", "length", "refused"]


class Model(Protocol):
    """A language model behind the gateway."""

    def stream(
        self, door: ModelEndpoint, model: str, system: str, turns: Sequence[Turn], max_tokens: int = 32_000
    ) -> AsyncIterator[Text | Spent | Stopped]:
        """Stream one answer. Raises ModelFailed with its kind; a broken stream is retried only before any text came."""


class PlanRevision(NamedTuple):
    """What a changed spec changes of a plan: tasks that are new or take the place of their id's, and ids to drop."""

    tasks: tuple[Task, ...] = ()
    dropped: tuple[str, ...] = ()


class Planner(Protocol):
    """The advisor that turns a spec into a graph."""

    async def plan(self, spec: Spec, context: str, model: str, door: ModelEndpoint) -> Graph:
        """Return the graph. Raises ModelFailed, or BadGraph when the repaired answer is still not a graph."""

    async def revise(self, build: Build, context: str, model: str, door: ModelEndpoint) -> PlanRevision:
        """Return what the build's new spec changes of its plan. Raises ModelFailed, or BadGraph as `plan` does."""


class Sealer(Protocol):
    """The advisor that writes sealed tests of a task."""

    async def seal(
        self, context: str, lines: Sequence[str], languages: Sequence[Language], model: str, door: ModelEndpoint
    ) -> SealedTests:
        """Return test files about these acceptance lines, in these languages. Raises ModelFailed."""


class ReviewRequest(NamedTuple):
    """What a reviewer gets: the task, the diff, the reports of the gates, and what it asked for in earlier attempts."""

    task: Task
    diff: str
    """Unified, without secrets, within a limit."""
    reports: Sequence[Report]
    earlier: Sequence[Finding] = ()


class Reviewer(Protocol):
    """The advisor that reviews a change which has passed every gate."""

    async def review(self, request: ReviewRequest, model: str, door: ModelEndpoint) -> Review:
        """Return the review. Raises ModelFailed, also for a wrong answer."""


class Diagnoser(Protocol):
    """The advisor that says why a build is stuck."""

    async def diagnose(self, context: str, model: str, door: ModelEndpoint) -> Diagnosis:
        """Return the diagnosis. `context` is JSON: tasks, errors, log. Raises ModelFailed, also for a wrong answer."""
