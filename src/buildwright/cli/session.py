"""Opens Buildwright for one command. Holds nothing a verb could want to know."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from buildwright.core.spec import Spec
    from buildwright.wiring import App

_LARGEST_LOG = 1_000_000


@asynccontextmanager
async def session(*, here: bool = False) -> AsyncIterator[App]:
    """The application for the settings of this process: the server of BUILDWRIGHT_URL, else the store itself.

    `here` for verbs that look after this machine. Raises BadSettings.
    """
    from buildwright.settings import Settings
    from buildwright.wiring import open_app

    settings = Settings.load()
    if settings.server_url and not here:
        from buildwright.cli.remote import open_remote
        from buildwright.cli.stream_client import find_server

        server = find_server(settings)
        assert server is not None, "the settings name one"
        async with open_remote(server) as remote:
            yield cast("App", remote)  # it has what verbs use of one
        return
    async with open_app(settings) as app:
        keep_warnings(settings.home / "warnings.log")
        yield app


def keep_warnings(file: Path) -> None:
    """What libraries warn of goes to a file under the home: raw on the terminal it would tear the live view."""
    import logging

    if file.exists() and file.stat().st_size > _LARGEST_LOG:
        file.replace(file.with_suffix(".old.log"))
    handler = logging.FileHandler(file, encoding="utf-8", delay=True)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(name)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    for old in root.handlers:
        old.close()
    root.handlers[:] = [handler]


async def read_spec(path: Path) -> Spec:
    """A spec or task list from a file. Raises BadSpec naming the file, and the line or key."""
    from buildwright.advisors.spec_file import read_spec as read

    return read(path)
