"""The verb `prompt`: prints what the agent of a task is told. Must never change anything."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from buildwright.cli.output import Output
from buildwright.cli.session import session
from buildwright.cli.table import Column, table


async def prompt(
    build: Annotated[str, Parameter(help="Id of the build, its first characters, or `newest`.")],
    task: Annotated[str, Parameter(help="Id of the task.")],
    /,
    *,
    attempt: Annotated[int, Parameter(help="The number of the attempt, from 1.")] = 0,
    sizes: Annotated[bool, Parameter(help="The size of each part instead of the text.")] = False,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> None:
    """Show what the agent of a task is told, and the size of each part.

    It is what the running or last attempt was told; before the start of one, what the next would be told now. How an
    agent hands in its work, and what the set-up of its lane says, is added to it when it starts.
    """
    output = Output(json)
    async with session() as app:
        view = await app.prompt(await app.builds.load(await app.find(build)), task, attempt)
    if output.json:
        output.data(view.model_dump(mode="json"))
        return
    if not sizes:
        output.print(view.text.rstrip("\n")) if output.on_terminal else output.raw(view.text)
        return
    whole = len(view.text.encode())
    when = "would be told now" if view.to_come else "was told"
    output.print(f"Attempt {view.attempt} at {view.task} {when} {whole:,} bytes, about {whole // 4:,} tokens.")
    parts = [(part.name, part.bytes) for part in view.parts]
    parts += [("feedback", len(view.feedback.encode()))] if view.feedback else []
    lines = [(f"{size:,}", f"{100 * size / whole:.0f} %", name) for name, size in parts]
    columns = (Column("bytes", right=True), Column("share", right=True), Column("part"))
    output.lines(table(columns, lines, output.width))
