"""Lays the new code of a patch, or its new tests, over a checkout of its base. Must never follow a link out of either tree."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from buildwright.core.patch import Patch
from buildwright.gates.surface import Surface

_LINK, _EXECUTABLE = "120000", "100755"


def lay_over(base: Path, new: Path, patch: Patch, surface: Surface) -> None:
    """Bring every change of the patch into `base` but those of its verification surface.

    `base` holds the patch's base tree, `new` its result; both are private checkouts.
    """
    _lay(base, new, patch, lambda path: not surface.holds(path))


def lay_surface_over(base: Path, new: Path, patch: Patch, surface: Surface) -> None:
    """Bring the changes of the verification surface alone into `base`: new tests stand beside the code before them."""
    _lay(base, new, patch, surface.holds)


def _lay(base: Path, new: Path, patch: Patch, is_wanted: Callable[[str], bool]) -> None:
    for change in patch.changes:
        if not is_wanted(change.path):
            continue
        target = base / change.path
        _clear(base, target)
        if change.kind == "deleted":
            continue
        source = new / change.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if change.mode == _LINK:
            target.symlink_to(source.readlink())
        elif source.is_file() and not source.is_symlink():
            shutil.copyfile(source, target, follow_symlinks=False)
            target.chmod(0o755 if change.mode == _EXECUTABLE else 0o644)


def _clear(base: Path, target: Path) -> None:
    """Remove what is in the target's way: itself, and anything above it that is no real directory."""
    for folder in reversed(target.relative_to(base).parents):
        place = base / folder
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            place.unlink()
    if target.is_symlink() or target.is_file():
        target.unlink()
    elif target.is_dir():
        shutil.rmtree(target)
    elif os.path.lexists(target):
        target.unlink()
