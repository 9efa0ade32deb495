"""Puts small faults into the lines that a patch changes and asks its new tests. Must leave the checkout as it was.

Which faults are tried is decided by the tree alone, so that the same change gets the same answer. The technique is
mutation testing of changed lines, as Petrovic and Ivankovic describe it ("State of mutation testing at Google", ICSE
SEIP 2018).
"""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from buildwright.core.alignment import equal_blocks
from buildwright.gates.changed import read_bytes, replace_bytes
from buildwright.gates.compared import Compared
from buildwright.gates.mutations import Mutation, in_lines, is_source

MOST = 8
"""Faults that are tried at most."""
LARGEST = 400_000
"""Characters of a file whose changed lines are looked for."""
_UNREADABLE = ")]}\n"
"""What no Python and no JavaScript can begin with."""


class Tries(NamedTuple):
    """What became of the faults that were tried."""

    chosen: int
    noticed: tuple[Mutation, ...]
    survived: tuple[Mutation, ...]
    loaded: bool = True
    """Whether the tests load the altered files at all: asked only where no fault was noticed."""

    @property
    def tried(self) -> int:
        return len(self.noticed) + len(self.survived)


class TimeAllowed(NamedTuple):
    """Seconds that commands may take for all faults together."""

    at_most: float
    """Nothing is begun after it."""
    once_noticed: float
    """Nothing is begun after it once a fault was noticed: what is left to learn is worth less."""

    def is_over(self, spent: float, noticed: Sequence[Mutation]) -> bool:
        """Return whether no other fault is to be tried."""
        return spent >= self.at_most or (bool(noticed) and spent >= self.once_noticed)


class FaultAnswer(NamedTuple):
    """What the tests said of the checkout as it is, and the seconds that they took."""

    noticed: bool
    seconds: float


def faults_in(files: Sequence[Compared], tree: str) -> list[Mutation]:
    """Return at most `MOST` faults in the changed lines of these files, chosen by the name of the tree."""
    texts = {
        file.path: file.after
        for file in files
        if file.after is not None and is_source(file.path) and max(len(file.after), len(file.before or "")) < LARGEST
    }
    lines = {file.path: changed_lines(file.before or "", texts[file.path]) for file in files if file.path in texts}
    return list(islice(in_lines(texts, lines, int(tree[:12] or "0", 16)), MOST))


def changed_lines(before: str, after: str) -> frozenset[int]:
    """Return the numbers, from 1, of the lines of `after` that are added or altered."""
    old, new = before.splitlines(), after.splitlines()
    stay = {block.after + at for block in equal_blocks(old, new) for at in range(block.size)}
    return frozenset(place + 1 for place in range(len(new)) if place not in stay)


async def try_faults(
    files: Path, faults: Sequence[Mutation], allowed: TimeAllowed, ask: Callable[[], Awaitable[FaultAnswer]]
) -> Tries:
    """Put one fault after the other into the checkout `files` and ask the tests.

    What is no regular file of the checkout any more (a run may have changed it) is left alone.
    """
    noticed: list[Mutation] = []
    survived: list[Mutation] = []
    spent = 0.0
    for fault in faults:
        if allowed.is_over(spent, noticed):
            break
        with _replaced(files, {fault.path: fault.text}) as is_there:
            if not is_there:
                continue
            answer = await ask()
        spent += answer.seconds
        (noticed if answer.noticed else survived).append(fault)
    loaded = True
    if survived and not noticed:
        with _replaced(files, {fault.path: _UNREADABLE + fault.text for fault in survived}):
            loaded = (await ask()).noticed
    return Tries(len(faults), tuple(noticed), tuple(survived), loaded)


@contextlib.contextmanager
def _replaced(files: Path, texts: Mapping[str, str]) -> Iterator[bool]:
    """Hold files of a checkout in another state; yield whether all of them could be written."""
    kept: dict[str, tuple[bytes, int]] = {}
    written = []
    try:
        for path, text in texts.items():
            content = read_bytes(files, path)
            if content is not None:
                kept[path] = content, stat.S_IMODE((files / path).lstat().st_mode)
                written.append(replace_bytes(files, path, text.encode("utf-8", "replace"), kept[path][1]))
        yield len(written) == len(texts) and all(written)
    finally:
        for path, (content, mode) in kept.items():
            replace_bytes(files, path, content, mode)
