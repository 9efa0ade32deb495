"""A project as its files tell, and one folder of it, treated as a project of its own. Pure: must never run or write anything."""

from __future__ import annotations

import json
import shlex
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from buildwright.core.finding import CheckKind, Finding
from buildwright.core.limits import Check
from buildwright.gates.needs import Needs
from buildwright.gates.setup_cache import Setup


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


def around(part: str) -> Iterator[str]:
    """Yield a part and the folders around it, the nearest first, each with a slash at its end; the top is left out."""
    while part:
        yield f"{part}/"
        part = part.rpartition("/")[0]


def enter(folder: str, top: str = "") -> str:
    """Return what enters a folder from the one around it; both have a slash at their ends."""
    return f"cd {shlex.quote(folder.removeprefix(top).rstrip('/'))}"


def read_table(text: str, path: str) -> Mapping[str, Any]:
    """Return the text of a file, TOML or by its name JSON, as a table; empty if it is none."""
    try:
        document = json.loads(text) if path.endswith(".json") else tomllib.loads(text)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


class ProjectFolder:
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
        """Return the text of a file, "" where there is none."""
        return (self.project.read(self._prefix + path) or "") if path in self.paths else ""

    def table(self, path: str) -> Mapping[str, Any]:
        """Return a TOML or JSON file as a table, empty if it is unreadable: the project's own tool will say so."""
        return read_table(self.read(path), path)

    def check(self, name: str, command: str, kind: CheckKind, report: str = "") -> Check:
        """Return a check of this folder, named after it, as a command for the top of the project."""
        folder = self._prefix.rstrip("/")
        if not folder:
            return Check(name=name, command=command, kind=kind, report=report)
        return Check(name=f"{name} ({folder})", command=self.command(command), kind=kind, report=report)

    def path(self, path: str) -> str:
        """Return a path of this folder as one of the project."""
        return self._prefix + path

    def command(self, command: str) -> str:
        """Return a command for this folder as one for the top of the project."""
        return f"{enter(self._prefix)} && {command}" if self._prefix else command

    def named(self, command: str) -> str:
        """Return the command as a user names it."""
        return f"{enter(self._prefix, self._top)} && {command}" if self._prefix != self._top else command
