"""One suite for the port `Answers`, over every store."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from buildwright.ports import AnswerKey, Answers
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.store.journal_sqlite import SqliteBuilds
from tests.adapters.memory_store import MemoryBuilds

KEY = AnswerKey("b", "T1", 1, "0" * 64, 0)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("tables_url")) if kind == "postgres" else ""


@pytest.fixture
async def answers(kind: str, url: str, tmp_path: Path) -> AsyncIterator[Answers]:
    store: MemoryBuilds | SqliteBuilds | PostgresBuilds
    if kind == "memory":
        store = MemoryBuilds()
    elif kind == "sqlite":
        store = await SqliteBuilds.open(tmp_path / "b.db", tmp_path / "artifacts")
    else:
        store = await PostgresBuilds.open(url)
    yield store
    await store.close()


async def test_an_answer_is_found_under_its_key_alone(answers: Answers) -> None:
    assert await answers.find_answer(KEY) is None
    content = os.urandom(300_000)
    await answers.keep_answer(KEY, content)
    assert await answers.find_answer(KEY) == content
    others = [KEY._replace(build_id="c"), KEY._replace(task=""), KEY._replace(attempt=2), KEY._replace(nth=1)]
    for other in (*others, KEY._replace(digest="1" * 64)):
        assert await answers.find_answer(other) is None


async def test_the_first_answer_stays(answers: Answers) -> None:
    await answers.keep_answer(KEY, b"first")
    await answers.keep_answer(KEY, b"second")
    assert await answers.find_answer(KEY) == b"first"
    key = KEY._replace(nth=1)
    await asyncio.gather(*(answers.keep_answer(key, bytes([number])) for number in range(8)))
    found = await answers.find_answer(key)
    await answers.keep_answer(key, b"later")
    assert await answers.find_answer(key) == found


async def test_an_empty_answer_is_an_answer(answers: Answers) -> None:
    await answers.keep_answer(KEY, b"")
    assert await answers.find_answer(KEY) == b""
