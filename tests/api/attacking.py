"""Requests as bytes, for what no client library would send; and every refusal that was read, to look at them all together."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import buildwright
from tests.api.conftest import Served, serving
from tests.api.seeded import Seeds, seeded
from tests.auth.test_tokens import KEY

_INSIDE = re.compile(
    r"Traceback|File \\?\"|\bline \d+, in\b|site-packages|\.py:\d|0x[0-9a-f]{8,}|<class|object at|NoneType"
    r"|\b[A-Z][a-z]\w*(Error|Exception|Warning)\b|\bpydantic|sqlalchemy|sqlite|asyncpg|uvicorn|starlette|fastapi"
    r"|\b(SELECT|INSERT|UPDATE|DELETE)\b.*\b(FROM|INTO|SET)\b"
)
"""What no answer shows: programs and their places, names of Python's types, SQL."""


class Raw(NamedTuple):
    """One answer as it came."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Attacked:
    """A server with ann's things on it, and all that it refused."""

    served: Served
    seeds: Seeds
    address: str
    refusals: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return urlsplit(self.address).netloc

    @property
    def bearer(self) -> str:
        """The header with a good token of ann's."""
        token = self.served.site.signer.issue("ann", "bearer", 600, self.served.site.app.clock.now())
        return f"Authorization: Bearer {token}"

    async def send(self, *parts: bytes, pause: float = 0.0, seconds: float = 20.0, end: bool = False) -> list[Raw]:
        """Send the parts with pauses between, and read until the server ends the connection, or all is answered."""
        port = int(self.host.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        received = bytearray()

        async def read() -> None:
            while piece := await reader.read(65_536):
                received.extend(piece)

        reading = asyncio.create_task(read())
        try:
            async with asyncio.timeout(seconds):
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                    if pause:
                        await asyncio.wait([reading], timeout=pause)
                if end:
                    writer.write_eof()
                await reading
        except (ConnectionError, TimeoutError):
            pass  # what came before that counts
        finally:
            reading.cancel()
            await asyncio.wait([reading])
            writer.close()
        return self._read(bytes(received))

    async def ask(self, line: str, *headers: str, body: bytes = b"", host: str | None = None) -> Raw:
        """One request that says when it is over; its answer. Status 0: the server hung up without a word."""
        given = [line, f"Host: {self.host if host is None else host}", "Connection: close", *headers]
        if body:
            given.append(f"Content-Length: {len(body)}")
        head = "\r\n".join(given).encode("utf-8", "surrogateescape") + b"\r\n\r\n"
        found = await self.send(head + body)
        return found[0] if found else Raw(0, {}, "")

    def _read(self, received: bytes) -> list[Raw]:
        answers: list[Raw] = []
        while received.startswith(b"HTTP/1.1 "):
            head, _, rest = received.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            if "content-length" in headers:
                length = int(headers["content-length"])
                content, received = rest[:length], rest[length:]
            else:
                content, received = rest, b""
            answer = Raw(int(first.split()[1]), headers, content.decode("utf-8", "replace"))
            answers.append(answer)
            if answer.status >= 400:
                self.refusals.append(answer.body)
        return answers

    def leaks(self) -> list[str]:
        """Refusals that show something of the inside, of all so far."""
        machine = (
            str(self.served.site.app.settings.home),
            str(Path(buildwright.__file__).parent),
            str(Path.home()) + "/",
        )
        return [text for text in self.refusals if _INSIDE.search(text) or any(place in text for place in machine)]


@asynccontextmanager
async def attacking(folder: Path) -> AsyncIterator[Attacked]:
    """A server with things of ann's. At its end nothing that was refused may have shown anything of the inside."""
    async with serving(folder, BUILDWRIGHT_HOSTS="Build.example", BUILDWRIGHT_SECRET=KEY.decode()) as served:
        attacked = Attacked(served, await seeded(served.client, folder, served.site), served.address)
        yield attacked
        assert attacked.leaks() == []
        print(f"\n{len(attacked.refusals)} refusals, {len(set(attacked.refusals))} different ones")
