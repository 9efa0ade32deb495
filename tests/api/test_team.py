"""A team on one server: each route as each role, tokens that are taken back, users that are disabled and limited."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from buildwright.api.access import ACTS
from tests.api.conftest import NOTHING, OWNER, Client, Served, ended, serving
from tests.api.seeded import Seeds, seeded
from tests.api.test_authorization import Filled, read
from tests.api.walked import HTTP
from tests.api.walked import Path as Route

TASKS = [{"id": "a", "title": "First"}]
MEMBERS = {"vic": "viewer", "mem": "member", "mai": "maintainer"}
SHARED = tuple(
    one
    for one in HTTP
    if one.names_something
    and ("{build_id}" in one.path or "{project_id}" in one.path)
    and ACTS.get(one.path) != "leave"
)
"""The routes of a build or a project, but the one after which its caller has no role any more."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Filled]:
    """A server on which ann shares one of her projects with a user of each role; bob knows of nothing."""
    folder = tmp_path_factory.mktemp("shared")
    async with serving(folder, BUILDWRIGHT_ALLOW_COMMANDS="all") as served:
        seeds = await seeded(served.client, folder, served.site)
        for name, role in MEMBERS.items():
            assert (await (await served.user(name)).get("/auth/me")).status == 200
            given = await served.client.ask("PUT", f"/projects/{seeds.project}/members/{name}", {"role": role})
            assert given.status == 200, given.text
        seeds = replace(seeds, finished=seeds.project_build)
        yield Filled(served, seeds, await served.user(""), await served.user("bob"))


async def asked(client: Client, one: Route, seeds: Seeds) -> int:
    """The status of an answer; a stream is read for a moment."""
    if one.method == "GET":
        return await read(client, one.at(seeds))
    path = one.at(seeds).replace(f"/members/{OWNER}", "/members/bob")
    return (await client.ask(one.method, path, {})).status


@pytest.mark.asyncio(loop_scope="module")
async def test_each_route_as_each_role(shared: Filled) -> None:
    """Who sees a project reads all of it; what else a role allows is its act's, and 403 says who may."""
    served, seeds = shared.served, shared.seeds
    tried = 0
    for one in SHARED:
        act = ACTS.get(one.path, "change")
        reads = one.method in {"GET", "HEAD"}
        outside = await asked(shared.bob, one, seeds)
        is_page = one.path.endswith("/interview")  # which only a browser is given
        assert outside == (404 if is_page else 403), (one, outside)
        viewer = await asked(await served.user("vic"), one, seeds)
        assert (viewer == 403) is not reads, (one, viewer)
        member = await asked(await served.user("mem"), one, seeds)
        assert (member == 403) is (not reads and act not in {"say", "review", "start"}), (one, member)
        maintainer = await asked(await served.user("mai"), one, seeds)
        assert maintainer not in {401, 403}, (one, maintainer)
        if reads:
            assert viewer == member == maintainer == await asked(served.client, one, seeds), one
        tried += 4
    print(f"\n{tried} requests to {len(SHARED)} routes")
    assert len(SHARED) > 60


@pytest.mark.asyncio(loop_scope="module")
async def test_lists_and_streams_have_what_is_shared(shared: Filled) -> None:
    served, seeds = shared.served, shared.seeds
    for name in MEMBERS:
        client = await served.user(name)
        found = {one["build_id"] for one in (await client.get("/api/builds")).json["items"]}
        assert seeds.project_build in found
        assert not found & {seeds.paused, seeds.by_hand}
        assert seeds.project in {one["id"] for one in (await client.get("/projects")).json["items"]}
        assert (await client.get("/api/builds", params={"whose": "all"})).status == 403
        home = (await client.get("/api/home")).json
        assert "Guestbook" in json.dumps(home)
        assert (await client.get(f"/events?project={seeds.project}")).json["frames"]
    assert (await shared.bob.get("/api/builds")).json["items"] == []
    everything = (await served.client.get("/api/builds", params={"whose": "all"})).json["items"]
    assert {seeds.paused, seeds.by_hand, seeds.project_build} <= {one["build_id"] for one in everything}


@pytest.mark.asyncio(loop_scope="module")
async def test_a_member_builds_and_steers_the_own_build(shared: Filled) -> None:
    served, seeds = shared.served, shared.seeds
    member, viewer = await served.user("mem"), await served.user("vic")
    body = {"project_id": seeds.project, "tasks": TASKS, "options": {**NOTHING, "by_hand": True}}
    refused = await viewer.post("/api/builds", body)
    assert (refused.status, refused.json["fix"]) == (403, "ask its owner, a maintainer or a member")
    begun = await member.post("/api/builds", body)
    assert begun.status == 202, begun.text
    build = begun.json["build_id"]
    assert (await (await served.user("mai")).post(f"/api/builds/{build}/pause")).status == 200
    assert (await viewer.get(f"/api/builds/{build}")).json["pause"]["asked_by"] == "mai"
    assert (await shared.served.client.post(f"/api/builds/{build}/say", {"text": "mind the gap"})).status == 202
    assert (await member.post(f"/api/builds/{build}/resume")).status == 200
    assert (await viewer.post(f"/api/builds/{build}/stop")).status == 403
    events = (await viewer.get(f"/api/builds/{build}/events")).json["items"]
    did = {event["type"]: event["asked_by"] for event in events if "asked_by" in event}
    assert did == {"build.paused": "mai", "message.sent": OWNER, "build.resumed": "mem"}
    assert (await served.client.post(f"/api/builds/{build}/stop")).status in {200, 202}
    assert (await shared.bob.get(f"/api/builds/{build}")).status == 403


@pytest.mark.asyncio(loop_scope="module")
async def test_roles_are_given_by_whoever_may(shared: Filled) -> None:
    served, seeds = shared.served, shared.seeds
    place = f"/projects/{seeds.project}/members"
    maintainer = await served.user("mai")
    for name in ("vic", "mem"):
        assert (await (await served.user(name)).ask("PUT", f"{place}/bob", {"role": "viewer"})).status == 403
    assert (await maintainer.ask("PUT", f"{place}/nobody-known", {"role": "viewer"})).status == 404
    assert (await maintainer.ask("PUT", f"{place}/{OWNER}", {"role": "viewer"})).status == 422
    assert (await maintainer.ask("PUT", f"{place}/bob", {"role": "owner"})).status == 422
    assert (await maintainer.ask("DELETE", f"{place}/bob")).status == 404
    given = await maintainer.ask("PUT", f"{place}/bob", {"role": "viewer"})
    assert [(one["user_id"], one["role"]) for one in given.json["items"]] == [
        (OWNER, "owner"),
        ("bob", "viewer"),
        ("mai", "maintainer"),
        ("mem", "member"),
        ("vic", "viewer"),
    ]
    assert next(one for one in given.json["items"] if one["user_id"] == "bob")["added_by"] == "mai"
    watching = f"/api/projects/{seeds.project}/stream"
    async with shared.bob.session.get(shared.bob.address + watching) as stream:
        assert stream.status == 200
        await stream.content.readany()
        assert (await maintainer.ask("DELETE", f"{place}/bob")).status == 200
        async with asyncio.timeout(20):
            assert '"why":"vanished"' in (await stream.read()).decode().replace(" ", "")
    assert (await shared.bob.get(f"/projects/{seeds.project}")).status == 403


@pytest.mark.asyncio(loop_scope="module")
async def test_a_member_leaves_a_project_and_sees_it_no_more(shared: Filled) -> None:
    served, seeds = shared.served, shared.seeds
    place = f"/projects/{seeds.project}"
    assert (await shared.bob.post(f"{place}/leave")).status == 403, "bob has never seen it"
    owner = await served.client.post(f"{place}/leave")
    assert (owner.status, owner.json["code"]) == (422, "refused")
    assert owner.json["fix"] == "end the sharing with others: DELETE /projects/{project_id}/members/{user_id}"
    for name in ("lea", "len"):
        leaving = await served.user(name)
        assert (await leaving.get("/auth/me")).status == 200
        given = await served.client.ask("PUT", f"{place}/members/{name}", {"role": "viewer"})
        assert given.status == 200, given.text
    leaving = await served.user("lea")
    (shown,) = (await leaving.get("/api/team")).json["projects"]
    actions = {one["user_id"]: one["remove"] for one in shown["members"] if one.get("remove")}
    assert {name: one["words"] for name, one in actions.items()} == {"lea": "Leave"}, "of the others she removes none"
    action = actions["lea"]
    async with leaving.session.get(f"{leaving.address}/api/projects/{seeds.project}/stream") as stream:
        await stream.content.readany()
        assert (await leaving.ask(action["method"], action["path"])).status == 204
        async with asyncio.timeout(20):
            assert '"why":"vanished"' in (await stream.read()).decode().replace(" ", "")
    assert (await leaving.get(place)).status == 403
    assert (await leaving.post(f"{place}/leave")).status == 403
    assert (await (await served.user("len")).get(place)).status == 200, "another one stays"


async def test_the_servers_owner_sees_what_others_build_and_steers_it_not(served: Served) -> None:
    bob = await served.user("bob")
    made = await bob.post("/api/builds", {"project_id": "own", "tasks": TASKS, "options": {**NOTHING, "by_hand": True}})
    build = made.json["build_id"]
    assert (await served.client.get(f"/api/builds/{build}")).status == 200
    assert (await served.client.post(f"/api/builds/{build}/stop")).status == 403
    assert (await served.client.get("/api/builds")).json["items"] == []
    assert (await (await served.user("eve")).get(f"/api/builds/{build}")).status == 403


async def test_a_token_is_listed_and_taken_back_with_what_it_has_opened(served: Served) -> None:
    bob, ann = await served.user("bob"), served.client
    made = await bob.post("/api/builds", {"project_id": "own", "tasks": TASKS, "options": {**NOTHING, "by_hand": True}})
    build = made.json["build_id"]
    ticket = (await bob.post("/api/tickets")).json["ticket"]
    unused = (await bob.post("/api/tickets")).json["ticket"]
    (listed,) = (await bob.get("/api/tokens")).json["items"]
    assert (listed["kind"], listed["is_this"], listed["user_id"]) == ("bearer", True, "bob")
    assert listed["last_used_at"] is not None
    assert (await ann.ask("DELETE", f"/api/tokens/{listed['id']}")).status == 404
    assert (await (await served.user("eve")).get("/api/tokens", params={"user": "bob"})).status == 403
    assert (await ann.get("/api/tokens", params={"user": "bob"})).json["items"][0]["id"] == listed["id"]
    nobody = await served.user("")
    async with (
        bob.session.get(f"{bob.address}/api/builds/{build}/stream") as stream,
        nobody.session.ws_connect(f"{served.address}/ws?build={build}&ticket={ticket}") as socket,
    ):
        await stream.content.readany()
        assert (await socket.receive_json(timeout=20))["type"] == "hello"
        assert (await bob.ask("DELETE", f"/api/tokens/{listed['id']}")).status == 204
        async with asyncio.timeout(20):
            assert '"signed-out"' in (await stream.read()).decode()
        assert (await socket.receive(timeout=20)).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 4401
    for path in ("/auth/me", f"/api/builds/{build}"):
        refused = await bob.get(path)
        assert (refused.status, "taken back" in refused.json["detail"]) == (401, True)
    async with nobody.session.ws_connect(f"{served.address}/ws?build={build}&ticket={unused}") as socket:
        assert (await socket.receive(timeout=20)).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 4401


async def test_all_tokens_are_taken_back_also_one_that_was_never_used(served: Served) -> None:
    bob = await served.user("bob")
    site = served.site
    now = site.app.clock.now()
    never = {"Authorization": f"Bearer {site.signer.issue('bob', 'bearer', 3600, now.replace(microsecond=0))}"}
    assert (await bob.get("/auth/me")).status == 200
    await asyncio.sleep(1.1)  # tokens have whole seconds
    assert (await bob.ask("DELETE", "/api/tokens")).json == {"revoked": 1}
    nobody = await served.user("")
    assert (await bob.get("/auth/me")).status == 401
    assert (await nobody.get("/auth/me", headers=never)).status == 401
    fresh = site.signer.issue("bob", "bearer", 3600, site.app.clock.now())
    assert (await nobody.get("/auth/me", headers={"Authorization": f"Bearer {fresh}"})).status == 200


async def test_users_are_seen_and_changed_by_owners_only(served: Served) -> None:
    ann, bob = served.client, await served.user("bob")
    assert (await bob.get("/auth/me")).status == 200
    for method, path, body in (
        ("GET", "/api/users", None),
        ("POST", "/api/users", {"user_id": "carl"}),
        ("GET", "/api/users/ann", None),
        ("PATCH", "/api/users/bob", {"role": "owner"}),
        ("POST", "/api/users/ann/disable", {}),
        ("POST", "/api/users/bob/enable", {}),
    ):
        assert (await bob.ask(method, path, body)).status == 403, path
    assert (await bob.get("/api/users/bob")).json["role"] == "member"
    added = await ann.post("/api/users", {"user_id": "carl", "name": "<b>Carl</b>", "most_usd_a_month": "12.50"})
    assert (added.status, added.json["name"], added.json["most_usd_a_month"]) == (201, "<b>Carl</b>", "12.5")
    assert (await ann.post("/api/users", {"user_id": "carl"})).status == 409
    assert (await ann.post("/api/users", {"user_id": "../x"})).status == 422
    changed = await ann.ask("PATCH", "/api/users/carl", {"most_usd_a_month": None, "most_builds": 3})
    assert (changed.json["most_usd_a_month"], changed.json["most_builds"]) == (None, 3)
    assert [one["user_id"] for one in (await ann.get("/api/users")).json["items"]] == ["ann", "bob", "carl"]
    assert (await ann.ask("PATCH", "/api/users/ann", {"role": "member"})).status == 422
    assert (await ann.post("/api/users/ann/disable")).status == 422
    assert (await ann.ask("PATCH", "/api/users/bob", {"role": "owner"})).status == 200
    assert (await bob.get("/api/users")).status == 200


async def test_a_disabled_user_is_refused_until_enabled_and_given_a_new_token(served: Served) -> None:
    ann, bob = served.client, await served.user("bob")
    assert (await bob.get("/auth/me")).status == 200
    assert (await ann.post("/api/users/bob/disable")).json["disabled_at"] is not None
    assert (await bob.get("/auth/me")).status == 401
    site, nobody = served.site, await served.user("")

    async def fresh(kind: Any = "bearer") -> str:
        return site.signer.issue("bob", kind, 600, site.app.clock.now())

    refused = await nobody.get("/auth/me", headers={"Authorization": f"Bearer {await fresh()}"})
    assert (refused.status, refused.json["detail"]) == (401, "this user is disabled")
    sign_in = await nobody.post("/sign-in", data={"token": await fresh("sign-in")})
    assert sign_in.status == 401
    await ann.post("/api/users/bob/enable")
    assert (await bob.get("/auth/me")).status == 401, "the old token stays taken back"
    assert (await nobody.get("/auth/me", headers={"Authorization": f"Bearer {await fresh()}"})).status == 200


async def test_commands_are_granted_by_user(served: Served, repository: Path) -> None:
    bob = await served.user("bob")
    wish = {"tasks": TASKS, "options": {**NOTHING, "checks": [{"name": "t", "command": "true"}], "by_hand": True}}
    refused = await bob.post("/api/builds", wish)
    assert (refused.status, refused.json["code"]) == (403, "forbidden")
    granted = await served.client.ask("PATCH", "/api/users/bob", {"may_run_commands": True})
    assert granted.json["may_run_commands"] is True
    assert (await bob.post("/api/builds", wish)).status == 202
    taken = await served.client.ask("PATCH", "/api/users/bob", {"may_run_commands": False})
    assert taken.json["may_run_commands"] is False
    assert (await bob.post("/api/builds", wish)).status == 403


async def test_a_fork_is_made_with_the_rights_of_whoever_asks_for_it(served: Served) -> None:
    """What the other build may run, now or at that point, and its project are not the caller's by that."""
    owner, mia = served.client, await served.user("mia")
    assert (await mia.get("/auth/me")).status == 200
    project = (await owner.post("/projects", {"name": "Guestbook"})).json["id"]
    await owner.ask("PUT", f"/projects/{project}/members/mia", {"role": "member"})
    runs = [{**TASKS[0], "validation": {"command": "id"}}]
    plain = {**NOTHING, "approve_plan": True}
    made = await owner.post("/api/builds", {"project_id": project, "tasks": runs, "options": plain})
    path = f"/api/builds/{made.json['build_id']}"
    assert (await ended(owner, made.json["build_id"]))["control"] == "paused"
    planned = (await owner.get(path)).json["version"]
    refused = await mia.post(f"{path}/fork", {})
    assert (refused.status, refused.json["code"]) == (403, "forbidden"), refused.text
    assert (await owner.post(f"{path}/task", {"tasks": TASKS})).status == 200
    assert (await mia.post(f"{path}/fork", {"at": planned})).status == 403, "as it was then, it runs a command"
    own = await mia.post(f"{path}/fork", {})
    assert own.status == 202, own.text
    assert (await owner.ask("DELETE", f"/projects/{project}/members/mia")).status == 200
    gone = await mia.post(f"/api/builds/{own.json['build_id']}/fork", {})
    assert (gone.status, gone.json["code"]) == (403, "forbidden"), "it would be a build of a project that is not shared"


async def test_an_event_of_a_shared_project_takes_the_role_that_there_is_now(served: Served, repository: Path) -> None:
    """Whoever sent the first one owns nothing by that: neither is the owner kept out, nor does a member stay in."""
    owner, mia = served.client, await served.user("mia")
    assert (await mia.get("/auth/me")).status == 200
    project = (await owner.post("/projects", {"name": "House"})).json["id"]
    member = f"/projects/{project}/members/mia"
    note = {"type": "project.note", "projectId": project, "text": "mind the gap"}
    assert (await mia.post("/events", note)).status == 403
    assert (await owner.ask("PUT", member, {"role": "member"})).status == 200
    assert (await mia.post("/events", note)).status == 202
    assert (await owner.post("/events", note)).status == 202
    begins = {"type": "devteam.initialize", "projectId": project, "repository": str(repository), "tasks": TASKS}
    begins["options"] = {"agent": "noop", "accept_base": True, "approve_plan": True, "delivery": {"kind": "none"}}
    for client in (owner, mia):
        begun = await client.post("/events", begins)
        assert begun.status == 202, begun.text
        async with asyncio.timeout(30):
            while (status := (await client.get(begun.headers["location"])).json)["status"] == "received":
                await asyncio.sleep(0.05)
        assert status["status"] == "started", status
    assert (await owner.ask("PUT", member, {"role": "viewer"})).status == 200
    assert (await mia.post("/events", note)).status == 403
    assert (await owner.ask("DELETE", member)).status == 200
    for body in (note, begins):
        gone = await mia.post("/events", body)
        assert (gone.status, gone.json["code"]) == (403, "forbidden"), gone.text


async def test_the_newest_build_of_a_project_may_be_a_members(served: Served, repository: Path) -> None:
    """The page of the project lists it, and a change of the contracts says what it makes stale in it."""
    owner, mia = served.client, await served.user("mia")
    assert (await mia.get("/auth/me")).status == 200
    target = {"target_type": "local_path", "target_ref": str(repository)}
    project = f"/projects/{(await owner.post('/projects', {'name': 'House', **target})).json['id']}"
    assert (await owner.ask("PUT", f"{project}/members/mia", {"role": "member"})).status == 200
    answers = [{"section": "phase_breakdown", "text": "Phase 1: Roof: put `roof.txt` on top"}]
    assert (await owner.post(f"{project}/contracts/generate", {"answers": answers})).status == 200
    begun = await mia.post(
        f"{project}/build", {"options": {"agent": "noop", "accept_base": True, "approve_plan": True}}
    )
    assert begun.status == 202, begun.text
    build = begun.json["build_id"]
    assert (await ended(mia, build))["control"] == "paused"
    assert [one["id"] for one in (await owner.get(f"{project}/page")).json["builds"]] == [build]
    text = (await owner.get(f"{project}/contracts/phases")).json["content"]
    wish = {"content": text.replace("roof.txt", "tiles.txt")}
    changed = await owner.ask("PUT", f"{project}/contracts/phases", wish)
    assert (changed.json["build_id"], len(changed.json["stale"])) == (build, 1), changed.text
    taken = await owner.post(f"{project}/contracts/take")
    assert (taken.status, taken.json["build_id"]) == (200, build), taken.text


async def test_where_the_setting_decides_no_grant_is_taken(tmp_path: Path) -> None:
    async with serving(tmp_path, BUILDWRIGHT_ALLOW_COMMANDS="none") as served:
        assert (await (await served.user("bob")).get("/auth/me")).status == 200
        refused = await served.client.ask("PATCH", "/api/users/bob", {"may_run_commands": True})
        assert (refused.status, refused.json["code"]) == (422, "refused")
        assert (await served.client.get("/api/users/ann")).json["may_run_commands"] is False


async def test_limits_of_a_user_hold_at_the_start(served: Served) -> None:
    ann, bob = served.client, await served.user("bob")
    wish = {"tasks": TASKS, "options": {**NOTHING, "by_hand": True}}
    assert (await bob.get("/auth/me")).status == 200
    await ann.ask("PATCH", "/api/users/bob", {"most_builds": 1})
    first = await bob.post("/api/builds", wish)
    assert first.status == 202
    second = await bob.post("/api/builds", wish)
    assert (second.status, "1 at once is the limit" in second.json["detail"]) == (409, True)
    await ann.ask("PATCH", "/api/users/bob", {"most_builds": 0, "most_builds_an_hour": 2})
    assert (await bob.post("/api/builds", wish)).status == 202
    third = await bob.post("/api/builds", wish)
    assert (third.status, "2 is the limit" in third.json["detail"]) == (429, True)
    assert (await ann.post("/api/builds", wish)).status == 202
    await ann.ask("PATCH", "/api/users/bob", {"most_builds_an_hour": None})
    assert (await bob.post("/api/builds", wish)).status == 202


async def test_the_page_has_what_the_caller_sees_and_a_command_for_each_action(served: Served) -> None:
    ann, bob = served.client, await served.user("bob")
    assert (await bob.get("/auth/me")).status == 200
    project = (await ann.post("/projects", {"name": "<img src=x onerror=alert(1)>"})).json["id"]
    page = (await ann.get("/api/team")).json
    assert [one["user_id"] for one in page["users"]] == ["ann", "bob"]
    assert page["users"][0]["actions"] == []
    assert [one["command"] for one in page["users"][1]["actions"]] == [
        "buildwright user set bob --owner",
        "buildwright user disable bob",
    ]
    (shown,) = page["projects"]
    assert (shown["role"], shown["name"], len(shown["share"])) == ("owner", "<img src=x onerror=alert(1)>", 3)
    share = shown["share"][0]["action"]
    given = await ann.ask(share["method"], share["path"].replace("{user}", "bob"), share["body"])
    assert given.status == 200, given.text
    (seen,) = (await bob.get("/api/team")).json["projects"]
    assert (seen["role"], seen["share"], seen["members"][0]["choices"]) == ("viewer", [], [])
    theirs = (await bob.get("/api/team")).json
    assert (theirs["users"], theirs["me"]["user_id"]) == ([], "bob")
    (token,) = theirs["tokens"]
    assert token["revoke"]["command"] == f"buildwright token revoke {token['id']}"
    remove = (await ann.get("/api/team")).json["projects"][0]["members"][1]["remove"]
    assert (remove["path"], remove["method"]) == (f"/projects/{project}/members/bob", "DELETE")
    assert (await ann.ask(remove["method"], remove["path"])).status == 200
    assert (await bob.ask(token["revoke"]["method"], token["revoke"]["path"])).status == 204
    assert (await bob.get("/api/team")).status == 401


@pytest.mark.asyncio(loop_scope="module")
async def test_answers_say_what_their_reader_may_not_do(shared: Filled) -> None:
    """It is what a request then says, so a page can keep its buttons from being pressed."""
    served, seeds = shared.served, shared.seeds
    body = {"project_id": seeds.project, "tasks": TASKS, "options": {**NOTHING, "by_hand": True}}
    build = (await served.client.post("/api/builds", body)).json["build_id"]
    for name, refused in (
        (OWNER, set()),
        ("mai", {"delete"}),
        ("mem", {"delete", "share", "steer", "change"}),
        ("vic", {"delete", "share", "steer", "change", "say", "review", "start"}),
    ):
        client = served.client if name == OWNER else await served.user(name)
        told = (await client.get(f"/api/builds/{build}")).json["refused"]
        of_project = (await client.get(f"/projects/{seeds.project}/page")).json["refused"]
        assert (set(told), set(of_project)) == (refused, refused), name
        assert ("steer" in refused) is ((await client.post(f"/api/builds/{build}/pause")).status == 403)
        needs = (await client.get("/api/home")).json["inbox"]
        (need,) = [one for one in needs if one["build"] == build]
        assert bool(need["remedies"]) is ("steer" not in refused), name
        assert need.get("refused", "") == told.get("steer", "")
    assert told["steer"] == (
        "your role in this build is viewer, which does not allow this: ask its owner or a maintainer"
    )
    assert (await served.client.post(f"/api/builds/{build}/stop")).status in {200, 202}
