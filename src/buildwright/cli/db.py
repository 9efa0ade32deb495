"""The verbs `db migrate`, `rollback`, `version` and `rebuild-stats`, for the database. Must never show a password."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from buildwright.cli.argv0 import typed
from buildwright.cli.output import Output
from buildwright.cli.verbs import app_of
from buildwright.core.figures import count
from buildwright.settings import Settings

db = app_of("db")

_Json = Annotated[bool, Parameter(help="One JSON object on stdout.")]


@db.command
async def migrate(*, json: _Json = False) -> None:
    """Bring the database to the revision that this Buildwright needs. Happens by itself when a build opens it."""
    from buildwright.store.revisions import migrate as migrate_database

    path = _database()
    before = await revision_of(path)
    if isinstance(path, Path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    after = await migrate_database(path)
    _say(json, path, after, f"from {before}" if before and before != after else "")


@db.command
async def rollback(
    *,
    steps: Annotated[int, Parameter(help="How many revisions to undo.")] = 1,
    drop_data: Annotated[bool, Parameter(help="Allow tables with rows to go; copy the file first.")] = False,
    json: _Json = False,
) -> None:
    """Undo the last revisions of the schema."""
    from buildwright.store.revisions import rollback as roll_back

    path = _database()
    _say(json, path, await roll_back(path, steps, drop_data=drop_data), "rolled back")


@db.command
async def version(*, json: _Json = False) -> None:
    """Show the revision of the database and the one that is needed."""
    path = _database()
    _say(json, path, await revision_of(path), "")


@db.command
async def rebuild_stats(*, json: _Json = False) -> None:
    """Count the stats anew from the journals. What builds came to that were pruned stays."""
    from buildwright.cli.session import local_session

    async with local_session() as app, app.runs() as runs:
        await runs.recount_stats()
        total = (await runs.stats("week")).total
    output = Output(json)
    if output.json:
        output.data({"total": total.model_dump(mode="json")})
    else:
        sums = (count(total.tasks, "task"), count(total.attempts, "attempt"), count(total.requests, "request"))
        output.print(f"Counted again: {', '.join(sums)}.")


async def revision_of(path: Path | str) -> str:
    """Return the schema revision of a database, "" when it has none. Raises StoreFailed when it is not ours.

    `path` is an SQLite file or the URL of a PostgreSQL database.
    """
    from buildwright.store.revisions import version as stored

    return "" if isinstance(path, Path) and not path.is_file() else await stored(path) or ""


def wanted_revision() -> str:
    """Return the schema revision that this Buildwright works with."""
    from buildwright.store.revisions import head

    return head()


def _database() -> Path | str:
    """Return the URL in DATABASE_URL, else the path of the SQLite file under the home."""
    settings = Settings.load()
    return settings.database_url or settings.database


def _say(json: bool, path: Path | str, revision: str, note: str) -> None:
    """Print which revision the database has, which one is needed, and `note`."""
    output, wanted = Output(json), wanted_revision()
    if isinstance(path, str):
        from buildwright.store.postgres_pool import address_of

        path = address_of(path).shown
    if output.json:
        output.data({"database": path, "revision": revision, "wanted": wanted})
        return
    output.print(f"{path}: {f'revision {revision}' if revision else 'no schema'}{f' ({note})' if note else ''}")
    if revision != wanted:
        output.say(typed(f"This Buildwright works with revision {wanted}. Next: buildwright db migrate"))
