"""Meters, read as Prometheus reads them."""

from __future__ import annotations

import re
import urllib.request
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from buildwright.core import event as e
from buildwright.core.action import JudgePatch, RunAgent
from buildwright.core.event import Recorded
from buildwright.core.model_names import family
from buildwright.errors import BadSettings
from buildwright.ports import WorkerRow
from buildwright.telemetry.meters import Meters, serving
from buildwright.wiring.telemetry import Telemetry
from tests.adapters.memory_store import MemoryBuilds
from tests.adapters.scripted_agent import Fail, Write
from tests.engine.harness import FunctionGate, Script, make_site, tasks

AT = datetime(2026, 1, 1, tzinfo=UTC)


def samples(text: bytes) -> dict[str, float]:
    """Every sample by its name and labels, as Prometheus writes them."""
    found = {}
    for metric in text_string_to_metric_families(text.decode()):
        for sample in metric.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


async def test_a_build_is_counted_from_its_events(tmp_path: Path) -> None:
    script: Script = {
        ("a", 1): [Fail("crashed")],
        ("a", 2): [Write("a.txt", "bad")],
        ("a", 3): [Write("a.txt", "good")],
    }
    gate = FunctionGate(lambda files, _judged: ["bad" for path in files.glob("a.txt") if path.read_text() == "bad"])
    site = make_site(tmp_path, MemoryBuilds(), script, [gate])
    meters = Meters()
    await site.start(tasks("a"))
    build = await site.run(on_event=meters.on_event)
    assert build.outcome == "succeeded"
    found = samples(meters.render()[0])
    assert found["buildwright_builds_finished_total{outcome=succeeded}"] == 1
    attempts = {name: value for name, value in found.items() if name.startswith("buildwright_attempts_total")}
    assert attempts == {
        "buildwright_attempts_total{agent=scripted,result=crashed}": 1,
        "buildwright_attempts_total{agent=scripted,result=gate}": 1,
        "buildwright_attempts_total{agent=scripted,result=landed}": 1,
    }
    assert found["buildwright_gate_verdicts_total{gate=function,ok=false}"] == 1
    assert found["buildwright_gate_verdicts_total{gate=function,ok=true}"] >= 2


async def test_every_action_of_a_build_is_seen_with_what_it_waited(tmp_path: Path) -> None:
    site = make_site(tmp_path, MemoryBuilds(), None, [FunctionGate(lambda _files, _judged: [])])
    telemetry = Telemetry({})
    meters = telemetry.meters
    await site.start(tasks("a", "b"))
    await site.run(observe=telemetry.observe)
    found = samples(meters.render()[0])
    for action, times in {"run-agent": 2, "judge-patch": 2, "land-change": 2, "make-plan": 0}.items():
        assert found.get(f"buildwright_queue_latency_seconds_count{{action={action}}}", 0) == times
    assert meters.render()[1].startswith("text/plain")


def test_what_an_action_has_waited_is_counted_by_its_kind() -> None:
    telemetry = Telemetry({})
    telemetry.meters.begun(RunAgent("a", 1), 0.3)
    telemetry.meters.begun(JudgePatch("a", 1, "t"), 2.0)
    found = samples(telemetry.meters.render()[0])
    assert found["buildwright_queue_latency_seconds_sum{action=run-agent}"] == 0.3
    assert found["buildwright_queue_latency_seconds_bucket{action=judge-patch,le=1.0}"] == 0
    assert found["buildwright_queue_latency_seconds_bucket{action=judge-patch,le=2.5}"] == 1


async def test_tokens_and_cost_by_model(tmp_path: Path) -> None:
    site = make_site(tmp_path, MemoryBuilds())
    await site.start(tasks("a"))
    build = await site.builds.load(site.build_id)
    meters = Meters()
    used = e.TokensUsed(
        model="anthropic/claude-sonnet-5-5-20990101",
        input_tokens=10,
        output_tokens=5,
        cache_read_tokens=3,
        cost_usd="0.25",
    )
    meters.on_event(Recorded(2, AT, used), build)
    for number in range(500):
        unknown = e.TokensUsed(model=f"whatever somebody calls it {number}", input_tokens=1)
        meters.on_event(Recorded(3, AT, unknown), build)
        meters.on_event(Recorded(3, AT, e.TokensUsed(model=f"gpt-{number}", output_tokens=1)), build)
    found = samples(meters.render()[0])
    model = "model=claude-sonnet-5-5"
    assert found[f"buildwright_tokens_total{{kind=input,{model}}}"] == 10
    assert found[f"buildwright_tokens_total{{kind=cache_read,{model}}}"] == 3
    assert found[f"buildwright_cost_usd_total{{{model}}}"] == 0.25
    assert found["buildwright_tokens_total{kind=input,model=other}"] == 500
    models = {name for name in found if name.startswith("buildwright_tokens_total{kind=output")}
    assert len(models) <= 51, "there is no label for every name that somebody makes up"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("claude-sonnet-5-5", "claude-sonnet-5-5"),
        ("anthropic/Claude-Opus-4-1-20250805", "claude-opus-4-1"),
        ("gpt-5.2-mini-2025-10-01", "gpt-5.2-mini"),
        ("o3-mini", "o3-mini"),
        ("my secret words", ""),
        ("claude " + "x" * 100, ""),
        ("", ""),
    ],
)
def test_names_of_models_are_shown_by_their_family(name: str, shown: str) -> None:
    assert family(name) == shown


def test_streams_requests_and_workers() -> None:
    meters = Meters()
    with meters.stream("ws") as dropped, meters.stream("sse"):
        dropped()
        open_ones = samples(meters.render()[0])
        assert open_ones["buildwright_streams{transport=ws}"] == 1
    meters.handed_over(AT, AT + timedelta(milliseconds=200))
    meters.handed_over(AT, AT - timedelta(seconds=5))
    for number in range(500):
        meters.request("GET", "/api/build/{id}", 200, 0.01)
        meters.request("BREW", f"/made/up/{number}", 404, 0.01)
    meters.request("GET", "", 404, 0.01)
    rows = [
        WorkerRow("h:1:1", "one", 2, 1, AT, AT, 5.0, 1.0, '{"queue_p95": 0.5}'),
        WorkerRow("h:2:1", "two", 2, 1, AT, AT, 5.0, 100.0, '{"queue_p95": 0.5}'),
        WorkerRow("h:3:1", "new", 2, 1, AT, AT, 5.0, 1.0, "{}"),
        WorkerRow("h:4:1", "odd", 2, 1, AT, AT, 5.0, 1.0, "no JSON"),
    ]
    meters.show_workers(rows)
    found = samples(meters.render()[0])
    assert (found["buildwright_streams{transport=ws}"], found["buildwright_stream_dropped_total{transport=ws}"]) == (
        0,
        1,
    )
    assert found["buildwright_event_lag_seconds_count"] == 2
    assert found["buildwright_event_lag_seconds_sum"] == 0.2
    assert found["buildwright_http_requests_total{method=GET,route=/api/build/{id},status=200}"] == 500
    assert found["buildwright_http_requests_total{method=GET,route=other,status=404}"] == 1
    assert len([name for name in found if name.startswith("buildwright_http_requests_total")]) <= 203
    assert {name: value for name, value in found.items() if "worker" in name} == {
        "buildwright_workers{alive=true}": 3,
        "buildwright_workers{alive=false}": 1,
        "buildwright_worker_queue_p95_seconds{worker=one}": 0.5,
    }
    meters.show_workers(rows[1:])
    assert not any("worker_queue" in name for name in samples(meters.render()[0]))


def test_two_meters_share_nothing() -> None:
    one, two = Meters(), Meters()
    one.request("GET", "/x", 200, 0.1)
    assert b"/x" not in two.render()[0]


def test_meters_are_served_until_the_end_and_a_taken_port_is_said() -> None:
    meters = Meters()
    meters.request("GET", "/health", 200, 0.001)
    with free_port_served(meters) as url:
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert b'route="/health"' in answer.read()
        port = int(url.rpartition(":")[2].partition("/")[0])
        with pytest.raises(BadSettings) as taken, serving(Meters(), "127.0.0.1", port):
            pass
        assert taken.value.fix
    with pytest.raises(OSError):
        urllib.request.urlopen(url, timeout=10)


def free_port_served(meters: Meters) -> AbstractContextManager[str]:
    """Port 0: the system chooses one that is free."""
    return serving(meters, "127.0.0.1", 0)


async def test_nothing_is_asked_of_who_counts_nothing(tmp_path: Path) -> None:
    telemetry = Telemetry({})
    assert telemetry.on_event() is None
    assert telemetry.on_call is None
    heard: list[Recorded] = []
    told = telemetry.on_event(lambda recorded, _build: heard.append(recorded))
    meters = telemetry.meters
    both = telemetry.on_event(told)
    site = make_site(tmp_path, MemoryBuilds())
    await site.start(tasks("a"))
    build = await site.run(on_event=both)
    assert build.outcome == "succeeded"
    assert heard[-1].event.type == "build.finished"
    assert samples(meters.render()[0])["buildwright_builds_finished_total{outcome=succeeded}"] == 1


def test_the_guide_has_every_metric_and_no_other() -> None:
    page = (Path(__file__).parents[2] / "docs" / "guides" / "monitoring.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `(buildwright_\w+)` \| (\w+) \|", page, re.MULTILINE))
    made = {
        (f"{metric.name}_total" if metric.type == "counter" else metric.name, metric.type)
        for metric in Meters().registry.collect()
        if metric.name.startswith("buildwright_")
    }
    assert told == made
