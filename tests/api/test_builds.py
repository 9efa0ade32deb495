"""Builds that run by themselves, over HTTP: every path, field and code."""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from buildwright.core.apply import fold
from buildwright.core.event import from_fields
from buildwright.errors import BadSettings
from buildwright.views.overview import BuildView
from tests.api.conftest import NOTHING, OWNER, SHELL, Client, Served, ended, serving
from tests.git import git

THREE = [
    {"id": "a", "title": "First"},
    {"id": "b", "title": "Second", "depends_on": ["a"]},
    {"id": "c", "title": "Third", "depends_on": ["a"]},
]
SLOW = {"agent": "shell", "agent_command": "sleep 30", "sandbox": "none", "lanes": False}


async def started(client: Client, **more: Any) -> str:
    answer = await client.post("/api/builds", {"title": "Sample", "tasks": THREE, "options": NOTHING, **more})
    assert answer.status == 202, answer.text
    assert answer.headers["location"] == answer.json["location"] == f"/api/builds/{answer.json['build_id']}"
    return str(answer.json["build_id"])


async def test_a_large_list_holds_nobody_up(served: Served) -> None:
    text = "tasks:\n" + "".join(f"- id: t{number}\n  title: a\n" for number in range(20_000))
    planning = asyncio.create_task(served.client.post("/api/plans", {"spec": text, "name": "tasks.yaml"}))
    meanwhile = 0
    while not planning.done():
        assert (await served.client.get("/health")).status == 200
        meanwhile += 1
    assert len((await planning).json["tasks"]) == 20_000
    assert meanwhile > 5


@pytest.mark.parametrize("form", ["tasks", "text"])
async def test_a_list_of_five_megabytes_is_taken(served: Served, form: str) -> None:
    tasks = [{"id": f"t{number}", "title": f"Task {number}", "goal": "word " * 90} for number in range(10_000)]
    text = json.dumps({"tasks": tasks})
    assert len(text) > 5_000_000
    wish = {"tasks": tasks} if form == "tasks" else {"spec": text, "name": "tasks.json"}
    answer = await served.client.post("/api/plans", wish)
    assert answer.status == 200, answer.text[:500]
    assert len(answer.json["tasks"]) == 10_000
    project = {"tasks": tasks} if form == "tasks" else {"spec": text}
    assert (await served.client.post("/projects", {"name": "large", **project})).status == 201


async def test_a_build_runs_by_itself_and_its_status_is_that_of_the_command_line(served: Served) -> None:
    build_id = await started(served.client)
    status = await ended(served.client, build_id)
    assert status["outcome"] == "succeeded"
    assert [task["phase"] for task in status["tasks"]] == ["done"] * 3
    assert set(status) == set(BuildView.model_fields) | {"runner", "workers", "refused"}
    assert (status["title"], status["total"], status["counts"]) == ("Sample", 3, {"done": 3})


async def test_a_build_on_a_repository_delivers_a_branch_and_shows_its_diff(served: Served, repository: Path) -> None:
    options = {**SHELL, "checks": [{"name": "there", "command": "test -e README.md"}]}
    build_id = await started(served.client, repository=str(repository), options=options)
    status = await ended(served.client, build_id)
    assert status["outcome"] == "succeeded", status
    assert "a.txt" in git(repository, "ls-tree", "--name-only", status["delivered"].rpartition(" ")[2])
    whole = (await served.client.get(f"/api/builds/{build_id}/diff")).json
    assert {file["path"] for file in whole["files"]} == {"a.txt", "b.txt", "c.txt"}
    one = (await served.client.get(f"/api/builds/{build_id}/diff", params={"task": "b"})).json
    assert one["files"] == [{"path": "b.txt", "added": 1, "removed": 0}]
    assert set(one) == {"build", "task", "attempt", "old", "new", "files", "diff"}
    assert "+b" in one["diff"]
    told = (await served.client.get(f"/api/builds/{build_id}/prompt", params={"task": "b"})).json
    assert (told["attempt"], told["to_come"], told["parts"][0]["name"]) == (1, False, "task")
    assert (await served.client.get(f"/api/builds/{build_id}/prompt")).status == 422
    missing = await served.client.get(f"/api/builds/{build_id}/diff", params={"task": "zzz"})
    assert (missing.status, missing.json["code"]) == (404, "not-found")


async def test_a_client_folds_the_events_into_the_same_build(served: Served) -> None:
    build_id = await started(served.client)
    await ended(served.client, build_id)
    entries: list[dict[str, Any]] = []
    after = 0
    while True:
        page = (await served.client.get(f"/api/builds/{build_id}/events", params={"after": after, "limit": 5})).json
        assert set(page) == {"items", "next_after", "version"}
        entries += page["items"]
        after = page["next_after"]
        if after == page["version"]:
            break
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    assert {"seq", "at", "type"} <= set(entries[0])
    assert entries[0]["at"].endswith("Z")
    assert fold([from_fields(entry) for entry in entries]) == await served.site.app.builds.load(build_id)
    nothing = (await served.client.get(f"/api/builds/{build_id}/events", params={"after": 10**6})).json
    assert nothing["items"] == []
    assert nothing["next_after"] == 10**6


async def test_logs_are_paged_filtered_and_searched(served: Served) -> None:
    options = {**SLOW, "agent_command": 'for i in 1 2 3 4 5; do echo "Line $i of $BUILDWRIGHT_TASK_ID"; done'}
    build_id = await started(served.client, options=options)
    await ended(served.client, build_id)

    async def logs(**query: Any) -> dict[str, Any]:
        answer = await served.client.get(f"/api/builds/{build_id}/logs", params=query)
        assert answer.status == 200, answer.text
        return dict(answer.json)

    everything = await logs(limit=500)
    assert set(everything) == {"items", "next_after", "more"}
    assert set(everything["items"][0]) == {"seq", "at", "task", "attempt", "kind", "level", "text"}
    seen: list[dict[str, Any]] = []
    page: dict[str, Any] = {"next_after": 0, "more": True}
    while page["more"]:
        page = await logs(after=page["next_after"], limit=3)
        assert len(page["items"]) <= 3
        seen += page["items"]
    assert seen == everything["items"]
    assert all(line["task"] == "b" for line in (await logs(task="b"))["items"])
    found = await logs(search="LINE 3 OF C")
    assert ["Line 3 of c" in line["text"] for line in found["items"]] == [True]
    kind = found["items"][0]["kind"]
    assert {line["kind"] for line in (await logs(kind=kind))["items"]} == {kind}
    assert (await logs(tail="true", limit=2))["items"] == everything["items"][-2:]
    assert (await logs(tail="true", limit=1, search="line"))["items"][0]["text"].startswith("Line")
    assert (await logs(search="nowhere at all"))["items"] == []


async def test_why_explains_a_task(served: Served) -> None:
    build_id = await started(served.client)
    await ended(served.client, build_id)
    view = (await served.client.get(f"/api/builds/{build_id}/why/b")).json
    assert (view["build"], view["task"]["id"], view["state"]["phase"]) == (build_id, "b", "done")
    assert view["depends_on"] == [{"id": "a", "phase": "done", "met": True}]
    assert (await served.client.get(f"/api/builds/{build_id}/why/zzz")).status == 404
    assert (await served.client.get(f"/api/builds/{build_id}/why/{'x' * 100}")).status == 422


async def test_pause_resume_say_and_stop_and_each_again(served: Served) -> None:
    client = served.client
    build_id = await started(client, options=SLOW)
    place = f"/api/builds/{build_id}"
    await _working(client, place)
    paused = await client.post(f"{place}/pause", {"message": "lunch"})
    assert paused.status == 200, paused.text
    assert (paused.json["state"], paused.json["control"], paused.json["pause"]["message"]) == (
        "paused",
        "paused",
        "lunch",
    )
    assert set(paused.json) == {"build_id", "project_id", "state", "phase", "control", "outcome", "version", "pause"}
    again = await client.post(f"{place}/pause")
    assert (again.status, again.json) == (200, paused.json)
    skip = await client.post(f"{place}/resume", {"choice": "skip"})
    assert (skip.status, skip.json["state"]) == (409, "paused")
    said = await client.post(f"{place}/say", {"text": "Use tabs.", "task": "a"})
    assert said.status == 202, said.text
    assert set(said.json) == {"build_id", "message_id", "task"}
    assert (await client.post(f"{place}/say", {"text": "Use tabs.", "task": "zzz"})).status == 404
    resumed = await client.post(f"{place}/resume", {"choice": "go"})
    assert (resumed.status, resumed.json["control"]) == (200, "running")
    assert (await client.post(f"{place}/resume")).json["control"] == "running"
    refused = await client.post(f"{place}/resume", {"choice": "abort"})
    assert (refused.status, refused.json["code"], refused.json["state"]) == (409, "illegal-move", "implementing")
    ran = await client.post(f"{place}/run")
    assert (ran.status, ran.json["control"]) == (202, "running")
    stopped = await client.post(f"{place}/stop", {"message": "enough"})
    assert (stopped.status, stopped.json["state"], stopped.json["outcome"]) == (200, "aborted", "stopped")
    again = await client.post(f"{place}/stop")
    assert (again.status, again.json) == (200, stopped.json)
    for verb, body in (("pause", None), ("run", None), ("say", {"text": "x"})):
        late = await client.post(f"{place}/{verb}", body)
        assert (late.status, late.json["state"]) == (409, "aborted"), verb
    opened = await client.post(f"{place}/resume")  # something of it is left
    assert (opened.status, opened.json["state"], opened.json["outcome"]) == (200, "implementing", "")


async def test_a_build_that_has_ended_by_itself_cannot_be_stopped(served: Served) -> None:
    build_id = await started(served.client)
    await ended(served.client, build_id)
    for path in (f"/api/builds/{build_id}/stop", f"/api/build/{build_id}/abort"):
        answer = await served.client.post(path)
        assert (answer.status, answer.json["state"]) == (409, "ready")


async def test_a_paused_failure_is_answered_with_retry_or_skip(served: Served) -> None:
    options = {**SLOW, "agent_command": "exit 1", "limits": {"attempts": 1, "stuck_after": 9}}
    build_id = await started(served.client, options=options)
    status = await ended(served.client, build_id)
    assert status["pause"]["reason"] == "failure"
    retried = await served.client.post(f"/api/builds/{build_id}/resume", {"choice": "retry", "message": "Try harder."})
    assert retried.status == 200, retried.text
    status = await ended(served.client, build_id)
    assert status["tasks"][0]["attempt"] == 2
    skipped = await served.client.post(f"/api/builds/{build_id}/resume", {"choice": "skip"})
    assert skipped.status == 200
    await ended(served.client, build_id)
    aborted = await served.client.post(f"/api/builds/{build_id}/resume", {"choice": "abort"})
    assert aborted.status == 200, aborted.text
    assert (await ended(served.client, build_id))["outcome"] == "aborted"


async def test_a_paused_build_goes_on_with_other_options(served: Served) -> None:
    options = {**SLOW, "agent_command": "exit 1", "limits": {"attempts": 1, "stuck_after": 9}}
    build_id = await started(served.client, options=options)
    assert (await ended(served.client, build_id))["pause"]["reason"] == "failure"
    place = f"/api/builds/{build_id}"
    change = {"attempts": 2, "checks": [{"name": "easy", "command": "true"}], "branch": "made"}
    retried = await served.client.post(f"{place}/resume", {"choice": "retry", "options": change})
    assert retried.status == 200, retried.text
    assert (await ended(served.client, build_id))["tasks"][0]["attempt"] == 3
    kept = (await served.site.app.builds.load(build_id)).options
    assert (kept.limits.attempts, [check.name for check in kept.checks], kept.delivery.branch) == (2, ["easy"], "made")
    for wrong in ({"attempts": 0}, {"gate_seconds": -1}, {"attemps": 3}, {"checks": [{"name": "x"}]}):
        refused = await served.client.post(f"{place}/resume", {"choice": "skip", "options": wrong})
        assert refused.status == 422, wrong
    assert (await served.client.post(f"{place}/resume", {"choice": "abort"})).status == 200


async def test_tasks_are_added_edited_and_dropped(served: Served, tmp_path: Path) -> None:
    options = {**SLOW, "agent_command": "exit 1", "limits": {"attempts": 1, "stuck_after": 9}}
    build_id = await started(served.client, options=options)
    place = f"/api/builds/{build_id}"
    assert (await ended(served.client, build_id))["pause"]["reason"] == "failure"
    change = {"tasks": [{"id": "new", "title": "New", "depends_on": ["a"]}], "drop": ["c"]}
    changed = await served.client.post(f"{place}/task", change)
    assert (changed.status, changed.json["control"]) == (200, "paused"), changed.text
    status = (await served.client.get(place)).json
    assert [task["id"] for task in status["tasks"]] == ["a", "b", "new"]
    for body, code in (
        ({"tasks": [{"id": "x", "title": "X", "depends_on": ["y"]}]}, 422),
        ({"drop": ["nix"]}, 404),
        ({}, 422),
        ({"tasks": [{"id": "x"}]}, 422),
    ):
        refused = await served.client.post(f"{place}/task", body)
        assert refused.status == code, (body, refused.text)
    async with serving(tmp_path / "other", BUILDWRIGHT_ALLOW_COMMANDS="none") as strict:
        other = await started(strict.client, options=NOTHING)
        check = {"tasks": [{"id": "x", "title": "X", "validation": {"command": "id"}}]}
        assert (await strict.client.post(f"/api/builds/{other}/task", check)).status == 403


async def test_new_checks_are_commands_that_a_server_may_forbid(tmp_path: Path) -> None:
    async with serving(tmp_path, BUILDWRIGHT_ALLOW_COMMANDS="none") as served:
        build_id = await started(served.client, options=NOTHING)
        place = f"/api/builds/{build_id}"
        for change in ({"checks": [{"name": "x", "command": "x"}]}, {"setup": ["x"]}):
            refused = await served.client.post(f"{place}/resume", {"options": change})
            assert (refused.status, "may not run commands" in refused.text) == (403, True)
        body = {"title": "Sample", "tasks": THREE, "options": {**NOTHING, "agent": "acp:id"}}
        assert (await served.client.post("/api/builds", body)).status == 403


async def test_what_was_refused_is_approved_and_lands(served: Served, repository: Path) -> None:
    client = served.client
    command = 'mkdir -p .github/workflows; echo "on: push" > .github/workflows/ci.yml'
    checks = [{"name": "fine", "command": "true"}]
    options = {
        "agent": "shell",
        "agent_command": command,
        "sandbox": "none",
        "checks": checks,
        "limits": {"attempts": 1},
    }
    build_id = await started(client, repository=str(repository), options=options, tasks=[{"id": "a", "title": "A"}])
    place = f"/api/builds/{build_id}"
    (name,) = (await ended(client, build_id))["pause"]["approvable"]
    view = (await client.get(f"{place}/gates", params={"task": "a"})).json
    (verdict,) = view["verdicts"]
    assert (verdict["subject"], verdict["ok"], verdict["reports"][0]["findings"][0]["fingerprint"]) == (
        "patch",
        False,
        name,
    )
    assert (await client.get(f"{place}/gates", params={"task": "zzz"})).status == 404
    for body, code in (
        ({"finding": "0" * 12, "reason": "x"}, 404),
        ({"finding": "zzz", "reason": "x"}, 422),
        ({"finding": name}, 422),
        ({"finding": name, "reason": ""}, 422),
        ({"finding": name, "reason": "x", "by": "somebody else"}, 422),
    ):
        assert (await client.post(f"{place}/approve", body)).status == code, body
    approved = await client.post(f"{place}/approve", {"finding": name, "reason": "we want it"})
    assert (approved.status, approved.json["control"]) == (200, "running"), approved.text
    again = await client.post(f"{place}/approve", {"finding": name, "reason": "we want it"})
    assert again.status == 200, again.text
    status = await ended(client, build_id)
    assert (status["outcome"], status["tasks"][0]["attempt"]) == ("succeeded", 1)
    (approval,) = (await client.get(f"{place}/gates")).json["approvals"]
    assert (approval["by"], approval["finding"], approval["reason"]) == (OWNER, name, "we want it")
    late = await client.post(f"{place}/approve", {"finding": name, "reason": "we want it"})
    assert (late.status, late.json["code"]) == (409, "illegal-move")


async def test_builds_are_listed_newest_first_page_by_page_and_only_ones_own(served: Served) -> None:
    ann, bob = served.client, await served.user("bob")
    ids = [await started(ann, project_id="one" if number % 2 else "two") for number in range(5)]
    foreign = await started(bob)
    for build_id in ids:
        await ended(ann, build_id)
    pages, cursor = [], ""
    while True:
        page = (await ann.get("/api/builds", params={"limit": 2, "cursor": cursor})).json
        pages.append([item["build_id"] for item in page["items"]])
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [build_id for page in pages for build_id in page] == ids[::-1]
    ones = (await ann.get("/api/builds", params={"project": "one"})).json["items"]
    assert [item["build_id"] for item in ones] == [ids[3], ids[1]]
    assert len((await ann.get("/api/builds", params={"state": "ready"})).json["items"]) == 5
    assert (await ann.get("/api/builds", params={"state": "error"})).json == {"items": [], "next_cursor": None}
    assert [item["build_id"] for item in (await bob.get("/api/builds")).json["items"]] == [foreign]
    for query in ({"cursor": "!"}, {"cursor": "bm90IGEgdGltZQ"}, {"limit": 0}, {"limit": 501}, {"state": "odd"}):
        assert (await ann.get("/api/builds", params=query)).status == 422, query


async def test_another_users_build_is_forbidden_and_an_unknown_one_is_not_found(served: Served) -> None:
    build_id = await started(served.client)
    bob, nobody = await served.user("bob"), await served.user("")
    mine = f"/api/builds/{await started(bob)}/compare"
    assert (await bob.get(mine, params={"other": build_id})).status == 403
    assert (await bob.get(mine, params={"other": str(uuid.uuid4())})).status == 404
    reads = ("events", "logs", "diff", "why/a", "gates", "prompt?task=a", f"compare?other={build_id}")
    paths = [("GET", ""), *(("GET", f"/{name}") for name in reads)]
    paths += [("POST", f"/{name}") for name in ("pause", "resume", "approve", "stop", "run", "say")]
    for method, path in paths:
        body = {"/say": {"text": "x"}, "/approve": {"finding": "0123", "reason": "x"}}.get(path)
        for client, whose, code in (
            (bob, build_id, 403),
            (bob, str(uuid.uuid4()), 404),
            (nobody, build_id, 401),
            (served.client, "%00", 422),
        ):
            answer = await client.ask(method, f"/api/builds/{whose}{path}", body)
            assert answer.status == code, (method, path, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"title": "x"},
        {"tasks": []},
        {"spec": ""},
        {"spec": "# x", "tasks": THREE},
        {"spec": "# x", "unknown": 1},
        {"spec": "# x\u0000"},
        {"tasks": [{"id": "a/../b", "title": "x"}]},
        {"tasks": [{"id": "a", "title": "x", "depends_on": ["a"]}]},
        {"tasks": [{"id": "a", "title": "x", "depends_on": ["b"]}]},
        {"tasks": THREE, "options": {"agent": "nobody-knows"}},
        {"tasks": THREE, "options": {"lanes": "maybe"}},
        {"tasks": THREE, "options": {"limits": {"concurrency": 0}}},
        {"tasks": THREE, "repository": "/etc"},
        {"tasks": THREE, "repository": "https://127.0.0.1/x.git"},
        {"tasks": THREE, "repository": "x\u0000"},
        {"tasks": THREE, "project_id": "../x"},
        {"spec": "{]", "name": "tasks.json"},
        {"spec": "a: &a [*a]", "name": "tasks.yaml"},
        {"brief": {"title": ""}},
    ],
)
async def test_bad_input_is_refused_with_what_is_wrong(served: Served, body: dict[str, Any]) -> None:
    answer = await served.client.post("/api/builds", body)
    assert answer.status == 422, answer.text
    assert answer.json["fix"]
    assert (await served.client.get("/api/builds")).json["items"] == []


async def test_a_name_of_a_remote_leads_others_nowhere_that_an_address_may_not(served: Served, tmp_path: Path) -> None:
    repository, near = tmp_path / "named", tmp_path / "near.git"
    git(tmp_path, "init", "--quiet", "--bare", str(near))
    git(tmp_path, "init", "--quiet", str(repository))
    git(repository, "commit", "--quiet", "--allow-empty", "-m", "First")
    for name, address in {
        "origin": "https://ann:secret@127.0.0.1/x.git",
        "outside": str(tmp_path.parent / "outside.git"),
        "near": str(near),
    }.items():
        git(repository, "remote", "add", name, address)
    bob = await served.user("bob")
    answers = {}
    for name in ("", "origin", "outside", "missing", "near"):
        options = {"agent": "noop", "delivery": {"kind": "push", "remote": name}}
        body = {"repository": str(repository), "tasks": THREE, "options": options}
        answer = await bob.post("/api/builds", body)
        answers[name] = answer.status
        assert "secret" not in answer.text
    assert answers == {"": 422, "origin": 422, "outside": 422, "missing": 422, "near": 202}


async def test_text_that_is_not_text_is_refused_everywhere(served: Served) -> None:
    build_id = await started(served.client)
    bodies = ('{"text": "\\ud800"}', '{"text": "\\u0000"}', '{"\\ud800": 1}', '{"text": ' + "[" * 200 + "]" * 200 + "}")
    for body in bodies:
        headers = {"content-type": "application/json"}
        answer = await served.client.post(f"/api/builds/{build_id}/say", data=body, headers=headers)
        assert answer.status == 422, answer.text


async def test_a_key_starts_one_build_however_often_it_comes(served: Served) -> None:
    body = {"title": "Once", "tasks": THREE, "options": NOTHING}
    headers = {"Idempotency-Key": "k-1"}
    first = await served.client.post("/api/builds", body, headers=headers)
    again = await served.client.post("/api/builds", body, headers=headers)
    assert (again.status, again.json) == (202, first.json)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["location"] == first.json["location"]
    other = await served.client.post("/api/builds", {**body, "title": "Other"}, headers=headers)
    assert (other.status, other.json["code"]) == (422, "key-reused")
    assert len((await served.client.get("/api/builds")).json["items"]) == 1
    failed = await served.client.post("/api/builds", {**body, "repository": "/etc"}, headers={"Idempotency-Key": "k-2"})
    assert failed.status == 422
    mended = await served.client.post("/api/builds", body, headers={"Idempotency-Key": "k-2"})
    assert mended.status == 202


async def test_only_the_owner_of_the_machine_may_run_commands(served: Served, repository: Path) -> None:
    bob = await served.user("bob")
    refused: dict[str, dict[str, Any]] = {
        "agent_command": {"options": {**NOTHING, "agent": "shell", "agent_command": "id"}},
        "checks": {"options": {**NOTHING, "checks": [{"name": "x", "command": "id"}]}},
        "setup": {"options": {**NOTHING, "setup": ["id"]}},
        "cassette": {"options": {**NOTHING, "cassette": "/etc/passwd"}},
        "sandbox": {"options": {**NOTHING, "sandbox": "none"}},
        "tasks with a validation": {"tasks": [{"id": "a", "title": "x", "validation": {"command": "id"}}]},
        "tasks with a command as their agent": {"tasks": [{"id": "a", "title": "x", "agent": "acp:id"}]},
        "agent": {"options": {**NOTHING, "agent": "acp:id"}},
        "second_agent": {"options": {**NOTHING, "second_agent": "acp:id"}},
        "agent_rules": {"options": {**NOTHING, "agent_rules": [{"files": ["*"], "agent": "acp:id"}]}},
    }
    for name, more in refused.items():
        answer = await bob.post("/api/builds", {"title": "x", "tasks": THREE, "options": NOTHING, **more})
        assert (answer.status, answer.json["code"]) == (403, "forbidden"), more
        assert answer.json["detail"] == f"you may not run commands on this server: {name}"
        assert "`may_run_commands`" in answer.json["fix"]
    plan = await bob.post("/api/plans", {"tasks": THREE, "options": {"cassette": "/etc/passwd"}})
    assert plan.status == 403
    assert repository.exists()


async def test_tasks_name_agents_and_those_of_the_owners_file_are_the_owners(tmp_path: Path, repository: Path) -> None:
    file = tmp_path / "config" / "buildwright" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text('[agents.house]\nagent = "shell"\ncommand = "echo house > a.txt"\n', encoding="utf-8")
    tasks = [{"id": "a", "title": "A", "agent": "house"}]
    chosen: dict[str, Any] = {"agent": "noop", "gates": False}
    body = {"title": "x", "tasks": tasks, "options": chosen}
    async with serving(tmp_path, XDG_CONFIG_HOME=str(tmp_path / "config")) as served:
        bob = await served.user("bob")
        answer = await bob.post("/api/builds", {**body, "options": {**chosen, "lanes": False}})
        assert (answer.status, "there is no agent 'house'" in answer.text) == (422, True), answer.text
        options = {**chosen, "sandbox": "none"}
        made = await served.client.post("/api/builds", {**body, "repository": str(repository), "options": options})
        assert made.status == 202, made.text
        build_id = made.json["build_id"]
        status = await ended(served.client, build_id)
        assert (status["outcome"], status["tasks"][0]["agent"]) == ("succeeded", "house"), status
        wrong = {"tasks": [{"id": "b", "title": "B", "agent": "hose"}]}
        refused = await served.client.post(f"/api/builds/{build_id}/task", wrong)
        assert (refused.status, "did you mean house?" in refused.text) == (422, True), refused.text
        assert (await bob.get("/api/costs?by=agent")).json["sums"] == []
        assert (await bob.get("/api/stats?by=hour")).json["rows"] == []
        stats = (await served.client.get("/api/stats?by=week&since=2001-01-01T00:00:00Z")).json
        assert (stats["total"]["tasks"], stats["rows"][0]["first_pass_rate"]) == (1, 1.0)
        assert (await served.client.get("/api/stats?until=2001-01-01T00:00:00Z")).json["rows"] == []
        assert (await served.client.get("/api/stats?by=month")).status == 422


async def test_others_may_run_commands_where_the_server_says_so_and_nobody_where_it_says_none(tmp_path: Path) -> None:
    options = {**NOTHING, "agent": "shell", "agent_command": "true", "sandbox": "none"}
    body = {"title": "x", "tasks": THREE, "options": options}
    async with serving(tmp_path, BUILDWRIGHT_ALLOW_COMMANDS="all") as served:
        bob = await served.user("bob")
        assert (await bob.post("/api/builds", body)).status == 202
    async with serving(tmp_path, BUILDWRIGHT_ALLOW_COMMANDS="none") as served:
        assert (await served.client.post("/api/builds", body)).status == 403


async def test_builds_at_once_and_in_an_hour_can_be_limited(tmp_path: Path) -> None:
    async with serving(tmp_path, BUILDWRIGHT_BUILDS_AT_ONCE="1", BUILDWRIGHT_BUILDS_PER_HOUR="2") as served:
        ann, bob = served.client, await served.user("bob")
        body = {"title": "x", "tasks": THREE, "options": SLOW}
        answers = await asyncio.gather(*(ann.post("/api/builds", body) for _ in range(5)))
        assert sorted(answer.status for answer in answers) == [202, 409, 409, 409, 409]
        (build_id,) = [answer.json["build_id"] for answer in answers if answer.status == 202]
        late = next(answer for answer in answers if answer.status == 409)
        assert build_id in late.json["detail"]
        assert late.json["state"]
        assert (await bob.post("/api/builds", {**body, "options": NOTHING})).status == 202
        assert (await ann.post(f"/api/builds/{build_id}/stop")).status == 200
        await ended(ann, await started(ann))
        many = await ann.post("/api/builds", body)
        assert (many.status, many.json["code"]) == (429, "too-many")
        assert int(many.headers["retry-after"]) > 0


async def test_starts_and_steers_are_limited_in_rate(tmp_path: Path) -> None:
    async with serving(tmp_path, BUILDWRIGHT_RATE_BUILDS="2/hour") as served:
        build_id = await started(served.client)
        await ended(served.client, build_id)
        assert (await served.client.post(f"/api/builds/{build_id}/run")).status == 409
        late = await served.client.post(f"/api/builds/{build_id}/run")
        assert (late.status, late.json["code"]) == (429, "too-many")
        assert int(late.headers["retry-after"]) > 0
        assert (await served.client.get(f"/api/builds/{build_id}")).status == 200


async def test_a_plan_is_shown_and_nothing_is_kept(served: Served, tmp_path: Path) -> None:
    answer = await served.client.post("/api/plans", {"title": "Mine", "tasks": THREE})
    assert answer.status == 200, answer.text
    assert answer.json["title"] == "Mine"
    assert answer.json["waves"] == [["a"], ["b", "c"]]
    text = json.dumps({"title": "List", "tasks": THREE})
    listed = await served.client.post("/api/plans", {"spec": text, "name": "tasks.json"})
    assert (listed.json["title"], len(listed.json["tasks"])) == ("List", 3)
    keyless = await served.client.post("/api/plans", {"spec": "# Something\n\nDo it."})
    assert (keyless.status, keyless.json["code"]) == (422, "bad-settings")
    assert (await served.client.get("/api/builds")).json["items"] == []
    assert not (tmp_path / "home" / "mirrors").exists()


async def test_an_estimate_is_made_of_the_callers_builds_alone(served: Served) -> None:
    bob = await served.user("bob")
    six = [{"id": f"t{number}", "title": "T"} for number in range(6)]
    asked = {"tasks": six, "options": {"agent": "noop", "delivery": {"kind": "none"}, "lanes": False, "gates": False}}
    made = await served.client.post("/api/builds", asked)
    place = f"/api/builds/{made.json['build_id']}"
    while not (await served.client.get(place)).json["outcome"]:
        await asyncio.sleep(0.05)
    mine, others = [await client.post("/api/plans", asked) for client in (served.client, bob)]
    assert (mine.json["estimate"]["basis"], mine.json["estimate"]["of_tasks"]) == ("history", 6)
    assert others.json["estimate"]["basis"] == "prices"


async def test_a_stop_asked_for_by_two_at_once_is_one_stop(served: Served) -> None:
    build_id = await started(served.client, options=SLOW)
    await _working(served.client, f"/api/builds/{build_id}")
    answers = await asyncio.gather(*(served.client.post(f"/api/builds/{build_id}/stop") for _ in range(4)))
    assert {answer.status for answer in answers} == {200}
    events = (await served.client.get(f"/api/builds/{build_id}/events", params={"limit": 500})).json["items"]
    assert [event["type"] for event in events].count("stop.requested") == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BUILDWRIGHT_BUILDS_AT_ONCE", "many"),
        ("BUILDWRIGHT_BUILDS_PER_HOUR", "-1"),
        ("BUILDWRIGHT_ALLOW_COMMANDS", "some"),
        ("BUILDWRIGHT_ROOTS", "things:/home"),
        ("BUILDWRIGHT_RATE_BUILDS", "fast"),
    ],
)
async def test_a_setting_that_means_nothing_is_named_before_the_server_is_there(
    tmp_path: Path, name: str, value: str
) -> None:
    with pytest.raises(BadSettings, match=name):
        async with serving(tmp_path, **{name: value}):
            pass


async def test_a_cluster_without_a_worker_keeps_builds_and_ends_them(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    shared = {"DATABASE_URL": postgres_url, "REDIS_URL": redis_url, "BUILDWRIGHT_HUB": str(tmp_path / "hub.git")}
    async with serving(tmp_path, **shared) as served:
        client = served.client
        build_id = await started(client)
        place = f"/api/builds/{build_id}"
        status = (await client.get(place)).json
        assert (status["control"], status["runner"], status["workers"]) == ("running", None, [])
        assert [item["build_id"] for item in (await client.get("/api/builds")).json["items"]] == [build_id]
        assert (await client.get(f"{place}/events")).json["items"][0]["type"] == "build.created"
        assert (await client.post(f"{place}/pause")).json["state"] == "paused"
        assert (await client.post(f"{place}/resume")).json["control"] == "running"
        stopped = await client.post(f"{place}/stop")
        assert (stopped.status, stopped.json["outcome"]) == (200, "stopped")
        hand = await client.post(
            "/api/build/start", {"project_id": "p", "seed": {}, "tasks": THREE, "options": NOTHING}
        )
        assert hand.status == 200, hand.text
        body = {"build_id": hand.json["build_id"]}
        codes = []
        while 202 not in codes:  # the facts of planning need no worker, an agent does
            step = await client.post("/api/build/step", body, params={"wait_seconds": 0.2})
            codes.append(step.status)
        assert set(codes) == {200, 202}
        assert step.json["phase"] == "implementing"
        aborted = await client.post(f"/api/build/{body['build_id']}/abort")
        assert (aborted.status, aborted.json["phase"]) == (200, "aborted")


async def _working(client: Client, place: str) -> None:
    async with asyncio.timeout(20):
        while not (await client.get(place)).json["running"]:
            await asyncio.sleep(0.05)


async def test_a_fork_is_a_build_of_its_own_that_runs_by_itself(served: Served, repository: Path) -> None:
    options = {**SHELL, "gates": False}
    source = await started(served.client, repository=str(repository), options=options)
    assert (await ended(served.client, source))["outcome"] == "succeeded"
    path = f"/api/builds/{source}"
    events = (await served.client.get(f"{path}/events")).json["items"]
    (landed,) = (one["seq"] for one in events if one["type"] == "change.landed" and one["task"] == "a")
    body = {"at": landed, "prompt_note": "Keep it short."}
    key = {"Idempotency-Key": str(uuid.uuid4())}
    answer = await served.client.post(f"{path}/fork", body, headers=key)
    assert answer.status == 202, answer.text
    fork = answer.json["build_id"]
    assert answer.headers["location"] == answer.json["location"] == f"/api/builds/{fork}"
    assert (await served.client.post(f"{path}/fork", body, headers=key)).json == answer.json, "made once"
    status = await ended(served.client, fork)
    assert (status["outcome"], status["counts"]) == ("succeeded", {"done": 3})
    assert status["forked_from"] == {
        "build": source,
        "event": landed,
        "changed": ["note"],
        "note": "Keep it short.",
        "tasks": 1,
    }
    (told,) = (one for one in (await served.client.get(f"/api/builds/{fork}/events")).json["items"] if one["seq"] == 2)
    assert (told["type"], told["source"]) == ("build.forked", source)
    after = (await served.client.get(f"{path}/events")).json["items"]
    assert after == events, "the source is as it was"
    late = await served.client.post(f"{path}/fork", {"at": len(events) + 1})
    assert (late.status, late.json["code"]) == (422, "refused")
    assert (await served.client.post(f"{path}/fork", {"at": -1})).status == 422
    assert (await served.client.post(f"{path}/fork", {"from": 3})).status == 422
    bob = await served.user("bob")
    assert (await bob.post(f"{path}/fork", {})).status == 403
    runs = {"plan": {"tasks": [{"id": "z", "title": "Z", "validation": {"command": "id"}}]}}
    assert (await served.client.post(f"{path}/fork", runs)).status == 202, "the owner of the machine may"


async def test_a_plan_is_merged_split_and_reordered_before_it_is_approved(served: Served) -> None:
    for _ in range(2):
        await ended(served.client, await started(served.client, options=NOTHING))
    build_id = await started(served.client, options={**NOTHING, "approve_plan": True})
    path = f"/api/builds/{build_id}"
    while (await served.client.get(path)).json["pause"] is None:
        await asyncio.sleep(0.05)
    go = (await served.client.get(f"{path}/choices")).json["choices"][0]
    assert (go["name"], go["price"]["basis"], go["price"]["words"][:15]) == (
        "go",
        "6 tasks of 2 builds here",
        "3 tasks to do: ",
    )
    assert go["price"]["seconds"]["high"] > 0
    assert (await served.client.post(f"{path}/merge", {"tasks": ["b", "c"], "title": "Both"})).status == 200
    parts = [{"id": "x", "title": "X"}, {"id": "y", "title": "Y"}]
    assert (await served.client.post(f"{path}/split", {"task": "a", "into": parts})).status == 200
    assert (await served.client.post(f"{path}/reorder", {"tasks": ["y", "x"]})).status == 200
    shown = (await served.client.get(path)).json["tasks"]
    assert sorted((task["id"], task["title"]) for task in shown) == [("b", "Both"), ("x", "X"), ("y", "Y")]
    needs = (await served.client.get(f"{path}/why/b")).json["depends_on"]
    assert [one["id"] for one in needs] == ["x", "y"]
    circle = await served.client.post(f"{path}/reorder", {"tasks": ["b", "y"]})
    assert (circle.status, circle.json["code"]) == (422, "bad-spec")
    assert (await served.client.post(f"{path}/resume", {"accept_plan": True})).status == 409, "none is proposed"
    assert (await served.client.post(f"{path}/resume", {"choice": "go"})).status == 200
    assert (await ended(served.client, build_id))["counts"] == {"done": 3}
