"""The verb `pr`: what comes back from the pull request of a build. Must never run the build."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from buildwright.cli.output import Output, one_line
from buildwright.cli.session import session
from buildwright.cli.task import say_next
from buildwright.cli.verbs import app_of

pr = app_of("pr")


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
        await say_next(app, after, output)
