"""News of audits of pushes for the streams of one server. Must never give a user another user's.

Audits that another server does are not heard of here; a page reads the list when it opens, and again after a cut.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from buildwright.store.repositories import PushAudit

_MOST_KEPT = 200
"""News that a slow reader may be behind; the oldest is dropped then."""


class AuditNews:
    """The readers of each user."""

    def __init__(self) -> None:
        self._listening: dict[str, set[asyncio.Queue[PushAudit]]] = {}

    def hear(self, audit: PushAudit) -> None:
        """Pass on an audit as it is now: queued, begun or ended."""
        for queue in self._listening.get(audit.user_id, ()):
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(audit)

    @contextmanager
    def listen(self, user_id: str) -> Iterator[asyncio.Queue[PushAudit]]:
        """Have what is heard of a user's audits put into a queue during this block."""
        queue: asyncio.Queue[PushAudit] = asyncio.Queue(_MOST_KEPT)
        listening = self._listening.setdefault(user_id, set())
        listening.add(queue)
        try:
            yield queue
        finally:
            listening.discard(queue)
            if not listening:
                self._listening.pop(user_id, None)
