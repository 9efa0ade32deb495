"""The API's description: others are answered while it is made, and the next server has it already."""

from __future__ import annotations

import asyncio
from pathlib import Path

from buildwright.api.app import fastapi_for
from tests.api.conftest import serving


async def test_others_are_answered_while_it_is_made(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        nobody = await served.user("")
        making = asyncio.create_task(nobody.get("/openapi.json"))
        answered = 0
        while not making.done():
            assert (await nobody.get("/health")).status == 200
            answered += 1
        described = await making
        assert described.json == fastapi_for().openapi()
        assert (described.status, described.headers["content-type"]) == (200, "application/json")
        assert answered > 5, "a server that makes it between two requests answers one of them before and one after"


async def test_it_is_kept_for_the_next_server_of_the_same_program(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "api"
    async with serving(tmp_path) as served:
        folder.mkdir()
        (folder / "openapi-ofolder.json").write_text("{}")
        await served.client.get("/openapi.json")
    (kept,) = folder.iterdir()
    kept.write_text('{"openapi": "as it was kept"}')
    async with serving(tmp_path) as served:
        assert (await served.client.get("/openapi.json")).json == {"openapi": "as it was kept"}
