"""A change: the difference between two trees as paths and kinds. Pure data; must never hold the text of a file."""

from __future__ import annotations

from typing import Literal

from buildwright.core.record import Record
from buildwright.core.sanitize import Identifier

ChangeKind = Literal["added", "modified", "deleted", "mode", "type"]

_NAMED = 3


class FileChange(Record):
    """One path that differs between the base tree and the lane. `mode` is git's octal mode ("" when deleted)."""

    path: Identifier
    kind: ChangeKind
    mode: Identifier = ""
    old_mode: Identifier = ""
    size: int = 0
    """Size of the new content in bytes."""


class Patch(Record):
    """The changes of an attempt, found by hashing the lane again and comparing it with its base tree."""

    base_tree: Identifier
    tree: Identifier
    changes: tuple[FileChange, ...] = ()
    left_out: tuple[Identifier, ...] = ()
    """Changed files in submodules, the first of them: they are not part of the change."""
    ignored: tuple[Identifier, ...] = ()
    """New files that git ignores, the first of them: they are not part of the change."""

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(change.path for change in self.changes)

    @property
    def is_empty(self) -> bool:
        return not self.changes

    @property
    def without(self) -> str:
        """What is not part of the change because git ignores it, as the end of a sentence; "" for nothing."""
        named = ", ".join(self.ignored[:_NAMED])
        more = f" and {len(self.ignored) - _NAMED} more" if len(self.ignored) > _NAMED else ""
        return f"; {named}{more} is not taken, for a .gitignore leaves it out" if named else ""
