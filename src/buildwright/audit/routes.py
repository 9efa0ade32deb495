"""Judges whether declared routes are implemented. Must never run the project: routes are read from the source.

Declared is what an OpenAPI file or lines `METHOD /path` of a contract say. Of a backlog only what is due counts: a route
that was there and is gone, and one of the phase that is audited or an earlier one.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from buildwright.audit.check import AuditInput
from buildwright.audit.comparison import Comparison
from buildwright.audit.python_routes import python_routes
from buildwright.audit.route import METHODS, FileRoutes, Route, route
from buildwright.audit.script_routes import script_routes
from buildwright.core.finding import NOT_RUN, Finding
from buildwright.gates.boundaries import target_of
from buildwright.gates.reporting import finding
from buildwright.gates.surface import is_test
from buildwright.workspace.trees import TreeEntry

_DESCRIPTION = re.compile(r"(?:^|/)(?:openapi|swagger|physics)[\w.-]*\.(?:ya?ml|json)$", re.IGNORECASE)
_CONTRACT = re.compile(r"(?:^|/)(?:phases|physics|contract|routes|endpoints)[\w.-]*\.md$", re.IGNORECASE)
_TOLD = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)\s+`?(/[^\s`'\",)]*)")
_PHASE = re.compile(r"\bphase\s+(\d+)", re.IGNORECASE)
_SIGNS = (b"fastapi", b"starlette", b"flask", b"quart", b"express", b"Router(", b"APIRouter", b"Blueprint")
_ENDINGS = (".py", ".js", ".ts", ".mjs", ".cjs", ".mts")
_CACHE = 1
"""Raised when routes are read in another way, so that what was kept is read anew."""
_MOST = 40


class DeclaredRoute(NamedTuple):
    """Where a route is declared; `phase` is the number of the phase whose section names it, None outside of any."""

    file: str
    line: int
    phase: int | None = None


class _Side(NamedTuple):
    declared: Mapping[Route, DeclaredRoute]
    implemented: Mapping[Route, tuple[str, int]]
    dynamic: int


async def judge_routes(audit: AuditInput) -> Sequence[Finding]:
    """Return declared routes that are missing, and new routes that nothing declares."""
    comparison = audit.comparison
    if not any(_DESCRIPTION.search(path) or _CONTRACT.search(path) for path in comparison.after):
        return [finding(NOT_RUN, "not run: no OpenAPI file and no contract declares routes", severity="note")]
    cache = _RouteCache(audit.cache)
    head = await _side(comparison, comparison.after, cache)
    if not head.declared:
        return [finding(NOT_RUN, "not run: nothing declares a route", severity="note")]
    base = await _side(comparison, comparison.before, cache)
    cache.keep(
        {entry.object_id for side in (comparison.before, comparison.after) for entry in side.values()}
        & cache.known.keys()
    )
    due = _PHASE.search(audit.phase)
    phase = int(due[1]) if due else None
    found: list[Finding] = []
    for one, place in head.declared.items():
        if one not in head.implemented:
            found.append(_missing(one, place, was_there=one in base.implemented, phase=phase, dynamic=head.dynamic))
    for one, (file, line) in head.implemented.items():
        if one not in head.declared and one not in base.implemented:
            fix = "declare it, if it is meant for others"
            message = f"{one} is new and nothing declares it."
            found.append(finding("routes.undeclared", message, file, line, severity="warning", fix=fix))
    errors = [one for one in found if one.severity == "error"]
    return [*errors, *(one for one in found if one.severity != "error")][: max(len(errors), _MOST)]


def _missing(one: Route, place: DeclaredRoute, *, was_there: bool, phase: int | None, dynamic: int) -> Finding:
    is_due = phase is not None and place.phase is not None and place.phase <= phase
    words = f"{one} was implemented before this change and is not now." if was_there else f"{one} is not implemented."
    if dynamic:
        words += f" {dynamic} routes have paths that only running would tell."
    blocks = was_there or (is_due and not dynamic)
    fix = f"implement {one}, or take it out of {place.file}"
    return finding(
        "routes.missing", words, place.file, place.line or None, severity="error" if blocks else "warning", fix=fix
    )


class _RouteCache:
    """The routes of files by their content's id, kept between audits: None for a file without any."""

    def __init__(self, folder: Path | None) -> None:
        self._file = folder / f"routes-{_CACHE}.json" if folder is not None else None
        self.known: dict[str, FileRoutes | None] = {}
        try:
            told = json.loads(self._file.read_bytes()) if self._file is not None else {}
            self.known = {name: None if one is None else FileRoutes.read(one) for name, one in told.items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            self.known = {}
        self._before = set(self.known)

    def keep(self, used: set[str]) -> None:
        """Write the routes of the files that were used, when there are new ones."""
        if self._file is None or used <= self._before:
            return
        told = {name: None if one is None else asdict(one) for name, one in self.known.items() if name in used}
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._file.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(told), encoding="utf-8")
        fresh.replace(self._file)


async def _side(comparison: Comparison, files: Mapping[str, TreeEntry], cache: _RouteCache) -> _Side:
    told = [path for path in files if _DESCRIPTION.search(path) or _CONTRACT.search(path)]
    sources = [path for path in files if path.endswith(_ENDINGS) and not is_test(path) and "node_modules/" not in path]
    await comparison.read(files[path] for path in told)
    await comparison.read(files[path] for path in sources if files[path].object_id not in cache.known)
    declared: dict[Route, DeclaredRoute] = {}
    for path in told:
        for one, place in _declared(path, comparison.text(files[path]) or ""):
            declared.setdefault(one, place)
    read = {}
    for path in sources:
        name = files[path].object_id
        if name not in cache.known:
            content = comparison.content(files[path])
            has_routes = content is not None and any(sign in content for sign in _SIGNS)
            cache.known[name] = _routes_of(path, content or b"") if has_routes else None
        if (said := cache.known[name]) is not None:
            read[path] = said
    return _Side(declared, dict(linked(read)), sum(len(one.dynamic) for one in read.values()))


def _routes_of(path: str, content: bytes) -> FileRoutes:
    return python_routes(content.decode("utf-8", "replace")) if path.endswith(".py") else script_routes(path, content)


def _declared(path: str, text: str) -> Iterator[tuple[Route, DeclaredRoute]]:
    if path.endswith(".md"):
        phase: int | None = None
        for number, line in enumerate(text.splitlines(), start=1):
            if line.startswith("#"):
                named = _PHASE.search(line)
                phase = int(named[1]) if named else phase if line.startswith("###") else None
            for method, told in _TOLD.findall(line):
                yield route(method, told.rstrip(".,;:")), DeclaredRoute(path, number, phase)
        return
    try:
        document = json.loads(text) if path.endswith(".json") else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError, RecursionError):
        return
    yield from _operations(path, document)


def _operations(path: str, document: Any) -> Iterator[tuple[Route, DeclaredRoute]]:
    paths = document.get("paths") if isinstance(document, dict) else None
    if not isinstance(paths, dict):
        return
    servers = document.get("basePath", "")
    prefix = servers.rstrip("/") if isinstance(servers, str) else ""
    for told, operations in paths.items():
        for method in operations if isinstance(operations, dict) else ():
            if isinstance(method, str) and method.lower() in METHODS:
                yield route(method, f"{prefix}{told}"), DeclaredRoute(path, 0)


def linked(files: Mapping[str, FileRoutes]) -> Iterator[tuple[Route, tuple[str, int]]]:
    """Yield the routes of all files with the prefixes under which their routers are mounted."""
    index = _Index(files)
    for path, said in files.items():
        for one in said.routes:
            for prefix in index.prefixes(*index.owner(path, one.owner)):
                yield route(one.method, f"{prefix}/{one.path.lstrip('/')}" if one.path else prefix), (path, one.line)


class _Index:
    """Finds under which prefixes a router is mounted, over files."""

    def __init__(self, files: Mapping[str, FileRoutes]) -> None:
        self._files = files
        self._above: dict[tuple[str, str], list[tuple[tuple[str, str], str, bool]]] = {}
        for path, said in files.items():
            for mount in said.mounts:
                target = self.owner(path, mount.target)
                above = self.owner(path, mount.owner)
                self._above.setdefault(target, []).append((above, mount.prefix, mount.replaces))

    def owner(self, path: str, name: str) -> tuple[str, str]:
        """Return the file and the name where a router that `name` means in `path` is made."""
        first, _, rest = name.partition(".")
        said = self._files[path].imports.get(first)
        if said is None:
            return path, name
        module, member = said
        for full, attribute in ((f"{module}.{member}" if member else module, rest), (module, member)):
            found = self._file(path, full, module)
            if found is not None:
                routers = self._files[found].routers
                only = next(iter(routers)) if len(routers) == 1 else ""
                return found, attribute if attribute in routers else only or attribute
        return path, name

    def _file(self, path: str, dotted: str, module: str) -> str | None:
        if path.endswith(".py"):
            target = target_of(path, dotted.replace("..", ".") if not module.startswith("..") else dotted)
            endings = (f"{target}.py", f"{target}/__init__.py")
            return next((one for one in self._files if any(one == e or one.endswith(f"/{e}") for e in endings)), None)
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), module))
        stems = (target, re.sub(r"\.[cm]?js$", "", target))
        options = [
            f"{stem}{end}" for stem in stems for end in ("", ".js", ".ts", ".mjs", ".cjs", "/index.js", "/index.ts")
        ]
        return next((one for one in options if one in self._files), None)

    def prefixes(self, path: str, name: str, depth: int = 6) -> list[str]:
        """Return every prefix of a router, its own included; one that nothing mounts has its own alone."""
        own = self._files[path].routers.get(name, "") if path in self._files else ""
        above = self._above.get((path, name), ())
        if not above or depth == 0:
            return [own]
        found = []
        for (upper, router), prefix, replaces in above:
            tail = prefix if replaces else f"{prefix}{own}"
            found += [f"{before}{tail}" for before in self.prefixes(upper, router, depth - 1)]
        return list(dict.fromkeys(found))
