"""Tells a failed command from one without room to write. Must never be asked when a command has succeeded."""

from __future__ import annotations

import shutil
from pathlib import Path

from buildwright.errors import DiskFull

LITTLE_BYTES = 1_000_000
"""With fewer bytes free, a failed command is not believed: compilers and tests fail oddly on a full disk."""


def check_disk_space(folder: Path) -> None:
    """Raise DiskFull when the file system of `folder` is nearly full."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if shutil.disk_usage(there).free < LITTLE_BYTES:
        raise DiskFull(
            f"No space is left in {folder}, where a command failed.", fix="Free some space there, then resume."
        )
