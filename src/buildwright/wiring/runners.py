"""The process or the workers that carry out a build at this moment. Must never change anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from buildwright.ports import ActionQueue, Builds, WorkerRow
    from buildwright.views.overview import WorkerHolds


class Runners(NamedTuple):
    """The runners of a build, as this process sees them: one process, or the workers of a cluster."""

    runner: str | None
    """The process that holds the whole build."""
    in_cluster: bool
    workers: int
    """Number of live workers in the cluster; each of them may take a wanted action."""
    holdings: tuple[WorkerHolds, ...]

    @property
    def is_there(self) -> bool:
        """Whether the build is being run, or will be as soon as there is something to do."""
        return self.runner is not None or self.workers > 0

    @property
    def works(self) -> bool:
        """Whether an action of the build may be in flight."""
        return self.runner is not None or bool(self.holdings)

    def fields(self) -> dict[str, Any]:
        """Return the fields for programs (JSON)."""
        return {"runner": self.runner, "workers": [holding.model_dump() for holding in self.holdings]}


async def runners_of(builds: Builds, board: ActionQueue | None, build_id: str) -> Runners:
    """Return the runners of a build; without a board there are no workers. Raises StoreFailed."""
    from buildwright.views.overview import WorkerHolds

    runner = await builds.holder(build_id)
    if board is None:
        return Runners(runner, False, 0, ())
    workers = {worker.holder: worker for worker in await board.workers()}
    states = {holder: state_of(worker) for holder, worker in workers.items()}
    holdings = tuple(
        WorkerHolds(
            action=row.key,
            task=_task_of(row.key),
            worker=workers[row.holder].name if row.holder in workers else row.holder,
            state=states.get(row.holder, "gone"),
        )
        for row in await board.board(build_id)
        if row.live
    )
    return Runners(runner, True, sum(state != "gone" for state in states.values()), holdings)


def state_of(worker: WorkerRow) -> str:
    """Return `alive`, `suspect` or `gone`.

    A worker is suspect after two heartbeats of silence, and gone after three or when its process is known to be dead.
    """
    from buildwright.store.lease_holders import may_live

    if not may_live(worker.holder):
        return "gone"
    beats = worker.silent_seconds / worker.heartbeat_seconds
    return "gone" if beats >= 3 else "suspect" if beats >= 2 else "alive"


_OF_A_TASK = frozenset({"run-agent", "judge-patch", "prepare-merge", "judge-merge", "land-change"})


def _task_of(key: str) -> str:
    kind, _, rest = key.partition("/")
    return rest.partition("/")[0] if kind in _OF_A_TASK else ""
