"""Finds how to make an environment for the tests of a Python project where the user has none. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from buildwright.gates.python_needs import PythonNeeds, files_of, for_uv, needs_of, plain_name, sections_of
from buildwright.gates.resolver import python_packages
from buildwright.gates.setup_cache import Setup

VENV = ".venv"
REQUIREMENTS = (
    "requirements.txt",
    *(
        form.format(name)
        for name in ("dev", "test", "tests", "testing")
        for form in ("requirements-{}.txt", "requirements_{}.txt", "requirements/{}.txt")
    ),
    *(
        form.format(name)
        for name in ("dev", "test", "tests")
        for form in ("{}-requirements.txt", "{}_requirements.txt", "{}.requirements.txt")
    ),
)
DECLARE = ("pyproject.toml", "setup.cfg", "setup.py", "tox.ini")
_TREE = re.compile(r"(?m)^\s*(?:-|\.|/|[^#]*(?:file:|@ *\.))")
"""Lines of a requirements file that read more than this file: options, paths."""
_LOCAL_SOURCE = re.compile(r'(?:directory|editable|virtual) = "(?!\."|\./")')
"""A package of uv's lock file that lies in the tree, beside the project itself."""
_REQUIRED = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(?:[<>=!~@#][^;]*)?")
"""A requirement without a condition: where one has any, it may not be meant for this machine."""
_LISTED = re.compile(r"(?m)^\s*([A-Za-z0-9][\w.-]*)")
"""A line of a requirements file that begins with a name."""
_BEGIN = re.compile(r"[A-Za-z0-9][\w.-]*")
_IMPORTED = re.compile(r"(?m)^\s*(?:import|from)\s+([A-Za-z_][\w.]*)")
_MOST_READ = 500
_NOT_TESTED = ("doc/", "docs/", "example/", "examples/", "setup.py")
_NOT_COMPILED = (*_NOT_TESTED, "test/", "tests/", "bench/", "benchmark/", "benchmarks/", "vendor/", "third_party/")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
_ITSELF = re.compile(r"(?m)^\s*(-e\s*|--editable[ =])?\./?(?:\[[^\]]*\])?\s*(?:#.*)?$")
"""A line of a requirements file by which pip installs the project itself, with a group where it builds it in place."""
_ASKS = re.compile(r"\b(?:importlib[._]metadata|pkg_resources)\b|import metadata\b")
NUMBER = (
    "import re, subprocess; "
    'said = subprocess.run(["git", "describe", "--tags", "--abbrev=0"], capture_output=True, text=True).stdout; '
    'number = re.findall(r"[0-9]+(?:[.][0-9]+)*", said)[-1:] or ["0.0.0"]; number = number[0]; '
)
"""Start of a program that finds the version of the nearest tag as `number`."""


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


class Environment(NamedTuple):
    """An environment for the tests that a set-up makes."""

    setup: Setup
    installs: frozenset[str]
    """Plain names of the packages that it is asked to install on any machine."""
    builds: bool = False
    """Whether it compiles in place what the build of the project compiles."""


def makes_environment(folder: PythonFolder) -> Environment | None:
    """Return what makes an environment for the tests; None where the Python of the checks will do, or none is known.

    It will if it has pytest, where that is needed, and either is an environment of the user or has the packages that
    the project asks for and imports. uv's lock file comes first, then requirements files and what the project declares
    for itself and its tests. The result is kept only if these files alone decide what it has.
    """
    with_uv = "uv.lock" in folder.paths and folder.have("uv")
    texts, needs = _said(folder)
    if not with_uv and not texts and not needs.requirements:
        return None
    named = set(_of_texts(texts))
    if (folder.has_pytest or not folder.needs_pytest) and not _lacks(
        folder, {*needs.names, *(named - needs.elsewhere)}
    ):
        return None
    if with_uv:
        return _by_uv(folder)
    if not texts and folder.has_pytest and not _would_do(folder, needs):
        return None
    declared = _beside(texts, needs)
    installs = named | {plain_name(_BEGIN.match(one)[0]) for one in declared} & needs.names  # type: ignore[index]
    names_pytest = any(re.search(r"(?m)^\s*pytest\b", text) for text in (*texts.values(), *declared))
    pytest = ("pytest",) if folder.needs_pytest and not names_pytest else ()
    pip = f"{VENV}/bin/python -I -m pip install --quiet"
    words = [*(f"-r {shlex.quote(name)}" for name in texts), *map(shlex.quote, declared)]
    # Beside hashes pip takes nothing without one, so that pytest is installed afterwards.
    runs = [(*words,), pytest] if pytest and _has_hashes(texts) else [(*words, *pytest)]
    command = " && ".join((f"{folder.python} -I -m venv {VENV}", *(f"{pip} {' '.join(run)}" for run in runs)))
    inputs = [*texts, *(name for name in DECLARE if declared and name in folder.paths)]
    is_pinned = not any(_TREE.search(text) for text in texts.values())
    setup = Setup((command,), tuple(inputs), (VENV,)) if is_pinned else Setup((command,))
    builds = any(found[1] for text in texts.values() for found in _ITSELF.finditer(text))
    return Environment(setup, frozenset((*installs, *pytest)), builds)


def _by_uv(folder: PythonFolder) -> Environment:
    groups, extras, installs = for_uv(folder.pyproject)
    words = (*(f"--group {shlex.quote(name)}" for name in groups), *(f"--extra {shlex.quote(name)}" for name in extras))
    command = " ".join(("uv sync --frozen --no-install-project --no-progress", *words))
    if folder.needs_pytest and not any(name.startswith("pytest") for name in installs):
        command += f" && uv pip install --quiet --python {VENV}/bin/python pytest"
        installs |= {"pytest"}
    if _LOCAL_SOURCE.search(folder.read("uv.lock")):
        return Environment(Setup((command,)), installs)
    inputs = (name for name in ("pyproject.toml", "uv.lock", ".python-version") if name in folder.paths)
    return Environment(Setup((command,), tuple(inputs), (VENV,)), installs)


def asks_for(folder: PythonFolder, name: str) -> bool:
    """Return whether a project asks for a package, by its plain name, for itself or for its tests."""
    texts, needs = _said(folder)
    return name in needs.names or name in _of_texts(texts)


def _said(folder: PythonFolder) -> tuple[dict[str, str], PythonNeeds]:
    """Return the texts of the requirements files that there are, by name, and what the project declares elsewhere."""
    files = dict.fromkeys((*REQUIREMENTS, *files_of(folder.pyproject)))
    texts = {name: folder.read(name) for name in files if name in folder.paths}
    return texts, needs_of(folder.pyproject, *(folder.read(name) for name in DECLARE[1:]))


def _beside(texts: Mapping[str, str], needs: PythonNeeds) -> list[str]:
    """Return the declared requirements that no requirements file has: a file may pin what is declared otherwise.

    None beside a file with hashes, for then pip takes nothing without one (pip.pypa.io, "Hash-checking mode").
    """
    if _has_hashes(texts):
        return []
    named = {plain_name(found[1]) for text in texts.values() for found in _LISTED.finditer(text)}
    return [one for one in needs.requirements if plain_name(_BEGIN.match(one)[0]) not in named]  # type: ignore[index]


def _has_hashes(texts: Mapping[str, str]) -> bool:
    return any("--hash" in text for text in texts.values())


def _would_do(folder: PythonFolder, needs: PythonNeeds) -> bool:
    """Return whether an environment of what is declared alone has what the code imports, as far as that is known."""
    return needs.is_whole and needs.elsewhere.isdisjoint({*_imported(folder)} - _of_workspace(folder.pyproject))


def _of_workspace(pyproject: Mapping[str, Any]) -> set[str]:
    """Return the plain names of what lies in the same tree: its code is imported from there."""
    sources: Any = pyproject
    for key in ("tool", "uv", "sources"):
        sources = sources.get(key) if isinstance(sources, dict) else None
    named = sources.items() if isinstance(sources, dict) else ()
    return {plain_name(name) for name, one in named if isinstance(one, dict) and one.get("workspace")}


def writes_metadata(folder: PythonFolder, *, in_src: bool) -> str:
    """Return a command that writes the metadata of a project that is not installed; "" where nothing asks for it.

    The code asks for its own version, or pytest for the project's plugins (packaging.python.org, "Recording installed
    projects"). What lies in `src` or at the top is found there, as the tests' Python imports from it.
    """
    about = folder.pyproject.get("project")
    about = about if isinstance(about, dict) else {}
    cfg = sections_of(folder.read("setup.cfg")).get("metadata", {})
    name = about.get("name") or cfg.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or plain_name(name) in (folder.installed or ()):
        return ""
    if any(_ITSELF.search(folder.read(path)) for path in REQUIREMENTS if path in folder.paths):
        return ""
    points = about.get("entry-points")
    entries = dict(points) if isinstance(points, dict) else {}
    if isinstance(scripts := about.get("scripts"), dict):
        entries["console_scripts"] = scripts
    if "pytest11" not in entries and not any(_ASKS.search(text) for text in _code(folder)):
        return ""
    version = about.get("version") or cfg.get("version")
    is_said = isinstance(version, str) and version[:1].isdigit()
    lines = [
        line
        for group, found in entries.items()
        if isinstance(found, dict)
        for line in (f"[{group}]", *(f"{key} = {to}" for key, to in found.items()))
    ]
    said = "".join(f"{line}\n" for line in lines)
    head = "".join(f"{line}\n" for line in ("Metadata-Version: 2.4", f"Name: {name}", *_fields(about)))
    if not f"{head}{said}".replace("\n", "").isprintable():
        return ""
    place = f"{'src/' if in_src else ''}{re.sub('[-_.]+', '_', name).lower()}-0.dist-info"
    write = (
        f"{f'number = {version!r}; ' if is_said else NUMBER}import os; os.makedirs({place!r}, exist_ok=True); "
        f'open({f"{place}/METADATA"!r}, "w").write({head!r} + f"Version: {{number}}\\n"); '
        f'open({f"{place}/entry_points.txt"!r}, "w").write({said!r})'
    )
    # Alone, for the tree may have modules of the names that it imports.
    return f"{folder.python} -I -c {shlex.quote(write)}"


_COMPILES = re.compile(r"\b(?:ext_modules|cffi_modules|rust_extensions|cythonize)\b")
_COMPILERS = ("mesonpy", "maturin", "scikit_build_core", "scikit_build", "pybind11")
_COMPILED = (".c", ".cc", ".cpp", ".cxx", ".pyx", ".f90", ".rs")


def compiled_parts(folder: PythonFolder) -> list[str]:
    """Return the sources that a build of the project compiles, in order; none where it compiles nothing."""
    system = folder.pyproject.get("build-system")
    backend = str(system.get("build-backend", "")) if isinstance(system, dict) else ""
    named = any(_COMPILES.search(folder.read(name)) for name in ("setup.py", "setup.cfg"))
    named = named or "ext-modules" in folder.read("pyproject.toml") or backend.startswith(_COMPILERS)
    found = (path for path in folder.paths if path.endswith(_COMPILED) and not path.startswith(_NOT_COMPILED))
    return sorted(found) if named else []


def _fields(about: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a project's metadata that its code may ask for, beside name and version (PEP 621)."""
    for key, field in (("description", "Summary"), ("requires-python", "Requires-Python")):
        if isinstance(said := about.get(key), str):
            yield f"{field}: {' '.join(said.split())}"
    for person in found if isinstance(found := about.get("authors"), list) else ():
        if isinstance(person, dict):
            name, mail = str(person.get("name", "")), str(person.get("email", ""))
            yield f"Author-email: {f'{name} <{mail}>' if name else mail}" if mail else f"Author: {name}"
    needed = about.get("dependencies")
    yield from (f"Requires-Dist: {one}" for one in needed) if isinstance(needed, list) else ()
    urls = about.get("urls")
    yield from (f"Project-URL: {name}, {url}" for name, url in urls.items()) if isinstance(urls, dict) else ()


def _lacks(folder: PythonFolder, wanted: Collection[str]) -> bool:
    """Return whether a wanted package is not installed that the code imports, or by which pytest is extended."""
    if folder.installed is None:
        return False
    missing = {name for name in wanted if name not in folder.installed}
    if any(name.startswith("pytest") and name != "pytest-runner" for name in missing):
        return True
    return bool(missing) and not missing.isdisjoint(_imported(folder))


def _imported(folder: PythonFolder) -> Iterator[str]:
    """Yield the packages that the code may import, by plain names."""
    seen: set[str] = set()
    for text in _code(folder):
        for module in _IMPORTED.findall(text):
            if module not in seen:
                seen.add(module)
                yield from python_packages(module)


def _code(folder: PythonFolder) -> Iterator[str]:
    """Yield the texts of the code that tests may run, of that at the top first, as many as are read."""
    found = (path for path in folder.paths if path.endswith(".py") and not path.startswith(_NOT_TESTED))
    code = sorted(found, key=lambda path: (path.count("/"), path))
    yield from map(folder.read, code[:_MOST_READ])


def _of_texts(texts: Mapping[str, str]) -> Iterator[str]:
    yield from _plain(line for text in texts.values() for line in text.splitlines())


def _plain(found: Iterable[str]) -> Iterator[str]:
    for one in found:
        if named := _REQUIRED.fullmatch(one.partition(" #")[0].rstrip()):
            yield plain_name(named[1])
