"""kill -9 of a whole process with a real agent in it: the next one goes on, buys nothing twice, and counts everything once."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import sys
import time
from asyncio.subprocess import Process, create_subprocess_exec
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from buildwright.core import event as e
from buildwright.core.event import AnyEvent
from buildwright.store.journal_sqlite import SqliteBuilds
from tests.agents.fake_messages import FakeMessages, Round, Use, serving
from tests.engine.harness import make_repository
from tests.git import git

OUTPUT = 50
"""Tokens of every answer of the fake provider."""


async def begin(folder: Path, home: Path, agent: str, fake: FakeMessages, every: float = 0, *dies: str) -> Process:
    home.mkdir(exist_ok=True)
    words = [str(folder), str(home), agent, fake.url, str(every), *dies]
    return await create_subprocess_exec(
        sys.executable, "-m", "tests.engine.second_life", *words, cwd=Path(__file__).parents[2], env=dict(os.environ)
    )


async def look(folder: Path) -> tuple[list[AnyEvent], dict[str, str]]:
    """The journal, and the files of the delivered branch."""
    builds = await SqliteBuilds.open(folder / "state.db", folder / "artifacts")
    try:
        (row,) = await builds.rows()
        events = [recorded.event for recorded in await builds.read(row.build_id)]
    finally:
        await builds.close()
    branch, repository = f"buildwright/{row.build_id[:8]}", folder / "repository"
    names = git(repository, "ls-tree", "-r", "--name-only", branch).splitlines()
    return events, {name: git(repository, "show", f"{branch}:{name}") for name in names}


def wait_for_checkpoint(journal: Path) -> None:
    """Until one is in the journal, which another process writes while this one stands still."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as reading:
        while not reading.execute("SELECT 1 FROM events WHERE type = 'checkpoint.created'").fetchone():
            time.sleep(0.02)


def counted(events: list[AnyEvent]) -> list[int]:
    return [event.output_tokens for event in events if isinstance(event, e.TokensUsed)]


def rounds(turn: int, body: dict[str, Any]) -> Round:
    """Three rounds of tools; a round that is carried out twice shows in its file."""
    found = re.search(r"Primary working directory: (\S+?)\\n", str(body["messages"]))
    assert found is not None
    script: list[Round] = [
        ["I begin.", Use("Write", {"file_path": f"{found[1]}/a.txt", "content": "one\n"})],
        [Use("Bash", {"command": "echo two >> b.txt"})],
        [Use("Bash", {"command": "echo three >> c.txt"})],
        ["Done."],
    ]
    return script[turn]


@pytest.mark.parametrize(
    ("every", "killed_at", "agent"),
    [(0.0, 2, "claude"), (60.0, 3, "claude in a box")],
    ids=["a-checkpoint-each-round", "answers-since-the-checkpoint"],
)
async def test_claude_goes_on_in_another_process_and_another_home(
    tmp_path: Path, every: float, killed_at: int, agent: str
) -> None:
    make_repository(tmp_path / "repository")
    lives: list[Process] = []

    def answer(turn: int, body: dict[str, Any]) -> Round:
        if turn == killed_at and len(lives) == 1:
            wait_for_checkpoint(tmp_path / "state.db")
            lives[0].send_signal(signal.SIGKILL)
        return rounds(turn, body)

    async with serving(answer) as fake:
        lives.append(await begin(tmp_path, tmp_path / "home", agent, fake, every))
        assert await lives[0].wait() == -9
        # Another worker: only what went through the hub is there.
        shutil.copytree(tmp_path / "home" / "mirrors", tmp_path / "elsewhere" / "mirrors")
        lives.append(await begin(tmp_path, tmp_path / "elsewhere", agent, fake, every))
        assert await lives[1].wait() == 0
        asked = [sum(one["role"] == "assistant" for one in body["messages"]) for body in fake.requests]
    assert asked == sorted([0, 1, 2, 3, killed_at]), "only the answer that was in the air is bought again"
    events, files = await look(tmp_path)
    assert files == {"README.md": "hello", "a.txt": "one", "b.txt": "two", "c.txt": "three"}
    kinds = [event.type for event in events]
    before = kinds[: kinds.index("checkpoint.restored")]
    assert "checkpoint.created" in before
    assert kinds.count("checkpoint.restored") == 1
    assert kinds.count("agent.finished") == 1
    assert counted(events) == [OUTPUT] * 4


@pytest.mark.parametrize("seconds", ["0", "0.8"], ids=["before-it-is-counted", "after-it-is-counted"])
async def test_an_answer_that_came_before_the_kill_is_not_bought_again(tmp_path: Path, seconds: str) -> None:
    make_repository(tmp_path / "repository")
    block = "=== FILE: a.txt ===\none\n=== END FILE ===\n"
    async with serving(lambda _turn, _body: [block]) as fake:
        dying = await begin(tmp_path, tmp_path / "home", "direct", fake, 0, seconds)
        assert await dying.wait() == -9
        assert len(fake.requests) == 1
        going_on = await begin(tmp_path, tmp_path / "home", "direct", fake)
        assert await going_on.wait() == 0
        assert len(fake.requests) == 1
    events, files = await look(tmp_path)
    assert files == {"README.md": "hello", "a.txt": "one"}
    assert counted(events) == [OUTPUT]
