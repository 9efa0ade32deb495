"""Looks at a repository as a build would first: what judges it, and what that says. Must never keep a build."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from buildwright.core import event as e
from buildwright.core.apply import fold
from buildwright.core.build import Build
from buildwright.core.event import Recorded
from buildwright.core.judged_base import refusing
from buildwright.engine.action_context import ActionContext
from buildwright.engine.adapters import Adapters
from buildwright.engine.build_log import BuildLog
from buildwright.engine.commands import NewBuild
from buildwright.engine.judge import judge_base
from buildwright.engine.messages import Inboxes
from buildwright.gates.checks import ChecksGate
from buildwright.gates.levels import concerns
from buildwright.gates.node_version import node_told
from buildwright.ports import Judged, LogEntry
from buildwright.views.precheck import FoundCommand, PrecheckView, judged
from buildwright.workspace import GitWorkspace
from buildwright.workspace.orphans import PLAN


async def precheck(
    new: NewBuild,
    world: Adapters,
    workspace: GitWorkspace,
    on_found: Callable[[PrecheckView], None],
    on_log: Callable[[LogEntry], None] | None = None,
    *,
    run: bool = True,
) -> PrecheckView:
    """Find what would judge the repository, tell that, and unless `run` is False let it judge as a build does first.

    Raises BadRepository, BadSettings (buildwright.toml is wrong), Conflict (a branch in the way of the result's),
    GateBroken, DiskFull.
    """
    place = f"{PLAN}{uuid.uuid4()}"
    delivery = new.options.delivery if run else None
    target = await workspace.prepare(place, new.repository, new.base, delivery, lfs=new.options.lfs)
    try:
        build = _unwritten(place, new, target.commit, target.tree, world)
        view = await _found(build, world, workspace, target.notes)
        on_found(view)
        if not run:
            return view
        async with _bench(replace(world, on_log=on_log), build) as bench:
            verdict = await judge_base(bench, build, target.tree)
            return judged(view, verdict, refusing(build.evolve({"base_verdict": verdict})))
    finally:
        await workspace.release(place)


def _unwritten(place: str, new: NewBuild, commit: str, tree: str, world: Adapters) -> Build:
    """Return a build that is in no journal, as it is when its base is to be judged."""
    created = e.BuildCreated(
        build_id=place, project_id="", user_id="", repository=new.repository, spec=new.spec, options=new.options
    )
    prepared = e.TargetPrepared(commit=commit, tree=tree)
    now = world.clock.now()
    return fold([Recorded(1, now, created), Recorded(2, now, prepared)])


async def _found(build: Build, world: Adapters, workspace: GitWorkspace, notes: tuple[str, ...]) -> PrecheckView:
    gate = next(gate for gate in world.gates if isinstance(gate, ChecksGate))
    async with workspace.checkout(build.id, build.base_tree) as files:
        found = await gate.found(
            Judged(build.id, None, build.base_tree, None, files, build.options, repository=build.repository)
        )
    toolchain, sources = found.toolchain, found.sources
    setup = [command for one in toolchain.setup for command in one.commands]
    return PrecheckView(
        repository=build.repository,
        commit=build.base,
        tree=build.base_tree,
        ready=None,
        setup=tuple(FoundCommand(name="setup", command=one, kind="setup", source=sources[one]) for one in setup),
        checks=tuple(
            FoundCommand(
                name=one.name,
                command=one.command,
                kind=one.kind,
                source=sources[one.command],
                concerns=concerns(one, toolchain),
            )
            for one in toolchain.checks
        ),
        interpreter=str(found.python.executable),
        interpreter_why=found.python.why,
        node=node_told(build.repository, os.environ),
        pins=found.pins,
        notes=(*notes, *(str(one) for one in toolchain.findings if one.severity != "error")),
    )


@asynccontextmanager
async def _bench(world: Adapters, build: Build) -> AsyncIterator[ActionContext]:
    """Yield the tools of a judging whose log only its listener sees."""

    async def allowed() -> None:
        """Allow it: no other process can have a build that is in no journal."""

    async with BuildLog(world, build.id, keeps=False) as logbook:
        listening = asyncio.create_task(logbook.listen())
        try:
            judging = asyncio.Semaphore(1)
            yield ActionContext(world, logbook, Inboxes(), judging, lambda: build, lambda _: None, allowed)
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
