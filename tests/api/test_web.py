"""The pages over HTTP: who is led where, what may be kept, what a page may do, and what other clients get."""

from __future__ import annotations

import gzip
import re

import pytest

from buildwright.api.guard import COOKIE
from tests.api.conftest import OWNER, Client, Served

PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
async def nobody(served: Served) -> Client:
    return await served.user("")


@pytest.fixture
def session(served: Served) -> dict[str, str]:
    """Headers of a browser that is signed in."""
    site = served.site
    return {**PAGE, "Cookie": f"{COOKIE}={site.signer.issue(OWNER, 'session', 600, site.app.clock.now())}"}


async def test_a_browser_that_is_signed_in_gets_the_page(nobody: Client, session: dict[str, str]) -> None:
    for path in ("/", "/builds/3fa9", "/builds/3fa9/log"):
        page = await nobody.get(path, headers=session)
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert '<div id="root">' in page.text
        assert page.headers["cache-control"] == "no-cache"


async def test_an_unknown_address_is_a_page_for_people_and_json_for_programs(
    served: Served, nobody: Client, session: dict[str, str]
) -> None:
    for path in ("/builds/a b", "/builds/3fa9/nothing", "/builds", "/log", "/api/nothing", "/projects/x/nothing"):
        shown = await nobody.get(path, headers=session)
        assert (shown.status, shown.headers["content-type"]) == (404, "text/html; charset=utf-8"), path
        assert '<div id="root">' in shown.text
        assert "default-src 'none'" in shown.headers["content-security-policy"]
        said = await served.client.get(path)
        assert (said.status, said.headers["content-type"].partition(";")[0]) in (
            (404, "application/problem+json"),
            (404, "text/html"),
        ), path
        led = await nobody.get(path, headers=PAGE)
        learns = (401, None) if path.startswith("/api/") else (303, "/sign-in")
        assert (led.status, led.headers.get("location")) == learns, "who is not signed in learns nothing"
    assert (await served.client.get("/log")).json["code"] == "not-found"
    assert (await served.client.post("/log", headers=PAGE)).json["code"] == "not-found"


async def test_a_page_may_do_nothing_that_is_not_its_own(nobody: Client, session: dict[str, str]) -> None:
    policy = dict(
        part.strip().partition(" ")[::2]
        for part in (await nobody.get("/", headers=session)).headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert {policy[f"{kind}-src"] for kind in ("script", "style", "img", "connect")} == {"'self'"}
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    for path in ("/", "/sign-in"):  # else browsers send its form with the Origin `null`, and it is refused
        assert (await nobody.get(path, headers=session)).headers["referrer-policy"] == "same-origin"


async def test_whoever_is_not_signed_in_is_led_back_to_the_page_afterwards(served: Served, nobody: Client) -> None:
    led = await nobody.get("/builds/3fa9/log", headers=PAGE)
    assert (led.status, led.headers["location"]) == (303, "/sign-in?next=/builds/3fa9/log")
    form = await nobody.get(led.headers["location"], headers=PAGE)
    assert 'name="next" value="/builds/3fa9/log"' in form.text
    led = await nobody.get("/builds/3fa9/review?task=a%20b&at=12", headers=PAGE)
    assert led.headers["location"] == "/sign-in?next=/builds/3fa9/review%3Ftask%3Da%2520b%26at%3D12"
    form = await nobody.get(led.headers["location"], headers=PAGE)
    assert 'name="next" value="/builds/3fa9/review?task=a%20b&amp;at=12"' in form.text
    for wanted, there in (
        ("/builds/3fa9/log", "/builds/3fa9/log"),
        ("/builds/3fa9/review?task=a%20b&at=12", "/builds/3fa9/review?task=a%20b&at=12"),
        ("/costs?next=https://evil.example", "/costs?next=https://evil.example"),
        ("//evil.example", "/"),
        ("//evil.example/?/costs", "/"),
        ("https://evil.example/costs", "/"),
        ("/\\evil.example?x", "/"),
        ("/costs?a\r\nSet-Cookie: x=1", "/"),
        ("/costs?<script>", "/"),
        ("/costs?" + "a" * 1_001, "/"),
        ("/api/builds", "/"),
    ):
        token = served.site.signer.issue(OWNER, "sign-in", 60, served.site.app.clock.now())
        answer = await nobody.post("/sign-in", data={"token": token, "next": wanted}, headers=PAGE)
        assert (answer.status, answer.headers["location"]) == (303, there)


async def test_the_page_for_signing_in_has_the_look_and_needs_no_script(nobody: Client) -> None:
    page = await nobody.get('/sign-in?token=%22%3E<script>alert(1)</script>&next="><script>', headers=PAGE)
    assert page.text.count("<script") == 1, "only its own script, by address"
    (style,) = re.findall(r'href="(/assets/[^"]+\.css)"', page.text)
    assert "main.plain" in (await nobody.get(style)).text
    assert (await nobody.get("/static/sign-in.js")).headers["content-type"].startswith("text/javascript")


async def test_a_form_that_signs_out_is_led_on_and_other_clients_get_what_they_got(
    served: Served, nobody: Client, session: dict[str, str]
) -> None:
    out = await nobody.post("/sign-out", headers=session)
    assert (out.status, out.headers["location"]) == (303, "/sign-in?out=true")
    assert "Max-Age=0" in out.headers["set-cookie"]
    assert "signed out" in (await nobody.get(out.headers["location"], headers=PAGE)).text
    assert (await served.client.post("/sign-out")).status == 204
    front = await served.client.get("/", headers={"Accept": "application/json"})
    assert (front.status, front.headers["location"]) == (303, "/docs")
    assert (await nobody.get("/builds/3fa9")).status == 401


async def test_files_with_a_hash_in_their_name_are_kept_for_ever_and_come_compressed(nobody: Client) -> None:
    style = re.findall(r"/assets/[^\"]+\.css", (await nobody.get("/sign-in")).text)[0]
    whole = await nobody.get(style, headers={"Accept-Encoding": "identity"})
    assert whole.status == 200
    assert whole.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "content-encoding" not in whole.headers
    async with nobody.session.get(
        nobody.address + style, headers={"Accept-Encoding": "gzip"}, auto_decompress=False
    ) as packed:
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(await packed.read()).decode() == whole.text
    async with nobody.session.get(
        nobody.address + style, headers={"Accept-Encoding": "gzip, br"}, auto_decompress=False
    ) as packed:
        assert packed.headers["content-encoding"] == "br"
    for name in ("nothing.js", "..%2Findex.html", "%2e%2e%2fstamp.txt", "index.html"):
        assert (await nobody.get(f"/assets/{name}")).status in {401, 404}, name
