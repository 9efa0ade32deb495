"""Events over HTTP: kept before they are answered, begun once by whoever is first, and what becomes of each."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest

from buildwright.store.inbox import asked
from buildwright.store.lease_holders import this_process
from buildwright.views.automation import TaskContext
from buildwright.wiring.event_consumer import build_id_of
from tests.api.conftest import NOTHING, SHELL, Client, Served, serving

TASKS = [{"id": "a", "title": "First"}, {"id": "b", "title": "Second", "depends_on": ["a"]}]
CHECKED = {**SHELL, "checks": [{"name": "there", "command": "test -e README.md"}]}
NOTE = {"type": "project.note", "projectId": "shop", "text": "remember the milk"}


def wanted(repository: Path | str, **more: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {"type": "devteam.initialize", "projectId": "shop", "repository": str(repository)}
    return asked | {"tasks": TASKS, "options": NOTHING} | more


async def until(client: Client, task_id: str, *statuses: str) -> dict[str, Any]:
    """The event once it has such a status."""
    async with asyncio.timeout(60):
        while True:
            answer = await client.get(f"/events/{task_id}")
            assert answer.status == 200, answer.text
            if answer.json["status"] in statuses:
                return dict(answer.json)
            await asyncio.sleep(0.05)


async def test_an_event_is_kept_begun_and_told_of(served: Served, repository: Path) -> None:
    headers = {"X-Correlation-Id": "ticket-7"}
    answer = await served.client.post("/events", wanted(repository), headers=headers)
    assert answer.status == 202, answer.text
    assert set(answer.json) == {"task_id", "event_id"}
    assert answer.headers["location"] == f"/events/{answer.json['task_id']}"
    assert (await served.site.records.inbox.get(answer.json["event_id"])).correlation_id == "ticket-7"
    end = await until(served.client, answer.json["task_id"], "done", "failed")
    assert (end["status"], end["type"], end["projectId"]) == ("done", "devteam.initialize", "shop")
    assert end["correlationId"] == "ticket-7"
    assert end["build_id"] == build_id_of(answer.json["event_id"])
    context = TaskContext.model_validate(end["task_context"])
    assert (context.executionId, context.outcome, context.correlationId) == (end["build_id"], "succeeded", "ticket-7")
    build = await served.site.app.builds.load(end["build_id"])
    assert (build.correlation_id, build.project_id, build.user_id) == ("ticket-7", "shop", "ann")
    lines = [line for line in served.logged if line.get("eventId") == answer.json["event_id"]]
    assert [line["event"] for line in lines][:2] == ["event-received", "event-started"]
    assert lines[-1]["event"] == "execution-ended"
    for line in lines:
        assert (line["correlationId"], line["projectId"], line["executionId"]) == ("ticket-7", "shop", build.id)
    assert 0 <= lines[1]["queueSeconds"] < 5


async def test_a_note_is_kept_and_starts_nothing(served: Served) -> None:
    answer = await served.client.post("/events", {**NOTE, "data": {"from": ["a", 1, None]}})
    assert answer.status == 202
    end = await until(served.client, answer.json["task_id"], "done")
    assert (end["build_id"], end["task_context"], end["message"]) == ("", {}, "kept")
    row = await served.site.records.inbox.get(answer.json["event_id"])
    assert row.data == {"text": "remember the milk", "data": {"from": ["a", 1, None]}}
    assert await served.site.app.builds.rows() == []


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"type": "devteam.other"}, ""),
        ({"type": None}, ""),
        ({"projectId": ""}, "projectId"),
        ({"projectId": "a/b"}, "projectId"),
        ({"projectId": "x" * 129}, "projectId"),
        ({"text": ""}, "text"),
        ({"text": "nul\0"}, ""),
        ({"text": "half \ud800"}, ""),
        ({"more": 1}, "more"),
        ({"data": {"deep": [1]}, "text": 1}, "text"),
    ],
)
async def test_what_does_not_fit_its_schema_is_refused_by_field(
    served: Served, change: dict[str, Any], pointer: str
) -> None:
    answer = await served.client.post("/events", NOTE | change)
    assert (answer.status, answer.json["code"]) == (422, "invalid-input"), answer.text
    assert pointer in answer.json["errors"][0]["pointer"]
    assert await served.site.records.inbox.latest("shop") is None


async def test_a_repeat_gets_the_first_answer_and_fifty_at_once_make_one(served: Served) -> None:
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    answers = await asyncio.gather(*(served.client.post("/events", NOTE, headers=headers) for _ in range(50)))
    assert {answer.status for answer in answers} == {202}
    assert len({answer.json["event_id"] for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    other = await served.client.post("/events", NOTE | {"text": "another"}, headers=headers)
    assert (other.status, other.json["code"]) == (422, "key-reused")
    bad = await served.client.post("/events", NOTE, headers={"Idempotency-Key": "x" * 256})
    assert (bad.status, bad.json["code"]) == (422, "refused")


async def test_events_of_others_are_not_shown_and_their_projects_not_used(served: Served) -> None:
    mine = await served.client.post("/events", NOTE)
    bob = await served.user("bob")
    assert (await bob.get(mine.headers["location"])).status == 403
    assert (await bob.post("/events", NOTE)).status == 403
    assert (await bob.get(f"/events/{uuid.uuid4()}")).status == 404
    nobody = await served.user("")
    assert (await nobody.post("/events", NOTE)).status == 401
    assert (await nobody.get(mine.headers["location"])).status == 401


async def test_who_came_second_to_a_project_at_the_same_moment_begins_nothing(served: Served, repository: Path) -> None:
    inbox, now = served.site.records.inbox, served.site.app.clock.now()
    data = {"spec": {"title": "x"}, "options": {}, "repository": str(repository), "workflow": "DEVTEAM_AUTOMATION"}
    await inbox.keep(asked("ann", "shop", "project.note", {"text": "mine"}, "", now))
    late = await inbox.keep(asked("bob", "shop", "devteam.initialize", data, "", served.site.app.clock.now()))
    served.site.intake.wake()
    end = await until(await served.user("bob"), late.task_id, "failed")
    assert "belongs to another user" in end["message"]


async def test_the_rate_is_limited(tmp_path: Path) -> None:
    async with serving(tmp_path, BUILDWRIGHT_RATE_EVENTS="2/hour") as served:
        answers = [await served.client.post("/events", NOTE) for _ in range(3)]
        assert [answer.status for answer in answers] == [202, 202, 429]
        assert int(answers[2].headers["retry-after"]) > 0


async def test_what_cannot_be_begun_fails_and_says_why(served: Served, repository: Path) -> None:
    answer = await served.client.post("/events", wanted(repository, options=CHECKED))
    assert answer.status == 202
    other = await served.site.records.inbox.keep(
        asked("ann", "shop", "devteam.initialize", {"spec": 1}, "c-9", served.site.app.clock.now())
    )
    end = await until(served.client, other.task_id, "failed")
    assert "Order" in end["message"]
    assert (await until(served.client, answer.json["task_id"], "done"))["status"] == "done"


async def test_a_claim_of_a_process_that_is_gone_counts_no_more(served: Served) -> None:
    inbox, now = served.site.records.inbox, served.site.app.clock.now()
    host = this_process().rpartition(":")[0].rpartition(":")[0]
    rows = {}
    for holder in (f"{host}:999999999:1", "elsewhere/1/2:17:4"):
        row = asked("ann", "shop", "project.note", {"text": holder}, "", now)
        rows[holder] = await inbox.keep(row._replace(holder=holder))
    served.site.intake.wake()
    dead, living = rows.values()
    await until(served.client, dead.task_id, "done")
    assert (await inbox.get(living.event_id)).status == "received"
    answer = await served.client.get(f"/events/{living.task_id}")
    assert (answer.json["status"], answer.json["build_id"]) == ("received", "")
