"""The contracts of a project as they are shown, and which work of a build a newer contract makes stale.

Pure; must never parse a contract but by its lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from pydantic import Field

from buildwright.core.build import Build, TaskPhase
from buildwright.core.contract_types import FILES, ContractType
from buildwright.core.contracts import (
    EDITED,
    Contract,
    LineSources,
    Phase,
    phases_in,
    removed_lines,
)
from buildwright.core.paths import is_covered
from buildwright.core.record import Record
from buildwright.core.task import Task
from buildwright.errors import BadSpec
from buildwright.views.plan_difference import difference


class ContractLine(Record):
    """A line of a contract: its number from 1, and the answers that it came from."""

    number: int
    answers: tuple[str, ...]
    """Ids of answers; `edit` for a line that a person wrote."""


class ContractView(Record):
    """A version of a contract. `edited`: a person changed what its template made."""

    contract_type: ContractType
    file: str
    """Its name below `Contracts/` of the folder that builds write it into."""
    version: int
    edited: bool
    template: int = Field(description="Version of the template that it was made from; 0 for none.")
    words: int = Field(0, description="Words of its text.")
    created_at: datetime
    updated_at: datetime


class ContractText(ContractView):
    """A version of a contract with its text, and where its lines came from; lines of the template are left out."""

    content: str
    lines: tuple[ContractLine, ...]

    def as_contract(self) -> Contract:
        """Return it as builds take it."""
        sources: list[LineSources] = [()] * len(self.content.splitlines())
        for line in self.lines:
            sources[line.number - 1] = line.answers
        return Contract(
            contract_type=self.contract_type,
            version=self.version,
            content=self.content,
            sources=tuple(sources),
            template=self.template,
        )


class StaleTask(Record):
    """A task of a build whose contracts have changed in what it was made from."""

    task: str
    title: str
    phase: str
    """The phase of the plan that it belongs to."""
    state: str
    """A `TaskPhase` value."""
    landed: bool
    """Whether merged work is stale."""
    files: tuple[str, ...] = ()
    """Of merged work: the files that it changed."""
    reasons: tuple[str, ...]


class ContractsChange(Record):
    """What became of contracts, and what that makes stale."""

    project_id: str
    contracts: tuple[ContractView, ...] = ()
    """The versions that are new."""
    kept: tuple[ContractType, ...] = ()
    """Contracts that a person has edited, and that were therefore not made anew."""
    build_id: str = ""
    """The project's newest build that runs from contracts; "" without one."""
    stale: tuple[StaleTask, ...] = ()
    redoing: str = ""
    """What it is likely to take to bring the merged work among it up to date, in words; "" when there is none."""


class RewrittenContract(Record):
    """A contract in which a model has rewritten a passage; nothing of it is kept."""

    project_id: str
    contract_type: ContractType
    version: int
    """The newest version, from which it is saved."""
    first: int
    last: int
    """The lines of the passage, before it was rewritten."""
    content: str
    diff: str
    """How it differs from the text that was given, as a unified diff; "" when it does not."""
    cost_usd: Decimal | None
    """What the request cost; None when its model has no price."""
    instructions: str
    """Digest (SHA-256) of what the advisor was instructed."""


class TakenContracts(Record):
    """What became of a build that took the contracts as they are now."""

    project_id: str
    build_id: str
    stale: tuple[StaleTask, ...] = ()
    """What was stale before."""
    added: tuple[str, ...] = ()
    """Ids of new tasks: also those that bring merged work, and work under way, up to date."""
    edited: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


def taken_contracts(project_id: str, before: Build, after: Build) -> TakenContracts:
    """Return how a build differs that took newer contracts."""
    assert after.plan is not None
    assert after.spec.contracts is not None
    differs = difference(before, after.plan.graph)
    return TakenContracts(
        project_id=project_id,
        build_id=after.id,
        stale=stale_tasks(before, after.spec.contracts.contracts),
        added=tuple(task.id for task in differs.added),
        edited=tuple(task.id for task in differs.edited),
        dropped=differs.dropped,
    )


def contract_view(contract: Contract, created_at: datetime, updated_at: datetime) -> ContractView:
    """Return a version of a contract without its text."""
    return ContractView(
        contract_type=contract.contract_type,
        file=FILES[contract.contract_type],
        version=contract.version,
        edited=contract.is_edited,
        template=contract.template,
        words=len(contract.content.split()),
        created_at=created_at,
        updated_at=updated_at,
    )


def contract_text(contract: Contract, created_at: datetime, updated_at: datetime) -> ContractText:
    """Return a version of a contract with its text."""
    lines = tuple(
        ContractLine(number=number, answers=answers) for number, answers in enumerate(contract.sources, 1) if answers
    )
    shown = contract_view(contract, created_at, updated_at)
    return ContractText(**dict(shown), content=contract.content, lines=lines)


# --- What is stale ----------------------------------------------------------------------------------------------------


class _Changed(NamedTuple):
    """What differs between two versions of a contract."""

    name: str
    """As people are told it: `schema 2 -> 3`."""
    answers: frozenset[str]
    names: frozenset[str]
    """Tables, paths, files and other names that the lines speak of."""
    of_all: bool
    """Whether it says what every task is made with: the stack, in more than a comment."""


def stale_tasks(build: Build, newest: Sequence[Contract]) -> tuple[StaleTask, ...]:
    """Return the tasks of a build that newer contracts than its own make stale, in the order of the plan.

    Every task is stale when the stack has changed. Else one is when its line in the phases is changed or gone, when it came
    from an answer from which a changed line came, or when its words, expected files or merged files name what a changed
    line is about.
    """
    if build.spec.contracts is None or build.plan is None:
        return ()
    changed: list[_Changed] = []
    own, now = build.spec.contracts.get("phases"), None
    for contract in newest:
        old = build.spec.contracts.get(contract.contract_type)
        if old is None or old.content == contract.content:
            continue
        if contract.contract_type == "phases":
            now = contract
        else:
            changed.append(_changed(old, contract))
    by_phases = _by_phases(own, now) if own is not None and now is not None else {}
    answers = _answers_of(own) if own is not None else {}
    found = []
    for task in build.plan.graph.tasks:
        state = build.task(task.id)
        files = state.patch.paths if state.phase is TaskPhase.DONE and state.patch is not None else ()
        reasons = [*by_phases.get(task.id, ()), *_reasons(task, answers.get(task.id, frozenset()), files, changed)]
        if reasons:
            found.append(
                StaleTask(
                    task=task.id,
                    title=task.title,
                    phase=task.milestone,
                    state=state.phase.value,
                    landed=state.phase is TaskPhase.DONE,
                    files=tuple(files),
                    reasons=tuple(reasons),
                )
            )
    return tuple(found)


def _reasons(task: Task, answers: frozenset[str], files: Iterable[str], changed: Sequence[_Changed]) -> Iterator[str]:
    words = "\n".join((task.title, task.goal, *task.requirements, *task.acceptance)).casefold()
    for one in changed:
        if one.of_all:
            yield f"{one.name}: every task is made with it"
            continue
        if shared := sorted(answers & one.answers, key=_number):
            yield f"{one.name}: came from {', '.join(shared)}, as a line that differs does"
        named = [name for name in sorted(one.names) if _speaks_of(words, name)]
        touched = [path for path in (*task.files_expected, *files) if is_covered(path, one.names)]
        if named or touched:
            yield f"{one.name}: it is about {', '.join(dict.fromkeys((*named, *touched)))}"


def _number(answer: str) -> tuple[int, str]:
    return int(re.sub(r"\D", "", answer) or 0), answer


def _speaks_of(words: str, name: str) -> bool:
    return re.search(rf"(?<![\w/]){re.escape(name.casefold())}(?![\w/])", words) is not None


def _answers_of(phases: Contract) -> dict[str, frozenset[str]]:
    """Return the answers that each task came from, by its id: those of its line and of its phase."""
    return {
        one.id: frozenset((*phases.sources_at(one.line), *phases.sources_at(phase.line))) - {EDITED}
        for phase in _phases(phases)
        for one in phase.deliverables
    }


def _phases(contract: Contract) -> tuple[Phase, ...]:
    try:
        return phases_in(contract.content)
    except BadSpec:
        return ()


def _by_phases(old: Contract, new: Contract) -> dict[str, list[str]]:
    """Return why tasks differ between two versions of the phases, by their ids."""
    name = f"phases {old.version} -> {new.version}"
    now = {one.id: (phase, one) for phase in _phases(new) for one in phase.deliverables}
    reasons: dict[str, list[str]] = {}
    for phase in _phases(old):
        for at, one in enumerate(phase.deliverables):
            if one.id not in now:
                reasons[one.id] = [f"{name}: its line is gone or reads otherwise"]
                continue
            there, fresh = now[one.id]
            differs = [
                what
                for what, is_other in (
                    ("its line", fresh.text != one.text),
                    ("the title of its phase", there.title != phase.title),
                    ("the objective of its phase", there.objective != phase.objective),
                    (
                        "the exit criteria of its phase",
                        at == len(phase.deliverables) - 1 and there.criteria != phase.criteria,
                    ),
                )
                if is_other
            ]
            if differs:
                reasons[one.id] = [f"{name}: {' and '.join(differs)} changed"]
    return reasons


_ENTRY = re.compile(r"""^[\s{-]*"?(?:name|path|from|choice)"?: *(?:"([^"]*)"|([^\s,}]+))""")
_IN_TEXT = re.compile(r"`([^`\s]{2,100})`|(?<![\w`/])(/[\w{}:./-]+|[\w-]+(?:[./_][\w-]+)+)")


def _changed(old: Contract, new: Contract) -> _Changed:
    before, after = old.content.splitlines(), new.content.splitlines()
    answers: set[str] = set()
    names: set[str] = set()
    of_all = False
    for lines, sources, others in ((before, old, after), (after, new, before)):
        for at in removed_lines(lines, others):
            answers.update(sources.sources_at(at))
            of_all |= old.contract_type == "stack" and bool(lines[at].partition("#")[0].strip())
            names.update(_names_at(lines, at, old.contract_type))
    told = f"{old.contract_type} {old.version} -> {new.version}"
    named = frozenset(name for name in names if len(name) > 2)
    return _Changed(told, frozenset(answers) - {EDITED}, named, of_all)


def _names_at(lines: Sequence[str], at: int, kind: ContractType) -> Iterator[str]:
    """Yield the names of what a line is about: those in it, and that of the entry which it belongs to."""
    yield from (found[1] or found[2] for found in _IN_TEXT.finditer(lines[at]))
    if not FILES[kind].endswith(".md"):
        for line in reversed(lines[: at + 1]):
            if entry := _ENTRY.match(line):
                yield entry[1] or entry[2]
                break
            if not line.startswith(" "):
                break
