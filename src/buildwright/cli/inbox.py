"""The verb `inbox`: prints what needs a person, over all builds. Must never answer anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.argv0 import typed
from buildwright.cli.output import Output, one_line
from buildwright.cli.session import session

if TYPE_CHECKING:
    from datetime import datetime

    from buildwright.client import Client
    from buildwright.views.inbox import Need

_MOST_BUILDS = 200
"""Builds, newest first, that are looked at."""


async def inbox(
    *,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> None:
    """Show what needs you: pauses, plans that wait, findings to approve, steps, interviews; what blocks most comes first."""
    output = Output(json)
    async with session() as app:
        needs, now = await _needs(app), app.clock.now()
    if output.json:
        output.data({"inbox": [need.model_dump(mode="json") for need in needs]})
        return
    if not needs:
        output.print("Nothing needs you.")
    for need in needs:
        _print(output, need, now)


async def _needs(app: Client) -> tuple[Need, ...]:
    from buildwright.views.inbox import inbox_of

    rows = [row for row in await app.builds.rows(_MOST_BUILDS) if not row.completed_at]
    builds = [await app.builds.load(row.build_id) for row in rows]
    running = [build for build in builds if not build.is_terminal and not build.waits_for_user and build.pause is None]
    alone = [build.id for build in running if not (await app.crew(build.id)).is_there]
    return inbox_of(builds, await app.interviews.listed(), alone)


def _print(output: Output, need: Need, now: datetime) -> None:
    from buildwright.views.money import until_words

    name = f"{need.build[:8]} " if need.build else ""
    output.print(f"{name}{one_line(need.title, 80)} (blocks {need.blocked})", style="bold")
    output.print(f"  {one_line(need.words, 300)}", wrap=True)
    if need.until is not None:
        output.print(f"  It continues by itself at {until_words(need.until, now)}.")
    for finding in need.findings:
        output.print(f"  {one_line(finding, 300)}", wrap=True)
    for remedy in need.remedies:
        output.print(f"  {remedy.words}:", wrap=True)
        if remedy.command:
            output.print(typed(f"    {remedy.command}"))
