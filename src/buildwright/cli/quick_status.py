"""The verb `status` of what is in rows and kept views: quick enough for a prompt.

Must never import the parser of command lines, asyncio or a model: each takes longer than all that is done here.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from buildwright.cli.argv0 import typed
from buildwright.cli.exit_codes import Exit
from buildwright.cli.output import Output, one_line
from buildwright.cli.runners_text import no_process, run_by
from buildwright.cli.summary import print_view, view_fields
from buildwright.cli.table import Column, duration, table
from buildwright.errors import NotFound
from buildwright.settings import Settings
from buildwright.store.kept_views import KEEP_SECONDS, KeptView, kept_view

if TYPE_CHECKING:
    from buildwright.ports import BuildRow
    from buildwright.store.build_rows import FoundRow
    from buildwright.views.overview import BuildView

_FLAGS = ("--all", "--short", "--json")
_WAIT_SECONDS = 4 * KEEP_SECONDS
"""How long to wait until the process that runs a build has kept its newest view."""
MOST_LISTED = 50


def quick_status(argv: Sequence[str]) -> Exit | None:
    """Carry out `status` with these arguments, or return None: then the verb itself does it. Raises NotFound."""
    flags = [word for word in argv if word in _FLAGS]
    words = [word for word in argv if word not in _FLAGS]
    doubtful = len(set(flags)) < len(flags) or len(words) > 1 or any(word.startswith("-") for word in words)
    if doubtful or {"--all", "--short"} <= set(flags):
        return None
    from buildwright.store.build_rows import list_rows

    settings = Settings.load()
    if settings.server_url or settings.database_url:
        return None
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    output = Output("--json" in flags)
    build = "".join(words)
    if "--all" in flags:
        show_list(list_rows(settings.database, MOST_LISTED, ""), output)
    elif "--short" in flags:
        show_short(list_rows(settings.database, *asked_rows(build)), build, output)
    else:
        return _show_kept(settings, "" if build == "newest" else build, output)
    return Exit.DONE


def _show_kept(settings: Settings, prefix: str, output: Output) -> Exit | None:
    """Show a build from its kept view. Returns None when there is none of its newest event, or not one such build."""
    from buildwright.store.build_rows import find_row

    found = find_row(settings.database, prefix)
    kept = _newest_view(settings, found) if found is not None else None
    if found is None or kept is None:
        return None
    view = kept.at(datetime.now(UTC)).view
    if output.json:
        output.data({**view_fields(view, kept.fields), "runner": found.holder, "workers": []})
    else:
        show_view(output, view, run_by(found.holder), "" if found.holder else no_process(view.id))
    return Exit.DONE


def _newest_view(settings: Settings, found: FoundRow) -> KeptView | None:
    """Return the view of a build as of the event in its row or a later one, waiting for the process that runs it."""
    until = time.monotonic() + _WAIT_SECONDS
    while True:
        kept = kept_view(settings.home, found.row.build_id)
        if kept is None or kept.view.version >= found.row.version:
            return kept
        if found.holder is None or time.monotonic() > until:
            return None
        time.sleep(KEEP_SECONDS / 5)


def show_view(output: Output, view: BuildView, crew: Sequence[str], missing: str) -> None:
    """Print a build for people: `crew` has lines on what runs it, `missing` what to type when no process does."""
    output.print(f"Build {view.id}")
    for line in crew:
        output.print(line)
    print_view(output, view)
    waits = view.control == "paused" or (view.control == "running" and view.steps is not None and not view.steps.asked)
    if missing and not waits and not view.outcome:
        output.say(missing)


def asked_rows(build: str) -> tuple[int, str]:
    """Return how many rows to ask for, and the beginning of their ids, to know one build, or that it is not one."""
    prefix = "" if build == "newest" else build
    return (2 if prefix else 1), prefix


def show_short(rows: Sequence[BuildRow], build: str, output: Output) -> None:
    """Print the row of a build as one line. Raises NotFound when `build` begins no id, or several."""
    _, prefix = asked_rows(build)
    if prefix and len(rows) != 1:
        what = "more than one build begins" if rows else "there is no build that begins"
        raise NotFound(f"{what} with {build}", fix="see buildwright status --all")
    if output.json:
        output.data({"build": asdict(rows[0]) if rows else None})
    elif rows:
        output.print(f"{rows[0].build_id[:8]} {short_state(rows[0], datetime.now(UTC))}  {one_line(rows[0].title, 40)}")


def short_state(row: BuildRow, now: datetime) -> str:
    """Return the state of a build in a few words, with its time: to its end, of a paused one to its last event."""
    task = f" {row.current_task_id}" if row.current_task_id and not row.outcome else ""
    until = row.completed_at or (row.updated_at if row.control == "paused" else now)
    return f"{_state(row)}{task}, {duration(max(0.0, (until - row.created_at).total_seconds()))}"


def _state(row: BuildRow) -> str:
    return row.outcome or (row.phase if row.control == "running" else row.control)


def show_list(rows: Sequence[BuildRow], output: Output) -> None:
    """Print the builds as a table, newest first."""
    if output.json:
        output.data({"builds": [asdict(row) for row in rows]})
        return
    if not rows:
        output.print("There are no builds yet.")
        output.say(typed("Next: buildwright demo"))
        return
    columns = (Column("build"), Column("state"), Column("created", leaves=1), Column("title", leaves=2))
    lines = [(row.build_id[:8], _state(row), f"{row.created_at:%Y-%m-%d %H:%M}", one_line(row.title)) for row in rows]
    output.lines(table(columns, lines, output.width))
