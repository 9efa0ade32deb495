"""Which build a user means, who has typed a part of its id or nothing. Changes nothing."""

from __future__ import annotations

from buildwright.errors import NotFound
from buildwright.ports import Builds
from buildwright.settings import Settings


async def find(builds: Builds, settings: Settings, build: str = "") -> str:
    """The full id of a build, from an id, a unique beginning of one, or "" for the newest. Raises NotFound."""
    rows = await builds.rows(limit=20, build_prefix=build)
    exact = [row for row in rows if row.build_id == build]
    if exact or (rows and (not build or len(rows) == 1)):
        return (exact or rows)[0].build_id
    if rows:
        some = ", ".join(row.build_id[:12] for row in rows[:5])
        raise NotFound(f"{build} is the beginning of {len(rows)} builds: {some}", fix="type more of the id")
    elsewhere = _elsewhere(settings)
    if not build:
        fix = elsewhere or "start one with `buildwright build SPEC --repo PATH`"
        raise NotFound("there is no build yet", fix=fix)
    fix = elsewhere or "see `buildwright status --all` for the builds there are"
    raise NotFound(f"there is no build {build}", fix=fix)


def _elsewhere(settings: Settings) -> str:
    """Where builds of this home may be that cannot be seen now: those of the cluster, and those without it."""
    if not settings.redis_url and (settings.cluster / "postgres").exists():
        return "those of this home's cluster, which is down, are there again after `buildwright cluster up`"
    if settings.redis_url and settings.database.exists():
        return "those made without the cluster are there when it does not run: `buildwright cluster down`"
    return ""
