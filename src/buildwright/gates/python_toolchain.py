"""Finds the set-up and the checks of a Python project from its files. Pure: must never run or write anything."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from buildwright.core.finding import CheckKind, Finding
from buildwright.gates.parts import is_python_test
from buildwright.gates.project_folder import ProjectFiles, ProjectFolder, Toolchain, around, read_table
from buildwright.gates.python_needs import plain_name
from buildwright.gates.python_setup import (
    NUMBER,
    VENV,
    Environment,
    PythonFolder,
    asks_for,
    compiled_parts,
    makes_environment,
    writes_metadata,
)
from buildwright.gates.reporting import finding
from buildwright.gates.setup_cache import Setup


def find_python(folder: ProjectFolder) -> Toolchain:
    """Return the set-up and the checks of a Python project; nothing where there is none."""
    project, paths = folder.project, folder.paths
    pyproject = folder.table("pyproject.toml")
    tools = pyproject.get("tool", {})
    tools = tools if isinstance(tools, dict) else {}
    tests = _python_tests(folder, pyproject)
    environment = _environment(folder, tests, pyproject)
    python = f"{VENV}/bin/python" if environment is not None else folder.python
    made = environment.installs if environment is not None else frozenset()
    mypy = _mypy_settings(folder, tools)
    wanted: list[tuple[str, str, CheckKind, bool]] = [
        ("mypy", _mypy(python, mypy or {}), "typecheck", mypy is not None),
        ("pyright", "pyright", "typecheck", "pyright" in tools or "pyrightconfig.json" in paths),
        (
            "ruff",
            "ruff check --output-format=concise .",
            "lint",
            "ruff" in tools or "ruff.toml" in paths or ".ruff.toml" in paths,
        ),
    ]
    checks, notes = [], []
    for tool, command, kind, is_configured in wanted:
        is_guess = tool == "mypy" and not _names_files(mypy or {})
        if is_configured and tool in made and not is_guess:
            checks.append(folder.check(tool, f"{VENV}/bin/{command}", kind))
        elif is_configured and tool not in made and project.have(tool):
            checks.append(folder.check(tool, command, kind))
        elif is_configured:
            notes.append(_tool_missing(folder, tool, is_made=tool in made))
    if tests.django:
        checks.append(folder.check("django", f"{python} {tests.django}", "test", "unittest"))
    elif tests.needs_pytest or (tests.of_pytest and folder.has_pytest and environment is None):
        checks.append(folder.check("pytest", f"{python} -m pytest -q", "test", "pytest"))
    elif tests.files:
        command = f"{python} -m unittest discover -v{_pattern(tests.files)}"
        checks.append(folder.check("unittest", command, "test", "unittest"))
    installed = any(name in paths for name in ("pyproject.toml", "setup.py", "setup.cfg"))
    layout = installed and any(path.startswith("src/") and path.endswith(".py") for path in paths)
    sources = ((folder.path("src"),) if layout else (), _workspace_members(folder, tools))
    ready = (
        *((environment.setup,) if environment is not None else ()),
        *_version_setup(folder, tools),
        *_metadata_setup(folder, pyproject, layout),
    )
    is_built = not tests.files or (environment is not None and environment.builds)
    compiled = () if is_built else tuple(map(folder.path, compiled_parts(_facts(folder, pyproject))))
    imported = tuple(path for paths in sources for path in paths)
    return Toolchain(ready, tuple(checks), tuple(notes), imported, compiled=compiled)


def _tool_missing(folder: ProjectFolder, tool: str, *, is_made: bool) -> Finding:
    """Say that a tool that the project configures does not run, for set-up makes it but no settings name its files."""
    if is_made:
        message = f"The project configures {tool}, but not the files that it looks at; this check did not run."
        command = folder.named(f"{VENV}/bin/{tool} -p PACKAGE")
        fix = f'name its command: `--check "typecheck:{tool}={command}"`'
    else:
        message = f"The project configures {tool}, which is not installed here; this check did not run."
        fix = f"install {tool} in the Python environment of the checks"
    return finding("checks.tool_missing", message, severity="warning", fix=fix)


_VERSION_FILES = (
    ("hatch", "build", "hooks", "vcs", "version-file"),
    ("setuptools_scm", "version_file"),
    ("setuptools_scm", "write_to"),
)
"""Where pyproject.toml names the file that a build writes the version of git into (hatch-vcs, setuptools-scm)."""
_WRITE_VERSION = (
    NUMBER + 'parts = number.replace(".", ", "); '
    'text = f"__version__ = version = {number!r}\\n__version_tuple__ = version_tuple = ({parts},)\\n"; '
)


def _version_setup(folder: ProjectFolder, tools: Mapping[str, Any]) -> tuple[Setup, ...]:
    """Return the setup that writes the project's version file, which git does not have and the code imports."""
    for keys in _VERSION_FILES:
        named: Any = tools
        for key in keys:
            named = named.get(key) if isinstance(named, dict) else None
        if isinstance(named, str) and named.endswith(".py") and named not in folder.paths:
            write = f'{_WRITE_VERSION}open({json.dumps(named)}, "w").write(text)'
            return (Setup((folder.command(f"{folder.python} -I -c {shlex.quote(write)}"),)),)
    return ()


class _PythonTests(NamedTuple):
    """The tests of a Python project, and what runs them."""

    files: tuple[str, ...]
    of_pytest: bool
    """Whether pytest takes these files by itself."""
    django: str
    """What runs the tests of a Django project, as words after its Python; "" where another runner does."""
    needs_pytest: bool
    """Whether it is configured, not all tests are of unittest, or the project asks for it for them."""

    @property
    def are_there(self) -> bool:
        return bool(self.files or self.django or self.needs_pytest)


def _python_tests(folder: ProjectFolder, pyproject: Mapping[str, Any]) -> _PythonTests:
    named = sorted(filter(is_python_test, folder.paths))
    files = tuple(path for path in named if not _is_module(path)) or _plain_unittests(folder, named)
    of_pytest = bool(files) and not _is_module(files[0])
    if _names_pytest(folder):
        return _PythonTests(files, of_pytest, "", needs_pytest=True)
    asks = asks_for(_facts(folder, pyproject), "pytest")
    if not asks and (django := _django(folder, named)):
        return _PythonTests(files, of_pytest, django, needs_pytest=False)
    return _PythonTests(files, of_pytest, "", of_pytest and (asks or not _are_unittests(folder, files)))


def _is_module(path: str) -> bool:
    """Return whether a file of tests is `tests.py`, which unittest takes by itself and pytest does not."""
    return path.rpartition("/")[2] == "tests.py"


def _plain_unittests(folder: ProjectFolder, tests: Sequence[str]) -> tuple[str, ...]:
    """Return these files if unittest finds and runs all of them: below packages, and not of Django."""
    is_sure = all(
        all(f"{above}__init__.py" in folder.paths for above in around(path.rpartition("/")[0]))
        and _UNITTEST.search(text := folder.read(path))
        and not _OF_DJANGO.search(text)
        for path in tests[:50]
    )
    return tuple(tests) if is_sure else ()


def _environment(folder: ProjectFolder, tests: _PythonTests, pyproject: Mapping[str, Any]) -> Environment | None:
    if folder.path("") in folder.project.pythons or not tests.are_there:
        return None
    made = makes_environment(_facts(folder, pyproject)._replace(needs_pytest=tests.needs_pytest))
    if made is None:
        return None
    places = (tuple(map(folder.path, paths)) for paths in (made.setup.inputs, made.setup.outputs))
    return made._replace(setup=Setup(tuple(map(folder.command, made.setup.commands)), *places))


def _facts(folder: ProjectFolder, pyproject: Mapping[str, Any]) -> PythonFolder:
    project = folder.project
    return PythonFolder(
        folder.paths,
        folder.read,
        pyproject,
        project.have,
        project.python,
        project.installed,
        project.has_pytest,
        needs_pytest=False,
    )


def _metadata_setup(folder: ProjectFolder, pyproject: Mapping[str, Any], in_src: bool) -> tuple[Setup, ...]:
    """Return the setup that writes a project's metadata; an environment of the user has the project installed."""
    if folder.project.installed is None or folder.path("") in folder.project.pythons:
        return ()
    command = writes_metadata(_facts(folder, pyproject), in_src=in_src)
    return (Setup((folder.command(command),)),) if command else ()


def _workspace_members(folder: ProjectFolder, tools: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the sources of the members of a uv workspace that a member needs (docs.astral.sh/uv, "Workspaces")."""
    uv = tools.get("uv", {})
    named = uv.get("sources", {}) if isinstance(uv, dict) else {}
    wanted = {plain_name(name) for name, one in named.items() if isinstance(one, dict) and one.get("workspace")}
    found: list[str] = []
    for path in folder.project.files if wanted else ():
        home, _, name = path.rpartition("/")
        if name == "pyproject.toml" and home:
            about = read_table(folder.project.read(path) or "", path).get("project", {})
            if isinstance(about, dict) and plain_name(str(about.get("name", ""))) in wanted:
                has_src = any(one.startswith(f"{home}/src/") for one in folder.project.files)
                found.append(f"{home}/src" if has_src else home)
    return tuple(found)


def needs_pytest(project: ProjectFiles) -> bool:
    """Return whether the Python tests of a project need pytest."""
    top = ProjectFolder(project, "")
    return _python_tests(top, top.table("pyproject.toml")).needs_pytest


_DJANGO = re.compile(r"\bexecute_from_command_line\b|\bget_runner\b")
"""How a script begins a run of Django's tests (docs.djangoproject.com, "Using the Django test runner")."""
_OF_DJANGO = re.compile(r"(?m)^\s*(?:import|from)\s+django\b")
_PYTEST = re.compile(r"(?m)^\s*(?:import|from)\s+pytest\b")
_UNITTEST = re.compile(r"(?m)^\s*(?:import|from)\s+unittest\b")
_TEST = re.compile(r"(?m)^\s*(?:async\s+)?def\s+test")
"""Begins a test in a file of tests: settings and what tests share have names like theirs, `settings/test.py`."""


def _django(folder: ProjectFolder, tests: Sequence[str]) -> str:
    """Return what runs the tests of a Django project, as words after its Python; "" where pytest does, or there are none."""
    there = [(name, text) for name in ("runtests.py", "manage.py") if _DJANGO.search(text := folder.read(name))]
    cases = dict.fromkeys((*tests, *sorted(filter(_is_django_test, folder.paths)))) if there else ()
    if not any(_TEST.search(folder.read(path)) for path in cases):
        return ""
    if any(_PYTEST.search(folder.read(path)) for path in list(cases)[:50]):
        return ""
    name, text = there[0]
    # With this alone tests are named, by which those that passed before are found again.
    verbose = " -v 2" if name == "manage.py" or "sys.argv[1:]" in text else ""
    return f"{name}{' test' if name == 'manage.py' else ''}{verbose}"


def _is_django_test(path: str) -> bool:
    """Return whether Django finds tests in a file by its name, `test*.py`."""
    name = path.rpartition("/")[2]
    return name.startswith("test") and name.endswith(".py")


PYTEST_FILES = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini")
"""Files that configure pytest, even if they are empty (docs.pytest.org, "Configuration file formats")."""


def _names_pytest(folder: ProjectFolder) -> bool:
    """Return whether a project configures pytest."""
    tools = folder.table("pyproject.toml").get("tool", {})
    if (isinstance(tools, dict) and "pytest" in tools) or not folder.paths.isdisjoint(PYTEST_FILES):
        return True
    return "[tool:pytest]" in folder.read("setup.cfg") or "[pytest]" in folder.read("tox.ini")


def _mypy(python: str, settings: Mapping[str, Any]) -> str:
    """Return the command of mypy, one finding a line, which sees what is installed in the Python of the checks.

    A mypy of another place, such as one that pipx keeps, would else look for the dependencies where it is itself.
    """
    command = f"mypy --no-error-summary --no-pretty --python-executable {python}"
    return command if _names_files(settings) else f"{command} ."


def _names_files(settings: Mapping[str, Any]) -> bool:
    """Return whether settings of mypy say what it looks at."""
    return not {"files", "packages", "modules"}.isdisjoint(settings)


def _mypy_settings(folder: ProjectFolder, tools: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the settings that mypy takes, those of the first file that has any; None when there are none."""
    for name in ("mypy.ini", ".mypy.ini"):
        if name in folder.paths:
            return _ini_section(folder.read(name), "mypy") or {}
    if "mypy" in tools:
        return tools["mypy"] if isinstance(tools["mypy"], dict) else {}
    return _ini_section(folder.read("setup.cfg"), "mypy")


def _ini_section(text: str, name: str) -> Mapping[str, str] | None:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        return {} if f"[{name}]" in text else None
    return dict(parser[name]) if parser.has_section(name) else None


def _pattern(tests: Sequence[str]) -> str:
    """Return the option of unittest for files that are not named `test*.py`, which alone it looks for."""
    named = [path.rpartition("/")[2].startswith("test") for path in tests]
    return "" if all(named) else " -p '*test*.py'" if any(named) else " -p '*_test.py'"


def _are_unittests(folder: ProjectFolder, tests: Sequence[str]) -> bool:
    return bool(tests) and all("unittest" in folder.read(path) for path in tests[:50])
