"""Opens the store or a server for one command. Must never hold the logic of a verb."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from buildwright.cli.output import Output, one_line

if TYPE_CHECKING:
    from buildwright.client import Client
    from buildwright.core.spec import Spec
    from buildwright.settings import Settings
    from buildwright.stream_client import Notice
    from buildwright.wiring import App

_LARGEST_LOG = 1_000_000
_ISSUE = re.compile(r"issue:#?([1-9][0-9]{0,9})", re.ASCII)


@asynccontextmanager
async def session() -> AsyncIterator[Client]:
    """Open the server that BUILDWRIGHT_URL names, else the store of this home. Raises BadSettings."""
    from buildwright.client import open_client
    from buildwright.settings import Settings

    settings = Settings.load()
    async with open_client(settings, print_notice) as client:
        if client.elsewhere:
            yield client
            return
        keep_warnings(settings.home / "warnings.log")
        if not settings.environment.get("BUILDWRIGHT_EVENTS"):
            yield client
            return
        async with _kept_events(client):
            yield client


def say_odd_keys(client: Client, output: Output, *, played: bool) -> None:
    """Say which keys do not look like those of their provider, before one is sent. `played`: no model is asked."""
    for odd in () if played or client.elsewhere else client.settings.odd_keys:
        output.say(f"warning: {odd}", style="yellow")


def _kept_events(client: Client) -> AbstractAsyncContextManager[None]:
    """Keep the files of events that BUILDWRIGHT_EVENTS asks for."""
    import logging

    from buildwright.maintenance.event_files import kept_events
    from buildwright.wiring import masker_of

    settings = client.settings
    tell = logging.getLogger("buildwright").warning
    return kept_events(settings.environment, masker_of(settings), client.builds, client.clock, tell)


@asynccontextmanager
async def local_session() -> AsyncIterator[App]:
    """Open the store of this home, also if BUILDWRIGHT_URL names a server. Raises BadSettings."""
    from buildwright.settings import Settings
    from buildwright.wiring import open_app

    settings = Settings.load()
    async with open_app(settings) as app:
        keep_warnings(settings.home / "warnings.log")
        yield app


def print_notice(notice: Notice) -> None:
    """Print that the connection to the server is lost, or is back."""
    from buildwright.cli.live import LiveView
    from buildwright.cli.output import Output
    from buildwright.wiring import SystemClock

    LiveView(Output(False), SystemClock()).notice(notice)


def keep_warnings(file: Path) -> None:
    """Send the warnings of libraries to `file`: on the terminal they would tear the live view apart."""
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


async def read_spec(path: Path, tag: str = "") -> Spec:
    """Read a spec, or the task list under a tag, from a file. Raises BadSpec naming the file, and the line or key."""
    from buildwright.advisors.spec_file import read_spec as read

    return read(path, tag=tag)


async def read_spec_or_issue(path: Path, tag: str, repository: str, settings: Settings) -> Spec:
    """Read a spec from a file, or from the issue N of the repository's forge for the path `issue:N`.

    An issue of a user without the right to write there is Refused: agents do what its text asks for. Raises
    BadSpec, BadRepository, BadSettings, NotFound, ForgeFailed.
    """
    number = _ISSUE.fullmatch(str(path))
    if number is None:
        return await read_spec(path, tag)
    from buildwright.advisors.spec_file import read_spec as read
    from buildwright.errors import Refused
    from buildwright.wiring.forges import issue_of

    found = await issue_of(repository, int(number[1]), settings)
    if not found.may_write:
        raise Refused(
            f"issue {found.number} is by {found.author or 'a deleted user'}, who may not write to the repository, and "
            "agents do what its text asks for",
            fix=f"read {found.address}, save what is to be built in a file, and name that file",
        )
    return read(Path(f"issue-{found.number}.md"), f"# {one_line(found.title, 200)}\n\n{found.text}\n", tag)
