"""One thread that owns one SQLite connection and runs work from a queue. Must know no table.

A piece of work is a function of the connection. A writer runs all waiting work as one transaction (group commit), a
reader one after the other; either way the results of a group return to the event loop in one call.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar

from buildwright.core.failpoint import failpoint
from buildwright.errors import BuildwrightError, StoreFailed
from buildwright.store.faults import fault, is_busy

T = TypeVar("T")
MOST_IN_GROUP = 1024

_MEMBER_ERRORS = (sqlite3.Error, BuildwrightError, ValueError, TypeError, OverflowError)
"""Errors that work may raise; the last three for values SQLite cannot hold (a lone surrogate, more than 64 bits)."""


class Job(NamedTuple):
    """A piece of work and the future of its result. `name` is its failpoint."""

    name: str
    work: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]


class Outcome(NamedTuple):
    """The result of a job."""

    future: asyncio.Future[Any]
    result: Any
    error: BaseException | None


RunGroup: TypeAlias = Callable[[sqlite3.Connection, list[Job]], list[Outcome]]


class ConnectionThread:
    """Runs jobs on a connection that no other thread touches. Must be closed, or it lives as long as the process."""

    def __init__(self, name: str, conn: sqlite3.Connection, run_group: RunGroup) -> None:
        self._loop = asyncio.get_running_loop()
        self._conn = conn
        self._run_group = run_group
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._ended = False
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()

    def run(self, name: str, work: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Queue work and return its future. Cancelling that does not undo queued work: it runs as a whole, or not."""
        if self._ended:
            raise StoreFailed("the store is closed", fix="open it again")
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(Job(name, work, future))
        return future

    async def close(self) -> None:
        """Finish queued work and close the connection."""
        if not self._ended:
            self._ended = True
            self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _main(self) -> None:
        group: list[Job] = []
        try:
            while self._take(group):
                outcomes = self._run_group(self._conn, group)
                group.clear()
                self._report(outcomes)
            if group:
                outcomes = self._run_group(self._conn, group)
                group.clear()
                self._report(outcomes)
        finally:
            self._ended = True
            self._conn.close()
            self._abandon(group)

    def _take(self, group: list[Job]) -> bool:
        """Wait for a job and take all queued behind it. Returns False when these are the last."""
        job = self._jobs.get()
        while job is not None:
            group.append(job)
            if len(group) == MOST_IN_GROUP:
                return True
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return True
        return False

    def _abandon(self, group: list[Job]) -> None:
        """Fail all waiting jobs when the thread ends, perhaps by a defect: no caller may wait for ever."""
        while not self._jobs.empty():
            job = self._jobs.get()
            if job is not None:
                group.append(job)
        if group:
            error = StoreFailed("the store was closed before this was written", fix="open it again and repeat")
            self._report([Outcome(job.future, None, error) for job in group])

    def _report(self, outcomes: list[Outcome]) -> None:
        try:
            self._loop.call_soon_threadsafe(_settle, outcomes)
        except RuntimeError:
            # The loop was closed while work was queued: what is committed stays, and no caller is left to tell.
            self._ended = True


def _settle(outcomes: list[Outcome]) -> None:
    for future, result, error in outcomes:
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


def reading(path: Path) -> RunGroup:
    """Return a runner of jobs one after the other, each with what was committed before it starts."""

    def run_group(conn: sqlite3.Connection, group: list[Job]) -> list[Outcome]:
        outcomes = []
        for job in group:
            try:
                outcomes.append(Outcome(job.future, job.work(conn), None))
            except _MEMBER_ERRORS as error:
                if conn.in_transaction:
                    conn.rollback()
                outcomes.append(Outcome(job.future, None, _ours(error, path)))
        return outcomes

    return run_group


def writing(path: Path, patience: float) -> RunGroup:
    """Return a runner of jobs as one transaction. One that fails does not affect the others.

    `patience` is how long to wait, in seconds, for another process that holds the write lock.
    """

    def run_group(conn: sqlite3.Connection, group: list[Job]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        spoilt: BaseException | None = None
        try:
            _begin(conn, patience)
            for job in group:
                before = conn.total_changes
                try:
                    outcomes.append(Outcome(job.future, job.work(conn), None))
                except _MEMBER_ERRORS as error:
                    if isinstance(error, sqlite3.Error) or conn.total_changes != before:
                        raise
                    outcomes.append(Outcome(job.future, None, error))
            _commit(conn, group)
        except _MEMBER_ERRORS as error:
            spoilt = error
        if spoilt is None:
            return outcomes
        if conn.in_transaction:
            conn.rollback()
        locked = isinstance(spoilt, sqlite3.Error) and is_busy(spoilt)
        if len(group) > 1 and not locked:
            return [outcome for job in group for outcome in run_group(conn, [job])]
        return [Outcome(job.future, None, _ours(spoilt, path)) for job in group]

    return run_group


def _begin(conn: sqlite3.Connection, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            conn.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() >= deadline:
                raise
        else:
            return


def _commit(conn: sqlite3.Connection, group: list[Job]) -> None:
    names = dict.fromkeys(job.name for job in group)
    for name in names:
        failpoint(f"store.{name}.before")
    conn.execute("COMMIT")
    for name in names:
        failpoint(f"store.{name}.after")


def _ours(error: BaseException, path: Path) -> BaseException:
    return fault(error, path) if isinstance(error, sqlite3.Error | UnicodeDecodeError) else error
