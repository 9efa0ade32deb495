"""Newest states of builds, and texts made from them, for cheap reads. Must never hold what the journal lacks.

The state of a build at one version, and a full page of events, never change; so nothing here is ever out of date.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable

from buildwright.core.build import Build
from buildwright.engine.build_cache import BuildCache
from buildwright.ports import Builds

MOST_BUILDS = 64
MOST_BYTES = 32_000_000
LARGEST = 8_000_000
"""Bytes. A larger text is made anew each time."""


class StateCache:
    """The cache of one server. Not safe for threads."""

    def __init__(self, builds: Builds) -> None:
        self._known = BuildCache(builds, MOST_BUILDS)
        self._texts: OrderedDict[Hashable, bytes] = OrderedDict()
        self._bytes = 0

    async def newest(self, build_id: str) -> Build:
        """Return the build as of its last event. Raises NotFound, StoreFailed."""
        return await self._known.newest(build_id)

    def knows(self, build_id: str) -> bool:
        """Return whether the build is in the cache, so that reading it again costs only what is new."""
        return self._known.glance(build_id) is not None

    async def text(self, key: Hashable, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return the text under a key, made when it is not there."""
        found = self.kept(key)
        return found if found is not None else self.keep(key, await make())

    def kept(self, key: Hashable) -> bytes | None:
        """Return the text under a key, None when it is not there (any more)."""
        found = self._texts.get(key)
        if found is not None:
            self._texts.move_to_end(key)
        return found

    def keep(self, key: Hashable, text: bytes) -> bytes:
        """Keep a text while there is room for it, and return it."""
        if len(text) <= LARGEST:
            self._bytes += len(text) - len(self._texts.pop(key, b""))
            self._texts[key] = text
            while self._bytes > MOST_BYTES:
                _, dropped = self._texts.popitem(last=False)
                self._bytes -= len(dropped)
        return text
