"""The real agent programs that the tests drive: installed once from their pinned lists, beside the repository's sources."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

LISTS = Path(__file__).parent
FOLDER = Path(__file__).parents[2] / ".agents"

EVERY_TIME = ("codex", "gemini", "aider")
"""What each run of the tests drives; `make agents` drives all."""

_LISTS = {
    **dict.fromkeys(("codex", "gemini"), "node"),
    **dict.fromkeys(("codex-acp", "claude-agent-acp"), "node_acp"),
    "aider": "aider",
    "mini": "mini",
}
FULL = os.environ.get("BUILDWRIGHT_PROOFS") == "full"
"""Whether this run drives every agent."""


def names(every: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of the agents that this run of the tests drives."""
    return tuple(name for name in every if FULL or name in EVERY_TIME)


def programs(name: str) -> Path:
    """Return the folder with the program of this agent; install it first, if it is not there as its list says."""
    wanted = _LISTS.get(name, "node_more")
    folder = FOLDER / wanted
    folder.mkdir(parents=True, exist_ok=True)
    if wanted.startswith("node"):
        source, install, place = LISTS / wanted / "package-lock.json", _from_npm, folder / "node_modules" / ".bin"
    else:
        source, install, place = LISTS / "python" / f"{wanted}.txt", _from_pypi, folder / "venv" / "bin"
    version = hashlib.sha256(source.read_bytes()).hexdigest()
    done = folder / "installed"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.is_file() or done.read_text() != version:
            install(source, folder)
            done.write_text(version)
    return place


def _from_npm(source: Path, folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(source.parent / name, folder / name)
    # Not `ci`, which insists on packages for other systems that their makers have not published.
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True)


def _from_pypi(source: Path, folder: Path) -> None:
    uv, venv = str(Path(sys.executable).with_name("uv")), folder / "venv"
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(venv)], check=True)
    # Compiled now: in a box a program cannot write compiled files, and would compile all of itself at every start.
    install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--require-hashes"]
    install += ["--python", str(venv / "bin" / "python")]
    subprocess.run([*install, "--requirements", str(source)], check=True)
