"""`token` and `user` as a user types them, beside the store and through a server."""

from __future__ import annotations

import json
import urllib.request

from tests.cli.conftest import Program
from tests.cli.test_remote import serving


def project_of(url: str, token: str) -> str:
    """A project that is made over HTTP."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    made = urllib.request.Request(f"{url}/projects", b'{"name": "Shop"}', headers)
    with urllib.request.urlopen(made) as answer:
        return str(json.load(answer)["id"])


def test_tokens_are_listed_and_taken_back(program: Program) -> None:
    made = program("token", "--user", "bob", "--label", "laptop")
    assert made.code == 0, made.err
    (listed,) = program("token", "list", "--user", "bob", "--json").object["tokens"]
    assert (listed["label"], listed["last_used_at"], listed["kind"]) == ("laptop", None, "bearer")
    assert listed["id"] not in made.out
    assert "No token of" in program("token", "list").out
    with serving(program) as server:
        as_bob = server.environment | {"BUILDWRIGHT_TOKEN": made.out.strip()}
        assert "laptop" in program("token", "list", **as_bob).out
        assert program("token", "list", "--user", "bob", "--json").object["tokens"][0]["last_used_at"] is not None
        mine = program("token", "revoke", listed["id"])
        assert (mine.code, "has no token" in mine.err) == (2, True), (
            "it is bob's, so the words say whose tokens were looked at"
        )
        assert "1 token is taken back" in program("token", "revoke", listed["id"], "--user", "bob").out
        refused = program("token", "list", **as_bob)
        assert (refused.code, "taken back" in refused.err) == (2, True)
        fresh = program("token", "--user", "bob").out.strip()
        as_bob["BUILDWRIGHT_TOKEN"] = fresh
        assert program("token", "revoke", "--all", **as_bob).code == 0
        assert program("token", "list", **as_bob).code == 2
    assert program("token", "revoke").code == 2
    assert program("token", "revoke", "nothing").code != 0


def test_users_have_rights_and_limits_here_and_through_a_server(program: Program) -> None:
    me = program("user", "show", "--json").object
    assert (me["role"], me["may_run_commands"], me["disabled_at"]) == ("owner", True, None)
    added = program("user", "add", "bob", "--name", "Bob", "--max-builds", "1", "--max-month-cost", "12.5", "--json")
    assert (added.object["most_builds"], added.object["most_usd_a_month"]) == (1, "12.5")
    changed = program("user", "set", "bob", "--max-builds", "default", "--commands", "--json").object
    assert (changed["most_builds"], changed["may_run_commands"], changed["name"]) == (None, True, "Bob")
    assert program("user", "set", "bob").code == 2
    assert program("user", "set", "bob", "--owner", "--member").code == 2
    assert program("user", "set", me["user_id"], "--member").code == 2
    assert program("user", "show", "nobody").code != 0
    with serving(program) as server:
        listed = program("user", "list", **server.environment)
        assert (listed.code, "bob" in listed.out, "$12.50" in listed.out) == (0, True, True), listed.err
        token = program("token", "--user", "bob").out.strip()
        as_bob = server.environment | {"BUILDWRIGHT_TOKEN": token}
        assert program("user", "list", **as_bob).code != 0
        assert "bob (Bob), member" in program("user", "show", **as_bob).out
        project = project_of(server.environment["BUILDWRIGHT_URL"], server.environment["BUILDWRIGHT_TOKEN"])
        shared = program("user", "share", "Shop", "bob", "--role", "viewer", "--json", **server.environment)
        assert [(one["user_id"], one["role"]) for one in shared.object["members"]] == [
            (me["user_id"], "owner"),
            ("bob", "viewer"),
        ]
        assert "viewer" in program("user", "members", project, **as_bob).out
        assert program("user", "share", project, "bob", "--role", "maintainer", **as_bob).code != 0
        assert program("user", "unshare", project, "bob", **server.environment).code == 0
        assert "there is no project" in program("user", "members", project, **as_bob).err
        assert "disabled" in program("user", "disable", "bob", **server.environment).out
        assert program("user", "show", **as_bob).code == 2
        assert "disabled" not in program("user", "enable", "bob", **server.environment).out
