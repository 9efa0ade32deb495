"""What must be so after chaos: each promise is a function that names what breaks it, and returns nothing when it holds."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
from redis.asyncio import Redis

from buildwright.core.apply import fold
from buildwright.core.event import (
    AgentBroke,
    AgentFinished,
    BuildDelivered,
    BuildFinished,
    BuildVerified,
    ChangeLanded,
    MergeJudged,
    PatchJudged,
    Recorded,
    TargetPrepared,
    TaskStarted,
)
from buildwright.core.snapshot import dump
from tests.chaos.stand import BROKEN, GRACE_SECONDS, REFUSED, TASKS, Stand
from tests.git import git

TIDY_SECONDS = 60.0
_NONE = "0" * 40


class Aftermath(NamedTuple):
    """What is looked at: journals by build, and what the workers have logged."""

    stand: Stand
    journals: dict[str, list[Recorded]]
    logged: list[dict[str, Any]]


async def examine(stand: Stand) -> dict[str, list[str]]:
    """All promises by name, with what breaks them. The workers are ended on the way."""
    journals = {build_id: await stand.app.builds.read(build_id) for build_id in stand.builds}
    after = Aftermath(stand, journals, list(_logged(stand)))
    found = {
        "every build succeeded": list(ended_well(after)),
        "journals have no gap": await gapless(stand),
        "journal, snapshot and head row agree": await folds(after),
        "the tree is right": list(right_tree(after)),
        "each commit once, as journalled": list(each_commit_once(after)),
        "each fact once": list(each_fact_once(after)),
        "no attempt used up": list(attempts(after)),
        "only what passed the gate": list(gated(after)),
        "tokens only grow": list(tokens(after)),
        "workers listen to Redis": await listening(stand),
        "seen on the way": [f"{what} ({times} times)" for what, times in stand.trouble.items()],
        "nothing left behind": await left_behind(stand),
        "workers end when told": await told_to_end(stand),
    }
    found["no secret anywhere"] = list(secrets(stand))
    return found


def ended_well(after: Aftermath) -> Iterator[str]:
    for build_id, journal in after.journals.items():
        last = journal[-1].event
        if not isinstance(last, BuildFinished) or last.outcome != "succeeded":
            yield f"{build_id}: {last.type} {last.model_dump_json()[:300]}"


async def gapless(stand: Stand) -> list[str]:
    """Asked of the table itself."""
    connection = await asyncpg.connect(stand.postgres.url())
    try:
        rows = await connection.fetch(
            "SELECT build_id, count(*), min(seq), max(seq) FROM events GROUP BY build_id"
            " HAVING count(*) <> max(seq) OR min(seq) <> 1"
        )
    finally:
        await connection.close()
    return [str(tuple(row)) for row in rows]


async def folds(after: Aftermath) -> list[str]:
    wrong = []
    heads = {row.build_id: row for row in await after.stand.app.builds.rows(limit=100_000)}
    for build_id, journal in after.journals.items():
        folded, loaded, head = fold(journal), await after.stand.app.builds.load(build_id), heads[build_id]
        if dump(folded) != dump(loaded):
            wrong.append(f"{build_id}: the snapshot says something else")
        if (head.version, head.outcome) != (folded.version, folded.outcome or ""):
            wrong.append(f"{build_id}: the head row says {head.version} {head.outcome}")
    return wrong


def right_tree(after: Aftermath) -> Iterator[str]:
    repository = after.stand.repository
    for build_id in after.journals:
        branch = f"refs/heads/buildwright/{build_id[:8]}"
        if not git(repository, "for-each-ref", branch):
            yield f"{build_id}: no branch"
        elif (tree := git(repository, "rev-parse", f"{branch}^{{tree}}")) != after.stand.tree:
            yield f"{build_id}: {tree}"


def each_commit_once(after: Aftermath) -> Iterator[str]:
    """The branch is one commit for each task in the order of the journal; hub and branch have moved so, and never else."""
    stand = after.stand
    for build_id, journal in after.journals.items():
        landed = [one.event.commit for one in journal if isinstance(one.event, ChangeLanded)]
        tasks = [one.event.task for one in journal if isinstance(one.event, ChangeLanded)]
        name = f"refs/heads/buildwright/{build_id[:8]}"
        if sorted(tasks) != sorted(TASKS):
            yield f"{build_id}: landed {tasks}"
        moves = _moves(stand.hub, f"refs/buildwright/{build_id}/integration")
        if moves[1:] != landed:
            yield f"{build_id}: the hub's branch moved {len(moves)} times for {len(landed)} changes"
        if not git(stand.repository, "for-each-ref", name):
            continue
        told = "%H %(trailers:key=Buildwright-Task,valueonly,separator=%x2C)"
        lines = git(stand.repository, "log", "--reverse", f"--format={told}", f"main..{name}").splitlines()
        if lines != [f"{commit} {task}" for commit, task in zip(landed, tasks, strict=True)]:
            yield f"{build_id}: the branch is not what the journal landed: {lines}"
        delivered = [one.event.commit for one in journal if isinstance(one.event, BuildDelivered)]
        if _moves(stand.repository / ".git", name) != delivered or delivered != landed[-1:]:
            yield f"{build_id}: the delivered branch moved otherwise than once to the last change"


def _moves(git_dir: Path, ref: str) -> list[str]:
    """Where a ref has been, oldest first, by git's own log of it."""
    log = git_dir / "logs" / ref
    return [line.split()[1] for line in log.read_text().splitlines()] if log.exists() else []


def each_fact_once(after: Aftermath) -> Iterator[str]:
    for build_id, journal in after.journals.items():
        facts: Counter[tuple[str, ...]] = Counter()
        for recorded in journal:
            match recorded.event:
                case AgentFinished(task=task, attempt=attempt) | AgentBroke(task=task, attempt=attempt):
                    facts["end of attempt", task, str(attempt)] += 1
                case TaskStarted(task=task, attempt=attempt):
                    facts["start of attempt", task, str(attempt)] += 1
                case PatchJudged(task=task, attempt=attempt):
                    facts["verdict", task, str(attempt)] += 1
                case ChangeLanded(task=task):
                    facts["landed", task] += 1
                case TargetPrepared() | BuildVerified() | BuildDelivered() | BuildFinished():
                    facts[(recorded.event.type,)] += 1
                case _:
                    pass
        yield from (f"{build_id}: {fact} {times} times" for fact, times in facts.items() if times > 1)


def attempts(after: Aftermath) -> Iterator[str]:
    """As many as without faults: a worker that dies is not the task's failure."""
    for build_id, journal in after.journals.items():
        made = Counter(one.event.task for one in journal if isinstance(one.event, TaskStarted))
        wrong = {task: made[task] for task in TASKS if made[task] != (2 if task in {REFUSED, BROKEN} else 1)}
        if wrong:
            yield f"{build_id}: attempts {wrong}"


def gated(after: Aftermath) -> Iterator[str]:
    for build_id, journal in after.journals.items():
        passed: set[str] = set()
        for recorded in journal:
            match recorded.event:
                case PatchJudged(verdict=verdict) | MergeJudged(verdict=verdict) | BuildVerified(verdict=verdict):
                    if verdict.ok:
                        passed.add(verdict.tree)
                case ChangeLanded(tree=tree) if tree not in passed:
                    yield f"{build_id}: {tree} landed unjudged"
                case BuildDelivered(commit=commit):
                    tree = git(after.stand.repository, "rev-parse", f"{commit}^{{tree}}")
                    if tree not in passed:
                        yield f"{build_id}: {tree} was delivered unjudged"
                case _:
                    pass


def tokens(after: Aftermath) -> Iterator[str]:
    """No token was given twice in a build, and no event was recorded by two; what a watch saw go down is in `trouble`."""
    given = Counter((line["executionId"], line["token"]) for line in after.logged if line["event"] == "taken")
    written = Counter((line["executionId"], line["seq"]) for line in after.logged if line["event"] == "recorded")
    yield from (f"{build}: token {token} given {times} times" for (build, token), times in given.items() if times > 1)
    yield from (f"{build}: event {seq} written {times} times" for (build, seq), times in written.items() if times > 1)


async def listening(stand: Stand) -> list[str]:
    """Every worker waits for hints again, however Redis was treated: as many clients as workers wait in BRPOP."""
    client = Redis.from_url(stand.redis.url())
    try:
        deadline = asyncio.get_running_loop().time() + TIDY_SECONDS
        waiting: set[str] = set()
        while asyncio.get_running_loop().time() < deadline:
            # One that has just got something, or whose wait has just ended, is seen at the next look.
            waiting |= {one["id"] for one in await client.client_list() if one["cmd"] == "brpop"}
            if len(waiting) >= len(stand.workers):
                return []
            await asyncio.sleep(0.2)
        return [f"only {len(waiting)} of {len(stand.workers)} workers wait for hints"]
    finally:
        await client.aclose()


async def left_behind(stand: Stand) -> list[str]:
    """Within a minute after the last build nothing is left of any: rows, lanes, locks, processes."""
    found: list[str] = []
    deadline = asyncio.get_running_loop().time() + TIDY_SECONDS
    while True:
        found = [f"{row.key} of {row.build_id} on the board" for row in await stand.app.board.board()]
        found += _litter(stand)
        found += [f"process {stranger}" for stranger in stand.strangers()]
        if not found or asyncio.get_running_loop().time() >= deadline:
            return found
        await asyncio.sleep(1)


def _litter(stand: Stand) -> Iterator[str]:
    for worker in stand.workers:
        for kind in ("lanes", "checkouts", "scratch"):
            yield from _below(worker.home / kind)
        yield from _locks(worker.home / "mirrors")
    yield from _locks(stand.hub)
    yield from _locks(stand.repository / ".git")


def _below(folder: Path) -> Iterable[str]:
    return [str(path) for path in folder.glob("*/*")] if folder.is_dir() else []


def _locks(folder: Path) -> Iterable[str]:
    return [str(path) for path in folder.rglob("*.lock")] if folder.is_dir() else []


async def told_to_end(stand: Stand) -> list[str]:
    for worker in stand.workers:
        worker.resting = True
    seconds = await asyncio.gather(*(worker.end() for worker in stand.workers))
    slow = [
        f"{worker.name} was killed after {spent:.0f} s"
        for worker, spent in zip(stand.workers, seconds, strict=True)
        if spent >= GRACE_SECONDS
    ]
    return slow + [f"still there: {stranger}" for stranger in stand.strangers()]


def secrets(stand: Stand) -> Iterator[str]:
    """The passwords of the servers are in no log, home, hub or repository."""
    words = [server.record.password.encode() for server in (stand.postgres, stand.redis)]
    for path in stand.folder.rglob("*"):
        own = path.is_relative_to(stand.postgres.folder) or path.is_relative_to(stand.redis.folder)
        if path.is_file() and not own and any(word in path.read_bytes() for word in words):
            yield str(path.relative_to(stand.folder))


def _logged(stand: Stand) -> Iterator[dict[str, Any]]:
    """What workers have logged. A worker that was killed may have left half a line."""
    for worker in stand.workers:
        for line in worker.log.read_text("utf-8", "replace").splitlines():
            try:
                fields = json.loads(line)
            except ValueError:
                if "Traceback" in line or "Error" in line:
                    stand.trouble[f"a worker said {line[:200]}"] += 1
                continue
            if isinstance(fields, dict) and "event" in fields:
                yield fields


@asynccontextmanager
async def tokens_watched(stand: Stand) -> AsyncIterator[None]:
    """Look on the counters of tokens while builds run: none may go back, not even across a crash of the server."""
    watching = asyncio.create_task(_watch(stand))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _watch(stand: Stand) -> None:
    highest: dict[str, int] = {}
    connection = None
    try:
        while True:
            try:
                connection = connection or await asyncpg.connect(stand.postgres.url(), timeout=5)
                for build_id, token in await connection.fetch("SELECT build_id, token FROM leases", timeout=5):
                    if token < highest.get(build_id, 0):
                        stand.trouble["a counter of tokens went back"] += 1
                    highest[build_id] = max(token, highest.get(build_id, 0))
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection = connection and connection.terminate()
            await asyncio.sleep(0.5)
    finally:
        if connection is not None:
            connection.terminate()
