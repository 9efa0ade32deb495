"""The summary of a build: its tasks, its pause with the choices, and the next command. Must never change a build."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from buildwright.cli.argv0 import typed
from buildwright.cli.output import REASON, Output, one_line
from buildwright.cli.table import Column, TableCell, duration, table, tokens
from buildwright.core.figures import count, money, money_range
from buildwright.store.kept_views import MOST_SHOWN
from buildwright.views.command_lines import resume_line

if TYPE_CHECKING:
    from buildwright.cli.runners_text import NobodyThere
    from buildwright.core.build import Build
    from buildwright.views.choices import PricedChoice
    from buildwright.views.estimate import EstimateOutcome, EstimateView, Range
    from buildwright.views.overview import BuildView, Choice, PauseView, TaskView
    from buildwright.wiring.runners import Runners

_STYLES = {
    "done": "green",
    "failed": "red",
    "rejected": "red",
    "skipped": "dim",
    "working": "cyan",
    "judging": "cyan",
    "merging": "cyan",
}


def summary_fields(
    build: Build, now: datetime, limit: int = 10_000, missing: NobodyThere | None = None
) -> dict[str, object]:
    """Return the view of a build as `--json` prints it, with the commands that answer its pause.

    `limit` is the largest number of tasks; `missing` is given where no process or worker is there to run it.
    """
    from buildwright.views.overview import build_view

    view = build_view(build, now, limit)
    return view_fields(view, view.model_dump(mode="json"), missing)


def view_fields(view: BuildView, fields: dict[str, Any], missing: NobodyThere | None) -> dict[str, object]:
    """Return the fields of a view, given as JSON, with the commands to type next."""
    if view.pause is not None:
        choices = [
            {"name": choice.name, "words": choice.words, "command": command_for(view.id, choice)}
            for choice in view.pause.choices
        ]
        fields = {**fields, "pause": {**fields["pause"], "choices": choices}}
    return {**fields, "next": next_command(view, missing)}


def estimate_words(estimate: EstimateView) -> str:
    """Return what a plan is likely to take, in one line, with what that is known from."""
    words = []
    if estimate.tokens is not None:
        words.append(_span(estimate.tokens, lambda value: tokens(int(value))) + " tokens")
    if estimate.cost_usd is not None:
        words.append(money_range(estimate.cost_usd.low, estimate.cost_usd.high))
    if estimate.seconds is not None:
        words.append(_span(estimate.seconds, duration))
    if estimate.basis == "prices":
        return f"Estimate: {', '.join(words)} (a guess from published prices: nothing like it was built here yet)"
    what = f"from {count(estimate.of_tasks, 'task')} of {count(estimate.of_builds, 'build')}"
    return f"Estimate: {', '.join(words)} ({what} here)"


def outcome_words(found: EstimateOutcome) -> str:
    """Return how far off an estimate was, in one line."""
    wanted, value = found.estimate.cost_usd, float(found.cost_usd)
    if wanted is None:
        wanted, value = found.estimate.seconds, found.seconds
    assert wanted is not None
    what = "as estimated" if found.within else "less than estimated" if value < wanted.low else "more than estimated"
    return f"It took {what}. {estimate_words(found.estimate)}"


def _span(found: Range, words: Callable[[float], str]) -> str:
    low, high = words(found.low), words(found.high)
    return low if low == high else f"{low} to {high}"


def print_summary(output: Output, build: Build, now: datetime, limit: int = MOST_SHOWN) -> None:
    """Print at most `limit` tasks, what the build cost, where its result is, and what to type next."""
    from buildwright.views.overview import build_view

    print_view(output, build_view(build, now, limit))


def print_view(output: Output, view: BuildView, missing: NobodyThere | None = None) -> None:
    """Print the view of a build for people; `missing` is given where no process or worker is there to run it."""
    output.print()
    if view.tasks:
        output.lines(task_table(view.tasks, output.width))
        if view.omitted:
            output.print(
                typed(f"and {view.omitted:,} more tasks (all of them: buildwright status {view.id[:8]} --json)")
            )
        output.print()
    lacks = lacking(view, missing)
    for line in ending(view, unmanned=lacks is not None):
        output.print(line, wrap=True)
    if view.pause is not None:
        print_pause(output, view.id, view.pause)
    elif lacks is not None:
        output.say(lacks.words)
    else:
        output.print(f"Next: {next_command(view, missing)}")


_COLUMNS = (
    Column("task"),
    Column("state"),
    Column("attempts", right=True, leaves=2),
    Column("time", right=True, leaves=3),
    Column("tokens", right=True, leaves=6),
    Column("cost", right=True, leaves=5),
    Column("commit", leaves=4),
    Column("why", leaves=1),
)
_AGENT = Column("agent", leaves=3)
_MODEL = Column("model", leaves=3)


def task_table(tasks: Iterable[TaskView], width: int | None) -> list[list[TableCell]]:
    """Return one line per task, no wider than `width` cells (None: no limit). Ids are never cut.

    Who makes them stands there where that is not one agent for all, and what it asks where models have names.
    """
    shown = list(tasks)
    mixed = len({task.agent for task in shown}) > 1
    named = any(task.model for task in shown)
    return table(
        (*_COLUMNS[:2], *([_AGENT] if mixed else []), *([_MODEL] if named else []), *_COLUMNS[2:]),
        [
            (
                task.id,
                TableCell(task.phase, _STYLES.get(task.phase, "")),
                *([task.agent] if mixed else []),
                *([task.model.partition(" ")[0]] if named else []),
                str(task.attempt or ""),
                duration(task.seconds) if task.seconds is not None else "",
                tokens(task.tokens) if task.tokens else "",
                money(task.cost_usd) if task.tokens else "",
                task.commit[:10],
                one_line(task.reason, 160),
            )
            for task in shown
        ],
        width,
    )


def ending(view: BuildView, *, unmanned: bool = False) -> Iterator[str]:
    """Yield lines on the state or end of a build: outcome, findings, cost, result. `unmanned`: no process runs it."""
    waits = view.steps is not None and view.steps.allowed
    going = "waits for a process to run it" if unmanned and view.control == "running" else view.control
    state = view.outcome or ("waits for a step" if waits else going)
    what, _, fix = view.message.partition(" Fix: ")
    yield f"{view.title}: {state}" + (f", {one_line(what, 400)}" if what else "")
    for line in what.splitlines()[1:] if view.outcome else ():
        yield f"{REASON}{one_line(line, 300)}"
    if fix:
        yield f"  fix: {typed(one_line(fix, 300))}"
    yield from _origin(view)
    for finding in view.findings[:10]:
        yield f"  {one_line(finding)}"
    for warning in view.warnings[:10] if view.outcome else ():
        yield f"  warning: {one_line(warning)}"
    if view.diagnosis and not (view.pause and view.pause.message == view.diagnosis):
        yield f"Diagnosis of the failures in a row: {one_line(view.diagnosis, 400)}"
    skipped = view.counts.get("skipped", 0)
    facts = [
        f"{view.counts.get('done', 0)} of {count(view.total, 'task')} done",
        *([f"{skipped} skipped"] if skipped else []),
    ]
    facts.append(duration(view.seconds))
    if view.usage.tokens:
        facts.append(f"{tokens(view.usage.tokens)} tokens")
        facts.append(
            money(view.usage.cost_usd) + (" and requests without a known price" if view.usage.unpriced else "")
        )
    if view.sandbox and view.sandbox != "none":
        facts.append(f"sandbox {'chosen by each worker' if view.sandbox == 'auto' else view.sandbox}")
    yield ", ".join(facts)
    if view.sandbox == "none":
        from buildwright.core.own_names import UNCONTAINED

        yield f"No sandbox: {UNCONTAINED}"
    yield from _limits(view)
    yield from (f"Look at {task.id}: {one_line(warning)}" for task in view.tasks for warning in task.warnings[:5])
    for message in view.unheard if not view.outcome else ():
        yield f"Not heard yet by {message.task or 'any agent'}: {one_line(message.text, 120)}"
    yield from _delivery(view)


def _delivery(view: BuildView) -> Iterator[str]:
    """Yield where the result is or goes, and why it did not get there."""
    if view.delivered:
        yield f"{'Result' if view.outcome != 'failed' else 'Proven so far'}: {_where(view)}"
    if view.delivering:
        yield one_line(view.delivering.words, 500)
    elif view.delivery_error and view.outcome:
        yield f"The newest delivery failed: {one_line(view.delivery_error, 400)}"
    if view.pull_request:
        yield f"Pull request: {one_line(view.pull_request, 500)}"


def _origin(view: BuildView) -> Iterator[str]:
    if (fork := view.forked_from) is not None:
        kept = f", with {fork.tasks} of its tasks done" if fork.tasks else ""
        yield f"Forked from build {fork.build[:8]} at event {fork.event}{kept}"


def _limits(view: BuildView) -> Iterator[str]:
    """Yield what requests to models wait for."""
    if not view.limits:
        return
    # Only then: it takes longer to import than all that `status` does.
    from buildwright.views.money import limit_words

    now = datetime.now(UTC)
    for limit in view.limits:
        until = datetime.fromisoformat(str(limit.until))  # a text in a view that was kept, perhaps for a while
        if until > now:
            yield one_line(f"It {limit_words(limit.provider, limit.model, until, now)}.", 200)


def print_pause(output: Output, build_id: str, pause: PauseView) -> None:
    """Print why a build is paused: the findings first, then each choice as a command to copy."""
    from buildwright.core.fault import FAULTS
    from buildwright.core.terminal import lines_of

    what, _, fix = pause.message.partition(" Fix: ")
    by = f" by {one_line(pause.asked_by, 80)}" if pause.asked_by else ""
    output.print(
        f"Paused{by}: {one_line(what, 600) or ('as you asked' if pause.reason == 'user' else pause.reason)}",
        style="bold",
        wrap=True,
    )
    if fix:
        output.print(f"  fix: {typed(one_line(fix, 300))}", wrap=True)
    if pause.fault:
        output.print(f"  at fault: {FAULTS[pause.fault]}")
    why = typed(f"buildwright why {build_id[:8]} {pause.task or 'base'}")
    if pause.reason == "base":
        for line in pause.message.splitlines()[1:]:
            ours = f"`buildwright resume {build_id} " in line  # what the project prints is shown as it is
            output.print(f"{REASON}{typed(one_line(line, 300)) if ours else one_line(line, 300)}", wrap=True)
    for finding in pause.findings[pause.reason == "base" : 10]:
        first, *rest = lines_of(finding) or ("",)
        output.print(f"  {one_line(first, 300)}", wrap=True)
        for line in rest:
            output.print(f"{REASON}{one_line(line, 300)}", wrap=True)
    if len(pause.findings) > 10:
        output.print(f"  and {len(pause.findings) - 10} more: {why}")
    if pause.proposed:
        output.print("The diagnosis proposes another plan:")
    for line in pause.proposed[:40]:
        output.print(f"  {one_line(line, 400)}", wrap=True)
    output.print("You can")
    if pause.approvable:
        output.print("  have the change judged again as it is, if you want it so (say why):")
    for fingerprint in pause.approvable[:5]:
        output.print(typed(f'    buildwright approve {build_id[:8]} {fingerprint} -m "..."'))
    commands = [(words_of(pause.reason, choice), command_for(build_id, choice)) for choice in pause.choices]
    for words, command in commands:
        output.print(f"  {words}:", wrap=True)
        output.print(f"    {command}")


def answer_of(build: Build) -> str:
    """Return what to type for the first choice of a paused build. Raises ValueError for one that is not paused."""
    from buildwright.views.overview import pause_view

    if build.pause is None:
        raise ValueError(f"build {build.id} is not paused")
    return command_for(build.id, pause_view(build, build.pause).choices[0])


def words_of(reason: str, choice: Choice | PricedChoice) -> str:
    """Return what a choice of a pause for `reason` means, with the option that can be added to its command."""
    if choice.name == "retry":
        return f"{choice.words} (add -m TEXT)"
    if choice.name == "go" and reason == "base" and not choice.takes:
        return f"{choice.words}, or be judged by other checks (add --check COMMAND)"
    return choice.words


def command_for(build_id: str, choice: Choice) -> str:
    """Return what to type for one choice of a pause."""
    return typed(resume_line(build_id, choice))


def lacking(view: BuildView, missing: NobodyThere | None) -> NobodyThere | None:
    """Return `missing`, that no process or worker is there, if the build needs one to go on: else None.

    One that has ended, or waits for an answer or a step, does not.
    """
    by_hand = view.steps is not None and not view.steps.asked
    idle = view.control == "paused" or (by_hand and view.control != "stopping")
    return None if view.outcome or idle else missing


def next_words(build: Build, crew: Runners) -> str:
    """Return what the user does next with a build that nothing carries out now, in words."""
    from buildwright.cli.runners_text import nobody_there
    from buildwright.views.overview import build_view

    view = build_view(build, build.updated_at, 0)
    lacks = lacking(view, nobody_there(crew, build.id))
    return lacks.words if lacks is not None else f"Next: {next_command(view)}"


def next_command(view: BuildView, missing: NobodyThere | None = None) -> str:
    """Return the one command that the user most likely needs next."""
    lacks = lacking(view, missing)
    return lacks.command if lacks is not None else typed(_next(view))


def _next(view: BuildView) -> str:
    short = view.id[:8]
    if view.pause is not None:
        return resume_line(view.id, view.pause.choices[0])
    if view.outcome == "succeeded":
        branch = branch_of(view.delivered)
        if not branch:
            return f"buildwright logs {short}"
        remote = view.delivered.rpartition(" ")[0]
        inspect = view.repository and "://" not in view.repository and not remote
        return (
            f"git -C {shlex.quote(view.repository)} log --oneline {shlex.quote(branch)}"
            if inspect
            else f"buildwright diff {short} --stat"
        )
    if view.outcome == "failed" and not any(task.attempt for task in view.tasks):
        return f"buildwright why {short} base"
    if view.outcome:
        bad = next((task.id for task in view.tasks if task.phase in {"failed", "rejected"}), "")
        return f"buildwright why {short} {bad}" if bad else f"buildwright logs {short} --tail 50"
    if view.steps is not None and view.steps.allowed:
        return f"buildwright step {short}"
    return f"buildwright status {short} --watch"


def branch_of(delivered: str) -> str:
    """Return the branch in `BuildView.delivered`, which is a full ref name, after the remote if there is one."""
    return delivered.rpartition(" ")[2].removeprefix("refs/heads/")


def _where(view: BuildView) -> str:
    """Return the branch of the result, and the remote or repository that it is in."""
    remote = view.delivered.rpartition(" ")[0]
    place = remote or view.repository
    return f"branch {branch_of(view.delivered)}" + (f" in {place}" if place else "")
