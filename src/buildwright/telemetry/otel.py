"""Traces with the OpenTelemetry SDK. Imported only when traces are on; must never set the SDK's global state.

Attributes follow OpenTelemetry's conventions for generative AI and errors; our own begin with `buildwright.`.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from buildwright.core import action as a
from buildwright.core.action import Action
from buildwright.core.build import Build
from buildwright.core.event import BuildFinished, Recorded
from buildwright.ports import ModelCall, SetValue, SpanValue

SERVICE = "buildwright"
_GIVEN: ContextVar[tuple[int, int] | None] = ContextVar("_GIVEN", default=None)
"""Trace id and span id for the span that is about to start."""


class OtelTraces:
    """Spans for the named exporters (`otlp`; `console`: to stderr)."""

    on = True

    def __init__(self, exporters: Sequence[str]) -> None:
        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES come first.
        named = Resource({"service.name": SERVICE}).merge(Resource.create())
        if named.attributes.get("service.name", "").startswith("unknown_service"):  # type: ignore[union-attr]
            named = named.merge(Resource({"service.name": SERVICE}))
        self._provider = TracerProvider(resource=named, id_generator=_Ids(), shutdown_on_exit=False)
        for name in exporters:
            self._provider.add_span_processor(BatchSpanProcessor(_exporter(name)))
        self._tracer = self._provider.get_tracer(SERVICE)
        self._running: dict[tuple[str, str], Span] = {}
        """Spans of running actions that may ask a model, by build and task."""

    def on_event(self, recorded: Recorded, build: Build) -> None:
        if not isinstance(recorded.event, BuildFinished):
            return
        ids = _ids_of(build.id)
        token = _GIVEN.set(ids)
        try:
            span = self._tracer.start_span(
                "build",
                context=trace.set_span_in_context(trace.INVALID_SPAN),
                start_time=_nanoseconds(build.created_at.timestamp()),
                attributes={**_about(build), "buildwright.outcome": recorded.event.outcome},
            )
        finally:
            _GIVEN.reset(token)
        if recorded.event.outcome == "failed":
            span.set_status(Status(StatusCode.ERROR))
        span.end(_nanoseconds(recorded.at.timestamp()))

    @contextmanager
    def action(self, action: Action, build: Build) -> Iterator[None]:
        name = action.key.partition("/")[0]
        attributes: dict[str, SpanValue] = {**_about(build), "buildwright.action": name}
        task = getattr(action, "task", "")
        if task:
            attributes |= {"buildwright.task.id": task, "buildwright.attempt": getattr(action, "attempt", 0)}
        span = self._tracer.start_span(name, context=self._root(build.id), attributes=attributes)
        asks = isinstance(action, a.RunAgent | a.SealTests | a.MakePlan | a.RevisePlan | a.Diagnose)
        if asks:
            self._running[build.id, task] = span
        try:
            with _ending(span):
                yield
        finally:
            if asks and self._running.get((build.id, task)) is span:
                del self._running[build.id, task]

    def model_call(self, call: ModelCall) -> None:
        above = self._running.get((call.build_id, call.task))
        context = trace.set_span_in_context(above) if above is not None else self._root(call.build_id)
        attributes: dict[str, SpanValue] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": call.provider,
            "gen_ai.request.model": call.asked_model,
            "buildwright.build.id": call.build_id,
            "buildwright.replayed": call.replayed,
        }
        if call.task:
            attributes |= {"buildwright.task.id": call.task, "buildwright.attempt": call.attempt}
        if call.model:
            attributes["gen_ai.response.model"] = call.model
        if call.input_tokens or call.output_tokens:
            attributes |= {
                # By the conventions the input includes cached tokens; ours does not.
                "gen_ai.usage.input_tokens": call.input_tokens + call.cache_read_tokens + call.cache_write_tokens,
                "gen_ai.usage.output_tokens": call.output_tokens,
                "gen_ai.usage.cache_read.input_tokens": call.cache_read_tokens,
                "gen_ai.usage.cache_creation.input_tokens": call.cache_write_tokens,
            }
        span = self._tracer.start_span(
            f"chat {call.asked_model}",
            context=context,
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=_nanoseconds(call.began_at),
        )
        if call.error:
            span.set_attribute("error.type", call.error)
            span.set_status(Status(StatusCode.ERROR))
        span.end(_nanoseconds(call.ended_at))

    @contextmanager
    def span(
        self, name: str, build_id: str = "", attributes: Mapping[str, SpanValue] | None = None
    ) -> Iterator[SetValue]:
        context = self._root(build_id) if build_id else trace.set_span_in_context(trace.INVALID_SPAN)
        span = self._tracer.start_span(name, context=context, kind=SpanKind.SERVER, attributes=attributes)
        with _ending(span):
            yield span.set_attribute

    def close(self) -> None:
        self._provider.shutdown()

    def _root(self, build_id: str) -> Context:
        """Return the build's span as a remote parent: the span itself is sent only when the build has ended."""
        trace_id, span_id = _ids_of(build_id)
        sampled = self._provider.sampler.should_sample(None, trace_id, "build").decision is not Decision.DROP
        flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
        return trace.set_span_in_context(
            NonRecordingSpan(SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags))
        )


class _Ids(RandomIdGenerator):
    """Random ids, except for spans of builds, whose ids every process must know."""

    def generate_trace_id(self) -> int:
        given = _GIVEN.get()
        return given[0] if given is not None else super().generate_trace_id()

    def generate_span_id(self) -> int:
        given = _GIVEN.get()
        return given[1] if given is not None else super().generate_span_id()


@contextmanager
def _ending(span: Span) -> Iterator[None]:
    """End the span at exit. An exception is recorded by its type alone: its text may quote a repository or a model."""
    try:
        yield
    except BaseException as error:
        span.set_attribute("error.type", type(error).__name__)
        span.set_status(Status(StatusCode.ERROR))
        raise
    finally:
        span.end()


def _ids_of(build_id: str) -> tuple[int, int]:
    """Return a build's trace id and span id. A digest, because samplers rely on ids being evenly distributed."""
    digest = hashlib.sha256(build_id.encode()).digest()
    return int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:24], "big")


def _about(build: Build) -> dict[str, SpanValue]:
    about: dict[str, SpanValue] = {"buildwright.build.id": build.id, "buildwright.project.id": build.project_id}
    return {**about, "buildwright.correlation.id": build.correlation_id} if build.correlation_id else about


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1_000_000_000)


def _exporter(name: str) -> SpanExporter:
    if name == "console":
        return ConsoleSpanExporter(out=sys.stderr)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()
