"""Judges whether what a change imports is declared in a manifest. Must never ask the network.

Only new imports count. An import that nothing declares blocks; one that some declared package may well bring under
another name, and one that the base uses elsewhere, is only a warning.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from buildwright.core.finding import Finding
from buildwright.gates.changed import checkout, listing, read_bytes
from buildwright.gates.compared import Compared, compared, is_open, opening
from buildwright.gates.imports import Import, imports_of, source_language
from buildwright.gates.manifests import manifest_of, read_manifest
from buildwright.gates.reporting import finding, judgement
from buildwright.gates.resolver import ResolvedImport, Resolver
from buildwright.gates.surface import is_test
from buildwright.ports import Judged, Judgement

_OTHER_LANGUAGES = {"javascript": "typescript", "tsx": "typescript"}
"""Languages whose files import from the same packages."""


class ChangedSource(NamedTuple):
    """A source file that a change leaves behind, with its imports before and after."""

    path: str
    before: tuple[Import, ...]
    after: tuple[Import, ...]


class SourceFile(NamedTuple):
    """A source file of the base that the change left alone."""

    path: str
    content: bytes


class DependenciesGate:
    """Refuses an import that the change adds and that no manifest declares, and notes what manifests declare anew."""

    name = "dependencies"
    needs_files = True
    refuses = "a new import that no manifest declares"

    async def judge(self, judged: Judged) -> list[Judgement]:
        """Return one judgement; none when there is no patch. Raises GateBroken without a checkout."""
        if judged.patch is None:
            return []
        files = await compared(judged)
        root = checkout(judged)
        changed = [_changed(file) for file in files if file.after is not None and source_language(file.path)]
        gone = [_changed(file) for file in files if file.after is None and source_language(file.path)]
        touched = frozenset(change.path for change in judged.patch.changes)

        async def base_sources() -> Iterable[SourceFile]:
            return await asyncio.to_thread(lambda: list(_sources(root, touched)))

        found = await undeclared(changed, gone, lambda: _resolver(root), base_sources)
        kept = [one for one in found if one.file is None or not is_open(judged, one.file, named=False)]
        return [judgement(self.name, "scope", [*kept, *manifest_changes(files)])]


async def undeclared(
    changed: Sequence[ChangedSource],
    gone: Sequence[ChangedSource],
    resolver: Callable[[], Resolver],
    base_sources: Callable[[], Awaitable[Iterable[SourceFile]]],
) -> list[Finding]:
    """Return what is wrong with the imports that a change adds.

    `gone` are the files that it deletes: what they imported may have moved. The resolver and the sources that were
    left alone are asked for only when an import needs them.
    """
    moved = {one.name for file in gone for one in file.before}
    new = [(file.path, one) for file in changed for one in _new_imports(file, moved)]
    if not new:
        return []
    known = resolver()
    resolved = [known.resolve(path, one) for path, one in new]
    blocking = [one for one in resolved if one.kind == "undeclared" and not one.found.optional]
    used = _used_in(await base_sources(), blocking) if blocking else set()
    found: dict[tuple[str, str], Finding] = {}
    for one in resolved:
        said = _finding(one, is_used=_name_and_language(one) in used)
        if said is not None:
            found.setdefault((one.file, one.package), said)
    return list(found.values())


def manifest_changes(files: Iterable[Compared]) -> Iterator[Finding]:
    """Yield a note for each manifest of which the change adds or takes away names."""
    for file in files:
        if manifest_of(file.path) is None:
            continue
        sides = [read_manifest(file.path, text) if text else None for text in (file.before, file.after)]
        old, new = (side.names if side is not None else frozenset() for side in sides)
        said = [
            f"{word} {', '.join(sorted(names)[:20])}"
            for word, names in (("adds", new - old), ("drops", old - new))
            if names
        ]
        if said:
            yield finding("dependencies.manifest", f"{file.path} {' and '.join(said)}.", file.path, severity="note")


def _changed(file: Compared) -> ChangedSource:
    before, after = (imports_of(file.path, (text or "").encode()) for text in (file.before, file.after))
    return ChangedSource(file.path, before, after)


def _new_imports(file: ChangedSource, moved: set[str]) -> list[Import]:
    known = {one.name for one in file.before} | moved
    return [one for one in file.after if one.name not in known]


def _resolver(root: Path) -> Resolver:
    paths = list(listing(root))
    manifests = (path for path in paths if manifest_of(path))
    read = (read_manifest(path, (read_bytes(root, path) or b"").decode("utf-8", "replace")) for path in manifests)
    return Resolver(paths, (one for one in read if one is not None))


def _sources(root: Path, changed: frozenset[str]) -> Iterator[SourceFile]:
    for path in listing(root):
        full = root / path
        if path not in changed and source_language(path) and not full.is_symlink():
            yield SourceFile(path, full.read_bytes())


def _name_and_language(one: ResolvedImport) -> tuple[str, str]:
    language = source_language(one.file) or ""
    return re.split(r"[./:]", one.found.name)[0] or one.found.name, _OTHER_LANGUAGES.get(language, language)


def _used_in(sources: Iterable[SourceFile], wanted: Iterable[ResolvedImport]) -> set[tuple[str, str]]:
    """Return which of the wanted names the sources import as well."""
    open_names = {_name_and_language(one) for one in wanted}
    used: set[tuple[str, str]] = set()
    for path, content in sources:
        if all(name.encode() not in content for name, _ in open_names):
            continue
        for one in imports_of(path, content):
            key = _name_and_language(ResolvedImport(path, one, "unknown", ""))
            if key in open_names:
                open_names.discard(key)
                used.add(key)
        if not open_names:
            break
    return used


def _finding(one: ResolvedImport, *, is_used: bool) -> Finding | None:
    if one.kind not in {"undeclared", "unknown"}:
        return None
    name, line = one.found.name, one.found.line
    if one.kind == "unknown" or one.found.optional or is_used:
        message = f"{one.file} imports {name}, and whether a manifest declares it cannot be told."
        if is_used:
            message = f"{one.file} imports {name}, which no manifest declares; the base imports it elsewhere already."
        fix = f"declare {one.package} if nothing that is declared brings it"
        return finding("dependencies.unknown", message, one.file, line, severity="warning", fix=fix)
    message = f"{one.file} imports {name}, which no manifest declares."
    kind = " among the development dependencies" if is_test(one.file) else ""
    fix = f"declare {one.package}{kind}, or do without it{opening(one.file)}"
    return finding("dependencies.undeclared", message, one.file, line, fix=fix)
