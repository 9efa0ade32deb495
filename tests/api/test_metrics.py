"""What `/metrics` shows of builds and of requests."""

from __future__ import annotations

import re

from tests.api.conftest import NOTHING, Served, ended


def value(text: str, name: str, **labels: str) -> float:
    """The value of one series; 0 when it is not there."""
    for line in text.splitlines():
        found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if found and found[1] == name and dict(re.findall(r'(\w+)="([^"]*)"', found[2] or "")) == labels:
            return float(found[3])
    return 0.0


async def test_builds_and_requests_are_counted(served: Served) -> None:
    client = served.client
    tasks = [{"id": "a", "title": "A"}, {"id": "b", "title": "B"}]
    started = await client.post("/api/builds", {"tasks": tasks, "options": NOTHING})
    assert started.status == 202, started.text
    build_id = started.json["build_id"]
    await ended(client, build_id)
    assert (await client.get(f"/api/builds/{build_id}")).status == 200
    assert (await client.get("/api/builds/nothing-here")).status == 404
    answer = await client.get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain")
    text = answer.text
    assert value(text, "buildwright_builds_finished_total", outcome="succeeded") == 1
    assert value(text, "buildwright_attempts_total", agent="noop", result="done") == 2
    assert value(text, "buildwright_queue_latency_seconds_count", action="run-agent") == 2
    route = "/api/builds/{build_id}"
    for status in ("200", "404"):
        assert value(text, "buildwright_http_requests_total", method="GET", route=route, status=status) >= 1
    assert build_id not in text


async def test_nobody_else_sees_them(served: Served) -> None:
    assert (await (await served.user("")).get("/metrics")).status == 401
