"""Signing in with GitHub: who is let in, whom it makes them, and answers that are not this browser's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from buildwright.api.guard import COOKIE
from buildwright.api.routes.github_sign_in import BEGUN
from tests.api.conftest import OWNER, Answered, Client, Served, serving
from tests.forges.github import CLIENT, HostedGitHub
from tests.forges.served import TOKEN, forge_of


@pytest.fixture
def github(tmp_path: Path) -> Iterator[HostedGitHub]:
    with forge_of(HostedGitHub, "github", tmp_path / "forge") as here:
        yield here


@asynccontextmanager
async def site_of(folder: Path, github: HostedGitHub, **more: str) -> AsyncIterator[Served]:
    known = {"GITHUB_API_URL": github.environment["GITHUB_API_URL"], "BUILDWRIGHT_PUBLIC_URL": "https://build.example"}
    async with serving(folder, **known, **CLIENT, **more) as served:
        yield served


async def browser(served: Served, stack: AsyncExitStack) -> Client:
    """A browser without a session; it keeps no cookie by itself, because the test looks at each."""
    session = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
    return Client(session, served.address)


def cookie_of(answer: Answered, name: str) -> str:
    found = answer.headers.get("set-cookie", "")
    assert found.startswith(f"{name}="), found
    return found.partition(";")[0]


async def ended(served: Served, at: Client, github: HostedGitHub, **headers: str) -> Answered:
    begun = await at.post("/auth/github?next=/builds/abc", headers=headers)
    assert begun.status == 200, begun.text
    code, state = github.let_in(begun.json["address"])
    return await at.get(
        "/auth/github/callback", params={"code": code, "state": state}, headers={"Cookie": cookie_of(begun, BEGUN)}
    )


async def test_a_login_that_is_named_signs_in_and_its_token_stays_here(tmp_path: Path, github: HostedGitHub) -> None:
    async with site_of(tmp_path, github, BUILDWRIGHT_GITHUB_ALLOWED="Acme") as served, AsyncExitStack() as stack:
        at = await browser(served, stack)
        begun = await at.post("/auth/github")
        asked = parse_qs(urlsplit(begun.json["address"]).query)
        assert asked["redirect_uri"] == ["https://build.example/auth/github/callback"]
        text = begun.headers["set-cookie"].lower()
        assert all(part in text for part in ("httponly", "samesite=lax", "path=/auth/github", "secure")), text
        answer = await ended(served, at, github)
        assert answer.status == 200, answer.text
        assert "url=/builds/abc" in answer.text
        session = cookie_of(answer, COOKIE)
        assert "; secure" in answer.headers["set-cookie"].lower(), "the public address is https"
        me = (await at.get("/auth/me", headers={"Cookie": session})).json
        assert (me["user_id"], me["github_login"]) == ("github:acme", "acme")
        again = await ended(served, at, github)
        assert (await at.get("/auth/me", headers={"Cookie": cookie_of(again, COOKIE)})).json == me
        shown = (await at.get("/repos", headers={"Cookie": session})).json
        assert [one["name"] for one in shown["items"]] == ["acme/shop"]
        sealed = await served.site.records.users.github_token("github:acme")
        assert sealed is not None
        assert TOKEN.encode() not in sealed
        assert TOKEN not in answer.text + str(answer.headers) + str(served.logged)


async def test_nobody_is_let_in_by_default(tmp_path: Path, github: HostedGitHub) -> None:
    async with site_of(tmp_path, github) as served, AsyncExitStack() as stack:
        answer = await ended(served, await browser(served, stack), github)
        assert (answer.status, answer.json["code"]) == (403, "forbidden"), answer.text
        assert "set-cookie" not in answer.headers
        assert await served.site.records.users.find("github:acme") is None
    async with (
        site_of(tmp_path, github, BUILDWRIGHT_GITHUB_ALLOWED="other org:guild") as served,
        AsyncExitStack() as stack,
    ):
        at = await browser(served, stack)
        github.memberships = {"guild": "pending"}
        assert (await ended(served, at, github)).status == 403
        github.memberships = {"guild": "active"}
        assert (await ended(served, at, github)).status == 200


async def test_an_answer_for_another_browser_is_refused(tmp_path: Path, github: HostedGitHub) -> None:
    async with site_of(tmp_path, github, BUILDWRIGHT_GITHUB_ALLOWED="acme") as served, AsyncExitStack() as stack:
        at = await browser(served, stack)
        mine, theirs = await at.post("/auth/github"), await at.post("/auth/github")
        code, state = github.let_in(theirs.json["address"])
        own, other = cookie_of(mine, BEGUN), cookie_of(theirs, BEGUN)
        for cookie, given in ((own, state), ("", state), (f"{BEGUN}=made-up", state), (other, "guessed"), (other, "")):
            asked = {"code": code, "state": given}
            answer = await at.get("/auth/github/callback", params=asked, headers={"Cookie": cookie} if cookie else {})
            assert (answer.status, answer.json["code"]) == (401, "unauthorized"), (cookie, given)
        good = {"params": {"code": code, "state": state}, "headers": {"Cookie": other}}
        assert (await at.get("/auth/github/callback", **good)).status == 200
        assert (await at.get("/auth/github/callback", **good)).status == 401
        evil = await at.post("/auth/github", headers={"Origin": "https://evil.example"})
        assert evil.status == 403


async def test_whoever_is_signed_in_links_the_account(tmp_path: Path, github: HostedGitHub) -> None:
    async with site_of(tmp_path, github) as served, AsyncExitStack() as stack:
        at = await browser(served, stack)
        session = served.site.signer.issue(OWNER, "session", 600, served.site.app.clock.now())
        answer = await ended(served, at, github, Cookie=f"{COOKIE}={session}")
        assert answer.status == 200, answer.text
        assert (await served.client.get("/auth/me")).json["github_login"] == "acme"
        later = await ended(served, at, github)
        me = await at.get("/auth/me", headers={"Cookie": cookie_of(later, COOKIE)})
        assert me.json["user_id"] == OWNER
        bob = served.site.signer.issue("bob", "session", 600, served.site.app.clock.now())
        taken = await ended(served, at, github, Cookie=f"{COOKIE}={bob}")
        assert (taken.status, taken.json["code"]) == (409, "conflict"), taken.text
        await served.site.records.users.disable(OWNER, served.site.app.clock.now())
        assert (await ended(served, at, github)).status == 403


async def test_an_account_is_linked_and_unlinked_from_the_page_of_the_team(
    tmp_path: Path, github: HostedGitHub
) -> None:
    async with (
        site_of(tmp_path, github, BUILDWRIGHT_GITHUB_ALLOWED="acme") as served,
        AsyncExitStack() as stack,
    ):
        at = await browser(served, stack)
        session = {"Cookie": f"{COOKIE}={served.site.signer.issue(OWNER, 'session', 600, served.site.app.clock.now())}"}
        page = (await at.get("/api/team", headers=session)).json["github"]
        assert (page["login"], page["unlink"], page["link"]["leads"]) == ("", None, True)
        assert (await at.post("/auth/github/unlink", headers=session)).status == 409
        begun = await at.post(page["link"]["path"], headers=session)
        code, state = github.let_in(begun.json["address"])
        given = {"params": {"code": code, "state": state}, "headers": {"Cookie": cookie_of(begun, BEGUN)}}
        assert "url=/team" in (await at.get("/auth/github/callback", **given)).text
        page = (await at.get("/api/team", headers=session)).json["github"]
        assert (page["login"], page["unlink"]["path"]) == ("acme", "/auth/github/unlink")
        assert (await at.get("/repos", headers=session)).status == 200
        evil = await at.post("/auth/github/unlink", headers={**session, "Origin": "https://evil.example"})
        assert evil.status == 403
        gone = await at.post(page["unlink"]["path"], headers=session)
        assert (gone.status, gone.json["github_login"]) == (200, "")
        assert await served.site.records.users.github_token(OWNER) is None, "the token is kept no more"
        assert (await at.get("/repos", headers=session)).status == 422
        own = {"Cookie": cookie_of(await ended(served, at, github), COOKIE)}
        assert (await at.get("/auth/me", headers=own)).json["user_id"] == "github:acme", "it is nobody else's any more"
        assert (await at.get("/api/team", headers=own)).json["github"]["unlink"] is None
        kept = await at.post("/auth/github/unlink", headers=own)
        assert (kept.status, kept.json["code"]) == (422, "refused")


async def test_the_page_has_a_button_where_it_is_set_up(tmp_path: Path, github: HostedGitHub) -> None:
    async with site_of(tmp_path, github) as served:
        page = await (await served.user("")).get("/sign-in")
        assert 'action="/auth/github?next=%2F"' in page.text
        assert f"form-action 'self' {github.address}" in page.headers["content-security-policy"]
        led = await (await served.user("")).post("/auth/github", headers={"Accept": "text/html"})
        assert (led.status, led.headers["location"].partition("?")[0]) == (
            303,
            f"{github.address}/login/oauth/authorize",
        )
    async with serving(tmp_path) as served:
        nobody = await served.user("")
        assert "GitHub" not in (await nobody.get("/sign-in")).text
        assert (await nobody.post("/auth/github")).status == 422
