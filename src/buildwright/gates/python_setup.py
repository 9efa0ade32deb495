"""Finds how to make an environment for the tests of a Python project where the user has none. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from buildwright.gates.resolver import python_packages
from buildwright.gates.setup_cache import Setup

VENV = ".venv"
REQUIREMENTS = (
    "requirements.txt",
    *(f"{start}{name}.txt" for name in ("dev", "test", "tests") for start in ("requirements-", "requirements/")),
    *(f"{name}-requirements.txt" for name in ("dev", "test")),
)
_TREE = re.compile(r"(?m)^\s*(?:-|\.|/|[^#]*(?:file:|@ *\.))")
"""Lines of a requirements file that read more than this file: options, paths."""
_LOCAL_SOURCE = re.compile(r'(?:directory|editable|virtual) = "(?!\."|\./")')
"""A package of uv's lock file that lies in the tree, beside the project itself."""
_REQUIRED = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(?:[<>=!~@#].*)?")
"""A requirement without a condition: where one has any, it may not be meant for this machine."""
_IMPORTED = re.compile(r"(?m)^\s*(?:import|from)\s+([A-Za-z_][\w.]*)")
_MOST_READ = 500


class PythonFolder(NamedTuple):
    """The facts of a folder with Python code; its paths are seen from it."""

    paths: Collection[str]
    read: Callable[[str], str]
    """Returns "" for what is not there."""
    pyproject: Mapping[str, Any]
    have: Callable[[str], bool]
    python: str
    installed: Collection[str] | None
    """What the Python of the checks has, by plain names; None for an environment of the user, which is taken as it is."""
    has_pytest: bool
    needs_pytest: bool


def makes_environment(folder: PythonFolder) -> Setup | None:
    """Return what makes an environment for the tests; None where the Python of the checks will do, or none is known.

    It will if it has pytest, where that is needed, and either is an environment of the user or has the packages that
    the project asks for and imports. uv's lock file comes first, then requirements files. The result is kept only if
    these files pin it.
    """
    with_uv = "uv.lock" in folder.paths and folder.have("uv")
    texts = {name: folder.read(name) for name in REQUIREMENTS if name in folder.paths}
    if not with_uv and not texts:
        return None
    wanted = set(_of_project(folder.pyproject)) if with_uv else set(_of_texts(texts))
    if (folder.has_pytest or not folder.needs_pytest) and not _lacks(folder, wanted):
        return None
    if with_uv:
        inputs = [name for name in ("pyproject.toml", "uv.lock", ".python-version") if name in folder.paths]
        command = "uv sync --frozen --no-install-project --no-progress"
        local = _LOCAL_SOURCE.search(folder.read("uv.lock"))
        return Setup((command,)) if local else Setup((command,), tuple(inputs), (VENV,))
    names_pytest = any(re.search(r"(?m)^\s*pytest\b", text) for text in texts.values())
    files = " ".join(
        (*(f"-r {name}" for name in texts), *(("pytest",) if folder.needs_pytest and not names_pytest else ()))
    )
    command = f"{folder.python} -m venv {VENV} && {VENV}/bin/python -m pip install --quiet {files}"
    if any(_TREE.search(text) for text in texts.values()):
        return Setup((command,))
    return Setup((command,), tuple(texts), (VENV,))


def _lacks(folder: PythonFolder, wanted: Collection[str]) -> bool:
    """Return whether a wanted package is not installed that the code imports, or by which pytest is extended."""
    if folder.installed is None:
        return False
    missing = {name for name in wanted if name not in folder.installed}
    if any(name.startswith("pytest") for name in missing):
        return True
    return bool(missing) and not missing.isdisjoint(_imported(folder))


def _imported(folder: PythonFolder) -> Iterator[str]:
    """Yield the packages that the code may import, by plain names."""
    code = sorted((path for path in folder.paths if path.endswith(".py")), key=lambda path: (path.count("/"), path))
    seen: set[str] = set()
    for path in code[:_MOST_READ]:
        for module in _IMPORTED.findall(folder.read(path)):
            if module not in seen:
                seen.add(module)
                yield from python_packages(module)


def _of_project(pyproject: Mapping[str, Any]) -> Iterator[str]:
    """Yield what uv installs by itself: the dependencies, and those of the group `dev`."""
    lists: list[object] = []
    for keys in (("project", "dependencies"), ("dependency-groups", "dev"), ("tool", "uv", "dev-dependencies")):
        inside: Any = pyproject
        for key in keys:
            inside = inside.get(key) if isinstance(inside, dict) else None
        lists += inside if isinstance(inside, list) else ()
    yield from _plain(one for one in lists if isinstance(one, str))


def _of_texts(texts: Mapping[str, str]) -> Iterator[str]:
    yield from _plain(line for text in texts.values() for line in text.splitlines())


def _plain(requirements: Iterator[str]) -> Iterator[str]:
    for one in requirements:
        if found := _REQUIRED.fullmatch(one.partition(" #")[0].rstrip()):
            yield re.sub(r"[-_.]+", "-", found[1]).lower()
