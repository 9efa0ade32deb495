"""Signing out ends the session wherever it is used: its cookie, its copies, its tickets, and the streams it has opened."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp

from tests.api.streaming import Served, opened, serving


async def last_of(answer: aiohttp.ClientResponse) -> dict[str, object]:
    """The last frame of a stream of server-sent events, once it has ended."""
    text = (await answer.read()).decode()
    frame: dict[str, object] = json.loads(text.strip().rpartition("\ndata: ")[2])
    return frame


async def session_of(served: Served, client: aiohttp.ClientSession) -> dict[str, str]:
    """Sign in as a browser does; the headers that its pages send."""
    served_by = {"token": served.token(kind="sign-in")}
    async with client.post("/sign-in", data=served_by, allow_redirects=False) as answer:
        assert answer.status == 303
        cookie = answer.cookies["buildwright_session"].value
    return {"Cookie": f"buildwright_session={cookie}", "Origin": served.url}


async def test_what_a_session_has_opened_ends_with_it(tmp_path: Path) -> None:
    async with (
        serving(tmp_path) as served,
        aiohttp.ClientSession(served.url, cookie_jar=aiohttp.DummyCookieJar()) as web,
    ):
        build = (await served.begin()).id
        mine, other = await session_of(served, web), await session_of(served, web)
        async with web.post("/api/tickets", headers=mine) as answer:
            ticket = (await answer.json())["ticket"]
        async with web.post("/api/tickets", headers=mine) as answer:
            unused = (await answer.json())["ticket"]
        path, socket = f"/api/builds/{build}/stream", f"/ws/devteam?build={build}"
        async with (
            web.get(path, headers=mine) as stream,
            web.get(path, headers=other) as others,
            opened(web, socket, headers=mine) as by_cookie,
            opened(web, f"{socket}&ticket={ticket}") as by_ticket,
        ):
            for frames in (by_cookie, by_ticket):
                assert (await frames.next() or {})["type"] == "hello"
            async with web.post("/sign-out", headers=mine) as answer:
                assert answer.status == 204
                assert answer.cookies["buildwright_session"].value == ""
            end = await last_of(stream)
            assert (end["type"], end["payload"]["why"]) == ("end", "signed-out")  # type: ignore[index]
            for frames in (by_cookie, by_ticket):
                assert (await frames.next(), frames.code) == (None, 4401)
            for refused in (path, "/auth/me", "/api/builds"):
                async with web.get(refused, headers=mine) as answer:
                    assert answer.status == 401, refused
                    assert "signed out" in await answer.text()
            async with opened(web, f"{socket}&ticket={unused}") as frames:
                assert (await frames.next(), frames.code) == (None, 4401)
            async with web.get("/auth/me", headers=other) as answer:
                assert answer.status == 200
            assert not others.content.at_eof(), "the stream of another session goes on"


async def test_signing_out_at_another_server_ends_the_streams_here(tmp_path: Path) -> None:
    async with (
        serving(tmp_path) as served,
        aiohttp.ClientSession(served.url, cookie_jar=aiohttp.DummyCookieJar()) as web,
    ):
        build = (await served.begin()).id
        mine = await session_of(served, web)
        claims = served.site.signer.read(mine["Cookie"].partition("=")[2], "session", served.site.app.clock.now())
        async with web.get(f"/api/builds/{build}/stream", headers=mine) as stream:
            # What another server on the same store writes when the user signs out there.
            await served.site.records.tokens.use(claims.jti, claims.expires_at, served.site.app.clock.now())
            async with asyncio.timeout(60):
                end = await last_of(stream)
        assert end["payload"]["why"] == "signed-out"  # type: ignore[index]


async def test_a_bearer_token_stays_when_it_signs_out(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, served.client() as program:
        async with program.post("/sign-out") as answer:
            assert answer.status == 204
        async with program.get("/auth/me") as answer:
            assert answer.status == 200
