"""`doctor`: what this machine has, what it lacks, and what each lack costs. Contacts its own servers only, unless asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.invocation import typed

if TYPE_CHECKING:
    from buildwright.cli.finding import Finding
    from buildwright.cli.output import Output
    from buildwright.ports import Leftover
    from buildwright.settings import Settings

_SHOWN = 30


async def doctor(
    *,
    online: Annotated[bool, Parameter(help="Also ask whether the model providers can be reached.")] = False,
    fix: Annotated[bool, Parameter(help="Mend what a crash left behind.")] = False,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> int:
    """Check this machine (tools, keys, disk, database) and name what a crash left behind. Keys are never shown."""
    from buildwright.cli.examination import examine
    from buildwright.cli.exits import Exit
    from buildwright.cli.output import Output
    from buildwright.errors import StoreFailed
    from buildwright.ports import Leftover
    from buildwright.settings import Settings

    output = Output(json)
    settings = Settings.load()
    findings = await examine(settings, online)
    try:
        leftovers = await _leftovers(settings, fix)
    except StoreFailed as error:
        leftovers = [Leftover(str(error), str(settings.database), None, 0, error.fix or "")]
    healthy = all(finding.ok for finding in findings if finding.required)
    if output.json:
        checks = [finding._asdict() for finding in findings]
        output.data({"ok": healthy, "checks": checks, "leftovers": [left._asdict() for left in leftovers]})
    else:
        _print(output, findings)
        _print_leftovers(output, leftovers, fix)
        output.say("Everything that is needed is here." if healthy else "Something that is needed is missing.")
        output.say(typed("Next: buildwright demo") if healthy else "Next: mend the first line marked with a cross")
    return Exit.DONE if healthy else Exit.CONFIGURATION


def _print(output: Output, findings: list[Finding]) -> None:
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        tone = "done" if finding.ok else "bad" if finding.required else "dot"
        style = {"done": "green", "bad": "red", "dot": "yellow"}[tone]
        output.print(
            f"{getattr(output.glyphs, tone)} {finding.name:<{width}}  {finding.found or 'absent'}", style=style
        )
        if not finding.ok and finding.costs:
            output.print(f"  {'':<{width}}  {typed(finding.costs)}")


async def _leftovers(settings: Settings, fix: bool) -> list[Leftover]:
    """What a crash has left, mended when asked."""
    import asyncio

    from buildwright.keeping import damage, shared

    found = await asyncio.to_thread(damage.find, settings) + await shared.find(settings)
    return await damage.mend(found) if fix else [left for left, _ in found]


def _print_leftovers(output: Output, leftovers: list[Leftover], fix: bool) -> None:
    from buildwright.cli.table import size

    if not leftovers:
        output.print("Nothing is left of a crash.")
        return
    output.print(f"Left by a crash: {len(leftovers)}", style="bold")
    for left in leftovers[:_SHOWN]:
        about = [f"since {left.since:%Y-%m-%d %H:%M} UTC"] if left.since else []
        about += [size(left.bytes)] if left.bytes else []
        glyph, style = (output.glyphs.done, "green") if left.mended else (output.glyphs.bad, "yellow")
        shown = f" ({', '.join(about)})" if about else ""
        state = "mended: " if left.mended else ""
        output.print(f"{glyph} {state}{left.what}{shown}", style=style)
        output.print(f"    {left.where}")
        if left.fix:
            output.print(f"    fix: {typed(left.fix)}")
    if len(leftovers) > _SHOWN:
        output.print(f"and {len(leftovers) - _SHOWN} more (all with --json)")
    if not fix and any(not left.fix for left in leftovers):
        output.say(typed("Mend it: buildwright doctor --fix"))
    elif any(not left.mended and not left.fix for left in leftovers):
        output.say("What is not mended has come into use meanwhile.")
