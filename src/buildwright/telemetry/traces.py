"""Traces of builds, actions and model calls if the environment asks for them; otherwise nothing is imported.

Must never stop a build because traces cannot be sent; only settings that cannot be met are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

from buildwright.core.action import Action
from buildwright.core.build import Build
from buildwright.core.event import Recorded
from buildwright.errors import BadSettings
from buildwright.ports import ModelCall, SetValue, SpanValue, Traces

_EXPORTER = "OTEL_TRACES_EXPORTER"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


class NoTraces:
    """Spans that go nowhere."""

    on = False

    def on_event(self, _recorded: Recorded, _build: Build, /) -> None:
        """Do nothing."""

    def action(self, _action: Action, _build: Build, /) -> AbstractContextManager[object]:
        return nullcontext()

    def model_call(self, _call: ModelCall, /) -> None:
        """Do nothing."""

    def span(
        self, _name: str, _build_id: str = "", _attributes: Mapping[str, SpanValue] | None = None, /
    ) -> AbstractContextManager[SetValue]:
        return nullcontext(_nowhere)

    def close(self) -> None:
        """Do nothing."""


def _nowhere(_name: str, _value: SpanValue) -> None:
    """Do nothing."""


def tracing(environment: Mapping[str, str]) -> Traces:
    """Return traces as the standard OTEL_... variables ask: on with an exporter or an endpoint, else off.

    The SDK itself reads endpoint, resource and sampling from the process environment. Raises BadSettings for an unknown
    exporter or protocol.
    """
    exporters = _exporters(environment)
    if not exporters:
        return NoTraces()
    if "otlp" in exporters:
        protocol = next((environment[name] for name in _PROTOCOLS if environment.get(name)), "http/protobuf")
        if protocol != "http/protobuf":
            raise BadSettings(
                f"traces are sent by http/protobuf, and OTEL_EXPORTER_OTLP_PROTOCOL is {protocol}",
                fix="set OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf and the endpoint for it, or OTEL_TRACES_EXPORTER=none",
            )
    from buildwright.telemetry.otel import OtelTraces

    return OtelTraces(exporters)


def _exporters(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the requested exporters, in order. Raises BadSettings for an unknown one."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ()
    named = environment.get(_EXPORTER, "").strip()
    if not named:
        return ("otlp",) if any(environment.get(name) for name in _ENDPOINTS) else ()
    exporters = tuple(dict.fromkeys(name.strip() for name in named.split(",") if name.strip() not in {"", "none"}))
    for name in exporters:
        if name not in {"otlp", "console"}:
            raise BadSettings(f"there is no exporter {name} of traces", fix=f"set {_EXPORTER} to otlp, console or none")
    return exporters
