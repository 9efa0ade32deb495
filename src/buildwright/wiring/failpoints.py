"""Arming failpoints by an environment variable, to prove that a restart loses nothing. Must never act without it.

`BUILDWRIGHT_FAILPOINT=17` kills the process at the 17th point that it passes; `store.append.after:3` at the third pass
of that point; `count:FILE` kills nothing and writes the name of every point that is passed to FILE, one a line.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from buildwright.core.failpoint import arm

_Hit = Callable[[str], None]


def arm_from(environment: Mapping[str, str]) -> None:
    """Arm the failpoints as BUILDWRIGHT_FAILPOINT says.

    Raises KeyError without it, ValueError for a point without a number.
    """
    setting = environment["BUILDWRIGHT_FAILPOINT"]
    name, _, number = setting.rpartition(":")
    if name == "count" or setting.startswith("count:"):
        arm(_writer(Path(setting.removeprefix("count:"))))
        return
    arm(_killer(name, int(number)))


def _writer(path: Path) -> _Hit:
    lock = threading.Lock()

    def hit(name: str) -> None:
        with lock, path.open("a") as out:
            out.write(f"{name}\n")

    return hit


def _killer(wanted: str, number: int) -> _Hit:
    passed: Counter[str] = Counter()
    lock = threading.Lock()

    def hit(name: str) -> None:
        with lock:
            passed[name] += 1
            passed[""] += 1
            if passed[wanted] == number and wanted in {"", name}:
                os.kill(os.getpid(), signal.SIGKILL)

    return hit
