"""Keeps the keys in the environment of this process from other processes. Must never change what this process itself sees.

What a process was started with can be read by every process of the same user, for as long as it lives (proc(5),
`/proc/PID/environ`), and its memory, too, unless it is not dumpable (prctl(2)).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_NOT_DUMPABLE = 4
"""PR_SET_DUMPABLE."""
_START_OF_ENVIRONMENT = 49
"""The place of `env_start` in `/proc/PID/stat`, counted from 0."""


def shelter(names: Iterable[str]) -> None:
    """Take the values of these variables out of the block that the process was started with, and forbid its memory.

    Does nothing when none is set. Without Linux only the variables of this process are as they were.
    """
    held = [name for name in names if os.environ.get(name)]
    if not held or not Path("/proc/self/stat").is_file():
        return
    import ctypes

    block = Path("/proc/self/environ").read_bytes()
    stat = Path("/proc/self/stat").read_text("utf-8", "replace")
    # The program's name, in parentheses, may hold spaces; it and the number before it are fields 0 and 1.
    start = int(stat.rpartition(")")[2].split()[_START_OF_ENVIRONMENT - 2])
    for name in held:
        # A copy for the C library first: else children that inherit the environment would get the emptied block.
        os.environ[name] = os.environ[name]
        mark, place = os.fsencode(f"{name}="), -1
        while (place := block.find(mark, place + 1)) >= 0:
            if place == 0 or block[place - 1] == 0:
                value = place + len(mark)
                end = block.find(b"\0", value)
                ctypes.memset(start + value, 0, (end if end >= 0 else len(block)) - value)
    ctypes.CDLL(None, use_errno=True).prctl(_NOT_DUMPABLE, 0, 0, 0, 0)
