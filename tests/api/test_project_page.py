"""What the pages of projects ask of a real server: targets as they are typed, what a project needs, its plan, its pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import SHELL, Client, Served, ended, serving

ACCEPT = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
BROWSER = {"headers": ACCEPT}
TASKS = [{"id": "page", "title": "Write the page", "requirements": ["R1"]}, {"id": "till", "title": "A till"}]


async def checked(client: Client, kind: str, ref: str) -> dict[str, Any]:
    answer = await client.post("/api/targets/check", {"target_type": kind, "target_ref": ref})
    assert answer.status == 200, answer.text
    return dict(answer.json)


async def project(client: Client, **more: Any) -> str:
    made = await client.post("/projects", {"name": "Guestbook", **more})
    assert made.status == 201, made.text
    return str(made.json["id"])


async def test_a_repository_by_its_name_is_on_the_github_that_the_server_has(tmp_path: Path) -> None:
    async with serving(tmp_path, GITHUB_API_URL="https://github.example.com/api/v3") as served:
        good = await checked(served.client, "github_existing", "acme/shop")
    assert (good["ok"], good["repository"]) == (True, "https://github.example.com/acme/shop.git")


async def test_only_the_address_of_github_matters_for_what_is_on_github(tmp_path: Path) -> None:
    wrong = "no address"
    async with serving(tmp_path, GITLAB_API_URL=wrong, GITEA_API_URL=wrong) as served:
        good = await checked(served.client, "github_existing", "acme/shop")
        assert (good["ok"], good["repository"]) == (True, "https://github.com/acme/shop.git")
    async with serving(tmp_path, GITHUB_API_URL=wrong) as served:
        bad = await checked(served.client, "github_existing", "acme/shop")
        assert (bad["ok"], bad["words"]) == (False, "GITHUB_API_URL is not the address of an API")
        assert "https://api.github.com" in bad["fix"]
        kinds = (await served.client.get("/api/targets")).json["items"]
        (new,) = (one for one in kinds if one["target_type"] == "github_new")
        assert (new["available"], new["why_not"]) == (False, "GITHUB_API_URL is not the address of an API.")


async def test_targets_are_checked_while_they_are_typed(served: Served, repository: Path, tmp_path: Path) -> None:
    good = await checked(served.client, "local_path", str(repository))
    assert (good["ok"], good["repository"]) == (True, str(repository))
    fresh = tmp_path / "fresh"
    new = await checked(served.client, "local_path", str(fresh))
    assert new["ok"]
    assert "nothing here yet" in new["words"]
    assert not fresh.exists(), "checking made something"
    remote = await checked(served.client, "github_existing", "ann/guestbook")
    assert remote["repository"] == "https://github.com/ann/guestbook.git"
    for kind, ref in (
        ("local_path", ""),
        ("local_path", "relative/path"),
        ("local_path", "/etc"),
        ("local_path", str(tmp_path / ".hidden")),
        ("github_existing", "/a/path"),
        ("github_existing", "https://127.0.0.1/x.git"),
        ("github_existing", "ext::sh -c id"),
    ):
        bad = await checked(served.client, kind, ref)
        assert not bad["ok"], (kind, ref)
        assert bad["words"]
        assert bad["fix"]
        assert bad["repository"] == ""
    bob = await served.user("bob")
    assert (await checked(bob, "github_existing", "bob/guestbook"))["ok"]


async def test_the_kinds_of_targets_say_which_are_there(served: Served) -> None:
    kinds = (await served.client.get("/api/targets")).json["items"]
    assert {one["target_type"] for one in kinds} == {"local_path", "github_existing", "github_new"}
    away = {one["target_type"]: one["why_not"] for one in kinds if not one["available"]}
    assert away == {"github_new": "This server has no GITHUB_TOKEN."}


async def test_folders_are_for_those_who_may_build_in_one(tmp_path: Path) -> None:
    async with serving(tmp_path, BUILDWRIGHT_ROOTS="", GITHUB_TOKEN="example-of-a-token") as served:
        kinds = (await (await served.user("bob")).get("/api/targets")).json["items"]
        away = [one["target_type"] for one in kinds if not one["available"]]
        assert away == ["local_path", "github_new"]
        assert all(one["why_not"] for one in kinds[1:])
        refused = await checked(await served.user("bob"), "local_path", str(tmp_path / "here"))
        assert "for you" in refused["words"]
        assert "BUILDWRIGHT_ROOTS names the folders for all users" in refused["fix"]
        assert all(one["available"] for one in (await served.client.get("/api/targets")).json["items"])


async def test_the_page_of_a_project_says_what_it_needs_and_what_a_build_would_be(
    served: Served, repository: Path
) -> None:
    empty = (await served.client.get(f"/projects/{await project(served.client)}/page")).json
    assert len(empty["needs"]) == 2
    assert empty["source"] == ""
    assert {step["name"]: step["state"] for step in empty["steps"]} == {
        "target": "open",
        "interview": "open",
        "contracts": "waits",
        "build": "waits",
    }
    name = await project(
        served.client, target_type="local_path", target_ref=str(repository), spec="# Guestbook\n\nLines are kept.\n"
    )
    page = (await served.client.get(f"/projects/{name}/page")).json
    assert page["needs"] == []
    assert page["source"] == "spec"
    assert page["spec"].startswith("# Guestbook")
    assert str(repository) in page["command"]
    assert page["defaults"]["may_run_commands"]
    assert "shell" in {one["name"] for one in page["defaults"]["agents"]}
    assert (await (await served.user("bob")).get(f"/projects/{name}/page")).status == 403


async def test_the_plan_of_a_project_is_shown_before_it_is_built(
    served: Served, repository: Path, tmp_path: Path
) -> None:
    name = await project(served.client, target_type="local_path", target_ref=str(repository), tasks=TASKS)
    answer = await served.client.post(f"/projects/{name}/build/plan", {"options": SHELL})
    assert answer.status == 200, answer.text
    assert [task["id"] for task in answer.json["tasks"]] == ["page", "till"]
    assert answer.json["estimate"]["tasks"] == 2
    fresh = await project(served.client, target_type="local_path", target_ref=str(tmp_path / "fresh"), tasks=TASKS)
    assert (await served.client.post(f"/projects/{fresh}/build/plan", {})).status == 200
    assert not (tmp_path / "fresh").exists()
    assert (await served.client.get("/api/builds")).json["items"] == []
    bob = await served.user("bob")
    theirs = await project(bob, target_type="github_existing", target_ref="ann/guestbook", tasks=TASKS)
    refused = await bob.post(f"/projects/{theirs}/build/plan", {"options": SHELL})
    assert refused.status == 403, refused.text


async def test_the_plan_of_a_build_is_a_table_that_says_what_may_change(served: Served, repository: Path) -> None:
    name = await project(served.client, target_type="local_path", target_ref=str(repository), tasks=TASKS)
    options = {**SHELL, "accept_base": True, "approve_plan": True, "checks": [{"name": "there", "command": "true"}]}
    build = (await served.client.post(f"/projects/{name}/build", {"options": options})).json["build_id"]
    assert (await ended(served.client, build))["pause"]["reason"] == "approval"
    path = f"/api/builds/{build}"
    table = (await served.client.get(f"{path}/plan/tasks")).json
    assert table["waits_for_approval"]
    assert [(row["task"]["id"], row["may_change"]) for row in table["rows"]] == [("page", True), ("till", True)]
    edited = {**table["rows"][1]["task"], "depends_on": ["page"]}
    assert (await served.client.post(f"{path}/task", {"tasks": [edited]})).status == 200
    without = (await served.client.get(f"{path}/plan/without/page")).json
    assert without["freed"] == ["till"]
    assert "till needs it" in without["words"]
    assert without["command"].startswith("buildwright task drop")
    circle = {**table["rows"][0]["task"], "depends_on": ["till"]}
    refused = await served.client.post(f"{path}/task", {"tasks": [circle]})
    assert refused.status in {400, 409, 422}
    assert "till" in refused.json["detail"]
    assert (await served.client.get(f"{path}/plan/without/nothing")).status == 404
    assert (await served.client.post(f"{path}/resume", {"choice": "go"})).status == 200
    assert (await ended(served.client, build))["outcome"] == "succeeded"
    rows = (await served.client.get(f"{path}/plan/tasks")).json["rows"]
    assert all(row["why_not"] and not row["may_change"] for row in rows)


@pytest.mark.parametrize("part", ["", "/interview", "/contracts"])
async def test_pages_and_programs_share_the_paths_of_a_project(served: Served, part: str) -> None:
    name = await project(served.client)
    token = served.site.signer.issue("ann", "sign-in", 600, served.site.app.clock.now())
    nobody = await served.user("")
    led = await nobody.get(f"/projects/{name}{part}", **BROWSER)
    assert led.status == 303
    assert led.headers["location"].startswith("/sign-in")
    signed = await nobody.post("/sign-in", None, data={"token": token, "next": f"/projects/{name}{part}"}, **BROWSER)
    assert signed.status == 303, signed.text
    assert signed.headers["location"] == f"/projects/{name}{part}"
    cookie = signed.headers["set-cookie"].partition(";")[0]
    page = await nobody.get(f"/projects/{name}{part}", headers={**ACCEPT, "cookie": cookie})
    assert page.status == 200
    assert page.text.startswith("<!doctype html>")
    assert "accept" in page.headers["vary"]
    program = await served.client.get(f"/projects/{name}{part}")
    assert program.status == (404 if part == "/interview" else 200)
    assert program.json
