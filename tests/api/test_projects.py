"""Projects and their builds over HTTP: real builds by the shell agent on real repositories."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from buildwright.api.app import fastapi_for
from tests.api.conftest import WRITES, Client, Served, serving
from tests.git import git

OVER = {"completed", "failed", "cancelled"}
TASKS = [
    {"id": "a", "title": "First", "milestone": "Ground"},
    {"id": "b", "title": "Second", "milestone": "Roof", "depends_on": ["a"]},
]
B_NEEDS_ADVICE = (
    'if [ "$BUILDWRIGHT_TASK_ID" = b ] && ! grep -q "use a hammer" "$BUILDWRIGHT_PROMPT_FILE"; then exit 3; fi; '
    + WRITES
)
B_FAILS_ONCE = f'if [ "$BUILDWRIGHT_TASK_ID" = b ] && [ "$BUILDWRIGHT_ATTEMPT" = 1 ]; then exit 3; fi; {WRITES}'


def options(command: str = WRITES, **more: object) -> dict[str, object]:
    """The shell agent, without walls, one attempt at each task, and a check that passes."""
    check = {"name": "there", "command": "test -f README.md"}
    given = {
        "agent": "shell",
        "agent_command": command,
        "sandbox": "none",
        "checks": [check],
        "limits": {"attempts": 1},
    }
    return {**given, **more}


async def ask(client: Client, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
    """Status and JSON of an answer. The path goes out as it is written."""
    url = URL(client.address + path, encoded=True)
    async with client.session.request(method, url, json=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def get(client: Client, path: str) -> Any:
    """The JSON of an answer that must be good."""
    status, found = await ask(client, "GET", path)
    assert status == 200, found
    return found


async def create(client: Client, name: str = "House", **fields: object) -> str:
    status, project = await ask(client, "POST", "/projects", {"name": name, **fields})
    assert status == 201, project
    return str(project["id"])


async def begin(client: Client, project: str, repository: Path, **fields: object) -> str:
    """A build of a local repository; its place."""
    wish = {"target_type": "local_path", "target_ref": str(repository), "tasks": TASKS, "options": options(), **fields}
    status, started = await ask(client, "POST", f"/projects/{project}/build", wish)
    assert status == 202, started
    return f"/projects/{project}/build"


async def reach(client: Client, build: str, *wanted: str) -> Any:
    """The status, once it is one of those."""
    async with asyncio.timeout(60):
        while (status := await get(client, f"{build}/status"))["status"] not in wanted:
            assert status["status"] not in OVER, status
            await asyncio.sleep(0.05)
    return status


async def end(client: Client, build: str) -> Any:
    return await reach(client, build, *OVER)


# --- Projects ------------------------------------------------------------------------------------------------------


async def test_a_project_is_created_once_listed_and_read(served: Served) -> None:
    client = served.client
    wish = {
        "name": "  House ",
        "description": "Small",
        "target_type": "local_path",
        "target_ref": "/x",
        "spec": "# Build it",
    }
    async with client.session.post(
        client.address + "/projects", json=wish, headers={"Idempotency-Key": "one"}
    ) as answer:
        created = await answer.json()
        assert answer.status == 201
        assert answer.headers["Location"] == f"/projects/{created['id']}"
    status, again = await ask(client, "POST", "/projects", wish, **{"Idempotency-Key": "one"})
    assert (status, again) == (201, created)
    status, reused = await ask(client, "POST", "/projects", {"name": "Other"}, **{"Idempotency-Key": "one"})
    assert (status, reused["code"]) == (422, "key-reused")
    assert created == {
        **created,
        "name": "House",
        "description": "Small",
        "status": "draft",
        "target_type": "local_path",
        "target_ref": "/x",
        "spec": "# Build it",
        "tasks": None,
        "build": None,
    }
    assert await get(client, f"/projects/{created['id']}") == created
    listed = await get(client, "/projects")
    assert [project["id"] for project in listed["items"]] == [created["id"]]
    assert listed["next_cursor"] is None
    assert "spec" not in listed["items"][0]


async def test_projects_come_in_pages_newest_first(served: Served) -> None:
    made = [await create(served.client, f"Project {number}") for number in range(5)]
    seen: list[str] = []
    cursor: str | None = ""
    for _ in range(3):
        page = await get(served.client, f"/projects?limit=2&cursor={cursor}")
        seen += [project["id"] for project in page["items"]]
        cursor = page["next_cursor"]
    assert seen == made[::-1]
    assert cursor is None
    status, problem = await ask(served.client, "GET", "/projects?cursor=nonsense!")
    assert (status, problem["code"]) == (422, "refused")


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({}, "invalid-input"),
        ({"name": " "}, "invalid-input"),
        ({"name": "x", "owner": "bob"}, "invalid-input"),
        ({"name": "a\0b"}, "invalid-input"),
        ({"name": "\ud800"}, "invalid-input"),
        ({"name": "x" * 201}, "invalid-input"),
        ({"name": "x", "target_type": "ftp"}, "invalid-input"),
        ({"name": "x", "target_type": "github_new", "target_ref": "new"}, "bad-repository"),
        ({"name": "x", "target_type": "local_path", "target_ref": "relative"}, "bad-repository"),
        ({"name": "x", "spec": "# A", "tasks": []}, "refused"),
    ],
)
async def test_a_project_that_makes_no_sense_is_refused(served: Served, wish: Mapping[str, object], code: str) -> None:
    status, problem = await ask(served.client, "POST", "/projects", wish)
    assert (status, problem["code"]) == (422, code)
    assert problem["fix"]
    assert (await get(served.client, "/projects"))["items"] == []


# --- Whose it is ---------------------------------------------------------------------------------------------------

ANSWER = {"section": "product_intent", "text": "It counts bricks."}
PATHS: dict[tuple[str, str], object] = {
    ("GET", ""): None,
    ("GET", "/page"): None,
    ("POST", "/build"): {"spec": "# A"},
    ("POST", "/build/plan"): {"spec": "# A"},
    ("POST", "/build/cancel"): None,
    ("GET", "/build/status"): None,
    ("GET", "/build/logs"): None,
    ("POST", "/build/resume"): {"action": "retry"},
    ("POST", "/build/interject"): {"message": "Hello"},
    ("GET", "/build/files"): None,
    ("GET", "/build/files/README.md"): None,
    ("GET", "/build/summary"): None,
    ("GET", "/build/instructions"): None,
    ("POST", "/contracts/generate"): {"answers": [ANSWER], "replace_edited": True},
    ("GET", "/contracts"): None,
    ("GET", "/contracts/draft"): None,
    ("GET", "/contracts/stale"): None,
    ("POST", "/contracts/take"): None,
    ("GET", "/contracts/export"): None,
    ("GET", "/contracts/ui"): None,
    ("PUT", "/contracts/ui"): {"content": "# Mine\n"},
    ("POST", "/contracts/ui/rewrite"): {"text": "Say more.", "first": 1},
    ("GET", "/contracts/ui/versions"): None,
    ("GET", "/contracts/ui/diff"): None,
    ("POST", "/questionnaire"): {"message": "hello"},
    ("GET", "/questionnaire/state"): None,
    ("PUT", "/questionnaire/answers/A1"): {"text": "Mine."},
    ("GET", "/contracts/comments"): None,
    ("POST", "/contracts/comments/x/resolve"): None,
    ("POST", "/contracts/ui/comments"): {"first": 1, "text": "x"},
    ("GET", "/members"): None,
    ("POST", "/leave"): None,
    ("PUT", "/members/bob"): {"role": "viewer"},
    ("DELETE", "/members/bob"): None,
}
NAMED = {"{path}": "README.md", "{contract_type}": "ui", "{answer_id}": "A1", "{user_id}": "bob", "{comment_id}": "x"}
"""What stands in those paths for what a path has in it."""


def test_every_path_of_a_project_is_tried_for_whose_it_is() -> None:
    described = fastapi_for().openapi()["paths"]
    there = {
        (method.upper(), re.sub(r"\{\w+\}", lambda found: NAMED[found[0]], path.removeprefix("/projects/{project_id}")))
        for path, methods in described.items()
        if path.startswith("/projects/{project_id}")
        for method in methods
    }
    assert there == set(PATHS)


async def test_another_user_gets_403_and_sees_nothing(served: Served, repository: Path) -> None:
    project = await create(served.client)
    build = await begin(served.client, project, repository)
    await end(served.client, build)
    wish = {"answers": [ANSWER]}
    status, made = await ask(served.client, "POST", f"/projects/{project}/contracts/generate", wish)
    assert status == 200, made
    kept = [await get(served.client, f"/projects/{project}/{what}") for what in ("contracts", "questionnaire/state")]
    bob = await served.user("bob")
    for (method, path), body in PATHS.items():
        status, problem = await ask(bob, method, f"/projects/{project}{path}", body)
        assert (status, problem["code"]) == (403, "forbidden"), path
    now = [await get(served.client, f"/projects/{project}/{what}") for what in ("contracts", "questionnaire/state")]
    assert now == kept
    assert kept[0]["items"]
    assert (await get(bob, "/projects"))["items"] == []


async def test_without_a_build_or_a_project_there_is_404(served: Served) -> None:
    project = await create(served.client)
    for (method, path), body in PATHS.items():
        if path.startswith("/build/") and path != "/build/plan":  # that is of a build to come
            status, problem = await ask(served.client, method, f"/projects/{project}{path}", body)
            assert (status, problem["code"], problem["fix"]) == (
                404,
                "not-found",
                f"start one: POST /projects/{project}/build",
            ), path
        status, problem = await ask(served.client, method, f"/projects/none{path}", body)
        assert (status, problem["code"]) == (404, "not-found"), path


# --- A build -------------------------------------------------------------------------------------------------------


async def test_a_build_in_a_local_repository_from_start_to_instructions(served: Served, repository: Path) -> None:
    client = served.client
    project = await create(client)
    wish = {"target_type": "local_path", "target_ref": str(repository), "tasks": TASKS, "options": options()}
    async with client.session.post(
        client.address + f"/projects/{project}/build", json=wish, headers={"Idempotency-Key": "k"}
    ) as answer:
        started = await answer.json()
        assert answer.status == 202
        assert answer.headers["Location"] == f"/projects/{project}/build/status"
    assert started == {"build_id": started["build_id"], "project_id": project, "status": "pending"}
    status, again = await ask(client, "POST", f"/projects/{project}/build", wish, **{"Idempotency-Key": "k"})
    assert (status, again) == (202, started)

    build = f"/projects/{project}/build"
    found = await end(client, build)
    assert found == {
        **found,
        "build_id": started["build_id"],
        "project_id": project,
        "title": "House",
        "status": "completed",
        "stage": "finished",
        "phase": "Roof",
        "phase_number": 2,
        "phase_count": 2,
        "progress": 100,
        "active": False,
        "loop_count": 0,
        "tasks": {"done": 2},
        "paused_at": None,
        "pause_reason": "",
        "pause_phase": "",
        "pause_deadline": None,
        "options": [],
        "interjections_waiting": [],
        "error_detail": "",
    }
    assert [(phase["number"], phase["name"], phase["status"]) for phase in found["phases"]] == [
        (1, "Ground", "completed"),
        (2, "Roof", "completed"),
    ]
    assert found["started_at"] < found["completed_at"]

    shown = await get(client, f"/projects/{project}")
    assert (shown["status"], shown["build"]["status"]) == ("completed", "completed")
    assert shown["build"]["build_id"] == started["build_id"]
    assert (await get(client, "/projects"))["items"][0]["status"] == "completed"

    files = await get(client, f"{build}/files")
    assert files == {
        "items": [
            {"path": "a.txt", "size_bytes": 2, "language": "text"},
            {"path": "b.txt", "size_bytes": 2, "language": "text"},
        ],
        "next_cursor": None,
    }
    first = await get(client, f"{build}/files?limit=1")
    assert [file["path"] for file in first["items"]] == ["a.txt"]
    second = await get(client, f"{build}/files?limit=1&cursor={first['next_cursor']}")
    assert ([file["path"] for file in second["items"]], second["next_cursor"]) == (["b.txt"], None)
    file = await get(client, f"{build}/files/a.txt")
    assert file == {"path": "a.txt", "size_bytes": 2, "language": "text", "content": "a\n", "note": ""}

    summary = await get(client, f"{build}/summary")
    assert summary == {
        **summary,
        "build_id": started["build_id"],
        "status": "completed",
        "tasks": {"done": 2},
        "tasks_total": 2,
        "tokens": 0,
        "costs": [],
        "turns": 0,
        "attempts": 2,
        "loopbacks": 0,
        "pauses": 0,
        "files_written": 2,
        "commits": 4,  # two changes, and the marks of two phases
        "interjections": [],
    }
    assert summary["audits"]["failed"] == 0
    assert summary["audits"]["passed"] == summary["audits"]["total"] >= 2
    assert [phase["attempts"] for phase in summary["phases"]] == [1, 1]
    assert summary["seconds"] > 0
    assert summary["delivered"]["branch"] == f"buildwright/{started['build_id'][:8]}"

    told = await get(client, f"{build}/instructions")
    assert told["delivered"]
    assert told["branch"] == summary["delivered"]["branch"]
    take, test = told["steps"]
    assert (take["kind"], test["kind"], test["commands"]) == ("take", "test", ["test -f README.md"])
    assert all(f"    {command}" in told["markdown"] for step in told["steps"] for command in step["commands"])
    subprocess.run(["sh", "-ec", "\n".join((*take["commands"], *test["commands"]))], check=True, capture_output=True)
    assert (repository / "b.txt").read_text() == "b\n"


async def test_a_build_on_any_git_url_is_pushed_to_it(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(repository), str(tmp_path / "far.git"))
    address = f"file://{tmp_path / 'far.git'}"
    async with serving(tmp_path, BUILDWRIGHT_INSECURE_URLS="1") as served:
        client = served.client
        project = await create(client, target_type="github_existing", target_ref=address, tasks=TASKS)
        status, started = await ask(client, "POST", f"/projects/{project}/build", {"options": options()})
        assert status == 202, started
        build = f"/projects/{project}/build"
        assert (await end(client, build))["status"] == "completed"
        told = await get(client, f"{build}/instructions")
    assert git(tmp_path / "far.git", "show", f"{told['branch']}:b.txt") == "b"
    commands = told["steps"][0]["commands"]
    subprocess.run(["sh", "-ec", "\n".join(commands)], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "far" / "b.txt").read_text() == "b\n"


async def test_the_log_comes_in_pages_and_is_searched(served: Served, repository: Path) -> None:
    client = served.client
    project = await create(client)
    build = await begin(
        client, project, repository, options=options(f'echo "Hello from $BUILDWRIGHT_TASK_ID"; {WRITES}')
    )
    await end(client, build)
    whole = await get(client, f"{build}/logs?limit=500")
    assert whole["next_cursor"] is None
    seqs = [row["seq"] for row in whole["items"]]
    assert seqs == sorted(set(seqs))
    (row,) = [row for row in whole["items"] if row["message"] == "Hello from a"]
    assert row == {**row, "source": "agent", "level": "info", "kind": "said", "task": "a", "attempt": 1}
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await get(client, f"{build}/logs?limit=1&cursor={cursor}")
        assert len(page["items"]) == 1
        seen += [row["seq"] for row in page["items"]]
        cursor = page["next_cursor"]
    assert seen == seqs
    tail = await get(client, f"{build}/logs?limit=1&tail=true")
    assert [row["seq"] for row in tail["items"]] == seqs[-1:]
    for query, wanted in (
        ("search=hello%20FROM", ["Hello from a", "Hello from b"]),
        ("search=hello&task=b", ["Hello from b"]),
        ("search=hello&source=agent&level=info&tail=true&limit=1", ["Hello from b"]),
        ("search=hello&level=error", []),
        ("search=hello&source=engine", []),
    ):
        page = await get(client, f"{build}/logs?{query}")
        assert [row["message"] for row in page["items"]] == wanted, query
    for query in ("level=loud", "limit=0", "limit=501", "cursor=%00", "search=a%00b", "cursor=MQ%3D%3D%3D%3D"):
        status, problem = await ask(client, "GET", f"{build}/logs?{query}")
        assert status == 422, (query, problem)


# --- Pauses --------------------------------------------------------------------------------------------------------


async def paused(client: Client, repository: Path, command: str = B_NEEDS_ADVICE) -> tuple[str, Any]:
    """A build that is paused because its second task has failed."""
    build = await begin(client, await create(client), repository, options=options(command))
    return build, await reach(client, build, "paused")


async def test_a_failure_pauses_the_build_and_the_status_says_all(served: Served, repository: Path) -> None:
    build, status = await paused(served.client, repository)
    assert status == {
        **status,
        "status": "paused",
        "phase": "Roof",
        "phase_number": 2,
        "phase_count": 2,
        "progress": 50,
        "active": False,
        "loop_count": 1,
        "tasks": {"done": 1, "failed": 1},
        "pause_kind": "failure",
        "pause_phase": "Roof",
        "pause_task": "b",
        "options": ["retry", "retry_with_message", "skip", "abort"],
        "completed_at": None,
    }
    assert "task b failed after 1 attempt" in status["pause_reason"]
    assert [phase["status"] for phase in status["phases"]] == ["completed", "paused"]
    assert status["paused_at"] < status["pause_deadline"]
    code, problem = await ask(served.client, "POST", f"{build}/interject", {"message": "Hello"})
    assert (code, problem["code"], problem["state"]) == (409, "illegal-move", "paused")
    code, problem = await ask(
        served.client, "POST", f"{build}/resume", {"action": "retry_with_message", "message": " "}
    )
    assert (code, problem["code"]) == (422, "invalid-input")
    code, problem = await ask(served.client, "POST", f"{build}/resume", {"action": "skip_phase"})
    assert (code, problem["code"]) == (422, "invalid-input")
    assert (await get(served.client, f"{build}/status"))["status"] == "paused"
    await ask(served.client, "POST", f"{build}/cancel")
    await end(served.client, build)


@pytest.mark.parametrize(
    ("answer", "command", "ends", "files", "loopbacks"),
    [
        ({"action": "retry"}, B_FAILS_ONCE, "completed", ["a.txt", "b.txt"], 1),
        (
            {"action": "retry_with_message", "message": "use a hammer"},
            B_NEEDS_ADVICE,
            "completed",
            ["a.txt", "b.txt"],
            1,
        ),
        ({"action": "skip"}, B_NEEDS_ADVICE, "completed", ["a.txt"], 1),
        ({"action": "abort", "message": "too dear"}, B_NEEDS_ADVICE, "failed", ["a.txt"], 1),
    ],
    ids=lambda value: value["action"] if isinstance(value, dict) else None,
)
async def test_each_answer_to_a_pause(
    served: Served, repository: Path, answer: dict[str, str], command: str, ends: str, files: list[str], loopbacks: int
) -> None:
    client = served.client
    build, _ = await paused(client, repository, command)
    code, resumed = await ask(client, "POST", f"{build}/resume", answer, **{"Idempotency-Key": "r"})
    assert code == 200, resumed
    assert resumed.keys() == {"build_id", "project_id", "status"}
    assert await ask(client, "POST", f"{build}/resume", answer, **{"Idempotency-Key": "r"}) == (200, resumed)
    status = await end(client, build)
    assert status["status"] == ends
    if ends == "failed":
        assert status["error_detail"] == "Build aborted by user at Roof: too dear"
    summary = await get(client, f"{build}/summary")
    commits = 2 * len(files)  # each file is a phase, which ends with its mark
    assert (summary["pauses"], summary["loopbacks"], summary["commits"]) == (1, loopbacks, commits)
    assert [file["path"] for file in (await get(client, f"{build}/files"))["items"]] == files
    code, problem = await ask(client, "POST", f"{build}/resume", answer)
    assert (code, problem["code"], problem["state"]) == (409, "illegal-move", ends)


async def test_a_pause_survives_a_restart_of_the_server(repository: Path, tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        build, before = await paused(served.client, repository)
    async with serving(tmp_path) as served:
        status = await get(served.client, f"{build}/status")
        assert (status["status"], status["paused_at"]) == ("paused", before["paused_at"])
        answer = {"action": "retry_with_message", "message": "use a hammer"}
        assert (await ask(served.client, "POST", f"{build}/resume", answer))[0] == 200
        assert (await end(served.client, build))["status"] == "completed"


# --- Messages, the end, limits -------------------------------------------------------------------------------------

LISTENS = 'until grep -q second "$BUILDWRIGHT_MESSAGES_FILE" 2>/dev/null; do sleep 0.05; done; ' + WRITES


async def test_messages_are_taken_in_and_receipted(served: Served, repository: Path) -> None:
    client = served.client
    build = await begin(client, await create(client), repository, tasks=TASKS[:1], options=options(LISTENS))
    await reach(client, build, "running")
    sent = []
    for message in ("the first thing", "the second thing"):
        code, told = await ask(
            client, "POST", f"{build}/interject", {"message": message}, **{"Idempotency-Key": message}
        )
        assert code == 202, told
        assert told == {**told, "status": "running"}
        assert await ask(
            client, "POST", f"{build}/interject", {"message": message}, **{"Idempotency-Key": message}
        ) == (
            202,
            told,
        )
        sent.append(told["message_id"])
    status = await end(client, build)
    assert (status["status"], status["interjections_waiting"]) == ("completed", [])
    receipts = (await get(client, f"{build}/summary"))["interjections"]
    assert [(one["id"], one["message"], one["delivered_to"]) for one in receipts] == [
        (sent[0], "the first thing", ["a"]),
        (sent[1], "the second thing", ["a"]),
    ]
    assert all(one["sent_at"] <= one["delivered_at"] for one in receipts)
    code, problem = await ask(client, "POST", f"{build}/interject", {"message": "late"})
    assert (code, problem["code"], problem["state"]) == (409, "illegal-move", "completed")
    for body in ({"message": ""}, {"message": " "}, {"message": "x" * 20_001}, {"message": "a\0"}, {}):
        assert (await ask(client, "POST", f"{build}/interject", body))[0] == 422


async def test_a_build_is_cancelled_and_again_is_harmless(served: Served, repository: Path) -> None:
    client = served.client
    build = await begin(client, await create(client), repository, options=options("sleep 60"))
    async with asyncio.timeout(30):
        while not (await get(client, f"{build}/status"))["active"]:
            await asyncio.sleep(0.05)
    for _ in range(2):
        code, answer = await ask(client, "POST", f"{build}/cancel")
        assert (code, answer["status"]) == (202, "cancelled")
    status = await end(client, build)
    assert (status["status"], status["error_detail"], status["active"]) == ("cancelled", "cancelled by the user", False)
    code, problem = await ask(client, "POST", f"{build}/resume", {"action": "retry"})
    assert (code, problem["state"]) == (409, "cancelled")
    told = await get(client, f"{build}/instructions")
    assert (told["delivered"], told["steps"][0]["title"]) == (False, "Nothing to take yet")


async def test_what_is_over_cannot_be_cancelled(served: Served, repository: Path) -> None:
    build = await begin(served.client, await create(served.client), repository)
    await end(served.client, build)
    code, problem = await ask(served.client, "POST", f"{build}/cancel")
    assert (code, problem["code"], problem["state"]) == (409, "illegal-move", "completed")
    assert problem["fix"].startswith("see GET /projects/")


async def test_one_build_at_a_time(served: Served, repository: Path) -> None:
    client = served.client
    first, other = await create(client, "One"), await create(client, "Two")
    build = await begin(client, first, repository, options=options("sleep 60"))
    running = (await get(client, f"{build}/status"))["build_id"]
    wish = {"target_type": "local_path", "target_ref": str(repository), "tasks": TASKS, "options": options()}
    status, problem = await ask(client, "POST", f"/projects/{other}/build", wish)
    assert (status, problem["code"]) == (409, "conflict")
    assert running in problem["detail"]
    assert problem["state"]
    await ask(client, "POST", f"{build}/cancel")
    await end(client, build)
    assert (await ask(client, "POST", f"/projects/{other}/build", wish))[0] == 202
    await end(client, f"/projects/{other}/build")


async def test_a_build_driven_by_hand_is_in_no_other_builds_way(served: Served, repository: Path) -> None:
    client = served.client
    hand = {"project_id": "hand", "seed": {"brief": {"title": "By hand"}}, "tasks": [{"id": "a", "title": "A"}]}
    started = await client.post("/api/build/start", {**hand, "options": {"agent": "noop", "lanes": False}})
    assert started.status == 200, started.text
    await begin(client, await create(client), repository)


async def test_a_build_of_no_project_is_in_no_project_builds_way(served: Served, repository: Path) -> None:
    client = served.client
    started = await client.post(
        "/api/builds", {"tasks": TASKS, "repository": str(repository), "options": options("exit 1")}
    )
    assert started.status == 202, started.text
    place = f"/api/builds/{started.json['build_id']}"
    while (await get(client, place))["control"] != "paused":
        await asyncio.sleep(0.05)
    build = await begin(client, await create(client), repository)
    assert (await end(client, build))["status"] == "completed"


async def test_so_many_builds_an_hour(repository: Path, tmp_path: Path) -> None:
    async with serving(tmp_path, BUILDWRIGHT_BUILDS_PER_HOUR="1") as served:
        project = await create(served.client)
        await end(served.client, await begin(served.client, project, repository))
        wish = {"target_type": "local_path", "target_ref": str(repository), "tasks": TASKS, "options": options()}
        async with served.client.session.post(
            served.client.address + f"/projects/{project}/build", json=wish
        ) as answer:
            assert answer.status == 429
            assert int(answer.headers["Retry-After"]) > 0
            assert (await answer.json())["code"] == "too-many"


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"target_type": "github_new", "target_ref": "new"}, "bad-repository"),
        ({"target_type": "local_path", "target_ref": "/etc"}, "bad-repository"),
        ({"target_type": "local_path", "target_ref": "target"}, "bad-repository"),
        ({"target_type": "github_existing", "target_ref": "ext::sh -c id"}, "bad-repository"),
        ({"target_type": "github_existing", "target_ref": ""}, "bad-repository"),
        ({"tasks": [{"id": "a", "title": "A", "depends_on": ["z"]}]}, "bad-spec"),
        ({"tasks": []}, "bad-spec"),
        ({"tasks": None}, "bad-spec"),
        ({"spec": "# Both"}, "refused"),
        ({"options": {"agent": "unheard-of"}}, "bad-settings"),
        ({"options": {"agent": "shell"}}, "bad-settings"),
        ({"options": {"limits": {"pause_seconds": 1e308}}}, "invalid-input"),
        ({"options": {"limits": {"attempts": 0}}}, "invalid-input"),
        ({"options": {"model": "a\0"}}, "invalid-input"),
        ({"options": {"root": True}}, "invalid-input"),
    ],
)
async def test_a_build_that_cannot_be_is_refused_and_never_made(
    served: Served, repository: Path, wish: dict[str, Any], code: str
) -> None:
    project = await create(served.client)
    target = {"target_type": "local_path", "target_ref": str(repository)}
    body = {**target, "tasks": TASKS, "options": options(), **wish}
    status, problem = await ask(served.client, "POST", f"/projects/{project}/build", body)
    assert (status, problem["code"]) == (422, code), problem
    assert problem["fix"]
    assert (await get(served.client, f"/projects/{project}"))["build"] is None


async def test_a_plain_folder_is_made_a_repository_and_the_files_appear_in_it(served: Served, tmp_path: Path) -> None:
    client, place = served.client, tmp_path / "shop" / "new"
    check = [{"name": "there", "command": "test -d ."}]
    again = {"tasks": [{"id": "b", "title": "B"}], "options": options("cat a.txt > b.txt", checks=check)}
    writes = options("echo one > a.txt", checks=check)
    project = await create(client)
    status = await end(client, await begin(client, project, place, options=writes, tasks=[{"id": "a", "title": "A"}]))
    assert status["status"] == "completed", status
    assert (place / "a.txt").read_text() == "one\n"
    told = await get(client, f"/projects/{project}/build/instructions")
    assert told["steps"][0]["commands"] == [f"cd {place}"]
    (place / "a.txt").write_text("two\n")
    git(place, "commit", "-qam", "mine")
    assert (await end(client, await begin(client, project, place, **again)))["status"] == "completed"
    assert (place / "b.txt").read_text() == "two\n"
    assert git(place, "status", "--porcelain") == ""

    old = tmp_path / "old"
    old.mkdir()
    (old / "kept.txt").write_text("kept\n")
    slow = options("cat kept.txt > a.txt; echo changed > " + str(old / "kept.txt"), checks=check)
    build = await begin(client, project, old, options=slow, tasks=[{"id": "a", "title": "A"}])
    paused = await reach(client, build, "paused")
    assert (old / "kept.txt").read_text() == "changed\n"
    assert "changed meanwhile" in json.dumps(paused)
    git(old, "stash", "-q")
    status, _ = await ask(client, "POST", f"{build}/resume", {"action": "retry"})
    assert status == 200
    assert (await end(client, build))["status"] == "completed"
    assert (old / "a.txt").read_text() == "kept\n"


@pytest.mark.parametrize("name", ["", ".hidden", "/etc/buildwright-shop"])
async def test_what_is_no_folder_of_a_project_is_not_made_one(served: Served, tmp_path: Path, name: str) -> None:
    place = str(tmp_path / name)
    body = {"target_type": "local_path", "target_ref": place, "tasks": TASKS, "options": options()}
    status, problem = await ask(served.client, "POST", f"/projects/{await create(served.client)}/build", body)
    assert (status, problem["code"]) == (422, "bad-repository"), problem
    assert not (Path(place) / ".git").exists()


async def test_a_stranger_runs_no_commands_here(served: Served, repository: Path) -> None:
    bob = await served.user("bob")
    wish = {"target_type": "local_path", "target_ref": str(repository), "tasks": TASKS, "options": options()}
    status, problem = await ask(bob, "POST", f"/projects/{await create(bob)}/build", wish)
    assert (status, problem["code"], problem["title"]) == (403, "forbidden", "You may not do this")


# --- Files ---------------------------------------------------------------------------------------------------------

MAKES_FILES = (
    "mkdir -p src && printf 'print(1)\\n' > src/app.py && head -c 1000001 /dev/zero | tr '\\0' x > big.txt && "
    "printf '\\377\\376' > raw.bin && ln -s /etc/passwd link && printf x > 'odd %2e name.txt' && rm -f README.md"
)


async def test_files_are_read_from_git_and_never_from_a_directory(
    served: Served, repository: Path, tmp_path: Path
) -> None:
    client = served.client
    (tmp_path / "outside.txt").write_text("secret")
    check = {"name": "there", "command": "test -f src/app.py"}
    build = await begin(
        client,
        await create(client),
        repository,
        tasks=TASKS[:1],
        options=options(MAKES_FILES, checks=[check], accept_base=True, gates=False),
    )
    assert (await end(client, build))["status"] == "completed"
    files = {file["path"]: file for file in (await get(client, f"{build}/files"))["items"]}
    assert files["src/app.py"] == {"path": "src/app.py", "size_bytes": 9, "language": "python"}
    assert files.keys() == {"src/app.py", "big.txt", "raw.bin", "link", "odd %2e name.txt"}

    async def read(raw: str) -> tuple[int, Any]:
        return await ask(client, "GET", f"{build}/files/{raw}")

    assert (await read("src/app.py"))[1]["content"] == "print(1)\n"
    assert (await read("src%2Fapp.py"))[1]["content"] == "print(1)\n"
    assert (await read("odd%20%252e%20name.txt"))[1]["content"] == "x"
    assert (await read("link"))[1]["content"] == "/etc/passwd"  # the link itself, not what it names
    big, raw = (await read("big.txt"))[1], (await read("raw.bin"))[1]
    assert (big["content"], big["size_bytes"], "1,000,001 bytes" in big["note"]) == (None, 1_000_001, True)
    assert (raw["content"], raw["note"]) == (None, "it is a binary file, which is not shown")
    for path in (
        *("README.md", "src", "nothing", "%252e%252e/outside.txt", "link/x", "HEAD:a", ".git/config"),
        *("%2e%2e/outside.txt", "..%2f..%2foutside.txt", "src/%2e%2e/src/app.py", "%2Fetc%2Fpasswd", "/etc/passwd"),
        *("a%00b", "src%5capp.py", "a//b", "", "%2e", "a%0Ab", "%ff%fe", f"{'a' * 256}", "--help", "src/app.py/"),
    ):
        status, problem = await read(path)
        assert status in {404, 422}, (path, problem)
        assert "secret" not in json.dumps(problem)


async def test_instructions_name_the_stack_that_the_project_has(served: Served, repository: Path) -> None:
    client = served.client
    (repository / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\n[tool.ruff]\n')
    (repository / "test_it.py").write_text("def test_it():\n    pass\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "More")
    wish = options()
    del wish["checks"]
    build = await begin(client, await create(client), repository, options={**wish, "gates": False})
    assert (await end(client, build))["status"] == "completed"
    stack = (await get(client, f"{build}/instructions"))["stack"]
    assert stack == {
        "languages": ["python"],
        "install": ["python -m pip install -e ."],
        "checks": ["ruff check --output-format=concise ."],
        "test": ["python -m pytest -q"],
        "build": [],
        "notes": [],
    }


async def test_each_phase_of_a_project_is_marked_in_the_history_unless_the_request_says_no(
    served: Served, repository: Path
) -> None:
    client = served.client
    project = await create(client)
    build = await begin(client, project, repository)
    await reach(client, build, "completed")
    branch = (await get(client, f"{build}/summary"))["delivered"]["branch"]
    subjects = git(repository, "log", "--format=%s", f"main..{branch}").splitlines()
    assert subjects == ["forge: Phase 2 complete", "Task b: Second", "forge: Phase 1 complete", "Task a: First"]
    assert (await get(client, f"{build}/summary"))["commits"] == 4
    plain = options(commits={"mark_phases": False})
    await begin(client, project, repository, options=plain)
    await reach(client, build, "completed")
    branch = (await get(client, f"{build}/summary"))["delivered"]["branch"]
    assert git(repository, "log", "--format=%s", f"main..{branch}").splitlines() == ["Task b: Second", "Task a: First"]
