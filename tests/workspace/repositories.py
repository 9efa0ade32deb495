"""Real repositories for the tests of the workspace, and a canary that planted code would leave behind."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from buildwright.ports import Lane, LaneKey
from buildwright.workspace import GitWorkspace

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def git(where: Path, *arguments: str, stdin: bytes | None = None, check: bool = True) -> str:
    """The git of a user: their identity, no protection at all."""
    done = subprocess.run(
        ["git", "-C", str(where), "-c", "user.name=User", "-c", "user.email=user@example.org", *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"},
    )
    if check and done.returncode:
        raise AssertionError(done.stderr.decode())
    return done.stdout.decode(errors="surrogateescape").strip()


def write(root: Path, files: dict[str, bytes]) -> None:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


def make(path: Path, files: dict[str, bytes] | None = None, *options: str) -> Path:
    """A repository with one commit on `main`."""
    path.mkdir(parents=True)
    git(path, "init", "-q", "-b", "main", *options)
    write(path, files or {"README.md": b"hello\n", "src/app.py": b"print(1)\n"})
    git(path, "add", "-A")
    git(path, "commit", "-qm", "start")
    return path


def commit(path: Path, files: dict[str, bytes], message: str = "more") -> str:
    write(path, files)
    git(path, "add", "-A")
    git(path, "commit", "-qm", message)
    return git(path, "rev-parse", "HEAD")


def trap(folder: Path) -> tuple[Path, Path]:
    """A script that leaves a canary when anything runs it, and the canary's path."""
    script, canary = folder / "trap.sh", folder / "CANARY"
    script.write_text(f"#!/bin/sh\necho ran >> {canary}\ncat\n")
    script.chmod(0o755)
    return script, canary


async def opened(workspace: GitWorkspace, repository: Path, build: str = "build-1", task: str = "one") -> Lane:
    target = await workspace.prepare(build, str(repository))
    return await workspace.open_lane(LaneKey(build, task, 1), target.commit)
