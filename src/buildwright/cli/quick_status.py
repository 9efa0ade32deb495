"""The verb `status` of what is in rows and kept views: quick enough for a prompt.

Must never import the parser of command lines, asyncio or a model: each takes longer than all that is done here.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from buildwright.cli.argv0 import typed
from buildwright.cli.exit_codes import Exit
from buildwright.cli.output import Output, one_line
from buildwright.cli.runners_text import no_process, run_by
from buildwright.cli.summary import print_view, view_fields
from buildwright.cli.table import Column, duration, table
from buildwright.core.figures import money
from buildwright.errors import NotFound
from buildwright.settings import Settings
from buildwright.store.kept_views import KEEP_SECONDS, KeptView, kept_view

if TYPE_CHECKING:
    from pathlib import Path

    from buildwright.cli.runners_text import NobodyThere
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
    from buildwright.store.build_rows import find_rows, project_names

    settings = Settings.load()
    if settings.server_url or settings.database_url:
        return None
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    output = Output("--json" in flags)
    build = "".join(words)
    if "--all" in flags:
        found = find_rows(settings.database, MOST_LISTED, "")
        rows = [each.row for each in found]
        views = {row.build_id: kept_view(settings.home, row.build_id) for row in rows}
        costs = {build: kept.view.usage.cost_usd for build, kept in views.items() if kept is not None}
        if len(costs) < len(rows):
            return None
        resting = _left(found)
        names = project_names(settings.database, {row.project_id for row in rows})
        show_list(rows, costs, output, names, resting=resting, times=kept_times(settings.home, rows, resting))
    elif "--short" in flags:
        found = find_rows(settings.database, *asked_rows(build))
        rows, resting = [each.row for each in found], _left(found)
        show_short(rows, build, output, resting, kept_times(settings.home, rows, resting))
    else:
        return _show_kept(settings, "" if build == "newest" else build, output)
    return Exit.DONE


def _left(found: Sequence[FoundRow]) -> frozenset[str]:
    """Return the builds that would run on, and no process runs."""
    return frozenset(each.row.build_id for each in found if each.row.runs_on and each.holder is None)


def kept_times(home: Path, rows: Sequence[BuildRow], resting: Collection[str]) -> dict[str, float]:
    """Return the working time in seconds of each build of this home that has a kept view; `resting`: that no process runs."""
    now = datetime.now(UTC)
    views = {row.build_id: (row, kept_view(home, row.build_id)) for row in rows}
    return {
        build: kept.at(row.updated_at if build in resting else now).view.seconds
        for build, (row, kept) in views.items()
        if kept is not None
    }


def _show_kept(settings: Settings, prefix: str, output: Output) -> Exit | None:
    """Show a build from its kept view. Returns None when there is none of its newest event, or not one such build."""
    from buildwright.store.build_rows import find_row

    found = find_row(settings.database, prefix)
    kept = _newest_view(settings, found) if found is not None else None
    if found is None or kept is None:
        return None
    held = found.holder is not None
    view = kept.at(datetime.now(UTC) if held else found.row.updated_at).view
    missing = None if held else no_process(view.id)
    if output.json:
        output.data({**view_fields(view, kept.fields, missing), "runner": found.holder, "workers": []})
    else:
        show_view(output, view, run_by(found.holder), missing)
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


def show_view(output: Output, view: BuildView, crew: Sequence[str], missing: NobodyThere | None) -> None:
    """Print a build for people: `crew` has lines on what runs it, `missing` is given when no process or worker is there."""
    output.print(f"Build {view.id}")
    for line in crew:
        output.print(line)
    print_view(output, view, missing)


def asked_rows(build: str) -> tuple[int, str]:
    """Return how many rows to ask for, and the beginning of their ids, to know one build, or that it is not one."""
    prefix = "" if build == "newest" else build
    return (2 if prefix else 1), prefix


def show_short(
    rows: Sequence[BuildRow],
    build: str,
    output: Output,
    resting: Collection[str] = frozenset(),
    times: Mapping[str, float] | None = None,
) -> None:
    """Print the row of a build as one line. `resting`: builds that no process runs.

    Raises NotFound when `build` begins no id, or several.
    """
    _, prefix = asked_rows(build)
    if prefix and len(rows) != 1:
        what = "more than one build begins" if rows else "there is no build that begins"
        raise NotFound(f"{what} with {build}", fix="see `buildwright status --all`")
    if output.json:
        output.data({"build": asdict(rows[0]) if rows else None})
    elif rows:
        state = _short_state(rows[0], datetime.now(UTC), resting, times or {})
        output.print(f"{rows[0].build_id[:8]} {state}  {one_line(rows[0].title, 40)}")


def _short_state(row: BuildRow, now: datetime, resting: Collection[str], times: Mapping[str, float]) -> str:
    """Return the state of a build in a few words, with its time."""
    task = f" {row.current_task_id}" if row.current_task_id and not row.outcome else ""
    return f"{_state(row)}{task}, {duration(_seconds(row, now, resting, times))}"


def _seconds(row: BuildRow, now: datetime, resting: Collection[str], times: Mapping[str, float]) -> float:
    """Return how long a build has been at work: by its view, else from its creation to its end or its last event."""
    if row.build_id in times:
        return times[row.build_id]
    rests = not row.runs_on or row.build_id in resting
    until = row.completed_at or (row.updated_at if rests else now)
    return max(0.0, (until - row.created_at).total_seconds())


def _state(row: BuildRow) -> str:
    return row.outcome or (row.phase if row.control == "running" else row.control)


def list_state(row: BuildRow) -> str:
    """Return one of the states that a list is filtered by: `running`, `paused`, `succeeded`, `failed` or `stopped`."""
    if row.outcome:
        return "stopped" if row.outcome == "aborted" else row.outcome
    return "paused" if row.control == "paused" else "running"


def show_list(
    rows: Sequence[BuildRow],
    costs: Mapping[str, Decimal],
    output: Output,
    names: Mapping[str, str],
    *,
    resting: Collection[str],
    times: Mapping[str, float],
    chosen: bool = False,
) -> None:
    """Print the builds as a table, newest first, with what each cost.

    `names`: of projects that were given one, by their ids. `resting`: builds that no process runs. `times`: those of
    their views, where there are. `chosen`: not all builds were asked for.
    """
    now = datetime.now(UTC)
    if output.json:
        facts = [
            {
                **asdict(row),
                "project": names.get(row.project_id, row.project_id),
                "seconds": _seconds(row, now, resting, times),
                "cost_usd": costs.get(row.build_id, Decimal(0)),
            }
            for row in rows
        ]
        output.data({"builds": facts})
        return
    if not rows:
        output.print("There is no such build." if chosen else "There are no builds yet.")
        output.say(typed(f"Next: buildwright {'status --all' if chosen else 'demo'}"))
        return
    columns = (
        Column("build"),
        Column("state"),
        Column("project", leaves=3),
        Column("created", leaves=2),
        Column("time", right=True, leaves=4),
        Column("cost", right=True, leaves=5),
        Column("title", leaves=1),
    )
    lines = [
        (
            row.build_id[:8],
            _state(row),
            one_line(names.get(row.project_id, row.project_id), 40),
            f"{row.created_at:%Y-%m-%d %H:%M}",
            duration(_seconds(row, now, resting, times)),
            money(costs[row.build_id]) if costs.get(row.build_id) else "",
            one_line(row.title),
        )
        for row in rows
    ]
    output.lines(table(columns, lines, output.width))
    if len(rows) == MOST_LISTED:
        output.say(f"The newest {MOST_LISTED} are shown; --state and --project choose among all.")
