"""Where spans of builds, actions and model calls go. Holds no logic.

No span may ever hold what was said to a model or by one, nor any text of a repository or an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from buildwright.core.action import Action
from buildwright.core.build import Build
from buildwright.core.event import Recorded

SpanValue = str | int | float | bool
SetValue = Callable[[str, SpanValue], None]
"""Called with the name of an attribute and its value."""


class ModelCall(NamedTuple):
    """One request that went through the gateway, for whoever watches: never what was said in it."""

    build_id: str
    task: str
    """"" for an advisor."""
    attempt: int
    provider: str
    """`anthropic` or `openai`: whose protocol was spoken."""
    asked_model: str
    model: str
    """Which one answered; "" when none has said so."""
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
    """Where spans go. All spans of a build are of one trace, from whatever process they come."""

    @property
    def on(self) -> bool:
        """Whether spans go anywhere."""

    def on_event(self, recorded: Recorded, build: Build, /) -> None:
        """The end of a build becomes its span; each event must be told of by one process only."""

    def action(self, action: Action, build: Build, /) -> AbstractContextManager[object]:
        """The span of one try to carry out an action. An exception that goes through it is named by its type alone."""

    def model_call(self, call: ModelCall, /) -> None:
        """A request to a model, once it is over, below the action that it was made for."""

    def span(
        self, name: str, build_id: str = "", attributes: Mapping[str, SpanValue] | None = None, /
    ) -> AbstractContextManager[SetValue]:
        """A span of anything else, such as a request to the server; with a build id in the trace of that build."""

    def close(self) -> None:
        """Send what has not been sent. May take as long as OTEL_EXPORTER_OTLP_TIMEOUT says: not for an event loop."""
