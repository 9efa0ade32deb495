"""A few connections to PostgreSQL, lent one at a time and replaced when they break. Must know no table.

The server may vanish for seconds at any point. Work is a function of a connection that may be called again: it is told
whether an earlier call broke with an unknown outcome, and must then check before it writes. A connection that failed,
or whose caller was cancelled, is never lent again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeAlias, TypeVar
from urllib.parse import unquote, urlsplit

from buildwright.errors import BadSettings, BuildwrightError, DiskFull, StoreFailed, Unreachable, Unstorable

T = TypeVar("T")
Connection: TypeAlias = Any
"""An asyncpg.Connection: that library comes without types."""
SCHEMA_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('buildwright schema', 0))"
"""Held to the end of every transaction that changes the schema."""
COMMAND_SECONDS = 20.0
"""Seconds that a piece of work may take before its connection counts as dead."""
_BYTES_PER_SECOND = 1_000_000
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_HURRIED_SECONDS = 1.0
"""Seconds that work still waits for an absent server when its process is about to end."""
_UNREACHABLE_AT_START = 5.0
"""Seconds to wait at opening for a server that never answered: more likely a wrong address than a restart."""
_SESSION = """
SELECT set_config('application_name', 'buildwright', false),
       set_config('idle_in_transaction_session_timeout', '20s', false),
       set_config('tcp_keepalives_idle', '30', false),
       set_config('jit', 'off', false),
       CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', false) END
"""
"""A worker that is stopped in a transaction must not hold its locks for ever; a commit must be on disk."""


class Address(NamedTuple):
    """A database's address: for the driver, and as it may be shown (no password, no options)."""

    dsn: str
    shown: str


def address_of(url: str) -> Address:
    """Return the address in a DATABASE_URL, also from `postgres://` or `postgresql+driver://`. Raises BadSettings."""
    scheme, mark, rest = url.strip().partition("://")
    fix = "set DATABASE_URL to something like postgresql://user:password@host:5432/database"
    if not mark or scheme.partition("+")[0] not in {"postgres", "postgresql"}:
        raise BadSettings("DATABASE_URL is not the address of a PostgreSQL database", fix=fix)
    dsn = f"postgresql://{rest}"
    try:
        parts = urlsplit(dsn)
        where = f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"
    except ValueError as error:
        # Its text may quote the password.
        raise BadSettings("DATABASE_URL cannot be read: a part of it is not well formed", fix=fix) from error
    user = f"{unquote(parts.username)}@" if parts.username else ""
    return Address(dsn, f"postgresql://{user}{where}{parts.path}")


class Pool:
    """At most `connections` connections. `patience` is how long, in seconds, work waits for an absent server."""

    def __init__(self, address: Address, connections: int, patience: float, command_seconds: float) -> None:
        self.address = address
        self._patience = patience
        self._command_seconds = command_seconds
        self._free = asyncio.Semaphore(connections)
        self._idle: list[Connection] = []
        self._limits: set[asyncio.Timeout] = set()
        """Of the work that runs now."""
        self._reached = False
        self._closed = False

    async def run(self, work: Callable[[Connection, bool], Awaitable[T]], size: int = 0) -> T:
        """Run work on a connection, again and again while the server is away. `size` in bytes gives it more time.

        Raises what the work raises; StoreFailed when patience is over, BadSettings when the server refuses us,
        DiskFull.
        """
        import asyncpg

        failures = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
        start, pause, again = time.monotonic(), _FIRST_PAUSE, False
        async with self._free:
            while True:
                seconds = self._command_seconds + size / _BYTES_PER_SECOND
                try:
                    async with self._within(seconds), self._connection() as connection:
                        done = await work(connection, again)
                except failures as error:  # a TimeoutError is an OSError
                    if not is_passing(error):
                        raise fault(error, self.address.shown) from error
                    again = True
                    # A server that answered, even if not ready, is starting: then the address is right.
                    there = self._reached or isinstance(error, asyncpg.PostgresError)
                    patience = self._patience if there else _UNREACHABLE_AT_START
                    if time.monotonic() + pause - start > min(patience, self._patience):
                        raise fault(error, self.address.shown) from error
                else:
                    self._reached = True
                    return done
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    def hurry(self) -> None:
        """Limit the time of running and later work to one second: the process is about to end."""
        self._patience = self._command_seconds = _HURRIED_SECONDS
        until = asyncio.get_running_loop().time() + _HURRIED_SECONDS
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(min(limit.when() or until, until))

    @asynccontextmanager
    async def _within(self, seconds: float) -> AsyncIterator[None]:
        async with asyncio.timeout(seconds) as limit:
            self._limits.add(limit)
            try:
                yield
            finally:
                self._limits.discard(limit)

    def close(self) -> None:
        """Close all connections; those in use when their work is done. Harmless when closed already."""
        self._closed = True
        self._forget_idle()

    def _forget_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.terminate()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """Lend the caller a connection. It is kept afterwards only if it is whole and in no transaction."""
        connection = await self._take()
        whole = False
        try:
            yield connection
            whole = True
        except BuildwrightError:
            whole = True
            raise
        finally:
            if not whole or connection.is_closed() or connection.is_in_transaction():
                connection.terminate()
                # What broke this one has most likely broken the others.
                self._forget_idle()
            elif self._closed:
                connection.terminate()
            else:
                self._idle.append(connection)

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        import asyncpg

        connection = await asyncpg.connect(self.address.dsn)
        settled = False
        try:
            await connection.execute(_SESSION)
            settled = True
        finally:
            if not settled:
                connection.terminate()
        return connection


@asynccontextmanager
async def single(url: str, patience: float, command_seconds: float = COMMAND_SECONDS) -> AsyncIterator[Pool]:
    """Yield a pool of one connection to the database at `url`, and close it. Raises BadSettings."""
    pool = Pool(address_of(url), 1, patience, command_seconds)
    try:
        yield pool
    finally:
        pool.close()


@asynccontextmanager
async def transaction(connection: Connection, first: str) -> AsyncIterator[None]:
    """Run BEGIN and one statement in one round trip; then COMMIT, or ROLLBACK when the body raises an error of ours."""
    await connection.execute(f"BEGIN; {first}")
    try:
        yield
    except BuildwrightError:
        await connection.execute("ROLLBACK")
        raise
    if connection.is_in_transaction():
        await connection.execute("COMMIT")


def literal(text: str) -> str:
    """Return a string quoted for a statement that takes no parameters."""
    quoted = text.replace("\0", "").replace("'", "''").replace("\\", "\\\\")
    return f"E'{quoted}'"


def is_passing(error: Exception) -> bool:
    """Return whether the same work may succeed later: server away, starting or full, or the transaction undone."""
    import asyncpg

    passing = (
        OSError,
        asyncpg.PostgresConnectionError,
        asyncpg.AdminShutdownError,
        asyncpg.CrashShutdownError,
        asyncpg.CannotConnectNowError,
        asyncpg.TooManyConnectionsError,
        asyncpg.IdleInTransactionSessionTimeoutError,
        asyncpg.ReadOnlySQLTransactionError,
        asyncpg.SerializationError,
        asyncpg.DeadlockDetectedError,
        asyncpg.InternalClientError,
    )
    if isinstance(error, asyncpg.InterfaceError):
        # The driver's error for a connection that broke; its ValueErrors are about our arguments.
        return not isinstance(error, ValueError)
    return isinstance(error, passing)


def fault(error: Exception, shown: str) -> BuildwrightError:
    """Return the error to raise for one of the driver or the server. It must never hold a password."""
    import asyncpg

    reach = "see whether the server runs and can be reached, and check DATABASE_URL"
    if isinstance(error, TimeoutError):
        return Unreachable(f"{shown}: the server does not answer", fix=reach)
    if isinstance(error, asyncpg.ClientConfigurationError):  # its text may quote the address
        return BadSettings(f"{shown}: DATABASE_URL cannot be used", fix="see what the driver says to it with `psql`")
    pooler = "let DATABASE_URL name the server itself, or a pooler that pools whole sessions"
    space = "free some space on the database server; nothing acknowledged is lost"
    kinds: tuple[tuple[type[BuildwrightError], str, tuple[type[Exception], ...]], ...] = (
        (
            BadSettings,
            "check the user and the password in DATABASE_URL",
            (asyncpg.InvalidAuthorizationSpecificationError,),
        ),
        (BadSettings, "make it with `createdb`, or correct DATABASE_URL", (asyncpg.InvalidCatalogNameError,)),
        (DiskFull, space, (asyncpg.DiskFullError,)),
        (StoreFailed, "run `buildwright db migrate`", (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError)),
        (
            StoreFailed,
            "give the user of DATABASE_URL the right to make and change tables",
            (asyncpg.InsufficientPrivilegeError,),
        ),
        # A pooler that gives each transaction another connection.
        (StoreFailed, pooler, (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError)),
        (StoreFailed, "raise max_connections of the server, or run fewer workers", (asyncpg.TooManyConnectionsError,)),
        (Unreachable, reach, (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.CannotConnectNowError)),
        (Unstorable, "look at the log of the server", (asyncpg.DataError,)),
        (StoreFailed, "look at the log of the server", (asyncpg.PostgresError,)),
        (Unreachable, reach, (OSError,)),
    )
    said = getattr(error, "strerror", None) or error
    for kind, fix, theirs in kinds:
        if isinstance(error, theirs):
            return kind(f"{shown}: {said}", fix=fix)
    return StoreFailed(f"{shown}: {said}", fix="look at the log of the server")
