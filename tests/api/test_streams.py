"""Streams: what they start with, replay, live, close codes, who may; slow clients; nothing is missed and nothing comes twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from buildwright.ports import LogEntry
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


async def test_what_another_process_writes_is_seen(served: Served) -> None:
    from buildwright.store.journal_sqlite import SqliteBuilds

    settings = served.site.app.settings
    story = await served.begin()
    async with served.client() as client, opened(client, f"/ws/devteam?build={story.id}") as frames:
        await frames.next()
        other = await SqliteBuilds.open(settings.database, settings.artifacts)
        story.builds = other
        await story.beat()
        await story.say(2)
        await story.end()
        await other.close()
        rest = await frames.rest()
    assert (event_seqs(rest), line_seqs(rest)) == ([5, 6, 7], [1, 2])


async def test_a_project_has_its_builds_those_of_later_too(served: Served) -> None:
    ended, first = await served.begin(), await served.begin()
    await ended.end()
    foreign = await served.begin(user="bob")
    elsewhere = await served.begin(project="other")
    async with served.client() as client, opened(client, "/ws/devteam?projectId=shop") as frames:
        hello = await frames.next()
        assert hello is not None
        assert set(hello["payload"]["head"]) == {first.id}
        second = await served.begin()
        for story in (foreign, elsewhere, first, second):
            await story.end()
        found = await frames.until("execution-update", 2 + second.version)
        cursor = found[-1]["payload"]["cursor"]
        third = await served.begin()
        await frames.until("execution-update", third.version)
    of = {story.id: [f for f in found if f["payload"]["executionId"] == story.id] for story in (first, second)}
    assert event_seqs(of[first.id]) == [5, 6]
    assert event_seqs(of[second.id]) == list(range(1, second.version + 1))
    assert len(found) == len(of[first.id]) + len(of[second.id])
    # Whoever comes back has missed the third one, and nothing else.
    async with served.client() as client, opened(client, f"/ws/devteam?projectId=shop&after={cursor}") as frames:
        hello = await frames.next()
        assert hello is not None
        assert hello["payload"]["resume"] == "replay"
        assert ended.id not in hello["payload"]["head"]
        found = await frames.until("execution-update", third.version)
        assert event_seqs(found) == [1, 2, 3, 4]
        assert {frame["payload"]["executionId"] for frame in found} == {third.id}


async def test_frames_of_both_names_and_the_journal(served: Served) -> None:
    story = await served.begin(tasks=2)
    await story.say(1)
    await story.end()
    async with served.client() as client:
        async with opened(client, f"/ws?build={story.id}&after=start") as frames:
            await frames.next()
            rest = await frames.rest()
        async with opened(client, f"/ws?build={story.id}&after=start&topics=journal") as frames:
            await frames.next()
            journal = await frames.rest()
    kinds = [frame["type"] for frame in rest]
    assert kinds == [
        *("build_plan", "phase_start", "agent.spawned", "agent.heartbeat"),
        *("build.stop", "build_error", "agent.heartbeat", "build_log"),
    ]
    assert [frame["payload"]["seq"] for frame in journal] == [1, 2, 3, 4, 5, 6]
    assert {frame["type"] for frame in journal} == {"journal"}


async def test_a_file_is_told_of_when_it_is_written_and_once(served: Served) -> None:
    story = await served.begin()
    now = datetime.now(UTC)
    said = [("said", "x"), ("wrote", "src/a.py: wrote 12 bytes"), ("wrote", "b.md: deleted"), ("said", "y")]
    await served.site.app.builds.write_log(story.id, [LogEntry(now, "t1", 1, kind, text) for kind, text in said])
    found: list[dict[str, Any]] = []
    async with served.client() as client:
        after = "start"
        for _ in range(3):  # cut after each frame
            async with opened(client, f"/ws?build={story.id}&topics=log&after={after}") as frames:
                await frames.next()
                frame = await frames.next()
                assert frame is not None
                found.append(frame)
                after = frame["payload"]["cursor"]
    assert [frame["type"] for frame in found] == ["build_log", "file_created", "build_log"]
    assert [line["text"] for frame in found[::2] for line in frame["payload"]["lines"]] == ["x", "b.md: deleted", "y"]
    told = {"path": "src/a.py", "size_bytes": 12, "language": "python", "change": "written", "task": "t1"}
    assert told.items() <= found[1]["payload"].items()


async def test_a_client_subscribes_to_what_it_wants(served: Served) -> None:
    story = await served.begin()
    async with served.client() as client, opened(client, f"/ws/devteam?build={story.id}&topics=events") as frames:
        await frames.next()
        await story.say(3)
        await story.beat()
        first = await frames.until("execution-update")
        assert line_seqs(first) == []
        await frames.socket.send_json({"type": "subscribe", "topics": ["events", f"log:{story.id}"]})
        (answer,) = await frames.until("subscribed")
        assert answer["payload"]["topics"] == ["events", f"log:{story.id}"]
        await story.say(2)
        found = await frames.until("execution-log")
        while line_seqs(found)[-1] < 5:
            found += await frames.until("execution-log")
        await frames.socket.send_json({"type": "subscribe", "payload": {"topics": ["log"], "after": "start"}})
        await frames.until("subscribed")
        found = []
        while len(line_seqs(found)) < 5:
            found += await frames.until("execution-log")
        assert (line_seqs(found), event_seqs(found)) == ([1, 2, 3, 4, 5], [])


async def test_a_stream_of_a_project_begins_with_the_newest_lines_of_each_build(served: Served) -> None:
    first, second = await served.begin(project="p"), await served.begin(project="p")
    await first.say(5)
    await second.say(3)
    async with served.client() as client, opened(client, "/ws/devteam?projectId=p&topics=log&last=2") as frames:
        await frames.next()
        found: list[dict[str, Any]] = []
        while len(line_seqs(found)) < 4:
            found += await frames.until("execution-log")
        assert sorted(line_seqs(found)) == [2, 3, 4, 5]


async def test_a_stream_begins_with_the_newest_lines_and_the_older_ones_are_pages(served: Served) -> None:
    story = await served.begin()
    await story.say(10)
    place = f"/ws/devteam?build={story.id}&topics=events,log"
    async with served.client() as client:
        async with opened(client, f"{place}&last=3") as frames:
            hello = await frames.next()
            assert hello is not None
            assert (hello["payload"]["head"][story.id]["line"], hello["payload"]["oldest"][story.id]["line"]) == (10, 1)
            found = await frames.until("execution-log")
            assert line_seqs(found) == [8, 9, 10]
            await story.say(1)
            cursor = (await frames.until("execution-log"))[-1]["payload"]["cursor"]
            await frames.socket.send_json({"type": "subscribe", "payload": {"last": 2}})
            await frames.until("subscribed")
            assert line_seqs(await frames.until("execution-log")) == [10, 11]
            await frames.socket.send_json({"type": "subscribe", "payload": {"last": 10_001}})
            assert (await frames.until("error"))[0]["payload"]["code"] == "bad-frame"
        await story.say(1)
        async with opened(client, f"{place}&after={cursor}") as frames:
            await frames.next()
            assert line_seqs(await frames.until("execution-log")) == [12], "it goes on where it was"
        async with client.get(f"/api/builds/{story.id}/logs?after=0&limit=7") as page:
            items = (await page.json())["items"]
        assert [(one["seq"], one["level"]) for one in items] == [(number, "info") for number in range(1, 8)]


@pytest.mark.parametrize(
    "sent",
    [
        "no json",
        "[]",
        "[" * 5_000,
        '{"type": "dance"}',
        '{"type": "subscribe", "topics": ["everything"]}',
        '{"type": "subscribe", "topics": 7}',
        '{"type": "subscribe", "after": 1}',
        '{"type": "subscribe", "what": 1}',
        b"\x00\x01",
    ],
    ids=range(9),
)
async def test_a_frame_that_is_not_understood_is_answered(served: Served, sent: str | bytes) -> None:
    story = await served.begin()
    async with served.client() as client, opened(client, f"/ws/devteam?build={story.id}") as frames:
        await frames.next()
        await (frames.socket.send_str(sent) if isinstance(sent, str) else frames.socket.send_bytes(sent))
        answer = await frames.next()
        assert answer is not None
        assert (answer["type"], answer["payload"]["code"]) == ("error", "bad-frame")
        await frames.socket.send_json({"type": "ping"})
        await frames.until("pong")
        await story.beat()
        assert event_seqs(await frames.until("execution-update")) == [5]
    assert not [entry for entry in served.logged if entry.get("level") == "error"]


async def test_too_large_and_too_many_frames_of_a_client(served: Served) -> None:
    story = await served.begin()
    async with served.client() as client:
        async with opened(client, f"/ws/devteam?build={story.id}") as frames:
            await frames.socket.send_str("x" * 70_000)
            await frames.rest()
            assert frames.code == 1009
        async with opened(client, f"/ws/devteam?build={story.id}") as frames:
            for _ in range(60):
                await frames.socket.send_str("{}")
            await frames.rest()
            assert frames.code == 1008


async def test_close_codes(served: Served) -> None:
    mine, foreign = await served.begin(), await served.begin(project="theirs", user="bob")
    await served.site.records.projects.create("bob", "Empty", at=served.site.app.clock.now())
    own = await served.site.records.projects.create("ann", "Empty", at=served.site.app.clock.now())
    codes = {
        "/ws/devteam?projectId=theirs": 4403,
        "/ws/devteam?projectId=nowhere": 4404,
        "/ws?build=00000000-0000-0000-0000-000000000000": 4404,
        "/ws?build=%00%ff": 4404,
        "/ws?build=ab": 4404,
        "/ws": 4400,
        f"/ws?build={mine.id}&projectId=shop": 4400,
        f"/ws?build={mine.id}&topics=all": 4400,
        f"/ws?build={mine.id}&last=10001": 4400,
        f"/ws?build={mine.id}&last=-1": 4400,
        "/ws/other": 4404,
    }
    async with served.client() as client, served.client("") as nobody:
        for path, code in codes.items():
            async with opened(client, path) as frames:
                assert (await frames.next(), frames.code) == (None, code), path
        for path in ("/ws/devteam?projectId=shop", "/ws?build=newest", "/ws?build=newest&ticket=nonsense"):
            async with opened(nobody, path) as frames:
                assert (await frames.next(), frames.code) == (None, 4401)
        # The server's owner may see it, and another user may not.
        async with served.client("eve") as eve, opened(eve, f"/ws/devteam?build={foreign.id}") as frames:
            assert (await frames.next(), frames.code) == (None, 4403)
        late = served.token(seconds=-5)
        async with opened(nobody, "/ws?build=newest", headers={"Authorization": f"Bearer {late}"}) as frames:
            assert (await frames.next(), frames.code) == (None, 4401)
        for path in (f"/ws?build={mine.id[:8]}", "/ws?build=newest", f"/ws?project={own.id}"):
            async with opened(client, path) as frames:
                hello = await frames.next()
                assert hello is not None
                assert hello["type"] == "hello"
        async with opened(client, f"/ws?build={mine.id}") as frames:
            await frames.next()
            served.site.closing.set()
            assert (await frames.next(), frames.code) == (None, 1001)


async def test_only_pages_of_this_server_may_use_a_session(served: Served) -> None:
    await served.begin()
    cookie = {"Cookie": f"buildwright_session={served.token(kind='session')}"}
    port = served.port
    good = [f"http://127.0.0.1:{port}"]
    bad = [
        "null",
        "http://evil.example",
        f"http://127.0.0.1:{port}.evil.example",
        f"http://evil127.0.0.1:{port}",
        f"http://127.0.0.1:{port + 1}",
        "http://127.0.0.1",
        f"http://localhost:{port}",
        f"ftp://127.0.0.1:{port}",
        f"http://127.0.0.1:{port}@evil.example",
        f"http://user@127.0.0.1:{port}",
        f"http://127.0.0.1:{port}/path",
        f"//127.0.0.1:{port}",
        "",
    ]
    path = "/ws/devteam?projectId=shop"
    async with served.client("") as browser, served.client() as program:
        for origin in bad:
            for client, headers in ((browser, cookie), (program, {})):
                async with opened(client, path, headers={**headers, "Origin": origin}) as frames:
                    assert (await frames.next(), frames.code) == (None, 4403), origin
        for origin in good:
            async with opened(browser, path, headers={**cookie, "Origin": origin}) as frames:
                hello = await frames.next()
                assert hello is not None
                assert hello["type"] == "hello"
        async with opened(browser, path, headers=cookie) as frames:
            assert (await frames.next(), frames.code) == (None, 4403)


async def test_a_ticket_opens_one_socket(served: Served) -> None:
    await served.begin()
    async with served.client() as program, served.client("") as nobody:
        async with program.post("/api/tickets") as answer:
            assert answer.status == 201
            ticket = (await answer.json())["ticket"]
        path = f"/ws/devteam?projectId=shop&ticket={ticket}"
        async with opened(nobody, path) as frames:
            hello = await frames.next()
            assert hello is not None
        async with opened(nobody, path) as frames:
            assert (await frames.next(), frames.code) == (None, 4401)
        # A ticket is no token, and a token no ticket.
        async with opened(nobody, f"/ws/devteam?projectId=shop&ticket={served.token()}") as frames:
            assert (await frames.next(), frames.code) == (None, 4401)
        async with nobody.get("/auth/me", headers={"Authorization": f"Bearer {ticket}"}) as answer:
            assert answer.status == 401


async def test_cursors_that_are_worth_nothing_reset(served: Served, tmp_path: Path) -> None:
    story = await served.begin()
    await story.say(30)
    await story.end()
    async with served.client() as client:
        async with opened(client, f"/ws/devteam?build={story.id}&after=start") as frames:
            await frames.next()
            rest = await frames.rest()
        early = next(f["payload"]["cursor"] for f in rest if f["type"] == "execution-update")
        last = rest[-1]["payload"]["cursor"]
        async with opened(client, f"/ws/devteam?build={story.id}&after={last}") as frames:
            hello = await frames.next()
            assert hello is not None
            assert (hello["payload"]["resume"], await frames.rest(), frames.code) == ("live", [], 1000)

        other = await served.begin()
        assert await story.builds.trim_log(story.id, 10) == 19
        for build, after in (
            (other.id, last),
            (story.id, "nonsense"),
            (story.id, "1nonsense"),
            (story.id, early),  # what followed it is gone
        ):
            async with opened(client, f"/ws/devteam?build={build}&after={after}") as frames:
                hello = await frames.next()
                assert hello is not None
                assert hello["payload"]["resume"] == "reset"
            async with client.get("/events", params={"build": build, "after": after}) as answer:
                assert answer.status == 422
        async with opened(client, f"/ws/devteam?build={story.id}&after={last}") as frames:
            hello = await frames.next()
            assert hello is not None
            assert hello["payload"]["resume"] == "live"
            assert hello["payload"]["oldest"] == {story.id: {"event": 1, "line": 20}}


async def test_a_cursor_of_another_database_resets(tmp_path: Path) -> None:
    from dataclasses import replace

    async with serving(tmp_path / "one") as one, serving(tmp_path / "two") as two:
        story = await one.begin()
        twin = replace(story, builds=two.site.app.builds, version=0)
        await twin.begin()
        async with one.client() as client, opened(client, f"/ws?build={story.id}") as frames:
            hello = await frames.next()
            assert hello is not None
            cursor = hello["payload"]["cursor"]
        async with two.client() as client, opened(client, f"/ws?build={story.id}&after={cursor}") as frames:
            hello = await frames.next()
            assert hello is not None
            assert hello["payload"]["resume"] == "reset"


async def test_a_build_that_is_removed_ends_its_streams(served: Served) -> None:
    story = await served.begin()
    async with served.client() as client, opened(client, f"/ws/devteam?build={story.id}") as frames:
        await frames.next()
        await story.end()
        await frames.until("execution-update", 2)
        await story.builds.retire(story.id)
        await frames.rest()
        assert frames.code in {1000, 4404}


async def test_pages_say_what_streams_say(served: Served) -> None:
    story = await served.begin()
    await story.say(1100)
    await story.beat(20)
    await story.end()
    async with served.client() as client:
        for names, path in (("devteam", "/ws/devteam"), ("builder", "/ws")):
            async with opened(client, f"{path}?build={story.id}&after=start") as frames:
                await frames.next()
                streamed = await frames.rest()
            paged, cursor = [], ""
            while True:
                query = {"build": story.id, "after": cursor, "limit": "3", "topics": "events,log", "names": names}
                async with client.get("/events", params=query) as answer:
                    assert answer.status == 200
                    page = await answer.json()
                assert page["cursor"]
                paged += page["frames"]
                cursor = page["cursor"]
                if not page["frames"]:
                    break
            assert [*_bare(paged)] == [*_bare(streamed)]
        async with client.get("/events", params={"project": "shop"}) as answer:
            assert event_seqs((await answer.json())["frames"]) == list(range(1, story.version + 1))
        for query, status in (
            ({}, 422),
            ({"build": story.id, "project": "shop"}, 422),
            ({"build": "unknown-build"}, 404),
            ({"project": "unknown"}, 404),
            ({"build": story.id, "topics": "all"}, 422),
        ):
            async with client.get("/events", params=query) as answer:
                assert answer.status == status
    async with served.client("bob") as client:
        for path in (f"/events?build={story.id}", "/events?project=shop", f"/api/builds/{story.id}/stream"):
            async with client.get(path) as answer:
                assert answer.status == 403


def _bare(frames: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Without cursors, which depend on how a client came there, and each log line by itself: how many come at once is open."""
    for frame in frames:
        payload = {name: value for name, value in frame["payload"].items() if name != "cursor"}
        if "lines" in payload and "seq" not in payload:
            yield from payload["lines"]
        else:
            yield {**frame, "payload": payload}
