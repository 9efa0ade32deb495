"""A lock between processes that prepare mirrors and one that prunes them. Must hold no state but the system's lock."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_GUARD_SECONDS = 0.05


@asynccontextmanager
async def guarded(folder: Path, *, alone: bool = False) -> AsyncIterator[bool]:
    """Hold the lock shared while a mirror is prepared, or `alone` while mirrors are removed and compacted.

    `alone` does not wait: it yields False while another process holds the lock. Ends with the process, even if killed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder.with_name(f"{folder.name}.guard"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if alone:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
        else:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    await asyncio.sleep(_GUARD_SECONDS)
                else:
                    break
        yield True
    finally:
        os.close(descriptor)
