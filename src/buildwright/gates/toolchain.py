"""Finds a project's own commands from its files. Pure: must never run or write anything.

Large because what an ecosystem's manifests mean is a few lines for each, and all of them share one folder's view.
"""

from __future__ import annotations

import configparser
import json
import posixpath
import re
import shlex
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import ValidationError

from buildwright.core.finding import CheckKind, Finding
from buildwright.core.limits import Check, Options, file_keys
from buildwright.errors import BadSettings
from buildwright.gates.check_environment import GO_CACHE
from buildwright.gates.java import java_commands
from buildwright.gates.needs import SETTINGS, Needs, not_granted, only_users, read_needs, table_of, unknown_key
from buildwright.gates.node_scripts import (
    asks_registry_after,
    browser_driver,
    called_script,
    command_line,
    configured_driver,
    level_scripts,
    scripts_of,
    tests_nothing,
)
from buildwright.gates.parts import LANGUAGES, code_outside, is_of, is_python_test, uncovered_parts
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
from buildwright.gates.results import is_report_path
from buildwright.gates.setup_cache import Setup
from buildwright.gates.shell_commands import hidden_exit, hidden_in_make, needed_setups
from buildwright.gates.test_output import runner_of

_MEND = f"fix {SETTINGS} in the repository"

_ORDER: dict[CheckKind, int] = {"typecheck": 0, "lint": 1, "test": 2, "build": 3}
_SCRIPTS: dict[str, CheckKind] = {
    "typecheck": "typecheck",
    "type-check": "typecheck",
    "check-types": "typecheck",
    "lint": "lint",
    "test": "test",
    "build": "build",
}
_MAKEFILES = ("Makefile", "makefile", "GNUmakefile")


class ProjectFiles(NamedTuple):
    """The facts of a project: its paths, a reader of them, and which programs can be run."""

    files: Sequence[str]
    read: Callable[[str], str | None]
    have: Callable[[str], bool]
    """Whether a program is on the PATH of the checks."""
    python: str = "python3"
    """The Python of the checks, as a command."""
    has_pytest: bool = True
    installed: Collection[str] | None = None
    """The packages of that Python, by plain names; None where it is an environment of the user, taken as it is."""
    pythons: Mapping[str, str] = MappingProxyType({})
    """The Pythons with pytest of folders below the top that have an environment of their own, as commands."""


class Toolchain(NamedTuple):
    """Commands to prepare a checkout, commands that judge it, and findings about them."""

    setup: tuple[Setup, ...]
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...] = ()
    sources: tuple[str, ...] = ()
    """Directories of Python packages below the top (`src`): the tree's own code must win over an installed one."""
    parts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Folders that are projects of their own, each with the names of its found tests."""
    bare: tuple[str, ...] = ()
    """Folders with a manifest that no found check judges."""
    unrun: tuple[str, ...] = ()
    """Those of them that have tests."""
    left: tuple[str, ...] = ()
    """Kinds of code (`python`) outside of all parts that no found check judges."""
    top: str = ""
    """The folder around the parts, with a slash at its end, where commands run that a user names; "" for the top."""
    levels: tuple[tuple[str, str], ...] = ()
    """Names of found tests of one side of the project, each after its side (`api`, `ui`)."""
    needs: Needs = Needs()
    compiled: tuple[str, ...] = ()
    """Sources that the build of a Python project compiles, which no found set-up runs."""


def find_toolchain(project: ProjectFiles, options: Options) -> Toolchain:
    """Return the commands given for this build, else in buildwright.toml, else found from the project's manifests.

    Raises BadSettings when buildwright.toml is wrong.
    """
    settings = _settings(project, options.part)
    part = posixpath.join(options.part, "")
    found = _found(project, part)
    given = _moved(Toolchain((Setup(options.setup),) if options.setup else (), options.checks), part)
    checks = given.checks or settings.checks or found.checks
    named = bool(options.checks or settings.checks)
    setup = given.setup or settings.setup or found.setup
    notes = () if named else found.findings
    compiled = () if named or setup is not found.setup else found.compiled
    if named and setup is found.setup:
        setup, dropped = needed_setups(setup, checks)
        notes += tuple(dropped)
    notes += tuple(_hidden_exits(project, checks))
    # Checks that a user named are what they asked for; of found ones it is said what they leave out.
    notes += () if named else tuple(_untested(checks))
    if not checks:
        nothing = finding(
            "checks.none",
            "No tests or checks were found in this project, so no change can be proven.",
            fix='add tests that the project\'s own tools find, or name a command: `--check "make test"`, '
            f'or in {SETTINGS}: [checks] test = "make test"',
        )
        notes = (*notes, nothing)
    needs = settings.needs
    if needs.is_outside and not options.grant_needs:
        needs = needs.inside()
        notes = (*notes, not_granted(settings.needs))
    needs = needs._replace(bring=options.bring or needs.bring)
    judged = Toolchain((), (), sources=found.sources) if named else found
    return judged._replace(setup=setup, checks=checks, findings=notes, needs=needs, compiled=compiled)


def _untested(checks: Sequence[Check]) -> Iterator[Finding]:
    if checks and not any(check.kind == "test" for check in checks):
        message = f"No command tests this project: {', '.join(check.name for check in checks)} do not run its code."
        fix = 'name the command of its tests: `--check "make test"`'
        yield finding("checks.untested", message, severity="warning", fix=fix)


def _hidden_exits(project: ProjectFiles, checks: Sequence[Check]) -> Iterator[Finding]:
    for check in checks:
        if hidden := _hidden_exit(project, check.command):
            message = f"{hidden.capitalize()} may hide a failure inside `{check.command}` from its exit code."
            fix = "join commands with `&&`, or begin with `set -e`; for a pipe `set -o pipefail` in bash"
            yield finding("checks.hidden_exit", message, severity="warning", fix=fix)


def _hidden_exit(project: ProjectFiles, command: str) -> str:
    prefix, _, last = command.rpartition(" && ")
    folder = posixpath.join(shlex.split(prefix)[1], "") if prefix.startswith("cd ") and prefix.count("&&") == 0 else ""
    words = last.split()
    if len(words) == len(("make", "test")) and words[0] == "make":
        texts = (project.read(folder + name) for name in _MAKEFILES)
        return next((hidden_in_make(text, words[1]) for text in texts if text), "")
    script = called_script(last)
    package = _table(project.read(f"{folder}package.json") or "", "package.json") if script else {}
    return hidden_exit(command) or (
        hidden_exit(command_line(scripts_of(package), script.name, alone=script.is_alone)) if script else ""
    )


def _settings(project: ProjectFiles, part: str) -> Toolchain:
    """Return what the settings nearest to a part say, its own or those of a folder around it, to be run where they lie."""
    for folder in (*around(part), ""):
        text = project.read(folder + SETTINGS)
        if text is not None:
            return _moved(read_settings(text), folder)
    return Toolchain((), ())


def around(part: str) -> Iterator[str]:
    """Yield a part and the folders around it, the nearest first, each with a slash at its end; the top is left out."""
    while part:
        yield f"{part}/"
        part = part.rpartition("/")[0]


def _moved(toolchain: Toolchain, folder: str) -> Toolchain:
    """Return commands that were written for a folder (with a slash at its end) as commands for the top."""
    if not folder:
        return toolchain
    inside = f"{enter(folder)} && "
    setup = tuple(
        Setup(
            tuple(inside + command for command in one.commands),
            tuple(folder + path for path in one.inputs),
            tuple(folder + path for path in one.outputs),
            tuple(inside + command for command in one.scripts),
        )
        for one in toolchain.setup
    )
    checks = tuple(
        check.model_copy(
            update={
                "command": inside + check.command,
                "report": folder + check.report if is_report_path(check.report) else check.report,
                "paths": tuple(folder + pattern for pattern in check.paths),
            }
        )
        for check in toolchain.checks
    )
    return toolchain._replace(setup=setup, checks=checks)


def read_settings(text: str) -> Toolchain:
    """Return what the text of a `buildwright.toml` says of checks, set-up and needs. Its options count at the start of a build.

    [checks] has name = "command" or a table; [setup] has commands, inputs, outputs = [...]. Raises BadSettings, also
    for keys and tables that there are not.
    """
    try:
        document = tomllib.loads(text)
        for key in document.keys() - file_keys().keys():
            if key in file_keys(option_files=True):
                raise only_users(SETTINGS, key)
            raise unknown_key(SETTINGS, key, file_keys())
        setup = _setup(table_of("setup", document))
        checks = tuple(_check(name, value) for name, value in table_of("checks", document).items())
        needs = read_needs(document)
        given = Options.model_validate({"checks": checks, "setup": setup.commands, "bring": needs.bring})
    except ValueError as error:
        raise BadSettings(f"{SETTINGS} cannot be used: {error}", fix=_MEND) from error
    return Toolchain((setup,) if given.setup else (), given.checks, needs=needs)


_SETUP_KEYS = ("commands", "inputs", "outputs")


def _setup(table: Mapping[str, Any]) -> Setup:
    for key, value in table.items():
        if key not in _SETUP_KEYS:
            raise unknown_key(SETTINGS, f"setup.{key}", _SETUP_KEYS)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise BadSettings(f"{SETTINGS}: setup.{key} is not a list of texts", fix='write commands = ["npm ci"]')
    made = Setup(*(tuple(table.get(key, ())) for key in _SETUP_KEYS))
    for path in (*made.inputs, *made.outputs):
        if posixpath.normpath(path) != path or path.startswith(("/", "..")) or path == ".":
            raise BadSettings(f"{SETTINGS}: {path!r} is not a path inside the project", fix=_MEND)
    return made


def _check(name: str, value: Any) -> Check:
    given = {"command": value} if isinstance(value, str) else value
    if not isinstance(given, dict):
        raise BadSettings(f"{SETTINGS}: checks.{name} is not a command", fix=f'write {name} = "make test", for example')
    for key in given.keys() - Check.model_fields.keys() | given.keys() & {"name"}:
        raise unknown_key(SETTINGS, f"checks.{name}.{key}", Check.model_fields.keys() - {"name"})
    try:
        return Check.model_validate({"name": name, "kind": _SCRIPTS.get(name, "test"), **given})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, ("checks", name, *first["loc"])))
        raise BadSettings(f"{SETTINGS}: {where}: {first['msg'].lower()}", fix=_MEND) from error


def _found(project: ProjectFiles, part: str) -> Toolchain:
    setup: list[Setup] = []
    checks: list[Check] = []
    notes: list[Finding] = []
    sources: list[str] = []
    levels: list[tuple[str, str]] = []
    compiled: list[str] = []
    inner = [path.removeprefix(part) for path in project.files if path.startswith(part)]
    found = uncovered_parts(inner, lambda path: project.read(part + path))
    below, unseen, bare = (tuple(part + folder for folder in folders) for folders in found)
    parts: dict[str, tuple[str, ...]] = dict.fromkeys(below, ())
    top = _Folder(project, part, below, part)
    judged: set[tuple[str, str]] = set()
    for inside in (top, *(_Folder(project, folder, tuple(_below(folder, below)), part) for folder in below)):
        for kind, one in _kinds(inside):
            setup += (each for each in one.setup if each not in setup)  # members of a workspace share theirs
            checks += one.checks
            if inside is not top:
                parts[inside.path("")] += tuple(check.name for check in one.checks if check.kind == "test")
            judged |= {(inside.path(""), kind)} if one.checks else set()
            notes += one.findings
            sources += one.sources
            levels += one.levels
            compiled += one.compiled
    made = [] if any(check.kind == "test" for check in checks) else list(_make(top))
    checks += made
    seen = {folder for folder, _ in judged}
    unrun = tuple(folder for folder in below if folder not in (*bare, *seen))
    kinds = () if made or not below else tuple(kind for kind in LANGUAGES if (part, kind) not in judged)
    left = tuple(kind for kind in kinds if is_of(kind, inner) and code_outside(kind, inner, found.own))
    for place in unseen:
        message = f"{place} has tests of its own, and no check runs them."
        fix = f'name their command: `--check "{enter(place, part)} && ..."`, or in {SETTINGS} beside the other checks'
        notes.append(finding("checks.part_not_run", message, severity="warning", fix=fix))
    checks.sort(key=lambda check: _ORDER.get(check.kind, 9))
    return Toolchain(
        tuple(setup),
        tuple(checks),
        tuple(notes),
        tuple(sources),
        tuple(parts.items()),
        (*(folder for folder in bare if folder not in seen), *unrun),
        unrun,
        left,
        part,
        tuple(levels),
        compiled=tuple(compiled),
    )


def _kinds(folder: _Folder) -> Iterator[tuple[str, Toolchain]]:
    """Yield what is found for each kind of project, with the kind as `gates.parts` names it."""
    finders = {"python": _python, "node": _node, "go": _go, "rust": _rust, "java": _java}
    yield from ((kind, find(folder)) for kind, find in finders.items())


def _below(folder: str, parts: Iterable[str]) -> Iterator[str]:
    return (part for part in parts if part != folder and part.startswith(folder))


def _table(text: str, path: str) -> Mapping[str, Any]:
    try:
        document = json.loads(text) if path.endswith(".json") else tomllib.loads(text)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def enter(folder: str, top: str = "") -> str:
    """Return what enters a folder from the one around it; both have a slash at their ends."""
    return f"cd {shlex.quote(folder.removeprefix(top).rstrip('/'))}"


class _Folder:
    """One directory of the project, treated as a project of its own."""

    def __init__(self, project: ProjectFiles, prefix: str, without: tuple[str, ...] = (), top: str = "") -> None:
        """`top` is where commands run that a user names."""
        self.project = project
        self._prefix = prefix
        self._top = top
        inside = (path for path in project.files if path.startswith(prefix) and not path.startswith(without))
        self.paths = {path.removeprefix(prefix) for path in inside}

    @property
    def python(self) -> str:
        """The Python of its checks, as a command."""
        return self.project.pythons.get(self._prefix, self.project.python)

    @property
    def has_pytest(self) -> bool:
        """Whether that Python has pytest."""
        return self.project.has_pytest or self._prefix in self.project.pythons

    def read(self, path: str) -> str:
        return (self.project.read(self._prefix + path) or "") if path in self.paths else ""

    def table(self, path: str) -> Mapping[str, Any]:
        """Return a TOML or JSON file as a table, empty if it is unreadable: the project's own tool will say so."""
        return _table(self.read(path), path)

    def check(self, name: str, command: str, kind: CheckKind, report: str = "") -> Check:
        folder = self._prefix.rstrip("/")
        if not folder:
            return Check(name=name, command=command, kind=kind, report=report)
        return Check(name=f"{name} ({folder})", command=self.command(command), kind=kind, report=report)

    def path(self, path: str) -> str:
        return self._prefix + path

    def command(self, command: str) -> str:
        return f"{enter(self._prefix)} && {command}" if self._prefix else command

    def named(self, command: str) -> str:
        """Return the command as a user names it."""
        return f"{enter(self._prefix, self._top)} && {command}" if self._prefix != self._top else command


def _python(folder: _Folder) -> Toolchain:
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


def _tool_missing(folder: _Folder, tool: str, *, is_made: bool) -> Finding:
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


def _version_setup(folder: _Folder, tools: Mapping[str, Any]) -> tuple[Setup, ...]:
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


def _python_tests(folder: _Folder, pyproject: Mapping[str, Any]) -> _PythonTests:
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


def _plain_unittests(folder: _Folder, tests: Sequence[str]) -> tuple[str, ...]:
    """Return these files if unittest finds and runs all of them: below packages, and not of Django."""
    is_sure = all(
        all(f"{above}__init__.py" in folder.paths for above in around(path.rpartition("/")[0]))
        and _UNITTEST.search(text := folder.read(path))
        and not _OF_DJANGO.search(text)
        for path in tests[:50]
    )
    return tuple(tests) if is_sure else ()


def _environment(folder: _Folder, tests: _PythonTests, pyproject: Mapping[str, Any]) -> Environment | None:
    if folder.path("") in folder.project.pythons or not tests.are_there:
        return None
    made = makes_environment(_facts(folder, pyproject)._replace(needs_pytest=tests.needs_pytest))
    if made is None:
        return None
    places = (tuple(map(folder.path, paths)) for paths in (made.setup.inputs, made.setup.outputs))
    return made._replace(setup=Setup(tuple(map(folder.command, made.setup.commands)), *places))


def _facts(folder: _Folder, pyproject: Mapping[str, Any]) -> PythonFolder:
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


def _metadata_setup(folder: _Folder, pyproject: Mapping[str, Any], in_src: bool) -> tuple[Setup, ...]:
    """Return the setup that writes a project's metadata; an environment of the user has the project installed."""
    if folder.project.installed is None or folder.path("") in folder.project.pythons:
        return ()
    command = writes_metadata(_facts(folder, pyproject), in_src=in_src)
    return (Setup((folder.command(command),)),) if command else ()


def _workspace_members(folder: _Folder, tools: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the sources of the members of a uv workspace that a member needs (docs.astral.sh/uv, "Workspaces")."""
    uv = tools.get("uv", {})
    named = uv.get("sources", {}) if isinstance(uv, dict) else {}
    wanted = {plain_name(name) for name, one in named.items() if isinstance(one, dict) and one.get("workspace")}
    found: list[str] = []
    for path in folder.project.files if wanted else ():
        home, _, name = path.rpartition("/")
        if name == "pyproject.toml" and home:
            about = _table(folder.project.read(path) or "", path).get("project", {})
            if isinstance(about, dict) and plain_name(str(about.get("name", ""))) in wanted:
                has_src = any(one.startswith(f"{home}/src/") for one in folder.project.files)
                found.append(f"{home}/src" if has_src else home)
    return tuple(found)


def needs_pytest(project: ProjectFiles) -> bool:
    """Return whether the Python tests of a project need pytest."""
    top = _Folder(project, "")
    return _python_tests(top, top.table("pyproject.toml")).needs_pytest


_DJANGO = re.compile(r"\bexecute_from_command_line\b|\bget_runner\b")
"""How a script begins a run of Django's tests (docs.djangoproject.com, "Using the Django test runner")."""
_OF_DJANGO = re.compile(r"(?m)^\s*(?:import|from)\s+django\b")
_PYTEST = re.compile(r"(?m)^\s*(?:import|from)\s+pytest\b")
_UNITTEST = re.compile(r"(?m)^\s*(?:import|from)\s+unittest\b")
_TEST = re.compile(r"(?m)^\s*(?:async\s+)?def\s+test")
"""Begins a test in a file of tests: settings and what tests share have names like theirs, `settings/test.py`."""


def _django(folder: _Folder, tests: Sequence[str]) -> str:
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


def _names_pytest(folder: _Folder) -> bool:
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


def _mypy_settings(folder: _Folder, tools: Mapping[str, Any]) -> Mapping[str, Any] | None:
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


def _are_unittests(folder: _Folder, tests: Sequence[str]) -> bool:
    return bool(tests) and all("unittest" in folder.read(path) for path in tests[:50])


def _node(folder: _Folder) -> Toolchain:
    package = folder.table("package.json")
    if not package:
        return Toolchain((), ())
    scripts = scripts_of(package)
    home = _workspace(folder)
    manager = _manager(home)
    checks: list[Check] = []
    for name, kind in _SCRIPTS.items():
        line = command_line(scripts, name)
        if name in scripts and not tests_nothing(line):
            # `bun test` is Bun's own runner, whatever the script of that name says.
            run = f"{manager} test" if name == "test" and manager != "bun" else f"{manager} run {name}"
            if run == "npm test" and asks_registry_after(scripts):
                run += " --ignore-scripts"  # checks have no network
            checks.append(folder.check(f"{manager} {name}", run, kind, runner_of(line) if kind == "test" else ""))
    levels, notes = [], []
    for side, name in level_scripts(scripts):
        line = command_line(scripts, name)
        if driver := browser_driver(line):
            notes.append(_not_driven(f"`{manager} run {name}` drives", driver))
        else:
            checks.append(folder.check(f"{manager} {name}", f"{manager} run {name}", "test", runner_of(line)))
            levels.append((side, checks[-1].name))
    if (driver := configured_driver(folder.paths)) and not any(map(browser_driver, scripts.values())):
        notes.append(_not_driven(f"{folder.path('') or 'The project'} has tests that drive", driver))
    wanted = {
        key
        for one in (package, home.table("package.json"))
        for kind in ("dependencies", "devDependencies")
        for key in (one.get(kind) or {})
    }
    has_types = any(check.kind == "typecheck" for check in checks)
    if "tsconfig.json" in folder.paths and "typescript" in wanted and not has_types:
        checks.append(folder.check("tsc", "npx --no-install tsc --noEmit", "typecheck"))
    # The members of a workspace need links to each other, and have dependencies of their own.
    is_workspace = "workspaces" in package or "pnpm-workspace.yaml" in folder.paths
    setup = (_node_setup(home, manager),) if wanted or is_workspace else ()
    return Toolchain(setup, tuple(checks), tuple(notes), levels=tuple(levels))


def _not_driven(what: str, driver: str) -> Finding:
    """Say that tests that need a browser were not chosen: set-up installs packages without their downloads."""
    message = f"{what} a browser ({driver}), which checks have not got: these tests do not run."
    fix = f"install the browser, and name their command and its place in {SETTINGS}: [checks] and [env]"
    return finding("checks.browser", message, severity="warning", fix=fix)


def _workspace(folder: _Folder) -> _Folder:
    """Return the folder whose lock file pins a package: its own, or the workspace around it that it is a member of."""
    if any(name in folder.paths for name in _LOCKFILES):
        return folder
    part = folder.path("").rstrip("/")
    for above in (*tuple(around(part))[1:], ""):
        root = _Folder(folder.project, above)
        if part and ("pnpm-workspace.yaml" in root.paths or "workspaces" in root.table("package.json")):
            return root
    return folder


_NODE_SETTINGS = (".npmrc", ".yarnrc", ".yarnrc.yml", "bunfig.toml", ".nvmrc", ".node-version", ".tool-versions")
_LOCKFILES = ("package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb")
_LOCAL = ('"workspaces"', '"file:', '"link:', '"workspace:', '"portal:', '"patch:')


def _node_setup(folder: _Folder, manager: str) -> Setup:
    """Return the setup, kept for later trees only if a lock file pins it and none of it comes from the tree."""
    command, scripts = folder.command(_install(folder, manager)), _install_scripts(folder, manager)
    locks = [name for name in _LOCKFILES if name in folder.paths]
    text = folder.read("package.json")
    if not locks or "pnpm-workspace.yaml" in folder.paths or any(mark in text for mark in _LOCAL):
        return Setup((command,), scripts=scripts)
    inputs = ["package.json", *locks, *(name for name in _NODE_SETTINGS if name in folder.paths)]
    return Setup((command,), tuple(map(folder.path, inputs)), (folder.path("node_modules"),), scripts)


def _install_scripts(folder: _Folder, manager: str) -> tuple[str, ...]:
    """Return what runs packages' own install scripts after the install, where npm's lock file says that some have one.

    They come from the network, so that they get none. The other managers run none unless the project names the package.
    """
    lock = next((name for name in ("npm-shrinkwrap.json", "package-lock.json") if name in folder.paths), "")
    if manager != "npm" or '"hasInstallScript": true' not in folder.read(lock):
        return ()
    return (folder.command("npm rebuild --no-audit --no-fund --foreground-scripts"),)


def _manager(folder: _Folder) -> str:
    for lockfile, manager in (
        ("pnpm-lock.yaml", "pnpm"),
        ("yarn.lock", "yarn"),
        ("bun.lock", "bun"),
        ("bun.lockb", "bun"),
    ):
        if lockfile in folder.paths:
            return manager
    return "npm"


def _install(folder: _Folder, manager: str) -> str:
    """Return the install command without packages' scripts: they would run here, with network, before any review."""
    if manager == "yarn":
        modern = ".yarnrc.yml" in folder.paths or "\n__metadata:" in folder.read("yarn.lock")
        return (
            "yarn install --immutable --mode=skip-build"
            if modern
            else "yarn install --frozen-lockfile --ignore-scripts"
        )
    if manager in {"pnpm", "bun"}:
        return f"{manager} install --frozen-lockfile --ignore-scripts"
    locked = "package-lock.json" in folder.paths or "npm-shrinkwrap.json" in folder.paths
    return f"npm {'ci' if locked else 'install'} --ignore-scripts --no-audit --no-fund"


def _go(folder: _Folder) -> Toolchain:
    if "go.mod" not in folder.paths:
        return Toolchain((), ())
    vet = folder.check("go vet", "go vet ./...", "lint")
    return Toolchain((_go_setup(folder),), (vet, folder.check("go test", "go test -json ./...", "test", "go")))


_GO_PACKAGES = "net/http encoding/json testing regexp text/template os/exec"


def _go_setup(folder: _Folder) -> Setup:
    """Return the setup that fetches modules, unless the tree has them, and compiles much of the standard library.

    The latter takes most of the time. Kept for later trees by the module's files alone; every checkout gets a copy, so
    that a test cannot change what another tree is judged with.
    """
    caches = f'export GOCACHE="$PWD/{GO_CACHE}/build" GOMODCACHE="$PWD/{GO_CACHE}/mod" GOFLAGS=-modcacherw'
    download = "" if "vendor/modules.txt" in folder.paths else "go mod download && "
    command = f"{caches} && {folder.command(f'{download}(timeout 300 go vet {_GO_PACKAGES} || true)')}"
    inputs = [name for name in ("go.mod", "go.sum") if name in folder.paths]
    return Setup((command,), tuple(map(folder.path, inputs)), (GO_CACHE,))


def _rust(folder: _Folder) -> Toolchain:
    if "Cargo.toml" not in folder.paths:
        return Toolchain((), ())
    manifest = folder.read("Cargo.toml")
    fetch = "cargo fetch --locked" if "Cargo.lock" in folder.paths else "cargo fetch"
    setup = (Setup((folder.command(fetch),)),) if "dependencies" in manifest else ()
    # Without it the package at the top would be tested alone.
    members = " --workspace" if "[workspace]" in manifest else ""
    return Toolchain(setup, (folder.check("cargo test", f"cargo test{members} --no-fail-fast", "test", "cargo test"),))


def _java(folder: _Folder) -> Toolchain:
    found = java_commands(folder.path(""), folder.paths)
    return Toolchain((found.setup,), (folder.check(found.name, found.test, "test"),)) if found else Toolchain((), ())


def _make(folder: _Folder) -> Iterator[Check]:
    for name in _MAKEFILES:
        targets = {line.split(":")[0].strip() for line in folder.read(name).splitlines() if ":" in line}
        for target in ("test", "check"):
            if target in targets:
                yield folder.check(f"make {target}", f"make {target}", "test")
                return
