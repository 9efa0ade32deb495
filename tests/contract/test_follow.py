"""The contract of following a build, over every journal: the stores, a server's over HTTP, and a server's stream."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import NamedTuple

import pytest

from buildwright.core.apply import apply
from buildwright.core.build import Build
from buildwright.engine.follow import News, follow
from buildwright.engine.steps import Decided
from buildwright.errors import NotFound
from buildwright.http_client import HttpBuilds, open_http_client
from buildwright.ports import BuildReader, Builds
from buildwright.settings import Settings
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.store.journal_sqlite import SqliteBuilds
from buildwright.stream_client import BuildStream, ServerAccess
from buildwright.wiring import SystemClock
from tests.adapters.memory_store import MemoryBuilds
from tests.api.streaming import Story, serving

READERS = ["memory", "sqlite", "postgres", "http"]


class Followed(NamedTuple):
    """A store that the test writes to, and a way to follow its builds, log lines from the first."""

    builds: Builds
    reader: BuildReader
    news: Callable[[Build], AsyncGenerator[News, None]]

    async def begin(self) -> Story:
        story = Story(self.builds, str(uuid.uuid4()), "shop", "ann", tasks=3)
        await story.begin()
        return story


@pytest.fixture(params=[*READERS, "stream"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest) -> str:
    """A database for the kind that needs a server: only then is it started."""
    return str(request.getfixturevalue("tables_url")) if kind == "postgres" else ""


@pytest.fixture
async def followed(kind: str, url: str, tmp_path: Path) -> AsyncIterator[Followed]:
    async with AsyncExitStack() as stack:
        if kind in {"http", "stream"}:
            served = await stack.enter_async_context(serving(tmp_path))
            environment = {"HOME": str(tmp_path), "BUILDWRIGHT_URL": served.url, "BUILDWRIGHT_TOKEN": served.token()}
            server = ServerAccess(served.url, True, Settings.load(environment, tmp_path))
            remote: HttpBuilds = (await stack.enter_async_context(open_http_client(server))).builds

            async def streamed(since: Build) -> AsyncGenerator[News, None]:
                stream = BuildStream(server, since.id, "journal,log", lambda _: None, told=since.version)
                async with aclosing(stream.news()) as all_news:
                    async for _, news in all_news:
                        if news is not None:
                            yield news

            looked = streamed if kind == "stream" else lambda since: follow(remote, since, log_after=0)
            yield Followed(served.site.app.builds, remote, looked)
            return
        builds: Builds
        if kind == "memory":
            builds = MemoryBuilds(SystemClock().now)
        elif kind == "sqlite":
            builds = await SqliteBuilds.open(tmp_path / "db" / "buildwright.db", tmp_path / "artifacts")
        else:
            builds = await PostgresBuilds.open(url)
        yield Followed(builds, builds, lambda since: follow(builds, since, log_after=0))
        await builds.close()


async def _go_on(story: Story) -> None:
    """Events and lines, some together and some apart."""
    for number in range(1, 9):
        await story.beat(number)
        await story.say(2 * number)
        await asyncio.sleep(0.03 * (number % 3))
    await story.end()


async def test_all_that_happens_comes_once_and_in_order(followed: Followed) -> None:
    story = await followed.begin()
    state = since = await followed.builds.load(story.id)
    writing = asyncio.create_task(_go_on(story))
    steps: list[Decided] = []
    texts: list[str] = []
    async with asyncio.timeout(60), aclosing(followed.news(since)) as all_news:
        async for news in all_news:
            steps += news.steps
            texts += [line.text for line in news.lines]
            if news.build.is_terminal and not news.more and len(texts) == story.lines:
                break
    await writing
    assert [step.recorded for step in steps] == await followed.builds.read(story.id, after=since.version)
    for step in steps:
        state = apply(state, step.recorded)
        assert step.build == state
    assert [int(text.split()[1]) for text in texts] == list(range(1, story.lines + 1))


async def test_a_build_that_is_not_there_is_not_found(followed: Followed) -> None:
    story = Story(MemoryBuilds(SystemClock().now), str(uuid.uuid4()), "shop", "ann", tasks=1)
    await story.begin()
    async with asyncio.timeout(60), aclosing(followed.news(await story.builds.load(story.id))) as all_news:
        with pytest.raises(NotFound):
            await anext(all_news)


@pytest.mark.parametrize("kind", READERS, indirect=True)
async def test_it_looks_at_least_once_and_ends_after_its_time(followed: Followed) -> None:
    story = await followed.begin()
    since = await followed.builds.load(story.id)
    await story.beat()
    looks = [news async for news in follow(followed.reader, since, seconds=0.0)]
    assert [[step.recorded.seq for step in news.steps] for news in looks] == [[story.version]]
    assert looks[0].build.version == story.version
    assert not looks[0].lines
    looks = [news async for news in follow(followed.reader, looks[0].build, seconds=0.2)]
    assert len(looks) > 1
    assert not any(news.steps for news in looks)


@pytest.mark.parametrize("kind", READERS, indirect=True)
async def test_a_long_log_comes_in_pages_and_says_that_more_is_there(followed: Followed) -> None:
    story = await followed.begin()
    since = await followed.builds.load(story.id)
    await story.say(2_500)
    await story.end()
    async with asyncio.timeout(60):
        while not await followed.reader.read_log(story.id, after=story.lines - 1):
            await asyncio.sleep(0.01)
        pages = []
        async with aclosing(followed.news(since)) as all_news:
            async for news in all_news:
                pages.append((len(news.lines), news.more, news.build.is_terminal))
                if not news.more:
                    break
    assert pages == [(1000, True, True), (1000, True, True), (500, False, True)]
