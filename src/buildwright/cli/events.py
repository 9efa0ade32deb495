"""The verb `events`: prints the journal of a build, one JSON object per line. Must never leave an event out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from buildwright.cli.output import Output
from buildwright.cli.session import local_session, session
from buildwright.core.figures import count
from buildwright.errors import Refused

_PAGE = 1000


async def events(
    build: Annotated[str, Parameter(help="Id of the build, or its first characters; the newest when left out.")] = "",
    /,
    *,
    after: Annotated[int, Parameter(validator=Number(gte=0), help="Only events with a larger number.")] = 0,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], help="Keep printing until the build ends.")] = False,
    to: Annotated[
        Path | None,
        Parameter(help="Write the new events of all builds of this home into files in this folder instead."),
    ] = None,
    words: Annotated[
        bool, Parameter(help="Print each event in words instead, by the names of the SQL view task_execution_log.")
    ] = False,
    json: Annotated[bool, Parameter(help="Changes nothing: events are always JSON lines.")] = False,  # noqa: ARG001
) -> None:
    """Print the journal of a build, one JSON object per event.

    With --to the lines go to files of 1 MB, full ones compressed and kept for 30 days (BUILDWRIGHT_EVENTS_FOR); the next
    call goes on where this one ended. Set BUILDWRIGHT_EVENTS to a folder to have that done all the time.

    Numbers (`seq`) have no gaps, so a reader that remembers the last one goes on with --after and misses nothing.
    """
    if to is not None:
        await _write_files(to, build, follow or after > 0)
        return
    if words and follow:
        raise Refused("--words prints what is there now", fix="leave out --follow, or --words")
    if words:
        await _write_words(build, after)
        return
    from buildwright.core.event import event_fields
    from buildwright.engine.follow import follow as follow_build

    output = Output(json=True)
    async with session() as app:
        build_id = await app.find(build)
        known = await app.builds.load(build_id) if follow else None  # a journal can be read without its build
        more = _PAGE
        while more == _PAGE and not output.reader_left:
            page = await app.builds.read(build_id, after=after, limit=_PAGE)
            more = len(page)
            for recorded in page:
                output.data(event_fields(recorded))
                after = recorded.seq
        if known is not None and not output.reader_left:
            async for news in follow_build(app.builds, known):
                for recorded, _ in news.steps:
                    if recorded.seq > after:
                        output.data(event_fields(recorded))
                if news.build.is_terminal or output.reader_left:
                    break


async def _write_words(build: str, after: int) -> None:
    output = Output(json=True)
    async with session() as app:
        build_id = await app.find(build)
        more = _PAGE
        while more == _PAGE and not output.reader_left:
            page = await app.execution_log(build_id, after, _PAGE)
            more = len(page)
            for entry in page:
                output.data(entry.model_dump(mode="json"))
                after = entry.id


async def _write_files(folder: Path, build: str, others: bool) -> None:
    from buildwright.maintenance.event_files import EventFiles, kept_for
    from buildwright.wiring import masker_of

    if build or others:
        raise Refused("--to writes what is new of all builds", fix="leave out the build, --after and --follow")
    async with local_session() as app:
        files = EventFiles(folder.absolute(), kept_for(app.settings.environment), masker_of(app.settings))
        written = await files.update(app.builds, app.clock.now())
        Output(json=False).print(f"{count(written, 'new event')} in {folder}: {count(len(files.all()), 'file')}.")
