"""What `doctor` looks at in a cluster: which one it is, whether its servers answer, and who else they let in. Changes nothing."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from buildwright.cli.finding import Finding
from buildwright.settings import SHARED, Settings

_PATIENCE_SECONDS = 5.0


async def examine_shared(settings: Settings) -> list[Finding]:
    """The mode; in a cluster also PostgreSQL, Redis and the hub."""
    if not settings.database_url:
        return [Finding("mode", True, True, "one process, which keeps all it knows in the home")]
    named = [name for name in SHARED if settings.environment.get(name)]
    mode = f"cluster named by {', '.join(named)}" if named else f"cluster kept in {settings.cluster}"
    fix = _fix(settings)
    found = await asyncio.gather(
        _postgres(settings.database_url, fix), _redis(settings.redis_url, fix), _hub(settings, fix)
    )
    return [Finding("mode", True, True, mode), *found]


def _fix(settings: Settings) -> str:
    if any(settings.environment.get(name) for name in SHARED):
        return "start the server, or unset " + ", ".join(SHARED)
    return "run buildwright cluster up"


async def _postgres(url: str, fix: str) -> Finding:
    import asyncpg

    from buildwright.errors import BuildwrightError
    from buildwright.store.opening import revisions
    from buildwright.store.postgres_opening import stored_revision
    from buildwright.store.postgres_pool import address_of, fault

    failures = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, BuildwrightError)
    try:
        address = address_of(url)
        connection = await asyncpg.connect(address.dsn, timeout=_PATIENCE_SECONDS)
        try:
            version = await connection.fetchval("SHOW server_version")
            listens = await connection.fetchval("SHOW listen_addresses")
            revision = await stored_revision(connection, address.shown)
        finally:
            connection.terminate()
    except failures as error:
        told = error if isinstance(error, BuildwrightError) else fault(error, address_of(url).shown)
        return Finding("postgresql", False, True, str(told), f"builds of the cluster cannot be seen: {fix}")
    shown = (
        f"{version.split()[0]} at {address.shown.partition('@')[2] or address.shown}, revision {revision or 'none yet'}"
    )
    if revision not in {None, revisions()[-1]}:
        return Finding(
            "postgresql", False, True, shown, f"revision {revisions()[-1]} is needed: run buildwright db migrate"
        )
    open_to_all = not await _asks_for_password(address.dsn) and not _only_here(url, listens.split(","))
    costs = "whoever reaches it can change builds and run commands on workers: let pg_hba.conf ask for a password"
    return Finding("postgresql", not open_to_all, False, shown + (", without a password" if open_to_all else ""), costs)


async def _asks_for_password(dsn: str) -> bool:
    import asyncpg

    parts = urlsplit(dsn)
    name = parts.netloc.rpartition("@")
    netloc = f"{name[0].partition(':')[0]}@{name[2]}" if name[0] else parts.netloc
    try:
        connection = await asyncpg.connect(
            urlunsplit(parts._replace(netloc=netloc)), password="", timeout=_PATIENCE_SECONDS
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return True
    connection.terminate()
    return False


async def _redis(url: str, fix: str) -> Finding:
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    parts = urlsplit(url)
    where = parts.netloc.rpartition("@")[2]
    client = _client(Redis, url)
    try:
        version = (await client.info("server"))["redis_version"]
        bound = await _asked(client, "bind")
    except (OSError, RedisError, ValueError) as error:
        # Its text may hold the address, but never the password.
        costs = f"builds go on more slowly, by what workers look up in the database: {fix}"
        return Finding("redis", False, False, f"{where} does not answer: {type(error).__name__}", costs)
    finally:
        await client.aclose()
    anybody = _client(Redis, urlunsplit(parts._replace(netloc=where)))
    try:
        await anybody.ping()
        asks = False
    except (OSError, RedisError):
        asks = True
    finally:
        await anybody.aclose()
    open_to_all = not asks and not _only_here(url, bound.split())
    state = "asks for a password" if asks else "asks for no password"
    costs = "whoever reaches it can mislead workers: set requirepass, or let it listen on 127.0.0.1 alone"
    return Finding("redis", not open_to_all, False, f"{version} at {where}, {state}", costs)


def _client(redis: Any, url: str) -> Any:
    return redis.from_url(url, socket_connect_timeout=_PATIENCE_SECONDS, socket_timeout=_PATIENCE_SECONDS)


async def _asked(client: Any, name: str) -> str:
    """A setting of Redis; "" where it tells nobody."""
    from redis.exceptions import RedisError

    try:
        return str((await client.config_get(name)).get(name, ""))
    except RedisError:
        return ""


def _only_here(url: str, listens: list[str]) -> bool:
    """Whether a server can be reached from its own machine alone: it listens nowhere else."""
    addresses = [address.strip().lstrip("-") for address in listens if address.strip()]
    if not addresses:
        return _is_loopback(urlsplit(url).hostname or "")
    return all(_is_loopback(address) for address in addresses)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


async def _hub(settings: Settings, fix: str) -> Finding:
    from buildwright.workspace.git import mask

    shown = mask(settings.hub)
    if "://" in settings.hub or not Path(settings.hub).is_absolute():
        return Finding("hub", True, True, f"{shown} (not asked: it is on another machine)")
    there = (Path(settings.hub) / "objects").is_dir()
    costs = f"workers cannot hand each other commits: `git init --bare {shown}`, or {fix}"
    return Finding("hub", there, True, shown if there else f"{shown} is not there", costs)
