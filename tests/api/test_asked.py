"""Idempotency keys whose server was killed, and numbers that are out of bounds, on every route that starts something."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from buildwright.api.app import fastapi_for
from buildwright.api.idempotency import HEADER
from tests.api.conftest import NOTHING, OWNER, Served

TASKS = [{"id": "a", "title": "First"}]


async def test_the_key_of_a_server_that_was_killed_is_free_after_two_minutes(served: Served) -> None:
    body = json.dumps({"tasks": TASKS, "options": NOTHING}).encode()
    keys, now = served.site.records.keys, served.site.app.clock.now()
    for key, seconds in (("killed", 121), ("at work", 60)):
        claim = await keys.claim(OWNER, "POST /api/builds", key, body, now - timedelta(seconds=seconds))
        assert claim.first
    headers = {"Content-Type": "application/json"}
    busy = await served.client.post("/api/builds", data=body, headers={**headers, HEADER: "at work"})
    assert (busy.status, busy.json["code"]) == (409, "conflict")
    free = await served.client.post("/api/builds", data=body, headers={**headers, HEADER: "killed"})
    assert free.status == 202
    again = await served.client.post("/api/builds", data=body, headers={**headers, HEADER: "killed"})
    assert (again.status, again.json) == (202, free.json)
    assert again.headers["idempotent-replayed"] == "true"
    later = now + timedelta(hours=5, minutes=59)
    assert (await keys.claim(OWNER, "POST /api/builds", "killed", body, later)).done


def test_what_starts_something_says_that_it_takes_a_key() -> None:
    paths = fastapi_for().openapi()["paths"]
    keyed = {
        path
        for path, item in paths.items()
        if any(parameter["name"] == HEADER for parameter in item.get("post", {}).get("parameters", ()))
    }
    assert keyed == {
        "/api/build/start",
        "/api/build/step",
        "/api/builds",
        "/api/builds/{build_id}/fork",
        "/projects",
        "/projects/{project_id}/build",
        "/projects/{project_id}/build/resume",
        "/projects/{project_id}/build/interject",
        "/projects/{project_id}/questionnaire",
        "/projects/{project_id}/contracts/{contract_type}/rewrite",
        "/events",
        "/api/devteam/automation/initialize",
    }


@pytest.mark.parametrize(
    "limits",
    [
        {"pause_seconds": 1e308},
        {"pause_seconds": 1e11},
        {"task_seconds": 0},
        {"gate_seconds": -1},
        {"heartbeat_seconds": 1e11},
        {"attempts": 10**30},
        {"train": 10**9},
        {"processes": 2**31},
        {"memory_bytes": 2**63},
        {"output_bytes": 2**63},
        {"budget_usd": 10**12},
        {"budget_usd": "-1"},
        {"budget_usd": "1e400"},
    ],
)
async def test_a_number_out_of_bounds_starts_nothing(served: Served, limits: dict[str, Any]) -> None:
    options = {**NOTHING, "limits": limits}
    bodies = {
        "/api/build/start": {"project_id": "p", "seed": {}, "tasks": TASKS, "options": options},
        "/api/builds": {"tasks": TASKS, "options": options},
        "/events": {
            "type": "devteam.initialize",
            "projectId": "p",
            "repository": "/",
            "tasks": TASKS,
            "options": options,
        },
    }
    for path, body in bodies.items():
        answer = await served.client.post(path, body)
        assert (answer.status, answer.json["code"]) == (422, "invalid-input"), (path, answer.text)
    assert (await served.client.get("/api/builds")).json["items"] == []


def test_operations_are_named_by_what_they_do() -> None:
    paths = fastapi_for().openapi()["paths"]
    assert paths["/auth/me"]["get"]["summary"] == "Return the signed-in user"
    assert paths["/api/builds/{build_id}/pause"]["post"]["summary"] == "Let nothing new start"
    names = [operation["summary"] for item in paths.values() for operation in item.values()]
    assert min(map(len, names)) > 10, "no name of a function"
    assert max(map(len, names)) <= 120
