"""Runs commands as plain processes of this user: limits and a clean end, but no isolation. Must never claim any."""

from __future__ import annotations

from collections.abc import Callable

from buildwright.ports import Command, Completed
from buildwright.sandbox.execution import carry_out, find_program


class NoSandbox:
    """Foreign commands with the rights of this process: they can read and write what this user can.

    `BUILDWRIGHT_COMMAND`, the mark by which detached processes are found, is added to the given environment. `home` is
    the tag of the home whose later processes may end what a killed one left.
    """

    name = "none"

    def __init__(self, home: str = "") -> None:
        self._home = home

    async def run(self, command: Command, on_output: Callable[[bytes], None] | None = None) -> Completed:
        """Run the command to its end. Raises ToolMissing when the program or the directory is missing."""
        return await carry_out(
            command, (find_program(command), *command.argv[1:]), command.env, on_output, home=self._home
        )
