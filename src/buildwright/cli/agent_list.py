"""What `doctor` shows of agents: every one that a build can name, and with `--agents` whether it starts in the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildwright.cli.output import Output
from buildwright.settings import Settings

if TYPE_CHECKING:
    from buildwright.maintenance.agents_here import AgentState


async def list_agents(output: Output, settings: Settings) -> None:
    """Start the agents and print them, three lines for each, and a fourth for one that asks for what it may not reach."""
    from buildwright.cli.event_text import denied_places
    from buildwright.maintenance.agents_here import agents_here

    states = await agents_here(settings)
    if output.json:
        output.data({"agents": [state._asdict() for state in states]})
        return
    for state in states:
        tried = f" (tried: {state.tried})" if state.tried else ""
        _print_first(output, state, f"{state.trouble or state.version}{tried}")
        can = [
            f"asks by {', '.join(state.protocols)}" if state.protocols else "asks as its command says",
            "continues its conversation" if state.resumes else "begins each attempt again",
            f"is told {state.told}",
            "is held to the budget" if state.budget else "",
            "tells events" if state.events else "tells text",
        ]
        output.print(f"  {'':<9} {'; '.join(filter(None, can))}")
        if state.asked:
            output.print(f"  {'':<9} asked for {denied_places(state.asked)}, which it may not reach")


async def print_installed(output: Output, settings: Settings) -> None:
    """Print which agents are there, without starting one."""
    from buildwright.maintenance.agents_here import agents_here

    for state in await agents_here(settings, start=False):
        _print_first(output, state, state.trouble or "installed")


def _print_first(output: Output, state: AgentState, said: str) -> None:
    glyph, style = (output.glyphs.dot, "yellow") if state.trouble else (output.glyphs.done, "green")
    output.print(f"{glyph} {state.name:<9} {said}{f', from {state.own}' if state.own else ''}", style=style)
    output.print(f"  {'':<9} {state.found or state.install}")
