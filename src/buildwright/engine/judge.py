"""The verdict on an exact tree: gates in order, cheapest first, until one fails. Must never judge what agents reach."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from buildwright.core.build import Build
from buildwright.core.finding import Report, Verdict
from buildwright.engine.action_context import ActionContext
from buildwright.engine.disk_space import check_disk_space
from buildwright.errors import GateBroken
from buildwright.ports import Judged, Workspace

_LARGEST_OF_BASE = 64_000_000
"""Bytes of a base file that a gate may compare with."""


async def judge(bench: ActionContext, build: Build, tree: str, task: str = "") -> Verdict:
    """Return the verdict of all gates on a tree: of one task's change, or (task "") of the whole build.

    The gates get a private checkout of exactly that tree, made when one first needs files. Raises GateBroken, DiskFull.
    """
    world = bench.world
    workspace = world.workspace
    if workspace is None:
        raise GateBroken("there is no workspace to check the tree out of")
    state = build.task(task)
    base_tree = _base_tree(build, task, tree)
    log = partial(bench.logbook.note, "gate", task=task, attempt=state.attempt)
    reports: list[Report] = []
    read_base = _reader(workspace, build.id, base_tree) if base_tree else None
    async with AsyncExitStack() as stack:
        files: Path | None = None
        for gate in world.gates:
            if gate.needs_files and files is None:
                files = await stack.enter_async_context(workspace.checkout(build.id, tree))
            with bench.logbook.stream("gate", task, state.attempt) as output_of_gate:
                judgements = await gate.judge(
                    Judged(
                        build_id=build.id,
                        task=build.plan.task(task) if task and build.plan else None,
                        tree=tree,
                        patch=state.patch if task else None,
                        files=files if gate.needs_files else None,
                        options=build.options,
                        on_output=output_of_gate,
                        repository=build.repository,
                        base_tree=base_tree,
                        checkout=partial(workspace.checkout, build.id),
                        read_base=read_base,
                    )
                )
            for report, output in judgements:
                if output:
                    await world.builds.put_artifact(output)
                log(f"{report.gate}: {'passed' if report.ok else f'refused, {len(report.findings)} findings'}")
                reports.append(report)
            if not all(judgement.report.ok for judgement in judgements):
                if files is not None:
                    check_disk_space(files)
                break
    return Verdict(tree=tree, reports=tuple(reports))


def _base_tree(build: Build, task: str, tree: str) -> str:
    """Return the tree that a task's change lies on: in the train that of the car ahead, else that of its lane."""
    patch = build.task(task).patch if task else None
    if patch is None:
        return ""
    ahead = {car.commit: car.tree for car in build.train} | {build.head: build.head_tree}
    onto = next((car.onto for car in build.train if car.task == task and car.tree == tree), "")
    return ahead.get(onto, patch.base_tree)


def _reader(workspace: Workspace, build_id: str, tree: str) -> Callable[[str], Awaitable[bytes | None]]:
    """Return a reader of a tree's files that asks git once for each, however many gates ask."""
    kept: dict[str, bytes | None] = {}

    async def read(path: str) -> bytes | None:
        if path not in kept:
            kept[path] = await workspace.read_file(build_id, tree, path, _LARGEST_OF_BASE)
        return kept[path]

    return read
