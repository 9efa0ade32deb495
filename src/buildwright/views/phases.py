"""The phases of a build as a rail, and the tasks of one phase as a picture. Pure; must never decide."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise

from buildwright.core import event as e
from buildwright.core.build import Build
from buildwright.core.event import Recorded
from buildwright.core.finding import Verdict
from buildwright.core.graph import Plan
from buildwright.core.record import Record
from buildwright.errors import NotFound
from buildwright.views.estimate import Range
from buildwright.views.explain import answer_for
from buildwright.views.forecast import seconds_left
from buildwright.views.layout import layered
from buildwright.views.overview import TaskView, task_view
from buildwright.views.project import PhaseView, current_phase, phases_of, refused_attempts
from buildwright.views.statuses import BUSY, MET, phase_shown

_MOST_SHARED = 200
"""Files that are told of as shared in one phase."""


class AuditBadge(Record):
    """What one check of the audit said of a phase."""

    name: str
    result: str
    findings: int


class RailPhase(PhaseView):
    """A phase on the rail."""

    working: int
    """Tasks that an agent, a check or the merge train works on."""
    waiting: int
    minutes: float
    """Planned minutes of the tasks that are not over."""
    is_current: bool
    attempts: int
    refused: int
    """Attempts that were refused."""
    audited: bool | None = None
    """Whether the audit has passed; None while it has not judged the phase."""
    audit: tuple[AuditBadge, ...] = ()


class PhaseRail(Record):
    """The phases of a build in their order."""

    build: str
    version: int
    current: int
    """Number of the phase that the build works at, from 1; 0 before there is a plan."""
    phases: tuple[RailPhase, ...] = ()
    seconds_left: Range | None = None
    """Until the last task is done; None while that is not known."""
    critical_path: tuple[str, ...] = ()
    """The chain of tasks that takes longest, over all phases."""


class GraphNode(TaskView):
    """A task in the picture of its phase."""

    layer: int
    """From 0: behind all tasks of the phase that it needs."""
    row: int
    """From 0, within the layer."""
    minutes: float
    on_critical_path: bool
    why: str
    """Why it waits, or where it is, in words."""
    needs_elsewhere: tuple[str, ...] = ()
    """Tasks of earlier phases that it needs."""
    files: tuple[str, ...] = ()
    """Files that it means to touch, and has touched."""


class GraphEdge(Record):
    """`needing` waits for `needed`."""

    needed: str
    needing: str
    met: bool
    critical: bool
    """Whether it lies on the critical path."""


class Contention(Record):
    """A file that several tasks of the phase touch: they are done one after the other."""

    file: str
    tasks: tuple[str, ...]
    """In the order in which they are likely to be merged."""
    holder: str = ""
    """The one that holds it now."""


class PhaseGraph(Record):
    """The tasks of one phase as a picture."""

    build: str
    version: int
    number: int
    name: str
    layers: int
    rows: int
    """Rows of the fullest layer."""
    nodes: tuple[GraphNode, ...] = ()
    edges: tuple[GraphEdge, ...] = ()
    contention: tuple[Contention, ...] = ()


def rail_of(build: Build, events: Iterable[Recorded], now: datetime) -> PhaseRail:
    """Return the phases of a build with what the audits said, from its state and its journal."""
    phases = phases_of(build)
    current = current_phase(build, phases)
    audits: dict[int, Verdict] = {}
    for recorded in events:
        if isinstance(recorded.event, e.PhaseAudited):
            audits[recorded.event.phase] = recorded.event.verdict
    places = [place for place, size in enumerate(build.milestone_sizes) if size]
    return PhaseRail(
        build=build.id,
        version=build.version,
        current=current.number if current else 0,
        phases=tuple(
            _on_rail(build, phase, place, audits.get(place), is_current=phase is current)
            for phase, place in zip(phases, places, strict=False)
        ),
        seconds_left=seconds_left(build, now),
        critical_path=build.plan.critical_path if build.plan is not None else (),
    )


def _on_rail(build: Build, phase: PhaseView, place: int, audit: Verdict | None, *, is_current: bool) -> RailPhase:
    plan = build.plan
    assert plan is not None
    tasks = [task for task, milestone in zip(plan.graph.tasks, plan.milestone, strict=True) if milestone == place]
    states = {task.id: build.task(task.id) for task in tasks}
    working = sum(phase_shown(build, state) in BUSY for state in states.values())
    return RailPhase(
        **phase.model_dump(),
        working=working,
        waiting=phase.tasks - phase.done - phase.skipped - phase.failed - working,
        minutes=sum(task.minutes for task in tasks if states[task.id].phase not in MET),
        is_current=is_current,
        attempts=sum(state.attempt for state in states.values()),
        refused=sum(map(refused_attempts, states.values())),
        audited=audit.ok if audit is not None else None,
        audit=tuple(
            AuditBadge(name=report.gate, result=report.result, findings=len(report.findings))
            for report in (audit.reports if audit is not None else ())
        ),
    )


def graph_of_phase(build: Build, number: int, now: datetime) -> PhaseGraph:
    """Return the picture of a phase, by its number from 1. Raises NotFound for one that there is not."""
    plan = build.plan
    phases = phases_of(build)
    if plan is None or not 0 < number <= len(phases):
        there = f"it has {len(phases)}" if phases else "it has no plan yet"
        raise NotFound(f"there is no phase {number} in this build: {there}", fix=f"see `buildwright status {build.id}`")
    place = [place for place, size in enumerate(build.milestone_sizes) if size][number - 1]
    chosen = [index for index, milestone in enumerate(plan.milestone) if milestone == place]
    at = {index: seat for seat, index in enumerate(chosen)}
    edges = [(at[a], at[b]) for a in chosen for b in plan.dependents[a] if b in at]
    places = layered(len(chosen), edges)
    path = plan.critical_path
    nodes = tuple(
        _node(build, plan, index, path, now, layer=spot.layer, row=spot.row, inside=at)
        for index, spot in zip(chosen, places, strict=True)
    )
    pairs = set(pairwise(path))
    return PhaseGraph(
        build=build.id,
        version=build.version,
        number=number,
        name=phases[number - 1].name,
        layers=max((spot.layer for spot in places), default=-1) + 1,
        rows=max((spot.row for spot in places), default=-1) + 1,
        nodes=nodes,
        edges=tuple(
            GraphEdge(
                needed=nodes[a].id,
                needing=nodes[b].id,
                met=build.task(nodes[a].id).phase in MET,
                critical=(nodes[a].id, nodes[b].id) in pairs,
            )
            for a, b in edges
        ),
        contention=tuple(_contention(build, plan, chosen))[:_MOST_SHARED],
    )


def _node(
    build: Build,
    plan: Plan,
    index: int,
    path: Sequence[str],
    now: datetime,
    *,
    layer: int,
    row: int,
    inside: dict[int, int],
) -> GraphNode:
    task = plan.graph.tasks[index]
    return GraphNode(
        **task_view(build, task.id, now).model_dump(),
        layer=layer,
        row=row,
        minutes=task.minutes,
        on_critical_path=task.id in path,
        why=answer_for(build, plan, task, now),
        needs_elsewhere=tuple(one for one in task.depends_on if plan.position[one] not in inside),
        files=_files(build, plan, index),
    )


def _files(build: Build, plan: Plan, index: int) -> tuple[str, ...]:
    task = plan.graph.tasks[index]
    patch = build.task(task.id).patch
    return tuple(dict.fromkeys((*task.files_expected, *(patch.paths if patch is not None else ()))))


def _contention(build: Build, plan: Plan, chosen: Sequence[int]) -> Iterable[Contention]:
    """Yield the files that several tasks that are not over touch, those that most of them touch first."""
    touching: defaultdict[str, list[int]] = defaultdict(list)
    for index in chosen:
        if build.task(plan.graph.tasks[index].id).phase not in MET:
            for file in _files(build, plan, index):
                touching[file].append(index)
    train = [car.task for car in build.train]

    def merged(index: int) -> tuple[int, int]:
        name = plan.graph.tasks[index].id
        return (train.index(name) - len(train) if name in train else 0, plan.rank[index])

    shared = sorted((-len(found), file) for file, found in touching.items() if len(found) > 1)
    for _, file in shared:
        tasks = tuple(plan.graph.tasks[index].id for index in sorted(touching[file], key=merged))
        yield Contention(file=file, tasks=tasks, holder=build.holders.get(file, ""))
