"""Makes the pinned environment of each peer, once, in a cache folder; later runs need no network. Never touches ours.

python -m bench.peers.environment        makes all of them
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PEERS = ("langgraph", "dbos", "prefect")
CACHE = "BUILDWRIGHT_BENCH_CACHE"


class CannotMakeEnvironment(Exception):
    """A peer's environment could not be made; the message says what to do."""


def cache_folder() -> Path:
    """Where environments live: $BUILDWRIGHT_BENCH_CACHE, else buildwright-bench in the user's cache folder."""
    named = os.environ.get(CACHE)
    if named:
        return Path(named).expanduser().resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "buildwright-bench"


def _uv() -> str:
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv")
    if not found:
        raise CannotMakeEnvironment("uv is needed to make the peers' environments: python -m pip install uv")
    return found


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotMakeEnvironment(f"{' '.join(argv)}\n{done.stderr.strip()[-2000:]}")


def python_of(peer: str) -> Path:
    """The interpreter of a peer's environment, made if it is not there. Raises CannotMakeEnvironment.

    The folder carries the digest of the pins, so that changed pins make a new environment.
    """
    pins = HERE / "requirements" / f"{peer}.txt"
    digest = hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = cache_folder() / f"{peer}-{digest}"
    python = folder / "bin" / "python"
    complete = folder / "complete"
    if not complete.exists():
        print(f"making the environment of {peer} in {folder}", file=sys.stderr)
        folder.parent.mkdir(parents=True, exist_ok=True)
        _run(_uv(), "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
        _run(
            _uv(),
            "pip",
            "sync",
            "--quiet",
            "--require-hashes",
            "--compile-bytecode",
            "--python",
            str(python),
            str(pins),
        )
        complete.touch()
    return python


def prefect_home() -> Path:
    """A Prefect home whose database is migrated, so that no measured run pays for the very first start."""
    home = python_of("prefect").parent.parent / "migrated-home"
    if not home.exists():
        print("letting Prefect migrate its database once", file=sys.stderr)
        trial = home.with_name("trial-home")
        shutil.rmtree(trial, ignore_errors=True)
        argv = [str(python_of("prefect")), "-m", "bench.peers.prefect", "w1", "--n", "3", "--state", str(trial)]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CannotMakeEnvironment(f"{' '.join(argv)}\n{done.stderr.strip()[-2000:]}")
        trial.rename(home)
    return home


if __name__ == "__main__":
    try:
        for name in PEERS:
            python_of(name)
        prefect_home()
    except CannotMakeEnvironment as problem:
        sys.exit(str(problem))
