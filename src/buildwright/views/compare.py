"""Two builds side by side: result, gates, attempts, tokens, money and time. Pure; must never say which one is better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from pydantic import Field

from buildwright.core import event as e
from buildwright.core.build import Build, landed_before
from buildwright.core.event import Recorded
from buildwright.core.options_change import changed_options
from buildwright.core.record import Record
from buildwright.views.overview import ForkedFrom, TaskView, UsageView, forked_from, seconds_of, task_counts, task_view


class ComparedTask(Record):
    """A task of one build."""

    phase: str
    """A `TaskPhase` value."""
    agent: str = ""
    attempts: int = 0
    """None are counted of a task that was done before the build was forked from another one."""
    reused: bool = False
    """Whether it was done before the build was forked from another one."""
    refused_by: dict[str, int] = Field(default_factory=dict)
    """Refusals of its attempts by the gate that refused."""
    tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    seconds: float | None = None
    """From its first attempt to its end, or to now."""


class ComparedBuild(Record):
    """One of the two builds. `seconds` is the working time until its end, or now."""

    id: str
    title: str
    state: str
    """Its outcome; while it has none, whether it runs or is paused, and its stage."""
    forked_from: ForkedFrom | None = None
    base: str
    tree: str
    """Tree of all that has landed: equal trees are equal files."""
    counts: dict[str, int]
    """Numbers of tasks by phase."""
    attempts: int
    """Attempts at all tasks."""
    first_pass: int
    """Tasks that are done after one attempt."""
    refused_by: dict[str, int]
    """Refusals of attempts by the gate that refused."""
    usage: UsageView
    seconds: float


class TaskPair(Record):
    """The tasks of one id in the two builds; None where a build has none."""

    id: str
    title: str
    tasks: tuple[ComparedTask | None, ComparedTask | None]


class CompareView(Record):
    """Two builds, and their tasks by id: those of the first in its order, then those that only the second has."""

    builds: tuple[ComparedBuild, ComparedBuild]
    same_base: bool
    same_result: bool
    """Whether both end in the same files."""
    options: tuple[str, ...]
    """Names of the options that differ, such as `model` or `limits.attempts`."""
    tasks: tuple[TaskPair, ...]


def compare(
    first: Build, history: Sequence[Recorded], second: Build, other_history: Sequence[Recorded], now: datetime
) -> CompareView:
    """Return the two builds side by side. Takes O(events + tasks)."""
    refused = (_refusals(history), _refusals(other_history))
    both = (first, second)
    tasks = [_tasks(build, refusals, now) for build, refusals in zip(both, refused, strict=True)]
    titles = {view.id: view.title for found in reversed(tasks) for view, _ in found.values()}
    ids = dict.fromkeys((*tasks[0], *tasks[1]))
    pairs = [(tasks[0].get(one), tasks[1].get(one)) for one in ids]
    return CompareView(
        builds=(_build(first, refused[0], now), _build(second, refused[1], now)),
        same_base=first.base_tree == second.base_tree,
        same_result=first.head_tree == second.head_tree,
        options=changed_options(first.options, second.options),
        tasks=tuple(
            TaskPair(id=one, title=titles[one], tasks=(left and left[1], right and right[1]))
            for one, (left, right) in zip(ids, pairs, strict=True)
        ),
    )


def _refusals(history: Sequence[Recorded]) -> dict[str, Counter[str]]:
    """Return the refusals of attempts by task and gate."""
    found: dict[str, Counter[str]] = {}
    for recorded in history:
        event = recorded.event
        if isinstance(event, e.PatchJudged | e.MergeJudged) and not event.verdict.ok:
            found.setdefault(event.task, Counter()).update(one.gate for one in event.verdict.reports if not one.ok)
    return found


def _tasks(build: Build, refusals: dict[str, Counter[str]], now: datetime) -> dict[str, tuple[TaskView, ComparedTask]]:
    if build.plan is None:
        return {}
    views = [task_view(build, task.id, now) for task in build.plan.graph.tasks]
    return {
        view.id: (view, _task(view, refusals.get(view.id, Counter()), reused=landed_before(build.task(view.id))))
        for view in views
    }


def _task(view: TaskView, refusals: Counter[str], *, reused: bool) -> ComparedTask:
    return ComparedTask(
        phase=view.phase,
        agent=view.agent,
        attempts=0 if reused else view.attempt,
        reused=reused,
        refused_by=dict(sorted(refusals.items())),
        tokens=view.tokens,
        cost_usd=view.cost_usd,
        seconds=view.seconds,
    )


def _build(build: Build, refusals: dict[str, Counter[str]], now: datetime) -> ComparedBuild:
    states = [state for state in build.tasks.values() if not landed_before(state)]
    attempts = [state.attempt for state in states]
    done = [state.attempt for state in states if state.phase == "done"]
    return ComparedBuild(
        id=build.id,
        title=build.spec.title,
        state=build.outcome or f"{build.control}, {build.stage}",
        forked_from=forked_from(build),
        base=build.base,
        tree=build.head_tree,
        counts=task_counts(build),
        attempts=sum(attempts),
        first_pass=done.count(1),
        refused_by=dict(sorted(sum(refusals.values(), Counter()).items())),
        usage=UsageView(tokens=build.usage.tokens, **build.usage._asdict()),
        seconds=seconds_of(build, now),
    )
