"""Finds the toolchain of a tree that is only stored. Must never write, or run a program."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from buildwright.core.limits import Options
from buildwright.gates.project_folder import ProjectFiles, Toolchain
from buildwright.gates.toolchain import find_toolchain

_ROUNDS = 6


async def toolchain_of_tree(
    paths: Sequence[str], read: Callable[[str], Awaitable[bytes | None]], options: Options
) -> Toolchain:
    """Return the toolchain as if every program was installed. Raises BadSettings when buildwright.toml is wrong.

    Only the toolchain knows which files it needs: it is asked again until it has read them all.
    """
    there = frozenset(paths)
    known: dict[str, str | None] = {}
    found = Toolchain((), ())
    for _ in range(_ROUNDS):
        wanted: list[str] = []

        def text_of(path: str, wanted: list[str] = wanted) -> str | None:
            if path in there and path not in known:
                wanted.append(path)
            return known.get(path)

        found = find_toolchain(ProjectFiles(paths, text_of, lambda _: True, "python", has_pytest=False), options)
        if not wanted:
            break
        for path in dict.fromkeys(wanted):
            content = await read(path)
            known[path] = content.decode(errors="replace") if content is not None else None
    return found
