"""The verb `doctor`: checks this machine and lists what a crash left behind. Must never print a key.

It runs programs only to see that they work. It contacts only our own servers, and model providers with `--online`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.argv0 import typed
from buildwright.cli.exit_codes import Exit
from buildwright.cli.output import Output
from buildwright.cli.table import Column, size, table
from buildwright.errors import BuildwrightError, StoreFailed
from buildwright.settings import KEYS, Settings

if TYPE_CHECKING:
    from buildwright.maintenance.home_parts import HomePart
    from buildwright.maintenance.machine import CheckResult
    from buildwright.ports import Leftover

_SHOWN = 30


async def doctor(
    *,
    online: Annotated[bool, Parameter(help="Also ask whether the model providers can be reached.")] = False,
    fix: Annotated[bool, Parameter(help="Clean up what crashed runs left behind.")] = False,
    agents: Annotated[bool, Parameter(help="Only start each agent's program in the sandbox, and list them.")] = False,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> int:
    """Check this machine (tools, keys, disk, database) and name what a crash left behind. Keys are never shown."""
    from buildwright.cli.agent_list import list_agents, print_installed
    from buildwright.maintenance.agents_here import agents_here
    from buildwright.maintenance.machine import examine
    from buildwright.ports import Leftover

    output, settings = Output(json), Settings.load()
    if agents:
        await list_agents(output, settings)
        return Exit.DONE
    results = await examine(settings, online=online)
    parts = await _parts(settings)
    try:
        leftovers = await _leftovers(settings, fix)
    except StoreFailed as error:
        leftovers = [Leftover(str(error), str(settings.database), None, 0, error.fix or "")]
    healthy = all(result.ok for result in results if result.required)
    if output.json:
        checks = [result._asdict() for result in results]
        there = [state._asdict() for state in await agents_here(settings, start=False)]
        left_behind = [left._asdict() for left in leftovers]
        home = {"path": str(settings.home), "parts": [asdict(part) for part in parts]}
        output.data({"ok": healthy, "checks": checks, "home": home, "agents": there, "leftovers": left_behind})
    else:
        _print(output, results)
        _print_parts(output, settings.home, parts)
        output.print(typed("Agents (whether each starts in the sandbox: buildwright doctor --agents)"), style="bold")
        await print_installed(output, settings)
        await _print_repository(output)
        _print_leftovers(output, leftovers, fix)
        has_key = any(result.ok for result in results if result.name in KEYS)
        no_key = "" if has_key else " No key of a model is set: only the demo and complete task lists can be built."
        output.say(f"Ready.{no_key}" if healthy else "Not ready: something that is needed is missing.")
        output.say(typed("Next: buildwright demo") if healthy else "Next: fix the first line marked with a cross")
    return Exit.DONE if healthy else Exit.CONFIGURATION


async def _print_repository(output: Output) -> None:
    """Print what would judge the repository in the working directory; `check` also runs it."""
    from buildwright.cli.check import found_here

    try:
        if await found_here(output) is not None:
            output.print(typed("  whether it passes: buildwright check"))
    except BuildwrightError as error:
        output.print(f"The repository here cannot be looked at: {error}" + (f" Fix: {error.fix}" if error.fix else ""))


def _print(output: Output, results: list[CheckResult]) -> None:
    """Print one line for each check, with what follows from a failed one."""
    width = max(len(result.name) for result in results)
    for result in results:
        tone = "done" if result.ok else "bad" if result.required else "dot"
        style = {"done": "green", "bad": "red", "dot": "yellow"}[tone]
        output.print(f"{getattr(output.glyphs, tone)} {result.name:<{width}}  {result.found or 'absent'}", style=style)
        if not result.ok and (result.costs or result.fix):
            output.print(f"  {'':<{width}}  {typed(': '.join(filter(None, (result.costs, result.fix))))}")


async def _parts(settings: Settings) -> list[HomePart]:
    """Return how large the parts of the home are."""
    import asyncio

    from buildwright.maintenance.home_parts import parts_of

    return await asyncio.to_thread(parts_of, settings.home)


def _print_parts(output: Output, home: Path, parts: Sequence[HomePart]) -> None:
    """Print how large the home is, by part, and what each part goes with."""
    if not parts:
        return
    least = "" if all(part.whole for part in parts) else "at least "
    total = f"{least}{size(sum(part.bytes for part in parts))}"
    output.print(
        f"What is kept in {home}: {total} in {sum(part.files for part in parts):,} files and folders", style="bold"
    )
    columns = [Column("part"), Column("size", right=True), Column("files", right=True), Column("goes")]
    rows = [
        (
            part.name,
            ("" if part.whole else "at least ") + size(part.bytes),
            ("" if part.whole else "at least ") + f"{part.files:,}",
            typed(part.goes),
        )
        for part in parts
    ]
    output.lines(table(columns, rows, output.width))
    output.print(typed("  what would go now: buildwright prune --dry-run"))


async def _leftovers(settings: Settings, fix: bool) -> list[Leftover]:
    """Return what a crash left behind; with `fix`, mend it first. Raises StoreFailed."""
    import asyncio

    from buildwright.maintenance import repair, shared

    found = await asyncio.to_thread(repair.find, settings) + await shared.find(settings)
    return await repair.mend(found) if fix else [left for left, _ in found]


def _print_leftovers(output: Output, leftovers: list[Leftover], fix: bool) -> None:
    """Print what a crash left behind, at most 30 entries, and how to mend it."""
    if not leftovers:
        output.print("No leftovers of crashed runs.")
        return
    output.print(f"Left by crashed runs: {len(leftovers)}", style="bold")
    for left in leftovers[:_SHOWN]:
        about = [f"since {left.since:%Y-%m-%d %H:%M} UTC"] if left.since else []
        about += [size(left.bytes)] if left.bytes else []
        glyph, style = (output.glyphs.done, "green") if left.mended else (output.glyphs.bad, "yellow")
        shown = f" ({', '.join(about)})" if about else ""
        state = "fixed: " if left.mended else ""
        output.print(f"{glyph} {state}{left.what}{shown}", style=style)
        output.print(f"    {left.where}")
        if left.fix:
            output.print(f"    fix: {typed(left.fix)}")
    if len(leftovers) > _SHOWN:
        output.print(f"and {len(leftovers) - _SHOWN} more (all with --json)")
    if not fix and any(not left.fix for left in leftovers):
        output.say(typed("Clean up: buildwright doctor --fix"))
    elif any(not left.mended and not left.fix for left in leftovers):
        output.say("What was not cleaned up has come into use meanwhile.")
