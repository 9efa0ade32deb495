"""Tells a command that failed from one that found no room to write. Must never be asked when a command has succeeded."""

from __future__ import annotations

import shutil
from pathlib import Path

from buildwright.errors import DiskFull

LITTLE_BYTES = 1_000_000
"""With less than this free, what a failed command says is not believed: compilers and tests fail oddly on a full disk."""


def check_room(folder: Path) -> None:
    """Raises DiskFull when the file system of `folder` is as good as full."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if shutil.disk_usage(there).free < LITTLE_BYTES:
        raise DiskFull(
            f"No space is left in {folder}, where a command failed.", fix="Free some space there, then resume."
        )
