"""Events in files: made from real journals, also by processes that are killed while they write."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from buildwright.core import event as e
from buildwright.core.limits import Options
from buildwright.core.secrets import masker
from buildwright.core.spec import Spec
from buildwright.maintenance.event_files import KEPT_FOR, NEWEST, EventFiles
from buildwright.store.journal_sqlite import SqliteBuilds
from tests.api.conftest import NOTHING, serving
from tests.cli.conftest import Program
from tests.starter import SOURCE

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SMALL = 3_000
DRIVER = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from buildwright.maintenance.event_files import EventFiles
from buildwright.store.journal_sqlite import SqliteBuilds
async def main(home, folder):
    builds = await SqliteBuilds.open(home / "state.db", home / "artifacts")
    await EventFiles(folder, timedelta(days=30), str, 3_000).update(builds, datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC))
    await builds.close()
asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
"""


def beat(number: int) -> e.AgentHeartbeat:
    return e.AgentHeartbeat(task="a", attempt=number, status="running", percent=1)


async def journals(home: Path, builds: int, events: int, at: datetime = NOW) -> SqliteBuilds:
    """A store with journals of as many events each."""
    store = await SqliteBuilds.open(home / "state.db", home / "artifacts")
    for number in range(builds):
        created = e.BuildCreated(
            build_id=f"b{number}", project_id="p", user_id="u", repository="", spec=Spec(title="S"), options=Options()
        )
        await store.create(f"b{number}", [created, *[beat(each) for each in range(2, events + 1)]], at)
    return store


def written(folder: Path) -> list[dict[str, Any]]:
    """All lines of all files, oldest first."""
    old = sorted(folder.glob("events-*.jsonl.gz"))
    text = b"".join(gzip.decompress(path.read_bytes()) for path in old) + (folder / NEWEST).read_bytes()
    return [json.loads(line) for line in text.splitlines()]


def places(folder: Path) -> list[tuple[str, int]]:
    return [(line["build"], line["seq"]) for line in written(folder)]


async def test_each_event_stands_once_and_files_are_full_and_compressed(tmp_path: Path) -> None:
    store, folder = await journals(tmp_path, 3, 40), tmp_path / "events"
    files = EventFiles(folder, KEPT_FOR, str, SMALL)
    assert await files.update(store, NOW) == 120
    assert places(folder) == [(f"b{build}", seq) for build in range(3) for seq in range(1, 41)]
    assert [one.number for one in files.all()] == list(range(1, len(files.all()) + 1))
    full = [len(gzip.decompress(path.read_bytes())) for path in folder.glob("*.gz")]
    assert len(full) >= 3
    assert all(SMALL - 500 < size <= SMALL for size in full)
    first = written(folder)[0]
    assert (first["at"], first["type"], first["spec"]["title"]) == ("2026-03-04T05:06:07.000000Z", "build.created", "S")
    assert await files.update(store, NOW) == 0
    await store.append("b1", 40, [beat(41)], NOW)
    assert await files.update(store, NOW) == 1
    assert places(folder)[-1] == ("b1", 41)
    await store.close()


async def test_what_was_written_without_a_cursor_is_written_again(tmp_path: Path) -> None:
    store, folder = await journals(tmp_path, 1, 5), tmp_path / "events"
    files = EventFiles(folder, KEPT_FOR, str)
    await files.update(store, NOW)
    with (folder / NEWEST).open("ab") as file:
        file.write(b'{"build": "b0", "seq": 6, "cut off in the mi')
    await store.append("b0", 5, [beat(6)], NOW)
    assert await files.update(store, NOW) == 1
    assert places(folder) == [("b0", seq) for seq in range(1, 7)]
    await store.close()


@pytest.mark.parametrize("after", [0.0, 0.02, 0.06])
async def test_a_process_that_is_killed_loses_nothing(tmp_path: Path, after: float) -> None:
    """Whenever the kill comes, what stands there in the end is the same."""
    store, folder = await journals(tmp_path, 9, 100), tmp_path / "events"
    await store.close()
    command = [sys.executable, "-c", DRIVER, str(tmp_path), str(folder)]
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    async with asyncio.timeout(60):
        while not folder.exists() and process.poll() is None:
            await asyncio.sleep(0.001)
    await asyncio.sleep(after)
    process.kill()
    process.communicate()
    again = subprocess.run(command, env=environment, check=False, capture_output=True, timeout=60)
    assert again.returncode == 0, again.stderr
    assert places(folder) == [(f"b{build}", seq) for build in range(9) for seq in range(1, 101)]


async def test_old_files_go_and_old_events_are_not_written(tmp_path: Path) -> None:
    store, folder = await journals(tmp_path, 1, 60, NOW - timedelta(days=40)), tmp_path / "events"
    files = EventFiles(folder, KEPT_FOR, str, SMALL)
    assert await files.update(store, NOW) == 0
    await store.append("b0", 60, [beat(each) for each in range(61, 121)], NOW)
    assert await files.update(store, NOW) == 60
    assert places(folder)[0] == ("b0", 61)
    for file in files.all():
        os.utime(folder / file.name, times=(NOW.timestamp(), NOW.timestamp()))
    later = NOW + timedelta(days=31)
    await store.append("b0", 120, [beat(121)], later)
    await files.update(store, later)
    assert places(folder) == [("b0", 121)]
    await store.close()


async def test_no_secret_gets_into_the_files(tmp_path: Path) -> None:
    store, folder = await journals(tmp_path, 1, 1), tmp_path / "events"
    told = e.MessageSent(id="m", text="the key is hunter2-hunter2 and AKIAABCDEFGHIJKLMNOP")
    await store.append("b0", 1, [told], NOW)
    await EventFiles(folder, KEPT_FOR, masker(frozenset({"hunter2-hunter2"}))).update(store, NOW)
    assert written(folder)[-1]["text"] == "the key is [secret] and [secret]"
    await store.close()


def test_by_command_once_and_by_a_setting_always(program: Program, three: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    build = ("build", three, "--agent", "noop", "--no-lanes")
    assert program(*build, BUILDWRIGHT_EVENTS=str(folder)).code == 0
    first = places(folder)
    assert first == [(first[0][0], seq) for seq in range(1, len(first) + 1)]
    printed = program("events", "newest").lines
    assert [{"build": first[0][0], **line} for line in printed] == list(written(folder))
    ended = program("events", "--to", tmp_path / "once")
    assert (ended.code, ended.out.startswith(f"{len(first)} new events in ")) == (0, True), ended.err
    assert places(tmp_path / "once") == first
    assert program("events").lines[-1]["seq"] == len(first)
    assert program("events", "newest", "--to", tmp_path / "once").code == 2
    refused = program("costs", BUILDWRIGHT_EVENTS="here")
    assert refused.code == 78
    assert "BUILDWRIGHT_EVENTS" in refused.err


async def test_a_server_keeps_them_and_its_owner_reads_them(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    async with serving(tmp_path, BUILDWRIGHT_EVENTS=str(folder)) as served:
        wanted = {"tasks": [{"id": "a", "title": "A"}], "options": NOTHING}
        answer = await served.client.post("/api/builds", wanted)
        assert answer.status in {201, 202}, answer.text
        async with asyncio.timeout(60):
            while not (folder / NEWEST).exists() or "build.finished" not in (folder / NEWEST).read_text():
                await asyncio.sleep(0.1)
        (file,) = (await served.client.get("/api/event-files")).json["files"]
        assert (file["name"], file["number"], file["size"]) == (NEWEST, 1, (folder / NEWEST).stat().st_size)
        url = f"{served.client.address}/api/event-files/{NEWEST}"
        async with served.client.session.get(url) as content:
            assert (content.status, await content.read()) == (200, (folder / NEWEST).read_bytes())
        assert (await served.client.get("/api/event-files/events-000009.jsonl.gz")).status == 404
        assert (await served.client.get("/api/event-files/cursor.json")).status == 422
        bob = await served.user("bob")
        assert (await bob.get("/api/event-files")).status == 403
        assert (await bob.get(f"/api/event-files/{NEWEST}")).status == 403
