"""The verb `mcp`: gives an assistant the tools for builds, over stdin and stdout. Must never print on stdout itself."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from buildwright.cli.output import Output
from buildwright.cli.session import session
from buildwright.errors import BadSettings

if TYPE_CHECKING:
    from buildwright.assistants.context import ToolContext
    from buildwright.assistants.tools import CheckWanted
    from buildwright.client import Client
    from buildwright.core.limits import Options
    from buildwright.views.precheck import PrecheckView


async def mcp() -> None:
    """Serve the tools for builds to an assistant by the Model Context Protocol, over stdin and stdout, until stdin ends.

    An assistant starts it: name `buildwright mcp` as the command of a server in its settings. Builds run in processes of
    their own, and go on when the assistant has left.
    """
    from mcp.server.stdio import stdio_server

    from buildwright.assistants.context import ToolContext
    from buildwright.assistants.server import server_of
    from buildwright.assistants.tools import TOOLS, check_tool

    if sys.stdin.isatty():
        Output(False).say(
            "An assistant speaks to this over stdin and stdout: see docs/guides/assistants.md. Ctrl-D ends it."
        )
    async with session() as client:
        context = ToolContext(client, _target, partial(_begin, client))

        @asynccontextmanager
        async def opened(_: Any) -> AsyncIterator[ToolContext]:
            yield context

        server = server_of((check_tool(_check), *TOOLS), opened)
        async with stdio_server() as (reads, writes):
            await server.run(reads, writes, server.create_initialization_options())


def _target(repository: str) -> tuple[str, Options]:
    """Return a repository by its whole path, and the options that `build` would have there without any being typed."""
    from cyclopts import CycloptsError

    from buildwright.cli.app import make_app
    from buildwright.cli.options import options_of, read_repository

    there = read_repository(repository)
    try:
        _, bound, _ = make_app().parse_args(
            ["build", "SPEC.md", "--repo", there], exit_on_error=False, print_error=False
        )
    except CycloptsError as error:
        raise BadSettings(str(error).strip(), fix="correct buildwright.toml, or your own file of options") from error
    bound.apply_defaults()
    return there, options_of(bound.arguments["given"])


async def _begin(client: Client, build_id: str) -> None:
    """Have a process of its own carry the build out, unless a server, workers or a process do."""
    from buildwright.cli.foreground import run_in_background

    if client.elsewhere or client.in_cluster or await client.builds.holder(build_id) is not None:
        return
    build = await client.builds.load(build_id)
    if not build.is_terminal and build.pause is None:  # paused: it was started before, with the same key
        await run_in_background(client, build_id)


async def _check(wanted: CheckWanted) -> PrecheckView:
    from buildwright.cli.check import look
    from buildwright.cli.quick_check import CheckOptions

    return await look(Output(True), wanted.repository, wanted.base, CheckOptions(wanted.checks, wanted.setup))
