"""Finds parts of a project below its top: which need checks of their own, which have tests that no check runs. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from buildwright.gates.node_scripts import command_line, scripts_of, tests_nothing

_ECOSYSTEMS: Mapping[str, str] = {
    **dict.fromkeys(("pyproject.toml", "setup.py", "setup.cfg"), "python"),
    "package.json": "node",
    "go.mod": "go",
    "Cargo.toml": "rust",
    **dict.fromkeys(("pom.xml", "build.gradle", "build.gradle.kts"), "java"),
}
_MANIFEST = {kind: frozenset(name for name, of in _ECOSYSTEMS.items() if of == kind) for kind in _ECOSYSTEMS.values()}
_CODE: Mapping[str, tuple[str, ...]] = {
    "python": (".py",),
    "node": (".js", ".cjs", ".mjs", ".jsx", ".ts", ".cts", ".mts", ".tsx"),
    "go": (".go",),
    "rust": (".rs",),
    "java": (".java", ".kt"),
}
"""How the files of a kind end."""
LANGUAGES: Mapping[str, str] = {"python": "Python", "node": "JavaScript", "go": "Go", "rust": "Rust", "java": "Java"}
"""What the code of a kind is called."""
_SIGNS = ("requirements.txt", "Pipfile", "tox.ini", "pytest.ini", "manage.py")
"""Files by which a folder is taken for a Python project where neither it nor one above it has a manifest."""
_WORKSPACES = ("pnpm-workspace.yaml", "lerna.json", "turbo.json", "nx.json")
_OTHERS = frozenset(
    (
        *("bench", "benchmark", "benchmarks", "build", "demo", "demos", "dist", "docs", "e2e"),
        *("example", "examples", "fixture", "fixtures", "__fixtures__", "node_modules", "sample", "samples"),
        *("target", "template", "templates", "test", "testdata", "tests", "third_party", "vendor"),
    )
)
"""Folders whose manifests describe no part of the project: what its tests read, what it shows, what others wrote."""

_DEEPEST = 3
_MOST_READ = 300
_MARKS = (*_ECOSYSTEMS, "buildwright.toml", "requirements.txt", "tox.ini", "pytest.ini")
"""Files by which a folder is a part that a build can be about."""


class Parts(NamedTuple):
    """Folders, each with a slash at its end."""

    own: tuple[str, ...]
    """To be treated as projects of their own."""
    unseen: tuple[str, ...]
    """With tests that no found check runs."""
    bare: tuple[str, ...]
    """Without tests, and out of the reach of those around them."""


class _Listing(NamedTuple):
    paths: Sequence[str]
    read: Callable[[str], str | None]
    manifests: Mapping[str, frozenset[str]]
    """The ecosystems of each folder with a manifest."""


def uncovered_parts(paths: Sequence[str], read: Callable[[str], str | None]) -> Parts:
    """Return the parts that the manifests at the top do not cover.

    A part, at any depth, becomes a project of its own where the top has no manifest at all, none of its kind, or one of
    a kind whose tool stops at another manifest (Go, and Cargo without a workspace), or a `package.json` without tests.
    Others, and those in a part of the same kind, are only named.
    """
    listing = _Listing(paths, read, _manifests(paths, read))
    top = listing.manifests.get("", frozenset())
    own: list[str] = []
    for folder, kinds in listing.manifests.items():  # sorted: a folder comes before those in it
        around = [one for one in own if folder.startswith(one)]
        inside_its_kind = any(kinds & listing.manifests[one] - {"go"} for one in around)
        if folder and not inside_its_kind and _is_own(listing, folder, top):
            own.append(folder)
    covered = {"": top, **{folder: listing.manifests[folder] for folder in own}}
    unseen = [
        folder
        for folder, kinds in listing.manifests.items()
        if folder not in covered
        and any(_has_tests(listing, folder, kind) and not _is_covered(listing, folder, kind, covered) for kind in kinds)
    ]
    bare = [folder for folder in listing.manifests if folder and _is_bare(listing, folder, covered)]
    return Parts(tuple(sorted(own)), tuple(sorted(unseen)), tuple(bare))


def part_of(folder: str, has: Callable[[str], bool]) -> str:
    """Return the nearest folder from `folder` up that has a manifest or settings, "" when only the top has.

    `has` says whether a path from the top is a file.
    """
    while folder:
        if any(has(f"{folder}/{name}") for name in _MARKS):
            return folder
        folder = folder.rpartition("/")[0]
    return ""


def is_of(kind: str, paths: Sequence[str]) -> bool:
    """Return whether there is a manifest of a kind among the paths of a folder, beside its files."""
    return not _MANIFEST[kind].isdisjoint(paths)


def code_outside(kind: str, paths: Sequence[str], parts: Sequence[str]) -> bool:
    """Return whether some of these paths of a folder are code of a kind in folders that are in none of its parts.

    What lies beside the manifest itself is taken for its settings.
    """
    code = (path for path in paths if path.endswith(_CODE[kind]) and "/" in path and not path.startswith(tuple(parts)))
    return any(_OTHERS.isdisjoint(folders := path.split("/")[:-1]) and not folders[0].startswith(".") for path in code)


def is_python_test(path: str) -> bool:
    """Return whether a file is one of tests by its name; of these pytest alone does not take a `tests.py` by itself."""
    name = path.rpartition("/")[2]
    return name == "tests.py" or (name.endswith(".py") and (name.startswith("test_") or name.endswith("_test.py")))


def _manifests(paths: Sequence[str], read: Callable[[str], str | None]) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    signs: set[str] = set()
    for path in paths:
        folder, slash, name = path.rpartition("/")
        if path.count("/") <= _DEEPEST and not _OTHERS.intersection(folder.split("/")):
            if kind := _ECOSYSTEMS.get(name):
                found.setdefault(folder + slash, set()).add(kind)
            elif name in _SIGNS:
                signs.add(folder + slash)
    for folder in sorted(signs - {""}):
        above = [kinds for one, kinds in found.items() if folder.startswith(one)]
        if "" not in signs and not any("python" in kinds for kinds in above) and _stands_alone(paths, read, folder):
            found.setdefault(folder, set()).add("python")
    return {folder: frozenset(kinds) for folder, kinds in sorted(found.items())}


def _stands_alone(paths: Sequence[str], read: Callable[[str], str | None], folder: str) -> bool:
    """Return whether a folder has tests of Python, and no code that imports the folder itself, as from above it."""
    code = [path for path in paths if path.startswith(folder) and path.endswith(".py")]
    by_name = re.compile(rf"(?m)^\s*(?:import|from)\s+{re.escape(folder.rstrip('/').replace('/', '.'))}\b")
    tests = any(_is_test(path.removeprefix(folder), "python") for path in code)
    return tests and not any(by_name.search(read(path) or "") for path in code[:_MOST_READ])


def _is_own(listing: _Listing, folder: str, top: frozenset[str]) -> bool:
    if not top:
        return True
    return any(
        _has_tests(listing, folder, kind)
        and (
            kind not in top
            or (kind in {"go", "rust"} and not _joins(listing, "", kind))
            or (kind == "node" and not _test_line(listing, ""))
        )
        for kind in listing.manifests[folder]
    )


def _is_covered(listing: _Listing, folder: str, kind: str, covered: Mapping[str, frozenset[str]]) -> bool:
    above = [one for one, kinds in covered.items() if kind in kinds and folder.startswith(one)]
    return any(_joins(listing, one, kind) for one in above)


def _is_bare(listing: _Listing, folder: str, covered: Mapping[str, frozenset[str]]) -> bool:
    around = {one: kinds for one, kinds in covered.items() if one != folder}
    kinds = listing.manifests[folder]
    return not any(_has_tests(listing, folder, kind) or _is_covered(listing, folder, kind, around) for kind in kinds)


def _joins(listing: _Listing, folder: str, kind: str) -> bool:
    """Return whether the checks of a folder run the tests of parts of the same kind below it."""
    if kind == "go":
        return False
    if kind == "rust":
        return "[workspace]" in (listing.read(f"{folder}Cargo.toml") or "")
    if kind == "node":
        line = _test_line(listing, folder)
        has_workspaces = any(f"{folder}{name}" in listing.paths for name in _WORKSPACES)
        has_workspaces |= '"workspaces"' in (listing.read(f"{folder}package.json") or "")
        return bool(line) and (has_workspaces or any(word in line for word in ("jest", "vitest", "--test")))
    return True


def _test_line(listing: _Listing, folder: str) -> str:
    try:
        package = json.loads(listing.read(f"{folder}package.json") or "{}")
    except (ValueError, RecursionError):
        return ""
    line = command_line(scripts_of(package), "test") if isinstance(package, dict) else ""
    return "" if tests_nothing(line) else line


def _has_tests(listing: _Listing, folder: str, kind: str) -> bool:
    if kind == "node":
        return bool(_test_line(listing, folder))
    return any(_is_test(path.removeprefix(folder), kind) for path in _inside(listing, folder))


def _inside(listing: _Listing, folder: str) -> Iterator[str]:
    return (path for path in listing.paths if path.startswith(folder))


def _is_test(path: str, kind: str) -> bool:
    name = path.rpartition("/")[2]
    if kind == "python":
        return is_python_test(path)
    if kind == "go":
        return name.endswith("_test.go")
    return path.startswith(("src/", "tests/")) and (kind == "rust" or "test" in path)
