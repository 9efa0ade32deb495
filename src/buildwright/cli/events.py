"""The verb `events`: prints the journal of a build, one JSON object per line. Must never leave an event out."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from buildwright.cli.output import Output
from buildwright.cli.session import session

_PAGE = 1000


async def events(
    build: Annotated[str, Parameter(help="Id of the build, its first characters, or `newest`.")],
    /,
    *,
    after: Annotated[int, Parameter(validator=Number(gte=0), help="Only events with a larger number.")] = 0,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], help="Go on until the build ends.")] = False,
    json: Annotated[bool, Parameter(help="Changes nothing: events are always JSON lines.")] = False,  # noqa: ARG001
) -> None:
    """Print the journal of a build, one JSON object per event.

    Numbers (`seq`) have no gaps, so a reader that remembers the last one goes on with --after and misses nothing.
    """
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
