"""What a tool works with: the caller's client, and what differs by the place of the server. Must never hold a tool."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from buildwright.client import Client
    from buildwright.core.limits import Options


async def _untold(step: int, words: str) -> None:
    """Tell no caller."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What one call of a tool works with."""

    client: Client
    """Of the caller: it can do what they may, and nothing else."""
    target: Callable[[str], tuple[str, Options]]
    """Returns a repository as the client names it, and the options that a build of it has by default.

    Raises BadRepository, BadSettings.
    """
    begin: Callable[[str], Awaitable[None]]
    """Sees that a build is carried out."""
    progress: Callable[[int, str], Awaitable[None]] = _untold
    """Tells the caller, while the call waits, how far it is: a number that grows, and words."""
