"""Traces, as a collector gets them."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from buildwright.core import event as e
from buildwright.core.action import RunAgent
from buildwright.core.build import Build
from buildwright.core.event import Recorded
from buildwright.errors import BadSettings
from buildwright.ports import ModelCall, Traces
from buildwright.telemetry.traces import NoTraces, tracing
from tests.adapters.memory_store import MemoryBuilds
from tests.cli.conftest import Program
from tests.engine.harness import make_site, tasks
from tests.telemetry.collector import Collector, collecting


def test_the_spans_of_a_whole_build_make_one_trace(program: Program, tmp_path: Path) -> None:
    with collecting() as collector:
        ended = program(
            "demo",
            "--dir",
            tmp_path / "sample",
            "--json",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_EXPORTER_OTLP_HEADERS="x-tenant=me",
            OTEL_SERVICE_NAME="my-builds",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test",
            BUILDWRIGHT_CORRELATION_ID="ticket-1",
        )
    assert ended.code == 0, ended.err
    summary = ended.lines[-1]
    assert {(one["path"], one["x-tenant"], one["content-type"]) for one in collector.headers} == {
        ("/v1/traces", "me", "application/x-protobuf")
    }
    spans = collector.spans
    assert {span.service for span in spans} == {"my-builds"}
    assert len({span.trace for span in spans}) == 1
    (root,) = collector.named("build")
    assert (root.parent, root.attributes["buildwright.outcome"]) == ("", "succeeded")
    assert root.attributes["buildwright.correlation.id"] == "ticket-1"
    by_id = {span.id: span for span in spans}
    assert len(by_id) == len(spans)
    assert {span.attributes["buildwright.build.id"] for span in spans} == {root.attributes["buildwright.build.id"]}
    actions = [span for span in spans if "buildwright.action" in span.attributes]
    assert {span.parent for span in actions} == {root.id}
    assert {"make-plan", "run-agent", "judge-patch", "land-change", "deliver"} <= {a.name for a in actions}
    assert len(collector.named("land-change")) >= summary["total"]
    calls = [span for span in spans if span.attributes.get("gen_ai.operation.name") == "chat"]
    assert {by_id[call.parent].name for call in calls} == {"make-plan", "run-agent"}
    for call in calls:
        assert call.name == f"chat {call.attributes['gen_ai.request.model']}"
        assert call.attributes["gen_ai.provider.name"] == "anthropic"
        assert call.attributes["buildwright.replayed"] is True
        assert by_id[call.parent].began <= call.began <= call.ended
    answered = [call for call in calls if not call.failed]
    assert all(call.attributes["gen_ai.usage.output_tokens"] > 0 for call in answered)
    used = sum(call.attributes["gen_ai.usage.output_tokens"] for call in answered)
    told = [line for line in ended.lines[:-1] if line.get("type") == "tokens.used"]
    assert used == sum(line["output_tokens"] for line in told) > 0
    sent = b"".join(collector.bodies)
    for words in (b"=== FILE", b"def ", b"import ", str(tmp_path).encode()):
        assert words not in sent, "no prompt, no answer, no path"


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        {"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"},
        {"OTEL_SERVICE_NAME": "x"},
    ],
)
def test_traces_are_off_unless_somebody_wants_them(environment: dict[str, str]) -> None:
    traces = tracing(environment)
    assert isinstance(traces, NoTraces)
    with traces.span("x") as put:
        put("a", 1)
    traces.close()


def test_whoever_wants_no_traces_imports_nothing() -> None:
    code = (
        "import sys; from buildwright.wiring.telemetry import Telemetry; t = Telemetry({}); assert not t.traces.on; "
        "assert t.on_event() is None; "
        "assert not [m for m in sys.modules if m.partition('.')[0] in ('opentelemetry', 'prometheus_client')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "environment",
    [
        {"OTEL_TRACES_EXPORTER": "zipkin"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
    ],
)
def test_what_cannot_be_had_is_said(environment: dict[str, str]) -> None:
    with pytest.raises(BadSettings) as wrong:
        tracing(environment)
    assert "OTEL_" in (wrong.value.fix or "")


async def a_build(tmp_path: Path) -> Build:
    site = make_site(tmp_path, MemoryBuilds())
    return await site.builds.load(await site.start(tasks("a")))


def sending(collector: Collector, patch: pytest.MonkeyPatch, **more: str) -> Traces:
    """As another process would have them, which the SDK tells by the environment."""
    for name, value in {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **more}.items():
        patch.setenv(name, value)
    return tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})


async def test_two_processes_tell_of_one_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = await a_build(tmp_path)
    with collecting() as collector:
        server, worker = (sending(collector, monkeypatch) for _ in range(2))
        with server.span("POST /api/build/start", build.id, {"http.route": "/api/build/start"}) as put:
            put("http.response.status_code", 202)
        with pytest.raises(ValueError), worker.action(RunAgent("a", 1), build):
            raise ValueError("words of a repository")
        worker.on_event(Recorded(2, datetime.now(UTC), e.BuildFinished(outcome="failed")), build)
        server.close()
        worker.close()
    (request,), (root,), (action,) = map(collector.named, ("POST /api/build/start", "build", "run-agent"))
    assert request.trace == root.trace == action.trace
    assert request.parent == action.parent == root.id
    assert request.attributes["http.response.status_code"] == 202
    assert (action.failed, action.attributes["error.type"]) == (True, "ValueError")
    assert root.failed
    assert {span.service for span in collector.spans} == {"buildwright"}
    assert b"words of a repository" not in b"".join(collector.bodies)


async def test_a_failed_call_says_how_it_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = await a_build(tmp_path)
    now = time.time()
    with collecting() as collector:
        traces = sending(collector, monkeypatch)
        traces.model_call(ModelCall(build.id, "a", 1, "openai", "gpt-x", "", now, now + 1, 0, 0, 0, 0, False, "429"))
        traces.model_call(
            ModelCall(build.id, "a", 1, "openai", "gpt-x", "gpt-x-1", now, now + 1, 7, 5, 3, 2, False, "")
        )
        traces.close()
    failed, good = sorted(collector.named("chat gpt-x"), key=lambda span: not span.failed)
    assert failed.attributes["error.type"] == "429"
    assert "gen_ai.usage.input_tokens" not in failed.attributes
    assert good.attributes["gen_ai.response.model"] == "gpt-x-1"
    assert (good.attributes["gen_ai.usage.input_tokens"], good.attributes["gen_ai.usage.output_tokens"]) == (12, 5)
    assert abs((good.ended - good.began) / 1e9 - 1) < 0.001


async def test_a_build_is_sampled_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = await a_build(tmp_path)
    with collecting() as collector:
        traces = sending(
            collector, monkeypatch, OTEL_TRACES_SAMPLER="parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG="0.5"
        )
        ids = [f"{build.id}-{number}" for number in range(60)]
        for build_id in ids:
            with traces.span("x", build_id):
                pass
            with traces.span("y", build_id):
                pass
        traces.close()
    by_trace = {
        span.trace: {one.name for one in collector.spans if one.trace == span.trace} for span in collector.spans
    }
    assert 0 < len(by_trace) < len(ids)
    assert all(names == {"x", "y"} for names in by_trace.values())
