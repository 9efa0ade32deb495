"""Draws what the pages show of the code: the machine, from its table of moves, the map of the house, the lists of files in the
packages' READMEs, and the tables of the guides.

Writes nothing but between the markers of these pages, the options of `build` (src/buildwright/cli/build_options.py), and
the page of the manual (docs/buildwright.1).

python docs/generate.py            draw again
python docs/generate.py --check    exit with 1 when a page is stale
"""

from __future__ import annotations

import ast
import json
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Literal, get_args, get_origin

from cyclopts import App
from pydantic.fields import FieldInfo

from buildwright.agents.acp_agents import KNOWN_AGENTS
from buildwright.agents.programs import PROGRAMS, program
from buildwright.cli.app import make_app
from buildwright.cli.exit_codes import MEANINGS
from buildwright.cli.verbs import HEAD, VERBS
from buildwright.core.apply import MOVES, Move
from buildwright.core.build import Control, Stage, TaskPhase
from buildwright.core.event import BuildCreated, BuildFinished, Event, PlanMade
from buildwright.core.limits import (
    KINDS,
    AsOption,
    Check,
    InFile,
    InRequest,
    Options,
    Place,
    file_keys,
    mark_of,
    marked,
)
from buildwright.core.record import Record
from buildwright.gates import GATES
from buildwright.sandbox.attacks import ATTACKS
from buildwright.views.statuses import TABLE

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "buildwright"
SAMPLE = SOURCE / "cli" / "sample"
"""What lies below is the project that the demo builds, not ours."""
BUILD_OPTIONS = SOURCE / "cli" / "build_options.py"
WIDTH = 128

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


def statuses() -> str:
    """Every word for how far a build is: the first row that fits and has an entry in the column decides."""
    rows = [
        "| build or task | build runtime | project | execution | stream | in words | task (build runtime) | task (execution) |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in TABLE:
        keys = zip(("outcome", "control", "stage", "task"), row[:4], strict=True)
        fits = [f"{name} {key}" for name, key in keys if key]
        fits += ["no event but its first"] if row.is_new else []
        entries = (*row[4:9], row.task_status, row.group)
        rows.append(f"| {' | '.join((', '.join(fits) or 'any other', *(entry or '-' for entry in entries)))} |")
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


HEADER = '''\
"""The options of `build`, as Cyclopts reads them. Made by docs/generate.py from core/limits.py; must never be edited."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter


# fmt: off
@Parameter(name="*")
@dataclass(kw_only=True, frozen=True)
class BuildOptions:
    """How a build runs. Fixed when it starts, and kept with it."""

'''


def build_options() -> str:
    """The options of `build` as a module, so that its help needs neither the models nor their library."""
    return HEADER + "".join(_parameter(field, option) for _, field, option in marked(AsOption))


GROUPS = {
    "Agents and models": "agent agent_command second_agent second_after model context_tokens planner_model"
    " diagnoser_model sealed_tests sealed_model review review_model no_lessons lesson_model cassette",
    "Checks": "check setup no_lanes no_gates no_audit accept_base sandbox allow"
    " bring bring_to_agents lfs grant_needs package_settings",
    "Course": "on_failure approve_plan by_hand concurrency attempts task_time phase_time requests gate_time disk heartbeat"
    " stuck_after loop_after max_cost max_task_cost max_day_cost max_project_cost",
    "Result": "deliver branch push author sign_off trailer sign mark_phases contracts_folder",
}
"""The boxes of the help of `build`, with their options."""


def _group(option: AsOption) -> str:
    """The box of an option in the help. Raises SystemExit for one that has no place yet."""
    for name, options in GROUPS.items():
        if option.attribute in options.split():
            return name
    raise SystemExit(f"option {option.names} is in no box of the help: add {option.attribute} to GROUPS of {__file__}")


def _parameter(field: FieldInfo, option: AsOption) -> str:
    """A field of the dataclass. A list is an option that may be repeated; money is text, so that no digit is lost."""
    kind: Any = field.annotation
    written, default, words = getattr(kind, "__name__", ""), field.default, option.help or field.description or ""
    if get_origin(kind) is tuple:
        written, words = "tuple[str, ...]", f"{words} May be repeated."
    elif get_origin(kind) is Literal:
        written = f"Literal[{', '.join(map(json.dumps, get_args(kind)))}]"
    elif option.is_path:
        written, default = "Path | None", None
    elif kind is bool:
        default = False
    elif kind == float | None:
        written = "float | None"
    elif kind not in {int, float, str}:
        written, default = "str", ""
    names = option.names.split()
    marks = f"group={json.dumps(_group(option))}, " + (f"name={json.dumps(names)}, " if names[1:] else "")
    start = f"    {option.attribute}: Annotated[{written}, Parameter({marks}help="
    end = f")] = {json.dumps(default) if isinstance(default, str) else repr(default)}\n"
    if len(start) + len(words) + len(end) <= WIDTH:
        return f"{start}{json.dumps(words)}{end}"
    lines = [json.dumps(line) for line in textwrap.wrap(words, WIDTH - 12, drop_whitespace=False)]
    return "\n        ".join([start, *lines]) + end


def options_of_build() -> str:
    """The options of `build`."""
    return _options_of("build")


def options_of_prune() -> str:
    """The options of `prune`."""
    return _options_of("prune")


def _options_of(verb: str) -> str:
    """Every option of a verb as its help has it, with what it may be and its default."""
    app: App = make_app()
    rows = ["| option | means |", "| --- | --- |"]
    with app.app_stack([verb]):
        arguments = [one for one in app[verb].assemble_argument_collection() if one.names[0].startswith("-")]
    for argument in arguments:
        names, default = argument.names, argument.field_info.default
        words = _words(argument.parameter.help, argument.get_choices() or ())
        if default not in ("", False, (), None):
            words += f" ({_default(default)})"
        rows.append(f"| {', '.join(f'`{name}`' for name in names)} | {words} |")
    return "\n".join(rows)


def keys_of_the_file() -> str:
    """The options that buildwright.toml may hold."""
    return "\n".join(
        ["| key | option |", "| --- | --- |"]
        + [f"| `{key}` | `{option.names.split()[0]}` |" for key, option in file_keys().items() if option]
    )


def keys_of_a_check() -> str:
    """The keys of a check in buildwright.toml."""
    rows = ["| key | means |", "| --- | --- |"]
    for name, field in Check.model_fields.items():
        if name != "name":
            rows.append(f"| `{name}` | {_words(field.description, KINDS if name == 'kind' else ())} |")
    return "\n".join(rows)


def options() -> str:
    """Every field of `Options`: where it can be set, and within which bounds."""
    rows = ["| field | default | from, to | option of `build` | in a request | means |", f"|{' --- |' * 6}"]
    for place, field in _fields(Options):
        option, request = mark_of(field, AsOption), mark_of(field, InRequest)
        cells = (
            f"`{'.'.join(place)}`" + (", in `buildwright.toml`" if mark_of(field, InFile) else ""),
            _default(field.default) if field.default not in ("", (), None) else "",
            _bounds({name: getattr(one, name) for one in field.metadata for name in _BOUNDS if hasattr(one, name)}),
            f"`{option.names.split()[0]}`" if option else "",
            "no" if request is None else _bounds(request.bounds) or "yes",
            _words(field.description, get_args(field.annotation) if get_origin(field.annotation) is Literal else ()),
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


_BOUNDS = {"ge": "{:,}", "gt": "above {:,}", "le": "to {:,.0f}", "max_length": "to {:,} long"}


def _bounds(bounds: Mapping[str, float]) -> str:
    return " ".join(words.format(bounds[name]) for name, words in _BOUNDS.items() if name in bounds)


def _fields(model: type[Record], above: Place = ()) -> Iterator[tuple[Place, FieldInfo]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Record):
            yield from _fields(field.annotation, (*above, name))
        else:
            yield (*above, name), field


def _default(value: object) -> str:
    return f"{value:,.0f}" if isinstance(value, int | float) and not isinstance(value, bool) else f"`{value}`"


def _words(text: str | None, choices: Iterable[object]) -> str:
    """A text as the cell of a table, with what can be chosen at its end."""
    said = ", ".join(f"`{choice}`" for choice in choices)
    said = " or ".join(said.rsplit(", ", 1))
    return "; ".join(part for part in ((text or "").removesuffix("."), said) if part).replace("|", "\\|")


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


def agent_programs() -> str:
    """Every agent that is a program of another maker, with what it can do."""
    rows = [
        "| agent | program | install | asks by | default model | told while it works | the next attempt | events | tried |"
    ]
    rows.append("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in PROGRAMS:
        one = program(name)
        resumes = one.session_files is not None
        told = "after its turn, and goes on" if resumes else "at the next attempt"
        then = "goes on with its conversation" if resumes else "begins again, with the findings"
        events = "structured" if one.read is not None else "text"
        models = ", ".join(f"`{kind}*`" for kind in one.models)
        names = (f"`{name}`", one.title, f"`{one.install}`", models, f"`{one.default_model}`")
        cells = (*names, told, then, events, one.tried)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def acp_agents() -> str:
    """Every agent that is known to speak the Agent Client Protocol."""
    rows = ["| agent | program | install | asks by | default model | tried |", "| --- | --- | --- | --- | --- | --- |"]
    for known in KNOWN_AGENTS:
        models = ", ".join(f"`{kind}*`" for kind in known.models)
        name, install, model = f"`acp:{known.command}`", f"`{known.install}`", f"`{known.default_model}`"
        rows.append(f"| {' | '.join((name, known.title, install, models, model, known.tried))} |")
    return "\n".join(rows)


def attacks() -> str:
    """What `sandbox prove` tries."""
    return "\n".join(["| attack | it would |", "| --- | --- |", *(f"| `{one.name}` | {one.aims} |" for one in ATTACKS)])


MANUAL = "docs/buildwright.1"
_ENVIRONMENT = {
    "BUILDWRIGHT_HOME": "the folder of all builds; else below XDG_DATA_HOME, or ~/.local/share",
    "BUILDWRIGHT_URL, BUILDWRIGHT_TOKEN": "the server to speak to instead of the store, and a token for it",
    "ANTHROPIC_API_KEY, OPENAI_API_KEY, GEMINI_API_KEY": "keys of models",
    "NO_COLOR, FORCE_COLOR, TERM": "whether to write colours, and lines that are redrawn",
}


def manual() -> str:
    """The page of the manual, in the macros of man(7): every verb with its options and examples."""
    app: App = make_app()
    lines = [
        '.TH BUILDWRIGHT 1 "" "" "User Commands"',
        ".SH NAME",
        "buildwright \\- from a description to merged changes",
    ]
    lines += [".SH SYNOPSIS", ".B buildwright", ".I VERB", "[options]"]
    lines += [".SH DESCRIPTION", _roff(" ".join(HEAD.split())), "Try", ".B buildwright demo", "first.", ".SH VERBS"]
    for verb in VERBS:
        lines += [".TP", f".B buildwright {verb.name}", _roff(verb.words), *_manual_options(app, verb.name)]
        for name in app[verb.name]:
            if not name.startswith("-"):
                words = (app[verb.name][name].help or "").partition("\n\n")[0]
                lines += [".TP", f".B buildwright {verb.name} {name}", _roff(" ".join(words.split()))]
                lines += _manual_options(app, verb.name, name)
        lines += [line for one in verb.examples for line in (".IP", f"$ {_roff(one)}")]
    lines += [".SH EXIT STATUS"]
    lines += [line for code, words in MEANINGS.items() for line in (".TP", f".B {int(code)}", _roff(words))]
    lines += [".SH ENVIRONMENT"]
    lines += [line for name, words in _ENVIRONMENT.items() for line in (".TP", f".B {name}", _roff(words))]
    return "\n".join([*lines, ""])


def _manual_options(app: App, *verbs: str) -> list[str]:
    """The options of a verb for the manual; none of one that has only verbs below it."""
    with app.app_stack(list(verbs)):
        verb = app[verbs[0]] if len(verbs) == 1 else app[verbs[0]][verbs[1]]
        arguments = verb.assemble_argument_collection() if verb.default_command is not None else ()
    options = [one for one in arguments if one.names[0].startswith("-") and one.parameter.help]
    return [
        line
        for one in options
        for line in (
            ".RS",
            ".TP",
            f".B {_roff(', '.join(one.names))}",
            _roff(" ".join((one.parameter.help or "").split())),
            ".RE",
        )
    ]


def _roff(text: str) -> str:
    """Text as roff prints it unchanged: no escape, and no request at the begin of a line."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\`")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


Draw = Callable[[], str]

PAGES: dict[str, dict[str, Draw]] = {
    "docs/flow.md": {"stages": stages, "controls": controls, "tasks": tasks, "moves": moves, "statuses": statuses},
    "docs/architecture.md": {"house": house},
    "docs/cli.md": {"options_of_build": options_of_build, "options_of_prune": options_of_prune},
    "docs/library.md": {"options": options},
    "docs/guides/agents.md": {"programs": agent_programs, "acp_agents": acp_agents},
    "docs/guides/security.md": {"attacks": attacks},
    "docs/guides/checks.md": {"gates": gates, "keys_of_a_check": keys_of_a_check, "keys_of_the_file": keys_of_the_file},
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
    stale = _kept(BUILD_OPTIONS, build_options(), write=not arguments)  # first: the tables of options come from there
    stale |= _kept(root / MANUAL, manual(), write=not arguments)
    for name, parts in PAGES.items():
        page = root / name
        stale |= _kept(page, drawn(page.read_text(encoding="utf-8"), parts), write=not arguments)
    return int(stale)


def _kept(file: Path, text: str, *, write: bool) -> bool:
    """Whether a file is stale; writes it, which it then is not, if asked to."""
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return False
    if write:
        file.write_text(text, encoding="utf-8")
        return False
    sys.stderr.write(f"{file.name} is not what the code says. Run: make docs\n")
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
