"""Delivering the result: a branch, a push, and the pull request of what was pushed. Must never open a second one.

A crash may come after each step, so each finds what is there already: the branch, and the open pull request of it.
"""

from __future__ import annotations

from buildwright.core import event as e
from buildwright.core.action import Deliver
from buildwright.core.build import Build, Stage, for_a_look
from buildwright.core.failpoint import failpoint
from buildwright.engine.action_context import ActionContext
from buildwright.errors import BuildwrightError, Conflict, ForgeFailed, GitFailed, LostLease, Refused
from buildwright.ports import Delivered, HostedAt, PullRequest, PullRequestText, Workspace
from buildwright.views.pull_request import section_of, title_of, with_section


async def deliver(bench: ActionContext, action: Deliver, build: Build) -> e.BuildDelivered | e.DeliveryFailed:
    """Bring the result to where the user asked for it; what a build that fails has proven is for a look alone.

    Raises LostLease, and what `Workspace.deliver` raises but GitFailed and Conflict.
    """
    if action.attempt > 1:
        await bench.world.clock.sleep(min(2.0 ** (action.attempt - 1), 30.0))
    in_part = build.stage is Stage.WORKING
    delivery = for_a_look(build.options.delivery) if in_part else build.options.delivery
    try:
        there = await workspace_of(bench).deliver(build.id, build.repository, action.commit, delivery, bench.guard)
        request = await _ask_to_pull(bench, build, there) if delivery.kind == "pr" else None
    except LostLease:
        raise
    except GitFailed as failure:
        return e.DeliveryFailed(message=told(failure), temporary=True)
    except ForgeFailed as failure:
        return e.DeliveryFailed(message=told(failure), temporary=failure.passes)
    except Conflict as conflict:
        return e.DeliveryFailed(message=told(conflict), temporary=False)
    except Refused as refusal:
        if delivery.kind != "pr" and build.past_end is None:
            raise
        return e.DeliveryFailed(message=told(refusal), temporary=False)
    return e.BuildDelivered(
        kind=delivery.kind,
        ref=there.ref,
        commit=there.commit,
        remote=there.remote,
        pull_request=request.address if request is not None else "",
        draft=request is not None and request.draft,
        in_part=in_part,
    )


async def _ask_to_pull(bench: ActionContext, build: Build, there: Delivered) -> PullRequest:
    """Open the pull request of the delivered branch, or update the one that is open."""
    if bench.world.open_forge is None:
        raise BuildwrightError("this build asks for a pull request, but the engine was given no forge")
    branch = there.ref.removeprefix("refs/heads/")
    failpoint("delivery.pull_request.before")
    async with bench.world.open_forge(there.address) as at:
        found = await at.forge.pull_request(at.repository, branch)
        if bench.guard is not None:
            await bench.guard()
        # What no gate has judged, or is a part of what was asked for, is not to be merged by mistake.
        draft = not build.is_whole or not build.options.gates
        mask = bench.world.mask
        title = found.title if found is not None else mask(title_of(build))
        body = with_section(found.body if found is not None else "", mask(section_of(build, there.commit)), build.id)
        text = PullRequestText(title, body, draft)
        if found is not None:
            made = await at.forge.update_pull_request(at.repository, found, text)
        else:
            made = await at.forge.open_pull_request(at.repository, branch, await _base(at, build), text)
    failpoint("delivery.pull_request.after")
    return made


async def _base(at: HostedAt, build: Build) -> str:
    """Return the branch that is to take the result: the one it was built on if the forge has it, else the usual one."""
    if build.branch and await at.forge.has_branch(at.repository, build.branch):
        return build.branch
    return (await at.forge.repository(at.repository)).default_branch


def workspace_of(bench: ActionContext) -> Workspace:
    """Return the workspace of a build that uses lanes. Raises BuildwrightError when the engine was given none."""
    workspace = bench.world.workspace
    if workspace is None:
        raise BuildwrightError("this build uses lanes, but the engine was given no workspace")
    return workspace


def told(error: BuildwrightError) -> str:
    """Return the error with its fix, as one text."""
    return f"{error} Fix: {error.fix}" if error.fix else str(error)
