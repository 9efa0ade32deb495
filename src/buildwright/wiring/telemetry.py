"""Meters and traces of this process, each made at its first use. Must never change or delay what it watches.

Engine and gateway report to them through the functions given out here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from buildwright.core.action import Action
from buildwright.core.build import Build
from buildwright.core.event import Recorded
from buildwright.telemetry.traces import tracing

if TYPE_CHECKING:
    from buildwright.ports import ModelCall, Traces
    from buildwright.telemetry.meters import Meters

OnEvent = Callable[[Recorded, Build], None]


class Telemetry:
    """The telemetry of one process. Without metrics and traces it costs nothing."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._meters: Meters | None = None
        self._traces: Traces | None = None

    @property
    def meters(self) -> Meters:
        """The meters of this process. Counting begins with the first use of this property."""
        if self._meters is None:
            from buildwright.telemetry.meters import Meters

            self._meters = Meters()
        return self._meters

    @property
    def traces(self) -> Traces:
        """The receiver of spans, as the OTEL_... variables say.

        Raises BadSettings (an exporter that is not available).
        """
        if self._traces is None:
            self._traces = tracing(self._environment)
        return self._traces

    def on_event(self, listener: OnEvent | None = None) -> OnEvent | None:
        """Return the function to call with each event that this process records; it calls `listener` first.

        Raises BadSettings.
        """
        meters = [self._meters.on_event] if self._meters is not None else []
        traces = [self.traces.on_event] if self.traces.on else []
        listeners = [*([listener] if listener is not None else []), *meters, *traces]
        if len(listeners) < 2:
            return listeners[0] if listeners else None

        def tell(recorded: Recorded, build: Build) -> None:
            for one in listeners:
                one(recorded, build)

        return tell

    def observe(self, action: Action, build: Build, waited: float | None) -> AbstractContextManager[object]:
        """Watch one action; see `Adapters.observe`. `waited` is in seconds."""
        if self._meters is not None and waited is not None:
            self._meters.begun(action, waited)
        return self.traces.action(action, build)

    @property
    def on_call(self) -> Callable[[ModelCall], None] | None:
        """The function to call with each request to a model, None without traces. Raises BadSettings."""
        return self.traces.model_call if self.traces.on else None

    @contextmanager
    def serving(self, host: str, port: int, log: Callable[..., None]) -> Iterator[None]:
        """Serve the meters until the end of the block; not at all when `port` is 0.

        Raises BadSettings (a port in use).
        """
        if not port:
            yield
            return
        from buildwright.telemetry.meters import serving

        with serving(self.meters, host, port) as url:
            log("shows-metrics", url=url)
            yield

    async def close(self) -> None:
        """Send the spans that have not been sent."""
        if self._traces is not None and self._traces.on:
            await asyncio.to_thread(self._traces.close)
