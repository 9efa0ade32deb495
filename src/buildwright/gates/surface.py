"""The verification surface: the files that decide what a project's checks prove. Pure; must never read a file.

A patch that touches any of them is judged twice: the surface of the base over the new code, and the new surface. What a
file is to the checks is a matter of its name, by the customs of the tools; one table holds them for all toolchains.
"""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from buildwright.gates.node_scripts import command_line, scripts_of

_TEST_FOLDERS = frozenset(
    ("test", "tests", "__tests__", "spec", "specs", "e2e", "testdata", "__mocks__", "__snapshots__")
)

_ANYWHERE = (
    # pytest, unittest, tox, nox, coverage, and what Python runs as it starts
    *("conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "tox.toml", "noxfile.py"),
    *(".coveragerc", "sitecustomize.py", "usercustomize.py", "*.pth", "hatch.toml", "pdm.toml", "Pipfile", "pixi.toml"),
    *("pyproject.toml", "setup.cfg", "setup.py", "requirements*.txt", "constraints*.txt", "pyvenv.cfg"),
    # type checkers and linters
    *("mypy.ini", ".mypy.ini", "pyrightconfig.json", "ruff.toml", ".ruff.toml", ".flake8", ".pylintrc", "pylintrc"),
    *("ty.toml", "pyrefly.toml", "basedpyright.json", ".bandit", "tsconfig*.json", "jsconfig*.json"),
    *(".eslintrc*", "eslint.config.*", ".eslintignore", "biome.json", "biome.jsonc", ".oxlintrc*", "oxlint.config.*"),
    *(".prettierrc*", ".prettierignore", "prettier.config.*", ".stylelintrc*", "stylelint.config.*", ".editorconfig"),
    *("xo.config.*", ".golangci.*", "clippy.toml", ".clippy.toml", "rustfmt.toml", ".rustfmt.toml", "checkstyle*.xml"),
    # Node
    *("package.json", ".npmrc", ".yarnrc", ".yarnrc.yml", ".pnpmfile.*", "pnpm-workspace.yaml", "bunfig.toml"),
    *("jest.config.*", "jest.setup.*", "setupTests.*", "vitest.*", "vite.config.*", ".mocharc*", "ava.config.*"),
    *(".taprc", ".c8rc*", ".nycrc*", "nyc.config.*", "karma.conf.*", "playwright.config.*", "cypress.config.*"),
    *("babel.config.*", ".babelrc*", ".swcrc", "deno.json", "deno.jsonc", "turbo.json", "nx.json", "lerna.json"),
    *(".nvmrc", ".node-version", ".python-version", ".tool-versions", "mise.toml", ".mise.toml", "rust-toolchain*"),
    # Go, Rust, Java
    *(
        "go.mod",
        "go.work",
        "Cargo.toml",
        "build.rs",
        "pom.xml",
        "build.gradle*",
        "settings.gradle*",
        "gradle.properties",
    ),
    *("mvnw", "mvnw.cmd", "gradlew", "gradlew.bat", "junit-platform.properties", "testng.xml", "nextest.toml"),
    # what calls the others
    *("Makefile", "makefile", "GNUmakefile", "*.mk", "justfile", "Justfile", ".justfile", "Taskfile.y*ml", "Rakefile"),
    *("CMakeLists.txt", "dodo.py", "tasks.py", "buildwright.toml"),
    # lock and ignore files
    *("*.lock", "bun.lockb", "package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "go.sum", "go.work.sum"),
    *(".gitignore", ".dockerignore", ".npmignore", ".ignore"),
)
_BELOW = (".cargo/", ".mvn/", "gradle/", ".config/", "buildSrc/", "node_modules/", "__pycache__/")
"""Folders, at any depth, whose files all belong to the surface."""

_REQUIREMENTS = re.compile(
    r"(?:^|/)(?:[\w.-]*requirements?[\w.-]*|[\w.-]*constraints?[\w.-]*|requirements?/[\w./-]+)\.(?:txt|in)$"
)

_EXACT = frozenset(name for name in _ANYWHERE if "*" not in name)
_PATTERNS = tuple(name for name in _ANYWHERE if "*" in name)

_PROSE_SUFFIXES = frozenset((".md", ".mdx", ".rst", ".adoc"))
_PROSE_NAMES = frozenset(
    (
        *("authors", "changelog", "changes", "contributors", "copying", "history", "licence", "license", "news"),
        *("notice", "readme", "todo"),
    )
)
"""Names of texts without an ending, or with `.txt`: other files with that ending may be data of the product."""

_INTERPRETERS = re.compile(r"(?:ba|da|k|z)?sh|python[\d.]*|node|nodejs|ruby|perl|deno|bun|tsx|ts-node|source|\.")
_NOT_RUN = frozenset(("-c", "-e", "-m", "-p", "--check", "--eval", "--print", "--command"))
"""Options of interpreters after which no file is run, or it is only looked at."""


def is_test(path: str) -> bool:
    """Return whether a path is a test by the naming customs of Python, JavaScript, Go, Java and Rust."""
    folder, _, name = path.rpartition("/")
    if not _TEST_FOLDERS.isdisjoint(folder.lower().split("/")):
        return True
    head, dot, ending = name.rpartition(".")
    stem = head if head and ending else name
    low = stem.lower()
    return (
        low.startswith(("test_", "test-"))
        or low.endswith(("_test", "-test"))
        or low in {"test", "tests"}
        or ".test." in name.lower()
        or ".spec." in name.lower()
        or (bool(dot) and ending in {"java", "kt"} and stem.endswith(("Test", "Tests", "IT")))
    )


def is_settings(path: str) -> bool:
    """Return whether a path steers checks without being a test: settings, manifests, start-up, lock and ignore files."""
    name = path.rpartition("/")[2]
    if name in _EXACT or any(fnmatchcase(name, pattern) for pattern in _PATTERNS):
        return True
    return is_requirements(path) or any(path.startswith(folder) or f"/{folder}" in path for folder in _BELOW)


def is_requirements(path: str) -> bool:
    """Return whether a path is a list of packages that pip may install, by the customs of its names."""
    return _REQUIREMENTS.search(path.lower()) is not None


def is_prose(path: str) -> bool:
    """Return whether a path is a text for people by its name: no test, no settings, and no code of any kind."""
    pure = PurePosixPath(path)
    suffix = pure.suffix.lower()
    is_text = suffix in _PROSE_SUFFIXES or (suffix in {"", ".txt"} and pure.stem.lower() in _PROSE_NAMES)
    return is_text and not is_test(path) and not is_settings(path)


class Surface:
    """The surface of one tree: tests and settings by their names, and the scripts that its commands run."""

    def __init__(self, paths: Iterable[str], commands: Iterable[str]) -> None:
        """`paths` are those of the base; a script counts only if it is one of them."""
        known = frozenset(paths)
        self._scripts = frozenset(script for command in commands for script in _scripts(command, known))

    def holds(self, path: str) -> bool:
        """Return whether the base's version of this path judges a patch: tests, settings, scripts of commands."""
        return is_test(path) or is_settings(path) or path in self._scripts

    def runs_script(self, command: str) -> bool:
        """Return whether a command runs a file of the surface."""
        return any(True for _ in _scripts(command, self._scripts))

    def steers(self, path: str) -> bool:
        """Return whether the path decides which checks run and how, beyond being a test."""
        return is_settings(path) or path in self._scripts


def commands_behind(command: str, read: Callable[[str], str | None], depth: int = 4) -> Iterator[str]:
    """Yield a shell command and those that it leads to: scripts of package.json, targets of a Makefile, shell scripts.

    `read` returns a file of the tree. A command of a folder below the top begins with `cd FOLDER &&`.
    """
    yield command
    if depth == 0:
        return
    folder = ""
    for words in _simple_commands(command):
        if words[0] == "cd" and len(words) > 1:
            folder = f"{words[1].rstrip('/')}/"
            continue
        inside = f"cd {shlex.quote(folder.rstrip('/'))} && " if folder else ""
        for found in (*_package_scripts(words, folder, read), *_recipes(words, folder, read)):
            yield from commands_behind(inside + found, read, depth - 1)
        script = _run_by(words)
        if script is not None and (text := read(_joined(folder, script))) is not None:
            is_shell = script.endswith(".sh") or re.match(r"#!.*sh\b", text)
            for line in text.splitlines()[:500] if is_shell else ():
                if line.strip() and not line.lstrip().startswith("#"):
                    yield from commands_behind(inside + line.strip(), read, depth - 1)


def _package_scripts(words: list[str], folder: str, read: Callable[[str], str | None]) -> Iterator[str]:
    """Yield the bodies of the scripts, with those before and after, that a package manager is asked to run."""
    if words[0] not in {"npm", "pnpm", "yarn", "bun"}:
        return
    names = [word for word in words[1:] if not word.startswith("-") and word not in {"run", "run-script", "exec"}]
    try:
        scripts = scripts_of(json.loads(read(f"{folder}package.json") or "{}"))
    except (ValueError, AttributeError, RecursionError):
        return
    yield from (line for name in names[:1] if (line := command_line(scripts, name)))


def _recipes(words: list[str], folder: str, read: Callable[[str], str | None]) -> Iterator[str]:
    """Yield the lines of the recipes that `make TARGET` runs, those of its prerequisites included."""
    if words[0] not in {"make", "gmake"}:
        return
    text = next((text for name in ("GNUmakefile", "makefile", "Makefile") if (text := read(folder + name))), "")
    rules: dict[str, tuple[list[str], list[str]]] = {}
    current: list[str] = []
    for line in text.splitlines():
        if line.startswith("\t"):
            for target in current:
                rules[target][1].append(line.strip().lstrip("@-+"))
        elif match := re.match(r"([^\s:=#][^:=#]*)::?(?!=)\s*([^#;]*)", line):
            current = match[1].split()
            for target in current:
                rules.setdefault(target, ([], []))[0].extend(match[2].split())
    wanted = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    seen: set[str] = set()
    while wanted:
        target = wanted.pop()
        if target in rules and target not in seen:
            seen.add(target)
            wanted += rules[target][0]
            yield from rules[target][1]


def _scripts(command: str, known: frozenset[str]) -> Iterator[str]:
    """Yield the files of the tree that a shell command runs: `./x`, `sh x`, `python x`, also after `cd folder`."""
    folder = ""
    for words in _simple_commands(command):
        if words[0] == "cd" and len(words) > 1:
            folder = f"{words[1].rstrip('/')}/"
        elif (name := _run_by(words)) is not None:
            path = _joined(folder, name)
            yield from known & {path, f"{path}/__main__.py", f"{path}.js", f"{path}/index.js"}


def _simple_commands(command: str) -> Iterator[list[str]]:
    """Yield the words of each simple command, without assignments and words that only run the next."""
    for part in re.split(r"&&|\|\||[;|&\n()]", command):
        try:
            words = shlex.split(part, comments=True)
        except ValueError:
            words = part.split()
        while words and re.fullmatch(r"\w+=.*|exec|env|time|nice|command|then|do|else|!|[@-]", words[0]):
            words.pop(0)
        if words:
            yield words


def _joined(folder: str, name: str) -> str:
    return posixpath.normpath(folder + name)


def _run_by(words: list[str]) -> str | None:
    first = words[0].lstrip("@-")
    if "/" in first and not first.startswith("/"):
        return first
    if _INTERPRETERS.fullmatch(first.rpartition("/")[2]) is None:
        return None
    for word in words[1:]:
        if word in _NOT_RUN:
            return None
        if not word.startswith("-") and word not in {"run", "test"}:
            return word
    return None
