"""What a server keeps beside the journal: one suite over both databases, with real parallel claims."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import uuid
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from buildwright.core import event as e
from buildwright.core.limits import Options
from buildwright.core.spec import Spec
from buildwright.errors import BuildwrightError, NotFound, StaleVersion, StoreFailed, Unreachable
from buildwright.store import build_queries, projects, revisions
from buildwright.store.build_queries import BuildQueries
from buildwright.store.database import Database
from buildwright.store.inbox import asked
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.store.journal_sqlite import SqliteBuilds
from buildwright.store.records import Records
from tests import services
from tests.servers import PostgresServer
from tests.store.process import AT, beat, open_in, steps_above

SECOND = timedelta(seconds=1)
SCOPE = "POST /things"
ODD = "a\0b\ud800c"


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Path | str]:
    if request.param == "sqlite":
        await revisions.migrate(tmp_path / "buildwright.db")
        yield tmp_path / "buildwright.db"
    else:
        async with services.fresh_database(has_tables=True) as url:
            yield url


@pytest.fixture
async def records(database: Path | str) -> AsyncIterator[Records]:
    opened = Records.open(database)
    yield opened
    await opened.close()


async def journal(database: Path | str) -> SqliteBuilds | PostgresBuilds:
    return await (PostgresBuilds.open(database) if isinstance(database, str) else open_in(database.parent))


async def build(
    store: SqliteBuilds | PostgresBuilds, at: datetime, user: str, project: str = "p", ended: bool = False
) -> str:
    build_id = str(uuid.uuid4())
    created = e.BuildCreated(
        build_id=build_id,
        project_id=project,
        user_id=user,
        repository="",
        spec=Spec(title="t"),
        options=Options(),
    )
    await store.create(build_id, [created], at)
    if ended:
        await store.append(build_id, 1, [e.BuildFinished(outcome="failed", message="no\0 luck")], at)
    return build_id


# --- Projects --------------------------------------------------------------------------------------------------------


async def test_a_project_is_made_and_found(records: Records) -> None:
    made = await records.projects.create("u", "Shop", target_type="local_path", target_ref="/r", at=AT)
    assert await records.projects.get(made.id) == made
    assert (made.status, made.description, made.spec, made.created_at) == ("draft", "", "", AT)
    for missing in (str(uuid.uuid4()), ODD, ""):
        with pytest.raises(NotFound):
            await records.projects.get(missing)


async def test_text_that_no_database_takes_is_kept_all_the_same(records: Records) -> None:
    made = await records.projects.create("u", ODD, at=AT)
    assert made.name == "a\u2400b?c"
    received = await records.inbox.keep(asked("u", ODD, "x", {"text": ODD}, ODD, AT))
    assert (await records.inbox.get(received.event_id)).data == {"text": ODD}
    assert (await records.inbox.latest(ODD)) == received


async def test_pages_have_every_project_once_newest_first(records: Records) -> None:
    # Three at a time share a moment: the id decides between them.
    made = [await records.projects.create("u", str(n), at=AT + SECOND * (n // 3)) for n in range(10)]
    await records.projects.create("another", "x", at=AT)
    seen: list[projects.ProjectRecord] = []
    before = None
    while page := await records.projects.page("u", 4, before):
        assert len(page) <= 4
        seen += page
        before = (page[-1].created_at, page[-1].id)
    assert seen == sorted(made, key=lambda project: (project.created_at, project.id), reverse=True)
    assert await records.projects.page("nobody", 4, None) == []


# --- The inbox -------------------------------------------------------------------------------------------------------


async def test_what_is_received_goes_its_way(records: Records) -> None:
    first = await records.inbox.keep(asked("u", "p", "devteam.start", {"a": [1, None]}, "c-1", AT))
    second = await records.inbox.keep(asked("u", "p", "devteam.stop", {}, "", AT + SECOND))
    assert first.event_id != first.task_id
    assert (first.status, first.context_version, first.task_context, first.build_id) == ("received", 0, {}, "")
    assert await records.inbox.get(first.event_id) == await records.inbox.by_task(first.task_id) == first
    assert await records.inbox.latest("p") == second
    assert await records.inbox.latest("p", "devteam.start") == first
    assert await records.inbox.latest("q") is None
    light = [first._replace(data={}), second]  # a list of what waits is read often, and its data may be large
    assert await records.inbox.waiting(10) == light
    assert await records.inbox.waiting(1) == light[:1]
    await records.inbox.set_status(first.event_id, "started", AT + SECOND, build_id="b")
    await records.inbox.set_status(first.event_id, "failed", AT + 2 * SECOND, message="no")
    assert await records.inbox.get(first.event_id) == first._replace(
        status="failed", build_id="b", message="no", updated_at=AT + 2 * SECOND
    )
    assert await records.inbox.waiting(10) == [second]
    for missing in (records.inbox.get, records.inbox.by_task):
        with pytest.raises(NotFound):
            await missing(ODD)
    with pytest.raises(NotFound):
        await records.inbox.set_status("none", "done", AT)


async def test_a_context_is_replaced_by_one_of_many_at_a_time(records: Records) -> None:
    event_id = (await records.inbox.keep(asked("u", "p", "x", {}, "", AT))).event_id

    async def change(number: int) -> int | None:
        try:
            return await records.inbox.set_context(event_id, 0, {"by": number}, AT + SECOND)
        except StaleVersion:
            return None

    answers = await asyncio.gather(*(change(number) for number in range(20)))
    assert [answer for answer in answers if answer is not None] == [1]
    now = await records.inbox.get(event_id)
    assert (now.context_version, now.updated_at) == (1, AT + SECOND)
    assert answers[now.task_context["by"]] == 1
    assert await records.inbox.set_context(event_id, 1, {}, AT) == 2
    for wrong in (1, 3, -1, 2**63, 2**80):
        with pytest.raises(StaleVersion, match="version 2"):
            await records.inbox.set_context(event_id, wrong, {}, AT)
    with pytest.raises(NotFound):
        await records.inbox.set_context("none", 0, {}, AT)


# --- Keys ------------------------------------------------------------------------------------------------------------


async def test_of_fifty_claims_at_once_one_is_first(database: Path | str, records: Records) -> None:
    others = Records.open(database)
    claims = await asyncio.gather(
        *(
            (records if n % 2 else others).keys.claim("u", SCOPE, "key", b"one" if n % 5 else b"two", AT)
            for n in range(50)
        )
    )
    await others.close()
    assert sum(claim.first for claim in claims) == 1
    assert not any(claim.done for claim in claims)
    of_first = b"one" if next(n for n, claim in enumerate(claims) if claim.first) % 5 else b"two"
    for number, claim in enumerate(claims):
        assert claim.same_body == ((b"one" if number % 5 else b"two") == of_first)


async def test_an_expired_key_is_taken_over_by_one_of_fifty(records: Records) -> None:
    assert (await records.keys.claim("u", SCOPE, "key", b"old", AT, seconds=60)).first
    await records.keys.finish("u", SCOPE, "key", "/old", "old", AT + timedelta(seconds=60))
    later = AT + timedelta(seconds=60)
    assert not (await records.keys.claim("u", SCOPE, "key", b"new", later - SECOND)).first
    claims = await asyncio.gather(*(records.keys.claim("u", SCOPE, "key", b"new", later) for _ in range(50)))
    assert sum(claim.first for claim in claims) == 1
    assert {(claim.same_body, claim.done, claim.location) for claim in claims} == {(True, False, "")}


async def test_a_key_whose_holder_was_killed_is_free_after_two_minutes_and_a_finished_one_after_six_hours(
    records: Records,
) -> None:
    keys, late, later = records.keys, AT + timedelta(minutes=2), AT + timedelta(hours=6)
    for name in ("killed", "finished"):
        assert (await keys.claim("u", SCOPE, name, b"", AT)).first
    await keys.finish("u", SCOPE, "finished", "/things/1", "{}", later)
    assert not (await keys.claim("u", SCOPE, "killed", b"", late - SECOND)).first
    assert (await keys.claim("u", SCOPE, "killed", b"", late)).first
    assert (await keys.claim("u", SCOPE, "finished", b"", later - SECOND)).done
    assert (await keys.claim("u", SCOPE, "finished", b"", later)).first


async def test_a_finished_key_gives_its_answer_and_a_released_one_is_free(records: Records) -> None:
    keys = records.keys
    assert (await keys.claim("u", SCOPE, ODD, b"body", AT)).first
    await keys.finish("u", SCOPE, ODD, "/things/1", '{"id": 1}', AT + timedelta(hours=6))
    await keys.release("u", SCOPE, ODD)
    assert await keys.claim("u", SCOPE, ODD, b"body", AT) == (False, True, True, "/things/1", '{"id": 1}')
    assert await keys.claim("u", SCOPE, ODD, b"Body", AT) == (False, False, True, "/things/1", '{"id": 1}')
    assert (await keys.claim("another", SCOPE, ODD, b"body", AT)).first
    assert (await keys.claim("u", "POST /others", ODD, b"body", AT)).first
    await keys.release("another", SCOPE, ODD)
    await keys.release("another", SCOPE, "never")
    assert (await keys.claim("another", SCOPE, ODD, b"else", AT)).first


async def test_a_key_that_is_let_go_while_others_claim_it_has_one_holder_at_a_time(records: Records) -> None:
    holders, most = 0, 0

    async def request() -> None:
        nonlocal holders, most
        while not (await records.keys.claim("u", SCOPE, "key", b"", AT)).first:
            await asyncio.sleep(0)
        holders += 1
        most = max(most, holders)
        await asyncio.sleep(0)
        holders -= 1
        await records.keys.release("u", SCOPE, "key")

    await asyncio.gather(*(request() for _ in range(12)))
    assert most == 1


async def test_what_has_expired_goes_and_the_key_itself_is_nowhere(database: Path | str, records: Records) -> None:
    looking = Database.open(database)
    from sqlalchemy import text

    for number in range(20):
        await records.keys.claim("u", SCOPE, f"secret-{number}", b"the body", AT, seconds=1)
        await records.tokens.use(f"old-{number}", AT + SECOND, AT)
    kept = await looking.fetch(text("SELECT * FROM idempotency_keys"))
    assert len(kept) == 20
    assert "secret" not in str(kept)
    assert "the body" not in str(kept)
    claims = (records.keys.claim("u", SCOPE, f"new-{n}", b"", AT + SECOND) for n in range(10))
    await asyncio.gather(*claims, *(records.tokens.use(f"new-{n}", AT + 2 * SECOND, AT + SECOND) for n in range(10)))
    assert (await looking.fetch(text("SELECT count(*) FROM idempotency_keys")))[0][0] == 10
    assert (await looking.fetch(text("SELECT count(*) FROM used_tokens")))[0][0] == 10
    await looking.close()


async def test_a_token_is_used_once(records: Records) -> None:
    ends = AT + timedelta(minutes=1)
    used = await asyncio.gather(*(records.tokens.use("t", ends, AT) for _ in range(50)))
    assert sum(used) == 1
    assert not await records.tokens.use("t", ends, ends - SECOND)
    assert not await records.tokens.use("t", ends, ends)
    assert await records.tokens.use("u", ends, AT)


async def test_hosted_builds(records: Records) -> None:
    await records.hosting.host("b", "h:1:1", AT + SECOND)
    await records.hosting.host("a", "h:1:1", AT)
    assert await records.hosting.hosted() == ["a", "b"]
    await records.hosting.host("a", "h:2:1", AT + 2 * SECOND)
    assert await records.hosting.hosted() == ["b", "a"]
    await records.hosting.unhost("b")
    await records.hosting.unhost("b")
    assert await records.hosting.hosted() == ["a"]


# --- Builds ----------------------------------------------------------------------------------------------------------


async def test_pages_of_builds(database: Path | str, records: Records) -> None:
    store = await journal(database)
    for number in range(12):
        await build(store, AT + SECOND * (number // 3), "u", "even" if number % 2 == 0 else "odd", ended=number < 6)
    other = await build(store, AT + timedelta(days=1), "another", "even")
    rows = [row for row in await store.rows() if row.build_id != other]
    seen: list[object] = []
    before = None
    while page := await records.runs.page("u", 5, before):
        seen += page
        before = (page[-1].created_at, page[-1].build_id)
    assert seen == rows
    even = [row for row in rows if row.project_id == "even"]
    assert await records.runs.page("u", 3, (even[1].created_at, even[1].build_id), "even") == even[2:5]
    assert await records.runs.page("u", 50, phase="error") == rows[6:]
    assert await records.runs.page("u", 50, None, "odd", "planning") == [
        row for row in rows[:6] if row.project_id == "odd"
    ]
    assert await records.runs.page(ODD, 50, (AT, ODD), ODD, ODD) == []
    assert await records.runs.unfinished("u") == rows[:6]
    assert await records.runs.count_since("u", AT + SECOND) == 9
    assert await records.runs.count_since("nobody", AT) == 0
    latest = await records.runs.latest_by_project("even")
    assert latest is not None
    assert latest.build_id == other
    assert await records.runs.latest_by_project("even", "u") == even[0]
    assert await records.runs.latest_by_project("odd", "another") is None
    with pytest.raises(NotFound):
        await records.runs.get(ODD)
    await store.close()


async def test_pages_are_walks_along_an_index(tmp_path: Path) -> None:
    from sqlalchemy.dialects import sqlite

    await revisions.migrate(tmp_path / "buildwright.db")
    conn = sqlite3.connect(tmp_path / "buildwright.db")

    def plan(query: object) -> list[str]:
        compiled = query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})  # type: ignore[attr-defined]
        return [row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {compiled}")]

    place = (AT, "b")
    assert plan(build_queries.page_query("u", 20, place)) == [
        "SEARCH build_runs USING INDEX ix_build_runs_user_id (user_id=? AND (created_at,build_id)<(?,?))"
    ]
    assert plan(build_queries.page_query("u", 20, None)) == [
        "SEARCH build_runs USING INDEX ix_build_runs_user_id (user_id=?)"
    ]
    assert plan(build_queries.unfinished_query("u")) == [
        "SEARCH build_runs USING INDEX ix_build_runs_unfinished (user_id=? AND completed_at=?)"
    ]
    assert "USING INDEX ix_build_runs_" in plan(build_queries.page_query("u", 20, place, "p"))[0]
    assert plan(projects.page_query("u", 20, place)) == [
        "SEARCH projects USING INDEX ix_projects_user_id (user_id=? AND (created_at,id)<(?,?))"
    ]
    conn.close()


async def test_records_stand_beside_a_journal_that_is_being_written(database: Path | str, records: Records) -> None:
    store = await journal(database)
    build_id = await build(store, AT, "u")

    async def write() -> None:
        for number in range(1, 101):
            await store.append(build_id, number, [beat("x")], AT)

    async def ask() -> None:
        for number in range(25):
            await records.hosting.host(str(number), "h:1:1", AT)
            await records.runs.page("u", 10)

    await asyncio.gather(write(), ask(), ask())
    assert await store.version(build_id) == 101
    assert len(await records.hosting.hosted()) == 25
    await store.close()


async def test_requests_that_are_given_up_leave_nothing_locked(database: Path | str, records: Records) -> None:
    luck = random.Random(1)

    async def give_up(number: int) -> bool:
        asking = asyncio.create_task(records.keys.claim("u", SCOPE, str(number), b"", AT))
        for _ in range(luck.randrange(60)):
            await asyncio.sleep(0)
        asking.cancel()
        return not isinstance((await asyncio.gather(asking, return_exceptions=True))[0], asyncio.CancelledError)

    done = [number for number, ended in enumerate([await give_up(number) for number in range(150)]) if ended]
    store = await journal(database)
    await build(store, AT, "u")
    await store.close()
    claims = await asyncio.gather(*(records.keys.claim("u", SCOPE, str(number), b"", AT) for number in range(150)))
    assert not any(claims[number].first for number in done)
    assert (await records.keys.claim("u", SCOPE, "more", b"", AT)).first


async def test_what_belongs_to_a_removed_build_goes_with_it(database: Path | str, records: Records) -> None:
    store = await journal(database)
    going, staying = [await build(store, AT, "u", ended=True) for _ in range(2)]
    events = [await records.inbox.keep(asked("u", "p", "x", {}, "", AT)) for _ in range(3)]
    for event, build_id in zip(events, (going, staying), strict=False):
        await records.inbox.set_status(event.event_id, "started", AT, build_id=build_id)
        await records.hosting.host(build_id, "h:1:1", AT)
    await store.retire(going)
    assert await records.hosting.hosted() == [staying]
    with pytest.raises(NotFound):
        await records.inbox.get(events[0].event_id)
    for event in events[1:]:
        await records.inbox.get(event.event_id)
    await store.close()


# --- What can go wrong -----------------------------------------------------------------------------------------------


async def test_a_database_of_an_older_revision_is_named(database: Path | str, records: Records) -> None:
    await revisions.rollback(database, steps_above("0002"))  # without views all tables are there
    with pytest.raises(StoreFailed) as failed:
        await records.projects.page("u", 1)
    assert failed.value.fix == "run `buildwright db migrate`"
    with pytest.raises(StoreFailed):
        await records.hosting.host("b", "h", AT)


async def test_a_file_that_is_no_database_or_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "buildwright.db").write_bytes(b"nothing of the kind" * 100)
    for path in (tmp_path / "buildwright.db", tmp_path / "no folder" / "buildwright.db"):
        runs_of = BuildQueries.open(path)
        with pytest.raises(StoreFailed, match=str(path)) as failed:
            await runs_of.page("u", 1)
        assert failed.value.fix
        await runs_of.close()


async def test_a_server_that_goes_away_and_comes_back(own_postgres: PostgresServer) -> None:
    url = await own_postgres.start()
    await revisions.migrate(url)
    records = Records.open(url)
    await asyncio.gather(*(records.hosting.host(str(number), "h", AT) for number in range(5)))
    await own_postgres.stop(at_once=True)
    with pytest.raises(BuildwrightError) as failed:
        await records.hosting.hosted()
    assert isinstance(failed.value, Unreachable)
    await own_postgres.start()
    assert len(await records.hosting.hosted()) == 5
    await records.hosting.host("more", "h", AT)
    await records.close()
