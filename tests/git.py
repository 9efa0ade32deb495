"""Git as a user would run it, for tests."""

from __future__ import annotations

import subprocess
from pathlib import Path

GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]


def git(repository: Path, *words: str) -> str:
    done = subprocess.run([*GIT, "-C", str(repository), *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()
