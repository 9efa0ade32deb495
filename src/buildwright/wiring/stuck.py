"""Reads how a build was stuck, with the kept context. Must never change anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildwright.errors import NotFound
from buildwright.views.stuck import StuckView, stuck_event, with_context

if TYPE_CHECKING:
    from buildwright.ports import Builds


async def stuck_of(builds: Builds, build_id: str, number: int = 0) -> StuckView:
    """Return one time that the build was stuck (0: the newest). Raises NotFound when it never was, StoreFailed."""
    view, digest = stuck_event(build_id, await builds.read(build_id), number)
    try:
        return with_context(view, await builds.get_artifact(digest)) if digest else view
    except NotFound:  # pruned since
        return view
