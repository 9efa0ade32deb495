"""A tool for each command of a user to a build, made from its record. Must never hold a rule of a build."""

from __future__ import annotations

from typing import Any

from pydantic import Field, create_model

from buildwright.assistants.context import ToolContext
from buildwright.assistants.tool import OfBuild, Tool
from buildwright.engine.build_command import BuildCommand, fields_of
from buildwright.engine.commands import COMMANDS, StopBuild
from buildwright.engine.task_commands import UndoTask
from buildwright.http_client import HttpClient
from buildwright.views.overview import Standing, standing_of

_TAKE_AWAY: tuple[type[BuildCommand], ...] = (StopBuild, UndoTask)


class CommandTaken(Standing):
    """A command was recorded: the state of the build with it."""

    receipt: str = Field("", description='Id of the message, review or step that was recorded; "" for other commands.')


def command_tools() -> tuple[Tool, ...]:
    """Return the tools, in the order of the commands."""
    return tuple(_tool_of(kind) for kind in COMMANDS)


def _tool_of(kind: type[BuildCommand]) -> Tool:
    takes = create_model(f"{kind.__name__}Wanted", __base__=OfBuild, __doc__=kind.__doc__, **fields_of(kind))

    async def act(context: ToolContext, wanted: OfBuild) -> CommandTaken:
        given: dict[str, Any] = {name: value for name, value in dict(wanted).items() if name != "build"}
        command, client, receipt = kind(**given), context.client, ""
        build = await client.builds.load(await client.find(wanted.build))
        if isinstance(client, HttpClient) or not command.holds(build):  # a server says whether the caller may, too
            build, receipt = await client.ask(build.id, command)
        if kind.wakes:
            await context.begin(build.id)
        return CommandTaken(**dict(standing_of(build)), receipt=receipt if kind.receipt else "")

    words = f"Of a build: {kind.__doc__ or kind.name}"
    return Tool(kind.name, words, takes, CommandTaken, act, reads=False, takes_away=kind in _TAKE_AWAY)
