"""Answers of the build runtime, as JSON made once for each state of a build. Must never change a build."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from buildwright.core.build import Build
from buildwright.errors import BuildwrightError
from buildwright.gates.syntax import is_html, normalized_html
from buildwright.ports import BuildReader
from buildwright.views.estimate import EstimateView
from buildwright.views.frames import Moment
from buildwright.views.overview import pause_view
from buildwright.views.runtime import (
    BuildHistoryEvent,
    BuildState,
    CanPublish,
    PatchSet,
    history_events,
    publishable,
    response_json,
    state_of,
)

if TYPE_CHECKING:
    from buildwright.api.state import ServerState

MANY_TASKS = 300
"""A build with more tasks is turned into JSON in a thread, beside the event loop."""
LARGEST_DIFF = 200_000
"""Most characters of a change shown with the build; the whole change is at `/api/builds/{build_id}/diff`."""

_estimate: TypeAdapter[EstimateView | None] = TypeAdapter(EstimateView | None)
_events: TypeAdapter[list[BuildHistoryEvent]] = TypeAdapter(list[BuildHistoryEvent])


async def response_of(site: ServerState, build: Build, after: int = 0, limit: int = 100) -> bytes:
    """Return the build with a page of its history, as the JSON of a `BuildResponse`."""
    head = await site.seen.text(("state", build.id, build.version), lambda: _head(site, build))
    history, following = await _page(site, build, after, limit)
    return b'%s,"history":%s,"history_next":%s}' % (head[:-1], history, json.dumps(following).encode())


async def can_publish(build: Build) -> CanPublish:
    """Return whether the build can be published: it is ready, and validation and checks have passed."""
    return publishable(await _state(build))


async def estimate_of(
    site: ServerState, build: Build, make: Callable[[BuildReader, Build], Awaitable[EstimateView | None]]
) -> EstimateView | None:
    """Return what `make` estimates of a build, asked once for each of its versions: it reads up to a hundred builds.

    Raises as `make`.
    """

    async def made() -> bytes:
        return _estimate.dump_json(await make(site.app.builds, build))

    return _estimate.validate_json(await site.seen.text((make, build.id, build.version), made))


async def _state(build: Build) -> BuildState:
    return await asyncio.to_thread(state_of, build) if build.total > MANY_TASKS else state_of(build)


async def _head(site: ServerState, build: Build) -> bytes:
    state = await _state(build)
    if (patch := state.last_patch) is not None:
        patch = patch.model_copy(update={"diff": await _diff(site, build, patch.task_id)})
        state = state.model_copy(update={"last_patch": patch})
        if state.last_validation is not None and (html := await _html(site, build, patch)):
            validation = state.last_validation.model_copy(update={"normalized_html": html})
            state = state.model_copy(update={"last_validation": validation})
    pause = pause_view(build, build.pause) if build.pause is not None else None
    if build.total > MANY_TASKS:
        return await asyncio.to_thread(response_json, state, pause)
    return response_json(state, pause)


async def _diff(site: ServerState, build: Build, task_id: str) -> str:
    """Return the text of a task's change; "" when it is large, or its trees are on another machine."""
    change = build.task(task_id).patch
    if change is None or not build.options.lanes or change.base_tree == change.tree:
        return ""

    async def made() -> bytes:
        try:
            text = await site.app.workspace.diff(build.id, change.base_tree, change.tree)
        except BuildwrightError:
            return b""
        return text.encode(errors="replace") if len(text) <= LARGEST_DIFF else b""

    return (await site.seen.text(("diff", build.id, change.base_tree, change.tree), made)).decode()


async def _html(site: ServerState, build: Build, patch: PatchSet) -> str | None:
    """Return the page of HTML that a change touched, as it was judged and as a browser understands it.

    None if there is none or several, and where `_diff` has no text either.
    """
    verdict = build.task(patch.task_id).verdict
    pages = [path for path in patch.touched_files if is_html(path)]
    if verdict is None or len(pages) != 1 or not build.options.lanes:
        return None
    tree, path = verdict.tree, pages[0]

    async def made() -> bytes:
        try:
            content = await site.app.workspace.read_file(build.id, tree, path, LARGEST_DIFF)
        except BuildwrightError:
            return b""
        if content is None or len(content) >= LARGEST_DIFF:
            return b""
        html = await asyncio.to_thread(normalized_html, content.decode(errors="replace"))
        return (html or "").encode(errors="replace")

    return (await site.seen.text(("html", build.id, tree, path), made)).decode() or None


async def _page(site: ServerState, build: Build, after: int, limit: int) -> tuple[bytes, int | None]:
    """Return events after a number as JSON, and where the next page begins. A full page never changes."""
    key = ("history", build.id, after, limit)
    kept = site.seen.kept(key)
    if kept is None:
        moments: list[Moment] = []
        async with aclosing(site.tails.history.moments(build.id, after, min(after + limit, build.version))) as pages:
            async for page in pages:
                moments += page
        kept = _events.dump_json(history_events((moment.recorded, moment.after) for moment in moments))
        if len(moments) < limit:
            return kept, None
        site.seen.keep(key, kept)
    return kept, after + limit if after + limit < build.version else None
