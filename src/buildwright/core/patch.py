"""What a change is: the difference between two trees as paths and kinds, never as text. Pure data."""

from __future__ import annotations

from typing import Literal

from buildwright.core.record import Record
from buildwright.core.sanitize import Identifier

ChangeKind = Literal["added", "modified", "deleted", "mode", "type"]


class FileChange(Record):
    """One path that differs between the base tree and the lane. `mode` is git's octal mode ("" when deleted)."""

    path: Identifier
    kind: ChangeKind
    mode: Identifier = ""
    old_mode: Identifier = ""
    size: int = 0
    """Bytes of the new content."""


class Patch(Record):
    """What an attempt changed, found by re-hashing the lane against its base tree."""

    base_tree: Identifier
    tree: Identifier
    changes: tuple[FileChange, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(change.path for change in self.changes)

    @property
    def is_empty(self) -> bool:
        return not self.changes
