"""What an engine of containers tells of itself, as Docker and podman tell it; real boxes are in tests/containers."""

from __future__ import annotations

import tempfile
from typing import Any

import pytest
from aiodocker import Docker
from aiohttp import web

from buildwright.sandbox.container_engine import is_rootless

TOLD: dict[str, tuple[dict[str, Any], bool]] = {
    "podman without root": ({"SecurityOptions": ["name=seccomp,profile=default"], "Rootless": True}, True),
    "podman of root": ({"SecurityOptions": ["name=seccomp,profile=default"], "Rootless": False}, False),
    "Docker without root": ({"SecurityOptions": ["name=seccomp,profile=default", "name=rootless"]}, True),
    "Docker of root": ({"SecurityOptions": None}, False),
}


@pytest.mark.parametrize("kind", TOLD)
async def test_an_engine_without_root_is_known(kind: str) -> None:
    """Podman's boxes need another mapping of users then: with Docker's they could not read what they are shown."""
    told, expected = TOLD[kind]
    app = web.Application()

    async def info(_request: web.Request) -> web.Response:
        return web.json_response(told)

    app.router.add_get("/{version}/info", info)
    runner = web.AppRunner(app)
    await runner.setup()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        await web.UnixSite(runner, f"{folder}/s").start()
        docker = Docker(f"unix://{folder}/s", api_version="v1.40")
        try:
            assert await is_rootless(docker, folder) == expected
        finally:
            await docker.close()
            await runner.cleanup()
