"""Names the file that a found command comes from, and what pins its tools. Pure."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterator, Mapping

from buildwright.core.limits import Options
from buildwright.gates.needs import SETTINGS
from buildwright.gates.project_folder import ProjectFiles, Toolchain, around
from buildwright.gates.python_setup import DECLARE, REQUIREMENTS, VENV
from buildwright.gates.python_toolchain import PYTEST_FILES

_MANIFESTS: Mapping[str, tuple[str, ...]] = {
    "uv": ("uv.lock",),
    "pip": (*REQUIREMENTS, *DECLARE),
    "pytest": (*PYTEST_FILES, "pyproject.toml", "tox.ini", "setup.cfg"),
    "unittest": (),
    "mypy": ("mypy.ini", ".mypy.ini", "pyproject.toml", "setup.cfg"),
    "pyright": ("pyrightconfig.json", "pyproject.toml"),
    "ruff": ("ruff.toml", ".ruff.toml", "pyproject.toml"),
    "npm": ("package.json",),
    "npx": ("package.json",),
    "pnpm": ("package.json",),
    "yarn": ("package.json",),
    "bun": ("package.json",),
    "go": ("go.mod",),
    "cargo": ("Cargo.toml",),
    "mvn": ("pom.xml",),
    "./mvnw": ("pom.xml",),
    "gradle": ("build.gradle", "build.gradle.kts"),
    "./gradlew": ("build.gradle", "build.gradle.kts"),
    "make": ("Makefile", "makefile", "GNUmakefile"),
}
"""Files that a program's commands are found from, by the program; the first that is there counts."""
_PINS = (".python-version", ".nvmrc", ".node-version", "rust-toolchain.toml", "rust-toolchain", ".tool-versions")


def sources_of(project: ProjectFiles, toolchain: Toolchain, options: Options) -> Mapping[str, str]:
    """Return where each command of a toolchain was found: an option, a file of the project, or its tests."""
    commands = {check.command: "--check" if options.checks else "" for check in toolchain.checks}
    for setup in toolchain.setup:
        commands |= dict.fromkeys(setup.commands, "--setup" if options.setup else "")
    places = (folder + SETTINGS for folder in (*around(options.part), ""))
    settings = next((path for path in places if project.read(path) is not None), SETTINGS)
    return {command: given or _source(project, command, settings) for command, given in commands.items()}


def _source(project: ProjectFiles, command: str, settings: str) -> str:
    text = project.read(settings) or ""
    plain = command.partition(" && ")[2] if command.startswith("cd ") else command
    if any(one in written for one in (command, plain) for written in (text, text.replace("\\", ""))):
        return settings
    prefix, _, last = command.rpartition(" && ")
    folder = shlex.split(prefix)[1] if prefix.startswith("cd ") and prefix.count("&&") == 0 else ""
    words = [word.removeprefix(f"{VENV}/bin/") for word in last.split()]
    for program, files in _MANIFESTS.items():
        if program in words:
            there = (posixpath.join(folder, name) for name in files)
            return next((path for path in there if path in project.files), "its tests")
    return "the project's files"


def pins_of(project: ProjectFiles) -> Iterator[str]:
    """Yield what the project pins of its tools' versions, for people: `.nvmrc: 22`."""
    for name in _PINS:
        if name in project.files and (lines := (project.read(name) or "").split("\n")):
            yield f"{name}: {' '.join(line.strip() for line in lines if line.strip())[:100]}"
