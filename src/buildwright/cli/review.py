"""The verb `review`: shows a change with the purpose of each hunk, and sends comments on lines. Must never judge."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.argv0 import typed
from buildwright.cli.output import Output, one_line
from buildwright.cli.session import session
from buildwright.core.figures import count
from buildwright.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildwright.core.event import ReviewComment
    from buildwright.views.review import DiffHunk, ReviewView

_PLACE = re.compile(r"(?P<path>[^:]+):(?P<old>-?)(?P<line>\d+)(?:-(?P<end>\d+))?:\s*(?P<text>.+)", re.DOTALL)


async def review(
    build: Annotated[str, Parameter(help="Id of the build, its first characters, or `newest`.")],
    task: Annotated[str, Parameter(help="Only what this task changed, landed or not.")] = "",
    /,
    *,
    comment: Annotated[
        tuple[str, ...],
        Parameter(
            help="Send `PATH:LINE: TEXT` (or PATH:LINE-LINE: TEXT) to the agent that made these lines; all go as one batch. "
            "`PATH:-LINE: TEXT` is a line that was removed, as it was before. May be repeated."
        ),
    ] = (),
    message: Annotated[str, Parameter(name=["--message", "-m"], help="What is said of the whole.")] = "",
    ignore_space: Annotated[bool, Parameter(help="Lines that differ in white space alone count as the same.")] = False,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> None:
    """Show what was changed, each hunk with its task and what it is for; or send comments on lines back to the agents."""
    from buildwright.engine.review_command import SendReview

    output = Output(json)
    if message and not comment:
        raise Refused("there is no comment", fix="add --comment 'PATH:LINE: TEXT', or use `buildwright say`")
    async with session() as app:
        build_id = await app.find(build)
        view = await app.review(await app.builds.load(build_id), task, ignore_space=ignore_space)
        if comment:
            sent = SendReview(tuple(_comment(view, one) for one in comment), message)
            _, review_id = await app.ask(build_id, sent)
            if output.json:
                output.data({"build": build_id, "review": review_id})
                return
            output.print(f"Sent review {review_id}: {count(len(comment), 'comment')}.")
            output.say(typed(f"Next: buildwright run {build_id[:8]}"))
            return
    output.data(view.model_dump(mode="json")) if output.json else _print(output, view)


def _comment(view: ReviewView, text: str) -> ReviewComment:
    """Return a comment as it was typed, with the task that made its line. Raises Refused."""
    from buildwright.core.event import ReviewComment

    found = _PLACE.fullmatch(text)
    if found is None:
        raise Refused(f"{one_line(text, 80)} is not a comment on a line", fix="write --comment 'PATH:LINE: TEXT'")
    path, line, old = found["path"], int(found["line"]), bool(found["old"])
    return ReviewComment(
        path=path,
        line=line,
        end_line=int(found["end"] or 0),
        side="old" if old else "new",
        text=found["text"],
        task=_task_at(view, path, line, old=old),
    )


def _task_at(view: ReviewView, path: str, line: int, *, old: bool) -> str:
    """Return the task that made the hunk at a line (`old`: as it was before), else one that changed the file, else ""."""
    files = [file for file in view.files if path in ({file.path, file.old_path} if old else {file.path})]
    hunks: Sequence[DiffHunk] = [hunk for file in files for hunk in file.hunks]
    spans = [(hunk.old_start, hunk.old_lines) if old else (hunk.new_start, hunk.new_lines) for hunk in hunks]
    at = [hunk for hunk, (start, size) in zip(hunks, spans, strict=True) if start <= line < start + max(size, 1)]
    return next((hunk.purposes[0].task for hunk in (*at, *hunks) if hunk.purposes), view.task)


def _print(output: Output, view: ReviewView) -> None:
    if not view.files:
        output.say("Nothing has changed.")
        return
    for file in view.files:
        said = " (binary)" if file.binary else ""
        output.print(f"{file.kind} {file.path}  +{file.added} -{file.removed}{said}", style="bold")
        for hunk in file.hunks:
            tasks = "; ".join(
                f"{one.task}: {one_line(', '.join(one.requirements) or one.title, 120)}" for one in hunk.purposes
            )
            output.print(f"  line {hunk.new_start}: {tasks}" if tasks else f"  line {hunk.new_start}:", wrap=True)
            if hunk.unasked:
                output.print(f"    no task asks for it: {hunk.unasked}", style="yellow")
            for line in hunk.lines:
                mark, style = {"same": (" ", ""), "added": ("+", "green"), "removed": ("-", "red")}[line.kind]
                output.print(f"    {mark}{line.text}", style=style)
    asked = f", {count(view.unasked, 'hunk')} that no task asks for" if view.unasked else ""
    output.print(f"{count(len(view.files), 'file')}, +{view.added} -{view.removed}{asked}")
