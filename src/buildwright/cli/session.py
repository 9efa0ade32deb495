"""Opens Buildwright for one command. Holds nothing a verb could want to know."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from buildwright.core.spec import Spec
    from buildwright.wiring import App


@asynccontextmanager
async def session() -> AsyncIterator[App]:
    """The application for the settings of this process. Raises BadSettings."""
    from buildwright.settings import Settings
    from buildwright.wiring import open_app

    async with open_app(Settings.load()) as app:
        yield app


async def read_spec(path: Path) -> Spec:
    """A spec or task list from a file. Raises BadSpec naming the file, and the line or key."""
    from buildwright.advisors.spec_file import read_spec as read

    return read(path)
