"""The verb `pause`: asks a build to start nothing new. Must never end what runs."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from buildwright.cli.argv0 import typed
from buildwright.cli.output import Output
from buildwright.cli.session import session


async def pause(
    build: Annotated[str, Parameter(help="Id of the build, or its first characters; the newest when left out.")] = "",
    /,
    *,
    message: Annotated[str, Parameter(name=["--message", "-m"], help="Why, for the record.")] = "",
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> None:
    """Let nothing new start; what runs may finish. The pause survives restarts."""
    from buildwright.cli.summary import summary_fields
    from buildwright.engine.commands import PauseBuild

    output = Output(json)
    async with session() as app:
        paused, _ = await app.ask(await app.find(build), PauseBuild(message))
        if output.json:
            output.data(summary_fields(paused, app.clock.now()))
        else:
            crew = await app.crew(paused.id)
            idle = "; nothing of it runs now." if crew.in_cluster else "; no process runs it."
            output.print(f"Paused build {paused.id[:8]}" + ("; what runs now may finish." if crew.works else idle))
            output.say(typed(f"Next: buildwright resume {paused.id[:8]}"))
