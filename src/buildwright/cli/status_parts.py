"""The parts of a build's state that `status --show` prints, each from the record that its page draws. Must never decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, assert_never

from buildwright.cli.argv0 import typed
from buildwright.cli.output import Output, one_line
from buildwright.cli.summary import words_of
from buildwright.cli.table import Column, duration, table
from buildwright.core.figures import count, money

if TYPE_CHECKING:
    from buildwright.client import Client
    from buildwright.views.choices import ChoicesView
    from buildwright.views.forecast import CostForecast
    from buildwright.views.phases import PhaseRail
    from buildwright.views.receipts import Receipts
    from buildwright.views.spec_progress import SpecProgress

StatusPart = Literal["spec", "phases", "choices", "forecast", "messages"]
"""Parts of the state of a build, each a record of its own."""
_STYLES = {"green": "green", "red": "red", "blue": "cyan", "grey": "dim"}
_MARKS = {"green": "+", "red": "!", "blue": ">", "grey": " "}
"""One character for each state, as colours are not seen by all."""


async def show_part(app: Client, build_id: str, part: StatusPart, output: Output) -> None:
    """Print one part of the state of a build."""
    from buildwright.views.choices import choices_of
    from buildwright.views.forecast import forecast_of
    from buildwright.views.phases import rail_of
    from buildwright.views.receipts import receipts_of
    from buildwright.views.spec_progress import spec_progress
    from buildwright.wiring.estimate import awaited_estimate

    build = await app.builds.load(build_id)
    match part:
        case "spec":
            progress = spec_progress(build)
            output.data(progress.model_dump(mode="json")) if output.json else _print_spec(output, progress)
        case "phases":
            rail = rail_of(build, await app.builds.read(build_id), app.clock.now())
            output.data(rail.model_dump(mode="json")) if output.json else _print_rail(output, rail)
        case "choices":
            awaited = await awaited_estimate(app.builds, build)
            choices = choices_of(build, await app.builds.read(build_id), app.clock.now(), awaited)
            output.data(choices.model_dump(mode="json")) if output.json else _print_choices(output, choices)
        case "forecast":
            told = forecast_of(build, await app.builds.read(build_id), app.clock.now())
            output.data(told.model_dump(mode="json")) if output.json else _print_forecast(output, told)
        case "messages":
            receipts = receipts_of(build, await app.builds.read(build_id))
            output.data(receipts.model_dump(mode="json")) if output.json else _print_messages(output, receipts)
        case _:
            assert_never(part)


def _print_spec(output: Output, progress: SpecProgress) -> None:
    """Print what no task builds, then the texts, a line for each part that asks for something."""
    counts = progress.counts
    output.print(
        f"{progress.title}: {counts['green']} proven, {counts['blue']} in work, {counts['red']} failed,"
        f" {counts['grey']} open",
        style="bold",
    )
    if progress.note:
        output.print(progress.note)
    if progress.uncovered:
        output.print("No task builds:", style="bold")
    for part in progress.uncovered:
        output.print(f"  line {part.line}: {one_line(part.text, 300)}", wrap=True)
    for document in progress.documents:
        output.print()
        output.print(one_line(document.name), style="bold")
        for piece in document.pieces:
            if piece.kind == "heading":
                output.print(one_line(piece.text), style="bold")
            if piece.asks:
                tasks = f" ({', '.join(piece.tasks)})" if piece.tasks else ""
                output.print(
                    f"{_MARKS[piece.state]} {one_line(piece.text, 300)}{tasks}", style=_STYLES[piece.state], wrap=True
                )
    if progress.unasked:
        output.print()
        output.print(f"Tasks that build no part of it: {', '.join(progress.unasked)}", wrap=True)


def _print_rail(output: Output, rail: PhaseRail) -> None:
    """Print a line for each phase, the longest chain of tasks, and the time that is left."""
    if not rail.phases:
        output.print("There is no plan yet.")
        return
    columns = (
        Column(""),
        Column("phase"),
        Column("state"),
        *(Column(name, right=True) for name in ("done", "in work", "waiting", "failed", "skipped", "refused")),
        Column("audit", leaves=1),
    )
    said = {True: "passed", False: "refused", None: ""}
    rows = [
        (
            ">" if one.is_current else "",
            one_line(one.name, 40),
            one.status,
            *map(str, (one.done, one.working, one.waiting, one.failed, one.skipped, one.refused)),
            said[one.audited],
        )
        for one in rail.phases
    ]
    output.lines(table(columns, rows, output.width))
    output.print(f"Longest chain: {' -> '.join(rail.critical_path)}", wrap=True)
    if rail.seconds_left is not None:
        output.print(f"Left: {duration(rail.seconds_left.low)} to {duration(rail.seconds_left.high)}, without pauses")


def _print_choices(output: Output, view: ChoicesView) -> None:
    """Print each way out of a pause with its price and its command."""
    if not view.paused:
        output.print("The build is not paused.")
        return
    output.print(f"Paused: {one_line(view.words, 300)}", style="bold", wrap=True)
    for choice in view.choices:
        output.print(f"  {words_of(view.reason, choice)}", wrap=True)
        output.print(f"    price: {choice.price.words}", wrap=True)
        output.print(typed(f"    {choice.command}"))


def _print_forecast(output: Output, told: CostForecast) -> None:
    """Print the forecast, and what was thrown away."""
    output.print(told.words, wrap=True)
    if told.seconds_left is not None:
        output.print(f"Left: {duration(told.seconds_left.low)} to {duration(told.seconds_left.high)}, without pauses")
    for one in told.thrown_away:
        output.print(f"Thrown away: {money(one.cost_usd)} in {count(one.attempts, 'attempt')}: {one.words}")


def _print_messages(output: Output, receipts: Receipts) -> None:
    """Print each message with its way."""
    if not receipts.messages:
        output.print("You have sent no message.")
    for one in receipts.messages:
        output.print(f"{one.state}: {one_line(one.text, 200)}", style="bold", wrap=True)
        output.print(f"  {one.words}", wrap=True)
        for taken in one.taken_in:
            output.print(f"  {taken.task}, attempt {taken.attempt}: {taken.outcome}")
