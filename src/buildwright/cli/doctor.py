"""`doctor`: what this machine has, what it lacks, and what each lack costs. Contacts nobody unless asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.invocation import typed

if TYPE_CHECKING:
    from buildwright.cli.examination import Finding
    from buildwright.cli.output import Output


async def doctor(
    *,
    online: Annotated[bool, Parameter(help="Also ask whether the model providers can be reached.")] = False,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> int:
    """Check this machine: tools, keys, disk, database. Keys are never shown."""
    from buildwright.cli.examination import examine
    from buildwright.cli.exits import Exit
    from buildwright.cli.output import Output
    from buildwright.settings import Settings

    output = Output(json)
    findings = await examine(Settings.load(), online)
    healthy = all(finding.ok for finding in findings if finding.required)
    if output.json:
        output.data({"ok": healthy, "checks": [finding._asdict() for finding in findings]})
    else:
        _print(output, findings)
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
            output.print(f"  {'':<{width}}  {finding.costs}")
