"""Instructions, in the imperative: effects that the machine wants to have in flight. Pure data, ids only.

`decide` names every action that should be running now; the engine starts those that are not, and ends those that are
no longer wanted. Two actions with the same `key` are the same effect: doing it twice must leave what doing it once leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class PrepareTarget:
    """Mirror the repository and fix the commit to build on."""

    @property
    def key(self) -> str:
        return "prepare-target"


@dataclass(frozen=True, slots=True)
class MakePlan:
    """Turn the spec into a graph."""

    @property
    def key(self) -> str:
        return "make-plan"


@dataclass(frozen=True, slots=True)
class JudgeBase:
    """Run the gates on the tree the build starts from: what fails there no task can be blamed for."""

    tree: str

    @property
    def key(self) -> str:
        return f"judge-base/{self.tree}"


@dataclass(frozen=True, slots=True)
class RunAgent:
    """Open a lane, run the agent, take its patch."""

    task: str
    attempt: int

    @property
    def key(self) -> str:
        return f"run-agent/{self.task}/{self.attempt}"


@dataclass(frozen=True, slots=True)
class JudgePatch:
    """Run the gates on the attempt's tree."""

    task: str
    attempt: int
    tree: str

    @property
    def key(self) -> str:
        return f"judge-patch/{self.task}/{self.attempt}"


@dataclass(frozen=True, slots=True)
class PrepareMerge:
    """Put the change on top of `onto` as a commit, without a checkout."""

    task: str
    attempt: int
    onto: str

    @property
    def key(self) -> str:
        return f"prepare-merge/{self.task}/{self.attempt}/{self.onto}"


@dataclass(frozen=True, slots=True)
class JudgeMerge:
    """Run the gates on the tree that would land."""

    task: str
    attempt: int
    tree: str

    @property
    def key(self) -> str:
        return f"judge-merge/{self.task}/{self.attempt}/{self.tree}"


@dataclass(frozen=True, slots=True)
class LandChange:
    """Move the integration branch from `onto` to `commit`."""

    task: str
    attempt: int
    onto: str
    commit: str
    tree: str

    @property
    def key(self) -> str:
        return f"land-change/{self.task}/{self.attempt}/{self.commit}"


@dataclass(frozen=True, slots=True)
class Diagnose:
    """Look for the cause of the failures in a row. `number` counts, from 1, how often the build is stuck."""

    number: int

    @property
    def key(self) -> str:
        return f"diagnose/{self.number}"


@dataclass(frozen=True, slots=True)
class VerifyBuild:
    """Run the gates on the final tree."""

    tree: str

    @property
    def key(self) -> str:
        return f"verify-build/{self.tree}"


@dataclass(frozen=True, slots=True)
class Deliver:
    """Bring the result to where the user asked for it. `attempt` counts from 1."""

    commit: str
    attempt: int

    @property
    def key(self) -> str:
        return f"deliver/{self.commit}/{self.attempt}"


Action: TypeAlias = (
    PrepareTarget
    | MakePlan
    | JudgeBase
    | RunAgent
    | JudgePatch
    | PrepareMerge
    | JudgeMerge
    | LandChange
    | Diagnose
    | VerifyBuild
    | Deliver
)
