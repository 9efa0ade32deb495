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
        return Python(executable, await _has_pytest(executable))
    for executable in _candidates(path):
        if await _has_pytest(executable):
            return Python(executable, has_pytest=True)
    return Python(Path(sys.executable), await _has_pytest(Path(sys.executable)))


def _candidates(path: str) -> Iterator[Path]:
    for folder in path.split(os.pathsep):
        for name in ("python", "python3"):
            executable = Path(folder) / name
            if folder.startswith("/") and os.access(executable, os.X_OK):
                yield executable
                break


async def _has_pytest(executable: Path) -> bool:
    """Asked from "/" and without PYTHONPATH: neither a directory nor a variable may answer for the environment."""
    try:
        process = await asyncio.create_subprocess_exec(
            str(executable),
            "-I",
            "-c",
            "import importlib.util, sys; sys.exit(importlib.util.find_spec('pytest') is None)",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            cwd="/",
        )
    except OSError:
        return False
    try:
        return await asyncio.wait_for(process.wait(), _PATIENCE) == 0
    except TimeoutError:
        return False
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
