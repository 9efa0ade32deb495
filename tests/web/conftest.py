"""A browser: Debian's chromium, driven by playwright-core of `web/`. The server and what it builds are real."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

WEB = Path(__file__).parents[2] / "web"
SCRIPTS = Path(__file__).parent / "browser"
Browse = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def browse() -> Browse:
    """Runs a script of `browser/` with what it is given; returns the object that it prints last."""

    async def run(script: str, seconds: float = 240, **given: Any) -> dict[str, Any]:
        chromium = shutil.which("chromium")
        assert chromium is not None, "the tests need chromium: make tools"
        environment = {**os.environ, "CHROMIUM": chromium, "GIVEN": json.dumps(given), "WEB": str(WEB)}
        process = await asyncio.create_subprocess_exec(
            "node", SCRIPTS / script, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(seconds):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()
        assert process.returncode == 0, f"{out.decode()}\n{err.decode()}"
        said: dict[str, Any] = json.loads(out.decode().splitlines()[-1])
        return said

    return run
