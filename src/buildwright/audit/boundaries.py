"""Judges the boundaries that a project draws in `boundaries.json`: what code in one place may not import or contain.

Must never let a comment or a string count. The rules of the base and of the head both hold: a change that loosens them
is still judged by those before it.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from buildwright.audit.check import AuditInput
from buildwright.audit.imports import code_lines, source_language
from buildwright.core.finding import NOT_RUN, Finding
from buildwright.gates.reporting import finding

RULES = "boundaries.json"
_FIX = 'for example {"layers": [{"from": "app/routes/*", "must_not_import": ["app.repos"]}]}'


class BoundaryRule(NamedTuple):
    """One rule for the files that match `places`; see the guide for what each key means."""

    places: tuple[str, ...]
    may_import: tuple[str, ...] | None
    must_not_import: tuple[str, ...]
    forbidden: tuple[tuple[re.Pattern[str], str], ...]
    """Patterns that no line of code may match, each with its reason."""
    name: str

    def covers(self, path: str) -> bool:
        """Return whether the rule is about this file. `*` also stands for slashes."""
        return any(fnmatchcase(path, one) or path.startswith(one.rstrip("*").rstrip("/") + "/") for one in self.places)


def read_rules(text: str) -> tuple[BoundaryRule, ...]:
    """Read the rules. Raises ValueError naming what is wrong."""
    told = json.loads(text)
    layers = told.get("layers", told.get("rules")) if isinstance(told, dict) else None
    if not isinstance(layers, list):
        raise ValueError("there is no list `layers`")
    return tuple(_rule(one, number) for number, one in enumerate(layers))


def _rule(told: Any, number: int) -> BoundaryRule:
    if not isinstance(told, dict):
        raise ValueError(f"layers[{number}] is no object")
    places = _texts(told.get("from", told.get("glob", told.get("paths"))), f"layers[{number}].from")
    if not places:
        raise ValueError(f"layers[{number}] names no files: give `from` or `glob`")
    forbidden = told.get("forbidden", [])
    patterns = [one if isinstance(one, dict) else {"pattern": one} for one in forbidden]
    try:
        compiled = tuple((re.compile(str(one["pattern"])), str(one.get("reason", ""))) for one in patterns)
    except (re.error, KeyError) as error:
        raise ValueError(f"layers[{number}].forbidden: {error}") from error
    may = _texts(told["may_import"], f"layers[{number}].may_import") if "may_import" in told else None
    must_not = _texts(told.get("must_not_import"), f"layers[{number}].must_not_import")
    return BoundaryRule(places, may, must_not, compiled, str(told.get("name", ", ".join(places))))


def _texts(told: Any, what: str) -> tuple[str, ...]:
    listed = [] if told is None else [told] if isinstance(told, str) else told
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise ValueError(f"{what} is no text and no list of texts")
    return tuple(listed)


async def judge_boundaries(audit: AuditInput) -> Sequence[Finding]:
    """Return imports and lines that the change adds and that a boundary forbids."""
    comparison = audit.comparison
    sides = [side[RULES] for side in (comparison.before, comparison.after) if RULES in side]
    if not sides:
        return [finding(NOT_RUN, f"not run: the project has no {RULES}", severity="note")]
    await comparison.read(sides)
    await comparison.read_changed()
    rules: list[BoundaryRule] = []
    for entry in dict.fromkeys(sides):
        try:
            rules += read_rules(comparison.text(entry) or "")
        except ValueError as error:
            return [finding("boundaries.unreadable", f"{RULES} cannot be used: {error}", RULES, fix=_FIX)]
    found = []
    for path in comparison.patch.paths:
        mine = [rule for rule in dict.fromkeys(rules) if rule.covers(path)]
        content = comparison.content(comparison.after.get(path))
        if mine and content is not None:
            found += [*_imports(audit, path, mine), *_lines(audit, path, content, mine)]
    return list(dict.fromkeys(found))


def _imports(audit: AuditInput, path: str, rules: Sequence[BoundaryRule]) -> Iterator[Finding]:
    """Yield the new imports of a file that a rule forbids. One that the base had already is an old sin."""
    comparison = audit.comparison
    old = {one.name for one in comparison.imports(path, comparison.before.get(path))}
    for one in comparison.imports(path, comparison.after.get(path)):
        if one.name in old:
            continue
        target = target_of(path, one.name)
        for rule in rules:
            bad = next((name for name in rule.must_not_import if _is_in(target, name)), None)
            if bad is not None:
                message = f"{path} imports {one.name}; {rule.name} must not import {bad}."
                yield finding("boundaries.import", message, path, one.line, fix=f"take out the import of {one.name}")
            elif rule.may_import is not None and not any(_is_in(target, name) for name in rule.may_import):
                message = f"{path} imports {one.name}; {rule.name} may import only {', '.join(rule.may_import)}."
                yield finding("boundaries.import", message, path, one.line, fix=f"take out the import of {one.name}")


def _lines(audit: AuditInput, path: str, content: bytes, rules: Sequence[BoundaryRule]) -> Iterator[Finding]:
    if not any(rule.forbidden for rule in rules):
        return
    lines = code_lines(path, content)
    for number, _ in audit.comparison.lines[path].added:
        line = lines[number - 1] if number <= len(lines) else ""
        for rule in rules:
            for pattern, reason in rule.forbidden:
                if pattern.search(line):
                    message = (
                        f"{path} has {pattern.pattern!r}, which {rule.name} must not: {reason or 'it is forbidden'}."
                    )
                    yield finding("boundaries.pattern", message, path, number, fix="write this line without it")


def target_of(path: str, name: str) -> str:
    """Return what an import names, as a path with slashes: `app.repos` and `./repos` both become `app/repos`."""
    language = source_language(path)
    folder = posixpath.dirname(path)
    if language == "python":
        dots = len(name) - len(name.lstrip("."))
        for _ in range(dots - 1):
            folder = posixpath.dirname(folder)
        rest = name.lstrip(".").replace(".", "/")
        return posixpath.join(folder, rest).rstrip("/") if dots else rest
    if name.startswith("."):
        return posixpath.normpath(posixpath.join(folder, name))
    return name.replace(".", "/") if language == "java" else name


def _is_in(target: str, wanted: str) -> bool:
    plain = wanted.replace(".", "/") if "/" not in wanted and not wanted.startswith(".") else wanted
    spellings = {target, target.removeprefix("src/")}
    return any(
        one == form or one.startswith(f"{form.rstrip('/')}/") or fnmatchcase(one, form)
        for one in spellings
        for form in (plain, wanted)
    )
