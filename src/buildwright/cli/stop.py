"""The verb `stop`: asks a build to end. Must never remove what has landed."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from buildwright.cli.argv0 import typed
from buildwright.cli.exit_codes import Exit
from buildwright.cli.output import Output
from buildwright.cli.session import session
from buildwright.errors import Refused


async def stop(
    build: Annotated[str, Parameter(help="Id of the build, or its first characters; the newest when left out.")] = "",
    /,
    *,
    message: Annotated[str, Parameter(name=["--message", "-m"], help="Why, for the record.")] = "",
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
    yes: Annotated[bool, Parameter(name=["--yes", "-y", "--no-input"], help="Ask nothing.")] = False,
) -> int:
    """End a build. Its agents are ended; what has landed stays, and `resume` opens it again."""
    from buildwright.cli.summary import summary_fields
    from buildwright.engine.commands import StopBuild

    output = Output(json)
    async with session() as app:
        build_id = await app.find(build)
        if not build:
            if not (yes or output.can_ask):
                raise Refused(
                    "no build is named, and there is no terminal to ask on whether the newest is meant",
                    fix=f"say `buildwright stop {build_id[:8]}`, or add --yes",
                )
            title = (await app.builds.load(build_id)).spec.title
            if not await output.confirm(f"End build {build_id[:8]} ({title})?", yes):
                return Exit.USAGE
        ended, _ = await app.ask(build_id, StopBuild(message))
        if output.json:
            output.data(summary_fields(ended, app.clock.now()))
        else:
            output.print(f"Asked build {build_id[:8]} to end.")
            output.say(typed(f"Next: buildwright status {build_id[:8]}"))
    return Exit.DONE
