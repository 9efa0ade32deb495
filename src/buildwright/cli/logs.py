"""`logs`: what agents, gates and git said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from buildwright.cli.output import Output
    from buildwright.ports import LogLine

_LOOK_SECONDS = 0.25
_PAGE = 1000


async def logs(
    build: Annotated[str, Parameter(help="Id of the build, or its first characters; the newest when left out.")] = "",
    /,
    *,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], help="Go on until the build ends.")] = False,
    task: Annotated[str, Parameter(help="Only this task.")] = "",
    tail: Annotated[int, Parameter(help="Start with the last N lines; 0 for all.")] = 0,
    json: Annotated[bool, Parameter(help="One JSON object per line on stdout.")] = False,
) -> int:
    """Show what agents, gates and git said. `--follow` listens to the server, if one runs; else it looks into the store."""
    import asyncio

    from buildwright.cli.exits import Exit
    from buildwright.cli.output import Output
    from buildwright.cli.session import session

    output = Output(json)
    if follow and await _streamed(build, task, tail, output):
        return Exit.DONE
    async with session() as app:
        build_id = await app.find(build)
        loaded = await app.builds.load(build_id) if output.json else None
        about = {"build": loaded.id, "correlation_id": loaded.correlation_id} if loaded is not None else {}
        seen = 0
        if tail > 0:
            lines = await app.builds.read_log(build_id, task=task, limit=tail, tail=True)
            seen = _print(output, lines, seen, about)
        while not output.reader_left:
            ended = follow and (await app.builds.load(build_id)).is_terminal
            lines = (
                await app.builds.read_log(build_id, after=seen, task=task, limit=_PAGE) if follow or not tail else []
            )
            seen = _print(output, lines, seen, about)
            if len(lines) == _PAGE:
                continue
            if ended or not follow:
                break
            await asyncio.sleep(_LOOK_SECONDS)
    if not seen and not output.json:
        output.say("Nothing was logged." if not task else f"Nothing was logged for {task}.")
    return Exit.DONE


async def _streamed(build: str, task: str, tail: int, output: Output) -> bool:
    """Follow the log over the stream of a server. False when there is none that knows the build."""
    from buildwright.cli.reach import find_server
    from buildwright.settings import Settings

    reach = find_server(Settings.load())
    if reach is None:
        return False
    from buildwright.cli.log_stream import follow_log
    from buildwright.errors import Refused, Unreachable

    seen = 0

    def show(lines: list[LogLine], about: dict[str, str]) -> None:
        nonlocal seen
        seen = _print(output, lines, seen, about if output.json else {})

    try:
        await follow_log(reach, build, task, tail, show, output)
    except (Refused, Unreachable):
        if reach.named or seen:
            raise
        return False  # it has just ended, or this is a build of somebody else: the store knows
    if not seen and not output.json:
        output.say("Nothing was logged." if not task else f"Nothing was logged for {task}.")
    return True


def _print(output: Output, lines: list[LogLine], seen: int, about: dict[str, str]) -> int:
    """Show the lines and return the number of the last."""
    for line in lines:
        if output.json:
            output.data({**about, **line._asdict()})
            continue
        who = f"{line.task or 'build'}" + (f"#{line.attempt}" if line.attempt > 1 else "")
        style = "red" if line.kind in {"warned", "error"} else ""
        for part in line.text.splitlines() or [""]:
            output.print(f"{line.at:%H:%M:%S} {who} {line.kind:<8} {part}", style=style)
    return lines[-1].seq if lines else seen
