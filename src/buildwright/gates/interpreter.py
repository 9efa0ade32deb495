"""Finds the Python for a project's checks. Runs candidates to ask for pytest; must never run the project's code."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

_PATIENCE = 20.0


class Python(NamedTuple):
    """An interpreter, and whether it can import pytest."""

    executable: Path
    has_pytest: bool


async def find_python(path: str, environment: Mapping[str, str]) -> Python:
    """Return the active virtual environment's Python, else one on `path` with pytest, else Buildwright's own.

    The project's own environment is not in its tree and cannot be found there: activate it before the build.
    """
    active = environment.get("VIRTUAL_ENV")
    if active and (executable := Path(active) / "bin" / "python").exists():
        return await _ask(executable) or Python(executable, has_pytest=False)
    for executable in _candidates(path):
        if (found := await _ask(executable)) and found.has_pytest:
            return found
    return await _ask(Path(sys.executable)) or Python(Path(sys.executable), has_pytest=False)


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
    try:
        process = await asyncio.create_subprocess_exec(
            *(str(executable), "-I", "-c", _QUESTION),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd="/",
        )
    except OSError:
        return None
    try:
        said, _ = await asyncio.wait_for(process.communicate(), _PATIENCE)
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    real = Path(os.fsdecode(said[1:]))
    return Python(real, said.startswith(b"1")) if process.returncode == 0 and real.is_absolute() else None
