"""Cassettes: scripted answers in a YAML file, found by the request. Must never keep state between requests.

The format is documented in docs/cassettes.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, JsonValue, ValidationError, model_validator

from buildwright.core.record import Record
from buildwright.errors import BadSpec
from buildwright.gateway.exchange import AnswerEnd, ModelRequest

LARGEST_FILE = 5 * 1024 * 1024
DEEPEST = 64
"""Deepest nesting of the YAML; a deeper file is an attack, not a cassette."""

PLANNER = "plan"
"""The planner's name in a cassette; its door has the task ""."""

_Name = Annotated[str, Field(coerce_numbers_to_str=True)]
"""YAML reads `task: 7` as a number; it is a name."""


class When(Record):
    """Which requests an entry answers. A missing key matches anything."""

    task: _Name | None = None
    attempt: int | None = Field(default=None, ge=1)
    message: int | None = Field(default=None, ge=0)
    turn: int | None = Field(default=None, ge=0)
    contains: _Name | None = None
    tool: str | None = None


class ToolCall(Record):
    """A tool call, as the client would get it from a model."""

    name: str = Field(min_length=1)
    input: dict[str, JsonValue] = Field(default_factory=dict)


class CassetteReply(Record):
    """The content of an answer: text, files, tools (with text before them), or json."""

    text: str | None = None
    say: str = ""
    files: dict[_Name, str] | None = None
    delete: tuple[_Name, ...] = ()
    tools: tuple[ToolCall, ...] | None = None
    json_: JsonValue = Field(default=None, alias="json")

    @model_validator(mode="after")
    def _one_kind(self) -> CassetteReply:
        changes_files = self.files is not None or bool(self.delete)
        has_json = "json_" in self.model_fields_set
        kinds = [self.text is not None, changes_files, self.tools is not None, has_json]
        if sum(kinds) != 1:
            raise ValueError("give exactly one of: text; files and delete; tools; json")
        if self.say and not (changes_files or self.tools is not None):
            raise ValueError("say goes with files, delete or tools only; plain words are text")
        return self


class Used(Record):
    """Tokens to report. `input` excludes the cache."""

    input: int = Field(default=0, ge=0)
    output: int = Field(default=0, ge=0)
    cache_read: int = Field(default=0, ge=0)
    cache_write: int = Field(default=0, ge=0)


class Pace(Record):
    """The speed at which an answer streams."""

    tokens_per_second: float = Field(gt=0)


FaultKind = Literal["400", "401", "403", "404", "413", "429", "500", "502", "503", "504", "529", "cut", "hang", "error"]


class Fault(Record):
    """A failure that happens `times` times before the answer gets through.

    A number is that HTTP status; `cut` breaks the connection and `error` sends an overload error after `after_chars`
    characters of the answer; `hang` is silent for `seconds`, then breaks the connection.
    """

    kind: Annotated[FaultKind, Field(coerce_numbers_to_str=True)]
    times: int = Field(default=1, ge=1)
    retry_after: float | None = Field(default=None, ge=0)
    after_chars: int = Field(default=0, ge=0)
    seconds: float = Field(default=30.0, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _number_is_name(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("kind"), int):
            return data | {"kind": str(data["kind"])}
        return data


class CassetteEntry(Record):
    """One scripted answer."""

    when: When = When()
    reply: CassetteReply
    ends: AnswerEnd = ""
    model: str = ""
    usage: Used | None = None
    pace: Pace | None = None
    faults: tuple[Fault, ...] = ()

    @model_validator(mode="after")
    def _ends_words(self) -> CassetteEntry:
        if self.ends and self.reply.text is None:
            raise ValueError("ends goes with text only")
        return self


class Cassette(Record):
    """A whole cassette. `model` is reported and priced where an entry has none; "" repeats the requested one."""

    version: Literal[1]
    description: str = ""
    model: str = ""
    pace: Pace | None = None
    turns: tuple[CassetteEntry, ...]


class CassetteMatch(NamedTuple):
    """The matching entry, its index, and whether it continues an earlier round of the assistant."""

    place: int
    entry: CassetteEntry
    continues: bool


def find(cassette: Cassette, task: str, attempt: int, asked: ModelRequest) -> CassetteMatch | None:
    """Return the first entry that matches exactly, else the first whose tool rounds this request continues.

    A client asks again when the tools of a reply have run, so an entry for turn N with files or tools also answers the
    turns after N that no other entry claims.
    """
    for index, entry in enumerate(cassette.turns):
        if _matches(entry.when, task, attempt, asked) and entry.when.turn in {None, asked.turn}:
            return CassetteMatch(index, entry, continues=entry.when.turn is None and asked.turn > 0)
    for index, entry in enumerate(cassette.turns):
        acts = entry.reply.tools is not None or entry.reply.files is not None or entry.reply.delete
        turn = entry.when.turn
        if acts and turn is not None and turn < asked.turn and _matches(entry.when, task, attempt, asked):
            return CassetteMatch(index, entry, continues=True)
    return None


def _matches(when: When, task: str, attempt: int, asked: ModelRequest) -> bool:
    return (
        when.task in {None, task or PLANNER}
        and when.attempt in {None, attempt}
        and when.message in {None, asked.message}
        and (when.contains is None or when.contains in asked.text)
        and (when.tool is None or when.tool in asked.tools)
    )


def load(path: Path) -> Cassette:
    """Read a cassette; an unchanged file is read once. Raises BadSpec with file and key."""
    try:
        found = path.stat()
    except OSError as error:
        raise BadSpec(
            f"The cassette cannot be read: {error.strerror}.", file=str(path), fix="Give the path of a cassette file."
        ) from error
    if found.st_size > LARGEST_FILE:
        raise BadSpec(f"A cassette may have {LARGEST_FILE} bytes; this has {found.st_size}.", file=str(path))
    return _load(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=16)
def _load(path: Path, _changed_ns: int, _size: int) -> Cassette:
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise BadSpec(f"The cassette cannot be read: {error}.", file=str(path)) from error


def parse(text: str, file: str) -> Cassette:
    """Parse a cassette's text. `file` is named in errors. Raises BadSpec."""
    import yaml

    # The C loader where it exists: the other one takes seconds for a megabyte.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        depth = 0
        for event in yaml.parse(text, Loader=loader):
            line = event.start_mark.line + 1 if event.start_mark else None
            if getattr(event, "anchor", None):
                raise BadSpec("A cassette may not use anchors and aliases.", file=file, line=line, fix="Write it out.")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise BadSpec(f"The nesting is deeper than {DEEPEST}.", file=file, line=line)
        data = yaml.load(text, Loader=loader)  # noqa: S506 (both loaders are the safe ones)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise BadSpec(f"Not valid YAML: {problem}.", file=file, line=mark.line + 1 if mark else None) from error
    except ValueError as error:
        # A date such as 2026-02-31 passes the grammar and fails in the constructor.
        raise BadSpec(f"Not valid YAML: {error}.", file=file) from error
    try:
        return Cassette.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        message = f"{first['msg'].removeprefix('Value error, ')}{more}."
        fix = "See docs/cassettes.md for the keys of a cassette."
        raise BadSpec(message, file=file, key=_key(first["loc"]) or None, fix=fix) from error


def _key(location: Sequence[int | str]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")
