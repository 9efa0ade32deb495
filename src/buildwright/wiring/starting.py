"""Making a build, once for each request. Must never run one, nor check what it asks for: that is the App's part."""

from __future__ import annotations

from pathlib import Path

from buildwright.core.limits import Options
from buildwright.core.spec import Spec
from buildwright.engine import commands
from buildwright.errors import Conflict, NotFound
from buildwright.ports import Builds, Clock


async def exists(builds: Builds, build_id: str) -> bool:
    """Whether there is such a build."""
    try:
        return await builds.version(build_id) > 0
    except NotFound:
        return False


async def create_once(
    builds: Builds,
    clock: Clock,
    spec: Spec,
    options: Options,
    repository: str,
    base: str,
    project_id: str,
    user_id: str,
    build_id: str,
    correlation_id: str,
) -> str:
    """The build of that id, made now or by somebody else for the same request. Without a project it is the repository's."""
    project = project_id or (Path(repository).name if repository else "") or "default"
    try:
        return await commands.create(
            builds, clock, spec, options, repository, base, project, user_id, build_id, correlation_id
        )
    except Conflict:
        return build_id
