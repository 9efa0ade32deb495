"""The verb `deliver`: has what a build that has ended has landed brought elsewhere. Must never deliver by itself."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from buildwright.cli.exit_codes import Exit
from buildwright.cli.output import Output, one_line
from buildwright.cli.session import session

Target = Literal["pr", "push", "branch", "files"]


async def deliver(
    build: Annotated[str, Parameter(help="Id of the build, its first characters, or `newest`.")],
    /,
    *,
    to: Annotated[
        Target,
        Parameter(
            help="Where it goes: to a remote with a pull request (`pr`) or without (`push`), to a `branch`, or to the"
            " `files` of your checkout."
        ),
    ] = "pr",
    branch: Annotated[str, Parameter(help="Branch for it; the one that the build has when left out.")] = "",
    json: Annotated[bool, Parameter(help="JSON on stdout: the events, then one object.")] = False,
) -> int:
    """Deliver what a build that has ended has landed, once more or elsewhere.

    A pull request that is open for the branch is updated. Of a build that has not succeeded it is a draft.
    """
    return await deliver_ended(build, to, branch, json=json)


async def deliver_ended(name: str, to: Target, branch: str, *, json: bool) -> int:
    """Have it delivered, show it, and return the exit code that says whether it was."""
    from buildwright.cli.foreground import brought_home, drive
    from buildwright.cli.summary import summary_fields
    from buildwright.engine.deliver_command import DeliverBuild

    output = Output(json)
    async with session() as app:
        before = await app.builds.load(await app.find(name))
        asked = (await app.ask(before.id, DeliverBuild(to, branch))).build
        build = await drive(app, before.id, output, since=asked)
        if not build.is_terminal:
            return Exit.INTERRUPTED
        build, late = await brought_home(app, build, output)
        code = late or (Exit.DONE if build.delivered_commit == build.head else Exit.FAILED)
        if output.json:
            fields = summary_fields(build, app.clock.now())
            output.data({"type": "summary", "exit": int(code), **fields})
        elif code is Exit.FAILED:
            output.print(f"It was not delivered: {one_line(build.delivery_error or 'it was stopped', 400)}")
        elif build.pull_request and to == "pr":
            output.print(f"Pull request: {one_line(build.pull_request, 500)}")
    return code
