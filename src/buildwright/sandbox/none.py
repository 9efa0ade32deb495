"""Runs commands as plain processes of this user: limits and a clean end, but no wall. Never claims to contain anything."""

from __future__ import annotations

from collections.abc import Callable

from buildwright.ports import Command, Completed
from buildwright.sandbox.execution import carry_out, find_program


class NoSandbox:
    """Foreign commands with the rights of this process: it can read and write what this user can.

    The environment is the given one and `BUILDWRIGHT_COMMAND`, the mark by which detached processes are found.
    `home` is the tag of the home whose later processes may end what a killed one has left.
    """

    name = "none"

    def __init__(self, home: str = "") -> None:
        self._home = home

    async def run(self, command: Command, on_output: Callable[[bytes], None] | None = None) -> Completed:
        """Raises ToolMissing when the program or the directory is not there."""
        return await carry_out(
            command, (find_program(command), *command.argv[1:]), command.env, on_output, home=self._home
        )
