"""The verb `map`: shows the map of a repository's code that a planner gets. Must never make a build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.output import Output

if TYPE_CHECKING:
    from buildwright.code_map.view import CodeMapView


async def map(  # noqa: A001
    *,
    repo: Annotated[str, Parameter(help="Path or URL of the git repository.")] = ".",
    base: Annotated[str, Parameter(help="Branch, tag or commit to look at; else what is checked out.")] = "",
    about: Annotated[str, Parameter(help="Words of a specification: files that have them come first.")] = "",
    tokens: Annotated[int, Parameter(help="What the map may come to, in tokens (a safe estimate).")] = 6_000,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> None:
    """Show the map of a repository's code: files, what they define, who imports whom, and what tests them.

    The planner of a build gets it with the specification. It is made from the commit, without a checkout, for Python,
    JavaScript, TypeScript, Go, Rust and Java. What was read is kept: after a commit only what changed is read again.
    """
    from buildwright.cli.options import read_repository
    from buildwright.cli.session import local_session
    from buildwright.errors import BadSettings

    if not 200 <= tokens <= 1_000_000:
        raise BadSettings(f"a map of {tokens:,} tokens cannot be made", fix="choose --tokens from 200 to 1,000,000")
    output = Output(json)
    told = 0

    def on_read(done: int, whole: int) -> None:
        nonlocal told
        if done - told >= 1_000:
            told = done
            output.say(f"Read {done:,} of {whole:,} files of code ...")

    async with local_session() as app:
        view = await app.code_map(read_repository(repo), base, about, tokens, on_read)
    if output.json:
        output.data({"map": view.model_dump(mode="json")})
    else:
        _show(output, view)


def _show(output: Output, view: CodeMapView) -> None:
    if not view.text:
        output.print("There is no code in a language that is read (Python, JavaScript, TypeScript, Go, Rust, Java).")
    elif output.on_terminal:
        output.print(view.text)
    else:
        output.raw(f"{view.text}\n")
    for note in view.notes:
        output.say(note)
    output.say(
        f"{len(view.shown):,} of {view.files:,} files, about {view.tokens:,} tokens; the whole code has "
        f"{view.symbols:,} symbols, {view.tests:,} tests and {view.links:,} imports between its files."
    )
