"""Starting and ending a build, for all routes that do so. Must never hold a rule of a build.

The rules are in `engine.commands`.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from buildwright.api import quotas
from buildwright.api.params import check_project, stating
from buildwright.api.targets import check_commands, checked_repository, is_owner, open_folder
from buildwright.core.build import Build, Control
from buildwright.core.limits import Delivery, Options
from buildwright.core.spec import Spec
from buildwright.engine.commands import NewBuild, StopBuild
from buildwright.errors import IllegalMove
from buildwright.views.overview import state_word

if TYPE_CHECKING:
    from buildwright.api.state import Caller, ServerState
    from buildwright.engine.fork_command import ForkBuild

__all__ = [
    "BUILDS",
    "LONGEST_WAIT",
    "check_commands",
    "checked_target",
    "fork",
    "refuse_ended",
    "settled",
    "start",
    "stop",
]

BUILDS = "BUILDWRIGHT_RATE_BUILDS"
LONGEST_WAIT = 75.0
"""Most seconds that a request may wait for a build; less than the guard allows it."""
_LOOK_SECONDS = 0.05
_SLICE_SECONDS = 1.0
"""Seconds between looks whether the server is about to end."""


async def start(
    site: ServerState, caller: Caller, correlation_id: str, new: NewBuild, at_once: int = 0, *, opens: bool = False
) -> str:
    """Make a build for the caller, within the quotas, and return its id. No process carries it out yet.

    The repository and the remote of the delivery are checked first. `at_once` is the limit where the setting of the
    same meaning gives none; see `quotas.check`. With `opens` a plain folder is made a repository. Raises Forbidden,
    TooMany, Conflict, BadRepository, BadSettings, BadSpec.
    """
    await site.rates.take(BUILDS, caller.user_id)
    check_commands(site, caller, new.spec, new.options)
    if new.project_id:
        await check_project(site, caller, new.project_id)
    if opens and new.options.lanes:
        environment, own = site.app.settings.environment, is_owner(site, caller)
        in_place = await asyncio.to_thread(open_folder, new.repository, environment, own_machine=own)
        if in_place and "delivery" not in new.options.model_fields_set:
            new = replace(new, options=new.options.model_copy(update={"delivery": Delivery(kind="files")}))
    repository = await checked_target(site, caller, new.repository, new.options)
    new = replace(new, repository=repository, user_id=caller.user_id, correlation_id=correlation_id)
    async with quotas.room(site, caller.user_id, at_once):
        return await site.app.start(new)


async def fork(site: ServerState, caller: Caller, build: Build, wanted: ForkBuild) -> str:
    """Make a build for the caller that goes on from a point of another one that they see; return its id.

    It is the caller's own: what it takes from the other one must be allowed to them, as it was at that point. No
    process carries it out yet. Raises Forbidden, TooMany, and what `App.fork` does.
    """
    await site.rates.take(BUILDS, caller.user_id)
    past = await site.tails.history.at(build.id, wanted.at) if 0 < wanted.at < build.version else build
    plan = past.plan.graph if past.plan is not None else past.spec.graph
    check_commands(site, caller, Spec(title="fork", graph=wanted.plan or plan), past.options)
    if past.project_id:
        await check_project(site, caller, past.project_id)
    await checked_target(site, caller, past.repository, past.options)
    async with quotas.room(site, caller.user_id, 0):
        return await site.app.fork(build.id, wanted, caller.user_id)


async def checked_target(site: ServerState, caller: Caller, repository: str, options: Options) -> str:
    """Return the repository to build on, checked like the remote of the delivery; "" for a build without lanes.

    Raises BadRepository.
    """
    from buildwright.workspace.source import is_remote_name

    environment, own = site.app.settings.environment, is_owner(site, caller)
    remote = options.delivery.remote
    if remote and not is_remote_name(remote):
        await checked_repository(remote, environment, own_machine=own)
    checked = await checked_repository(repository, environment, own_machine=own) if repository else ""
    by_name = options.delivery.kind in {"push", "pr"} and (not remote or is_remote_name(remote))
    if by_name and not own and checked.startswith("/"):
        # The repository's own settings say what a name means. Access that stands in it is left out.
        address = await site.app.workspace.address_of(checked, remote)
        await checked_repository(re.sub(r"(?<=://)[^/@]*@", "", address), environment, own_machine=own)
    return checked if options.lanes else ""


async def stop(site: ServerState, caller: Caller, build: Build, message: str, seconds: float) -> Build:
    """End a build and wait at most `seconds` for its end; harmless when it was ended this way before.

    Raises IllegalMove, with the state, for a build that has ended by itself.
    """
    if build.control is Control.STOPPED:
        return build
    try:
        with stating(build):
            await site.app.ask(build.id, StopBuild(message), caller.user_id)
    except IllegalMove:
        if (await site.seen.newest(build.id)).control not in {Control.STOPPING, Control.STOPPED}:
            raise
    return await settled(site, build.id, seconds)


async def settled(site: ServerState, build_id: str, seconds: float) -> Build:
    """Wait at most `seconds` until the build has ended; return it."""
    time = asyncio.get_running_loop().time
    until = time() + min(seconds, LONGEST_WAIT)
    build = await site.seen.newest(build_id)
    while not build.is_terminal and time() < until and not site.closing.is_set():
        await asyncio.sleep(_LOOK_SECONDS)
        build = await site.seen.newest(build_id)
    return build


async def stepped(site: ServerState, build: Build, step_id: str, seconds: float) -> tuple[Build, bool]:
    """Wait at most `seconds` until the build has made the step; return the build and whether it has.

    Stops waiting when the server is about to end. `build` is a state from before the step was asked for.
    """
    time = asyncio.get_running_loop().time
    until = time() + min(seconds, LONGEST_WAIT)
    while True:
        slice_seconds = max(0.0, min(_SLICE_SECONDS, until - time()))
        build = await site.app.stepped(build.id, step_id, slice_seconds, since=build)
        made = build.step is None or build.step.id != step_id
        if made or time() >= until or site.closing.is_set():
            return build, made


def refuse_ended(build: Build, what: str) -> None:
    """Raise IllegalMove, with the state, for a build that has ended or is ending."""
    if build.is_terminal or build.control is Control.STOPPING:
        refused = IllegalMove(f"the build is {state_word(build)}: it cannot be {what}", fix="start a new build")
        refused.state = state_word(build)
        raise refused
