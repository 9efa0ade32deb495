"""The map of a repository's code, for the planner and for a look. Must never change the repository."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from buildwright.core.spec import Spec

if TYPE_CHECKING:
    from buildwright.code_map.view import CodeMapView
    from buildwright.workspace import GitWorkspace

PLANNER_TOKENS: Final = 6_000
"""What the map may take of the planner's prompt."""


async def map_of_tree(
    workspace: GitWorkspace,
    build_id: str,
    tree: str,
    about: str,
    tokens: int = PLANNER_TOKENS,
    part: str = "",
    on_read: Callable[[int, int], None] = lambda _done, _all: None,
) -> CodeMapView:
    """Return the map of a tree in a build's mirror within `tokens`; what `about` has words of comes first.

    `on_read` is told how many files of how many have been read. Raises GitFailed, NotFound.
    """
    from buildwright.code_map.read import read_tree
    from buildwright.code_map.view import map_view

    read = await read_tree(workspace, build_id, tree, on_read)
    return await asyncio.to_thread(map_view, read, about, tokens, part)


async def map_of_repository(
    workspace: GitWorkspace, repository: str, base: str, about: str, tokens: int, on_read: Callable[[int, int], None]
) -> CodeMapView:
    """Return the map of a repository's commit (its own when `base` is ""). Raises BadRepository, GitFailed."""
    from buildwright.workspace.orphans import PLAN

    place = f"{PLAN}{uuid.uuid4()}"
    target = await workspace.prepare(place, repository, base)
    try:
        return await map_of_tree(workspace, place, target.tree, about, tokens, on_read=on_read)
    finally:
        await workspace.release(place)


async def planner_context(workspace: GitWorkspace, build_id: str, tree: str, about: str, part: str) -> str:
    """Return what the planner is told of a repository: the map of its code, its files, and what it says of itself."""
    from buildwright.agents.briefing import describe_repository

    view = await map_of_tree(workspace, build_id, tree, about, part=part)
    return await describe_repository(build_id, tree, workspace, part, "\n".join((view.text, *view.notes)).strip())


def spec_words(spec: Spec, changed: str = "") -> str:
    """Return the text by which the map for a spec is ordered; `changed` is its text if that has changed."""
    artifacts = (one.model_dump_json() for one in (spec.brief, spec.build_plan, spec.product_doc) if one is not None)
    return "\n".join((spec.title, changed or spec.text, *artifacts))
