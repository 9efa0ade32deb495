"""The contracts of a project, as records, and what follows from their texts alone. Pure; must never parse YAML.

A contract is a text of which every line knows the answers that it came from: the lines' sources stand beside the text,
so that they disturb no reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Annotated, Final, NamedTuple

from pydantic import Field

from buildwright.core.alignment import Block, equal_blocks
from buildwright.core.contract_types import FILES, FOLDER, ContractType
from buildwright.core.limits import Options
from buildwright.core.paths import check_path, is_protected
from buildwright.core.record import Record
from buildwright.core.sanitize import UserText
from buildwright.errors import BadSettings, BadSpec, UnsafePath

LARGEST: Final = 200_000
"""Characters of one contract."""
EDITED: Final = "edit"
"""The source of a line that a person wrote."""

LineSources = tuple[str, ...]
"""Ids of the answers that a line came from, or `EDITED`; empty for a line of the template."""


class Contract(Record):
    """One version of a contract."""

    contract_type: ContractType
    version: int = Field(default=1, ge=1)
    content: UserText = Field(max_length=LARGEST)
    sources: Annotated[tuple[LineSources, ...], Field(max_length=LARGEST)] = ()
    """The sources of each line of the content."""
    template: int = 0
    """The version of the template that it was made from; 0 for one that a person wrote."""

    @property
    def is_edited(self) -> bool:
        """Whether a person wrote a line of it, or took one away."""
        return self.template == 0 or any(EDITED in sources for sources in self.sources)

    def sources_at(self, line: int) -> LineSources:
        """Return the sources of a line, by its index from 0."""
        return self.sources[line] if line < len(self.sources) else ()


class BuildContracts(Record):
    """The contracts that a build runs from, and the folder of the repository that they are written into."""

    contracts: Annotated[tuple[Contract, ...], Field(min_length=1, max_length=len(FILES))]
    folder: str = FOLDER
    """As `check_folder` returns it."""

    @property
    def files(self) -> dict[str, str]:
        """The texts by their paths from the top of the repository."""
        return {path_of(self.folder, one.contract_type): one.content for one in self.contracts}

    def get(self, contract_type: ContractType) -> Contract | None:
        """Return the contract of a type, None when there is none."""
        return next((one for one in self.contracts if one.contract_type == contract_type), None)


def path_of(folder: str, contract_type: ContractType) -> str:
    """Return the path of a contract from the top of the repository."""
    return f"{folder or FOLDER}/Contracts/{FILES[contract_type]}"


def check_folder(folder: str) -> str:
    """Return the folder for the contracts in its normal form. Raises BadSettings when they cannot be kept there."""
    fix = "name a folder of the repository, such as Forge"
    try:
        folder = check_path(folder.rstrip("/"))
    except UnsafePath as error:
        raise BadSettings(error.message, fix=fix) from error
    if reason := is_protected(f"{folder}/Contracts/blueprint.md"):
        raise BadSettings(f"contracts cannot be kept in {folder}: {reason}", fix=fix)
    return folder


def bound_by(options: Options, contracts: BuildContracts | None) -> Options:
    """Return the options of a build that runs from contracts: no agent may change them. Raises BadSettings (the folder)."""
    if contracts is None:
        return options
    if (plain := check_folder(contracts.folder)) != contracts.folder:
        raise BadSettings(f"{contracts.folder} is not how the folder is written", fix=f"write {plain}")
    protected = tuple(dict.fromkeys((*options.protected, contracts.folder)))
    return options.model_copy(update={"contracts_folder": contracts.folder, "protected": protected})


# --- Lines and their sources ------------------------------------------------------------------------------------------


def edited(old: Contract | None, contract_type: ContractType, content: str) -> Contract:
    """Return the next version with this content: lines that stay keep their sources, others are a person's."""
    content = content.replace("\r\n", "\n")
    new = content.splitlines()
    sources: list[LineSources] = [(EDITED,)] * len(new)
    if old is None:
        return Contract(contract_type=contract_type, content=content, sources=tuple(sources))
    before = old.content.splitlines()
    for block in equal_blocks(before, new):
        for at in range(block.size):
            sources[block.after + at] = old.sources_at(block.before + at)
    is_cut = any(old.sources_at(at) for at in removed_lines(before, new))
    template = 0 if is_cut and not any(EDITED in one for one in sources) else old.template
    return Contract(
        contract_type=contract_type,
        version=old.version + 1,
        content=content,
        sources=tuple(sources),
        template=template,
    )


def removed_lines(before: Sequence[str], after: Sequence[str]) -> Iterator[int]:
    """Yield the indexes of the lines that are gone or changed, in their order."""
    upto = 0
    for block in (*equal_blocks(before, after), Block(len(before), len(after), 0)):
        yield from range(upto, block.before)
        upto = block.before + block.size


# --- Phases -----------------------------------------------------------------------------------------------------------


class Deliverable(NamedTuple):
    """A line under a phase's deliverables. It becomes one task."""

    id: str
    """Made of the phase's number and its own first words, so that it stays when others come or go."""
    line: int
    """Index from 0 of its line in the contract."""
    text: str
    beside: bool
    """Whether it may be made beside the one before that has the mark `[P]`, too."""


class Phase(NamedTuple):
    """A phase of the contract."""

    number: int
    title: str
    line: int
    objective: str
    deliverables: tuple[Deliverable, ...]
    criteria: tuple[str, ...]

    @property
    def milestone(self) -> str:
        """The phase's name in the plan."""
        return f"Phase {self.number}: {self.title}"


_HEADING = re.compile(r"## +Phase +(\d{1,4}) *(?:--|[-:\u2013\u2014]) *(\S.*)")
_LABEL = re.compile(r"\*\*(Objective|Deliverables|Exit criteria):\*\* *(.*)", re.IGNORECASE)
_ITEM = re.compile(r" {0,3}[-*+] +(?:\[[ xX]\] +)?(.*)")
_BESIDE = re.compile(r"\[P\] +")


class _OpenLine(NamedTuple):
    """A phase that is being read."""

    number: int
    title: str
    line: int
    parts: dict[str, list[tuple[int, str]]]


def phases_in(text: str, name: str = FILES["phases"]) -> tuple[Phase, ...]:
    """Return the phases of the contract. Raises BadSpec naming the line when they cannot be built in order."""
    opened: list[_OpenLine] = []
    part = ""
    for at, line in enumerate(text.splitlines()):
        if line.startswith("## ") or line.strip() == "##":
            found = _HEADING.fullmatch(line.rstrip())
            if found is None or int(found[1]) != len(opened) + 1:
                said = "this heading names no phase" if found is None else f"phase {found[1]} is not the next one"
                raise BadSpec(said, file=name, line=at + 1, fix=f"write `## Phase {len(opened) + 1}: Title`")
            opened.append(_OpenLine(len(opened) + 1, found[2], at, {}))
            part = ""
        elif opened and (label := _LABEL.match(line)):
            part = label[1].casefold()
            opened[-1].parts.setdefault(part, []).extend([(at, label[2])] if label[2].strip() else [])
        elif opened and part and line.strip():
            lines = opened[-1].parts[part]
            item = _ITEM.fullmatch(line)
            if part == "objective" or (item is None and line[:1].isspace() and lines):
                first, words = lines.pop() if lines else (at, "")
                lines.append((first, f"{words} {line.strip()}".strip()))
            elif item is not None:
                lines.append((at, item[1].strip()))
    if not opened:
        raise BadSpec("there is no phase", file=name, fix="write `## Phase 1: Title`, then its deliverables")
    return tuple(_closed(one, name) for one in opened)


def _closed(phase: _OpenLine, name: str) -> Phase:
    lines = [(at, text) for at, text in phase.parts.get("deliverables", ()) if text]
    if not lines:
        fix = "write `**Deliverables:**` below it, then one line that begins with `- ` for each"
        raise BadSpec(f"phase {phase.number} has no deliverables", file=name, line=phase.line + 1, fix=fix)
    taken: set[str] = set()
    deliverables = []
    for at, text in lines:
        words = _BESIDE.sub("", text, count=1) if _BESIDE.match(text) else text
        slug = re.sub(r"[^a-z0-9]+", "-", words.casefold())[:40].strip("-") or "task"
        names = (f"p{phase.number}-{slug}" + (f"-{again}" if again > 1 else "") for again in count(1))
        made = next(one for one in names if one not in taken)
        taken.add(made)
        deliverables.append(Deliverable(made, at, words, words != text))
    objective = " ".join(text for _, text in phase.parts.get("objective", ()))
    criteria = tuple(text for _, text in phase.parts.get("exit criteria", ()) if text)
    return Phase(phase.number, phase.title, phase.line, objective, tuple(deliverables), criteria)
