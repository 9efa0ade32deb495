"""A build that goes on from a point of another one: what it takes over, and how it begins. Pure; must never decide.

What had landed is done and not paid for again. What was under way is attempted anew; the gateway plays the answers that
the other build got to the same requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from buildwright.core import event as e
from buildwright.core.build import Build, PhaseSpan, Stage, TaskPhase, TaskState, is_undone
from buildwright.core.event import BuildForked, LandedBefore, PhaseCommits, Recorded
from buildwright.core.graph import Graph, Plan
from buildwright.core.limits import Options
from buildwright.core.progress import Changes
from buildwright.core.replan import placed, stage_with_work
from buildwright.errors import IllegalMove

WORK = ("title", "goal", "action", "requirements", "acceptance", "code_template", "validation", "tests_first")
"""Fields of a task that say what is to be done; the others say when, where and by whom."""


def forked(
    history: Sequence[Recorded], past: Build, options: Options, plan: Graph | None, note: str, changed: Sequence[str]
) -> BuildForked:
    """Return the event of a build with these options that goes on from `past`, the state after `history`.

    `plan` takes the place of the plan that there was; a landed change counts if the plan has its task unchanged.
    """
    graph = plan or (past.plan.graph if past.plan is not None else None)
    same_checks = _judges(past.options) == _judges(options)
    unaudited = _unaudited(history, past)
    same_plan = plan is None
    return BuildForked(
        source=past.id,
        last=past.version,
        ancestors=(past.id, *past.ancestors),
        changed=tuple(changed),
        note=note,
        base=past.base,
        base_tree=past.base_tree,
        branch=past.branch,
        head=past.head,
        head_tree=past.head_tree,
        head_judged=past.head_judged and same_checks,
        base_verdict=past.base_verdict if same_checks else None,
        base_accepted=past.base_accepted and same_checks,
        graph=graph,
        approved=past.plan_approved and same_plan,
        landed=_landed(history, past, graph),
        skipped=tuple(task for task, state in past.tasks.items() if state.phase is TaskPhase.SKIPPED),
        phase_base=past.phase_base if same_plan or not unaudited else unaudited[0].base,
        unaudited=unaudited if same_plan else (),
        marks=_marks(history),
    )


def _unaudited(history: Sequence[Recorded], past: Build) -> tuple[PhaseCommits, ...]:
    """Return the phases that are to be audited: also those whose mark had not landed, which is made anew."""
    ends = [PhaseCommits(phase=one.phase, base=one.base, head=one.head) for one in past.unaudited]
    unmarked = {mark.phase for mark in past.unmarked}
    for recorded in reversed(history):
        event = recorded.event
        if isinstance(event, e.PhaseAudited) and event.phase in unmarked:
            unmarked.remove(event.phase)
            ends.append(PhaseCommits(phase=event.phase, base=event.base, head=event.head))
    return tuple(sorted(ends, key=lambda one: one.phase))


def _judges(options: Options) -> object:
    return options.checks, options.setup, options.gates, options.lanes, options.part


def _landed(history: Sequence[Recorded], past: Build, graph: Graph | None) -> tuple[LandedBefore, ...]:
    """Return what lies on the integration branch, also what is being taken back from it."""
    before: dict[str, LandedBefore] = {}
    onto: dict[str, str] = {}
    landings: dict[str, Recorded] = {}
    for recorded in history:
        match recorded.event:
            case BuildForked(landed=landed):
                before = {one.commit: one for one in landed}
            case e.MergePrepared(commit=commit, onto=below):
                onto[commit] = below
            case e.ChangeLanded(commit=commit) | e.AgentFinished(task=commit):
                landings[commit] = recorded
    wanted = {task.id: task for task in graph.tasks} if graph is not None else {}
    there = [(task, one) for task, one in past.tasks.items() if one.phase is TaskPhase.DONE or is_undone(one)]
    found = []
    for task, state in sorted(there, key=lambda pair: pair[1].landed):
        assert past.plan is not None
        counts = task in wanted and _work(wanted[task]) == _work(past.plan.task(task))
        if (known := before.get(state.commit)) is not None and state.landed < 0:
            found.append(known.model_copy(update={"counts": counts}))
            continue
        landing = landings[state.commit or task]
        found.append(
            LandedBefore(
                task=task,
                attempt=state.attempt,
                agent=state.agent,
                base=state.base,
                patch=state.patch,
                verdict=state.verdict,
                summary=state.summary,
                commit=state.commit,
                tree=getattr(landing.event, "tree", ""),
                onto=onto.get(state.commit, ""),
                at=landing.at,
                counts=counts,
            )
        )
    return tuple(found)


def _work(task: object) -> tuple[object, ...]:
    return tuple(getattr(task, name) for name in WORK)


def _marks(history: Sequence[Recorded]) -> tuple[PhaseCommits, ...]:
    """Return the marks on the base that the build stood on at the end of this history."""
    marks: tuple[PhaseCommits, ...] = ()
    for recorded in history:
        match recorded.event:
            case BuildForked(marks=inherited):
                marks = inherited
            case e.BaseChanged():
                marks = ()
            case e.PhaseMarked(phase=phase, onto=onto, commit=commit):
                marks = (*marks, PhaseCommits(phase=phase, base=onto, head=commit))
    return marks


def build_forked(build: Build, event: BuildForked, _at: datetime) -> Changes:
    """Keep where the build begins. Raises IllegalMove for a build that is not new."""
    if build.version != 1:
        raise IllegalMove("only a new build is forked from another one")
    return {"fork": event, "plan_approved": event.approved}


def forked_head(build: Build) -> Changes:
    """Return what is different of a prepared target in a build that goes on from another one."""
    fork = build.fork
    if fork is None or not fork.base:
        return {}
    return {
        "base_tree": fork.base_tree,
        "head": fork.head,
        "head_tree": fork.head_tree,
        "head_judged": fork.head_judged,
        "base_verdict": fork.base_verdict,
        "base_accepted": fork.base_accepted,
        "phase_base": fork.phase_base,
        "unaudited": tuple(PhaseSpan(one.phase, one.base, one.head) for one in fork.unaudited),
    }


def begin_forked(build: Build, fork: BuildForked, plan: Plan) -> Changes:
    """Place every task of the plan: what had landed, or was given up, is over; everything else begins anew."""
    states: dict[str, TaskState] = {}
    for place, one in enumerate(fork.landed):
        if one.counts and one.task in plan.position:
            states[one.task] = TaskState(
                TaskPhase.DONE,
                attempt=one.attempt,
                allowed=one.attempt,
                agent=one.agent,
                base=one.base,
                patch=one.patch,
                verdict=one.verdict,
                summary=one.summary,
                commit=one.commit,
                landed=place - len(fork.landed),
                finished_at=one.at,
            )
    gone = [task for task in fork.skipped if task in plan.position]
    changes: Changes = {
        "done": len(states),
        "skipped": len(gone),
        "fork": fork.model_copy(update={"graph": None, "landed": ()}),
        **placed(build, plan, {**states, **{task: TaskState(TaskPhase.SKIPPED) for task in gone}}),
    }
    # With nothing left to do the stage is that after the tasks; `placed` needs the plan for it.
    return changes | stage_with_work(build.evolve({**changes, "plan": plan, "stage": Stage.WORKING}))
