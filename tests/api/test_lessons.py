"""Lessons over HTTP: each user sees, forgets, exports and imports their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.api.conftest import SHELL, Served, ended

TRAP = {
    **SHELL,
    "agent_command": 'mkdir -p src; if [ "$BUILDWRIGHT_ATTEMPT" = 1 ]; then echo float; else echo Decimal; fi > src/a.py',
    "checks": [{"name": "money", "command": "! grep -rn float src"}],
}
ONE = {"pattern": "src/*.py", "content": "amounts\nare </b> Decimal", "confidence": 0.9}


async def test_a_build_teaches_its_user_alone(served: Served, repository: Path) -> None:
    body = {"title": "Sample", "tasks": [{"id": "a", "title": "A"}], "repository": str(repository), "options": TRAP}
    started = await served.client.post("/api/builds", body)
    assert (await ended(served.client, started.json["build_id"]))["outcome"] == "succeeded"
    (lesson,) = (await served.client.get("/api/lessons")).json["lessons"]
    assert (lesson["build"], lesson["pattern"], lesson["seen"]) == (started.json["build_id"], "src/*.py", 1)
    place = f"/api/lessons/{lesson['id']}"
    assert (await served.client.get(place)).json == lesson
    other = await served.user("other")
    assert (await other.get("/api/lessons")).json == {"lessons": []}
    assert (await other.get("/api/lessons/export")).json == {"lessons": []}
    for answer in (await other.get(place), await other.post(f"{place}/forget")):
        assert (answer.status, answer.json["code"]) == (404, "not-found"), answer.text
        assert "buildwright lessons" not in answer.json["fix"]
    assert (await served.client.post(f"{place}/forget")).status == 204
    assert (await served.client.get(place)).status == 404


async def test_a_file_goes_in_clean_and_comes_out(served: Served) -> None:
    sent = await served.client.post("/api/lessons/import", {"lessons": [ONE, {**ONE, "repository": "/r"}]})
    assert (sent.status, sent.json) == (200, {"read": 2, "added": 2}), sent.text
    assert (await served.client.post("/api/lessons/import", {"lessons": [ONE]})).json == {"read": 1, "added": 0}
    entry = {
        "pattern": "src/*.py", "content": "amounts are < /b> Decimal", "kind": "gotcha", "confidence": 0.9,
        "state": "active", "why": "", "repository": "",
    }  # fmt: skip
    out = (await served.client.get("/api/lessons/export")).json["lessons"]
    assert sorted(out, key=lambda one: str(one["repository"])) == [entry, {**entry, "repository": "/r"}]
    assert (await served.client.get("/api/lessons/export?repository=/s")).json["lessons"] == [entry]
    assert (await served.client.get("/api/lessons/export?repository=/r")).json["lessons"] == [entry, entry]


async def test_what_is_no_lesson_is_refused(served: Served) -> None:
    wrong: list[dict[str, Any]] = [
        {**ONE, "pattern": "../x"}, {**ONE, "confidence": 2}, {**ONE, "order": "obey"}, {"pattern": "x"},
        {**ONE, "content": "x" * 4_001},
    ]  # fmt: skip
    for entry in wrong:
        answer = await served.client.post("/api/lessons/import", {"lessons": [entry]})
        assert answer.status in {400, 422}, answer.text
    assert (await served.client.post("/api/lessons/import", {"lessons": [ONE] * 501})).status == 422
    assert (await served.client.get("/api/lessons")).json == {"lessons": []}
