"""Port for spans of builds, actions and model calls. Must never hold logic.

A span must never hold what was said to or by a model, nor any text of a repository or an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from buildwright.core.action import Action
    from buildwright.core.build import Build
    from buildwright.core.event import Recorded

SpanValue = str | int | float | bool
SetValue = Callable[[str, SpanValue], None]
"""Called with the name of an attribute and its value."""


class ModelCall(NamedTuple):
    """One request through the gateway, for observers: never its content."""

    build_id: str
    task: str
    """"" for an advisor."""
    attempt: int
    provider: str
    """`anthropic` or `openai`: the protocol that was spoken."""
    asked_model: str
    model: str
    """The model that answered; "" if the answer names none."""
    began_at: float
    """Unix time in seconds."""
    ended_at: float
    input_tokens: int
    """Without those read from the cache or written to it."""
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    replayed: bool
    """The answer came from a cassette or was bought before."""
    error: str
    """A status of 400 or above, the provider's own word, `broken_off`, `cancelled`; "" when nothing went wrong."""


class Traces(Protocol):
    """Receives spans. All spans of a build belong to one trace, whichever process sends them."""

    @property
    def on(self) -> bool:
        """Whether spans are sent anywhere."""

    def on_event(self, recorded: Recorded, build: Build, /) -> None:
        """Send the span of a build when it ends. Each event must be passed by one process only."""

    def action(self, action: Action, build: Build, /) -> AbstractContextManager[object]:
        """Open the span of one try to carry out an action. An exception in it is recorded by its type alone."""

    def model_call(self, call: ModelCall, /) -> None:
        """Send the span of a finished request to a model, below the action it was made for."""

    def span(
        self, name: str, build_id: str = "", attributes: Mapping[str, SpanValue] | None = None, /
    ) -> AbstractContextManager[SetValue]:
        """Open a span of anything else, such as a request to the server; with a build id, in that build's trace."""

    def close(self) -> None:
        """Send what is still unsent. May take as long as OTEL_EXPORTER_OTLP_TIMEOUT: must not run in an event loop."""
