"""Who works on a build: the process that holds it or, in a cluster, the workers that have its actions. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from buildwright.cli.invocation import typed

if TYPE_CHECKING:
    from buildwright.wiring import App

NO_WORKER = "No worker is running. Start one with `buildwright worker`, or several here with `buildwright cluster up`."


class Holding(NamedTuple):
    """One action that a worker has. `state` is `alive`, `suspect` or `gone`, as `cluster status` says it."""

    action: str
    task: str
    """"" for an action of the whole build."""
    worker: str
    state: str


class Crew(NamedTuple):
    """Those who work on a build, as they are seen from here."""

    runner: str | None
    """The process that holds the whole build."""
    in_cluster: bool
    workers: int
    """How many workers of the cluster live; any of them takes up what is wanted."""
    holdings: tuple[Holding, ...]

    @property
    def is_there(self) -> bool:
        """Somebody runs the build, or will as soon as there is something to do."""
        return self.runner is not None or self.workers > 0

    @property
    def works(self) -> bool:
        """Something of the build may be in flight."""
        return self.runner is not None or bool(self.holdings)

    def fields(self) -> dict[str, Any]:
        """For `--json`."""
        return {"runner": self.runner, "workers": [holding._asdict() for holding in self.holdings]}

    def nobody(self, build_id: str) -> str:
        """What to do when nobody is there."""
        if self.in_cluster:
            return typed(NO_WORKER)
        return typed(f"Nobody runs it now; go on with: buildwright run {build_id[:8]}")


async def crew_of(app: App, build_id: str) -> Crew:
    """Look who is there. Raises StoreFailed."""
    runner = await app.builds.holder(build_id)
    if not app.in_cluster:
        return Crew(runner, False, 0, ())
    from buildwright.cli.cluster_view import state_of

    workers = {worker.holder: worker for worker in await app.board.workers()}
    states = {holder: state_of(worker) for holder, worker in workers.items()}
    holdings = tuple(
        Holding(
            row.key,
            _task_of(row.key),
            workers[row.holder].name if row.holder in workers else row.holder,
            states.get(row.holder, "gone"),
        )
        for row in await app.board.board(build_id)
        if row.live
    )
    return Crew(runner, True, sum(state != "gone" for state in states.values()), holdings)


def said(crew: Crew) -> list[str]:
    """Who works on it now, in lines for people."""
    if crew.runner is not None:
        return [f"Run by {crew.runner}"]
    lines = []
    for holding in crew.holdings:
        state = "" if holding.state == "alive" else f" ({_WORDS.get(holding.state, holding.state)})"
        lines.append(f"  {holding.worker}{state}: {holding.action.partition('/')[0]} {holding.task}".rstrip())
    return ["Workers on it:", *lines] if lines else []


_WORDS = {
    "suspect": "suspect: it has been silent for two heartbeats",
    "gone": "gone: another worker takes it up when the lease has run out",
}

_OF_A_TASK = frozenset({"run-agent", "judge-patch", "prepare-merge", "judge-merge", "land-change"})


def _task_of(key: str) -> str:
    kind, _, rest = key.partition("/")
    return rest.partition("/")[0] if kind in _OF_A_TASK else ""
