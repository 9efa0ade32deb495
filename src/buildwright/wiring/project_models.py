"""Asks models for a project outside of its builds. Must never let a request go uncounted.

What a request costs counts where the budgets of builds look: what the month and day of its owner, and the project,
have cost. It stands with what the project's interview has cost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from buildwright.core.limits import Options
from buildwright.core.model_names import DEFAULT_MODEL
from buildwright.ports import Clock, ModelAccess, ModelEndpoint, Purse, PurseName, Spend

if TYPE_CHECKING:
    from buildwright.gateway import LocalGateway
    from buildwright.settings import Settings
    from buildwright.store.projects import ProjectRecord
    from buildwright.store.records import Records

MODEL = "BUILDWRIGHT_INTERVIEW_MODEL"
"""The environment variable with the model that interviews and rewrites, unless a request names one."""


class OpenModel(NamedTuple):
    """A model that can be asked through `door` until `ProjectModels.shut`."""

    model: str
    door: ModelEndpoint
    project: ProjectRecord
    turn: int


@dataclass(frozen=True, slots=True)
class ProjectModels:
    """The models of the projects of one store."""

    settings: Settings
    clock: Clock
    records: Records
    gateway: Callable[[], LocalGateway]

    async def open(self, project: ProjectRecord, turn: int, model: str = "", cassette: str = "") -> OpenModel:
        """Return a model to ask; `cassette` is the path of a file that plays it. `turn` is that of the interview.

        Raises Refused, BadSettings (no such model, no key).
        """
        from buildwright.gateway.model_list import check_model

        chosen = model or self.settings.environment.get(MODEL, "").strip() or DEFAULT_MODEL
        if not cassette:
            await check_model(chosen, self.settings.environment, self.settings.home)
        owner = project.user_id
        purses = tuple(
            Purse(name)
            for name in (PurseName("month", owner), PurseName("day", owner), PurseName("project", owner, project.id))
        )
        access = ModelAccess(
            f"interview-{project.id}", "", turn, Options(cassette=cassette), purses=purses, kept=False, model=chosen
        )
        return OpenModel(chosen, await self.gateway().open(access), project, turn)

    async def shut(self, opened: OpenModel) -> Sequence[Spend]:
        """Return what the requests were, and count what they cost."""
        gateway = self.gateway()
        await gateway.shut(opened.door)
        spends = gateway.metered(opened.door)
        if spends:
            project = opened.project
            await self.records.interviews.count(project.id, project.user_id, opened.turn, spends, self.clock.now())
        return spends
