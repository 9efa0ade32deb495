"""Sends the API's description, made once for each version of the program. Must never hold up the event loop.

Making it takes about a second of CPU, so a thread makes it when it is first asked for, and the home keeps it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import platform
from collections.abc import Callable
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from buildwright.api.state import state_of

_MADE_BY = ("fastapi", "pydantic")
"""Libraries whose version changes what it says."""


class ApiDescription:
    """The description of the API of one server. `make` returns it, the same for the same program."""

    PATH = "/openapi.json"

    def __init__(self, make: Callable[[], dict[str, Any]]) -> None:
        self._make = make
        self._text: bytes | None = None
        self._making = asyncio.Lock()

    async def answer(self, request: Request) -> Response:
        """Answer with the description. Other requests are answered while it is made."""
        async with self._making:
            if self._text is None:
                self._text = await asyncio.to_thread(self._kept_or_made, state_of(request).app.settings.home / "api")
        return Response(self._text, media_type="application/json")

    def _kept_or_made(self, folder: Path) -> bytes:
        file = folder / f"openapi-{_program()}.json"
        with suppress(OSError):
            return file.read_bytes()
        text = json.dumps(self._make(), separators=(",", ":"), ensure_ascii=False).encode()
        with suppress(OSError):  # a full or read-only disk: it is made anew the next time
            _keep(file, text)
        return text


def _keep(file: Path, text: bytes) -> None:
    """Write the file as a whole, and take away those of other versions."""
    file.parent.mkdir(exist_ok=True, mode=0o700)
    aside = file.with_suffix(f".{os.getpid()}")
    aside.write_bytes(text)
    aside.replace(file)
    for other in file.parent.glob("openapi-*.json"):
        if other != file:
            other.unlink(missing_ok=True)


def _program() -> str:
    """Return a name for the program as it is installed: its files by size and time, and the libraries' versions."""
    top = Path(__file__).parents[1]
    digest = hashlib.sha256(platform.python_version().encode())
    for library in _MADE_BY:
        digest.update(metadata.version(library).encode())
    for file in sorted(top.rglob("*.py")):
        about = file.stat()
        digest.update(f"{file.relative_to(top)} {about.st_size} {about.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
