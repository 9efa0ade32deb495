"""What a program unpacks of itself at its start, kept once and shown to each attempt. Must never let one change it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from buildwright.agents.programs.program import AgentProgram
from buildwright.errors import GateBroken, ToolMissing
from buildwright.ports import Command, Sandbox

_SECONDS = 300.0
_KEPT_SECONDS = 7 * 86_400.0
"""After which the parts of a version that no attempt has used are removed."""


class Unpacked(NamedTuple):
    """What an attempt's command needs to find the parts: variables, and directories that it may read."""

    env: Mapping[str, str] = {}
    folders: tuple[Path, ...] = ()


async def unpacked(program: AgentProgram, executable: Path, sandbox: Sandbox, path: str, kept: Path | None) -> Unpacked:
    """Return the parts below `kept`, unpacked now if this installation of the program has none yet.

    It is the program itself that unpacks them, in the sandbox, before any attempt. Where it cannot, an attempt does it
    in its own home, as the program would anyway.
    """
    way = program.unpacks
    if way is None or kept is None or sandbox.name == "none":  # without walls an attempt could change them
        return Unpacked()
    versions = kept / "agents" / program.name
    try:
        folder = versions / _installation(executable)
        if not folder.is_dir():
            versions.mkdir(parents=True, exist_ok=True)
            await asyncio.to_thread(_remove_old, versions)
            with tempfile.TemporaryDirectory(prefix="new-", dir=versions, ignore_cleanup_errors=True) as name:
                new = Path(name) / "parts"
                new.mkdir()
                env = {"PATH": f"{executable.parent}:{path}", "HOME": name, "TMPDIR": name, "LANG": "C.UTF-8"}
                command = Command(
                    (str(executable), *way.arguments),
                    Path(name),
                    {**env, **way.env, way.variable: str(new)},
                    seconds=_SECONDS,
                )
                done = await sandbox.run(command)
                if done.exit_code != 0 or not any(new.iterdir()):
                    return Unpacked()
                new.rename(folder)
        os.utime(folder)
    except (OSError, ToolMissing, GateBroken):
        # Another process may have been faster.
        if not folder.is_dir():
            return Unpacked()
    return Unpacked({way.variable: str(folder)}, (folder,))


def _installation(executable: Path) -> str:
    """Return a name that another version, or another installation, of the program does not have."""
    real = os.path.realpath(executable)
    found = Path(real).stat()
    # A package has the same times for all its files; when they were put here (ctime) it cannot say.
    what = f"{real}\0{found.st_dev}\0{found.st_ino}\0{found.st_size}\0{found.st_mtime_ns}\0{found.st_ctime_ns}"
    return hashlib.sha256(what.encode("utf-8", "surrogateescape")).hexdigest()[:24]


def _remove_old(versions: Path) -> None:
    for folder in versions.iterdir():
        if folder.stat().st_mtime < time.time() - _KEPT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
