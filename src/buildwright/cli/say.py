"""The verb `say`: sends a message to the agents of a build. Must never wait for the receipt."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from buildwright.cli.argv0 import typed
from buildwright.cli.output import Output
from buildwright.cli.session import session


async def say(
    build: Annotated[str, Parameter(help="Id of the build, its first characters, or `newest`.")],
    text: Annotated[str, Parameter(help="What to tell them.")],
    /,
    *,
    task: Annotated[str, Parameter(help="Only the agent of this task.")] = "",
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> None:
    """Tell the agents something while they work.

    Running agents take it in at their next turn; when none runs, the next one gets it. The journal has the receipt.
    """
    from buildwright.cli.summary import next_words
    from buildwright.engine.commands import SendMessage
    from buildwright.views.overview import running_tasks

    output = Output(json)
    async with session() as app:
        build_id = await app.find(build)
        loaded, message_id = await app.ask(build_id, SendMessage(text, task))
        crew = await app.crew(build_id)
    at_work = [busy for busy in running_tasks(loaded) if task in {"", busy}] if crew.works else []
    if output.json:
        output.data({"build": build_id, "message": message_id, "task": task, "at_work": at_work, **crew.fields()})
        return
    output.print(f"Queued message {message_id} for {task or 'the agents'}.")
    if at_work:
        output.say(f"At work now: {', '.join(at_work)}. An agent that can listen receives it at its next turn.")
    elif crew.is_there:
        output.say(f"It goes to the next agent that starts{f' on {task}' if task else ''}.")
    else:
        output.say(f"It waits for the next agent. {next_words(loaded, crew)}")
        return
    output.say(typed(f"See its receipt (message.delivered): buildwright events {build_id[:8]} -f"))
