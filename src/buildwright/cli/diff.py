"""The verb `diff`: prints what a build, or one of its tasks, changed. Must never change anything itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.output import Output
from buildwright.cli.session import session

if TYPE_CHECKING:
    from buildwright.wiring.changes import FileStat


async def diff(
    build: Annotated[str, Parameter(help="Id of the build, or its first characters; the newest when left out.")] = "",
    task: Annotated[str, Parameter(help="Only what this task changed, landed or not.")] = "",
    /,
    *,
    stat: Annotated[bool, Parameter(help="Only the files, with the lines added and removed.")] = False,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> None:
    """Show what a build, or one of its tasks, changed, as a unified diff."""
    from dataclasses import asdict

    from buildwright.wiring.changes import file_stats

    output = Output(json)
    async with session() as app:
        build_id = await app.find(build)
        old, new, text = await app.change(await app.builds.load(build_id), task)
    stats = file_stats(text)
    if output.json:
        files = [asdict(stat) for stat in stats]
        output.data({"build": build_id, "task": task, "old": old, "new": new, "files": files, "diff": text})
    elif not text:
        output.say("Nothing has changed.")
    elif stat:
        _print_stats(output, stats)
    else:
        _print_diff(output, text)


def _print_stats(output: Output, stats: list[FileStat]) -> None:
    """Print each file with the numbers of lines added and removed, then the sums."""
    width = max(len(stat.path) for stat in stats)
    for stat in stats:
        output.print(f"{stat.path:<{width}}  +{stat.added} -{stat.removed}")
    added, removed = sum(stat.added for stat in stats), sum(stat.removed for stat in stats)
    output.print(f"{len(stats)} files, +{added} -{removed}")


def _print_diff(output: Output, text: str) -> None:
    """Print the diff, in colour on a terminal; unchanged in a pipe, so that `git apply` accepts it."""
    if not output.on_terminal:
        output.raw(text)
        return
    for line in text.splitlines():
        head = line.startswith(("diff --git", "index ", "--- ", "+++ "))
        style = "bold" if head else {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        output.print(line, style=style)
