"""The whole plan of a build over HTTP, as a file that is read, changed and put back, as `task edit BUILD` does."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import yaml

from tests.api.conftest import NOTHING, Client, Served, ended, serving
from tests.api.test_builds import SLOW, started


async def waiting(client: Client) -> str:
    """The path of the plan of a build that waits for its approval."""
    build_id = await started(client, options={**NOTHING, "approve_plan": True})
    while (await client.get(f"/api/builds/{build_id}")).json["pause"] is None:
        await asyncio.sleep(0.05)
    return f"/api/builds/{build_id}/plan"


async def test_a_plan_is_read_changed_and_put_back_before_it_is_approved(served: Served) -> None:
    client = served.client
    path = await waiting(client)
    told = await client.get(path)
    assert (told.status, told.json["form"]) == (200, "yaml"), told.text
    plan = yaml.safe_load(told.json["content"])
    as_json = (await client.get(path, params={"form": "json"})).json
    assert json.loads(as_json["content"]) == plan
    assert [task["id"] for task in plan["tasks"]] == ["a", "b", "c"]
    plan["tasks"][1]["goal"] = "Mine."
    plan["tasks"][2] = {"id": "d", "title": "Fourth", "depends_on": ["b"]}
    plan["tasks"].append({"id": "e", "title": "Fifth", "depends_on": ["d"]})
    content, tag = yaml.safe_dump(plan), {"If-Match": told.headers["etag"]}
    tried = await client.ask("PUT", f"{path}?dry_run=true", {"content": content}, headers=tag)
    expected = {
        "added": ["d", "e"],
        "edited": [{"id": "b", "fields": ["goal"]}],
        "dropped": ["c"],
        "kept": [],
    }
    assert (tried.status, tried.json["changed"], tried.json["difference"]) == (200, False, expected), tried.text
    assert (await client.get(path)).json == told.json
    taken = await client.ask("PUT", path, {"content": content}, headers=tag)
    assert (taken.json["changed"], taken.json["difference"]) == (True, expected)
    assert taken.json["standing"]["control"] == "paused", "it waits for its approval as before"
    assert taken.json["standing"]["pause"]["message"] == "the plan waits for your approval: 4 tasks in 4 waves"
    assert taken.headers["etag"] == (await client.get(path)).headers["etag"] != told.headers["etag"]
    late = await client.ask("PUT", path, {"content": content}, headers=tag)
    assert (late.status, late.json["code"]) == (409, "conflict")
    again = await client.ask("PUT", path, {"content": (await client.get(path)).json["content"]})
    assert (again.status, again.json["changed"]) == (200, False)
    build = path.removesuffix("/plan")
    assert (await client.post(f"{build}/resume", {"choice": "go"})).status == 200
    status = await ended(client, build.rpartition("/")[2])
    assert sorted(task["id"] for task in status["tasks"]) == ["a", "b", "d", "e"]


async def test_a_plan_that_cannot_be_is_refused_with_what_is_wrong(served: Served) -> None:
    path = await waiting(served.client)
    for content, status, words in (
        ("tasks:\n  - {id: a, titel: A}\n", 422, "titel"),
        ("tasks: [{id: a, title: A, depends_on: [b]}, {id: b, title: B, depends_on: [a]}]", 422, "a"),
        ("# Only words\n", 422, "plan.yaml"),
        ("tasks:\n  - {id: a\n", 422, "plan.yaml:3: is not YAML"),
    ):
        for query in ("", "?dry_run=true"):
            refused = await served.client.ask("PUT", path + query, {"content": content})
            assert refused.status == status, (content, refused.text)
            assert words in refused.json["detail"], refused.json
    bob = await served.user("bob")
    assert {(await bob.get(path)).status, (await bob.ask("PUT", path, {"content": "tasks: []"})).status} == {403}


async def test_a_plan_changes_while_it_runs_but_for_what_an_agent_works_on(served: Served) -> None:
    client = served.client
    build_id = await started(client, options=SLOW)
    path = f"/api/builds/{build_id}/plan"
    while (await client.get(f"/api/builds/{build_id}")).json["counts"].get("working") is None:
        await asyncio.sleep(0.05)
    plan = json.loads((await client.get(path, params={"form": "json"})).json["content"])
    plan["tasks"][0]["title"] = "Other"
    for query in ("", "?dry_run=true"):
        busy = await client.ask("PUT", path + query, {"content": json.dumps(plan)})
        assert (busy.status, busy.json["code"]) == (409, "illegal-move"), busy.text
        assert "task a is working" in busy.json["detail"]
    plan["tasks"][0]["title"] = "First"
    plan["tasks"].append({"id": "z", "title": "Last", "depends_on": ["c"]})
    taken = await client.ask("PUT", path, {"content": json.dumps(plan)})
    assert (taken.status, taken.json["difference"]["added"]) == (200, ["z"]), taken.text
    assert (await client.post(f"/api/builds/{build_id}/stop")).status == 200


async def test_commands_in_a_plan_are_those_that_a_server_may_forbid(tmp_path: Path) -> None:
    async with serving(tmp_path, BUILDWRIGHT_ALLOW_COMMANDS="none") as strict:
        path = await waiting(strict.client)
        content = "tasks: [{id: a, title: First, validation: {command: id}}]"
        assert (await strict.client.ask("PUT", path, {"content": content})).status == 403
