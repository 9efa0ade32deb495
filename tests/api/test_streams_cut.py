"""Streams that are cut a hundred times at random, over WebSocket and SSE, miss nothing and have nothing twice. Slow clients."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from buildwright.api.broadcast import BroadcastLimits
from buildwright.errors import Unreachable
from buildwright.settings import Settings
from buildwright.stream_client import BuildStream, ServerAccess
from tests.api.streaming import Proxy, Served, Story, event_seqs, line_seqs, opened, serving

CUTS = 100


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path) as it:
        yield it


async def _tell_and_cut(story: Story, proxy: Proxy, seed: int) -> None:
    """Go on with the story until it was cut often enough, then end it."""
    chance = random.Random(seed)
    while proxy.cuts < CUTS:
        for _ in range(chance.randrange(4)):
            await story.beat(chance.randrange(1, 12))
            await story.say(chance.randrange(1, 60), size=chance.randrange(10, 400))
            await asyncio.sleep(chance.random() * 0.01)
        proxy.cut()
        await asyncio.sleep(chance.random() * 0.02)
    await story.end()


async def _by_socket(served: Served, port: int, story: Story, after: str) -> list[dict[str, Any]]:
    """Every frame, coming back with the cursor of the last one."""
    found: list[dict[str, Any]] = []
    headers = {"Authorization": f"Bearer {served.token()}"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as client:
        while True:
            try:
                async with opened(client, f"/ws/devteam?build={story.id}&after={after}") as frames:
                    hello = await frames.next()
                    if hello is None:
                        continue
                    assert hello["payload"]["resume"] in {"live", "replay"}
                    while (frame := await frames.next()) is not None:
                        found.append(frame)
                        after = frame["payload"]["cursor"]
                    if frames.code == 1000:
                        return found
            except (aiohttp.ClientError, ConnectionError, TimeoutError):
                await asyncio.sleep(0.005)


async def _by_sse(served: Served, port: int, story: Story, after: str) -> list[dict[str, Any]]:
    """Every frame, coming back with the last `id:` as a browser does: only whole events count."""
    found: list[dict[str, Any]] = []
    headers = {"Authorization": f"Bearer {served.token()}"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as client:
        while True:
            try:
                more = {"Last-Event-ID": after}
                async with client.get(f"/api/builds/{story.id}/stream", headers=more) as answer:
                    if answer.status == 204:
                        return found
                    assert answer.status == 200
                    buffer = b""
                    async for data in answer.content.iter_any():
                        buffer += data
                        *events, buffer = buffer.split(b"\n\n")
                        for event in events:
                            fields = dict(
                                line.split(b": ", 1) for line in event.split(b"\n") if not line.startswith(b":")
                            )
                            if b"data" in fields:
                                frame = json.loads(fields[b"data"])
                                after = fields[b"id"].decode()
                                found += [frame] if frame["type"] not in {"hello", "end"} else []
            except (aiohttp.ClientError, ConnectionError, TimeoutError):
                await asyncio.sleep(0.005)


async def _by_our_client(served: Served, port: int, story: Story, after: str) -> list[dict[str, Any]]:
    """The same by the client of the command line, which follows the journal beside it and must know every event."""
    url = f"http://127.0.0.1:{port}"
    environment = {"HOME": str(served.site.app.settings.home), "BUILDWRIGHT_RECONNECT_SECONDS": "0.005"}
    settings = Settings.load(environment | {"BUILDWRIGHT_URL": url, "BUILDWRIGHT_TOKEN": served.token()})
    access = ServerAccess(url, True, settings)
    while True:
        stream = BuildStream(access, story.id, "events,journal,log", lambda _: None, after=after, told=0)
        found, told = [], []
        try:
            async with aclosing(stream.news()) as all_news:
                async for frame, news in all_news:
                    found.append(frame)
                    told += [step.recorded.seq for step in news.steps] if news is not None else []
        except Unreachable:
            continue  # cut before it was ever connected
        assert stream.build is not None
        assert stream.build.is_terminal
        assert told == list(range(1, story.version + 1))
        return found


@pytest.mark.parametrize("read", [_by_socket, _by_sse, _by_our_client])
async def test_cut_a_hundred_times_without_a_gap_or_a_double(served: Served, read: Any) -> None:
    story = await served.begin()
    async with Proxy(served.port).running() as proxy:
        reading = asyncio.create_task(read(served, proxy.port, story, "start"))
        await _tell_and_cut(story, proxy, seed=7)
        found = await asyncio.wait_for(reading, 60)
    assert proxy.cuts >= CUTS
    assert event_seqs(found) == list(range(1, story.version + 1))
    assert line_seqs(found) == list(range(1, story.lines + 1))


async def test_frames_of_one_event_come_once_however_it_is_cut(served: Served) -> None:
    """By the names of `/ws` an event may be several frames; a cursor stands between them, too."""
    story = await served.begin(tasks=1)
    await story.end()
    async with served.client() as client:
        async with opened(client, f"/ws?build={story.id}&after=start&topics=events,journal") as frames:
            await frames.next()
            whole = await frames.rest()
        for count, frame in enumerate(whole, 1):
            path = f"/ws?build={story.id}&topics=events,journal&after={frame['payload']['cursor']}"
            async with opened(client, path) as frames:
                await frames.next()
                rest = await frames.rest()
            assert [f["type"] for f in rest] == [f["type"] for f in whole[count:]]


async def _stalled(served: Served, path: str) -> socket.socket:
    """A client that asks for a stream and never reads a byte of it."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(reader, ("127.0.0.1", served.port))
    upgrade = ""
    if path.startswith("/ws"):
        upgrade = (
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        )
    asked = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nAuthorization: Bearer {served.token()}\r\n{upgrade}\r\n"
    await loop.sock_sendall(reader, asked.encode())
    return reader


@pytest.mark.parametrize("path", ["/ws/devteam?build={}", "/api/builds/{}/stream"])
async def test_who_never_reads_is_dropped_and_holds_up_nobody(tmp_path: Path, path: str) -> None:
    limits = BroadcastLimits(frames=64, size=200_000, stall_seconds=0.3)
    async with serving(tmp_path, limits) as served:
        story = await served.begin()
        stalled = await _stalled(served, path.format(story.id))
        async with served.client() as client, opened(client, f"/ws/devteam?build={story.id}") as frames:
            await frames.next()
            while not served.site.tails.readers or len(served.site.tails.readers) < 2:
                await asyncio.sleep(0.01)
            found: list[dict[str, Any]] = []
            most = 0
            async with asyncio.timeout(60):
                while len(served.site.tails.readers) == 2:
                    await story.say(200, size=400)
                    await story.beat()
                    while not line_seqs(found[-1:]) or line_seqs(found[-1:])[-1] < story.lines:
                        frame = await frames.next()
                        assert frame is not None
                        found += [frame] if frame["type"] == "execution-log" else []
                    most = max(most, *(reader.waiting for reader in served.site.tails.readers))
            await story.end()
            await frames.rest()
            assert frames.code == 1000
        assert line_seqs(found) == list(range(1, story.lines + 1))
        assert most <= 300_000
        stalled.close()


async def test_a_slow_client_gets_a_cursor_to_come_back_to(tmp_path: Path) -> None:
    """It is too slow, and reads again just in time to hear so: `reset` and 1013."""
    limits = BroadcastLimits(stall_seconds=0.1, patience_seconds=0.2)
    async with serving(tmp_path, limits) as served:
        story = await served.begin()
        async with served.client() as client, opened(client, f"/ws/devteam?build={story.id}") as frames:
            await frames.next()
            await story.beat()
            first = await frames.until("execution-update")
            (reader,) = served.site.tails.readers
            reader.stop("slow")
            last = await frames.rest()
            assert (frames.code, last[-1]["type"]) == (1013, "reset")
            cursor = last[-1]["payload"]["after"]
            assert cursor == first[-1]["payload"]["cursor"]
        await story.beat()
        async with served.client() as client, opened(client, f"/ws/devteam?build={story.id}&after={cursor}") as frames:
            await frames.next()
            assert event_seqs(await frames.until("execution-update")) == [6]


async def test_a_reader_that_is_overtaken_goes_on_from_the_store(tmp_path: Path) -> None:
    """A flood of lines is more than a queue holds, and nothing is lost; events do not wait for the lines."""
    async with serving(tmp_path, BroadcastLimits(frames=8, size=50_000)) as served:
        story = await served.begin()
        async with served.client() as client, opened(client, f"/ws/devteam?build={story.id}") as frames:
            await frames.next()
            for _ in range(20):
                await story.say(1000, size=100)
                await story.beat()
            await story.end()
            found = await frames.rest()
        assert frames.code == 1000
        assert line_seqs(found) == list(range(1, 20_001))
        assert event_seqs(found) == list(range(5, story.version + 1))


async def test_a_hundred_clients_of_which_five_never_read(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        story = await served.begin()
        stalled = [await _stalled(served, f"/ws/devteam?build={story.id}") for _ in range(5)]

        async def follow(client: aiohttp.ClientSession) -> list[int]:
            async with opened(client, f"/ws/devteam?build={story.id}&after=start") as frames:
                await frames.next()
                found = await frames.rest()
                assert frames.code == 1000
                assert event_seqs(found) == list(range(1, story.version + 1))
                return line_seqs(found)

        async with served.client() as client:
            readers = [asyncio.create_task(follow(client)) for _ in range(95)]
            for _ in range(30):
                await story.say(5, size=200)
                await story.beat()
                await asyncio.sleep(0.02)
            await story.end()
            found = await asyncio.wait_for(asyncio.gather(*readers), 60)
        assert found == [list(range(1, 151))] * 95
        for client_socket in stalled:
            client_socket.close()


async def test_who_comes_back_to_a_build_that_has_just_ended_gets_its_last_lines(served: Served) -> None:
    """Lines that are not written yet are no reason to say that there is nothing more."""
    story = await served.begin()
    async with served.client() as client:
        async with client.get("/events", params={"build": story.id}) as answer:
            cursor = (await answer.json())["cursor"]
        await story.end()
        for query in ("", "&topics=events"):
            texts: list[str] = []
            for after in (cursor, ""):
                more = {"Last-Event-ID": after or texts[-1].rpartition("\nid: ")[2].partition("\n")[0]}
                if after and not query:
                    await story.say(5)
                async with client.get(f"/api/builds/{story.id}/stream?names=devteam{query}", headers=more) as answer:
                    texts.append(await answer.text())
                    statuses = (answer.status, "end" if '"type":"end"' in texts[-1] else "")
                assert statuses == ((200, "end") if after else (204, ""))
            assert ('"text":"line 5' in texts[0]) is not bool(query)
