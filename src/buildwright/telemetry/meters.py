"""Metrics of this process, for Prometheus. Must never change anything or raise for the events it is given.

Must never take a label whose values are unbounded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest, start_http_server

from buildwright.core import event as e
from buildwright.core.action import Action
from buildwright.core.build import Build, TaskPhase
from buildwright.core.event import AnyEvent, Recorded
from buildwright.core.finding import Verdict
from buildwright.core.model_names import family
from buildwright.errors import BadSettings
from buildwright.ports import WorkerRow

OTHER = "other"
_MOST_NAMES = 50
_MOST_ROUTES = 200
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SHORT = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_LONG = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)


class Meters:
    """Counters, gauges and histograms in their own registry, all named `buildwright_...`. Thread-safe.

    docs/guides/monitoring.md says what each means.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._names = {kind: _Bounded(_MOST_NAMES) for kind in ("agent", "gate", "model", "worker")}
        self._names["route"] = _Bounded(_MOST_ROUTES)
        counter, gauge, histogram = self._counter, self._gauge, self._histogram
        self._queue = histogram("queue_latency_seconds", "From an action being wanted to its begin", ["action"], _SHORT)
        self._checked = histogram("verification_duration_seconds", "What one check of one tree took", ["gate"], _LONG)
        self._verdicts = counter("gate_verdicts", "Verdicts of gates", ["gate", "ok"])
        self._attempts = counter("attempts", "Attempts at tasks that have ended", ["agent", "result"])
        self._tokens = counter("tokens", "Tokens of language models", ["model", "kind"])
        self._cost = counter("cost_usd", "US dollars for language models, where a price is known", ["model"])
        self._finished = counter("builds_finished", "Builds that have ended", ["outcome"])
        self._pauses = counter("builds_paused", "Pauses of builds", ["reason"])
        self._lag = histogram("event_lag_seconds", "From an event's time to its hand-over to a stream", [], _SHORT)
        self._streams = gauge("streams", "Streams that are open", ["transport"])
        self._dropped = counter("stream_dropped", "Streams closed because their client read too slowly", ["transport"])
        self._requests = counter("http_requests", "Answered requests", ["method", "route", "status"])
        self._answered = histogram("http_request_seconds", "What a request took", ["method", "route"], _SHORT)
        self._workers = gauge("workers", "Workers of the cluster by whether they give signs of life", ["alive"])
        self._worker_queue = gauge(
            "worker_queue_p95_seconds", "Queue latency a worker reports, 95th percentile", ["worker"]
        )

    def render(self) -> tuple[bytes, str]:
        """Return all metrics in Prometheus' text format, and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    # --- builds -----------------------------------------------------------------------------------------------------

    def on_event(self, recorded: Recorded, build: Build) -> None:
        """Count an event. `build` is the state after it. Each event must be passed once, by one process."""
        event = recorded.event
        match event:
            case e.PatchJudged() | e.MergeJudged() | e.BaseJudged() | e.BuildVerified():
                self._judged(event.verdict)
            case e.TokensUsed():
                self._used(event)
            case e.BuildFinished():
                self._finished.labels(event.outcome).inc()
            case e.BuildPaused():
                self._pauses.labels(event.reason).inc()
            case _:
                pass
        result = _result(event, build)
        if result:
            agent = build.task(getattr(event, "task", "")).agent or build.options.agent
            self._attempts.labels(self._names["agent"](agent.partition(":")[0]), result).inc()

    def begun(self, action: Action, waited_seconds: float) -> None:
        """Record that an action began `waited_seconds` after it was wanted."""
        self._queue.labels(action.key.partition("/")[0]).observe(waited_seconds)

    def _judged(self, verdict: Verdict) -> None:
        for report in verdict.reports:
            gate = self._names["gate"](report.gate)
            self._verdicts.labels(gate, "true" if report.ok else "false").inc()
            if report.evidence is not None:
                self._checked.labels(gate).observe(report.evidence.seconds)

    def _used(self, used: e.TokensUsed) -> None:
        model = self._names["model"](family(used.model))
        for kind in ("input", "output", "cache_read", "cache_write"):
            self._tokens.labels(model, kind).inc(getattr(used, f"{kind}_tokens"))
        if used.cost_usd is not None:
            self._cost.labels(model).inc(float(used.cost_usd))

    # --- streams and requests -----------------------------------------------------------------------------------------

    def handed_over(self, event_at: datetime, now: datetime) -> None:
        """Record that an event was sent to a stream. Clocks of two machines may differ: a negative lag counts as 0."""
        self._lag.observe(max((now - event_at).total_seconds(), 0.0))

    @contextmanager
    def stream(self, transport: str) -> Iterator[Callable[[], None]]:
        """Count a stream (`ws`, `sse`) as open; call the yielded function when a slow client is dropped."""
        self._streams.labels(transport).inc()
        try:
            yield self._dropped.labels(transport).inc
        finally:
            self._streams.labels(transport).dec()

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Record an answered request. `route` is the template (`/api/build/{id}`), never a path, "" if none matched."""
        method = method if method in _METHODS else OTHER
        route = self._names["route"](route)
        self._requests.labels(method, route, str(status)).inc()
        self._answered.labels(method, route).observe(seconds)

    def show_workers(self, rows: Sequence[WorkerRow]) -> None:
        """Show what the workers of a cluster report, in place of what was shown before."""
        self._worker_queue.clear()
        for alive in (True, False):
            self._workers.labels(str(alive).lower()).set(sum(row.alive is alive for row in rows))
        for row in rows:
            p95 = _queue_p95(row.report)
            if row.alive and p95 is not None:
                self._worker_queue.labels(self._names["worker"](row.name)).set(p95)

    # --- making -------------------------------------------------------------------------------------------------------

    def _counter(self, name: str, says: str, labels: Sequence[str]) -> Counter:
        return Counter(name, says, labels, namespace="buildwright", registry=self.registry)

    def _gauge(self, name: str, says: str, labels: Sequence[str]) -> Gauge:
        return Gauge(name, says, labels, namespace="buildwright", registry=self.registry)

    def _histogram(self, name: str, says: str, labels: Sequence[str], buckets: Sequence[float]) -> Histogram:
        return Histogram(name, says, labels, namespace="buildwright", registry=self.registry, buckets=buckets)


class _Bounded:
    """Returns the first `most` names it is given, and `other` for all later ones and for ""."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, name: str) -> str:
        if name not in self._known:
            if not name or len(self._known) >= self._most or len(name) > 200:
                return OTHER
            self._known.add(name)
        return name


def _result(event: AnyEvent, build: Build) -> str:
    """Return how the attempt that this event ends has ended; "" when it ends none."""
    match event:
        case e.ChangeLanded():
            return "landed"
        case e.AgentBroke():
            return event.kind
        case e.LoopDetected():
            return "loop" if event.kind == "patch" else ""  # for findings: the gates' verdict has already ended it
        case e.AgentFinished() | e.PatchJudged() | e.MergeConflicted() | e.MergeJudged():
            state = build.task(event.task)
            if state.phase is TaskPhase.REJECTED:
                return state.rejection or OTHER
            return "done" if isinstance(event, e.AgentFinished) and state.phase is TaskPhase.DONE else ""
        case _:
            return ""


def _queue_p95(report: str) -> float | None:
    try:
        told = json.loads(report)
    except ValueError:
        return None
    p95 = told.get("queue_p95") if isinstance(told, dict) else None
    return float(p95) if isinstance(p95, int | float) else None


@contextmanager
def serving(meters: Meters, host: str, port: int) -> Iterator[str]:
    """Serve the metrics at `/metrics` from a thread; yield the URL. Raises BadSettings when the port is not free."""
    try:
        server, thread = start_http_server(port, host, meters.registry)
    except (OSError, OverflowError) as error:
        raise BadSettings(
            f"metrics cannot be served on {host}:{port}: {error}", fix="choose another --metrics-port"
        ) from error
    try:
        yield f"http://{host}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
