"""Streams: what they start with, replay, live, close codes, who may; slow clients; nothing is missed and nothing comes twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.streaming import Served, event_seqs, line_seqs, opened, serving


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path) as it:
        yield it


async def test_a_build_is_followed_to_its_end(served: Served) -> None:
    story = await served.begin()
    async with served.client() as client, opened(client, f"/ws/devteam?build={story.id}") as frames:
        hello = await frames.next()
        assert hello is not None
        assert (hello["type"], hello["projectId"], hello["payload"]["resume"]) == ("hello", "shop", "live")
        assert hello["payload"]["head"] == {story.id: {"event": 4, "line": 0}}
        await story.beat(2)
        await story.say(3)
        await story.end()
        rest = await frames.rest()
    assert frames.code == 1000
    assert event_seqs(rest) == [5, 6, 7, 8]
    assert line_seqs(rest) == [1, 2, 3]
    assert rest[0]["payload"]["executionId"] == story.id
    last = next(frame for frame in reversed(rest) if frame["type"] == "execution-update")
    assert (last["payload"]["event"], last["payload"]["status"]) == ("build.finished", "stopped")


async def test_a_replay_from_the_start_has_everything(served: Served) -> None:
    story = await served.begin()
    await story.say(1200)
    await story.beat(450)
    await story.end()
    async with served.client() as client, opened(client, f"/ws/devteam?build={story.id}&after=start") as frames:
        hello = await frames.next()
        assert hello is not None
        assert hello["payload"]["resume"] == "replay"
        rest = await frames.rest()
    assert event_seqs(rest) == list(range(1, story.version + 1))
    assert line_seqs(rest) == list(range(1, 1201))
    assert max(len(f["payload"]["lines"]) for f in rest if f["type"] == "execution-log") <= 500
