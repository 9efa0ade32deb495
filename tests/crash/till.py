"""What a life pays: a gateway whose calls are noted, and a planner that makes one. Must never reach a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildwright.core.build import Build
from buildwright.core.failpoint import failpoint
from buildwright.core.graph import Graph
from buildwright.core.spec import Spec
from buildwright.ports import ModelAccess, ModelEndpoint, Notice, PlanRevision, Spend
from tests.crash.scenes import Scene

if TYPE_CHECKING:
    from tests.crash.life import Place


class Till:
    """A gateway and its provider. Each call has a number of its own, which comes back as its input tokens."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._doors: dict[str, tuple[str, str, int, list[Spend]]] = {}

    async def open(self, access: ModelAccess) -> ModelEndpoint:
        token = f"{access.task}-{access.attempt}-{len(self._doors)}"
        self._doors[token] = (access.build_id, access.task, access.attempt, [])
        return ModelEndpoint("http://127.0.0.1:9", token)

    def ask(self, door: ModelEndpoint) -> None:
        """One call to the provider, which is paid for from here on."""
        build_id, task, attempt, spends = self._doors[door.token]
        number = 1 + len(self._place.ledger("call"))
        failpoint("provider.call.before")
        self._place.note("call", number, task or "plan", attempt)
        spends.append(Spend(build_id, task, attempt, "scripted", number, 1, 0, 0, "0.01"))
        failpoint("provider.call.after")

    def noticed(self, build_id: str) -> list[Notice]:
        return []

    def limit(self, door: ModelEndpoint) -> None:
        return None

    def trouble(self, door: ModelEndpoint) -> None:
        return None

    def denied(self, door: ModelEndpoint) -> tuple[str, ...]:
        return ()

    def metered(self, door: ModelEndpoint) -> list[Spend]:
        spends = self._doors[door.token][3]
        taken = list(spends)
        spends.clear()
        return taken

    async def shut(self, door: ModelEndpoint) -> None:
        """The doors of this till have no lock."""

    async def close(self) -> None:
        """Nothing to end."""


class NotedPlanner:
    """Answers with the scene's graph, for one call."""

    def __init__(self, scene: Scene, till: Till) -> None:
        self._graph = scene.graph
        self._till = till

    async def plan(self, _spec: Spec, _context: str, _model: str, door: ModelEndpoint) -> Graph:
        self._till.ask(door)
        return self._graph

    async def revise(self, _build: Build, _context: str, _model: str, door: ModelEndpoint) -> PlanRevision:
        self._till.ask(door)
        return PlanRevision()
