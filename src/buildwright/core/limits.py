"""What a build may do and spend: options chosen once, when the build is made, and kept with it. Pure data."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from buildwright.core.finding import CheckKind
from buildwright.core.record import Record

LONGEST_SECONDS = 1e10
"""Some 300 years: a moment that far ahead can still be shown as a date."""
MOST = 1_000_000
"""Of anything that is counted."""


Budget = Annotated[
    Decimal,
    Field(gt=0, le=1_000_000),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000},
                {"type": "string", "pattern": r"^(?=[0.]*[1-9])[0-9]{1,6}(\.[0-9]{1,6})?$"},
            ]
        }
    ),
]
"""Dollars, as a number or, so that no digit is lost, as text."""


class Check(Record):
    """A command that judges a tree. `kind` says which of the build's verdicts it is."""

    name: str = Field(min_length=1)
    command: str = Field(min_length=1)
    kind: CheckKind = "test"
    report: str = ""
    """Path (relative to the tree) of a report file to parse, or the name of a parser; "" to recognise it."""
    paths: tuple[str, ...] = ()
    """Patterns (`server/*`): the check runs only for a change that touches one of them. Empty: always (P7)."""

    def concerns(self, touched: Iterable[str]) -> bool:
        """Whether a change of these paths is one the check is for. `*` in a pattern also stands for slashes."""
        return not self.paths or any(fnmatchcase(path, pattern) for path in touched for pattern in self.paths)


class Delivery(Record):
    """Where the result goes: nowhere, a branch in the user's repository, or a push to a remote."""

    kind: Literal["none", "branch", "push"] = "branch"
    branch: str = ""
    """"" means `buildwright/<short build id>`."""
    remote: str = ""


class Limits(Record):
    """Every number that bounds a build. Times in seconds."""

    concurrency: int = Field(default=4, ge=1, le=4096)
    """Agents at once. One process also judges so many changes at once; workers judge as many as they have slots. The merge
    train has its own bound."""
    attempts: int = Field(default=3, ge=1, le=MOST)
    """Tries per task before the build pauses (or the task fails)."""
    task_seconds: float = Field(default=300.0, gt=0, le=LONGEST_SECONDS)
    gate_seconds: float = Field(default=120.0, gt=0, le=LONGEST_SECONDS)
    pause_seconds: float = Field(default=1800.0, gt=0, le=LONGEST_SECONDS)
    heartbeat_seconds: float = Field(default=30.0, gt=0, le=LONGEST_SECONDS)
    failed_tasks: int = Field(default=3, ge=0, le=MOST)
    """More failed tasks than this stop the run (P6)."""
    stuck_after: int = Field(default=3, ge=1, le=MOST)
    """Failures in a row, over all tasks, that count as stuck (P8)."""
    loop_after: int = Field(default=3, ge=2, le=MOST)
    """Attempts in a row at one task, refused for the same findings, that count as a loop."""
    train: int = Field(default=4, ge=1, le=MOST)
    """Cars of the merge train that are tested at once."""
    pushes: int = Field(default=4, ge=1, le=MOST)
    """Tries of a failed delivery before the build pauses."""
    output_bytes: int = Field(default=4_000_000, gt=0, le=2**40)
    """Output kept of one command; more is cut in the middle and said so."""
    memory_bytes: int = Field(default=4 * 1024**3, gt=0, le=2**50)
    processes: int = Field(default=512, gt=0, le=2**22)
    budget_usd: Budget | None = None


class Options(Record):
    """How a build runs. Fixed at its start, stored in its first event, so that a resume needs nothing by hand."""

    agent: str = "direct"
    agent_command: str = ""
    model: str = ""
    planner_model: str = ""
    checks: tuple[Check, ...] = ()
    """Empty: found from the target repository's own files."""
    setup: tuple[str, ...] = ()
    """Commands run once in a fresh checkout before the checks (for example `npm ci`)."""
    lanes: bool = True
    """False: no repository, no lanes, no merge (the agent's word is the result)."""
    gates: bool = True
    accept_base: bool = False
    """Go on although the project does not pass its checks before any change (the tasks are to make it pass)."""
    on_failure: Literal["pause", "fail"] = "pause"
    by_hand: bool = False
    """Nothing begins but what is asked for, one step at a time."""
    delivery: Delivery = Field(default_factory=Delivery)
    sandbox: Literal["auto", "bubblewrap", "none"] = "auto"
    protected: tuple[str, ...] = ()
    """More path patterns no agent may touch, beside the built-in list."""
    allow: tuple[str, ...] = ()
    """Protected paths the user has opened for this build."""
    cassette: str = ""
    """Replay the model from this cassette file instead of a provider."""
    limits: Limits = Field(default_factory=Limits)
