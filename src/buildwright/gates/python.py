"""Which Python a project's checks run on. Runs candidates only to ask whether they have pytest, never the project's code."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

_PATIENCE = 20.0
_QUESTION = "import importlib.util, sys; print(int(importlib.util.find_spec('pytest') is not None), sys.executable)"


class Python(NamedTuple):
    """An interpreter, and whether it can import pytest."""

    executable: Path
    has_pytest: bool


async def find_python(path: str, environment: Mapping[str, str]) -> Python:
    """The active virtual environment's Python, else one on `path` that has pytest, else the one that runs Buildwright.

    The project's own environment is not in its tree, so it cannot be found there: activate it before the build.
    """
    active = environment.get("VIRTUAL_ENV")
    if active and (Path(active) / "bin" / "python").exists():
        executable = Path(active) / "bin" / "python"
        answered = await _ask(executable)
        return Python(executable, answered is not None and answered.has_pytest)
    for executable in _candidates(path):
        answered = await _ask(executable)
        if answered is not None and answered.has_pytest:
            return answered
    return await _ask(Path(sys.executable)) or Python(Path(sys.executable), has_pytest=False)


def _candidates(path: str) -> Iterator[Path]:
    for folder in path.split(os.pathsep):
        for name in ("python", "python3"):
            executable = Path(folder) / name
            if folder.startswith("/") and os.access(executable, os.X_OK):
                yield executable
                break


async def _ask(executable: Path) -> Python | None:
    """Asked from "/" and without PYTHONPATH: neither a directory nor a variable may answer for the environment.

    The interpreter says itself where it is: a version manager's `python` is a script that needs a home, and the
    sandbox shows none.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            str(executable),
            "-I",
            "-c",
            _QUESTION,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd="/",
        )
    except OSError:
        return None
    try:
        answer, _ = await asyncio.wait_for(process.communicate(), _PATIENCE)
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    has_pytest, _, found = os.fsdecode(answer).rstrip("\n").partition(" ")
    if process.returncode != 0 or not Path(found).is_absolute():
        return None
    return Python(Path(found), has_pytest == "1")
