"""Judges the boundaries that a project draws in `boundaries.json`: what code in one place may not import or contain.

A contract of boundaries counts beside it.

Must never let a comment or a string count, nor the change choose its own rules: those of the base hold.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from buildwright.core.boundary_rules import BoundaryRule, read_rules
from buildwright.core.contracts import path_of
from buildwright.core.finding import Finding, Severity
from buildwright.gates.changed import checkout
from buildwright.gates.compared import Compared, base_text, compared, is_open, opening
from buildwright.gates.imports import Import, code_lines, imports_of, source_language
from buildwright.gates.reporting import finding, judgement
from buildwright.ports import Judged, Judgement

RULES = "boundaries.json"
_FIX = 'for example {"layers": [{"from": "app/routes/*", "must_not_import": ["app.repos"]}]}'


class BoundedFile(NamedTuple):
    """A changed file, with its imports on both sides and the numbers of the lines that are new."""

    path: str
    content: bytes
    before: tuple[Import, ...]
    after: tuple[Import, ...]
    added: tuple[int, ...]


class BoundariesGate:
    """Refuses imports and lines that the change adds and that the rules of the base forbid."""

    name = "boundaries"
    needs_files = True
    refuses = f"an import or a line that `{RULES}` of the base forbids, and a change of that file which no task names"

    async def judge(self, judged: Judged) -> list[Judgement]:
        """Return one judgement; none when there is no patch. Raises GateBroken without a checkout."""
        if judged.patch is None:
            return []
        checkout(judged)
        places = rule_files(judged.options.contracts_folder)
        texts = {path: text for path in places if (text := await base_text(judged, path)) is not None}
        if not texts:
            return [judgement(self.name, "scope", [])]
        rules: list[BoundaryRule] = []
        for path, text in texts.items():
            try:
                rules += read_rules(text)
            except ValueError as error:
                return [judgement(self.name, "scope", [unreadable(error, path, severity="warning")])]
        files = await compared(judged)
        found = [one for file in files for one in _judged_file(file, rules)]
        kept = [one for one in found if one.file is None or not is_open(judged, one.file, named=False)]
        touched = [file.path for file in files if file.path in texts and not is_open(judged, file.path)]
        return [judgement(self.name, "scope", [*kept, *map(_rules_changed, touched)])]


def rule_files(folder: str = "") -> tuple[str, ...]:
    """Return the files with rules: that of the project, and the contract in this folder."""
    return RULES, path_of(folder, "boundaries")


def unreadable(error: ValueError, path: str = RULES, severity: Severity = "error") -> Finding:
    """Return a finding about rules that cannot be used."""
    return finding("boundaries.unreadable", f"{path} cannot be used: {error}", path, severity=severity, fix=_FIX)


def _rules_changed(path: str) -> Finding:
    message = f"{path} was changed: a change may not choose the boundaries that it is judged by."
    return finding("boundaries.rules", message, path, fix=f"leave {path} as it was{opening(path)}")


def _judged_file(file: Compared, rules: Sequence[BoundaryRule]) -> list[Finding]:
    mine = [rule for rule in rules if rule.covers(file.path)]
    if not mine or file.after is None:
        return []
    content = file.after.encode()
    before = imports_of(file.path, (file.before or "").encode())
    added = tuple(_added_lines(file.before or "", file.after))
    return judge_file(BoundedFile(file.path, content, before, imports_of(file.path, content), added), mine)


def _added_lines(before: str, after: str) -> Iterator[int]:
    """Yield the numbers of lines that are new, by what they say: a line that was moved is none."""
    left = Counter(before.splitlines())
    for number, line in enumerate(after.splitlines(), start=1):
        if left[line]:
            left[line] -= 1
        else:
            yield number


def judge_file(file: BoundedFile, rules: Sequence[BoundaryRule]) -> list[Finding]:
    """Return what the change adds to a file and what these rules, all about the file, forbid."""
    return list(dict.fromkeys((*_imports(file, rules), *_lines(file, rules))))


def _imports(file: BoundedFile, rules: Sequence[BoundaryRule]) -> Iterator[Finding]:
    """Yield the new imports of a file that a rule forbids. One that the base had already is an old sin."""
    path = file.path
    old = {one.name for one in file.before}
    for one in file.after:
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


def _lines(file: BoundedFile, rules: Sequence[BoundaryRule]) -> Iterator[Finding]:
    if not any(rule.forbidden for rule in rules):
        return
    path, lines = file.path, code_lines(file.path, file.content)
    for number in file.added:
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
