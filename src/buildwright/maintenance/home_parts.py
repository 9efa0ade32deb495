"""How large a home is, by part, and what each part goes with. Must never change anything, nor count without an end."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from buildwright.workspace.sizes import entries

MOST_FILES = 200_000
"""Files and folders that are counted of a whole home, about a second's work. More are left out, and that is said."""


class _HomePart(NamedTuple):
    name: str
    goes: str
    """When it goes, with the command that removes it."""
    places: tuple[str, ...]
    """Patterns of the names that it has at the top of the home."""


_PARTS = (
    _HomePart("mirrors", "when no build uses them: buildwright prune", ("mirrors",)),
    _HomePart(
        "checkouts", "when their build ends; after a crash: buildwright doctor --fix", ("lanes", "checkouts", "scratch")
    ),
    _HomePart("set-ups", "30 days after their last use: buildwright prune", ("setups",)),
    _HomePart(
        "store",
        "with its builds: buildwright prune; logs alone: buildwright prune --logs-older-than 7d",
        ("buildwright.db*", "artifacts", "ended"),
    ),
    _HomePart("logs", "after 30 days: buildwright prune", ("crash", "detached", "warnings*")),
    _HomePart("cluster", "with its builds: buildwright prune, as far as PostgreSQL gives space back", ("cluster",)),
)
_OTHER = _HomePart("other", "stays: settings, keys and notes", ())


@dataclass(frozen=True)
class HomePart:
    """What one part of a home takes."""

    name: str
    bytes: int
    """On disk; a file with several names counts once."""
    files: int
    """Files and folders."""
    whole: bool
    """Whether all was counted; if not, `bytes` and `files` are the least it can be."""
    goes: str
    """When it goes, with the command that removes it."""


def parts_of(home: Path, most: int = MOST_FILES) -> list[HomePart]:
    """Return the parts of a home that are there. At most `most` files and folders are counted in all.

    Each part has a share of that; what one leaves of its share is for those after it.
    """
    places: dict[_HomePart, list[Path]] = {part: [] for part in (*_PARTS, _OTHER)}
    for path in entries(home):
        places[_part_of(path.name)].append(path)
    seen: set[tuple[int, int]] = set()
    counted: dict[str, HomePart] = {}
    # Checkouts and set-ups have the most files, so they are counted last.
    order = sorted((part for part in places if places[part]), key=lambda part: part.name in {"checkouts", "set-ups"})
    for index, part in enumerate(order):
        share = most // (len(order) - index)
        found = _counted(part, places[part], share, seen)
        most -= found.files
        counted[part.name] = found
    return [counted[part.name] for part in places if part.name in counted]


def _part_of(name: str) -> _HomePart:
    return next((part for part in _PARTS if any(fnmatchcase(name, place) for place in part.places)), _OTHER)


def _counted(part: _HomePart, places: Iterable[Path], most: int, seen: set[tuple[int, int]]) -> HomePart:
    total = files = 0
    walk = _walked(places)
    for about in walk:
        if files >= most:
            return HomePart(part.name, total, files, False, part.goes)
        files += 1
        if about.st_nlink > 1:
            if (about.st_dev, about.st_ino) in seen:
                continue
            seen.add((about.st_dev, about.st_ino))
        total += about.st_blocks * 512
    return HomePart(part.name, total, files, True, part.goes)


def _walked(places: Iterable[Path]) -> Iterator[os.stat_result]:
    """Yield the state of every file and folder. Links are followed only from `checkouts/BUILD` to the checkouts."""
    waiting = [(os.fspath(place), 2 if place.name == "checkouts" else 0) for place in places]
    while waiting:
        place, levels = waiting.pop()
        try:
            yield os.lstat(place)
            with os.scandir(place) as inside:
                for entry in inside:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((entry.path, max(levels - 1, 0)))
                    elif levels and entry.is_dir():
                        waiting.append((os.path.realpath(entry.path), 0))
                    else:
                        yield entry.stat(follow_symlinks=False)
        except OSError:  # a file, or gone meanwhile
            continue
