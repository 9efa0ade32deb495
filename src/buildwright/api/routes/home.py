"""The first page: the caller's projects, what needs a person, and the news. Must never show another user's builds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import Query

from buildwright.api.access import role_in_build
from buildwright.api.bodies import Router
from buildwright.api.params import Moment
from buildwright.api.problems import responses
from buildwright.api.state import Caller, CallerOf, ServerState, SiteOf
from buildwright.auth.rights import refusals
from buildwright.core.build import Build
from buildwright.core.event import Recorded
from buildwright.ports import BuildRow, Builds
from buildwright.views.home import Home, SeenBuild, card_of, news_of, projects_of
from buildwright.views.inbox import inbox_of

router = Router(tags=["home"])

_MOST_ROWS = 200
"""Builds, newest first, that the page looks at."""
_MOST_PROJECTS = 100
_BLOCK = 500
"""Events read at once, from the newest backwards."""
_MOST_EVENTS = 5_000
"""Events of one build that the news looks through."""


@router.get("/api/home", responses=responses())
async def home(
    site: SiteOf,
    caller: CallerOf,
    since: Annotated[
        Moment | None, Query(description="When the user was here: `as_of` of the page then. Without it no news.")
    ] = None,
) -> Home:
    """Return your projects and builds with their health, what needs you, and what happened since you were here."""
    now = site.app.clock.now()
    shared = await site.records.admission.shared(caller.user_id)
    rows = await site.records.runs.page(caller.user_id, _MOST_ROWS, shared=shared)
    projects = await site.records.projects.page(caller.user_id, _MOST_PROJECTS, shared=shared)
    newest = {row.project_id: row.build_id for row in reversed(rows)}
    shown = [row for row in rows if not row.completed_at or newest[row.project_id] == row.build_id]
    builds = [await site.seen.newest(row.build_id) for row in shown]
    alone = {build.id for build in builds if _may_be_alone(build) and not (await site.app.crew(build.id)).is_there}
    refused = await _refused(site, caller, builds)
    inbox = inbox_of(builds, await site.app.interviewing.listed(caller.user_id), alone, refused)
    cards = [card_of(build, now, unattended=build.id in alone) for build in builds]
    older = Counter(row.project_id for row in rows)
    older.subtract(build.project_id for build in builds)
    news, more = news_of(await _seen(site, rows, since)) if since is not None else ((), 0)
    return Home(
        as_of=now,
        projects=projects_of(cards, {project.id: project.name for project in projects}, older, inbox),
        inbox=inbox,
        news=news,
        more_news=more,
    )


async def _refused(site: ServerState, caller: Caller, builds: Sequence[Build]) -> dict[str, str]:
    """Return why the caller may not steer builds of others, by their ids; the role is looked up once for each project."""
    others = [build for build in builds if build.user_id != caller.user_id]
    roles = {build.project_id: build.user_id for build in others}
    found = {name: await role_in_build(site, caller, user_id, name) for name, user_id in roles.items()}
    why = {name: refusals(role, "build").get("steer", "") for name, role in found.items()}
    return {build.id: why[build.project_id] for build in others if why[build.project_id]}


def _may_be_alone(build: Build) -> bool:
    return not build.is_terminal and build.pause is None and not build.waits_for_step


async def _seen(site: ServerState, rows: Sequence[BuildRow], since: datetime) -> list[SeenBuild]:
    """Return the builds that have changed since then, with their events since then."""
    return [
        SeenBuild(await site.seen.newest(row.build_id), await events_since(site.app.builds, row.build_id, since))
        for row in rows
        if row.updated_at > since
    ]


async def events_since(builds: Builds, build_id: str, since: datetime) -> list[Recorded]:
    """Return the newest events of a build that are younger than a time, in order: at most some thousands."""
    until = await builds.version(build_id)
    found: list[Recorded] = []
    while until > 0 and len(found) < _MOST_EVENTS:
        after = max(0, until - _BLOCK)
        block = await builds.read(build_id, after, until - after)
        young = [recorded for recorded in block if recorded.at > since]
        found[:0] = young
        if len(young) < len(block):
            break
        until = after
    return found
