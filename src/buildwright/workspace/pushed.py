"""Fetches what a push brought, and no more history than that needs. Must never run what the repository holds."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from buildwright.core.push import Push
from buildwright.errors import GitFailed
from buildwright.workspace.git import Git, persistently

_SECONDS = 120.0


class Pushed(NamedTuple):
    """A push that was fetched."""

    repository: Path
    """A bare repository that has both commits; it is gone at the end."""
    base: str
    """The commit to compare with; "" for the parent of the newest one, if it has any."""


@asynccontextmanager
async def fetched(git: Git, address: str, push: Push) -> AsyncIterator[Pushed]:
    """Fetch a push from an address of HTTP, as shallow as it allows. Raises GitFailed, DiskFull."""
    with git.aside() as folder:
        here = folder / "pushed.git"
        await git.make_bare(here, len(push.commit))
        await _fetch(git, here, address, push.commit, push.commits + 1)
        yield Pushed(here, await _base(git, here, address, push))


async def _fetch(git: Git, here: Path, address: str, commit: str, depth: int) -> None:
    words = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", f"--depth={depth}")
    ask = functools.partial(
        git.run,
        here,
        "fetch",
        *words,
        "--end-of-options",
        address,
        f"{commit}:refs/pushed/{commit}",
        protocol=urlsplit(address).scheme,
        seconds=_SECONDS,
    )
    await persistently(ask)


async def _base(git: Git, here: Path, address: str, push: Push) -> str:
    if push.before:
        if await git.resolve(here, f"{push.before}^{{commit}}"):
            return push.before
        try:
            await _fetch(git, here, address, push.before, 1)
        except GitFailed:  # a commit that no branch holds any more may be gone
            pass
        else:
            return push.before
    return await git.resolve(here, f"{push.first}~1^{{commit}}") if push.first else ""
