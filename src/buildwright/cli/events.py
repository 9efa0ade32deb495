"""`events`: the journal, one JSON object per line."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

_LOOK_SECONDS = 0.25
_PAGE = 1000


async def events(
    build: Annotated[str, Parameter(help="Id of the build, or its first characters.")],
    /,
    *,
    after: Annotated[int, Parameter(help="Only events with a larger number.")] = 0,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], help="Go on until the build ends.")] = False,
    json: Annotated[bool, Parameter(help="Changes nothing: events are always JSON lines.")] = False,  # noqa: ARG001
) -> int:
    """Print the journal of a build, one JSON object per event.

    Numbers (`seq`) have no gaps, so a reader that remembers the last one goes on with --after and misses nothing.
    """
    import asyncio

    from buildwright.cli.exits import Exit
    from buildwright.cli.output import Output
    from buildwright.cli.session import session
    from buildwright.core.event import event_fields

    output = Output(json=True)
    async with session() as app:
        build_id = await app.find(build)
        ended = False
        while not output.reader_left:
            page = await app.builds.read(build_id, after=after, limit=_PAGE)
            for recorded in page:
                output.data(event_fields(recorded))
                after = recorded.seq
                ended = recorded.event.type == "build.finished"
            if ended or (not follow and len(page) < _PAGE):
                break
            if not page:
                ended = (await app.builds.load(build_id)).is_terminal
                if not ended:
                    await asyncio.sleep(_LOOK_SECONDS)
    return Exit.DONE
