"""Reads what is dropped into an interview: a spec, or the files that describe a repository. Must never run any of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from buildwright.core.interview_steps import InterviewMaterial
from buildwright.errors import Refused

if TYPE_CHECKING:
    from buildwright.settings import Settings

MOST_FILES: Final = 40
MOST_CHARACTERS: Final = 240_000
MOST_OF_A_FILE: Final = 20_000
MOST_OF_A_SPEC: Final = 200_000
MOST_PATHS: Final = 400
LISTED: Final = "(list of files)"
"""Name of the list of a repository's paths among its files."""

_TELLING: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"readme(\.\w+)?|(spec|prd|requirements|design|architecture|claude|agents)\.md",
        r"pyproject\.toml|package\.json|cargo\.toml|go\.mod|pom\.xml|build\.gradle(\.kts)?|gemfile|composer\.json",
        r"(docs|doc|spec|specs|design)/[^/]+\.(md|rst|txt)",
        r"(.*/)?(schema|models?)\.(sql|prisma|py|graphql)|(.*/)?openapi\.(ya?ml|json)|(.*/)?[^/]+\.proto",
        r"(.*/)?(dockerfile|containerfile|compose\.ya?ml|docker-compose\.ya?ml)|procfile|\.github/workflows/[^/]+",
        r"[^/]+\.md|makefile|requirements\.txt|setup\.cfg",
        r"(.*/)?(main|app|cli|routes?|urls|server|index|views?|api)\.\w+",
    )
)
"""Paths that tell what a project is, the most telling kind first."""


async def read_material(path: Path, settings: Settings) -> tuple[InterviewMaterial, ...]:
    """Return the files to drop in: a file as it is, of a repository the list of its paths and what tells most.

    Raises Refused, BadSpec (not a text), BadRepository, GitFailed.
    """
    if not path.is_dir():
        from buildwright.advisors.documents import read_text

        return (InterviewMaterial(path=path.name, text=read_text(path)[:MOST_OF_A_SPEC]),)
    import asyncio

    from buildwright.workspace.contents import files_of, read_files
    from buildwright.workspace.git import Git
    from buildwright.workspace.source import locate

    source = locate(str(path.absolute()), settings.environment)
    paths = await files_of(Git(settings.home, settings.environment), source)
    if not paths:
        raise Refused(f"there is no file in {path}", fix="leave out --from, or name a spec")
    root = source.work_tree or path
    chosen = list(telling(paths))[:MOST_FILES]
    contents = await asyncio.to_thread(lambda: list(read_files(root, chosen, 10 * MOST_OF_A_FILE)))
    listed = "\n".join(name.encode(errors="replace").decode() for name in paths[:MOST_PATHS])
    found = [InterviewMaterial(path=LISTED, text=listed)]
    room = MOST_CHARACTERS
    for name, content in contents:
        if not content or b"\0" in content:
            continue
        text = content.decode(errors="replace")[:MOST_OF_A_FILE]
        room -= len(text)
        if room < 0:
            break
        found.append(InterviewMaterial(path=name.encode(errors="replace").decode()[:500], text=text))
    return tuple(found)


def telling(paths: list[str]) -> Iterator[str]:
    """Yield those of the paths that tell what a project is, the most telling kind first, then the shallow ones."""
    left = sorted(paths, key=lambda path: (path.count("/"), path))
    for pattern in _TELLING:
        kind = [path for path in left if pattern.fullmatch(path)]
        yield from kind
        left = [path for path in left if path not in set(kind)]
