"""Quotas of a user's builds: how many at once, and how many started within an hour. Must never keep a count itself.

The store counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from buildwright.core.figures import count
from buildwright.errors import BadSettings, Conflict, NotFound, TooMany

if TYPE_CHECKING:
    from buildwright.api.state import ServerState
    from buildwright.ports import BuildRow

AT_ONCE, PER_HOUR = "BUILDWRIGHT_BUILDS_AT_ONCE", "BUILDWRIGHT_BUILDS_PER_HOUR"
_HOUR = timedelta(hours=1)


async def check(site: ServerState, user_id: str, at_once: int = 0) -> None:
    """Check that the user may start one more build.

    BUILDWRIGHT_BUILDS_AT_ONCE limits the user's unfinished builds (0: any number). When it is not set, `at_once`
    limits those of projects that go on by themselves: a build of the command line, or one driven by hand, is in no
    other's way.
    BUILDWRIGHT_BUILDS_PER_HOUR limits how many are started (0, the default: any number). A user's own limits count
    instead, where an owner has set them. Raises Conflict naming the unfinished build, TooMany with the seconds to wait.
    """
    environment = site.app.settings.environment
    user = await site.records.users.find(user_id)
    own = user.most_builds if user is not None else None
    most = number(environment, AT_ONCE, at_once) if own is None else own
    if most:
        unfinished = await site.records.runs.unfinished(user_id)
        if own is None and not environment.get(AT_ONCE, "").strip():
            unfinished = [row for row in unfinished if await _is_of_a_project(site, row)]
        if len(unfinished) >= most:
            row = unfinished[0]
            error = Conflict(
                f"build {row.build_id} ({row.title}) is not finished, and {most} at once is the limit",
                fix=f"wait for it or stop it: POST /api/builds/{row.build_id}/stop",
            )
            error.state = row.phase if row.control == "running" else row.control
            raise error
    hourly = user.most_builds_an_hour if user is not None else None
    most = number(environment, PER_HOUR) if hourly is None else hourly
    if most:
        now = site.app.clock.now()
        begun = await site.records.runs.count_since(user_id, now - _HOUR)
        if begun >= most:
            late = f"{count(begun, 'build')} {'was' if begun == 1 else 'were'} begun within an hour, and {most} is the limit"
            raise TooMany(late, retry_after=300.0, fix="wait some minutes, then try again")


async def _is_of_a_project(site: ServerState, row: BuildRow) -> bool:
    """Return whether a build is one of a project that is kept on the server, and goes on by itself."""
    try:
        await site.records.projects.get(row.project_id)
    except NotFound:
        return False
    return not (await site.seen.newest(row.build_id)).options.by_hand


@asynccontextmanager
async def room(site: ServerState, user_id: str, at_once: int = 0) -> AsyncIterator[None]:
    """Check the quotas, and hold back other starts of the user in this process until the end of the block."""
    turn = site.turns.get(user_id)
    if turn is None:
        turn = site.turns[user_id] = asyncio.Lock()
    async with turn:
        await check(site, user_id, at_once)
        yield


def number(environment: Mapping[str, str], name: str, default: int = 0) -> int:
    """Return a setting that is a count. Raises BadSettings."""
    text = environment.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise BadSettings(f"{name} is not a count", fix=f"set {name} to a number; 0 means any number")
    return int(text)
