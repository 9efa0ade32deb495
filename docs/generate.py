"""Draws what docs/flow.md shows of the machine, from its table of moves. Writes nothing but between the page's markers.

python docs/generate.py            draw again
python docs/generate.py --check    exit with 1 when the page is stale
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from buildwright.core.apply import MOVES, Move
from buildwright.core.build import Control, Stage, TaskPhase
from buildwright.core.event import BuildCreated, BuildFinished, Event, PlanMade

PAGE = Path(__file__).parent / "flow.md"

# A task can move by another task's event. The table of moves is by event, so it does not have these arrows.
BY_OTHERS = (
    (TaskPhase.WAITING, TaskPhase.READY, "what it needs is done"),
    (TaskPhase.PARKED, TaskPhase.READY, "its file is free"),
)
ENDS = (TaskPhase.DONE, TaskPhase.SKIPPED)


def kind(event: type[Event]) -> str:
    """The event's name in the journal."""
    name: str = event.model_fields["type"].default
    return name


def tasks() -> str:
    """The phases of a task."""
    arrows: list[tuple[str, str, str]] = [("[*]", phase, kind(PlanMade)) for phase in ("waiting", "ready")]
    arrows += BY_OTHERS
    arrows += [(old, new, kind(event)) for event, move in MOVES.items() for old in move.tasks for new in move.to]
    return diagram([*arrows, *((phase, "[*]", "") for phase in ENDS)], TaskPhase)


def stages() -> str:
    """How far a build comes. The arrow to the end from every stage is left to the words beside the diagram."""
    arrows: list[tuple[str, str, str]] = [("[*]", Stage.CREATED, kind(BuildCreated))]
    arrows += [
        (old, new, kind(event))
        for event, move in MOVES.items()
        for old in move.stages
        for new in move.to_stage
        if event is not BuildFinished or old is Stage.DELIVERING
    ]
    return diagram([*arrows, (Stage.FINISHED, "[*]", "")], Stage)


def controls() -> str:
    """Whether a build may go on."""
    arrows: list[tuple[str, str, str]] = [("[*]", Control.RUNNING, kind(BuildCreated))]
    arrows += [
        (old, new, kind(event)) for event, move in MOVES.items() for old in move.controls for new in move.to_control
    ]
    return diagram([*arrows, *((end, "[*]", "") for end in (Control.STOPPED, Control.FINISHED))], Control)


def diagram(arrows: Iterable[tuple[str, str, str]], states: type[StrEnum]) -> str:
    """A Mermaid state diagram: one arrow for each pair of states, in the order of the states."""
    order = ["[*]", *states]
    labels: dict[tuple[str, str], list[str]] = {}
    for old, new, label in arrows:
        labels.setdefault((old, new), []).append(label)
    lines = ["```mermaid", "stateDiagram-v2"]
    for old, new in sorted(labels, key=lambda pair: (order.index(pair[0]), order.index(pair[1]))):
        label = ", ".join(filter(None, labels[old, new]))
        lines.append(f"    {old} --> {new}" + (f" : {label}" if label else ""))
    return "\n".join([*lines, "```"])


def moves() -> str:
    """Every event: when it can happen and what becomes of it."""
    rows = ["| event | while the build is | in the stages | its task is | then |", "| --- | --- | --- | --- | --- |"]
    for event, move in MOVES.items():
        cells = (
            f"`{kind(event)}`",
            listed(Control, move.controls),
            "any but finished" if len(move.stages) == len(Stage) - 1 else listed(Stage, move.stages),
            listed(TaskPhase, move.tasks) or "-",
            becomes(move) or "-",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def becomes(move: Move) -> str:
    """What the move may change, in words."""
    parts = (("task", move.to), ("stage", move.to_stage), ("build", move.to_control))
    return "; ".join(f"{what}: {' or '.join(states)}" for what, states in parts if states)


def listed(states: type[StrEnum], chosen: Iterable[StrEnum]) -> str:
    """The chosen ones in the order of their definition (a set has none)."""
    wanted = set(chosen)
    return ", ".join(state for state in states if state in wanted)


def drawn(page: str) -> str:
    """The page with every generated part as the code has it now. Raises ValueError when a marker is missing."""
    for draw in (tasks, stages, controls, moves):
        name = draw.__name__
        start, end = f"<!-- {name}: made by docs/generate.py -->", f"<!-- end of {name} -->"
        pattern = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
        if len(pattern.findall(page)) != 1:
            raise ValueError(f"{PAGE.name} does not have the markers of {name} exactly once")
        body = f"{start}\n{draw()}\n{end}"
        page = pattern.sub(lambda _: body, page)  # noqa: B023 (called at once)
    return page


def main(arguments: list[str]) -> int:
    """Draw or check; the exit code."""
    old = PAGE.read_text(encoding="utf-8")
    new = drawn(old)
    if arguments == ["--check"]:
        if new != old:
            sys.stderr.write("docs/flow.md is not what core/apply.py says. Run: make docs\n")
        return int(new != old)
    if arguments:
        sys.stderr.write(__doc__ or "")
        return 2
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
