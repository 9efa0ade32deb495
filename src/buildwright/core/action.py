"""Actions, named in the imperative: effects that `decide` wants in flight. Pure data; must never do an effect.

`decide` names every action that should run now; the engine starts the missing ones and ends those no longer wanted.
Two actions with the same `key` are the same effect: doing it twice must leave what doing it once leaves. Keys are
stored on the board of a cluster, so a released class keeps its name and the fields of its key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, TypeAlias, dataclass_transform

from buildwright.core.event import StepMode


@dataclass_transform(frozen_default=True)
class _Action:
    """The traits of every action: each is a frozen dataclass with a key."""

    mode: ClassVar[StepMode]
    """The mode, beside `auto`, that allows the action as a step of a build driven by hand."""
    kind: ClassVar[str]
    """The first part of the key."""
    _parts: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls, *, mode: StepMode = "verify_only", key: tuple[str, ...] | None = None) -> None:
        dataclass(frozen=True)(cls)
        cls.mode = mode
        cls.kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", cls.__name__).lower()
        cls._parts = tuple(cls.__annotations__) if key is None else key

    @property
    def key(self) -> str:
        """Return the effect's name: its class in lower case with hyphens, then its fields (or those of `key=`)."""
        return "/".join([self.kind, *[str(getattr(self, part)) for part in self._parts]])


class PrepareTarget(_Action, mode="plan_only"):
    """Mirror the repository and fix the commit to build on."""


class MakePlan(_Action, mode="plan_only"):
    """Turn the spec into a graph."""


class RevisePlan(_Action, mode="plan_only"):
    """Ask what a changed spec means for the plan. `number` counts, from 1, the changes of the spec."""

    number: int


class JudgeBase(_Action):
    """Run the gates on the tree the build starts from: no task can be blamed for what fails there."""

    tree: str


class SealTests(_Action, mode="implement_only"):
    """Have tests written of a task that its agent never sees, before the agent starts."""

    task: str


class RunAgent(_Action, mode="implement_only"):
    """Open a lane, run the agent, take its patch."""

    task: str
    attempt: int


class JudgePatch(_Action):
    """Run the gates on the attempt's tree."""

    task: str
    attempt: int
    tree: str


class PrepareMerge(_Action):
    """Put the change on top of `onto` as a commit, without a checkout."""

    task: str
    attempt: int
    onto: str


class JudgeMerge(_Action):
    """Run the gates on the tree that would land."""

    task: str
    attempt: int
    tree: str


class LandChange(_Action, key=("task", "attempt", "commit")):
    """Move the integration branch from `onto` to `commit`."""

    task: str
    attempt: int
    onto: str
    commit: str
    tree: str


class Diagnose(_Action):
    """Find the cause of the failures in a row. `number` counts, from 1, how often the build is stuck."""

    number: int


class VerifyBuild(_Action):
    """Run the gates on the final tree."""

    tree: str


class AuditPhase(_Action, key=("phase", "head")):
    """Audit all that a phase of the plan (by its place, from 0) changed."""

    phase: int
    base: str
    head: str


class MarkPhase(_Action, key=("phase", "commit")):
    """Move the integration branch from `onto` to the commit that says that a phase is complete."""

    phase: int
    onto: str
    commit: str


class Deliver(_Action):
    """Bring the result to where the user asked for it. `attempt` counts from 1."""

    commit: str
    attempt: int


Action: TypeAlias = (
    PrepareTarget
    | MakePlan
    | RevisePlan
    | JudgeBase
    | SealTests
    | RunAgent
    | JudgePatch
    | PrepareMerge
    | JudgeMerge
    | LandChange
    | Diagnose
    | VerifyBuild
    | AuditPhase
    | MarkPhase
    | Deliver
)
