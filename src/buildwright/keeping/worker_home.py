"""Keeps the home of a worker small: what its builds needed goes when they have ended. Never touches the hub or a journal.

Whatever goes here can be had again from the hub, and a worker may be at work in the home meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from buildwright.core.build import Control
from buildwright.keeping.files import remove_old
from buildwright.ports import Builds
from buildwright.workspace import GitWorkspace
from buildwright.workspace.retention import Attic
from buildwright.workspace.sizes import size_of

_REST = timedelta(hours=1)
"""A build that ended less long ago may still be let go of by who worked on it last."""
_EVERY = 10**9


async def tidy(home: Path, environment: Mapping[str, str], builds: Builds, now: datetime, age: timedelta) -> int:
    """Remove what no unfinished build needs, and caches that were not used for `age`; how many bytes that gave.

    Raises StoreFailed, GitFailed, DiskFull; the next time goes on.
    """
    before = size_of(home)
    attic, workspace = Attic(home, environment), GitWorkspace(home, environment)
    # Pins first: a build that comes meanwhile is then among the rows, or not among the pins.
    pins = attic.pins()
    rows = {row.build_id: row for row in await builds.rows(limit=_EVERY)}
    for build_id in pins:
        row = rows.get(build_id)
        if row is None or (row.control in {Control.FINISHED, Control.STOPPED} and now - row.updated_at > _REST):
            await attic.retire(build_id, workspace)
    await attic.drop_unused()
    remove_old(home, age, rows)
    return max(before - size_of(home), 0)
