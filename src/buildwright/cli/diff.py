"""The verb `diff`: prints what a build, or one of its tasks, changed. Must never change anything itself."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.output import Output
from buildwright.cli.session import session
from buildwright.core.figures import count
from buildwright.errors import Refused

if TYPE_CHECKING:
    from buildwright.views.attempts import AttemptLines, AttemptsView
    from buildwright.wiring.changes import FileStat


async def diff(
    build: Annotated[str, Parameter(help="Id of the build, or its first characters; the newest when left out.")] = "",
    task: Annotated[str, Parameter(help="Only what this task changed, landed or not.")] = "",
    /,
    *,
    attempt: Annotated[int, Parameter(help="Only what this attempt at the task made, landed or not.")] = 0,
    against: Annotated[
        int, Parameter(help="Put it beside this other attempt: what is the same, and what differs.")
    ] = 0,
    stat: Annotated[bool, Parameter(help="Only the files, with the lines added and removed.")] = False,
    out: Annotated[
        Path | None, Parameter(name=["--output", "-o"], help="Write the diff to this new file, for `git apply`.")
    ] = None,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> None:
    """Show what a build, or one of its tasks or their attempts, changed, as a unified diff.

    In a file or a pipe it is whole, so that `git apply` takes it. `why` says which attempts left a change.
    """
    from dataclasses import asdict

    from buildwright.wiring.changes import file_stats

    if attempt < 0 or (attempt and not task):
        raise Refused(
            "--attempt N is the number of an attempt at a task", fix="name the task: diff BUILD TASK --attempt N"
        )
    output = Output(json)
    if against:
        if not attempt or stat or out is not None:
            raise Refused(
                "--against N needs the attempt that it is compared with, and nothing else",
                fix="say which: diff BUILD TASK --attempt 2 --against 1",
            )
        async with session() as app:
            view = await app.attempts(await app.builds.load(await app.find(build)), task, against, attempt)
        if output.json:
            output.data(view.model_dump(mode="json"))
        else:
            _print_attempts(output, view)
        return
    whole = not stat and (out is not None or not (output.on_terminal or output.json))
    async with session() as app:
        build_id = await app.find(build)
        old, new, text = await app.change(await app.builds.load(build_id), task, attempt, binary=whole)
    stats = file_stats(text)
    if out is not None:
        _write(out, text)
    if output.json:
        files = [asdict(stat) for stat in stats]
        ends = {"build": build_id, "task": task, "attempt": attempt, "old": old, "new": new}
        output.data({**ends, "files": files, "diff": text})
    elif out is not None:
        output.say(f"Written to {out}: {count(len(stats), 'file')}. Next: git apply {shlex.quote(str(out))}")
    elif not text:
        output.say("Nothing has changed.")
    elif stat:
        _print_stats(output, stats)
    else:
        _print_diff(output, text)


def _write(out: Path, text: str) -> None:
    """Write the diff to a file that is not there yet. Raises Refused when that cannot be."""
    try:
        with out.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise Refused(
            f"{out} cannot be written: {error.strerror}", fix="name a new file in a folder of yours"
        ) from error


def _print_stats(output: Output, stats: list[FileStat]) -> None:
    """Print each file with the numbers of lines added and removed, then the sums."""
    width = max(len(stat.path) for stat in stats)
    for stat in stats:
        output.print(f"{stat.path:<{width}}  +{stat.added} -{stat.removed}")
    added, removed = sum(stat.added for stat in stats), sum(stat.removed for stat in stats)
    output.print(f"{count(len(stats), 'file')}, +{added} -{removed}")


def _print_diff(output: Output, text: str) -> None:
    """Print the diff, in colour on a terminal; unchanged in a pipe, so that `git apply` accepts it."""
    if not output.on_terminal:
        output.raw(text)
        return
    for line in text.splitlines():
        head = line.startswith(("diff --git", "index ", "--- ", "+++ "))
        style = "bold" if head else {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        output.print(line, style=style)


_SIGNS = {"added": "+", "removed": "-", "same": " "}


def _print_attempts(output: Output, view: AttemptsView) -> None:
    """Print what two attempts changed: what is the same folded into one line, what differs with the attempt's number."""
    output.print(f"Attempts {view.left.attempt} and {view.right.attempt} at {view.task}. {view.words}")
    for file in view.files:
        output.print(f"\n{file.path} ({file.words})", style="bold")
        for words in filter(None, (file.besides, file.not_shown)):
            output.print(f"  {words}")
        for hunk in file.hunks if file.match != "same" else ():
            output.print(f"@@ {hunk.left_start or '-'} | {hunk.right_start or '-'} @@ {hunk.heading}", style="cyan")
            for run in hunk.runs:
                if run.differs:
                    _print_apart(output, view, run.lines)
                else:
                    output.print(f"  ({count(len(run.lines), 'line')} the same in both)")


def _print_apart(output: Output, view: AttemptsView, lines: tuple[AttemptLines, ...]) -> None:
    left = [(view.left.attempt, one.left) for one in lines if one.left is not None]
    right = [(view.right.attempt, one.right) for one in lines if one.right is not None]
    for attempt, line in (*left, *right):
        style = {"added": "green", "removed": "red"}.get(line.kind, "")
        output.print(f"{attempt:>3} {_SIGNS[line.kind]}{line.text}", style=style)
