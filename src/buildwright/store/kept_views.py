"""Views of builds, kept in the home, so that a build is shown again without reading its journal.

Derived data: a view counts for the version that it was made of, and one that is missing or of another format is made
anew. Must never import the events, which takes longer than all else that showing a view needs.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from buildwright.core.build import Build
    from buildwright.ports import Clock
    from buildwright.views.overview import BuildView

FOLDER = "ended"
"""Its name in the home, from the time when only ended builds had a view there."""
FORMAT = 12
"""Changes whenever the fields of `BuildView` change, or what they mean."""
MOST_SHOWN = 200
"""Tasks that are shown to people. The views of larger builds are not kept."""
KEEP_SECONDS = 0.25
"""Fewest seconds between two views of a build that runs."""


class KeptRecord(dict[str, Any]):
    """A record as it was kept: its keys can be read as attributes, as those of the record it was made from."""

    __getattr__ = dict.__getitem__


class KeptView(NamedTuple):
    """The view of a build as a file has it. `clocks`: since when each time that runs on is counted."""

    view: BuildView
    clocks: dict[str, str]

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the view, for JSON."""
        return cast("KeptRecord", self.view)

    def at(self, now: datetime) -> KeptView:
        """Return the view with the times that run on counted to `now`. It is changed in place."""
        for name, timed in self._timed():
            if since := self.clocks.get(name):
                timed["seconds"] = max(0.0, (now - datetime.fromisoformat(since)).total_seconds())
        return self

    def _timed(self) -> Iterator[tuple[str, dict[str, Any]]]:
        yield "", self.fields
        for task in (*self.fields["tasks"], *self.fields["running"]):
            yield task["id"], task


def keep_view(home: Path, build: Build, now: datetime) -> None:
    """Keep the view of a build of this home, unless it has very many tasks. Failing costs only time."""
    from buildwright.views.overview import build_view, running_clocks

    path = _path(home, build.id)
    with suppress(OSError, ValueError):  # ValueError: the path of the repository is not UTF-8
        if build.total > MOST_SHOWN:
            path.unlink(missing_ok=True)
            return
        view = build_view(build, now, MOST_SHOWN).model_dump_json()
        clocks = {name: since.isoformat() for name, since in running_clocks(build).items()}
        path.parent.mkdir(mode=0o700, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(f'{{"format":{FORMAT},"view":{view},"clocks":{json.dumps(clocks)}}}', "utf-8")
        draft.replace(path)


@asynccontextmanager
async def views_kept(home: Path, build: Build, clock: Clock) -> AsyncIterator[Callable[[Build], None]]:
    """Keep the view of a build while this process runs it: of this state, and of each newer one that is handed over.

    At most one view is written in `KEEP_SECONDS`, the last when the block ends.
    """
    import asyncio

    newest, news, over = build, asyncio.Event(), asyncio.Event()

    def see(newer: Build) -> None:
        nonlocal newest
        newest = newer
        news.set()

    async def keep() -> None:
        while not over.is_set():
            await news.wait()
            news.clear()
            await asyncio.to_thread(keep_view, home, newest, clock.now())
            with suppress(TimeoutError):
                async with asyncio.timeout(KEEP_SECONDS):
                    await over.wait()
        if news.is_set():
            keep_view(home, newest, clock.now())

    see(build)
    keeping = asyncio.create_task(keep(), name="views")
    try:
        yield see
    finally:
        over.set()
        news.set()
        await asyncio.gather(keeping, return_exceptions=True)  # a build must not end with an error of its view


def kept_view(home: Path, build_id: str) -> KeptView | None:
    """Return the kept view of a build, of whatever version; None when there is none."""
    try:
        kept = json.loads(_path(home, build_id).read_text("utf-8"), object_hook=_record)
        view = KeptView(kept["view"], kept["clocks"])
        fits = kept["format"] == FORMAT and isinstance(view.view.version, int)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return view if fits else None


def _record(fields: dict[str, Any]) -> KeptRecord:
    if "cost_usd" in fields:
        fields["cost_usd"] = Decimal(fields["cost_usd"])
    return KeptRecord(fields)


def _path(home: Path, build_id: str) -> Path:
    return home / FOLDER / f"{build_id}.json"
