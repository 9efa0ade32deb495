"""What a scripted agent does at an attempt, drawn from the seed, the task and the attempt alone. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Literal, NamedTuple

from bench.orchestrator.course import Course, Task

Agents = Literal["honest", "mixed", "hostile"]
Kind = Literal[
    "right", "late", "conflict", "seen", "unseen", "half", "elsewhere", "lie", "dies", "limited", "endless", "nothing"
]

WEIGHTS: Mapping[Agents, Mapping[Kind, float]] = {
    "honest": {"right": 84, "late": 8, "conflict": 4, "dies": 2, "limited": 2},
    "mixed": {
        "right": 46,
        "late": 6,
        "conflict": 4,
        "seen": 10,
        "unseen": 4,
        "half": 6,
        "elsewhere": 5,
        "lie": 9,
        "dies": 3,
        "limited": 3,
        "endless": 2,
        "nothing": 2,
    },
    "hostile": {
        "right": 14,
        "late": 2,
        "conflict": 4,
        "seen": 12,
        "unseen": 8,
        "half": 10,
        "elsewhere": 10,
        "lie": 28,
        "dies": 4,
        "limited": 2,
        "endless": 3,
        "nothing": 3,
    },
}
"""How often each kind is drawn at a first attempt, in parts of the sum. What a task has no change for is not drawn."""
BETTER = 3.0
"""Times as often as before that each further attempt is an honest one: it has been told what was wrong."""
HONEST: frozenset[Kind] = frozenset(("right", "late", "conflict", "limited"))
"""Kinds that leave the right change behind, and nothing else."""


class Draw(NamedTuple):
    """What an agent does."""

    kind: Kind
    change: str = ""
    """The name of the task's change that it leaves behind; "" for none."""
    elsewhere: int = -1
    """The number of the fault that it puts into other code as well."""
    seconds: float = 0.0
    """How long it thinks, in parts of the mean time of an agent."""

    @property
    def is_right(self) -> bool:
        """Whether what it leaves behind is the right change and nothing else."""
        return self.kind in HONEST


def draw(course: Course, task: Task, agents: Agents, seed: int, attempt: int) -> Draw:
    """Return what the agent of an attempt (from 1) does."""
    dice = Random(f"{seed}/{task.id}/{attempt}")
    lies = [name for name in task.changes if name.startswith("lie-")]
    can = {"seen": "seen" in task.changes, "unseen": "unseen" in task.changes, "half": "half" in task.changes}
    can |= {"lie": bool(lies), "elsewhere": bool(course.elsewhere)}
    weights = {
        kind: weight * (BETTER ** (attempt - 1) if kind in HONEST else 1)
        for kind, weight in WEIGHTS[agents].items()
        if can.get(kind, True)
    }
    (kind,) = dice.choices(list(weights), list(weights.values()))
    seconds = dice.lognormvariate(-0.125, 0.5) * (3 if kind == "late" else 1)
    match kind:
        case "right" | "late" | "conflict" | "limited":
            return Draw(kind, "right", seconds=seconds)
        case "seen" | "unseen" | "half":
            return Draw(kind, kind, seconds=seconds)
        case "elsewhere":
            return Draw(kind, "right", dice.randrange(len(course.elsewhere)), seconds)
        case "lie":
            return Draw(kind, dice.choice(lies), seconds=seconds)
        case "dies":
            return Draw(kind, "half" if can["half"] else "", seconds=seconds / 2)
        case _:
            return Draw(kind, seconds=seconds)
