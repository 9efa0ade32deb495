"""What the engine asks of the world, as Protocols. Holds no logic, and never names an implementation.

Everything here speaks in core's records, plain paths and plain ids. Implementations live in the row of packages and
never import each other; `wiring` puts them together.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from buildwright.core.activity import Activity
from buildwright.core.build import Build, TaskState
from buildwright.core.event import AnyEvent, Recorded
from buildwright.core.finding import Report
from buildwright.core.graph import Graph
from buildwright.core.limits import Delivery, Limits, Options
from buildwright.core.patch import Patch
from buildwright.core.spec import Spec
from buildwright.core.task import Task


class Clock(Protocol):
    """Time. `now` is UTC with zone; `sleep` takes seconds."""

    def now(self) -> datetime: ...
    async def sleep(self, seconds: float) -> None: ...


# --- The journal and what stands beside it -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run a build. `token` only grows; every append of a runner carries it."""

    build_id: str
    holder: str
    token: int


class BuildRow(NamedTuple):
    """A build as a list shows it, without reading its journal."""

    build_id: str
    project_id: str
    user_id: str
    title: str
    phase: str
    """A `BuildPhase` value."""
    control: str
    """A `Control` value."""
    outcome: str
    version: int
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    current_task_id: str


class LogLine(NamedTuple):
    """One line of a build's log. `seq` counts per build from 1; `kind` is an activity type, or gate, engine, git."""

    seq: int
    at: datetime
    task: str
    attempt: int
    kind: str
    text: str


class LogEntry(NamedTuple):
    """A log line before it is stored."""

    at: datetime
    task: str
    attempt: int
    kind: str
    text: str


class Builds(Protocol):
    """The journal: append-only, one gapless sequence per build, compare-and-set; with leases, logs and artifacts beside it.

    Durable when the call returns. Raises StoreFailed or DiskFull when it cannot be.
    """

    async def create(self, build_id: str, events: Sequence[AnyEvent], at: datetime) -> list[Recorded]:
        """Start a journal; the first event is `build.created`. Raises Conflict if the id exists."""

    async def append(
        self, build_id: str, expected: int, events: Sequence[AnyEvent], at: datetime, token: int | None = None
    ) -> list[Recorded]:
        """Append after `expected` (the seq of the last event the caller knows), all or nothing.

        `token` is the lease token of a runner; None is for commands of a user. Raises StaleVersion when the journal
        has moved on, LostLease when `token` is no longer the newest, NotFound for an unknown build.
        """

    async def read(self, build_id: str, after: int = 0, limit: int | None = None) -> list[Recorded]:
        """Events with seq > after, in order. Raises NotFound for an unknown build."""

    async def load(self, build_id: str) -> Build:
        """The build as of its last event, from the newest snapshot and the events after it."""

    async def keep_snapshot(self, build: Build) -> None:
        """Store a snapshot so that the next `load` need not start at the beginning. Losing it loses nothing."""

    async def version(self, build_id: str) -> int:
        """Seq of the last event: a cheap look whether somebody else appended."""

    async def rows(self, limit: int = 50, build_prefix: str = "") -> list[BuildRow]:
        """Newest first; `build_prefix` selects ids that start so."""

    async def acquire(self, build_id: str, holder: str, seconds: float) -> Lease:
        """Take the lease with a new, larger token. Raises BuildIsRunning while a live holder has it.

        A holder string is `host:pid:start-time`; on the same host a dead process holds nothing.
        """

    async def renew(self, lease: Lease, seconds: float) -> None:
        """Keep the lease. Raises LostLease."""

    async def release(self, lease: Lease) -> None:
        """Give the lease up; harmless when it is lost already."""

    async def holder(self, build_id: str) -> str | None:
        """Who runs the build now, if a live process does."""

    async def write_log(self, build_id: str, entries: Sequence[LogEntry]) -> None:
        """Append log lines. Not part of the truth: may be lost with the process."""

    async def read_log(
        self, build_id: str, after: int = 0, task: str = "", limit: int = 1000, tail: bool = False
    ) -> list[LogLine]:
        """Lines with seq > after (the last `limit` of them when `tail`), of one task when given."""

    async def put_artifact(self, content: bytes) -> str:
        """Keep bytes under their SHA-256 (hex); the same content twice is one artifact. Durable when it returns."""

    async def get_artifact(self, digest: str) -> bytes:
        """Raises NotFound."""

    async def close(self) -> None: ...


# --- Git ------------------------------------------------------------------------------------------------------------


class LaneKey(NamedTuple):
    """Which attempt a lane belongs to."""

    build_id: str
    task: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Target:
    """A repository made ready: the commit and tree to build on (an unborn branch gets an empty root commit)."""

    commit: str
    tree: str
    branch: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lane:
    """An open lane. `files` is all the agent sees, `home` a private empty home.

    What `files` has in `.git` is the agent's own and nobody else's: it is never read and never part of a patch.
    """

    key: LaneKey
    files: Path
    home: Path
    base_tree: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A state of one lane to come back to. Only that lane takes it."""

    key: LaneKey
    tree: str


@dataclass(frozen=True, slots=True)
class Merged:
    """The change fits: `commit` is it on top of the other, `tree` its tree."""

    commit: str
    tree: str


@dataclass(frozen=True, slots=True)
class Conflicted:
    """The change does not fit: `files` conflict; `tree` holds them with both sides marked."""

    tree: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Delivered:
    """Where the result is: full ref name, commit, and the remote ("" for the user's own repository)."""

    ref: str
    commit: str
    remote: str = ""


class Workspace(Protocol):
    """Git, lanes and merges. Never touches the user's checkout; never runs git where an agent can write.

    Every method is idempotent. Raises GitFailed, BadRepository, DiskFull, ToolMissing.
    """

    async def prepare(self, build_id: str, repository: str, base: str = "") -> Target:
        """Mirror the repository (path or URL) and pin the commit. Raises BadRepository with the fix."""

    async def open_lane(self, key: LaneKey, base: str, carry: str = "") -> Lane:
        """A fresh directory with the files of commit `base`, or of tree `carry`; an older lane of that key is removed."""

    async def checkpoint(self, lane: Lane) -> Checkpoint:
        """Remember the lane's files as they are."""

    async def restore(self, lane: Lane, checkpoint: Checkpoint) -> None:
        """Bring the lane's files back. Raises UnsafePath when the checkpoint is another lane's."""

    async def take_patch(self, lane: Lane) -> Patch:
        """The difference of the lane's files to its base tree, by re-hashing every file; the tree is in the mirror."""

    async def close_lane(self, key: LaneKey) -> None:
        """Remove the lane's directory, if any."""

    def checkout(self, build_id: str, tree: str) -> AbstractAsyncContextManager[Path]:
        """A private directory with exactly the files of `tree`, gone at the end."""

    async def rebase(
        self, build_id: str, base: str, tree: str, onto: str, message: str, at: datetime
    ) -> Merged | Conflicted:
        """Put the change (commit `base` to `tree`) on top of commit `onto` as one commit; same input, same commit id."""

    async def land(self, build_id: str, commit: str, onto: str) -> None:
        """Move the integration branch from `onto` to `commit`; nothing to do when it is there. Raises Conflict otherwise."""

    async def deliver(self, build_id: str, repository: str, commit: str, delivery: Delivery) -> Delivered:
        """Put the commit where asked, looking first whether it is there. Raises GitFailed, Conflict (branch is not ours)."""

    async def diff(self, build_id: str, old: str, new: str) -> str:
        """Unified diff of two commits or trees."""

    async def read_file(self, build_id: str, tree: str, path: str, limit: int = 200_000) -> bytes | None:
        """The content of a file in a tree (at most `limit` bytes), None when there is none."""

    async def list_files(self, build_id: str, tree: str) -> list[str]:
        """All paths in a tree, sorted."""

    async def forget(self, build_id: str) -> None:
        """Remove every lane and checkout of a build; its integration branch and mirror stay."""


# --- Running foreign commands ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Command:
    """A foreign command. The environment is exactly `env`: nothing is inherited."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    seconds: float = 120.0
    output_bytes: int = 4_000_000
    memory_bytes: int = 4 * 1024**3
    processes: int = 512
    network: bool = False
    writable: tuple[Path, ...] = ()
    """Directories beside `cwd` that the command may write."""


@dataclass(frozen=True, slots=True)
class Completed:
    """How a command ended. `exit_code` is None when it was ended for its time; `output` is stdout and stderr as they came."""

    exit_code: int | None
    output: bytes
    cut: bool
    """Output beyond the limit was dropped from the middle."""
    seconds: float
    started_at: datetime


class Sandbox(Protocol):
    """Where foreign code runs. When `run` returns or is cancelled, no process of the command is left."""

    name: str

    async def run(self, command: Command, on_output: Callable[[bytes], None] | None = None) -> Completed:
        """Raises ToolMissing when the program is not there."""


# --- Agents and models -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Door:
    """The gateway as an agent sees it: base URL (no trailing slash) and a token for this attempt; never a provider's key."""

    url: str
    token: str


@dataclass(frozen=True, slots=True)
class Message:
    """Something the user said to a running agent."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """One attempt, as an agent gets it. `prompt` is the whole task; `feedback` why the attempt before was rejected."""

    build_id: str
    task: Task
    attempt: int
    lane: Path
    home: Path
    prompt: str
    feedback: str = ""
    conversation: str = ""
    """What the agent gave in its last `Finished`, to go on from."""
    model: str = ""
    door: Door | None = None
    limits: Limits = Limits()
    protected: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    command: str = ""


class Agent(Protocol):
    """A program that changes files in its lane. Cancelling the iteration ends it and everything it started."""

    name: str
    resumes: bool
    """It goes on from its rejected change and what was said of it; otherwise a new attempt starts from the base."""
    touches_files: bool
    """False for an agent that needs no directory at all."""
    uses_model: Literal["always", "if given", "never"]

    def run(self, assignment: Assignment, inbox: asyncio.Queue[Message]) -> AsyncIterator[Activity]:
        """Work on the assignment; the last activity is `Finished`. Raises AgentFailed when it cannot even start.

        Messages put in `inbox` while it runs are taken in at the next turn and acknowledged by `Heard`.
        """


class Briefing(NamedTuple):
    """What an attempt is told: the task, and why the attempt before it was rejected ("" for the first)."""

    prompt: str
    feedback: str


class BriefingRequest(NamedTuple):
    """What a briefing is made from. `tree` is what the lane holds; `conflicts` are files with both sides marked."""

    build: Build
    task: Task
    state: TaskState
    tree: str
    carried: bool
    conflicts: tuple[str, ...]


class Turn(NamedTuple):
    """One turn of a conversation with a model."""

    role: Literal["user", "assistant"]
    text: str


class Text(NamedTuple):
    """A piece of a model's answer."""

    text: str


class Spent(NamedTuple):
    """What the request used; input excludes cache."""

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
        self, door: Door, model: str, system: str, turns: Sequence[Turn], max_tokens: int = 32_000
    ) -> AsyncIterator[Text | Spent | Stopped]:
        """Stream one answer. Raises ModelFailed with its kind; a cut stream is retried inside only before any text came."""


class Planner(Protocol):
    """The advisor that turns a spec into a graph."""

    async def plan(self, spec: Spec, context: str, model: str, door: Door) -> Graph:
        """Raises ModelFailed, or BadGraph when the repaired answer is still not a graph."""


# --- Gates -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Judged:
    """What a gate judges: an exact tree, the patch that led to it, and (for gates that need files) a private checkout."""

    build_id: str
    task: Task | None
    """None when the whole build is judged."""
    tree: str
    patch: Patch | None
    files: Path | None
    options: Options
    on_output: Callable[[str], None] | None = None
    """Called with pieces of command output as they come."""


class Judgement(NamedTuple):
    """A gate's report and the whole output behind it."""

    report: Report
    output: bytes


class Gate(Protocol):
    """Judges a patch. Says no by report; raises GateBroken when it cannot judge."""

    name: str
    needs_files: bool

    async def judge(self, judged: Judged) -> list[Judgement]:
        """One judgement per check it ran, in order; stops after the first that says no."""


class Spend(NamedTuple):
    """What the gateway metered for one request."""

    build_id: str
    task: str
    attempt: int
    model: str
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost_usd: str | None


class Budget(NamedTuple):
    """What a build may spend in all (None: no bound) and what its journal says is spent. US dollars."""

    most_usd: Decimal | None = None
    spent_usd: Decimal = Decimal(0)


NO_BUDGET = Budget()


class Gateway(Protocol):
    """The one door to language models. Started on first use."""

    async def open(
        self,
        build_id: str,
        task: str,
        attempt: int,
        options: Options,
        lane: Path | None = None,
        budget: Budget = NO_BUDGET,
    ) -> Door:
        """A door for one attempt (task "" for the planner): starts the server if need be, mints its token.

        `lane` lets a replayed answer name absolute paths for agents that want them. `budget` holds over restarts; what
        the gateway has metered itself since counts too.

        Raises BadSettings when neither a key nor a cassette is there.
        """

    def metered(self, door: Door) -> list[Spend]:
        """Take the spends of a door since the last call, in order."""

    async def shut(self, door: Door) -> None:
        """Close a door: its token is worth nothing from here on."""

    async def close(self) -> None: ...
