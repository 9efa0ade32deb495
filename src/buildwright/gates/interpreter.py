"""Finds the Python for a project's checks. Runs candidates to ask for pytest; must never run the project's code."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import sys
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from buildwright.gates.node_version import pinned_node
from buildwright.kept_verdicts import folders_of

_PATIENCE = 20.0
ENVIRONMENTS = (".venv", "venv", "env", ".conda")
"""Folders of environments in a project: of uv, PDM, Poetry (if so set), `python -m venv`, and conda in an editor."""

_ACTIVE = ("VIRTUAL_ENV", "CONDA_PREFIX")
_POETRY = re.compile(r"(?m)^\s*\[tool\.poetry\b|[\"']poetry(?:\.core)?\.masonry")
_OF_CONDA = ("environment.yml", "environment.yaml")
_NAME = re.compile(r"(?m)^name:\s*['\"]?([\w.-]+)['\"]?\s*(?:#.*)?$")
_PIN = ".python-version"
_VERSION = re.compile(r"[A-Za-z0-9][\w.+-]*(?:/envs/[A-Za-z0-9][\w.+-]*)?")
"""A version or an environment of pyenv; never a path, which its scripts would follow."""
_INSTALLED = (".local/bin", ".local/share/pypoetry/venv/bin")
"""Folders below a home into which pipx, `uv tool` and Poetry's own installer put programs, on the PATH or not."""
_DEEPEST = 2
_NOT_PARTS = frozenset(("node_modules", "vendor", "target", "dist", "build"))
_MOST_FOLDERS = 2_000


class Python(NamedTuple):
    """An interpreter, whether it can import pytest, and why it was chosen."""

    executable: Path
    has_pytest: bool
    why: str = ""
    parts: tuple[tuple[str, Path], ...] = ()
    """Folders below the top, with a slash at their end, and the Python with pytest of the environment in each."""
    packages: frozenset[str] | None = None
    """What it has, by plain names; None where it is an environment of the user, which is taken as it is."""


class Pythons:
    """The Pythons of the checks, each looked for once: a version manager's script takes a tenth of a second to answer."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._found: dict[str, asyncio.Future[Python]] = {}

    async def of(self, repository: str, needs_pytest: Callable[[], bool] = lambda: True) -> tuple[Python, str]:
        """Return the Python of a repository, and the PATH of its commands, on which it comes first.

        `needs_pytest` is asked at the first call alone, which as a rule is about the base.
        """
        looked = self._found.get(repository)
        if looked is None or looked.cancelled():
            asked = find_python(self._path, os.environ, repository, needs_pytest=needs_pytest())
            looked = self._found[repository] = asyncio.ensure_future(asked)
        python = await asyncio.shield(looked)
        # Those of parts come last: they are called by their whole path, and only have to be seen.
        of_parts = (str(one.parent) for _, one in python.parts)
        node = pinned_node(repository, os.environ)
        # Before the Python, which may lie beside another Node; beside a kept Node lies no Python.
        first = (*((str(node),) if node is not None else ()), str(python.executable.parent))
        folders = (*first, *self._path.split(os.pathsep), *of_parts)
        return python, os.pathsep.join(dict.fromkeys(folders))


async def find_python(
    path: str, environment: Mapping[str, str], repository: str = "", *, needs_pytest: bool = True
) -> Python:
    """Return the active environment's Python, else that of the user's `repository`, else one on `path` with pytest.

    Without any that has pytest it is the first on `path`. The environment of Buildwright itself counts only if it has
    pytest, or if there is no other Python. One of the repository counts only if git does not track it, since what is
    tracked an agent may have written, and if it has pytest where the checks need it.
    """
    chosen = await _find_at_top(path, environment, repository, needs_pytest=needs_pytest)
    parts = [one async for one in _of_parts(folders_of(repository)[-1])] if repository else []
    return chosen._replace(parts=tuple(parts))


async def _find_at_top(path: str, environment: Mapping[str, str], repository: str, *, needs_pytest: bool) -> Python:
    own = Path(sys.prefix).resolve()
    for variable in _ACTIVE:
        active = environment.get(variable)
        if not active or (variable == "CONDA_PREFIX" and environment.get("CONDA_DEFAULT_ENV") == "base"):
            continue
        if (executable := Path(active) / "bin" / "python").exists():
            found = await _ask(executable) or Python(executable, has_pytest=False)
            if found.has_pytest or Path(active).resolve() != own:
                return found._replace(why=f"{variable} is active")
    passed_over = ""
    if repository:
        async for executable, why in _of_the_project(repository, path, environment):
            found = await _ask(executable) or Python(executable, has_pytest=False)
            if found.has_pytest or not needs_pytest:
                return found._replace(why=why)
            passed_over = passed_over or f"; not {executable}, which has none"
        if pinned := await _pinned(folders_of(repository), path):
            pinned = pinned._replace(packages=await _packages(pinned.executable))
            if pinned.has_pytest or not needs_pytest:
                return pinned
            passed_over = passed_over or f"; not {pinned.executable} of {_PIN}, which has none"
    found = await _on_path(path, own, passed_over, needs_pytest=needs_pytest)
    return found._replace(packages=await _packages(found.executable))


async def _on_path(path: str, own: Path, passed_over: str, *, needs_pytest: bool) -> Python:
    """Return the first Python on `path` that has pytest, else the first that is not our `own`, else our own."""
    first = None
    for executable in _candidates(path):
        if (known := await _ask(executable)) and known.has_pytest:
            return known._replace(why=f"the first on PATH that has pytest{passed_over}")
        if known and first is None and known.executable.parent.parent.resolve() != own:
            none = f", and no other has pytest{passed_over}" if needs_pytest else ""
            first = known._replace(why=f"the first on PATH{none}")
    if first is not None:
        return first
    last = await _ask(Path(sys.executable)) or Python(Path(sys.executable), has_pytest=False)
    return last._replace(why="Buildwright's own: there is no other on PATH")


async def _pinned(folders: Sequence[Path], path: str) -> Python | None:
    """Return the Python that pyenv gives for a repository's `.python-version`: it may name an environment of pyenv.

    As pyenv itself does, the nearest such file of the folders counts alone.
    """
    try:
        pin = next((file for folder in folders if (file := folder / _PIN).is_file()), folders[0] / _PIN)
        lines = pin.read_text("utf-8", "replace").split()[:8]
    except OSError:
        return None
    shims = (one for one in _candidates(path) if one.parent.name == "shims")
    if not lines or not all(_VERSION.fullmatch(line) for line in lines):
        return None
    for shim in shims:
        if known := await _ask(shim, ":".join(lines)):
            return known._replace(why=f"pyenv has it for {_PIN}, {lines[0]}")
    return None


async def _of_the_project(
    repository: str, path: str, environment: Mapping[str, str]
) -> AsyncIterator[tuple[Path, str]]:
    """Yield the Pythons of environments that the user keeps for a repository on this machine, and what keeps them.

    Of a folder in it, those of the folder first, then those of the folders above it: the members of a workspace share one.
    """
    *inner, top = folders_of(repository)
    if not top.is_absolute() or not top.is_dir():
        return
    for folder in (*inner, top):
        async for found in _of_a_folder(folder, top, path, environment):
            yield found


async def _of_a_folder(
    folder: Path, top: Path, path: str, environment: Mapping[str, str]
) -> AsyncIterator[tuple[Path, str]]:
    """Yield the Pythons that are kept for a folder of the repository at `top`, and what keeps them."""
    below = folder.relative_to(top)
    inside = [(name, f"{below / name} of the repository") for name in ENVIRONMENTS]
    if named := environment.get("UV_PROJECT_ENVIRONMENT", ""):
        inside.append((named, "UV_PROJECT_ENVIRONMENT names it"))
    for name, why in inside:
        executable = folder / name / "bin" / "python"
        if os.access(executable, os.X_OK) and not await _is_tracked(folder, name):
            yield executable, why
    async for executable, why in _kept_by_tools(folder, path, environment):
        if not await _is_of_git(top, executable):
            yield executable, why
    for tool in ("tox", "nox"):
        for executable in () if await _is_tracked(folder, f".{tool}") else _made_in(folder / f".{tool}"):
            yield executable, f"{tool} made it for the repository, as {executable.parents[1].name}"


async def _kept_by_tools(top: Path, path: str, environment: Mapping[str, str]) -> AsyncIterator[tuple[Path, str]]:
    """Yield the Pythons that tools keep for a repository in places of their own."""
    noted = top / ".pdm-python"
    if noted.is_file() and not await _is_tracked(top, noted.name):
        executable = Path(noted.read_text("utf-8", "replace").strip() or "/")
        if executable.is_absolute() and executable.is_file() and os.access(executable, os.X_OK):
            yield executable, "PDM uses it for the repository"
    for executable in _of_conda(top, Path(environment.get("HOME", "/"))):
        yield executable, f"conda keeps it for the repository, as {executable.parents[1].name}"
    asked = [
        # Its plugins may be files of the repository, which it would run (python-poetry.org, "Project plugins").
        (("poetry", "--no-plugins", "env", "info", "--path"), _is_of_poetry(top), "Poetry keeps it for the repository"),
        (("pipenv", "--venv"), (top / "Pipfile").is_file(), "Pipenv keeps it for the repository"),
        # A line for each Python of a matrix (hatch.pypa.io, "hatch env find"), whether or not it was created.
        *(
            (("hatch", "env", "find", name), _is_of_hatch(top), "Hatch keeps it for the repository, as {}")
            for name in ("default", "hatch-test")
        ),
    ]
    # An environment that is active is Buildwright's own here; these tools would answer with it.
    alone = {name: value for name, value in environment.items() if name not in _ACTIVE}
    usual = [str(Path(home, folder)) for folder in _INSTALLED] if (home := environment.get("HOME")) else []
    if own := environment.get("POETRY_HOME"):
        usual.append(str(Path(own, "bin")))
    for (tool, *words), is_its, why in asked:
        if is_its and (program := shutil.which(tool, path=os.pathsep.join((path, *usual)))):
            for line in (await _said_by((program, *words), top, alone)).splitlines():
                executable = Path(os.fsdecode(line.strip())) / "bin" / "python"
                if executable.is_absolute() and os.access(executable, os.X_OK):
                    yield executable, why.format(executable.parents[1].name)


async def _is_of_git(top: Path, executable: Path) -> bool:
    """Return whether git tracks something of the environment of a Python: settings of a project may name its place."""
    place = executable.parents[1]
    for folder, above in ((Path(os.path.normpath(place)), top), (place.resolve(), top.resolve())):
        if folder.is_relative_to(above) and await _is_tracked(top, str(folder.relative_to(above))):
            return True
    return False


def _is_of_poetry(top: Path) -> bool:
    """Return whether a project is one of Poetry; its lock file is not in every repository."""
    if any((top / name).is_file() for name in ("poetry.lock", "poetry.toml")):
        return True
    manifest = top / "pyproject.toml"
    return manifest.is_file() and bool(_POETRY.search(manifest.read_text("utf-8", "replace")))


def _is_of_hatch(top: Path) -> bool:
    """Return whether a project has settings of Hatch, and none by which Hatch would run or install code for it.

    Those stand in its table `env`: plugins that it requires, and collectors of environments.
    """
    manifest = _toml(top / "pyproject.toml").get("tool", {})
    tables = [manifest.get("hatch") if isinstance(manifest, dict) else None, _toml(top / "hatch.toml") or None]
    found = [table for table in tables if isinstance(table, dict)]
    return bool(found) and not any("env" in table for table in found)


def _toml(file: Path) -> dict[str, Any]:
    """Return what a file says, {} where it is not there or not TOML."""
    try:
        return tomllib.loads(file.read_text("utf-8", "replace"))
    except (OSError, ValueError):
        return {}


def _of_conda(top: Path, home: Path) -> Iterator[Path]:
    """Yield the Python of the environment that a repository names to conda, which lists those it has made in the home."""
    texts = [file.read_text("utf-8", "replace") for name in _OF_CONDA if (file := top / name).is_file()]
    names = {found[1] for text in texts if (found := _NAME.search(text))}
    made = home / ".conda" / "environments.txt"
    for line in made.read_text("utf-8", "replace").splitlines() if names and made.is_file() else ():
        executable = Path(line.strip()) / "bin" / "python"
        if executable.parents[1].name in names and executable.is_absolute() and os.access(executable, os.X_OK):
            yield executable


def _made_in(folder: Path) -> list[Path]:
    """Return the Pythons of the environments in a folder of tox or nox, that of the newest first."""
    made = [one for one in folder.glob("*/pyvenv.cfg") if os.access(one.parent / "bin" / "python", os.X_OK)]
    return [one.parent / "bin" / "python" for one in sorted(made, key=lambda one: (-one.stat().st_mtime_ns, one))]


async def _of_parts(top: Path) -> AsyncIterator[tuple[str, Path]]:
    """Yield the folders below the top that have an environment with pytest, each with its Python."""
    if not top.is_absolute() or not top.is_dir():
        return
    for folder in await asyncio.to_thread(lambda: list(_folders_below(top))):
        for name in ENVIRONMENTS:
            executable, place = folder / name / "bin" / "python", (folder / name).relative_to(top)
            if not os.access(executable, os.X_OK) or await _is_tracked(top, str(place)):
                continue
            found = await _ask(executable)
            if found is not None and found.has_pytest:
                yield f"{place.parent}/", found.executable
                break


def _folders_below(top: Path) -> Iterator[Path]:
    """Yield folders that may be parts of a project, at most so deep and so many that looking costs nothing.

    A repository inside of it is none: what that one tracks, another user may have written.
    """
    level, seen = [top], 0
    for _ in range(_DEEPEST):
        below: list[Path] = []
        for folder in level:
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                names = sorted(one.name for one in entries if one.is_dir(follow_symlinks=False))
                below += [folder / name for name in names if not name.startswith(".") and name not in _NOT_PARTS]
        level = [one for one in below if not (one / ".git").exists()]
        seen += len(level)
        if seen > _MOST_FOLDERS:
            return
        yield from level


async def _is_tracked(top: Path, name: str) -> bool:
    """Return whether git has a file below `name`, or cannot say: what is tracked, an agent may have written."""
    git = ("git", "-c", "core.fsmonitor=false", "ls-files", "--cached", "--", name)
    said = await _said_by(git, top, {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}, failed=b"?")
    return bool(said)


async def _said_by(argv: Sequence[str], folder: Path, environment: Mapping[str, str], failed: bytes = b"") -> bytes:
    """Return what a program prints, `failed` when it fails or takes too long."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=folder,
            env=dict(environment),
        )
    except OSError:
        return failed
    try:
        said, _ = await asyncio.wait_for(process.communicate(), _PATIENCE)
    except TimeoutError:
        return failed
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return said if process.returncode == 0 else failed


def _candidates(path: str) -> Iterator[Path]:
    for folder in path.split(os.pathsep):
        for name in ("python", "python3"):
            executable = Path(folder) / name
            if folder.startswith("/") and os.access(executable, os.X_OK):
                yield executable
                break


_QUESTION = (
    "import importlib.util, os, sys; found = importlib.util.find_spec('pytest') is not None; "
    "sys.stdout.buffer.write(b'%d%s' % (found, os.fsencode(sys.executable)))"
)


_PACKAGES = (
    "import importlib.metadata as m, re; "
    "print(*{re.sub('[-_.]+', '-', one.metadata['Name'] or '').lower() for one in m.distributions()})"
)


async def _packages(executable: Path) -> frozenset[str]:
    """Return the plain names of what is installed for a Python."""
    said = await _said_by((str(executable), "-I", "-c", _PACKAGES), Path("/"), os.environ)
    return frozenset(said.decode("utf-8", "replace").split())


async def _ask(executable: Path, version: str = "") -> Python | None:
    """Return the interpreter that a program is, None when it is no Python.

    A shim (pyenv, asdf) names the real one, which alone can run where the shim's home is not visible; that of pyenv is
    told the `version` to take. Runs in "/" and without PYTHONPATH, so that no directory changes the answer.
    """
    chosen = {"PYENV_VERSION": version} if version else {}
    said = await _said_by((str(executable), "-I", "-c", _QUESTION), Path("/"), {**os.environ, **chosen})
    real = Path(os.fsdecode(said[1:]))
    return Python(real, said.startswith(b"1")) if real.is_absolute() else None
