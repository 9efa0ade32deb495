"""Opens Buildwright for one command. Holds nothing a verb could want to know."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from buildwright.wiring import App


@asynccontextmanager
async def session() -> AsyncIterator[App]:
    """The application for the settings of this process. Raises BadSettings."""
    from buildwright.settings import Settings
    from buildwright.wiring import open_app

    async with open_app(Settings.load()) as app:
        yield app
