"""Draws what docs/flow.md shows of the machine, the map of the house in docs/architecture.md, the tables of the guides, and
the lists of files in the packages' READMEs.

Writes nothing but between the markers of these pages.

python docs/generate.py            draw again
python docs/generate.py --check    exit with 1 when the page is stale
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path
from pkgutil import resolve_name

from buildwright.core.apply import MOVES, Move
from buildwright.core.build import Control, Stage, TaskPhase
from buildwright.core.event import BuildCreated, BuildFinished, Event, PlanMade
from buildwright.gates import GATES

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "buildwright"
SAMPLE = SOURCE / "cli" / "sample"
"""What lies below is the project that the demo builds, not ours."""

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


def gates() -> str:
    """Every gate of ours in its order, with what it refuses."""
    rows = ["| gate | refuses |", "| --- | --- |"]
    rows += [f"| `{gate.name}` | {gate.refuses} |" for gate in map(resolve_name, GATES)]
    return "\n".join(rows)


def house() -> str:
    """Every package and module of the source, with the first sentence of the package's own words."""
    rows = ["| where | holds | modules |", "| --- | --- | --- |"]
    modules = [module for module in sorted(SOURCE.glob("*.py")) if module.stem != "__init__"]
    rows += [f"| `{module.name}` | {first_sentence(module)} | |" for module in modules]
    for package in sorted(SOURCE.rglob("__init__.py")):
        folder = package.parent
        if folder == SOURCE or SAMPLE in folder.parents:
            continue
        names = ", ".join(f"`{path.stem}`" for path in sorted(folder.glob("*.py")) if path.stem != "__init__")
        rows.append(f"| `{folder.relative_to(SOURCE).as_posix()}/` | {first_sentence(package)} | {names or '-'} |")
    return "\n".join(rows)


def first_sentence(module: Path) -> str:
    """The first sentence of a module's docstring. Raises ValueError without one."""
    words = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    if not words:
        raise ValueError(f"{module} has no docstring")
    return words.splitlines()[0].split(". ")[0].rstrip(".").replace("|", "\\|")


def files(package: Path) -> str:
    """Everything in a package, each with what it says of itself."""
    rows = ["| file | holds |", "| --- | --- |"]
    for path in sorted(package.iterdir()):
        if path.is_dir() and (path / "__init__.py").exists():
            rows.append(f"| `{path.name}/` | {first_sentence(path / '__init__.py')} |")
        elif path.suffix == ".py" and path.name != "__init__.py":
            rows.append(f"| `{path.name}` | {first_sentence(path)} |")
        elif path.suffix == ".sql":
            rows.append(
                f"| `{path.name}` | {path.read_text(encoding='utf-8').splitlines()[0].lstrip('- ').rstrip('.')} |"
            )
    return "\n".join(rows)


Draw = Callable[[], str]

PAGES: dict[str, dict[str, Draw]] = {
    "docs/flow.md": {"stages": stages, "controls": controls, "tasks": tasks, "moves": moves},
    "docs/architecture.md": {"house": house},
    "docs/guides/checks.md": {"gates": gates},
    **{
        page.relative_to(ROOT).as_posix(): {"files": partial(files, page.parent)}
        for page in sorted(SOURCE.rglob("README.md"))
        if SAMPLE not in page.parents
    },
}


def drawn(page: str, parts: Mapping[str, Draw]) -> str:
    """The page with every generated part as the code has it now. Raises ValueError when a marker is missing."""
    for name, draw in parts.items():
        start, end = f"<!-- {name}: made by docs/generate.py -->", f"<!-- end of {name} -->"
        if page.count(start) != 1 or page.count(end) != 1:
            raise ValueError(f"the markers of {name} do not stand exactly once in its page")
        before, after = page.partition(start)[0], page.partition(end)[2]
        page = f"{before}{start}\n{draw()}\n{end}{after}"
    return page


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Draw or check the pages below `root`; the exit code."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write(__doc__ or "")
        return 2
    stale = 0
    for name, parts in PAGES.items():
        page = root / name
        old = page.read_text(encoding="utf-8")
        new = drawn(old, parts)
        if new != old and arguments:
            sys.stderr.write(f"{name} is not what the code says. Run: make docs\n")
            stale = 1
        elif new != old:
            page.write_text(new, encoding="utf-8")
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
