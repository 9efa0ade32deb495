"""Limits on how often a user may make costly requests, in memory. Must never count for another process."""

from __future__ import annotations

import time
from collections.abc import Mapping

from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from buildwright.errors import BadSettings, TooMany

DEFAULTS: Mapping[str, str] = {
    "BUILDWRIGHT_RATE_BUILDS": "120/minute",
    "BUILDWRIGHT_RATE_EVENTS": "600/minute",
}
"""How often a user may start and steer builds, and post events; the notation is that of the `limits` library."""


class Rates:
    """The limits of one server, by the name of the setting."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._items: dict[str, list[RateLimitItem]] = {}
        wrong = []
        for name, default in DEFAULTS.items():
            text = environment.get(name, "").strip() or default
            try:
                self._items[name] = [] if text == "off" else list(parse_many(text))
            except ValueError:
                wrong.append(f"{name}={text!r}")
        if wrong:
            raise BadSettings(f"no rate: {', '.join(wrong)}", fix="write it as 30/minute, 500/hour or off")

    async def take(self, name: str, user_id: str) -> None:
        """Count one request of a user. Raises TooMany with the seconds to wait."""
        for item in self._items[name]:
            if not await self._limiter.hit(item, name, user_id):
                window = await self._limiter.get_window_stats(item, name, user_id)
                seconds = max(1.0, window.reset_time - time.time())
                raise TooMany(f"the limit is {item}", retry_after=seconds, fix=f"wait {seconds:.0f} seconds")
