"""Problems with a request itself say what is wrong in words that help, and where."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from buildwright.api.fixes import OWNER, answer_over_http, over_http
from buildwright.api.problems import _KINDS, CODES
from buildwright.core.limits import AsOption, marked
from buildwright.errors import CouldNot, Refused
from buildwright.http_client import _kind_of
from buildwright.views.project import BuildStatus
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


async def test_a_field_of_several_forms_is_named_without_the_insides_of_its_checks(served: Served) -> None:
    wrong = await served.client.post("/api/builds", {"spec": 5, "repository": "x"})
    assert (wrong.status, wrong.json["code"]) == (422, "invalid-input")
    assert wrong.json["errors"][0]["pointer"] == "/spec"
    assert wrong.json["detail"].startswith("/spec: ")
    assert "function" not in wrong.text
    assert {one["pointer"] for one in wrong.json["errors"]} == {"/spec"}, "no class of ours is part of it"
    listed = await served.client.post("/api/builds", {"spec": {"tasks": [{}]}, "options": {"max": {"x/y": 1}}})
    pointers = {one["pointer"] for one in listed.json["errors"]}
    assert pointers == {"/spec", "/spec/title", "/spec/tasks", "/options/max"}


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
            "tell an agent what to do: POST /api/builds/b-1/resume with `choice` retry and `message`",
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
        ("see `buildwright lessons list`", "see GET /api/lessons"),
        ("run `buildwright db migrate`", OWNER),
        (
            "get a new one: `buildwright token`, for a browser `buildwright token --sign-in`",
            "ask the owner of the server for a new token",
        ),
        ("wait a moment", "wait a moment"),
    ],
)
def test_a_fix_names_paths_and_fields(fix: str, said: str) -> None:
    assert over_http(fix) == said


def _texts() -> Iterator[tuple[str, str, bool]]:
    """Every text of the program below the command line: its place, the text, and whether it is given as a fix."""
    quiet = {"cli", "liars", "api", "supervisor", "maintenance"}  # these speak to whoever sits at the machine
    for file in sorted(SOURCE.rglob("*.py")):
        if file.relative_to(SOURCE).parts[0] in quiet:
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
        fixes = {id(part) for node in ast.walk(tree) if isinstance(node, ast.keyword | ast.Assign)
                 if "fix" in {getattr(node, "arg", ""), *(getattr(one, "id", "") for one in getattr(node, "targets", []))}
                 for part in ast.walk(node.value)}  # fmt: skip
        for node in ast.walk(tree):
            text = ""
            if isinstance(node, ast.JoinedStr):
                text = "".join(part.value if isinstance(part, ast.Constant) else "b1" for part in node.values)  # type: ignore[misc]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner | documents:
                text = node.value
            if text:
                yield f"{file.relative_to(SOURCE)}:{node.lineno}", text, id(node) in fixes  # type: ignore[attr-defined]


OF_THE_SERVER = re.compile(r"buildwright (?:db|cluster|worker|serve|doctor|token|prune|liars|evidence|secrets|hook)")
"""Commands that only a user of the server's machine can give: in a fix they become a word about the owner."""


def test_no_command_that_has_a_path_is_left_in_any_text() -> None:
    seen = 0
    for place, text, is_fix in _texts():
        for said in re.findall(r"`buildwright [^`]*`", text):
            seen += 1
            body = json.dumps({"fix" if is_fix else "message": text}).encode()
            after = answer_over_http(body).decode()
            assert OF_THE_SERVER.search(said) or "buildwright " not in after, f"{place}: {text}"
            assert OF_THE_SERVER.search(said) or OWNER not in after, f"{place}: {text}"
    assert seen > 50


def test_no_option_that_has_a_field_is_left_in_any_fix() -> None:
    known = {name for _, _, mark in marked(AsOption) for name in mark.names.split() if name.startswith("--")}
    seen = 0
    for place, text, is_fix in _texts():
        if is_fix and known & set(re.findall(r"(?<![\w-])--[a-z-]+", text)):
            seen += 1
            plain = re.sub(r"`(?!buildwright |--)[^`]*`", "", text)  # commands of other programs stay as they are
            after = answer_over_http(json.dumps({"fix": plain}).encode()).decode()
            assert not known & set(re.findall(r"(?<![\w-])--[a-z-]+", after)), f"{place}: {text}"
    assert seen > 15


def test_texts_of_users_and_tools_stay_as_they_are() -> None:
    body = {
        "message": "ruff format --check . failed: see `--check` and `cargo --base`",
        "spec": "say `buildwright status` in the README",
        "diff": "+run `buildwright resume b1 --retry`",
        "events": [{"message": "x. Fix: `git log --branch` or --check COMMAND"}],
    }
    said = json.loads(answer_over_http(json.dumps(body).encode()))
    assert {name: said[name] for name in ("message", "spec", "diff")} == {
        name: body[name] for name in ("message", "spec", "diff")
    }
    assert said["events"] == [{"message": "x. Fix: `git log --branch` or `options.checks` COMMAND"}]


@pytest.mark.parametrize("field", sorted(BuildStatus.model_fields.keys() & {"pause_reason", "error_detail"}))
def test_what_a_project_s_build_says_names_paths_too(field: str) -> None:
    body = json.dumps({field: "it goes in circles. Fix: tell it: `buildwright resume b-1 --retry -m TEXT`"}).encode()
    assert json.loads(answer_over_http(body)) == {
        field: "it goes in circles. Fix: tell it: POST /api/builds/b-1/resume with `choice` retry and `message`"
    }


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


async def test_what_a_paused_build_says_names_paths_wherever_it_says_it(served: Served, repository: Path) -> None:
    """A base without checks, whose pause names commands to the command line."""
    options = {"agent": "shell", "agent_command": "true", "sandbox": "none"}
    body = {
        "tasks": [{"id": "a", "title": "see `buildwright status`"}],
        "repository": str(repository),
        "options": options,
    }
    build_id = (await served.client.post("/api/builds", body)).json["build_id"]
    while (await served.client.get(f"/api/builds/{build_id}")).json["control"] != "paused":
        await asyncio.sleep(0.05)
    said = []
    for path in (f"/api/builds/{build_id}", f"/api/build/{build_id}", f"/api/builds/{build_id}/events"):
        answer = await served.client.get(path)
        assert answer.status == 200, path
        said.append(answer.text)
        whole = json.dumps(answer.json)
        assert "buildwright resume" not in whole, path
        assert "COMMAND --" not in whole, path
    assert f"POST /api/builds/{build_id}/resume with `options.checks`" in said[0]
    assert "see `buildwright status`" in said[0], "a user's own words"
    plain = await served.client.get(f"/api/builds/{build_id}", headers={"Prefer": "fix=commands"})
    assert f"`buildwright resume {build_id} --check COMMAND`" in plain.json["pause"]["message"]
    async with asyncio.timeout(20):
        stream = f"{served.address}/api/builds/{build_id}/stream?after=start&names=builder"
        async with served.client.session.get(stream) as frames:
            async for line in frames.content:
                if b"no tests or checks were found" in line:
                    assert b"options.checks" in line
                    assert b"buildwright resume" not in line
                    break
