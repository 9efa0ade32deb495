"""`prune` and `doctor` where many processes share the builds: PostgreSQL, Redis, a hub, homes of workers."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from buildwright.core import event as e
from buildwright.core.action import MakePlan
from buildwright.core.event import AnyEvent
from buildwright.core.limits import Limits, Options
from buildwright.core.spec import Spec
from buildwright.engine import commands
from buildwright.engine.running_action import ClaimedAction
from buildwright.engine.worker import Worker
from buildwright.errors import StoreFailed
from buildwright.maintenance import repair, shared
from buildwright.maintenance.files import tidy
from buildwright.maintenance.machine import CHECKS, CheckResult, examine
from buildwright.maintenance.prune import Pruner
from buildwright.maintenance.retention_rules import RetentionRules
from buildwright.ports import ActionLease, LogEntry, WorkerRow
from buildwright.settings import Settings
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.store.lease_holders import this_process
from buildwright.wiring import SystemClock, open_app
from buildwright.wiring.adapters import NoHints, no_world
from buildwright.wiring.worker import IDLE_LOOK_SECONDS, TIDY_SECONDS, stay_tidy
from buildwright.workspace import GitWorkspace
from tests.adapters.clock import ManualClock
from tests.adapters.memory_store import MemoryBuilds
from tests.engine.harness import make_repository, tasks
from tests.store.process import take

NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=400)
DEAD = this_process().replace(f":{os.getpid()}:", ":999999999:")


@pytest.fixture
def settings(tmp_path: Path, postgres_url: str, redis_url: str) -> Settings:
    """A cluster named by the environment, with a hub on this machine."""
    hub = tmp_path / "hub.git"
    subprocess.run(["git", "init", "--quiet", "--bare", hub], check=True)
    named = {"DATABASE_URL": postgres_url, "REDIS_URL": redis_url, "BUILDWRIGHT_HUB": str(hub)}
    return Settings.load({**os.environ, **named, "BUILDWRIGHT_HOME": str(tmp_path / "home")}, tmp_path)


@pytest.fixture
async def builds(settings: Settings) -> AsyncIterator[PostgresBuilds]:
    settings.home.mkdir()
    opened = await PostgresBuilds.open(settings.database_url)
    yield opened
    await opened.close()


async def one(builds: PostgresBuilds, settings: Settings, repository: Path, title: str, *, ended: bool) -> str:
    """A build whose repository is prepared here and in the hub; an ended one ended long ago."""
    build_id = f"{title}-{os.urandom(8).hex()}"
    workspace = GitWorkspace(settings.home, settings.environment, settings.hub)
    target = await workspace.prepare(build_id, str(repository), "")
    spec, options = Spec(title=title, graph=tasks("a")), Options(agent="noop", limits=Limits(attempts=1))
    await commands.create(
        builds, SystemClock(), commands.NewBuild(spec, options, str(repository), "", "p", "u", build_id=build_id)
    )
    digest = await builds.put_artifact(title.encode() * 1000)
    facts: list[AnyEvent] = [
        e.TargetPrepared(commit=target.commit, tree=target.tree),
        e.MessageSent(id="m", text=f"see {digest}"),
    ]
    end: list[AnyEvent] = [e.StopRequested(), e.BuildFinished(outcome="stopped")] if ended else []
    await builds.append(build_id, await builds.version(build_id), [*facts, *end], LONG_AGO if ended else NOW)
    await builds.write_log(build_id, [LogEntry(NOW, "a", 1, "gate", "line")])
    await builds.read_log(build_id)
    return build_id


def refs(repository: Path) -> Counter[str]:
    listed = subprocess.run(
        ["git", f"--git-dir={repository}", "for-each-ref", "--format=%(refname)", "refs/buildwright"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return Counter(line.split("/")[2] for line in listed.splitlines())


async def prune(settings: Settings) -> Any:
    async with open_app(settings) as app:
        return await Pruner(app).carry_out(RetentionRules(), datetime.now(UTC), lambda _: None)


async def named(settings: Settings, *, fix: bool = False) -> dict[str, bool]:
    """What `doctor` names, and whether it was mended.

    Folders that killed processes of this user left are named whosever they were: tests/test_temporary_folders.py has these.
    """
    found = [
        result
        for result in repair.find(settings) + await shared.find(settings)
        if result[0].what != "a temporary folder that a killed run has left"
    ]
    left = await repair.mend(found) if fix else [leftover for leftover, _ in found]
    return {leftover.what.split(":")[0]: leftover.mended for leftover in left}


async def test_prune_takes_a_build_out_of_database_hub_and_mirrors(
    builds: PostgresBuilds, settings: Settings, tmp_path: Path
) -> None:
    make_repository(tmp_path / "r", {"README.md": "r"})
    make_repository(tmp_path / "other", {"README.md": "other"})
    old = await one(builds, settings, tmp_path / "r", "old", ended=True)
    held = await one(builds, settings, tmp_path / "r", "held", ended=True)
    live = await one(builds, settings, tmp_path / "other", "live", ended=False)
    lease = await builds.acquire(held, "elsewhere:1:1.0", 600)
    hub = Path(settings.hub)
    assert set(refs(hub)) == {old, held, live}

    async with open_app(settings) as app:
        going = await Pruner(app).look(RetentionRules(), NOW)
        assert [build.row.build_id for build in going.builds] == [old]
        assert going.live == 2
    gone = await prune(settings)
    assert gone.builds == 1
    assert gone.artifacts == 0, "somebody is at work: what it has put and not named yet must stay"
    assert [row.build_id for row in await builds.rows()] == [live, held]
    assert set(refs(hub)) == {held, live}
    assert {path.name for path in (settings.home / "mirrors" / "builds").iterdir()} == {held, live}
    fsck = subprocess.run(["git", f"--git-dir={hub}", "fsck", "--full"], check=False, capture_output=True)
    assert fsck.returncode == 0

    await builds.release(lease)
    gone = await prune(settings)
    assert (gone.builds, gone.artifacts) == (1, 2)
    assert set(refs(hub)) == {live}
    assert len(list((settings.home / "mirrors").glob("*/HEAD"))) == 1
    assert (await builds.load(live)).id == live
    assert (await prune(settings)).builds == 0


async def test_the_notes_of_one_database_are_nothing_to_another(
    builds: PostgresBuilds, settings: Settings, tmp_path: Path
) -> None:
    """A prune of the home's own builds that was killed is not finished by one of the cluster's, which knows none of them."""
    assert await builds.rows() == []
    make_repository(tmp_path / "r", {"README.md": "r"})
    own = GitWorkspace(settings.home, settings.environment)
    await own.prepare("own", str(tmp_path / "r"), "")
    (settings.home / "retiring").mkdir()
    (settings.home / "retiring" / "own").touch()
    await prune(settings)
    assert (settings.home / "mirrors" / "builds" / "own").exists()
    assert (settings.home / "retiring" / "own").exists()


async def test_a_workers_home_keeps_what_unfinished_builds_need(
    builds: PostgresBuilds, settings: Settings, tmp_path: Path
) -> None:
    for name in ("r", "other"):
        make_repository(tmp_path / name, {"README.md": name})
    old = await one(builds, settings, tmp_path / "r", "old", ended=True)
    live = await one(builds, settings, tmp_path / "other", "live", ended=False)
    home = tmp_path / "worker"
    workspace = GitWorkspace(home, settings.environment, settings.hub)
    for build_id in (old, live, unknown := "unknown-build"):
        await workspace.prepare(build_id, str(tmp_path / "r"), "")
    cache = home / "setups" / "0123"
    cache.mkdir(parents=True)
    os.utime(cache, (0, 0))
    in_hub = refs(Path(settings.hub))
    assert await tidy(home, settings.environment, builds, NOW, timedelta(days=30)) > 0
    assert {path.name for path in (home / "mirrors" / "builds").iterdir()} == {live}
    assert len(list((home / "mirrors").glob("*/HEAD"))) == 1
    assert not cache.exists()
    assert refs(Path(settings.hub)) == in_hub, "the hub is not a worker's to tidy up"
    assert unknown in in_hub
    # And what has gone comes back from the hub.
    target = await GitWorkspace(home, settings.environment, settings.hub).prepare(old, "/nowhere", "")
    assert target.tree


@pytest.mark.parametrize(
    "point",
    ["journal.after", "rows.after", "refs.before", "refs.after", "note.before", "artifacts.after", "hub.before"],
)
async def test_a_prune_that_is_killed_is_finished_by_the_next(
    builds: PostgresBuilds, settings: Settings, tmp_path: Path, point: str
) -> None:
    make_repository(tmp_path / "r", {"README.md": "r"})
    await one(builds, settings, tmp_path / "r", "old", ended=True)
    live = await one(builds, settings, tmp_path / "r", "live", ended=False)
    journal = await builds.read(live)
    code = (
        "import asyncio; from tests.maintenance.test_shared import prune; from buildwright.settings import Settings;"
        "asyncio.run(prune(Settings.load()))"
    )
    dying = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code,
        env={**settings.environment, "BUILDWRIGHT_FAILPOINT": f"prune.{point}:1", "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=Path(__file__).parents[2], stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await dying.communicate()
    assert dying.returncode == -signal.SIGKILL, said
    await prune(settings)
    assert [row.build_id for row in await builds.rows()] == [live]
    assert await builds.read(live) == journal
    assert set(refs(Path(settings.hub))) == {live}
    (mirror,) = (path.parent for path in (settings.home / "mirrors").glob("*/HEAD"))
    assert set(refs(mirror)) == {live}
    assert [path.name for path in (settings.home / "mirrors" / "builds").iterdir()] == [live]
    assert (await builds.loose_artifacts()).number == 0
    async with open_app(settings) as app:
        going = await Pruner(app).look(RetentionRules(), NOW)
    assert (going.builds, going.artifacts.number, going.mirrors) == ([], 0, [])


async def test_a_worker_tidies_up_now_and_then_and_only_when_it_is_idle() -> None:
    clock = ManualClock(NOW)
    store = MemoryBuilds(clock.now)
    said: list[str] = []
    worker = Worker(store, store, NoHints(), clock, this_process(), no_world, log=lambda what, **_: said.append(what))
    tidied: list[datetime] = []

    async def tidy_up() -> int:
        tidied.append(clock.now())
        if len(tidied) == 2:
            raise StoreFailed("away")
        return 1

    async def after(seconds: float) -> int:
        await clock.advance(seconds)
        for _ in range(5):
            await asyncio.sleep(0)
        return len(tidied)

    running = asyncio.create_task(stay_tidy(worker, tidy_up))
    try:
        assert await after(0) == 0
        assert await after(TIDY_SECONDS - 1) == 0
        assert await after(1) == 1
        spec = Spec(title="t", graph=tasks("a"))
        build_id = await commands.create(
            store, clock, commands.NewBuild(spec, Options(agent="noop", lanes=False), "", "", "p", "u")
        )
        lease = ActionLease(build_id, "make-plan", worker.holder, 1, 0.0)
        worker.claimed_actions[build_id, "make-plan"] = ClaimedAction(
            store, lease, MakePlan(), await store.load(build_id), 0.0
        )
        assert await after(TIDY_SECONDS) == 1
        assert await after(IDLE_LOOK_SECONDS) == 1
        worker.claimed_actions.clear()
        assert await after(IDLE_LOOK_SECONDS) == 2
        assert await after(TIDY_SECONDS) == 3
        assert said == ["tidied-up", "not-tidied-up", "tidied-up"]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_what_dead_processes_leave_in_the_database_is_mended(builds: PostgresBuilds, settings: Settings) -> None:
    options, spec = Options(agent="noop", lanes=False), Spec(title="t", graph=tasks("a"))
    ids = [
        await commands.create(builds, SystemClock(), commands.NewBuild(spec, options, "", "", "p", "u"))
        for _ in range(3)
    ]
    whole, board, running = ids
    await builds.acquire(whole, DEAD, 600)
    async with open_app(settings) as app:
        assert await app.advance(board) is not None
        assert await app.advance(running) is not None
    connection = await asyncpg.connect(settings.database_url)
    try:
        key = await connection.fetchval("SELECT key FROM actions WHERE build_id = $1", board)
        lease = await take(builds, board, key, DEAD, 600)
        assert lease is not None
        live = await take(builds, running, key, this_process(), 600)
        assert live is not None
        for holder, name in ((DEAD, "dead"), (this_process(), "here"), ("elsewhere:1:1.0", "silent")):
            await builds.beat(WorkerRow(holder, name, 2, 0, NOW, NOW, 5.0, 0.0, "{}"))
        await connection.execute("UPDATE workers SET beat_at = beat_at - interval '2 days' WHERE name = 'silent'")
        await connection.execute("INSERT INTO events VALUES ('orphan', 1, now(), 'x', '{}', 0)")
        # However slow this machine is, the board of a build that was just let go is not late.
        await connection.execute("UPDATE build_runs SET updated_at = now() + interval '1 hour'")
        expected = {
            "a worker whose process is gone",
            "a worker that was not heard of for a day",
            "a lease of a process that is gone",
            "rows of a build that was being removed",
        }
        assert await named(settings) == dict.fromkeys(expected, False)
        assert await connection.fetchval("SELECT count(*) FROM workers") == 3, "looking changes nothing"
        assert await named(settings, fix=True) == dict.fromkeys(expected, True)
        assert await named(settings) == {}
        assert [row.name for row in await builds.workers()] == ["here"]
        assert await builds.holder(whole) is None
        assert await take(builds, board, key, this_process(), 600) is not None
        assert [posted.token for posted in await builds.board(running)] == [live.token]
    finally:
        await connection.close()


async def test_a_board_that_was_forgotten_is_made_right(builds: PostgresBuilds, settings: Settings) -> None:
    options, spec = Options(agent="noop", lanes=False), Spec(title="t", graph=tasks("a"))
    forgotten, never = [
        await commands.create(builds, SystemClock(), commands.NewBuild(spec, options, "", "", "p", "u"))
        for _ in range(2)
    ]
    async with open_app(settings) as app:
        assert await app.advance(forgotten) is not None
    (row,) = await builds.board(forgotten)
    connection = await asyncpg.connect(settings.database_url)
    try:
        await connection.execute("DELETE FROM actions")
        await connection.execute("INSERT INTO actions VALUES ($1, 'agent/x/1', true, now(), '', 0)", forgotten)
        await connection.execute("UPDATE build_runs SET updated_at = now() + interval '1 hour'")
        assert await named(settings) == {}, "that may be just now"
        await connection.execute("UPDATE build_runs SET updated_at = now() - interval '1 hour'")
        found = await shared.find(settings)
        assert sorted(left.where.split()[1] for left, _ in found) == sorted([forgotten, never])
        assert any(f"{row.key} missing" in left.what for left, _ in found)
        assert all(left.mended for left in await repair.mend(found))
        assert [posted.key for posted in await builds.board(forgotten)] == [row.key]
        assert await named(settings) == {}
    finally:
        await connection.close()


async def test_the_hub_and_pins_nobody_knows(builds: PostgresBuilds, settings: Settings, tmp_path: Path) -> None:
    make_repository(tmp_path / "r", {"README.md": "r"})
    known = await one(builds, settings, tmp_path / "r", "known", ended=True)
    workspace = GitWorkspace(settings.home, settings.environment, settings.hub)
    for build_id in ("plan-1234", "unknown"):
        await workspace.prepare(build_id, str(tmp_path / "r"), "")
    hub = Path(settings.hub)
    assert await named(settings) == {}, "all of that may be just being made"
    (hub / "refs" / "heads" / "x.lock").touch()
    (hub / "objects" / "pack" / "tmp_pack_abc123").write_bytes(b"half")
    assert await named(settings) == {}, "another machine may be writing"
    hour = time.time() - 4000
    for path in (
        hub / "refs" / "heads" / "x.lock", hub / "objects" / "pack" / "tmp_pack_abc123",
        *(hub / "refs" / "buildwright").iterdir(), *(settings.home / "mirrors" / "builds").iterdir(),
    ):  # fmt: skip
        os.utime(path, (hour, hour))
    expected = {
        "a lock of a git that is gone": True,
        "a half-written git object or pack": True,
        "what a killed plan has left": True,
        "a pin of a build that no database here knows": False,
        "refs in the hub of a build that the database does not know": False,
    }
    assert await named(settings) == dict.fromkeys(expected, False)
    assert await named(settings, fix=True) == expected
    assert set(refs(hub)) == {known, "unknown"}
    left = await shared.find(settings)
    assert all("unknown" in one.where and one.fix for one, _ in left)
    assert len(left) == 2


async def test_what_is_half_made_in_a_cluster_kept_here_and_in_homes_of_its_workers(tmp_path: Path) -> None:
    home = tmp_path / "home"
    worker = home / "cluster" / "workers" / "w1"
    settings = Settings.load({**os.environ, "BUILDWRIGHT_HOME": str(home)}, tmp_path)
    (worker / "lanes" / "b" / "a-1" / "files").mkdir(parents=True)
    (worker / "lanes" / "b" / "a-1" / "owner").write_text("gone")
    (worker / "mirrors" / "0123.new-00112233").mkdir(parents=True)
    (home / "cluster" / "hub.new").mkdir()
    (home / "cluster" / ".wanted.json-0011").touch()
    (home / "cluster" / "cluster.json").write_text(
        '{"keeper": [999999999, "x"], "workers": {"w1": {"pid": 999999999, "start": "x"}}, "database_url": ""}'
    )
    # While a worker lives in that home, nothing there is anybody else's.
    code = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); input()"
    command = [sys.executable, "-c", code, str(worker / "worker.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as living:
        assert living.stdout is not None
        assert living.stdout.readline() == b"1\n"
        assert "a lane of a process that is gone" not in await named(settings)
        living.communicate(b"\n")
    cluster = "a cluster without its supervisor"
    expected = {
        "a lane of a process that is gone": True,
        "a mirror that was never finished or was being removed": True,
        "something half made of the cluster in this home": True,
        cluster: False,
    }
    assert await named(settings) == dict.fromkeys(expected, False)
    assert await named(settings, fix=True) == expected
    assert list(await named(settings)) == [cluster]
    (left,) = [leftover for leftover, _ in await shared.find(settings)]
    assert "cluster up" in left.fix


async def examine_cluster(settings: Settings) -> list[CheckResult]:
    of_cluster = [check for check in CHECKS if check.name == "mode" or check.when == "cluster"]
    return await examine(settings, of_cluster)


async def test_the_servers_of_a_cluster_among_the_checks(settings: Settings, tmp_path: Path) -> None:
    found = {finding.name: finding for finding in await examine_cluster(settings)}
    assert list(found) == ["mode", "postgresql", "redis", "hub"]
    assert all(finding.ok for finding in found.values())
    assert "DATABASE_URL" in found["mode"].found
    assert "revision none yet" in found["postgresql"].found
    assert "asks for a password" in found["redis"].found
    passwords = [url.split("@")[0].rpartition(":")[2] for url in (settings.database_url, settings.redis_url)]
    assert not [word for word in passwords for finding in found.values() if word in str(finding)]
    away = {
        "DATABASE_URL": "postgresql://u:hush@127.0.0.1:1/x",
        "REDIS_URL": "redis://:hush@127.0.0.1:1/0",
        "BUILDWRIGHT_HUB": str(tmp_path / "nothing"),
        "BUILDWRIGHT_HOME": str(tmp_path / "home"),
    }
    gone = Settings.load(away, tmp_path)
    found = {finding.name: finding for finding in await examine_cluster(gone)}
    assert [finding.name for finding in found.values() if not finding.ok] == ["postgresql", "redis", "hub"]
    assert [finding.required for finding in found.values()] == [True, True, False, True]
    assert "hush" not in str(found)
    assert await asyncio.wait_for(shared.find(gone), 20) == []
    own = Settings.load({"BUILDWRIGHT_HOME": str(tmp_path / "home")}, tmp_path)
    assert [finding.name for finding in await examine_cluster(own)] == ["mode"]
