"""What a tool works with: the caller's client, and what differs by the place of the server. Must never hold a tool."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from buildwright.request_model import RequestModel

if TYPE_CHECKING:
    from buildwright.client import Client
    from buildwright.core.limits import Options
    from buildwright.views.precheck import PrecheckView


class CheckWanted(RequestModel):
    """A repository to check."""

    repository: str = Field(min_length=1, max_length=2000, description="Path or URL of the git repository.")
    base: str = Field("", max_length=250, description="Branch, tag or commit to look at; else what is checked out.")
    checks: tuple[str, ...] = Field(
        (),
        max_length=100,
        description="Commands that judge it, as `build --check` takes them; else those that are found.",
    )
    setup: tuple[str, ...] = Field((), max_length=100, description="Commands to run before the checks.")


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
    check: Callable[[CheckWanted], Awaitable[PrecheckView]] | None = None
    """Looks at a repository on this machine; None where that is not the caller's."""
    progress: Callable[[int, str], Awaitable[None]] = _untold
    """Tells the caller, while the call waits, how far it is: a number that grows, and words."""
