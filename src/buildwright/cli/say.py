"""`say`: a word to the agents while they work."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from buildwright.cli.invocation import typed


async def say(
    build: Annotated[str, Parameter(help="Id of the build, or its first characters.")],
    text: Annotated[str, Parameter(help="What to tell them.")],
    /,
    *,
    task: Annotated[str, Parameter(help="Only the agent of this task.")] = "",
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> int:
    """Tell the agents something while they work.

    Running agents take it in at their next turn; when none runs, the next one gets it. The journal has the receipt.
    """
    from buildwright.cli.exits import Exit
    from buildwright.cli.output import Output
    from buildwright.cli.session import session

    output = Output(json)
    async with session() as app:
        build_id = await app.find(build)
        message_id = await app.say(build_id, text, task=task)
    if output.json:
        output.data({"build": build_id, "message": message_id, "task": task})
    else:
        output.print(f"Queued message {message_id} for {task or 'every running agent, or the next'}.")
        output.say(typed(f"See its receipt: buildwright events {build_id[:8]} -f"))
    return Exit.DONE
