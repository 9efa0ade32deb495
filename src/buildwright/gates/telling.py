"""Passes on what a command prints while it runs. Must never let a flood keep this process from its work."""

from __future__ import annotations

import codecs
import contextlib
from collections.abc import Callable, Iterator

from buildwright.core.secrets import Masker
from buildwright.core.terminal import Cleaner

MOST_TOLD = 1_000_000
"""Characters of one command's output that go to the log as they come; each line counts for `_PER_LINE` more."""
_PER_LINE = 100


@contextlib.contextmanager
def telling(listener: Callable[[str], None] | None, mask: Masker) -> Iterator[Callable[[bytes], None] | None]:
    """Yield a function that passes on a command's output, whole lines only and without secrets."""
    if listener is None:
        yield None
        return
    decoder, cleaner, left = codecs.getincrementaldecoder("utf-8")("replace"), Cleaner(mask), MOST_TOLD

    def tell(text: str) -> None:
        nonlocal left
        if left <= 0 or not text:
            return
        cost = len(text) + _PER_LINE * text.count("\n")
        listener(text if cost <= left else text[: text.rfind("\n", 0, len(text) * left // cost) + 1])
        left -= cost
        if left <= 0:
            listener("[buildwright: the rest is not shown line by line; the report keeps its beginning and its end]\n")

    def say(piece: bytes, *, final: bool = False) -> None:
        # Not even looked at any more: a flood would keep this process from its work.
        if left > 0:
            tell(cleaner.feed(decoder.decode(piece, final)))

    try:
        yield say
    finally:
        say(b"", final=True)
        if left > 0 and (rest := cleaner.end()):
            tell(f"{rest}\n")
