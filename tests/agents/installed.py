"""The real agent programs that the tests drive: installed once from their pinned list, beside the repository's sources."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

LIST = Path(__file__).parent / "node"
FOLDER = Path(__file__).parents[2] / ".agents"


def programs() -> Path:
    """Return the folder of the programs; install them first, if they are not there as the list says."""
    FOLDER.mkdir(exist_ok=True)
    wanted = hashlib.sha256((LIST / "package-lock.json").read_bytes()).hexdigest()
    done = FOLDER / "installed"
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.is_file() or done.read_text() != wanted:
            for name in ("package.json", "package-lock.json"):
                shutil.copyfile(LIST / name, FOLDER / name)
            subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=FOLDER, check=True)
            done.write_text(wanted)
    return FOLDER / "node_modules" / ".bin"
