"""Connected repositories over HTTP: webhooks that are signed, pushes that are audited, and what is kept from others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.api.conftest import SHELL, Answered, Client, Served, ended, serving
from tests.forges.github import ZEROS, Delivery, HostedGitHub
from tests.forges.served import TOKEN, Answer, forge_of
from tests.git import git

SECRET = 'password = "hunter2-AKIAIOSFODNN7EXAMPLF"\n'


@pytest.fixture
def github(tmp_path: Path) -> Iterator[HostedGitHub]:
    """GitHub, whose repository has one commit."""
    with forge_of(HostedGitHub, "github", tmp_path / "forge") as here:
        work = tmp_path / "work"
        git(tmp_path, "init", "-q", "-b", "main", str(work))
        (work / "README.md").write_text("# Shop\n")
        pushed(here, work, "main", "Start")
        yield here


def pushed(here: HostedGitHub, work: Path, branch: str, subject: str, *words: str) -> str:
    """Commit what is in the working tree, push it, and return the commit."""
    git(work, "add", "-A")
    git(work, "commit", "-q", "--allow-empty", "-m", subject)
    git(work, "push", "-q", *words, str(here.folder), f"HEAD:refs/heads/{branch}")
    return git(work, "rev-parse", "HEAD").strip()


@pytest.fixture
async def site(tmp_path: Path, github: HostedGitHub) -> AsyncIterator[Served]:
    async with serving(tmp_path, BUILDWRIGHT_PUBLIC_URL="https://build.example", **github.environment) as served:
        yield served


async def connected(site: Served) -> str:
    answer = await site.client.post("/repos/connect", {"name": "acme/shop"})
    assert answer.status == 201, answer.text
    return str(answer.json["id"])


async def sent(site: Served, delivery: Delivery) -> Answered:
    """The answer to a delivery, which nobody's token comes with."""
    nobody: Client = await site.user("")
    return await nobody.ask("POST", delivery.path, data=delivery.body, headers=delivery.headers)


async def over(site: Served, place: str) -> dict[str, Any]:
    """The newest audit below a path, once it has ended and the forge was told."""
    async with asyncio.timeout(60):
        while True:
            items = (await site.client.get(f"{place}/audits")).json["items"]
            if items and items[0]["completed_at"] and items[0]["told"]:
                return dict(items[0])
            await asyncio.sleep(0.05)


async def test_a_push_is_audited_once_and_the_forge_is_told(site: Served, github: HostedGitHub, tmp_path: Path) -> None:
    place = f"/repos/{await connected(site)}"
    (hook,) = github.hooks
    assert github.hooks[hook]["events"] == ["push"]
    assert (await sent(site, github.delivery(hook, "ping", {"zen": "Design for failure."}))).json["audits"] == []
    work = tmp_path / "work"
    before = git(work, "rev-parse", "HEAD").strip()
    (work / "settings.py").write_text(SECRET)
    pushed(github, work, "main", "One")
    (work / "more.py").write_text("import os\n")
    after = pushed(github, work, "main", "Two")
    delivery = github.delivery(hook, "push", github.push_body(before, after))
    first = await sent(site, delivery)
    assert (first.status, first.json["outcome"]) == (202, "queued"), first.text
    again = await sent(site, delivery)
    assert (again.status, again.json) == (202, {"outcome": "again", "audits": []})
    anew = await sent(site, github.delivery(hook, "push", github.push_body(before, after)))
    assert anew.json == {"outcome": "known", "audits": []}
    audit = await over(site, place)
    assert (audit["id"], audit["commit"], audit["base"]) == (first.json["audits"][0], after, before)
    results = {one["name"]: one["result"] for one in audit["checks"]}
    assert (audit["status"], results["secrets"], results["authorization"]) == ("failed", "failed", "passed")
    whole = (await site.client.get(f"{place}/audits/{audit['id']}")).json
    found = next(one for one in whole["checks"] if one["name"] == "secrets")["findings"]
    assert [(one["file"], one["line"]) for one in found] == [("settings.py", 1)]
    assert "hunter2" not in str(whole)
    assert [(one["state"], one["commit"]) for one in github.statuses] == [("pending", after), ("failure", after)]
    (run,) = github.check_runs
    assert (run["conclusion"], run["head_sha"], audit["told"]) == ("failure", after, "status and check run")
    assert [note["path"] for note in run["annotations"]] == ["settings.py"]
    shown = (await site.client.get(place)).json
    assert (shown["webhook"], shown["last_event"], shown["ignored"]) == ("working", "push", 0)


async def test_what_is_not_signed_is_refused_before_it_is_read(site: Served, github: HostedGitHub) -> None:
    place = f"/repos/{await connected(site)}"
    (hook,) = github.hooks
    good = github.delivery(hook, "push", github.push_body(ZEROS, github.commit_of("main")))
    forged = [
        github.delivery(hook, "push", github.push_body(ZEROS, github.commit_of("main")), secret="guessed"),
        good._replace(body=good.body.replace(b"main", b"mein")),
        good._replace(body=b"\xff not json"),
        good._replace(path=good.path.replace("repository=", "repository=x")),
        good._replace(path="/webhooks/github"),
        *(
            good._replace(headers={**good.headers, "X-Hub-Signature-256": text})
            for text in ("", "sha256=", good.headers["X-Hub-Signature-256"].removeprefix("sha256="), "sha1=00")
        ),
    ]
    for one in forged:
        answer = await sent(site, one)
        assert (answer.status, answer.json["code"]) == (401, "unauthorized"), one
    assert (await site.client.get(f"{place}/audits")).json["items"] == []
    assert (await sent(site, good)).json["outcome"] == "queued"


async def test_other_events_are_counted_and_nothing_else(site: Served, github: HostedGitHub) -> None:
    place = f"/repos/{await connected(site)}"
    (hook,) = github.hooks
    here = github.commit_of("main")
    for event, body, outcome in (
        ("star", {"action": "created"}, "ignored"),
        ("push", github.push_body(here, ZEROS, "old"), "nothing to do"),
        ("push", {**github.push_body(ZEROS, here), "ref": "refs/tags/v1"}, "nothing to do"),
    ):
        answer = await sent(site, github.delivery(hook, event, body))
        assert (answer.status, answer.json["outcome"]) == (202, outcome), answer.text
    shown = (await site.client.get(place)).json
    assert (shown["ignored"], shown["last_event"]) == (1, "push")
    refused = await sent(site, github.delivery(hook, "push", {"ref": "refs/heads/main", "after": "../../etc"}))
    assert refused.status == 422
    assert (await site.client.get(f"{place}/audits")).json["items"] == []


async def test_a_new_branch_and_a_forced_push(site: Served, github: HostedGitHub, tmp_path: Path) -> None:
    place = f"/repos/{await connected(site)}"
    (hook,) = github.hooks
    work = tmp_path / "work"
    start = git(work, "rev-parse", "HEAD").strip()
    git(work, "switch", "-q", "-c", "topic")
    (work / "a.txt").write_text("a\n")
    first = pushed(github, work, "topic", "Topic")
    await sent(site, github.delivery(hook, "push", github.push_body(ZEROS, first, "topic", commits=[{"id": first}])))
    audit = await over(site, place)
    assert (audit["base"], audit["status"], audit["branch"]) == (start, "passed", "topic"), audit
    git(work, "reset", "-q", "--hard", start)
    (work / "b.txt").write_text("b\n")
    second = pushed(github, work, "topic", "Topic anew", "--force")
    body = github.push_body(first, second, "topic", forced=True, commits=[{"id": second}])
    await sent(site, github.delivery(hook, "push", body))
    async with asyncio.timeout(60):
        while (audit := await over(site, place))["commit"] != second:
            await asyncio.sleep(0.05)
    assert (audit["base"], audit["status"]) == (first, "passed"), audit
    only = (await site.client.get(f"{place}/audits?branch=main")).json
    assert only == {"items": [], "next_cursor": ""}
    page = (await site.client.get(f"{place}/audits?limit=1")).json
    rest = await site.client.get(f"{place}/audits", params={"limit": 1, "cursor": page["next_cursor"]})
    assert [one["commit"] for one in (*page["items"], *rest.json["items"])] == [second, first]
    assert rest.json["next_cursor"] == ""


async def test_nobody_sees_or_ends_what_another_has_connected(site: Served, github: HostedGitHub) -> None:
    place = f"/repos/{await connected(site)}"
    other = await site.user("other")
    for answer in (
        await other.get(place),
        await other.get(f"{place}/audits"),
        await other.get(f"{place}/audits/x"),
        await other.post(f"{place}/disconnect"),
    ):
        assert (answer.status, answer.json["code"]) == (404, "not-found"), answer.text
    assert (await other.get("/repos/connected")).json == {"items": []}
    for answer in (await other.get("/repos"), await other.post("/repos/connect", {"name": "acme/shop"})):
        assert (answer.status, answer.json["code"]) == (422, "bad-settings"), answer.text
    assert len(github.hooks) == 1
    assert (await site.client.post("/repos/connect", {"name": "acme/shop"})).status == 409
    assert (await site.client.post(f"{place}/disconnect")).json["note"] == ""
    assert github.hooks == {}
    assert (await site.client.get(place)).status == 404
    assert TOKEN not in str(site.logged)


async def test_connecting_what_cannot_be_leaves_nothing(site: Served, github: HostedGitHub) -> None:
    refused = await site.client.post("/repos/connect", {"name": "acme"})
    assert refused.status == 422
    assert (await site.client.post("/repos/connect", {"name": "acme/other"})).status == 404
    github.administers = False
    answer = await site.client.post("/repos/connect", {"name": "acme/shop"})
    assert (answer.status, answer.json["code"]) == (403, "forbidden"), answer.text
    github.administers = True
    github.refusals = []
    said = {"message": "Validation Failed", "errors": [{"resource": "Hook", "message": "The limit is 20 hooks"}]}
    github.hook_refusal = Answer(422, said)
    answer = await site.client.post("/repos/connect", {"name": "acme/shop"})
    assert (answer.status, answer.json["code"]) == (502, "could-not"), answer.text
    assert "The limit is 20 hooks" in answer.json["detail"]
    assert (await site.client.get("/repos/connected")).json == {"items": []}


async def test_repositories_are_found_by_their_names(site: Served, github: HostedGitHub) -> None:
    github.others = [f"acme/thing-{number}" for number in range(230)]
    page = (await site.client.get("/repos?limit=2")).json
    assert [one["name"] for one in page["items"]] == ["acme/shop", "acme/thing-0"]
    assert page["next_cursor"] == "2"
    found = (await site.client.get("/repos?search=THING-22&limit=20")).json
    assert (len(found["items"]), found["next_cursor"]) == (11, "")
    await connected(site)
    assert (await site.client.get("/repos?limit=1")).json["items"][0]["connected"]


async def test_a_project_makes_its_repository_and_pushes_to_it(tmp_path: Path, github: HostedGitHub) -> None:
    more = {"BUILDWRIGHT_INSECURE_URLS": "1", "BUILDWRIGHT_PUBLIC_URL": "https://build.example"}
    async with serving(tmp_path, **more, **github.environment) as site:
        wish = {"name": "New", "target_type": "github_new", "tasks": [{"id": "a", "title": "First"}]}
        project = (await site.client.post("/projects", {**wish, "target_ref": "acme/new"})).json["id"]
        typed = {"target_type": "github_new", "target_ref": "acme/new"}
        checked = (await site.client.post("/api/targets/check", typed)).json
        assert (checked["ok"], checked["repository"]) == (True, "acme/new"), checked
        wrong = (await site.client.post("/api/targets/check", {**typed, "target_ref": "no name"})).json
        assert not wrong["ok"]
        adds = {"agent_command": 'echo "$BUILDWRIGHT_BUILD_ID" >> a.txt'}
        options = {**SHELL, **adds, "checks": [{"name": "tests", "command": "true"}]}
        planned = await site.client.post(f"/projects/{project}/build/plan", {"options": options})
        assert (planned.status, len(planned.json["tasks"])) == (200, 1), planned.text
        to_pull = {**options, "delivery": {"kind": "pr"}}
        refused = await site.client.post(f"/projects/{project}/build", {"options": to_pull})
        assert (refused.status, github.made) == (422, []), refused.text
        assert "push its result" in refused.json["fix"]
        for number, delivery in ((1, {"delivery": {"kind": "push"}}), (2, {})):
            begun = await site.client.post(f"/projects/{project}/build", {"options": {**options, **delivery}})
            assert begun.status in {200, 202}, begun.text
            end = await ended(site.client, begun.json["build_id"])
            assert end["outcome"] == "succeeded", (number, end["pause"])
            assert [(one["full_name"], one["private"]) for one in github.made] == [("acme/new", True)], number
        bare = github.folder.parent / "new.git"
        assert git(bare, "ls-tree", "--name-only", "main").split() == ["a.txt"]
        taken = (await site.client.post("/projects", {**wish, "target_ref": "acme/shop"})).json["id"]
        answer = await site.client.post(f"/projects/{taken}/build", {"options": options})
        assert (answer.status, answer.json["code"]) == (409, "conflict"), answer.text
        other = await site.user("other")
        foreign = (await other.post("/projects", {**wish, "target_ref": "acme/third"})).json["id"]
        assert (await other.post(f"/projects/{foreign}/build", {})).status == 422
        assert len(github.made) == 1


async def test_audits_are_told_live_to_their_user_alone(site: Served, github: HostedGitHub) -> None:
    place = f"/repos/{await connected(site)}"
    (hook,) = github.hooks
    other = await site.user("other")
    async with (
        site.client.session.ws_connect(f"{site.address}/ws?repositories=true") as mine,
        other.session.ws_connect(f"{site.address}/ws?repositories=true") as theirs,
    ):
        assert [(await one.receive_json())["type"] for one in (mine, theirs)] == ["hello", "hello"]
        await sent(site, github.delivery(hook, "push", github.push_body(ZEROS, github.commit_of("main"))))
        seen = [await mine.receive_json() for _ in range(3)]
        assert {one["type"] for one in seen} == {"push_audit"}
        assert [one["payload"]["status"] for one in seen] == ["queued", "running", "passed"]
        await over(site, place)
        with pytest.raises(TimeoutError):
            await theirs.receive(timeout=0.2)
    nobody = await site.user("")
    async with nobody.session.ws_connect(f"{site.address}/ws?repositories=true") as refused:
        await refused.receive()
        assert refused.close_code == 4401


async def test_an_app_needs_no_token_of_a_user_for_what_it_is_installed_for(
    tmp_path: Path, github: HostedGitHub
) -> None:
    made = rsa.generate_private_key(65537, 2048)
    own = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "app.pem").write_bytes(made.private_bytes(*own))
    public = made.public_key().public_bytes(own[0], serialization.PublicFormat.SubjectPublicKeyInfo)
    github.app_id, github.app_key, github.installation = "77", public.decode(), 5
    github.installation_token = TOKEN  # git over HTTP takes one token alone
    app = {
        "GITHUB_APP_ID": "77",
        "GITHUB_APP_KEY_FILE": str(tmp_path / "app.pem"),
        "GITHUB_WEBHOOK_SECRET": "app-secret",
    }
    more = {"BUILDWRIGHT_PUBLIC_URL": "https://build.example", **github.environment, **app}
    async with serving(tmp_path, **more) as site:
        place = f"/repos/{await connected(site)}"
        assert github.hooks == {}
        assert (await site.client.get(place)).json["by_app"] is True
        github.hooks["app"] = {"config": {"url": "https://build.example/webhooks/github", "secret": "app-secret"}}
        body = github.push_body(ZEROS, github.commit_of("main"))
        answer = await sent(site, github.delivery("app", "push", body))
        assert (answer.status, answer.json["outcome"]) == (202, "queued"), answer.text
        audit = await over(site, place)
        assert (audit["status"], audit["told"]) == ("passed", "status and check run"), audit
        assert github.tokens_given == 1
        unknown = {**body, "repository": {"full_name": "acme/other"}}
        assert (await sent(site, github.delivery("app", "push", unknown))).json["audits"] == []
        wrong = github.delivery("app", "push", body, secret="guessed")
        assert (await sent(site, wrong)).status == 401
