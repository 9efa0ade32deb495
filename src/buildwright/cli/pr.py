"""The verb `pr`: the pull request of a build, and what comes back from it. Must never hold a rule of a build."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from buildwright.cli.output import Output, one_line
from buildwright.cli.session import session
from buildwright.cli.task import say_next
from buildwright.cli.verbs import app_of

pr = app_of("pr")


@pr.command(name="open")
async def open_request(
    build: Annotated[str, Parameter(help="Id of the build, its first characters, or `newest`.")],
    /,
    *,
    branch: Annotated[str, Parameter(help="Branch for it; the one that the build has when left out.")] = "",
    json: Annotated[bool, Parameter(help="JSON on stdout: the events, then one object.")] = False,
) -> int:
    """Open a pull request of a build that has ended, or update the one that is open; as `deliver --to pr`."""
    from buildwright.cli.deliver import deliver_ended

    return await deliver_ended(build, "pr", branch, json=json)


@pr.command
async def feedback(
    build: Annotated[str, Parameter(help="Id of the build, its first characters, or `newest`.")],
    /,
    *,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> None:
    """Make tasks of the comments of a review, each once.

    Only comments of people with the right to write to the repository count. The build goes on with `run`; what it makes is
    pushed to the same pull request.
    """
    from buildwright.engine.feedback_command import TakeFeedback

    output = Output(json)
    async with session() as app:
        before = await app.builds.load(await app.find(build))
        after = (await app.ask(before.id, TakeFeedback())).build
        known = before.plan.position if before.plan is not None else {}
        tasks = after.plan.graph.tasks if after.plan is not None else ()
        added = [one for one in tasks if one.id not in known]
        if output.json:
            output.data({"build": after.id, "added": [one.id for one in added], "total": after.total})
            return
        for one in added:
            output.print(f"Added {one.id}: {one_line(one.title, 200)}")
        await say_next(app, before, after, output)
