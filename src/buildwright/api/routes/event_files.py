"""The files of events over HTTP, for the user whose machine this is: they have the events of all users."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Path
from fastapi.responses import FileResponse
from pydantic import AwareDatetime, BaseModel, Field

from buildwright.api.bodies import Router
from buildwright.api.problems import responses
from buildwright.api.state import Caller, CallerOf, ServerState, SiteOf
from buildwright.api.targets import is_owner
from buildwright.errors import Forbidden, NotFound
from buildwright.maintenance.event_files import EventFiles, folder_of, kept_for

router = Router(prefix="/api/event-files", tags=["events"])


class EventFileView(BaseModel):
    """A file of JSON lines."""

    name: str
    number: int = Field(description="Counts from 1; the file that is written to has the largest.")
    size: int = Field(description="In bytes.")
    changed_at: AwareDatetime


class EventFileList(BaseModel):
    """The files of events that this server keeps, oldest first; none unless `BUILDWRIGHT_EVENTS` names a folder."""

    files: list[EventFileView]


@router.get("", responses=responses(403))
async def event_files(site: SiteOf, caller: CallerOf) -> EventFileList:
    """Return the files of events of all builds. Only for the user whose machine this is."""
    files = _files(site, caller)
    found = await asyncio.to_thread(files.all) if files is not None else []
    return EventFileList(files=[EventFileView(**file._asdict()) for file in found])


@router.get("/{file}", response_class=FileResponse, responses=responses(403, 404))
async def event_file(
    file: Annotated[str, Path(pattern=r"^events(-[0-9]{6,12})?\.jsonl(\.gz)?$")], site: SiteOf, caller: CallerOf
) -> FileResponse:
    """Return a file of events: JSON lines, compressed with gzip if its name says so. Only for this machine's user."""
    files = _files(site, caller)
    found = [] if files is None else await asyncio.to_thread(files.all)
    folder = folder_of(site.app.settings.environment)
    if folder is None or file not in {one.name for one in found}:
        raise NotFound(f"there is no file {file}", fix="see the list: GET /api/event-files")
    kind = "application/gzip" if file.endswith(".gz") else "application/x-ndjson"
    return FileResponse(folder / file, media_type=kind)


def _files(site: ServerState, caller: Caller) -> EventFiles | None:
    if not is_owner(site, caller):
        raise Forbidden("the files have the events of all users", fix="read your own: GET /api/builds/{id}/events")
    environment = site.app.settings.environment
    folder = folder_of(environment)
    return EventFiles(folder, kept_for(environment), str) if folder is not None else None
