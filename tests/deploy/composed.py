"""compose.yaml as Compose reads it: variables filled in, merges done. Starts nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
_VARIABLE = re.compile(r"\$(?:\$|\{(\w+)(?::([-?])([^}]*))?\})")


def text_of(name: str = "compose.yaml") -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def named_variables(text: str) -> set[str]:
    """The variables that a compose file asks for."""
    return {found[1] for found in _VARIABLE.finditer(text) if found[1]}


def composed(environment: Mapping[str, str], name: str = "compose.yaml") -> dict[str, Any]:
    """The file with its variables filled in. Raises KeyError for one that is required and missing."""
    return _filled(yaml.safe_load(text_of(name)), environment)  # type: ignore[no-any-return]


def _filled(node: Any, environment: Mapping[str, str]) -> Any:
    match node:
        case dict():
            return {key: _filled(value, environment) for key, value in node.items()}
        case list():
            return [_filled(value, environment) for value in node]
        case str():
            return _VARIABLE.sub(lambda found: _value(found, environment), node)
        case _:
            return node


def _value(found: re.Match[str], environment: Mapping[str, str]) -> str:
    name, sign, rest = found.groups()
    if name is None:
        return "$"
    value = environment.get(name, "")
    if not value and sign == "?":
        raise KeyError(f"{name}: {rest}")
    return value or (rest if sign == "-" else "")


def argv_of(test: list[str]) -> list[str]:
    """The command line of a health check."""
    kind, *words = test
    return {"CMD": words, "CMD-SHELL": ["sh", "-c", *words]}[kind]


def command_lines(services: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Every command that a file names, with what it is for."""
    for name, service in services.items():
        yield f"{name}: command", service["command"]
        if "test" in service["healthcheck"]:
            yield f"{name}: health", argv_of(service["healthcheck"]["test"])


def example(name: str) -> dict[str, tuple[str, str]]:
    """The variables of an example of an environment file: value, and the comment before it."""
    found, comment = {}, ""
    for line in text_of(name).splitlines():
        variable = re.fullmatch(r"#?([A-Z_]+)=(.*)", line)
        if variable:
            found[variable[1]] = (variable[2], comment)
        else:
            comment = f"{comment} {line[1:].strip()}".strip() if line.startswith("#") else ""
    return found
