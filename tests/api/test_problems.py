"""Problems with a request itself say what is wrong in words that help, and where."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from buildwright.api.fixes import OWNER, over_http
from buildwright.api.problems import _KINDS, CODES
from buildwright.errors import CouldNot, Refused
from buildwright.http_client import _kind_of
from tests.api.conftest import NOTHING, Served

SOURCE = Path(__file__).parents[2] / "src" / "buildwright"


async def test_a_path_that_is_not_there_and_a_method_that_is_not_taken(served: Served) -> None:
    missing = await served.client.get("/nowhere")
    assert (missing.status, missing.json["code"], missing.json["detail"]) == (
        404,
        "not-found",
        "nothing is at this path",
    )
    wrong = await served.client.ask("DELETE", "/projects")
    assert (wrong.status, wrong.json["code"], wrong.headers["allow"]) == (405, "method-not-allowed", "GET, POST")
    assert wrong.json["detail"] == "this path takes GET, POST, not DELETE"
    described = await served.client.ask("POST", "/openapi.json")
    assert (described.status, described.headers["allow"]) == (405, "GET, HEAD")


async def test_a_body_that_is_no_json_says_where_it_breaks(served: Served) -> None:
    body = {"data": b'{"tasks": 3,', "headers": {"content-type": "application/json"}}
    broken = await served.client.post("/api/builds", **body)
    assert (broken.status, broken.json["code"]) == (422, "invalid-input")
    (only,) = broken.json["errors"]
    assert only["pointer"] == ""
    assert only["message"].startswith("the body is not JSON: ")
    assert only["message"].endswith("(at character 12)")
    assert broken.json["detail"] == only["message"]


async def test_what_the_store_says_of_itself_is_for_the_log(served: Served) -> None:
    with closing(sqlite3.connect(served.site.app.settings.database)) as database:
        database.execute("ALTER TABLE projects RENAME TO gone")
    failed = await served.client.get("/projects")
    assert (failed.status, failed.json["code"]) == (503, "store-failed")
    assert failed.headers["retry-after"] == "2"
    assert failed.json["detail"] == "the server cannot read or write what it keeps"
    assert "projects" not in failed.text
    told = [entry for entry in served.logged if entry.get("correlationId") == failed.json["correlationId"]]
    assert any(entry["event"] == "store-failed" and "projects" in entry["error"] for entry in told)


async def test_every_code_has_one_status(served: Served) -> None:
    assert {code: CODES[code] for code in ("not-found", "refused", "conflict", "too-large", "internal")} == {
        "not-found": 404,
        "refused": 422,
        "conflict": 409,
        "too-large": 413,
        "internal": 500,
    }
    assert (await served.client.get("/api/builds?limit=0")).json["code"] in CODES


def test_a_client_makes_the_same_error_of_each_code() -> None:
    assert [_kind_of(code, status) for _, status, code, _ in _KINDS] == [kind for kind, *_ in _KINDS]
    assert (_kind_of("bad-request", 400), _kind_of("internal", 500)) == (Refused, CouldNot)


@pytest.mark.parametrize(
    ("fix", "said"),
    [
        ("see `buildwright status b-1`, or start a new build", "see GET /api/builds/b-1, or start a new build"),
        ("see the list with `buildwright status`", "see the list with GET /api/builds"),
        ("continue with `buildwright resume b-1`", "continue with POST /api/builds/b-1/resume"),
        (
            "tell an agent what to do: `buildwright resume b-1 --retry -m TEXT`",
            "tell an agent what to do: POST /api/builds/b-1/resume with `choice` retry and a `message`",
        ),
        ("see `buildwright why b-1 a.b` for what does", "see GET /api/builds/b-1/why/a.b for what does"),
        ("start a new build with `--allow PATH`", "start a new build with `options.allow`"),
        ("start one with --by-hand", "start one with `options.by_hand`"),
        ("leave --task out", "leave `task` out"),
        ("add one with `buildwright task add b-1`", "add one with POST /api/builds/b-1/task"),
        (
            "have it done with `buildwright task redo b-1 TASK`",
            "have it done with POST /api/builds/b-1/redo with a `task`",
        ),
        ("say --with-dependents to take them back too", "say `with_dependents` to take them back too"),
        ("mend it and say --rebase", "mend it and say `rebase`"),
        ("run `buildwright db migrate`", OWNER),
        ("wait a moment", "wait a moment"),
    ],
)
def test_a_fix_names_paths_and_fields(fix: str, said: str) -> None:
    assert over_http(fix) == said


def test_no_command_of_the_engine_or_the_store_is_left_in_a_fix() -> None:
    for package in ("core", "engine", "store", "views", "wiring"):
        for file in (SOURCE / package).rglob("*.py"):
            for line in re.findall(r'fix(?: =|=)[^=]*?"(.*`buildwright .*)"', file.read_text(encoding="utf-8")):
                fix = re.sub(r"\{[^}]*\}", "b1", line)
                assert "buildwright" not in over_http(fix), f"{file.name}: {fix}"
                assert "db " in fix or "cluster" in fix or over_http(fix) != OWNER, f"{file.name}: {fix}"


async def test_an_answer_names_paths_unless_the_client_prefers_commands(served: Served) -> None:
    body = {"tasks": [{"id": "a", "title": "A"}], "options": NOTHING}
    build_id = (await served.client.post("/api/builds", body)).json["build_id"]
    stopped = f"/api/builds/{build_id}/stop"
    while (await served.client.get(f"/api/builds/{build_id}")).json["outcome"] == "":
        pass
    over = await served.client.post(stopped)
    assert (over.status, over.json["fix"]) == (409, f"see GET /api/builds/{build_id}, or start a new build")
    preferring = await served.client.post(stopped, headers={"Prefer": "fix=commands"})
    assert preferring.json["fix"] == f"see `buildwright status {build_id}`, or start a new build"
    missing = await served.client.get("/api/builds/nothing-like-it")
    assert (missing.status, missing.json["fix"]) == (404, "see the list with GET /api/builds")
