"""Contracts of projects over HTTP: made, changed, compared, exported, built from, and seen by nobody else."""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import Client, Served, serving
from tests.api.test_projects import create, end, get, options
from tests.git import git

ANSWERS = [
    {"section": "product_intent", "text": "A small house"},
    {"section": "database_schema", "text": "rooms (id, area)"},
    {"section": "phase_breakdown", "text": "Phase 1: Ground: lay `floor.txt`\nPhase 2: Roof: put `roof.txt` on top"},
]
AGENT = (
    'case "$BUILDWRIGHT_TASK_ID" in *lay*) echo x > floor.txt;; *) echo "$BUILDWRIGHT_TASK_ID" > roof.txt;; esac; '
    "grep -q 'small house' Forge/Contracts/blueprint.md"
)
LAY, PUT = "p1-lay-floor-txt", "p2-put-roof-txt-on-top"


@pytest.fixture
async def served(tmp_path: Path, kept_in: dict[str, str]) -> AsyncIterator[Served]:
    async with serving(tmp_path, **kept_in) as it:
        yield it


async def made(client: Client, name: str = "House") -> str:
    """The path of the contracts of a new project."""
    contracts = f"/projects/{await create(client, name)}/contracts"
    answer = await client.post(f"{contracts}/generate", {"answers": ANSWERS})
    assert answer.status == 200, answer.text
    assert [one["version"] for one in answer.json["contracts"]] == [1] * 10
    return contracts


async def put(client: Client, path: str, content: str, match: str = "") -> Any:
    headers = {"If-Match": match} if match else {}
    return await client.ask("PUT", path, {"content": content}, headers=headers)


async def test_contracts_are_made_listed_read_and_made_again(served: Served) -> None:
    client = served.client
    contracts = await made(client)
    listed = (await get(client, contracts))["items"]
    assert [(one["contract_type"], one["file"]) for one in listed][4:6] == [
        ("physics", "physics.yaml"),
        ("boundaries", "boundaries.json"),
    ]
    schema = await client.get(f"{contracts}/schema")
    assert schema.headers["etag"] == '"1"'
    lines = schema.json["content"].splitlines()
    assert lines[2] == '  - name: "rooms"'
    assert {"number": 3, "answers": ["A2"]} in schema.json["lines"]
    again = await client.post(f"{contracts}/generate", {"answers": ANSWERS})
    assert (again.json["contracts"], again.json["kept"]) == ([], [])
    changed = [*ANSWERS[:1], {"section": "database_schema", "text": "rooms (id, size)"}, ANSWERS[2]]
    again = await client.post(f"{contracts}/generate", {"answers": changed})
    assert [(one["contract_type"], one["version"]) for one in again.json["contracts"]] == [("schema", 2)]
    versions = (await get(client, contracts.removesuffix("/contracts")))["contracts"]
    assert (len(versions), versions["schema"], versions["ui"]) == (10, 2, 1)
    none = await client.post(f"/projects/{await create(client, 'Empty')}/contracts/generate", {})
    assert (none.status, none.json["code"]) == (422, "bad-spec")


async def test_an_edit_is_checked_versioned_and_never_lost(served: Served) -> None:
    client = served.client
    schema = f"{await made(client)}/schema"
    first = await put(client, schema, "tables:\n  - name: rooms\n", '"1"')
    assert (first.status, first.headers["etag"]) == (200, '"2"'), first.text
    late = await put(client, schema, "tables: []\n", '"1"')
    assert (late.status, late.json["code"]) == (409, "conflict")
    assert "version 2" in late.json["detail"]
    wrong = await put(client, schema, "tables:\n  - nome: rooms\n")
    assert (wrong.status, wrong.json["code"]) == (422, "bad-spec")
    assert "schema.yaml:2" in wrong.json["detail"]
    assert wrong.json["fix"]
    assert (await put(client, schema, "tables: []\n", "newest")).status == 422
    same = await put(client, schema, "tables:\n  - name: rooms\n")
    assert (same.json["contracts"], same.headers["etag"]) == ([], '"2"')
    assert [one["version"] for one in (await get(client, f"{schema}/versions"))["items"]] == [2, 1]
    diff = await get(client, f"{schema}/diff?old=1&new=2")
    assert (diff["old"], diff["new"]) == (1, 2)
    assert '-  - name: "rooms"' in diff["diff"]
    assert (await client.get(f"{schema}?version=7")).status == 404
    contracts = schema.removesuffix("/schema")
    kept = await client.post(f"{contracts}/generate", {"answers": ANSWERS})
    assert (kept.json["contracts"], kept.json["kept"]) == ([], ["schema"])
    anew = await client.post(f"{contracts}/generate", {"answers": ANSWERS, "replace_edited": True})
    assert [(one["contract_type"], one["version"]) for one in anew.json["contracts"]] == [("schema", 3)]


async def test_a_look_at_an_edit_checks_it_and_keeps_nothing(served: Served) -> None:
    client = served.client
    contracts = await made(client)
    look = f"{contracts}/schema?dry_run=true"
    would = await put(client, look, "tables:\n  - name: rooms\n", '"1"')
    assert [one["version"] for one in would.json["contracts"]] == [2]
    assert would.json["contracts"][0]["words"] == 4
    wrong = await put(client, look, "tables:\n  - nome: rooms\n")
    assert (wrong.status, wrong.json["code"]) == (422, "bad-spec")
    assert (await put(client, look, "tables: []\n", '"7"')).status == 409
    same = await put(client, look, (await get(client, f"{contracts}/schema"))["content"])
    assert (same.status, same.json["contracts"]) == (200, [])
    assert [one["version"] for one in (await get(client, f"{contracts}/schema/versions"))["items"]] == [1]
    assert (await get(client, f"{contracts}/draft"))["items"] == [], "there are no answers of an interview"
    assert (await (await served.user("bob")).get(f"{contracts}/draft")).status == 403


async def test_contracts_are_exported(served: Served) -> None:
    client = served.client
    contracts = await made(client)
    async with client.session.get(f"{client.address}{contracts}/export") as answer:
        assert (answer.status, answer.content_type) == (200, "application/zip")
        archive = zipfile.ZipFile(io.BytesIO(await answer.read()))
    assert len(archive.namelist()) == 10
    told = (await get(client, f"{contracts}/ui"))["content"]
    assert archive.read("Forge/Contracts/ui.md").decode() == told
    assert (await client.get(f"{contracts}/export?folder=../x")).status == 422
    assert (await client.get(f"/projects/{await create(client, 'Empty')}/contracts/export")).status == 404


async def test_a_build_runs_from_the_contracts_and_their_change_makes_its_work_stale(
    served: Served, repository: Path
) -> None:
    client = served.client
    contracts = await made(client)
    build = contracts.replace("/contracts", "/build")
    wish = {"target_type": "local_path", "target_ref": str(repository), "options": options(AGENT)}
    started = await client.post(build, wish)
    assert started.status == 202, started.text
    status = await end(client, build)
    assert status["status"] == "completed", status
    assert [(one["name"], one["done"]) for one in status["phases"]] == [("Phase 1: Ground", 1), ("Phase 2: Roof", 1)]
    branch = git(repository, "for-each-ref", "--format=%(refname)", "refs/heads/buildwright/").strip()
    assert git(repository, "log", "--reverse", "--format=%s", f"main..{branch}").splitlines() == [
        "Contracts: House",
        f"Task {LAY}: lay `floor.txt`",
        "forge: Phase 1 complete",
        f"Task {PUT}: put `roof.txt` on top",
        "forge: Phase 2 complete",
    ]
    phases = await get(client, f"{contracts}/phases")
    would = await put(
        client, f"{contracts}/phases?dry_run=true", phases["content"].replace("on top", "of straw on top"), '"1"'
    )
    assert [one["task"] for one in would.json["stale"]] == [PUT]
    assert (await get(client, f"{contracts}/phases"))["version"] == 1, "looking at it has kept it"
    assert (await get(client, f"{contracts}/stale"))["stale"] == []
    changed = await put(client, f"{contracts}/phases", phases["content"].replace("on top", "of straw on top"), '"1"')
    assert changed.json["build_id"] == started.json["build_id"]
    assert [(one["task"], one["landed"], one["files"]) for one in changed.json["stale"]] == [(PUT, True, ["roof.txt"])]
    assert changed.json["redoing"].startswith("1 more attempt: ")
    assert would.json["stale"] == changed.json["stale"] == (await get(client, f"{contracts}/stale"))["stale"]
    bob = await served.user("bob")
    assert (await bob.post(f"{contracts}/take")).status == 403
    taken = await client.post(f"{contracts}/take")
    assert taken.status == 200, taken.text
    assert (taken.json["build_id"], taken.json["stale"]) == (started.json["build_id"], changed.json["stale"])
    new = "p2-put-roof-txt-of-straw-on-top"
    assert (taken.json["added"], taken.json["dropped"]) == ([new], [])
    assert (await end(client, build))["status"] == "completed"
    assert git(repository, "show", f"{branch}-again1:roof.txt") == new
    assert (await get(client, f"{contracts}/stale"))["stale"] == []
    same = await client.post(f"{contracts}/take")
    assert (same.status, "has the contracts as they are now" in same.json["detail"]) == (422, True)


async def test_what_a_request_names_comes_before_the_contracts(served: Served, repository: Path) -> None:
    client = served.client
    contracts = await made(client)
    build = contracts.replace("/contracts", "/build")
    target = {"target_type": "local_path", "target_ref": str(repository)}
    both = await client.post(build, {**target, "contracts": True, "tasks": [{"id": "a", "title": "A"}]})
    assert (both.status, both.json["code"]) == (422, "refused")
    without = {**target, "contracts": True, "options": options()}
    empty = f"/projects/{await create(client, 'Empty')}"
    assert (await client.post(f"{empty}/contracts/take")).status == 404, "it has no build"
    none = await client.post(f"{empty}/build", without)
    assert (none.status, none.json["code"]) == (422, "bad-spec")
    for folder in ("../x", "/etc", ".github/workflows"):
        wish = {**target, "options": options(contracts_folder=folder)}
        assert (await client.post(build, wish)).status == 422, folder
    told = await client.post(build, {**target, "tasks": [{"id": "a", "title": "A"}], "options": options()})
    assert told.status == 202, told.text
    assert (await end(client, build))["phase_count"] == 1


async def test_a_spec_with_contracts_of_its_own_is_bounded_as_well(served: Served, repository: Path) -> None:
    contract = {"contract_type": "ui", "content": "x"}
    spec = {"title": "t", "graph": {"tasks": [{"id": "a", "title": "A"}]}}
    for folder in ("../x", ".git", ".github/workflows"):
        body = {
            "spec": {**spec, "contracts": {"folder": folder, "contracts": [contract]}},
            "repository": str(repository),
            "options": options(),
        }
        assert (await served.client.post("/api/builds", body)).status == 422, folder


async def test_a_comment_on_a_paragraph_is_kept_and_says_when_its_paragraph_has_changed(served: Served) -> None:
    client = served.client
    contracts = await made(client)
    schema = f"{contracts}/schema"
    lines = (await get(client, schema))["content"].splitlines()
    line = lines.index('  - name: "rooms"') + 1
    said = await client.post(f"{schema}/comments", {"first": line, "last": line, "text": " why rooms? "})
    assert said.status == 201, said.text
    assert (said.json["passage"], said.json["text"], said.json["version"]) == (lines[line - 1], "why rooms?", 1)
    assert (said.json["line"], said.json["changed_in"], said.json["resolved"]) == (line, 0, False)
    paragraph = await client.post(f"{contracts}/blueprint/comments", {"first": 1, "text": "good"})
    assert (paragraph.status, paragraph.json["first"]) == (201, 1)
    assert paragraph.json["last"] >= 1
    for body, status in (
        ({"first": 999, "text": "x"}, 422),
        ({"first": 1, "text": "  "}, 422),
        ({"first": 1, "text": "x", "version": 9}, 404),
    ):
        assert (await client.post(f"{schema}/comments", body)).status == status, body
    await put(client, schema, "# all of them\n" + "\n".join(lines) + "\n")
    (moved,) = (await get(client, f"{contracts}/comments?contract_type=schema"))["items"]
    assert (moved["line"], moved["changed_in"]) == (line + 1, 0)
    await put(client, schema, "tables:\n  - name: halls\n")
    everything = (await get(client, f"{contracts}/comments"))["items"]
    assert [(one["contract_type"], one["line"], one["changed_in"]) for one in everything] == [
        ("schema", 0, 3),
        ("blueprint", 1, 0),
    ]
    resolve = f"{contracts}/comments/{said.json['id']}/resolve"
    done = await client.post(resolve)
    assert (done.status, done.json["resolved"], done.json["resolved_by"]) == (200, True, done.json["by"])
    assert [one["contract_type"] for one in (await get(client, f"{contracts}/comments"))["items"]] == ["blueprint"]
    assert len((await get(client, f"{contracts}/comments?resolved=true"))["items"]) == 2
    assert (await client.post(resolve, {"resolved": False})).json["resolved"] is False
    assert (await client.post(f"{contracts}/comments/none/resolve")).status == 404


async def test_members_comment_and_viewers_read(served: Served) -> None:
    contracts = await made(served.client)
    project = contracts.removesuffix("/contracts")
    bob, eve = await served.user("bob"), await served.user("eve")
    for client in (bob, eve):
        assert (await client.get("/auth/me")).status == 200
    for user, role in (("bob", "member"), ("eve", "viewer")):
        shared = await served.client.ask("PUT", f"{project}/members/{user}", {"role": role})
        assert shared.status == 200, shared.text
    said = await bob.post(f"{contracts}/ui/comments", {"first": 1, "text": "by bob"})
    assert (said.status, said.json["by"]) == (201, "bob")
    assert (await bob.ask("PUT", f"{contracts}/ui", {"content": "# x\n"})).status == 403
    assert [one["text"] for one in (await get(eve, f"{contracts}/comments"))["items"]] == ["by bob"]
    assert (await eve.post(f"{contracts}/ui/comments", {"first": 1, "text": "no"})).status == 403
    assert (await eve.post(f"{contracts}/comments/{said.json['id']}/resolve")).status == 403
    assert (await bob.post(f"{contracts}/comments/{said.json['id']}/resolve")).json["resolved_by"] == "bob"


async def test_nobody_else_sees_or_changes_them(served: Served) -> None:
    contracts = await made(served.client)
    bob = await served.user("bob")
    for method, path, body in (
        ("GET", "", None),
        ("GET", "/ui", None),
        ("GET", "/export", None),
        ("GET", "/stale", None),
        ("GET", "/comments", None),
        ("POST", "/ui/comments", {"first": 1, "text": "x"}),
        ("POST", "/comments/x/resolve", None),
        ("PUT", "/ui", {"content": "x"}),
        ("POST", "/generate", {"answers": ANSWERS}),
    ):
        answer = await bob.ask(method, contracts + path, body)
        assert answer.status == 403, (method, path)
        assert "small house" not in answer.text
    assert (await served.client.get(f"{contracts}/ui")).json["version"] == 1
