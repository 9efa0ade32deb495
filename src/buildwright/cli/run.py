"""The verb `run`: goes on with a build that exists. Must never make one."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from buildwright.cli.output import Output
from buildwright.cli.reporting import PLAIN, Reporting
from buildwright.cli.session import session


async def run(
    build: Annotated[str, Parameter(help="Id of the build, or its first characters; the newest when left out.")] = "",
    /,
    *,
    reporting: Reporting = PLAIN,
    json: Annotated[bool, Parameter(help="Events as JSON lines on stdout, then one summary object.")] = False,
) -> int:
    """Go on with a build after a crash, a detach or a pause that was answered.

    Finished steps are not done again. Nothing has to be given again: the build keeps its options.
    """
    from buildwright.cli.foreground import drive_to_the_end

    reporting.check()
    async with session() as app:
        return await drive_to_the_end(app, await app.find(build), Output(json), reporting, introduce=True)
