"""A process that writes a journal, for tests that kill, starve or race it. Run as a file; prints what was acknowledged."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

from buildwright.core import event as e
from buildwright.core.failpoint import arm
from buildwright.core.limits import Options
from buildwright.core.spec import Spec
from buildwright.errors import DiskFull, StaleVersion
from buildwright.ports import ActionLease, ActionQueue, WantedClaim
from buildwright.store import opening
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.store.journal_sqlite import SqliteBuilds
from buildwright.store.lease_holders import this_process
from buildwright.store.opening import revisions

AT = datetime(2026, 1, 2, tzinfo=UTC)


def steps_above(revision: str) -> int:
    """How many steps a rollback to this revision has, however many were added since."""
    return opening.revisions()[::-1].index(revision)


def beat(text: str, number: int = 0) -> e.AgentHeartbeat:
    return e.AgentHeartbeat(task="a", attempt=number, status=text, percent=1)


def created(build_id: str) -> e.BuildCreated:
    spec = Spec(title="t")
    return e.BuildCreated(build_id=build_id, project_id="p", user_id="u", repository="", spec=spec, options=Options())


def steps_to(revision: str) -> int:
    """How many revisions the newest one is above this one; "" is below the first."""
    known = ["", *revisions()]
    return len(known) - 1 - known.index(revision)


async def start(store: PostgresBuilds) -> str:
    """A new build in a store, and its id."""
    build_id = str(uuid.uuid4())
    await store.create(build_id, [created(build_id)], AT)
    return build_id


async def take(store: ActionQueue, build_id: str, key: str, holder: str, seconds: float) -> ActionLease | None:
    """Claim one action of one build; None when it cannot be had, or the holder has it."""
    rows = await store.board()
    here = {(row.build_id, row.key) for row in rows if row.key != key or (row.live and row.holder == holder)}
    left = {row.build_id for row in rows} - {build_id}
    leases = await store.claim(holder, seconds, WantedClaim(here=here, left=left))
    return leases[0] if leases else None


def say(*words: object) -> None:
    print(*words, flush=True)


async def open_in(home: Path, patience: float = 15.0) -> SqliteBuilds:
    return await SqliteBuilds.open(home / "buildwright.db", home / "artifacts", patience=patience)


async def race(home: Path, build_id: str, writers: int, each: int) -> None:
    """Several writers append to one journal, reading again when another was first."""
    store = await open_in(home)

    async def write(name: str) -> None:
        for number in range(each):
            while True:
                version = await store.version(build_id)
                try:
                    await store.append(build_id, version, [beat(name, number), beat(name, number)], AT)
                    break
                except StaleVersion:
                    continue

    await asyncio.gather(*(write(f"{os.getpid()}.{writer}") for writer in range(writers)))
    await store.close()


async def forever(home: Path, build_id: str) -> None:
    """Append until killed, saying each version once it is acknowledged."""
    store = await open_in(home)
    lease = await store.acquire(build_id, this_process(), 600)
    version = await store.version(build_id)
    while True:
        recorded = await store.append(build_id, version, [beat("x" * 300)] * (1 + version % 3), AT, lease.token)
        version = recorded[-1].seq
        say(version, lease.token)


async def starve(home: Path, build_id: str) -> None:
    """Append until the file size limit is hit, then lift it and go on."""
    store = await open_in(home)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
    version = await store.version(build_id)
    try:
        while True:
            version = (await store.append(build_id, version, [beat("y" * 9000)], AT))[-1].seq
    except DiskFull as full:
        say("full", version, full.fix is not None)
    try:
        await store.put_artifact(b"z" * 1_000_000)
    except DiskFull:
        say("artifact refused", *(file.name for file in (home / "artifacts").rglob("*") if file.is_file()))
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    say("again", (await store.append(build_id, version, [beat("after")], AT))[-1].seq)
    await store.close()


async def die_at(home: Path, build_id: str, point: str) -> None:
    """Do one of everything and be killed at a failpoint."""

    def hit(name: str) -> None:
        if name == point:
            say("hit", name)
            os.kill(os.getpid(), signal.SIGKILL)

    store = await open_in(home)
    version = await store.version(build_id)
    arm(hit)
    other = str(uuid.uuid4())
    await store.create(other, [created(other)], AT)
    lease = await store.acquire(build_id, this_process(), 600)
    await store.append(build_id, version, [e.MessageSent(id=point, text=point)], AT, lease.token)
    await store.keep_snapshot(await store.load(build_id))
    await store.put_artifact(point.encode() * 10_000)
    await store.release(lease)
    await store.close()
    say("survived")


if __name__ == "__main__":
    what, folder, build, *rest = sys.argv[1:]
    home = Path(folder)
    match what:
        case "race":
            asyncio.run(race(home, build, int(rest[0]), int(rest[1])))
        case "forever":
            asyncio.run(forever(home, build))
        case "starve":
            asyncio.run(starve(home, build))
        case "die_at":
            asyncio.run(die_at(home, build, rest[0]))
        case _:
            sys.exit(f"unknown: {what}")
