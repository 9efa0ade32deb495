"""Finds a project's own commands from its files: of all its folders and kinds. Pure: must never run or write anything."""

from __future__ import annotations

import posixpath
import shlex
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from buildwright.core.finding import CheckKind, Finding
from buildwright.core.limits import Check, Options, file_keys
from buildwright.errors import BadSettings
from buildwright.gates.check_environment import GO_CACHE
from buildwright.gates.java import java_commands
from buildwright.gates.needs import SETTINGS, not_granted, only_users, read_needs, table_of, unknown_key
from buildwright.gates.node_scripts import (
    called_script,
    command_line,
    scripts_of,
)
from buildwright.gates.node_toolchain import SCRIPTS, find_node
from buildwright.gates.parts import LANGUAGES, code_outside, is_of, uncovered_parts
from buildwright.gates.project_folder import ProjectFiles, ProjectFolder, Toolchain, around, enter, read_table
from buildwright.gates.python_toolchain import find_python
from buildwright.gates.reporting import finding
from buildwright.gates.results import is_report_path
from buildwright.gates.setup_cache import Setup
from buildwright.gates.shell_commands import hidden_exit, hidden_in_make, needed_setups

_MEND = f"fix {SETTINGS} in the repository"
_ORDER: dict[CheckKind, int] = {"typecheck": 0, "lint": 1, "test": 2, "build": 3}
_MAKEFILES = ("Makefile", "makefile", "GNUmakefile")


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
    package = read_table(project.read(f"{folder}package.json") or "", "package.json") if script else {}
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
        return Check.model_validate({"name": name, "kind": SCRIPTS.get(name, "test"), **given})
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
    top = ProjectFolder(project, part, below, part)
    judged: set[tuple[str, str]] = set()
    for inside in (top, *(ProjectFolder(project, folder, tuple(_below(folder, below)), part) for folder in below)):
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


def _kinds(folder: ProjectFolder) -> Iterator[tuple[str, Toolchain]]:
    """Yield what is found for each kind of project, with the kind as `gates.parts` names it."""
    finders = {"python": find_python, "node": find_node, "go": _go, "rust": _rust, "java": _java}
    yield from ((kind, find(folder)) for kind, find in finders.items())


def _below(folder: str, parts: Iterable[str]) -> Iterator[str]:
    return (part for part in parts if part != folder and part.startswith(folder))


def _go(folder: ProjectFolder) -> Toolchain:
    if "go.mod" not in folder.paths:
        return Toolchain((), ())
    vet = folder.check("go vet", "go vet ./...", "lint")
    return Toolchain((_go_setup(folder),), (vet, folder.check("go test", "go test -json ./...", "test", "go")))


_GO_PACKAGES = "net/http encoding/json testing regexp text/template os/exec"


def _go_setup(folder: ProjectFolder) -> Setup:
    """Return the setup that fetches modules, unless the tree has them, and compiles much of the standard library.

    The latter takes most of the time. Kept for later trees by the module's files alone; every checkout gets a copy, so
    that a test cannot change what another tree is judged with.
    """
    caches = f'export GOCACHE="$PWD/{GO_CACHE}/build" GOMODCACHE="$PWD/{GO_CACHE}/mod" GOFLAGS=-modcacherw'
    download = "" if "vendor/modules.txt" in folder.paths else "go mod download && "
    command = f"{caches} && {folder.command(f'{download}(timeout 300 go vet {_GO_PACKAGES} || true)')}"
    inputs = [name for name in ("go.mod", "go.sum") if name in folder.paths]
    return Setup((command,), tuple(map(folder.path, inputs)), (GO_CACHE,))


def _rust(folder: ProjectFolder) -> Toolchain:
    if "Cargo.toml" not in folder.paths:
        return Toolchain((), ())
    manifest = folder.read("Cargo.toml")
    fetch = "cargo fetch --locked" if "Cargo.lock" in folder.paths else "cargo fetch"
    setup = (Setup((folder.command(fetch),)),) if "dependencies" in manifest else ()
    # Without it the package at the top would be tested alone.
    members = " --workspace" if "[workspace]" in manifest else ""
    return Toolchain(setup, (folder.check("cargo test", f"cargo test{members} --no-fail-fast", "test", "cargo test"),))


def _java(folder: ProjectFolder) -> Toolchain:
    found = java_commands(folder.path(""), folder.paths)
    return Toolchain((found.setup,), (folder.check(found.name, found.test, "test"),)) if found else Toolchain((), ())


def _make(folder: ProjectFolder) -> Iterator[Check]:
    for name in _MAKEFILES:
        targets = {line.split(":")[0].strip() for line in folder.read(name).splitlines() if ":" in line}
        for target in ("test", "check"):
            if target in targets:
                yield folder.check(f"make {target}", f"make {target}", "test")
                return
