"""Makes the contracts of a project from its answers, checks them, and makes a build's spec of them. Must never ask a model.

The same answers give the same bytes. An answer is data: each of its lines becomes one line of a contract, escaped or
quoted, so that it can be neither a heading, a key nor a second entry.
Large because it has the ten types in turn, with what each takes of the answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import resources
from typing import Annotated, Any, Final, Literal, NamedTuple, cast, get_args

from pydantic import Field, field_validator

from buildwright.advisors import documents
from buildwright.advisors.checklist import lines_outside_fences
from buildwright.advisors.documents import checked_graph, validate
from buildwright.advisors.paths import paths_in
from buildwright.advisors.spec_file import with_stated_proofs
from buildwright.core.boundary_rules import read_rules
from buildwright.core.contract_types import FILES, ContractType
from buildwright.core.contracts import (
    LARGEST,
    BuildContracts,
    Contract,
    LineSources,
    Phase,
    phases_in,
)
from buildwright.core.graph import Graph
from buildwright.core.interview import Answer, Interview, SectionName
from buildwright.core.record import Record
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.errors import BadSpec

_Lines = list[tuple[str, LineSources]]
_READ_FIRST: Final[tuple[ContractType, ...]] = (
    "builder_directive",
    "builder_contract",
    "blueprint",
    "boundaries",
    "schema",
    "physics",
    "stack",
    "ui",
    "manifesto",
)
"""The contracts that agents are shown as the specification; the phases reach them as their tasks."""


# --- What the YAML contracts hold -------------------------------------------------------------------------------------

_Text = Annotated[str, Field(min_length=1)]


class StackChoice(Record):
    """One choice of the stack or the deployment."""

    choice: _Text
    assumed: bool = False
    found: str = ""
    """Where it was found, such as `README.md:12`."""


class StackContract(Record):
    """The contract `stack`."""

    stack: tuple[StackChoice, ...]
    deployment: tuple[StackChoice, ...] = ()


class SchemaTable(Record):
    """A table; a column is its name, then what there is to say of it: `email text unique`."""

    name: _Text
    columns: tuple[_Text, ...] = ()
    about: str = ""


class SchemaContract(Record):
    """The contract `schema`."""

    tables: tuple[SchemaTable, ...]
    notes: tuple[_Text, ...] = ()

    @field_validator("tables")
    @classmethod
    def _once(cls, tables: tuple[SchemaTable, ...]) -> tuple[SchemaTable, ...]:
        _refuse_twice((table.name for table in tables), "table")
        return tables


class Endpoint(Record):
    """An interface for programs."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WS"]
    path: _Text
    does: str = ""

    @field_validator("path")
    @classmethod
    def _is_path(cls, path: str) -> str:
        if not re.fullmatch(r"/\S*", path):
            raise ValueError("a path begins with a slash and has no spaces")
        return path


class PhysicsContract(Record):
    """The contract `physics`."""

    endpoints: tuple[Endpoint, ...]
    notes: tuple[_Text, ...] = ()

    @field_validator("endpoints")
    @classmethod
    def _once(cls, endpoints: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
        _refuse_twice((f"{one.method} {one.path}" for one in endpoints), "endpoint")
        return endpoints


_MODELS: Final[Mapping[str, type[Record]]] = {
    "stack": StackContract,
    "schema": SchemaContract,
    "physics": PhysicsContract,
}


def _refuse_twice(names: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"the {what} {name} is there twice")
        seen.add(name)


# --- Checking ---------------------------------------------------------------------------------------------------------


def check_contract(contract_type: ContractType, content: str) -> None:
    """Check the text of a contract. Raises BadSpec with its file, the line and what to do."""
    name = FILES[contract_type]
    if len(content) > LARGEST:
        raise BadSpec(f"has more than {LARGEST:,} characters", file=name, fix="keep what builds need, and no more")
    documents.check_text(content, name)
    if found := re.search(r"[^\n\t\x20-\x7e\xa0-\U0010ffff]|[\u2028-\u202e\u2066-\u2069\ud800-\udfff]", content):
        line = content.count("\n", 0, found.start()) + 1
        raise BadSpec("holds a character that cannot be seen", file=name, line=line, fix="remove the character")
    if contract_type in _MODELS:
        data = documents.load_yaml(content, name)
        try:
            validate(_MODELS[contract_type], data, name)
        except BadSpec as error:
            raise _placed(error, content, name) from error
    elif contract_type == "boundaries":
        documents.load_json(content, name)
        try:
            read_rules(content)
        except ValueError as error:
            raise _placed(BadSpec(str(error), fix=_RULE), content, name, str(error).partition(" ")[0]) from error
    elif contract_type == "phases":
        phases_in(content, name)
    else:
        _check_headings(contract_type, content, name)


_RULE: Final = 'write rules such as {"layers": [{"from": "app/routes/*", "must_not_import": ["app.repos"]}]}'


def _check_headings(contract_type: ContractType, content: str, name: str) -> None:
    there = [(number, line.strip()) for number, line in lines_outside_fences(content) if line.startswith("## ")]
    wanted = [line for line in _template(contract_type).lines if line.startswith("## ")]
    last = 1
    for heading in wanted:
        found = next((number for number, line in there if line == heading), None)
        if found is None:
            message = f"the heading `{heading}` is missing"
            raise BadSpec(message, file=name, line=last, fix=f"write it after this line, or say `{heading}` as it was")
        last = found


def _placed(error: BadSpec, text: str, name: str, key: str = "") -> BadSpec:
    """Return the error with the line in the text that its key leads to."""
    import yaml

    key = key or error.key or ""
    message = error.message.removeprefix(f"{name} ({error.key}): ").removeprefix(f"{name}: ")
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = node.start_mark.line if node is not None else 0
    for part in re.findall(r"[^.\[\]]+", key):
        found: Any = None
        if isinstance(node, yaml.MappingNode):
            found = next(((one, value) for one, value in node.value if one.value == part), None)
        elif isinstance(node, yaml.SequenceNode) and part.isdecimal() and int(part) < len(node.value):
            found = (node.value[int(part)],) * 2
        if found is None:
            break
        line, node = found[0].start_mark.line, found[1]
    return BadSpec(message, file=name, line=line + 1, key=key or None, fix=error.fix)


# --- Making -----------------------------------------------------------------------------------------------------------


class _Template(NamedTuple):
    version: int
    lines: tuple[str, ...]


def _template(contract_type: ContractType) -> _Template:
    folder = resources.files("buildwright.advisors.contract_templates")
    first, *lines = folder.joinpath(FILES[contract_type]).read_text(encoding="utf-8").splitlines()
    return _Template(int(first.removeprefix("template ")), tuple(lines))


def contracts_from(title: str, answers: Sequence[Answer]) -> tuple[Contract, ...]:
    """Return all contracts as the templates make them of the answers, in version 1. Pure."""
    return tuple(_made(kind, _plain(title)[:200] or "the project", answers) for kind in get_args(ContractType))


_SLOT = re.compile(r"\{\{ (\w+) (\w+) \}\}")


def _made(contract_type: ContractType, title: str, answers: Sequence[Answer]) -> Contract:
    template = _template(contract_type)
    lines: _Lines = []
    for line in template.lines:
        slot = _SLOT.fullmatch(line)
        if slot is None:
            lines.append((line.replace("{{ title }}", _markdown(title)), ()))
            continue
        made = list(_SLOTS[slot[1]](answers, cast("SectionName", slot[2])))
        if not made and lines and lines[-1][0].endswith(":"):
            lines[-1] = (f"{lines[-1][0]} []", ())
        lines += made
    return Contract(
        contract_type=contract_type,
        content="\n".join(line for line, _ in lines) + "\n",
        sources=tuple(sources for _, sources in lines),
        template=template.version,
    )


class _Said(NamedTuple):
    """One line of an answer."""

    text: str
    answer: Answer

    @property
    def sources(self) -> LineSources:
        return (self.answer.id,)


def _said(answers: Sequence[Answer], section: SectionName) -> Iterator[_Said]:
    for answer in answers:
        if answer.section == section:
            for line in answer.text.splitlines():
                if text := re.sub(r"^[-*+\u2022]\s+", "", _plain(line)):
                    yield _Said(text, answer)


def _plain(text: str) -> str:
    """Return a text as one line of characters that can be seen."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _markdown(text: str) -> str:
    """Return a line as Markdown that is nothing but a paragraph: no heading, list, fence, image or tag."""
    text = re.sub(r"`{3,}|~{3,}", lambda run: "\\" + "\\".join(run[0]), text)
    parts = re.split(r"(`[^`]+`)", text)
    outside = [re.sub(r"<(?=[A-Za-z/!?])|!(?=\[)", r"\\\g<0>", part) for part in parts[::2]]
    parts[::2] = outside
    return re.sub(r"^(\d+)([.)]\s)|^(?=[#>*+=-])(?!\*\S)", lambda at: f"{at[1] or ''}\\{at[2] or ''}", "".join(parts))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _mark(answer: Answer) -> str:
    if answer.origin == "assumed":
        return " (assumed)"
    return f" (found in {_markdown(_plain(answer.source))})" if answer.origin == "found" and answer.source else ""


def _items(answers: Sequence[Answer], section: SectionName) -> Iterator[tuple[str, LineSources]]:
    """Yield a list item for each line of the answers."""
    none = True
    for said in _said(answers, section):
        none = False
        yield f"- {_markdown(said.text)}{_mark(said.answer)}", said.sources
    if none:
        yield "Nothing was said of it.", ()


def _first(answers: Sequence[Answer], section: SectionName) -> Iterator[tuple[str, LineSources]]:
    said = next(_said(answers, section), None)
    yield (f"{_markdown(said.text)}{_mark(said.answer)}", said.sources) if said else ("Read the blueprint.", ())


def _choices(answers: Sequence[Answer], section: SectionName) -> Iterator[tuple[str, LineSources]]:
    for said in _said(answers, section):
        yield f"  - choice: {_quoted(said.text)}", said.sources
        if said.answer.origin == "assumed":
            yield "    assumed: true", said.sources
        elif said.answer.origin == "found" and said.answer.source:
            yield f"    found: {_quoted(_plain(said.answer.source))}", said.sources


_TABLE = re.compile(r"(?:table\s+)?`?([A-Za-z_]\w*)`?\s*(?:\((.+)\)|:\s*(.+))\.?", re.IGNORECASE)
_COLUMN = re.compile(r"`?[A-Za-z_]\w*`?(?:\s+\S.*)?")
_SHORT_COLUMN = re.compile(r"`?[A-Za-z_]\w*`?(?:\s+\w+(?:\(\d+\))?)?")


def _columns(text: str) -> tuple[str, list[str]] | None:
    """Return the table that a line describes: `users (id, email text)` or `users: id, email`. None for any other."""
    found = _TABLE.fullmatch(text)
    if found is None:
        return None
    columns = [column.strip(" `.") for column in (found[2] or found[3]).split(",") if column.strip(" `.")]
    form = _COLUMN if found[2] else _SHORT_COLUMN
    return (found[1], columns) if columns and all(form.fullmatch(column) for column in columns) else None


def _tables(answers: Sequence[Answer], section: SectionName) -> Iterator[tuple[str, LineSources]]:
    tables: dict[str, list[tuple[str, LineSources]]] = {}
    for said in _said(answers, section):
        if (table := _columns(said.text)) is not None:
            listed = tables.setdefault(table[0], [(f"  - name: {_quoted(table[0])}", said.sources)])
            listed += [] if len(listed) > 1 else [("    columns:", said.sources)]
            listed += [(f"      - {_quoted(column)}", said.sources) for column in table[1]]
    for lines in tables.values():
        yield from lines


_ENDPOINT = re.compile(
    r"`?(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|WS)\s+(/[^\s`,;]*?)[:`]*(?:\s+(?:[-:\u2013\u2014]+\s+)?(.*))?"
)


def _endpoints(answers: Sequence[Answer], section: SectionName) -> Iterator[tuple[str, LineSources]]:
    seen: set[tuple[str, str]] = set()
    for said in _said(answers, section):
        if (found := _ENDPOINT.fullmatch(said.text)) and (found[1], found[2]) not in seen:
            seen.add((found[1], found[2]))
            yield f"  - method: {found[1]}", said.sources
            yield f"    path: {_quoted(found[2])}", said.sources
            if found[3]:
                yield f"    does: {_quoted(found[3])}", said.sources


_PLACE = r"`?([\w./*-]+)`?"
_BOUNDARY = re.compile(
    rf"(?:the )?{_PLACE} (?:(must not|may not|must never|never|does not|cannot) imports?"
    r"|(?:may|must) (?:only import|import only)) (.+?)\.?",
    re.IGNORECASE,
)


def _layer(text: str) -> dict[str, Any] | None:
    """Return the rule that a line states, such as `app/routes must not import app.repos`. None for any other line."""
    found = _BOUNDARY.fullmatch(text)
    if found is None:
        return None
    names = [name.strip(" `") for name in re.split(r",|\band\b|\bor\b", found[3]) if name.strip(" `")]
    names = [name.removeprefix("the ") for name in names]
    place = found[1] if "/" in found[1] or "*" in found[1] else found[1].replace(".", "/")
    if any(re.search(r"\s", name) for name in names):
        return None
    return {"from": place, "must_not_import" if found[2] else "may_import": names}


def _layers(answers: Sequence[Answer], section: SectionName) -> Iterator[tuple[str, LineSources]]:
    layers = [(layer, said) for said in _said(answers, section) if (layer := _layer(said.text))]
    for number, (layer, said) in enumerate(layers, 1):
        lines = json.dumps(layer, indent=2, ensure_ascii=False).splitlines()
        lines[-1] += "," if number < len(layers) else ""
        yield from ((f"    {line}", said.sources) for line in lines)


def _notes(structured: Callable[[str], object]) -> Callable[[Sequence[Answer], SectionName], Iterator[Any]]:
    """Return what yields the lines of the answers that have no form of their own, as entries of a YAML list."""

    def notes(answers: Sequence[Answer], section: SectionName) -> Iterator[tuple[str, LineSources]]:
        for said in _said(answers, section):
            if not structured(said.text):
                yield f"  - {_quoted(said.text)}", said.sources

    return notes


def _layer_notes(answers: Sequence[Answer], section: SectionName) -> Iterator[tuple[str, LineSources]]:
    notes = [said for said in _said(answers, section) if not _layer(said.text)]
    for number, said in enumerate(notes, 1):
        yield f"    {_quoted(said.text)}{',' if number < len(notes) else ''}", said.sources


_PHASE = re.compile(r"(?:#+\s*)?(?:(?:phase|step|milestone)\s*\d+\s*[-:.\u2013\u2014)]*|\d+[.)])\s+(.+)", re.IGNORECASE)
_CRITERION = re.compile(
    r"(?:done when|exit criteria|exit criterion|exit|shows?|must show|accepted when)\s*:?\s+(.+)", re.I
)


class _Draft(NamedTuple):
    """A phase that is being made."""

    title: str
    sources: LineSources
    deliverables: _Lines
    criteria: _Lines


def _phases(answers: Sequence[Answer], section: SectionName) -> Iterator[tuple[str, LineSources]]:
    drafts: list[_Draft] = []
    for said in _said(answers, section):
        if found := _PHASE.fullmatch(said.text):
            title, _, rest = found[1].partition(": ")
            made = [(_markdown(one.strip()), said.sources) for one in rest.split(";") if one.strip()]
            drafts.append(_Draft(_markdown(title.rstrip(" .:"))[:150], said.sources, made, []))
            continue
        if not drafts:
            drafts.append(_Draft("Build", (), [], []))
        criterion = _CRITERION.fullmatch(said.text)
        text = _markdown(criterion[1] if criterion else said.text)
        (drafts[-1].criteria if criterion else drafts[-1].deliverables).append((text, said.sources))
    for number, draft in enumerate(drafts or list(_usual_phases(answers)), 1):
        yield from [("", ())] if number > 1 else []
        yield f"## Phase {number}: {draft.title}", draft.sources
        yield from [("", ()), ("**Deliverables:**", ())]
        deliverables = draft.deliverables or [(draft.title, draft.sources)]
        yield from ((f"- {text}", sources) for text, sources in deliverables)
        yield from [("", ()), ("**Exit criteria:**", ())]
        criteria = draft.criteria or [("Every check of the project passes.", ())]
        yield from ((f"- {text}", sources) for text, sources in criteria)


_USUAL: Final[tuple[tuple[str, str, SectionName], ...]] = (
    ("Foundation", "Set up the project with its tools and one test that passes", "tech_stack"),
    ("Data", "Store the data that the contract `schema` describes", "database_schema"),
    ("Interfaces", "Offer the interfaces that the contract `physics` describes", "api_endpoints"),
    ("User interface", "Build what the contract `ui` describes", "ui_requirements"),
    ("Delivery", "Make it run as the blueprint says under deployment", "deployment_target"),
)


def _usual_phases(answers: Sequence[Answer]) -> Iterator[_Draft]:
    """Yield the phases of a project whose user named none: one for each part that there are answers of."""
    told = [(one, tuple(answer.id for answer in answers if answer.section == one[2])) for one in _USUAL]
    for (title, text, _), sources in told:
        if sources:
            yield _Draft(title, sources, [(text, sources)], [])
    if not any(sources for _, sources in told):
        purpose = tuple(answer.id for answer in answers if answer.section == "product_intent")
        yield _Draft("Build", purpose, [("Build what the blueprint describes", purpose)], [])


_SLOTS: Final[Mapping[str, Callable[[Sequence[Answer], SectionName], Iterator[tuple[str, LineSources]]]]] = {
    "items": _items,
    "first": _first,
    "choices": _choices,
    "tables": _tables,
    "table_notes": _notes(_columns),
    "endpoints": _endpoints,
    "endpoint_notes": _notes(_ENDPOINT.fullmatch),
    "layers": _layers,
    "layer_notes": _layer_notes,
    "phases": _phases,
}


# --- Answers from a file ----------------------------------------------------------------------------------------------


class _FileAnswer(Record):
    """An answer as people write it."""

    section: SectionName
    text: _Text
    question: str = ""
    origin: Literal["said", "assumed", "found"] = "said"
    source: str = ""


class _AnswerFile(Record):
    title: str = ""
    answers: Annotated[tuple[_FileAnswer, ...], Field(min_length=1)]


def interview_from(text: str, name: str) -> Interview:
    """Return the interview in a file of answers, YAML or JSON: `title`, and `answers` with `section` and `text` each.

    They are named in their order. Raises BadSpec.
    """
    text = documents.check_text(text, name)
    data = documents.load_json(text, name) if name.endswith(".json") else documents.load_yaml(text, name)
    told = validate(_AnswerFile, data if isinstance(data, dict) else {"answers": data}, name)
    listed = [{"id": f"A{number}", **one.model_dump()} for number, one in enumerate(told.answers, 1)]
    return validate(Interview, {"title": told.title, "answers": listed}, name)


# --- Building ---------------------------------------------------------------------------------------------------------


def spec_of_contracts(contracts: BuildContracts, title: str) -> Spec:
    """Return what a build from these contracts is to build: its phases are the plan. Raises BadSpec, BadGraph."""
    phases = contracts.get("phases")
    if phases is None:
        raise BadSpec("the project has no contract of phases", fix="generate the contracts, or write it")
    for one in contracts.contracts:
        check_contract(one.contract_type, one.content)
    graph = graph_of(phases_in(phases.content))
    texts = [
        f"# {path}\n\n{content.strip()}"
        for kind in _READ_FIRST
        for path, content in contracts.files.items()
        if path.endswith(f"/{FILES[kind]}")
    ]
    spec = Spec(
        title=title[:200],
        source=f"contracts of {title}"[:200],
        form="contracts",
        text="\n\n".join(texts) + "\n",
        graph=checked_graph(graph, phases.content, FILES["phases"]),
        contracts=contracts,
    )
    return with_stated_proofs(spec)


def graph_of(phases: Sequence[Phase]) -> Graph:
    """Return the tasks of the phases: one for each deliverable, each after the one before, unless both are `[P]`."""
    tasks: list[Task] = []
    for phase in phases:
        before: tuple[str, ...] = ()
        group: list[str] = []
        was_beside = False
        for at, one in enumerate(phase.deliverables):
            if not (one.beside and was_beside):
                before, group = tuple(group), []
            group.append(one.id)
            was_beside = one.beside
            about = f"\n\nThe phase it belongs to: {phase.objective}" if phase.objective else ""
            tasks.append(
                Task(
                    id=one.id,
                    title=one.text[:200],
                    goal=f"{one.text}{about}",
                    acceptance=phase.criteria if at == len(phase.deliverables) - 1 else (),
                    depends_on=before,
                    files_expected=paths_in(one.text, quoted_only=True),
                    milestone=phase.milestone,
                )
            )
    return Graph(tasks=tuple(tasks), milestones=tuple(phase.milestone for phase in phases))
