"""The build runtime over HTTP (Z5-Z8): every path, field and code, and a build that is driven by hand to its end."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import NOTHING, SHELL, Client, Served
from tests.git import git

FIELDS = {
    "build_id",
    "project_id",
    "phase",
    "current_task_id",
    "build_graph",
    "last_patch",
    "last_validation",
    "last_checks",
    "last_review",
    "history",
    "history_next",
    "pause",
}
SEED = {
    "brief": {"title": "Guestbook", "summary": "People leave a line.", "goals": ["Lines are kept"]},
    "build_plan": {"stack": ["python"], "features": [{"name": "Lines"}]},
    "product_doc": {"overview": "A page with lines."},
}
TASKS = [{"id": "a", "title": "First"}, {"id": "b", "title": "Second", "depends_on": ["a"]}]


async def started(client: Client, **more: Any) -> dict[str, Any]:
    body = {"project_id": "guestbook", "seed": SEED, "tasks": TASKS, "options": NOTHING, **more}
    answer = await client.post("/api/build/start", body)
    assert answer.status == 200, answer.text
    assert answer.headers["location"] == f"/api/build/{answer.json['build_id']}"
    return dict(answer.json)


async def stepped(client: Client, build_id: str, **more: Any) -> dict[str, Any]:
    answer = await client.post("/api/build/step", {"build_id": build_id, **more})
    assert answer.status == 200, answer.text
    return dict(answer.json)


async def test_a_start_makes_a_build_in_planning_that_waits(served: Served) -> None:
    build = await started(served.client)
    assert set(build) == FIELDS
    assert str(uuid.UUID(build["build_id"])) == build["build_id"]
    assert (build["project_id"], build["phase"], build["current_task_id"]) == ("guestbook", "planning", None)
    assert [event["action"] for event in build["history"]] == ["build.created"]
    assert set(build["history"][0]) == {"ts", "phase", "action", "details"}
    await asyncio.sleep(0.2)
    assert (await served.client.get(f"/api/build/{build['build_id']}")).json == build
    kept = await served.site.app.builds.load(build["build_id"])
    assert kept.spec.brief is not None
    assert (kept.spec.title, kept.spec.form, kept.user_id) == ("Guestbook", "interview", "ann")
    assert kept.options.by_hand


async def test_a_build_is_driven_by_hand_to_ready_on_a_real_repository(served: Served, repository: Path) -> None:
    client = served.client
    checks = [{"name": "tests", "command": "test -e README.md"}]
    build = await started(client, repository=str(repository), options={**SHELL, "checks": checks})
    build_id, phases, steps = build["build_id"], [build["phase"]], 0
    early = (await client.get(f"/api/build/{build_id}/can-publish")).json
    assert early == {
        "can_publish": False,
        "reasons": [
            "Build not in ready state (current: planning)",
            "Validation failed or not run",
            "Checks failed or not run",
        ],
    }
    wrong = await client.post("/api/build/step", {"build_id": build_id, "mode": "verify_only"})
    assert (wrong.status, wrong.json["code"], wrong.json["state"]) == (409, "illegal-move", "planning")
    patched: dict[str, Any] = {}
    while build["phase"] not in {"ready", "error", "aborted"}:
        build = await stepped(client, build_id)
        assert set(build) == FIELDS
        phases.append(build["phase"])
        patched = build["last_patch"] or patched
        steps += 1
        assert steps < 40, phases
        listed = await client.get("/api/builds", params={"state": build["phase"]})
        assert [(row["build_id"], row["phase"]) for row in listed.json["items"]] == [(build_id, build["phase"])]
        assert build["history"][-1]["phase"] == build["phase"]
    assert build["phase"] == "ready", build["history"][-1]
    assert {"planning", "implementing", "verifying", "ready"} <= set(phases)
    assert set(build["build_graph"]) == {"tasks", "notes", "created_at"}
    assert [task["status"] for task in build["build_graph"]["tasks"]] == ["done", "done"]
    assert build["last_validation"]["ok"]
    assert build["last_checks"]["ok"]
    assert set(build["last_checks"]) == {"ok", "typecheck_ok", "lint_ok", "unit_ok", "logs", "created_at"}
    assert set(build["last_validation"]) == {"ok", "errors", "warnings", "normalized_html", "js_valid", "created_at"}
    assert set(patched) == {"id", "task_id", "diff", "touched_files", "notes", "created_at"}
    assert patched["touched_files"] == ["b.txt"]
    assert "+b" in patched["diff"]
    assert (await client.get(f"/api/build/{build_id}/can-publish")).json == {"can_publish": True, "reasons": []}
    assert "b.txt" in git(repository, "ls-tree", "--name-only", f"buildwright/{build_id[:8]}")
    late = await client.post("/api/build/step", {"build_id": build_id})
    assert (late.status, late.json["state"]) == (409, "ready")


async def test_the_page_of_a_change_is_shown_as_a_browser_understands_it(served: Served, repository: Path) -> None:
    command = "cat > /dev/null; printf '<!doctype html><p>un<script>1</script>' > page.html"
    options = {**SHELL, "checks": [{"name": "tests", "command": "true"}], "agent_command": command}
    build = await started(served.client, repository=str(repository), tasks=TASKS[:1], options=options)
    seen = []
    for _ in range(40):
        if build["phase"] == "ready":
            break
        build = await stepped(served.client, build["build_id"])
        validation = build["last_validation"]
        seen.append((build["history"][-1]["action"], validation and validation["normalized_html"]))
    page = """<!DOCTYPE html>
<html>
  <head></head>
  <body>
    <p>un<script>1</script></p>
  </body>
</html>"""
    assert dict(seen) == {
        "target.prepared": None,
        "plan.made": None,
        "base.judged": None,
        "agent.finished": None,
        "patch.judged": page,
        "merge.prepared": page,
        "change.landed": page,
        "build.finished": page,
    }


async def test_a_second_attempt_is_iterating_then_verifying_then_reviewing(served: Served, repository: Path) -> None:
    command = 'cat > /dev/null; echo "$BUILDWRIGHT_ATTEMPT" > tries.txt'
    checks = [{"name": "tests", "command": "grep -q 2 tries.txt || test ! -e tries.txt"}]
    options = {**SHELL, "checks": checks, "agent_command": command}
    build = await started(served.client, repository=str(repository), tasks=TASKS[:1], options=options)
    for _ in range(40):
        if build["phase"] == "ready":
            break
        build = await stepped(served.client, build["build_id"])
    phases = [event["phase"] for event in build["history"]]
    found = list(dict.fromkeys(phases))
    assert found == ["planning", "implementing", "verifying", "iterating", "reviewing", "ready"]
    again = phases[phases.index("iterating") :]
    assert list(dict.fromkeys(again)) == ["iterating", "verifying", "reviewing", "ready"]


async def test_a_pause_is_said_and_answered(served: Served, repository: Path) -> None:
    client = served.client
    options = {**SHELL, "limits": {"attempts": 1}, "checks": [{"name": "tests", "command": "test ! -e a.txt"}]}
    build = await started(client, repository=str(repository), tasks=TASKS[:1], options=options)
    build_id = build["build_id"]
    for _ in range(40):
        if build["pause"] is not None:
            break
        build = await stepped(client, build_id)
    assert (build["phase"], build["pause"]["reason"], build["pause"]["task"]) == ("iterating", "failure", "a")
    assert build["pause"]["findings"]
    assert {"go", "retry", "skip", "abort"} >= {choice["name"] for choice in build["pause"]["choices"]} > {"abort"}
    assert (await client.get(f"/api/build/{build_id}")).json["pause"] == build["pause"]
    refused = await client.post("/api/build/step", {"build_id": build_id})
    assert (refused.status, refused.json["state"]) == (409, "paused")
    resumed = await client.post(f"/api/build/{build_id}/resume", {"choice": "retry", "message": "Try again."})
    assert (resumed.status, resumed.json["pause"]) == (200, None)
    again = await stepped(client, build_id)
    assert again["history"][-1]["ts"] > build["history"][-1]["ts"]
    aborted = await client.post(f"/api/build/{build_id}/abort")
    assert aborted.json["phase"] == "aborted"


async def test_modes_choose_what_a_step_does_and_a_message_reaches_the_agent(served: Served) -> None:
    client = served.client
    options = {**NOTHING, "agent": "shell", "agent_command": "cat", "sandbox": "none"}
    build_id = (await started(client, options=options))["build_id"]
    build: dict[str, Any] = {}
    for _ in range(5):
        build = await stepped(client, build_id, mode="plan_only")
        if build["build_graph"] is not None:
            break
    assert [task["status"] for task in build["build_graph"]["tasks"]] == ["todo", "todo"]
    assert build["phase"] == "implementing"
    wrong = await client.post("/api/build/step", {"build_id": build_id, "mode": "plan_only"})
    assert (wrong.status, wrong.json["state"]) == (409, "implementing")
    build = await stepped(client, build_id, mode="implement_only", user_message="Use tabs.")
    assert [task["status"] for task in build["build_graph"]["tasks"]] == ["done", "todo"]
    actions = [event["action"] for event in build["history"]]
    assert "message.sent" in actions
    assert actions.index("message.sent") < actions.index("message.delivered")
    build = await stepped(client, build_id)
    assert build["phase"] in {"ready", "verifying", "implementing"}


async def test_a_long_step_is_202_and_can_be_looked_at(served: Served) -> None:
    client = served.client
    options = {**NOTHING, "agent": "shell", "agent_command": "sleep 30", "sandbox": "none"}
    build_id = (await started(client, options=options))["build_id"]
    while (await client.get(f"/api/build/{build_id}")).json["phase"] == "planning":
        await stepped(client, build_id)
    body = {"build_id": build_id}
    answer = await client.post("/api/build/step", body, params={"wait_seconds": 0.3})
    assert (answer.status, answer.headers["location"]) == (202, f"/api/build/{build_id}")
    assert (answer.json["phase"], answer.json["current_task_id"]) == ("implementing", "a")
    pending = await client.post("/api/build/step", body)
    assert (pending.status, pending.json["code"], pending.json["state"]) == (409, "illegal-move", "implementing")
    aborted = await client.post(f"/api/build/{build_id}/abort")
    assert (aborted.status, aborted.json["phase"]) == (200, "aborted")
    again = await client.post(f"/api/build/{build_id}/abort")
    assert (again.status, again.json["phase"]) == (200, "aborted")


async def test_a_build_that_nothing_was_asked_of_can_be_aborted(served: Served) -> None:
    build_id = (await started(served.client))["build_id"]
    aborted = await served.client.post(f"/api/build/{build_id}/abort")
    assert (aborted.status, aborted.json["phase"]) == (200, "aborted")
    assert (await served.client.get(f"/api/build/{build_id}/can-publish")).json["reasons"][0].endswith("aborted)")


async def test_the_history_comes_in_pages_each_event_with_its_phase(served: Served) -> None:
    client = served.client
    build = await started(client)
    build_id = build["build_id"]
    while build["phase"] != "ready":
        build = await stepped(client, build_id)
    whole = (await client.get(f"/api/build/{build_id}", params={"history_limit": 500})).json
    assert whole["history_next"] is None
    assert whole["history"][-1]["phase"] == "ready"
    paged: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = (await client.get(f"/api/build/{build_id}", params={"history_after": after, "history_limit": 3})).json
        assert len(page["history"]) <= 3
        paged += page["history"]
        after = page["history_next"]
    assert paged == whole["history"]
    beyond = (await client.get(f"/api/build/{build_id}", params={"history_after": 10**9})).json
    assert (beyond["history"], beyond["history_next"]) == ([], None)
    for query in ({"history_after": -1}, {"history_limit": 0}, {"history_limit": 501}, {"history_after": 2**64}):
        assert (await client.get(f"/api/build/{build_id}", params=query)).status == 422


async def test_another_users_build_is_forbidden_and_an_unknown_one_is_not_found(served: Served) -> None:
    build_id = (await started(served.client))["build_id"]
    bob, nobody = await served.user("bob"), await served.user("")
    for client, whose, code in (
        (bob, build_id, 403),
        (bob, str(uuid.uuid4()), 404),
        (nobody, build_id, 401),
        (served.client, "a%00b", 422),
    ):
        answers = [
            await client.get(f"/api/build/{whose}"),
            await client.get(f"/api/build/{whose}/can-publish"),
            await client.post(f"/api/build/{whose}/abort"),
            await client.post("/api/build/step", {"build_id": whose}),
        ]
        for answer in answers:
            assert answer.status == code, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json["correlationId"]


@pytest.mark.parametrize(
    "change",
    [
        {"project_id": ""},
        {"project_id": None},
        {"seed": None},
        {"seed": {}, "tasks": []},
        {"seed": {"brief": {}}},
        {"seed": {"brief": {"title": "x", "odd": 1}}},
        {"seed": {"odd": {}}},
        {"seed": {"brief": {"title": "a\u0000b"}}},
        {"tasks": [{"id": "a", "title": "x", "depends_on": ["a"]}]},
        {"repository": "/etc"},
        {"repository": "~/x"},
        {"options": {"odd": 1}},
        {"odd": 1},
    ],
)
async def test_a_start_with_bad_input_is_refused(served: Served, change: dict[str, Any]) -> None:
    body = {"project_id": "p", "seed": SEED, "tasks": TASKS, "options": NOTHING, **change}
    answer = await served.client.post("/api/build/start", body)
    assert answer.status == 422, answer.text
    assert answer.json["fix"]


async def test_a_step_with_bad_input_is_refused(served: Served) -> None:
    build_id = (await started(served.client))["build_id"]
    bodies: list[Any] = [
        {},
        {"build_id": build_id, "mode": "all"},
        {"build_id": build_id, "odd": 1},
        {"build_id": "a/b"},
        [],
    ]
    for body in bodies:
        answer = await served.client.post("/api/build/step", body)
        assert answer.status == 422, answer.text
    unread = await served.client.post("/api/build/step", data="{", headers={"content-type": "application/json"})
    assert unread.status == 422


async def test_a_seed_without_tasks_needs_a_model_to_plan_it(served: Served) -> None:
    answer = await served.client.post("/api/build/start", {"project_id": "p", "seed": SEED, "options": NOTHING})
    assert (answer.status, answer.json["code"]) == (422, "bad-settings")


async def test_a_start_and_a_step_with_a_key_happen_once(served: Served) -> None:
    client, body = served.client, {"project_id": "p", "seed": SEED, "tasks": TASKS, "options": NOTHING}
    first = await client.post("/api/build/start", body, headers={"Idempotency-Key": "s"})
    again = await client.post("/api/build/start", body, headers={"Idempotency-Key": "s"})
    assert (again.status, again.json, again.headers["idempotent-replayed"]) == (200, first.json, "true")
    step = {"build_id": first.json["build_id"]}
    one = await client.post("/api/build/step", step, headers={"Idempotency-Key": "t"})
    two = await client.post("/api/build/step", step, headers={"Idempotency-Key": "t"})
    assert two.json == one.json
    events = (await client.get(f"/api/builds/{step['build_id']}/events")).json["items"]
    assert [event["type"] for event in events].count("step.requested") == 1


async def test_a_project_of_another_user_cannot_be_built(served: Served) -> None:
    site = served.site
    project = await site.records.projects.create("bob", "Bob's", at=site.app.clock.now())
    body = {"project_id": project.id, "seed": SEED, "tasks": TASKS, "options": NOTHING}
    assert (await served.client.post("/api/build/start", body)).status == 403
    assert (await (await served.user("bob")).post("/api/build/start", body)).status == 200


async def test_a_build_that_runs_by_itself_takes_no_steps(served: Served) -> None:
    options = {**NOTHING, "agent": "shell", "agent_command": "sleep 30", "sandbox": "none"}
    answer = await served.client.post("/api/builds", {"title": "x", "tasks": TASKS, "options": options})
    build_id = answer.json["build_id"]
    step = await served.client.post("/api/build/step", {"build_id": build_id})
    assert (step.status, step.json["code"]) == (409, "illegal-move")
    assert step.json["state"]
    assert (await served.client.post(f"/api/builds/{build_id}/stop")).status == 200
