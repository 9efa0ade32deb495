"""A supervisor whose workers only stand there. Run as a file: `python -m tests.supervisor.standing FOLDER KIND`."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from buildwright.errors import Conflict
from buildwright.supervisor.supervisor import Supervisor

KINDS = {
    "sleeps": ["sleep", "1000"],
    "stays": ["sh", "-c", 'trap "" TERM; while :; do sleep 0.1; done'],
    "dies": ["sh", "-c", "exit 3"],
}


async def keep(folder: Path, kind: str) -> int:
    try:
        await Supervisor(folder, os.environ, lambda name, slots: KINDS[kind]).run()
    except Conflict as error:
        print(error)
        return 7
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(keep(Path(sys.argv[1]), sys.argv[2])))
