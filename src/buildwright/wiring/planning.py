"""The plan of a spec without a build. Leaves nothing behind."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from buildwright.core.graph import Graph
from buildwright.core.limits import Options
from buildwright.core.spec import Spec
from buildwright.wiring.adapters import LazyPlanner, with_cassette

if TYPE_CHECKING:
    from buildwright.gateway import LocalGateway
    from buildwright.workspace import GitWorkspace


async def plan(
    spec: Spec, options: Options, gateway: LocalGateway, workspace: GitWorkspace | None, repository: str, base: str
) -> Graph:
    """Ask the planner, who reads the files of the repository if there is a workspace.

    Raises BadGraph, ModelFailed, BadSettings, BadRepository.
    """
    from buildwright.agents.briefing import describe_repository
    from buildwright.workspace.leftovers import PLAN

    options = with_cassette(options)
    gateway.check_keys("", options)
    place = f"{PLAN}{uuid.uuid4()}"
    context = ""
    if workspace is not None:
        target = await workspace.prepare(place, repository, base)
        try:
            context = await describe_repository(place, target.tree, workspace)
        finally:
            await workspace.release(place)
    door = await gateway.open(place, "", 1, options, kept=False)
    try:
        return await LazyPlanner().plan(spec, context, options.planner_model or options.model, door)
    finally:
        await gateway.shut(door)
