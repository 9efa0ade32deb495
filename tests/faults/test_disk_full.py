"""The disk is full from the Nth write on, for every N in turn: the build says so, and goes on when there is room.

A write is any call of the system that would take space (`write` and its kin, a new file or folder), in the process and in
every git that it starts; libraries of the system are the place where all of them pass.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.harness import make_repository
from tests.faults.amount import amount, dice
from tests.git import git

SIZE_KILOBYTES = 8_000
PROGRAM = Path(__file__).parent / "tiny_home.py"

MOUNTED = """
set -e
mkdir -p "$PLACE/home"
mount -t tmpfs -o size={size}k tmpfs "$PLACE/home"
exec "$PYTHON" -m tests.faults.tiny_home "$PLACE" {free}
"""
"""A home of its own in a mount namespace of its own; with it everything in it ends."""


def run_with(place: Path, free_kilobytes: int) -> list[str]:
    """Lines that the program said, in a home with so much room at first."""
    namespace = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    done = subprocess.run(
        [*namespace, "sh", "-c", MOUNTED.format(size=SIZE_KILOBYTES, free=free_kilobytes)],
        env=os.environ | {"PYTHON": sys.executable, "PLACE": str(place)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.mark.timeout(7200)
async def test_wherever_the_disk_is_full_the_build_says_so_and_goes_on_with_room(tmp_path: Path) -> None:
    """The room is taken in steps of 4 kB, the least that a file system gives: so every write in turn is the first without."""
    need = 440
    steps = list(range(0, need, 4))
    chosen = sorted(dice("disk").sample(steps, amount(5, len(steps))))
    full = 0
    for free in chosen:
        place = tmp_path / f"{free}"
        place.mkdir()
        make_repository(place / "repository")
        said = await asyncio.to_thread(run_with, place, free)
        full += "full" in said[0]
        assert said[-1] == "succeeded", said
        (branch,) = git(place / "repository", "branch", "--list", "--format=%(refname:short)", "buildwright/*").split()
        assert git(place / "repository", "ls-tree", "-r", "--name-only", branch).split() == [
            "README.md",
            "a.txt",
            "b.txt",
        ]
        assert git(place / "repository", "status", "--porcelain") == ""
    assert full > 0, "somewhere there was too little room"
    print(f"{len(chosen)} sizes, {full} of them too small")
