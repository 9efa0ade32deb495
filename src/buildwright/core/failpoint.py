"""Named points where a test may end the process: before and after every durable write and outside effect.

Must never do anything unless a test arms it. Pure: `arm` says from outside what happens at a point.
"""

from __future__ import annotations

from collections.abc import Callable

_armed: Callable[[str], None] | None = None


def failpoint(name: str) -> None:
    """Mark a point. Costs one comparison when nothing is armed."""
    if _armed is not None:
        _armed(name)


def arm(hit: Callable[[str], None] | None) -> None:
    """Call `hit` with the name of every point passed from now on; None disarms."""
    global _armed  # noqa: PLW0603  a switch for the whole process
    _armed = hit
