"""Judges whether what a change imports is declared in a manifest (see `gates.dependencies`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from buildwright.audit.check import AuditInput, DependencyChange
from buildwright.audit.comparison import Comparison
from buildwright.core.finding import NOT_RUN, Finding
from buildwright.gates.dependencies import ChangedSource, SourceFile, undeclared
from buildwright.gates.imports import source_language
from buildwright.gates.manifests import Ecosystem, manifest_of, read_manifest
from buildwright.gates.reporting import finding
from buildwright.gates.resolver import Resolver

_PURL_TYPES: dict[Ecosystem, str] = {"python": "pypi", "node": "npm", "go": "golang", "rust": "cargo"}
"""Types of package URLs. A manifest of Java is read for its groups only, which name no package."""


async def dependency_changes(comparison: Comparison) -> list[DependencyChange]:
    """Return the names that changed manifests declare anew and no more, by manifest."""
    changed = [path for path in comparison.patch.paths if _PURL_TYPES.get(manifest_of(path) or "java")]
    sides = (comparison.before, comparison.after)
    await comparison.read(side[path] for path in changed for side in sides if path in side)
    found: list[DependencyChange] = []
    for path in changed:
        read = (read_manifest(path, comparison.text(side.get(path)) or "") for side in sides)
        old, new = (one.names if one is not None else frozenset[str]() for one in read)
        kind = _PURL_TYPES[manifest_of(path) or "java"]
        found += [DependencyChange(type=kind, name=name, change="added", manifest=path) for name in sorted(new - old)]
        found += [DependencyChange(type=kind, name=name, change="removed", manifest=path) for name in sorted(old - new)]
    return found


async def judge_dependencies(audit: AuditInput) -> Sequence[Finding]:
    """Return the imports that the change adds and no manifest declares."""
    comparison = audit.comparison
    sources = [path for path in comparison.patch.paths if source_language(path)]
    if not any(path in comparison.after for path in sources):
        return [finding(NOT_RUN, "not run: the change touches no source file whose imports are read", severity="note")]
    manifests = [path for path in comparison.after if manifest_of(path) and "node_modules/" not in path]
    await comparison.read(comparison.after[path] for path in manifests)
    await comparison.read_changed()

    def resolver() -> Resolver:
        read = (read_manifest(path, comparison.text(comparison.after[path]) or "") for path in manifests)
        return Resolver(comparison.after, (one for one in read if one is not None))

    async def base_sources() -> Iterable[SourceFile]:
        touched = set(sources)
        left = {path: one for path, one in comparison.before.items() if source_language(path) and path not in touched}
        await comparison.read(left.values())
        return [SourceFile(path, comparison.content(one) or b"") for path, one in left.items()]

    both = [_changed(comparison, path) for path in sources]
    there = [one for one in both if one.path in comparison.after]
    gone = [one for one in both if one.path not in comparison.after]
    return await undeclared(there, gone, resolver, base_sources)


def _changed(comparison: Comparison, path: str) -> ChangedSource:
    before, after = (comparison.imports(path, side.get(path)) for side in (comparison.before, comparison.after))
    return ChangedSource(path, before, after)
