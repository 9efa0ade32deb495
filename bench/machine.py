"""Names the machine a result comes from, without host or user names, and says how busy it is. Linux; blanks elsewhere."""

from __future__ import annotations

import os
import platform
import sqlite3
import time
from pathlib import Path
from typing import Any


def _first(path: str, key: str) -> str:
    try:
        for line in Path(path).read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    except OSError:
        pass
    return ""


def file_system(folder: Path) -> str:
    """The kind of file system `folder` is on: in memory, a commit costs nothing."""
    best, kind = "", ""
    try:
        mounts = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return ""
    for line in mounts:
        _, point, found = line.split()[:3]
        if folder.resolve().is_relative_to(point) and len(point) >= len(best):
            best, kind = point, found
    return kind


def machine(folder: Path) -> dict[str, Any]:
    memory = _first("/proc/meminfo", "MemTotal").split()
    return {
        "cpu": _first("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(int(memory[0]) / 1024**2) if memory else None,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "kernel": f"{platform.system()} {platform.release().partition('-')[0]}",
        "file_system": file_system(folder),
    }


def calibrate() -> float:
    """Seconds a fixed piece of arithmetic takes now (the best of three): larger than usual means that others compute too."""
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        total = 0
        for i in range(400_000):
            total += i * i
        best = min(best, time.perf_counter() - began)
    return best


def load() -> float:
    """Processes that want a core, mean of the last minute."""
    return os.getloadavg()[0]
