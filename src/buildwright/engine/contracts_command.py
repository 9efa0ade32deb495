"""The command that takes newer contracts into a build that has begun, or ended. Must never do an effect."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from buildwright.core import event as e
from buildwright.core.build import Build
from buildwright.core.contract_change import plan_of_contracts
from buildwright.core.event import AnyEvent
from buildwright.core.limits import Options
from buildwright.core.options_change import OptionsChange, changed_options
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.engine.build_command import BuildCommand, reopened
from buildwright.engine.task_commands import goes_on
from buildwright.errors import IllegalMove, Refused
from buildwright.ports import Target
from buildwright.views.contracts import stale_tasks


@dataclass(frozen=True, slots=True)
class TakeContracts(BuildCommand):
    """Let a build go on with newer contracts: they lie below all that has landed, which is put on top of them anew.

    No command of users: it is made of the contracts of their project.
    """

    name = "contracts"
    wakes = True
    reopens = True
    spec: Spec
    """What a build from these contracts is to build."""
    target: Target | None = None
    """The first commit with these contracts; None for a build without lanes."""
    base: str = ""
    """The first commit that it takes the place of."""

    def asks_of_machine(self) -> tuple[Options, Sequence[Task]]:
        return Options(), self.spec.graph.tasks if self.spec.graph is not None else ()

    def facts(self, build: Build, new_id: str) -> Sequence[AnyEvent]:  # noqa: ARG002
        before, now = build.spec.contracts, self.spec.contracts
        if before is None or build.spec.graph is None or now is None or self.spec.graph is None:
            raise IllegalMove("the build does not run from contracts", fix="start one: `buildwright build --contracts`")
        if before.files == now.files:
            raise Refused(
                "the build has the contracts as they are now", fix="edit one first: `buildwright contracts edit`"
            )
        stale = {one.task: one.reasons for one in stale_tasks(build, now.contracts)}
        graph = plan_of_contracts(build, build.spec.graph, self.spec.graph, stale)
        old = {task.id: task for task in build.plan.graph.tasks} if build.plan is not None else {}
        changed = [task.id for task in graph.tasks if task != old.get(task.id)]
        gone = old.keys() - {task.id for task in graph.tasks}
        first, last = _with_branch(build)
        taken = (e.ContractsChanged(spec=self.spec, graph=graph), *self._below(build))
        return (*reopened(build), *first, *taken, *(last or goes_on(build, [*changed, *gone])))

    def _below(self, build: Build) -> tuple[AnyEvent, ...]:
        """Return that the build stands on the new contracts; nothing for a build without lanes."""
        if not build.options.lanes:
            return ()
        if self.target is None or self.base != build.base:
            raise IllegalMove("the base was changed meanwhile", fix="take the contracts again")
        target, number = self.target, build.rebases + 1
        return (
            e.BaseChanged(
                commit=target.commit,
                tree=target.tree,
                branch=build.branch,
                base=build.base_ref,
                number=number,
                notes=build.notes,
            ),
        )


def _with_branch(build: Build) -> tuple[tuple[AnyEvent, ...], tuple[AnyEvent, ...]]:
    """Return what gives the result a branch of its own, before and after the change: one that was delivered only grows.

    Raises IllegalMove where the result went to the files that are checked out.
    """
    delivery = build.options.delivery
    if "build.delivered" not in build.moments or delivery.kind == "none" or not build.options.lanes:
        return (), ()
    if delivery.kind == "files":
        raise IllegalMove(
            "its result is in the branch that is checked out, and what lies there is not changed",
            fix="start a new build with these contracts",
        )
    name = delivery.branch or f"buildwright/{build.id[:8]}"
    name = f"{re.sub(r'-again[0-9]+$', '', name)}-again{build.rebases + 1}"
    options = OptionsChange(branch=name).of(build.options)
    changed = e.OptionsChanged(options=options, changed=changed_options(build.options, options))
    if build.pause is not None and not build.is_terminal:
        return (changed,), ()
    return (e.BuildPaused(reason="user", message="takes newer contracts"), changed), (e.BuildResumed(),)
