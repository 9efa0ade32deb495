"""The tech stack of a finished tree, by the gates' own rules. Must never write, or run a program."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from buildwright.core.build import Build
from buildwright.errors import BadSettings
from buildwright.views.instructions import Stack, stack_of

if TYPE_CHECKING:
    from buildwright.wiring import App

_LARGEST = 200_000


async def find_stack(app: App, build: Build) -> Stack:
    """Return the stack of the build's integration head.

    Raises GitFailed, NotFound (its repository was cleared away).
    """
    from buildwright.gates.stored_tree import toolchain_of_tree

    tree = build.head_tree or build.base_tree
    if not build.options.lanes or not tree:
        return Stack()
    paths = await app.workspace.list_files(build.id, tree)
    there = frozenset(paths)

    async def read(path: str) -> bytes | None:
        return await app.workspace.read_file(build.id, tree, path, _LARGEST)

    try:
        found = await toolchain_of_tree(paths, read, build.options)
    except BadSettings as error:
        return stack_of(there, False, (), (), (error.message,))
    described = await read("pyproject.toml") if "pyproject.toml" in there else None
    setup = tuple(command for one in found.setup for command in one.commands)
    checks = tuple((check.kind, check.command) for check in found.checks)
    notes = tuple(str(finding) for finding in found.findings)
    return stack_of(there, _is_package((described or b"").decode(errors="replace")), setup, checks, notes)


def _is_package(text: str) -> bool:
    """Return whether a pyproject.toml describes an installable package, and is not only settings of tools."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return "project" in document or "build-system" in document
