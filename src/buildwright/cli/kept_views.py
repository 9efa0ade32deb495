"""Views of builds that rest or have ended, kept in the home, so that one is shown again without reading its journal.

Derived data: a view counts for the version that it was made of, and one that is missing or of another format is made
anew. Must never import the events, which takes longer than all else that showing a view needs.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from buildwright.cli.summary import MOST_SHOWN

if TYPE_CHECKING:
    from buildwright.client import Client
    from buildwright.core.build import Build
    from buildwright.ports import BuildRow
    from buildwright.views.overview import BuildView

FOLDER = "ended"
"""Its name in the home, from the time when only ended builds had a view there."""
FORMAT = 5
"""Changes whenever the fields of `BuildView` change."""


class KeptView(dict[str, Any]):
    """A view as it was kept: its keys can be read as attributes, as those of the record it was made from."""

    __getattr__ = dict.__getitem__


def keep_view(app: Client, build: Build) -> None:
    """Keep the view of a build of this home whose clocks stand, unless it has very many tasks. Failing costs only time."""
    from buildwright.views.overview import build_view, clocks_stand

    if app.elsewhere or app.in_cluster or not clocks_stand(build) or build.total > MOST_SHOWN:
        return
    view = build_view(build, app.clock.now(), MOST_SHOWN)
    path = _path(app.settings.home, view.id)
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps({"format": FORMAT, "view": view.model_dump(mode="json")}), "utf-8")
        draft.replace(path)


def kept_view(home: Path, row: BuildRow) -> BuildView | None:
    """Return the kept view of a build as of its newest event; None when there is none."""
    try:
        kept = json.loads(_path(home, row.build_id).read_text("utf-8"), object_hook=_record)
        fits = kept["format"] == FORMAT and kept["view"]["version"] == row.version
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return cast("BuildView", kept["view"]) if fits else None


def _record(fields: dict[str, Any]) -> KeptView:
    if "cost_usd" in fields:
        fields["cost_usd"] = Decimal(fields["cost_usd"])
    return KeptView(fields)


def _path(home: Path, build_id: str) -> Path:
    return home / FOLDER / f"{build_id}.json"
