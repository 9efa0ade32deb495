"""Commands of a process that was killed are ended by the next; those of a living one are left alone."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import psutil

from buildwright.ports import Command
from buildwright.sandbox import NoSandbox, end_orphans
from buildwright.sandbox.orphans import orphans

OWNER = """
import asyncio, sys
from pathlib import Path
from buildwright.ports import Command
from buildwright.sandbox import NoSandbox
words = ("/bin/sh", "-c", sys.argv[1])
asyncio.run(NoSandbox(sys.argv[2]).run(Command(words, Path("."), {"PATH": "/usr/bin:/bin"})))
"""


def alive(word: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if word in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


async def test_only_what_a_dead_owner_left_is_ended(tmp_path: Path) -> None:
    dead, living = f"86400.1{os.getpid()}", f"86400.2{os.getpid()}"
    # One in the command's session without a mark, one in a session of its own with it, one below that without.
    script = f"env -i sleep {dead} & setsid sh -c 'env -i sleep {dead} & exec sleep {dead}' & wait"
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PATH": os.environ["PATH"]}
    owner = subprocess.Popen([sys.executable, "-c", OWNER, script, "mine"], cwd=tmp_path, env=environment)
    mine = asyncio.create_task(
        NoSandbox("mine").run(Command(("sleep", living), tmp_path, {"PATH": os.environ["PATH"]}, seconds=60))
    )
    while len(alive(dead)) < 3 or not alive(living):
        assert owner.poll() is None
        await asyncio.sleep(0.05)
    await asyncio.to_thread(end_orphans, "mine")
    assert len(alive(dead)) == 3, "their owner lives"

    owner.kill()
    owner.wait()
    assert len(alive(dead)) == 3, "a killed process ends nothing itself"
    assert await asyncio.to_thread(end_orphans, "another home") == 0
    assert len(alive(dead)) == 3, "those of another home are not touched"
    assert len(orphans(["another home"])) == 0
    assert len(orphans(["mine"])) >= 3
    assert await asyncio.to_thread(end_orphans, "mine") >= 3
    assert alive(dead) == []
    assert len(alive(living)) == 1
    mine.cancel()
    await asyncio.gather(mine, return_exceptions=True)
    assert alive(living) == []
