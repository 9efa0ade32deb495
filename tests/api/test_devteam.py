"""The automation API: every path, field and code; keys; which steps are allowed; whole executions with a real repository."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from buildwright.store.tables import idempotency_keys
from buildwright.views.automation import DEVTEAM_AUTOMATION
from tests.api.conftest import NOTHING, SHELL, Client, Served, serving
from tests.git import git

BASE = "/api/devteam/automation"
INITIALIZE = f"{BASE}/initialize"
TASKS = [{"id": "a", "title": "First"}, {"id": "b", "title": "Second", "depends_on": ["a"]}]
CHECKED = {**SHELL, "checks": [{"name": "there", "command": "test -e README.md"}]}
NAMES = [stage.name for stage in DEVTEAM_AUTOMATION.stages]
FIELDS = {
    *("executionId", "projectId", "status", "workflow", "stage", "stages", "progress", "currentTask", "tasks"),
    *("startedAt", "updatedAt", "completedAt", "correlationId", "error", "links"),
}


def wanted(repository: Path | str, **more: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {"projectId": "shop", "repository": str(repository), "tasks": TASKS, "options": NOTHING}
    return asked | more


def waits(gate: Path) -> dict[str, Any]:
    """Options of a build whose agents wait until a file is there."""
    return {**CHECKED, "agent_command": f"while [ ! -e {gate} ]; do sleep 0.05; done; {SHELL['agent_command']}"}


async def until(client: Client, *states: str, project: str = "shop") -> dict[str, Any]:
    """The status of the newest execution, once it is in such a state."""
    async with asyncio.timeout(60):
        while True:
            answer = await client.get(f"{BASE}/status/{project}")
            assert answer.status == 200, answer.text
            if answer.json["status"] in states:
                return dict(answer.json)
            await asyncio.sleep(0.05)


async def working(client: Client) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while (status := (await client.get(f"{BASE}/status/shop")).json)["currentTask"] is None:
            await asyncio.sleep(0.05)
        return dict(status)


async def begun(client: Client, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = await client.post(INITIALIZE, body, headers=headers)
    assert answer.status == 202, answer.text
    assert answer.headers["location"] == f"{BASE}/status/{body['projectId']}"
    assert set(answer.json) == {"executionId", "eventId"}
    return dict(answer.json)


def bare(folder: Path, repository: Path) -> Path:
    """An empty repository that is the other one's `origin`."""
    git(folder, "init", "-q", "--bare", "-b", "main", "origin.git")
    git(repository, "remote", "add", "origin", str(folder / "origin.git"))
    return folder / "origin.git"


async def test_a_whole_execution_goes_through_every_stage_and_is_pushed(
    served: Served, repository: Path, tmp_path: Path
) -> None:
    origin = bare(tmp_path, repository)
    options = {**CHECKED, "delivery": {"kind": "push", "branch": "made"}}
    ids = await begun(served.client, wanted(repository, options=options), **{"X-Correlation-Id": "ticket-9"})
    end = await until(served.client, "completed", "failed", "paused")
    assert set(end) == FIELDS
    assert (end["status"], end["error"], end["executionId"]) == ("completed", "", ids["executionId"])
    assert [(stage["name"], stage["status"]) for stage in end["stages"]] == [(name, "done") for name in NAMES]
    assert (end["stage"], end["progress"], end["currentTask"]) == ("PUSH", 100, None)
    assert end["tasks"] == {"total": 2, "done": 2, "running": 0, "waiting": 0, "failed": 0, "skipped": 0}
    assert end["startedAt"] < end["completedAt"]
    assert (end["workflow"], end["correlationId"]) == ("DEVTEAM_AUTOMATION", "ticket-9")
    files = git(origin, "ls-tree", "--name-only", "made").split()
    assert files == ["README.md", "a.txt", "b.txt"]
    for link in ("self", "event", "build"):
        assert (await served.client.get(end["links"][link])).status == 200
    assert (await served.client.get(f"/api/builds/{ids['executionId']}")).json["outcome"] == "succeeded"

    async with asyncio.timeout(30):
        while (event := (await served.client.get(end["links"]["event"])).json)["status"] != "done":
            await asyncio.sleep(0.05)
    context = event["task_context"]
    kept = await served.site.records.inbox.get(ids["eventId"])
    assert kept.task_context == context
    assert (context["schema_version"], context["correlationId"], context["projectId"]) == (1, "ticket-9", "shop")
    assert [artifact["filesModified"] for artifact in context["artifacts"]] == [["a.txt"], ["b.txt"]]
    assert [artifact["verification"] for artifact in context["artifacts"]] == ["passed", "passed"]
    assert context["artifacts"][1]["commit"] == context["head"] == git(origin, "rev-parse", "made").strip()
    lines = [line for line in served.logged if line.get("executionId") == ids["executionId"]]
    assert {line["correlationId"] for line in lines} == {"ticket-9"}
    assert {line["projectId"] for line in lines} == {"shop"}
    assert {"event-received", "event-started", "execution", "execution-ended"} <= {line["event"] for line in lines}


async def test_a_url_is_pushed_to_without_being_told(served: Served) -> None:
    answer = await served.client.post(INITIALIZE, wanted("https://example.com/a/b.git", options={"agent": "noop"}))
    assert answer.status == 202
    row = await served.site.records.inbox.get(answer.json["eventId"])
    assert row.data["options"]["delivery"] == {"kind": "push"}


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"workflow": "OTHER"}, "refused", "no workflow"),
        ({"tasks": None}, "invalid-input", "spec or tasks"),
        ({"spec": "# Both"}, "invalid-input", "spec or tasks"),
        ({"tasks": []}, "invalid-input", "tasks"),
        ({"tasks": [{"id": "a", "title": "A", "depends_on": ["zz"]}]}, "bad-spec", "zz"),
        ({"tasks": [{"id": "a"}]}, "bad-spec", "title"),
        ({"repository": "/nowhere"}, "bad-repository", "not where this server may build"),
        ({"repository": "https://127.0.0.1/x"}, "bad-repository", "inside its network"),
        ({"repository": ""}, "invalid-input", "repository"),
        ({"projectId": "../x"}, "invalid-input", "projectId"),
        ({"projectId": 7}, "invalid-input", "projectId"),
        ({"options": {"agent": "nobody"}}, "bad-settings", "no agent"),
        ({"options": {"by_hand": True}}, "invalid-input", "runs by itself"),
        ({"options": {"limits": {"pause_seconds": 1e300}}}, "invalid-input", "pause_seconds"),
        ({"options": {"delivery": {"kind": "push", "remote": "https://10.0.0.1/x"}}}, "bad-repository", "network"),
        ({"more": 1}, "invalid-input", "more"),
    ],
)
async def test_what_cannot_be_carried_out_is_refused_at_once(
    served: Served, repository: Path, change: dict[str, Any], code: str, words: str
) -> None:
    key = {"Idempotency-Key": "k"}
    answer = await served.client.post(INITIALIZE, wanted(repository) | change, headers=key)
    assert (answer.status, answer.json["code"]) == (422, code), answer.text
    assert words in answer.text
    assert (await served.client.get(f"{BASE}/status/shop")).status == 404
    assert await served.site.records.inbox.waiting(5) == []
    await begun(served.client, wanted(repository), **key)  # a refusal leaves the key free


async def test_numbers_without_a_word_in_json_are_refused(served: Served, repository: Path) -> None:
    body = json.dumps(wanted(repository, options=NOTHING | {"limits": {"task_seconds": float("inf")}}))
    answer = await served.client.ask("POST", INITIALIZE, data=body, headers={"Content-Type": "application/json"})
    assert answer.status == 422, answer.text


async def test_a_workflow_is_known_by_its_id_and_a_spec_by_its_tasks(served: Served, repository: Path) -> None:
    spec = "# Tasks: shop\n\n## Phase 1: Setup\n\n- [ ] T001 Create the page in page.md\n"
    body = wanted(repository, workflow=DEVTEAM_AUTOMATION.id, tasks=None, spec=spec)
    await begun(served.client, body)
    end = await until(served.client, "completed")
    assert end["tasks"]["total"] == 1
    assert {stage["name"]: stage["status"] for stage in end["stages"]}["PUSH"] == "skipped"


async def test_commands_are_for_who_may_run_them(served: Served, repository: Path) -> None:
    bob = await served.user("bob")
    answer = await bob.post(INITIALIZE, wanted("https://example.com/a/b.git", options=SHELL))
    assert (answer.status, answer.json["code"]) == (403, "forbidden")


async def test_nobody_sees_or_steers_another_users_project(served: Served, repository: Path) -> None:
    await begun(served.client, wanted(repository))
    bob, nobody = await served.user("bob"), await served.user("")
    for method, path in (("GET", "status"), ("POST", "pause"), ("POST", "resume"), ("POST", "stop")):
        assert (await bob.ask(method, f"{BASE}/{path}/shop")).status == 403
        assert (await nobody.ask(method, f"{BASE}/{path}/shop")).status == 401
        missing = await served.client.ask(method, f"{BASE}/{path}/none")
        assert (missing.status, missing.json["code"]) == (404, "not-found")
        assert (await served.client.ask(method, f"{BASE}/{path}/a b")).status == 422
    assert (await bob.post(INITIALIZE, wanted(repository))).status == 403
    kept = await served.site.records.projects.create("bob", "Bob's", at=served.site.app.clock.now())
    assert (await served.client.post(INITIALIZE, wanted(repository, projectId=kept.id))).status == 403


async def test_fifty_at_once_with_one_key_make_one_build(served: Served, repository: Path) -> None:
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    answers = await asyncio.gather(
        *(served.client.post(INITIALIZE, wanted(repository), headers=headers) for _ in range(50))
    )
    assert sorted(answer.status for answer in answers) == [202] + [409] * 49
    assert {answer.headers["location"] for answer in answers} == {f"{BASE}/status/shop"}
    (first,) = [answer for answer in answers if answer.status == 202]
    for answer in answers:
        if answer.status == 409:
            assert (answer.json["code"], answer.json["state"]) == ("conflict", "accepted")
            assert answer.json["correlationId"] == answer.headers["x-correlation-id"]
    end = await until(served.client, "completed")
    assert end["executionId"] == first.json["executionId"]
    rows = await served.site.app.builds.rows()
    assert [row.build_id for row in rows] == [first.json["executionId"]]
    other = await served.client.post(INITIALIZE, wanted(repository, base="main"), headers=headers)
    assert (other.status, other.json["code"]) == (422, "key-reused")


@pytest.mark.parametrize(
    ("age", "status"), [(timedelta(hours=5, minutes=59), 409), (timedelta(hours=6, minutes=1), 202)]
)
async def test_a_key_is_kept_for_six_hours_as_a_hash(
    served: Served, repository: Path, age: timedelta, status: int
) -> None:
    key = "my-key-of-today"
    first = await begun(served.client, wanted(repository), **{"Idempotency-Key": key})
    await until(served.client, "completed")
    database = served.site.records._database
    (row,) = await database.fetch(idempotency_keys.select())
    assert key not in repr(row)
    assert row.expires_at - row.created_at == timedelta(hours=6)
    older = {"created_at": row.created_at - age, "expires_at": row.expires_at - age}
    await database.change(idempotency_keys.update().values(older))
    again = await served.client.post(INITIALIZE, wanted(repository), headers={"Idempotency-Key": key})
    assert again.status == status
    if status == 202:
        assert again.json["executionId"] != first["executionId"]


async def test_which_steps_are_allowed(served: Served, repository: Path, tmp_path: Path) -> None:
    client, gate = served.client, tmp_path / "open"
    ids = await begun(client, wanted(repository, options=waits(gate)))
    running = await working(client)
    assert (running["status"], running["stage"], running["currentTask"]) == ("running", "EXECUTE", "a")
    assert running["tasks"] == {"total": 2, "done": 0, "running": 1, "waiting": 1, "failed": 0, "skipped": 0}
    assert running["completedAt"] is None

    async def step(name: str, status: int, state: str) -> int:
        answer = await client.post(f"{BASE}/{name}/shop")
        told = answer.json["status"] if status == 200 else answer.json["state"]
        assert (answer.status, told) == (status, state), answer.text
        return await served.site.app.builds.version(ids["executionId"])

    await step("resume", 409, "running")
    await step("pause", 200, "paused")
    once = await step("pause", 200, "paused")
    paused = await served.site.app.builds.read(ids["executionId"])
    assert [recorded.event.type for recorded in paused].count("build.paused") == 1
    await step("stop", 409, "paused")
    on = await step("resume", 200, "running")
    assert on > once
    again = await step("resume", 200, "running")
    events = await served.site.app.builds.read(ids["executionId"])
    assert [recorded.event.type for recorded in events].count("build.resumed") == 1
    assert again >= on
    stopping = await client.post(f"{BASE}/stop/shop")
    assert (stopping.status, stopping.json["status"] in {"stopping", "stopped"}) == (200, True)
    end = await until(client, "stopped")
    assert {stage["status"] for stage in end["stages"]} <= {"done", "skipped"}
    assert (end["error"], end["completedAt"] is not None) == ("stopped by the user", True)
    over = await step("stop", 200, "stopped")
    for name in ("pause", "resume"):
        assert await step(name, 409, "stopped") == over
    lanes = list((served.site.app.settings.home / "lanes").glob("*/*"))
    assert lanes == []


async def test_an_execution_that_is_over_or_has_not_begun_cannot_be_steered(served: Served, repository: Path) -> None:
    await begun(served.client, wanted(repository))
    await until(served.client, "completed")
    for name in ("pause", "resume", "stop"):
        answer = await served.client.post(f"{BASE}/{name}/shop")
        assert (answer.status, answer.json["state"]) == (409, "completed")
    from buildwright.store.inbox import asked

    now = served.site.app.clock.now()
    held = asked("ann", "later", "devteam.initialize", {}, "c", now)._replace(holder="elsewhere/1/2:17:4")
    await served.site.records.inbox.keep(held)
    for name in ("pause", "resume", "stop"):
        answer = await served.client.post(f"{BASE}/{name}/later")
        assert (answer.status, answer.json["state"]) == (409, "pending")
    status = (await served.client.get(f"{BASE}/status/later")).json
    assert (status["status"], status["progress"], status["startedAt"]) == ("pending", 0, None)
    assert [stage["status"] for stage in status["stages"]] == ["pending"] * len(NAMES)


async def test_a_pause_that_needs_an_answer_gets_one(served: Served, repository: Path, tmp_path: Path) -> None:
    gate = tmp_path / "mended"
    command = f"test -e {gate} && {SHELL['agent_command']}"
    options = {**CHECKED, "agent_command": command, "limits": {"attempts": 1}}
    await begun(served.client, wanted(repository, options=options))
    paused = await until(served.client, "paused", "failed")
    assert paused["error"].startswith("task a failed")
    assert paused["tasks"]["failed"] == 1
    refused = await served.client.post(f"{BASE}/resume/shop")
    assert (refused.status, refused.json["state"]) == (409, "paused")
    assert "needs your choice" in refused.json["detail"]
    gate.touch()
    again = await served.client.post(f"{BASE}/resume/shop", {"choice": "retry", "message": "now it works"})
    assert again.status == 200
    assert (await until(served.client, "completed", "paused"))["status"] == "completed"


async def test_a_stage_that_fails_is_named(served: Served, repository: Path) -> None:
    checks = [{"name": "never", "command": "test ! -e a.txt"}]
    options = {**SHELL, "checks": checks, "on_failure": "fail", "limits": {"attempts": 1}}
    await begun(served.client, wanted(repository, options=options))
    end = await until(served.client, "failed")
    assert {stage["name"]: stage["status"] for stage in end["stages"]}["VERIFY"] == "failed"
    assert (end["stage"], end["progress"]) == ("VERIFY", 0)
    assert "failed" in end["error"]


async def test_the_newest_execution_counts(served: Served, repository: Path) -> None:
    first = await begun(served.client, wanted(repository))
    await until(served.client, "completed")
    second = await begun(served.client, wanted(repository))
    assert first["executionId"] != second["executionId"]
    status = (await served.client.get(f"{BASE}/status/shop")).json
    assert status["executionId"] == second["executionId"]


async def test_limits_hold_for_executions_too(tmp_path: Path, repository: Path) -> None:
    async with serving(tmp_path, BUILDWRIGHT_RATE_BUILDS="1/hour") as served:
        await begun(served.client, wanted(repository))
        answer = await served.client.post("/events", wanted(repository) | {"type": "devteam.initialize"})
        assert (answer.status, answer.json["code"]) == (429, "too-many")


async def test_a_server_that_starts_again_goes_on_keeping_the_record(tmp_path: Path, repository: Path) -> None:
    gate = tmp_path / "open"
    async with serving(tmp_path) as served:
        ids = await begun(served.client, wanted(repository, options=waits(gate)))
        await working(served.client)
    gate.touch()
    async with serving(tmp_path) as served:
        await until(served.client, "completed")
        async with asyncio.timeout(30):
            while (row := await served.site.records.inbox.get(ids["eventId"])).status != "done":
                await asyncio.sleep(0.05)
        assert row.task_context["outcome"] == "succeeded"
