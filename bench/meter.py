"""What a measured process says about itself: one JSON line with times, memory and processor time. Standard library only."""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SPAWNED_AT = "BENCH_SPAWNED_AT"
"""Environment variable with the time (`time.time()`) at which the driver started the process."""

_TICK = os.sysconf("SC_CLK_TCK")
_MEGA = 1024


def _family() -> list[int]:
    """This process and everything below it that lives."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    family = [os.getpid()]
    for pid in family:
        family.extend(parents.get(pid, []))
    return family


def cpu_seconds() -> float:
    """User and system time of this process, of its children that have ended, and of those that live (ticks of 10 ms)."""
    total = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    for pid in _family()[1:]:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) / _TICK
    return total


def peak_rss_bytes() -> int:
    """The largest memory this process has had, plus that of each child that lives (shared pages count in each)."""
    total = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MEGA
    for pid in _family()[1:]:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * _MEGA for line in status.splitlines() if line.startswith("VmHWM:"))
    return total


@dataclass(slots=True)
class Meter:
    """Times one workload in this process. Call `began` from the first task, then `start` and `stop` around the timed part."""

    engine: str
    version: str
    workload: str
    n: int
    first: float = 0.0
    seconds: float = 0.0
    cpu: float = 0.0
    _wall_at: float = 0.0
    _cpu_at: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)

    def began(self) -> None:
        """The body of a task runs; only the first call counts."""
        if not self.first:
            self.first = time.time()

    def start(self) -> None:
        self._cpu_at = cpu_seconds()
        self._wall_at = time.perf_counter()

    def stop(self) -> None:
        self.seconds = time.perf_counter() - self._wall_at
        self.cpu = cpu_seconds() - self._cpu_at

    def report(self, tasks: int) -> None:
        """Print the result line: the last line of the process's output that starts with a brace."""
        line = {
            "engine": self.engine,
            "workload": self.workload,
            "n": self.n,
            "seconds": self.seconds,
            "tasks": tasks,
            "first_task_seconds": self.first - float(os.environ.get(SPAWNED_AT, self.first)) if self.first else None,
            "peak_rss_bytes": peak_rss_bytes(),
            "cpu_seconds": self.cpu,
            "version": self.version,
            **self.extra,
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


class Trace:
    """A file that outlives `kill -9`: one line per start and end of a task's body. One `write` per line, appended."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def started(self, task: int) -> None:
        os.write(self._file, f"start {task} {time.time()}\n".encode())

    def ended(self, task: int) -> None:
        os.write(self._file, f"end {task} {time.time()}\n".encode())


def traced(path: Path) -> list[tuple[str, int, float]]:
    """Whole lines of a trace: what, which task, when."""
    text = path.read_text() if path.exists() else ""
    rows = [line.split() for line in text[: text.rfind("\n") + 1].splitlines()]
    return [(what, int(task), float(at)) for what, task, at in rows]


def arguments(engine_modes: tuple[str, ...] = ()) -> argparse.Namespace:
    """The command line every measured script shares: WORKLOAD --state DIR [--n N] [--mode MODE]."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workload", choices=["w1", "w2", "w3", "w3-lanes", "w3-lanes-memory", "w4", "size"])
    parser.add_argument("--state", type=Path, required=True, help="folder for the engine's files")
    parser.add_argument("--n", type=int, default=0, help="number of tasks, if not the usual one")
    parser.add_argument("--mode", choices=engine_modes, default=engine_modes[0] if engine_modes else None)
    given = parser.parse_args()
    given.state.mkdir(parents=True, exist_ok=True)
    return given
