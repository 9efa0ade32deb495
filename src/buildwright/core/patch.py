"""A change: the difference between two trees as paths and kinds. Pure data; must never hold the text of a file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from buildwright.core.paths import check_path, is_git_part
from buildwright.core.record import Record
from buildwright.core.sanitize import Identifier
from buildwright.errors import UnsafePath

ChangeKind = Literal["added", "modified", "deleted", "mode", "type"]

FILE_BYTES = 100 * 1024 * 1024
"""Largest changed file that is taken, in bytes: hosts of repositories refuse larger ones too."""
_NAMED = 3
_MOST_REFUSED = 20


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


def check_changes(changes: Iterable[FileChange]) -> None:
    """Check names and sizes. Raises UnsafePath, which names all that cannot be taken, with the fix of the first."""
    refused: list[UnsafePath] = []
    for change in changes:
        try:
            _check(change)
        except UnsafePath as error:
            refused.append(error)
    if refused:
        more = f" And {len(refused) - _MOST_REFUSED} more." if len(refused) > _MOST_REFUSED else ""
        raise UnsafePath(" ".join(error.message for error in refused[:_MOST_REFUSED]) + more, fix=refused[0].fix)


def _check(change: FileChange) -> None:
    if change.kind == "deleted":
        return
    check_path(change.path)
    if any(is_git_part(part) for part in change.path.split("/")):
        raise UnsafePath(f"{change.path!r} would be a git directory somewhere.", fix="Give it another name.")
    if change.size > FILE_BYTES:
        most = FILE_BYTES // 1024 // 1024
        raise UnsafePath(
            f"{change.path!r} has {change.size // 1024 // 1024} MB; more than {most} MB are not taken.",
            fix="Keep large files out of the repository, or add them to .gitignore.",
        )
