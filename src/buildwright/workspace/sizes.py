"""Lists folders and measures disk usage. Must never change anything."""

from __future__ import annotations

import os
from pathlib import Path


def entries(folder: Path) -> list[Path]:
    """Return what is in a folder, in order; nothing when it is not there."""
    return sorted(folder.iterdir()) if folder.is_dir() else []


def size_of(path: Path) -> int:
    """Return the bytes on disk below a path, links not followed; 0 when nothing is there."""
    total, waiting = 0, [path]
    while waiting:
        place = waiting.pop()
        try:
            total += place.lstat().st_blocks * 512
            if place.is_dir() and not place.is_symlink():
                waiting += [Path(entry) for entry in os.scandir(place)]
        except OSError:
            continue
    return total
