"""Forking: a new build that goes on from a point of another one. Must never change the other one, nor do an effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from buildwright.core.apply import fold
from buildwright.core.build import Build
from buildwright.core.event import BuildForked, Recorded
from buildwright.core.fork import forked
from buildwright.core.graph import Graph, compile_plan
from buildwright.core.limits import Delivery, Options
from buildwright.engine.commands import NewBuild
from buildwright.errors import Refused


@dataclass(frozen=True, slots=True)
class ForkBuild:
    """What is to be different in a build that goes on from a point of another one. Without anything it is a replay."""

    at: int = 0
    """Number of the last event that counts; 0: all so far."""
    model: str = ""
    """The model that writes from here on."""
    plan: Graph | None = None
    """A plan in place of the one there was."""
    prompt_note: str = ""
    """What every attempt is told beside its task."""

    @property
    def changed(self) -> tuple[str, ...]:
        """Names of what is given."""
        given = {"model": self.model, "plan": self.plan, "note": self.prompt_note}
        return tuple(name for name, value in given.items() if value)

    def past(self, history: Sequence[Recorded]) -> Build:
        """Return the other build as it was. `history` is its journal up to `at`. Raises Refused where it is shorter."""
        if self.at > len(history):
            raise Refused(
                f"the build has {len(history)} events, and none is number {self.at}",
                fix=f"name one from 1 to {len(history)}",
            )
        return fold(list(history))

    def new_build(self, past: Build, build_id: str, user_id: str, correlation_id: str = "") -> NewBuild:
        """Return the build to be made. Its result gets a branch of its own. Raises BadGraph for a plan in a circle."""
        if self.plan is not None:
            compile_plan(self.plan)
        options = past.options
        if self.model:
            options = options.model_copy(update={"model": self.model})
        kind = "branch" if options.delivery.kind == "files" else options.delivery.kind
        options = options.model_copy(update={"delivery": Delivery(kind=kind, remote=options.delivery.remote)})
        return NewBuild(
            past.spec, options, past.repository, past.base_ref, past.project_id, user_id, build_id, correlation_id
        )

    def event(self, history: Sequence[Recorded], past: Build, options: Options) -> BuildForked:
        """Return the second event of the new build, made with these options."""
        return forked(history, past, options, self.plan, self.prompt_note, self.changed)
