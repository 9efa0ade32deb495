"""Reads files and text as plain data within bounds of size, encoding and depth. Must know no task format.

Every refusal is a BadSpec that names the file and, where there is one, the line or the key path.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from buildwright.advisors.paths import path_problem
from buildwright.core.graph import Graph, compile_plan
from buildwright.errors import BadGraph, BadSpec

SIZE_LIMIT: Final = 10_000_000
"""Bytes of the largest spec."""

DEPTH_LIMIT: Final = 64
"""Deepest nesting of lists and mappings."""

AnyModel = TypeVar("AnyModel", bound=BaseModel)


def read_text(path: Path) -> str:
    """Return the text of a file. Raises BadSpec when it is missing, empty, too large, or not UTF-8 text."""
    name = str(path)
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_LIMIT + 1)
    except FileNotFoundError:
        raise BadSpec("there is no such file", file=name, fix="check the path") from None
    except IsADirectoryError:
        raise BadSpec("this is a directory", file=name, fix="name the spec file inside it") from None
    except OSError as error:
        raise BadSpec(f"cannot be read: {error.strerror}", file=name, fix="check the file's permissions") from error
    return decode(content, name)


def decode(content: bytes, name: str) -> str:
    """Return bytes as text, without a UTF-8 byte order mark. Raises BadSpec."""
    if len(content) > SIZE_LIMIT:
        raise BadSpec(f"is larger than {SIZE_LIMIT // 1_000_000} MB", file=name, fix="split the spec into smaller ones")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadSpec("is UTF-16 text", file=name, fix="save the file as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadSpec("is not UTF-8 text", file=name, line=line, fix="save the file as UTF-8") from error


def check_text(text: str, name: str) -> str:
    """Return the text without a byte order mark. Raises BadSpec when it is empty, too large, or binary."""
    text = text.removeprefix("\ufeff")
    if len(text) > SIZE_LIMIT:
        raise BadSpec(f"is larger than {SIZE_LIMIT // 1_000_000} MB", file=name, fix="split the spec into smaller ones")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise BadSpec("is a binary file, or UTF-16 without a mark", file=name, line=line, fix="give a UTF-8 text file")
    if not text.strip():
        raise BadSpec("is empty", file=name, fix="describe what to build, or list the tasks")
    return text


def load_json(text: str, name: str) -> Any:
    """Return JSON as plain data. Raises BadSpec with line and column for bad syntax, with the key for a double key."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        mapping = dict(items)
        if len(mapping) < len(items):
            seen: set[str] = set()
            for key, _ in items:
                if key in seen:
                    raise BadSpec(
                        "this key is there twice in one object", file=name, key=key, fix=f"remove one {key!r}"
                    )
                seen.add(key)
        return mapping

    def constant(word: str) -> NoReturn:
        raise BadSpec(f"{word} is not JSON", file=name, fix=f"replace {word} by a number")

    try:
        data = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as error:
        message = f"is not JSON: {error.msg} at column {error.colno}"
        raise BadSpec(message, file=name, line=error.lineno, fix="correct the syntax there or just before") from error
    except RecursionError:
        raise _too_deep(name, "") from None
    except ValueError as error:
        raise BadSpec(f"is not usable JSON: {error}", file=name, fix="write a smaller number") from error
    _check_plain(data, name)
    return data


def load_yaml(text: str, name: str) -> Any:
    """Return YAML as plain data: no tags, no aliases, dates stay text. Raises BadSpec with line and column."""
    import yaml

    try:
        depth = 0
        for event in yaml.parse(text, Loader=_yaml_loader()):
            line = event.start_mark.line + 1 if event.start_mark else None
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                message = "anchors and aliases are not accepted"
                raise BadSpec(message, file=name, line=line, fix="write the value out at each place")
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > DEPTH_LIMIT:
                    raise _too_deep(name, "", line)
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
        data = yaml.load(text, Loader=_yaml_loader())  # noqa: S506  a SafeLoader of ours
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" at column {mark.column + 1}" if mark else ""
        message = f"is not YAML: {error.problem or error.context}{where}"
        line_there = mark.line + 1 if mark else None
        raise BadSpec(message, file=name, line=line_there, fix="correct the syntax there or just before") from error
    except yaml.YAMLError as error:
        raise BadSpec(f"is not YAML: {' '.join(str(error).split())}", file=name, fix="correct the syntax") from error
    except RecursionError:
        raise _too_deep(name, "") from None
    except ValueError as error:
        raise BadSpec(f"is not usable YAML: {error}", file=name, fix="put the value in quotes") from error
    _check_plain(data, name)
    return data


@cache
def _yaml_loader() -> Any:
    import yaml

    # The C parser reads 1 MB in a tenth of the time; not every build of PyYAML has it.
    parent: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    def mapping(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a list or a table is not a key", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is there twice", key.start_mark
                )
            seen.add(key.value)
        return dict(loader.construct_pairs(node, deep=True))

    loader: Any = type("_PlainLoader", (parent,), {})
    loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in parent.yaml_implicit_resolvers.items()
    }
    loader.add_constructor("tag:yaml.org,2002:map", mapping)
    return loader


def _too_deep(name: str, key: str, line: int | None = None) -> BadSpec:
    return BadSpec(
        f"lists and objects lie more than {DEPTH_LIMIT} deep in each other",
        file=name,
        line=line,
        key=key or None,
        fix="flatten the file",
    )


def _check_plain(data: Any, name: str) -> None:
    """Raise BadSpec for data too deep, a key that is not text, or text that no UTF-8 file could hold."""
    stack: list[tuple[Any, tuple[str | int, ...]]] = [(data, ())]
    while stack:
        value, where = stack.pop()
        if len(where) >= DEPTH_LIMIT and isinstance(value, dict | list):
            raise _too_deep(name, "")
        if isinstance(value, dict):
            for key, inner in value.items():
                if not isinstance(key, str):
                    raise BadSpec(
                        f"the key {key!r} is not text", file=name, key=key_path(where), fix="put the key in quotes"
                    )
                stack.append((inner, (*where, key)))
        elif isinstance(value, list):
            stack += [(inner, (*where, index)) for index, inner in enumerate(value)]
        elif isinstance(value, str) and re.search("[\0\ud800-\udfff]", value):
            raise BadSpec(
                "holds a character that is not text", file=name, key=key_path(where), fix="remove the character"
            )


def key_path(where: Iterable[str | int]) -> str:
    """Return a place in a document as people write it: `tasks[3].depends_on`."""
    path = ""
    for part in where:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def validate(model: type[AnyModel], data: Any, name: str, where: tuple[str | int, ...] = ()) -> AnyModel:
    """Return data as a record. Raises BadSpec for the first problem, with file, key path and fix."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        # An unknown key first: it is often why another one is missing.
        problems = sorted(error.errors(include_url=False), key=lambda problem: problem["type"] != "extra_forbidden")
        first = problems[0]
        key = key_path((*where, *first["loc"]))
        if first["type"] == "extra_forbidden":
            message, fix = _unknown_key(model, first["loc"])
        else:
            message, fix = _words(
                first["type"], first["msg"], first.get("ctx", {}), str(first["loc"][-1]) if first["loc"] else ""
            )
        raise BadSpec(message, file=name, key=key or None, fix=fix) from error


# fmt: off
SPELLINGS: Final = frozenset({
    "after", "blockedby", "blockers", "dependencies", "dependency", "dependencyids", "dependent", "depends",
    "dependson", "dependsontask", "dependsontasks", "dependsupon", "deps", "needs", "predecessor", "predecessors",
    "prereq", "prereqs", "prerequisite", "prerequisites", "requires", "upstream", "waitfor", "waitsfor", "waitson",
})
"""Keys that mean "these tasks come before", without case and separators."""
# fmt: on
_MEANT: Final[Mapping[str, frozenset[str]]] = {
    "files_expected": frozenset(
        {
            "affected",
            "file",
            "filename",
            "files",
            "filestochange",
            "filestomodify",
            "outputs",
            "path",
            "paths",
            "targets",
            "touches",
        }
    ),
    "goal": frozenset(
        {"body", "content", "desc", "description", "detail", "details", "instructions", "prompt", "text", "what"}
    ),
    "title": frozenset({"heading", "label", "name", "subject", "summary"}),
    "id": frozenset({"identifier", "key", "number", "ref", "slug", "taskid"}),
    "acceptance": frozenset(
        {"acceptancecriteria", "criteria", "donewhen", "dod", "expected", "exitcriteria", "successcriteria"}
    ),
    "requirements": frozenset({"constraints", "rules"}),
    "validation": frozenset({"check", "command", "test", "teststrategy", "verification", "verify"}),
    "milestone": frozenset({"epic", "group", "phase", "section", "sprint", "stage"}),
    "minutes": frozenset({"duration", "effort", "estimate", "estimatedminutes", "time"}),
    "depends_on": SPELLINGS,
    "tasks": frozenset({"items", "steps", "stories", "todos"}),
}
"""What people call a key elsewhere, without case and separators, by what it is called here."""


def _unknown_key(model: type[BaseModel], where: tuple[str | int, ...]) -> tuple[str, str]:
    known = _fields_at(model, where[:-1])
    folded = re.sub(r"[^a-z]", "", str(where[-1]).lower())
    meant = [key for key, names in _MEANT.items() if key in known and folded in names]
    close = meant or get_close_matches(str(where[-1]), known, n=1, cutoff=0.6)
    if close:
        return f"unknown key; did you mean {close[0]!r}?", f"write {close[0]!r}, or remove the key"
    return "unknown key", f"remove it; known here: {', '.join(known)}"


def _fields_at(model: type[BaseModel], where: tuple[str | int, ...]) -> list[str]:
    for part in where:
        field = model.model_fields.get(str(part)) if isinstance(part, str) else None
        if field is not None:
            model = _model_in(field.annotation) or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        if (found := _model_in(inner)) is not None:
            return found
    return None


def _words(kind: str, message: str, context: dict[str, Any], key: str) -> tuple[str, str]:
    match kind:
        case "missing":
            return "is missing", f"add {key!r}"
        case "string_type":
            return "should be text", "put the value in quotes"
        case "tuple_type" | "list_type":
            return "should be a list", "write it as a list, also with a single item"
        case "model_type" | "dict_type" | "model_attributes_type":
            return "should be an object with named keys", "write keys and values"
        case "string_too_short":
            return "is empty", "write a few words"
        case "string_pattern_mismatch":
            return (
                "is not an id",
                "use 1 to 80 letters, digits, dots, underscores or hyphens, beginning with a letter or digit",
            )
        case "literal_error":
            return f"should be {context.get('expected', 'one of the known words')}", "use one of these words"
        case _:
            return message[:1].lower() + message[1:], "correct the value"


def checked_graph(graph: Graph, text: str, name: str, lines: dict[str, int] | None = None) -> Graph:
    """Return the graph if it can be built. Raises BadGraph, or BadSpec for a bad path, with the task's line if any."""
    for index, task in enumerate(graph.tasks):
        for place, path in enumerate(task.files_expected):
            if problem := path_problem(path):
                key = key_path(("tasks", index, "files_expected", place))
                line = _line_of(task.id, text, lines)
                raise BadSpec(
                    f"{path!r} {problem}", file=name, line=line, key=key, fix="give a path inside the repository"
                )
    try:
        compile_plan(graph)
    except BadGraph as error:
        told = error.message.removeprefix(f"{error.key}: ")
        line = _line_of(error.key, text, lines) if error.key else None
        raise BadGraph(told, file=name, line=line, key=error.key, fix=error.fix) from error
    return graph


def _line_of(task: str, text: str, lines: dict[str, int] | None) -> int | None:
    if lines is not None:
        return lines.get(task)
    # The last one: for a duplicate id, that is the superfluous one.
    found = list(re.finditer(rf"""\bid["']?[ \t]*:[ \t]*["']?{re.escape(task)}(?![\w.-])""", text))
    return text.count("\n", 0, found[-1].start()) + 1 if found else None
