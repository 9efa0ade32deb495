"""Finds the Python for a project's checks. Runs candidates to ask for pytest; must never run the project's code."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

_PATIENCE = 20.0
_FOLDERS = (".venv", "venv")
"""Where uv, PDM, Poetry (if so set) and `python -m venv` keep a project's environment."""

_HATCH = ("hatch.toml", "pyproject.toml")


class Python(NamedTuple):
    """An interpreter, whether it can import pytest, and why it was chosen."""

    executable: Path
    has_pytest: bool
    why: str = ""


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
        return python, os.pathsep.join(dict.fromkeys((str(python.executable.parent), *self._path.split(os.pathsep))))


async def find_python(
    path: str, environment: Mapping[str, str], repository: str = "", *, needs_pytest: bool = True
) -> Python:
    """Return the active environment's Python, else that of the user's `repository`, else one on `path` with pytest.

    Without any that has pytest it is the first on `path`. The environment of Buildwright itself counts only if it has
    pytest, or if there is no other Python. One of the repository counts only if git does not track it, since what is
    tracked an agent may have written, and if it has pytest where the checks need it.
    """
    own = Path(sys.prefix).resolve()
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        active = environment.get(variable)
        if not active or (variable == "CONDA_PREFIX" and environment.get("CONDA_DEFAULT_ENV") == "base"):
            continue
        if (executable := Path(active) / "bin" / "python").exists():
            found = await _ask(executable) or Python(executable, has_pytest=False)
            if found.has_pytest or Path(active).resolve() != own:
                return found._replace(why=f"{variable} is active")
    if repository:
        async for executable, why in _of_the_project(repository, path, environment):
            found = await _ask(executable) or Python(executable, has_pytest=False)
            if found.has_pytest or not needs_pytest:
                return found._replace(why=why)
    first = None
    for executable in _candidates(path):
        if (known := await _ask(executable)) and known.has_pytest:
            return known._replace(why="the first on PATH that has pytest")
        if known and first is None and known.executable.parent.parent.resolve() != own:
            first = known._replace(why="the first on PATH" + (", and no other has pytest" if needs_pytest else ""))
    if first is not None:
        return first
    last = await _ask(Path(sys.executable)) or Python(Path(sys.executable), has_pytest=False)
    return last._replace(why="Buildwright's own: there is no other on PATH")


async def _of_the_project(
    repository: str, path: str, environment: Mapping[str, str]
) -> AsyncIterator[tuple[Path, str]]:
    """Yield the Pythons of environments that the user keeps for a repository on this machine, and what keeps them."""
    top = Path(repository)
    if not top.is_absolute() or not top.is_dir():
        return
    for name in _FOLDERS:
        executable = top / name / "bin" / "python"
        if os.access(executable, os.X_OK) and not await _is_tracked(top, name):
            yield executable, f"{name} of the repository"
    named = environment.get("UV_PROJECT_ENVIRONMENT", "")
    if named and os.access(executable := top / named / "bin" / "python", os.X_OK) and not await _is_tracked(top, named):
        yield executable, "UV_PROJECT_ENVIRONMENT names it"
    noted = top / ".pdm-python"
    if noted.is_file() and not await _is_tracked(top, noted.name):
        executable = Path(noted.read_text("utf-8", "replace").strip() or "/")
        if executable.is_absolute() and executable.is_file() and os.access(executable, os.X_OK):
            yield executable, "PDM uses it for the repository"
    if (top / "poetry.lock").is_file() and (poetry := shutil.which("poetry", path=path)):
        said = await _said_by((poetry, "env", "info", "--path"), top, environment)
        executable = Path(os.fsdecode(said.strip())) / "bin" / "python"
        if executable.is_absolute() and os.access(executable, os.X_OK):
            yield executable, "Poetry keeps it for the repository"
    if _is_of_hatch(top) and (hatch := shutil.which("hatch", path=path)):
        for name in ("default", "hatch-test"):
            # A line for each Python of a matrix (hatch.pypa.io, "hatch env find"), whether or not it was created.
            for line in (await _said_by((hatch, "env", "find", name), top, environment)).splitlines():
                executable = Path(os.fsdecode(line.strip())) / "bin" / "python"
                if executable.is_absolute() and os.access(executable, os.X_OK):
                    yield executable, f"Hatch keeps it for the repository, as {executable.parents[1].name}"


def _is_of_hatch(top: Path) -> bool:
    """Return whether a project has settings of Hatch, and none by which Hatch would run code of the project."""
    texts = [file.read_text("utf-8", "replace") for name in _HATCH if (file := top / name).is_file()]
    there = (top / "hatch.toml").is_file() or any("[tool.hatch" in text for text in texts)
    return there and not any("collectors" in text for text in texts)


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


async def _ask(executable: Path) -> Python | None:
    """Return the interpreter that a program is, None when it is no Python.

    A shim (pyenv, asdf) names the real one, which alone can run where the shim's home is not visible. Runs in "/" and
    without PYTHONPATH, so that neither a directory nor a variable changes the answer.
    """
    said = await _said_by((str(executable), "-I", "-c", _QUESTION), Path("/"), os.environ)
    real = Path(os.fsdecode(said[1:]))
    return Python(real, said.startswith(b"1")) if real.is_absolute() else None
