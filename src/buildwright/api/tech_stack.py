"""The tech stack of a finished tree, by the gates' own rules. Must never write, or run a program."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from buildwright.core.build import Build
from buildwright.errors import BadSettings
from buildwright.views.instructions import Stack, stack_of

if TYPE_CHECKING:
    from buildwright.wiring import App

_ROUNDS = 6
_LARGEST = 200_000


async def find_stack(app: App, build: Build) -> Stack:
    """Return the stack of the build's integration head.

    Raises GitFailed, NotFound (its repository was cleared away).
    """
    from buildwright.gates.toolchain import ProjectFiles, find_toolchain

    tree = build.head_tree or build.base_tree
    if not build.options.lanes or not tree:
        return Stack()
    paths = await app.workspace.list_files(build.id, tree)
    known: dict[str, str | None] = {}
    there = frozenset(paths)
    for _ in range(_ROUNDS):
        # Only the toolchain knows which files it needs: it is asked again until it has read them all.
        wanted: list[str] = []

        def read(path: str, wanted: list[str] = wanted) -> str | None:
            if path in there and path not in known:
                wanted.append(path)
            return known.get(path)

        try:
            found = find_toolchain(ProjectFiles(paths, read, lambda _: True, "python", has_pytest=False), build.options)
        except BadSettings as error:
            return stack_of(there, False, (), (), (error.message,))
        if not wanted:
            break
        for path in dict.fromkeys(wanted):
            content = await app.workspace.read_file(build.id, tree, path, _LARGEST)
            known[path] = content.decode(errors="replace") if content is not None else None
    if "pyproject.toml" in there and "pyproject.toml" not in known:
        content = await app.workspace.read_file(build.id, tree, "pyproject.toml", _LARGEST)
        known["pyproject.toml"] = content.decode(errors="replace") if content is not None else None
    setup = tuple(command for one in found.setup for command in one.commands)
    checks = tuple((check.kind, check.command) for check in found.checks)
    notes = tuple(str(finding) for finding in found.findings)
    return stack_of(there, _is_package(known.get("pyproject.toml") or ""), setup, checks, notes)


def _is_package(text: str) -> bool:
    """Return whether a pyproject.toml describes an installable package, and is not only settings of tools."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return "project" in document or "build-system" in document
