"""The verb `liars`: tries scripted agents that lie on the gates. Must never touch the user's own builds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildwright.cli.output import Output
    from buildwright.liars import Tried


async def liars(
    names: Annotated[tuple[str, ...], Parameter(help="Only the agents of these names; all when left out.")] = (),
    /,
    *,
    only: Annotated[str, Parameter(help="One kind: machinery, tests, behaviour, reach or honest.")] = "",
    language: Annotated[str, Parameter(help="One language: python, node, go, rust or java.")] = "",
    repo: Annotated[
        Path | None, Parameter(help="Try lies that need no knowledge of a project on this repository of yours.")
    ] = None,
    sealed: Annotated[bool, Parameter(help="Give each task sealed tests, of an advisor that is played.")] = False,
    jobs: Annotated[int, Parameter(name=["--jobs", "-j"], help="Builds at once.")] = 1,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> int:
    """Try scripted agents that lie on the gates, and honest twins, and say which lies would be merged.

    Every build is real, with the default gates, in a home that is removed at the end. No model, no key.
    """
    from buildwright.cli.output import Output
    from buildwright.errors import Refused
    from buildwright.liars import load, try_all

    if not 1 <= jobs <= 64:
        raise Refused(f"{jobs} builds at once are not possible", fix="give --jobs a number from 1 to 64")
    output = Output(json)
    told = _Progress(output)
    if repo is not None:
        from buildwright.liars.outside import try_on

        if names or language or sealed:
            raise Refused(
                "with --repo neither names nor --language nor --sealed can be given", fix="choose with --only alone"
            )
        tried = await try_on(repo, told.add, told.say, only, jobs)
    else:
        suite = load()
        chosen = suite.choose(names, only, language)
        told.of = len(chosen)
        tried = await try_all(suite, chosen, told.add, jobs, sealed=sealed)
    _print(output, tried)
    return _exit_code(tried)


class _Progress:
    """One line of talk for each agent that was tried."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._done = 0
        self.of = 0

    def say(self, text: str) -> None:
        self._output.say(text)

    def add(self, tried: Tried) -> None:
        self._done += 1
        count = f"[{self._done}/{self.of}] " if self.of else ""
        self._output.say(f"{count}{tried.liar.name}: {tried.verdict}", style="red" if tried.is_wrong else "")


def _print(output: Output, tried: Sequence[Tried]) -> None:
    """Print a line for each agent, the figures of each kind, and the sum as the last line."""
    from buildwright.cli.table import Cell, Column, TableCell, table
    from buildwright.liars import KINDS

    figures = {kind: figure for kind in KINDS if (figure := _figures([one for one in tried if one.liar.kind == kind]))}
    if output.json:
        lies = _figures([one for one in tried if one.liar.is_lie])
        output.data({"tried": [_as_data(one) for one in tried], "kinds": figures, "lies": lies})
        return
    columns = [
        Column("name"),
        Column("kind"),
        Column("language", leaves=1),
        Column("verdict"),
        Column("gate", leaves=2),
    ]
    rows: list[list[Cell]] = [
        [
            one.liar.name,
            one.liar.kind,
            one.language,
            TableCell(one.verdict, "red" if one.is_wrong else ""),
            one.gate,
            _words(one),
        ]
        for one in tried
    ]
    output.lines(table([*columns, Column("why")], rows, output.width))
    output.print()
    for kind, figure in figures.items():
        if kind != "honest":
            output.print(f"{kind}: merged {figure['merged']} of {figure['judged']} liars{_left_out(figure)}")
    output.print(closing_line(tried))


def closing_line(tried: Sequence[Tried]) -> str:
    """Return the figure of a run: how many liars were merged, and how many honest agents refused."""
    lies, honest = (_figures([one for one in tried if one.liar.is_lie is lie]) for lie in (True, False))
    merged, of = (lies["merged"], lies["judged"]) if lies else (0, 0)
    refused, out_of = (honest["refused"], honest["judged"]) if honest else (0, 0)
    return f"merged {merged} of {of} liars, refused {refused} of {out_of} honest"


def _figures(tried: Sequence[Tried]) -> dict[str, int]:
    counts = Counter(one.verdict for one in tried)
    judged = counts["merged"] + counts["refused"]
    return (
        {"judged": judged, **{name.replace(" ", "_"): counts[name] for name in ("merged", "refused", "not run")}}
        if tried
        else {}
    )


def _left_out(figure: dict[str, int]) -> str:
    return f", {figure['not_run']} not run" if figure["not_run"] else ""


def _words(one: Tried) -> str:
    if one.verdict == "not run":
        return f"not run: {one.why}"
    if one.verdict == "merged" and one.liar.is_lie:
        return one.liar.what if one.truth is not True else f"{one.liar.what} (yet what was merged is true)"
    return one.why


def _as_data(one: Tried) -> dict[str, Any]:
    return {
        "name": one.liar.name,
        "kind": one.liar.kind,
        "language": one.language,
        "what": one.liar.what,
        "verdict": one.verdict,
        "gate": one.gate,
        "why": one.why,
        "true": one.truth,
        "seconds": round(one.seconds, 3),
    }


def _exit_code(tried: Sequence[Tried]) -> int:
    from buildwright.cli.exit_codes import Exit
    from buildwright.liars import STRICT

    wrong = any(one.is_wrong and one.liar.kind in {*STRICT, "honest"} for one in tried)
    return Exit.GATE_FAILED if wrong else Exit.DONE
