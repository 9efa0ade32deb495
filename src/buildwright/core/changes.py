"""What a change of options by the user does to a build: which verdicts no longer count. Pure; must never decide."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from buildwright.core import event as e
from buildwright.core.build import Build, Car, Stage, TaskPhase, TaskState
from buildwright.core.limits import Options
from buildwright.core.progress import Changes

_OVER = frozenset({TaskPhase.DONE, TaskPhase.SKIPPED})


def options_changed(build: Build, event: e.OptionsChanged, _at: datetime) -> Changes:
    """Take the new options. What was judged by other checks, or under another set-up, is judged anew."""
    old, new = build.options, event.options
    changes: Changes = {"options": new, "deliveries": 0, "delivery_error": ""}
    if more := new.limits.attempts - old.limits.attempts:
        changes["tasks"] = build.tasks.update(
            {
                task: replace(state, allowed=max(state.allowed + more, 1))
                for task, state in build.tasks.items()
                if state.phase not in _OVER
            }
        )
    if _judges_differently(build, old, new):
        changes |= judged_anew(build.evolve(changes))
    return changes


def judged_anew(build: Build) -> Changes:
    """Forget the verdicts on the base, on the head, and on what waits to land; those that are on their way come too late."""
    changes: Changes = {
        "base_verdict": None,
        "base_accepted": False,
        "head_judged": False,
        "judging_round": build.judging_round + 1,
        "train": tuple(Car(car.task, car.attempt, alone=car.alone) for car in build.train),
        "tasks": build.tasks.update({car.task: _unjudged(build.task(car.task)) for car in build.train}),
    }
    if build.stage in {Stage.VERIFYING, Stage.DELIVERING} and build.options.gates and build.options.lanes:
        changes |= {"stage": Stage.VERIFYING, "verdict": None}
    return changes


def _unjudged(state: TaskState) -> TaskState:
    return replace(state, verdict=None)


def _judges_differently(build: Build, old: Options, new: Options) -> bool:
    """Return whether the new options can change a verdict. More time does so only for a base that did not pass."""
    if (old.checks, old.setup) != (new.checks, new.setup):
        return True
    refused = build.base_verdict is not None and not build.base_verdict.ok
    return refused and old.limits.gate_seconds != new.limits.gate_seconds
