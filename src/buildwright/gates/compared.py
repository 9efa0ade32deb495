"""Puts the texts of a patch beside those of its base, for judges that only read. Must never run or follow anything."""

from __future__ import annotations

import re
from typing import NamedTuple

from buildwright.core.patch import FileChange
from buildwright.core.paths import is_covered
from buildwright.core.task import Task
from buildwright.gates.changed import as_stored, checkout, read_bytes
from buildwright.ports import Judged

_LINK = "120000"


class Compared(NamedTuple):
    """A changed path with its text before and after; None where there is no such text (no file, a link, binary)."""

    change: FileChange
    before: str | None
    after: str | None

    @property
    def path(self) -> str:
        return self.change.path

    @property
    def is_new(self) -> bool:
        return self.change.kind == "added"


async def compared(judged: Judged) -> list[Compared]:
    """Return the changed paths of the patch with both texts, in the order of the patch.

    A tree into which the patch was merged gives nothing: what others landed beside it was judged with their patches,
    and would look like this patch's change here. Raises GateBroken without a checkout.
    """
    root = checkout(judged)
    if judged.patch is None or judged.tree != judged.patch.tree:
        return []
    done = []
    for change in judged.patch.changes:
        before = after = None
        if change.kind != "added" and judged.read_base is not None and change.old_mode != _LINK:
            before = text_of(await judged.read_base(change.path))
        if change.kind != "deleted" and change.mode.startswith("100"):
            after = text_of(read_bytes(root, change.path))
        done.append(Compared(change, before, after))
    return done


async def base_text(judged: Judged, path: str) -> str | None:
    """Return the text of a file of the base, None when there is none or the base cannot be read."""
    return text_of(await judged.read_base(path)) if judged.read_base is not None else None


def text_of(content: bytes | None) -> str | None:
    """Return bytes as text without a byte order mark, None for what is no text."""
    content = as_stored(content) if content is not None else None
    if content is None or b"\0" in content[:8000]:
        return None
    return content.decode("utf-8", "replace").removeprefix("\ufeff")


def words_of(task: Task | None) -> str:
    """Return all that a task says in words, in lower case."""
    if task is None:
        return ""
    return "\n".join((task.title, task.goal, *task.requirements, *task.acceptance)).casefold()


def speaks_of(task: Task | None, pattern: str) -> bool:
    """Return whether the words of a task match a pattern (a regular expression of whole words, without case)."""
    return re.search(rf"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9])", words_of(task)) is not None


def names_in(task: Task | None) -> frozenset[str]:
    """Return the identifiers in the words of a task, in lower case."""
    return frozenset(re.findall(r"[^\W\d]\w*", words_of(task)))


def is_open(judged: Judged, path: str, *, named: bool = True) -> bool:
    """Return whether a person opened this path by `--allow`, or (if `named`) the task names exactly this path."""
    if is_covered(path, judged.options.allow):
        return True
    return named and judged.task is not None and path in {one.removeprefix("./") for one in judged.task.files_expected}


def opening(path: str) -> str:
    """Return the end of a fix: how a person agrees."""
    return f"; if it is meant, a person can agree with `--allow {path}`"
