"""The verb `why`: prints why a task is where it is, and where it came from. Must never change anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.argv0 import typed
from buildwright.cli.exit_codes import Exit
from buildwright.cli.gates import print_finding
from buildwright.cli.output import REASON, Output, one_line
from buildwright.cli.session import session

if TYPE_CHECKING:
    from buildwright.core.finding import Report
    from buildwright.views.explain import BaseView, WhyView
    from buildwright.views.stuck import StuckView

_STUCK = "stuck"


async def why(
    build: Annotated[str, Parameter(help="Id of the build, its first characters, or `newest`.")],
    task: Annotated[
        str,
        Parameter(
            help="Id of the task; `base` is the project before any change, `stuck` the failures in a row; "
            "why the build is paused, and the audits of its phases, when left out."
        ),
    ] = "",
    /,
    *,
    sealed: Annotated[
        bool, Parameter(help="Show the sealed tests of the task instead: its agent never sees them.")
    ] = False,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> int:
    """Explain why a task waits, runs, failed or was skipped, and where it came from; or about `base` or `stuck`.

    Without a task: why the build is paused, and what the audit says of each phase.
    """
    from buildwright.views.explain import BASE, why_base
    from buildwright.views.explain import why as explain

    output = Output(json)
    if not task:
        return await _show_build(output, build)
    if sealed:
        return await _show_sealed(output, build, task)
    async with session() as app:
        build_id = await app.find(build)
        loaded = await app.builds.load(build_id)
        if task == _STUCK and (loaded.plan is None or task not in loaded.plan.position):
            stuck = await app.stuck(build_id)
            output.data(stuck.model_dump(mode="json")) if output.json else _print_stuck(output, stuck)
            return Exit.DONE
        if task == BASE and (loaded.plan is None or BASE not in loaded.plan.position):
            _print_base(output, why_base(loaded))
            return Exit.DONE
        view = explain(loaded, task, await app.builds.read(build_id), app.clock.now(), await app.kept(loaded))
    if output.json:
        output.data(view.model_dump(mode="json"))
    else:
        _print_why(output, view)
    return Exit.DONE


async def _show_build(output: Output, build: str) -> int:
    """Print why the build is paused, then the audit of each phase: its verdict, and each finding with its place."""
    from buildwright.cli.summary import print_pause
    from buildwright.views.verdicts import why_build

    async with session() as app:
        loaded = await app.builds.load(await app.find(build))
        view = why_build(loaded, await app.gates(loaded))
    if output.json:
        output.data(view.model_dump(mode="json"))
        return Exit.DONE
    output.print(f"Build {view.build[:8]}: {view.title}", style="bold")
    if view.pause is not None:
        print_pause(output, view.build, view.pause)
    if view.message:
        first, *rest = view.message.splitlines()
        output.print(f"It {_ENDED.get(view.outcome, 'ended')}: {first}", style="red", wrap=True)
        for line in rest:
            output.print(f"  {line.strip()}", wrap=True)
    if not view.audits:
        output.print("It has no plan yet, so it has no phases.")
    for one in view.audits:
        said = {True: "passed", False: "refused", None: "not audited"}[one.ok]
        output.print(f"Audit of {one.phase}: {said}. {one.answer}", style="red" if one.ok is False else "", wrap=True)
        for finding in one.findings:
            print_finding(output, finding)
    following = f"why {view.build[:8]} base" if view.base_refused else f"gates {view.build[:8]}"
    output.say(typed(f"Next: buildwright {following}"))
    return Exit.DONE


_ENDED = {"failed": "failed", "stopped": "was stopped", "aborted": "was given up"}


def _print_base(output: Output, view: BaseView) -> None:
    """Print what the gates say of the base, with the lines that matter of each that refuses."""
    if output.json:
        output.data(view.model_dump(mode="json"))
        return
    output.print(view.answer, style="bold")
    for first, *rest in view.reasons:
        output.print(f"  {one_line(first, 300)}", wrap=True)
        for line in rest:
            output.print(f"{REASON}{one_line(line, 300)}", wrap=True)
    for report in view.reports:
        _print_report(output, report)
    output.say(typed(f"Next: buildwright logs {view.build[:8]}"))


async def _show_sealed(output: Output, build: str, task: str) -> int:
    """Print a task's sealed tests from the store of this home. Raises Refused where a server keeps them."""
    from buildwright.cli.session import local_session
    from buildwright.engine.sealing import read_sealed
    from buildwright.errors import Refused
    from buildwright.settings import Settings
    from buildwright.views.explain import why as explain

    if Settings.load().server_url:
        raise Refused("sealed tests are shown only where their build runs", fix="run this on the machine of the server")
    async with local_session() as app:
        loaded = await app.builds.load(await app.find(build))
        explain(loaded, task, (), app.clock.now())  # raises NotFound for a task that there is not
        tests = await read_sealed(app.builds, loaded.task(task).sealed)
    if output.json:
        output.data({"task": task, **(tests.model_dump(mode="json") if tests is not None else {"files": []})})
        return Exit.DONE
    if tests is None or not tests.files:
        output.print(
            f"{task} has no sealed tests: {tests.why_none if tests is not None else 'none were asked for yet'}"
        )
        return Exit.DONE
    for file in tests.files:
        output.print(f"For {file.line} ({file.language}, {', '.join(file.tests)}):", style="bold")
        output.print(file.text)
    return Exit.DONE


def _print_why(output: Output, view: WhyView) -> None:
    """Print the answer, then the findings, attempts, reports and requirements of the task."""
    from buildwright.cli.event_text import denied_places
    from buildwright.cli.table import duration

    task = view.task
    output.print(f"{task.id} ({view.state.phase}): {task.title}", style="bold")
    output.print(view.answer, wrap=True)
    _print_list(output, "Findings of the last attempt", view.findings)
    _print_list(output, "You told its agent", view.guidance)
    _print_list(output, "A diagnosis of its failures", tuple(view.diagnosis.splitlines()))
    found = view.complexity
    output.print(
        f"Complexity: {found.level}, {found.score} of 100: {one_line('; '.join(found.reasons), 300)}", wrap=True
    )
    if view.depends_on:
        needs = ", ".join(f"{need.id} ({need.phase})" for need in view.depends_on)
        output.print(f"Needs: {needs}")
    if view.attempts:
        output.print("Attempts:")
    mixed = len({attempt.agent for attempt in view.attempts}) > 1
    for attempt in view.attempts:
        took = f" ({duration(attempt.seconds)})" if attempt.seconds is not None else ""
        by = f"{attempt.agent}: " if mixed else ""
        output.print(f"  {attempt.number}. {by}{one_line(attempt.detail or attempt.outcome)}{took}")
        for use in attempt.models:
            output.print(f"     it asked {use.name} ({one_line(use.model, 60)}): {one_line(use.reason, 200)}")
        if attempt.denied:
            output.print(f"     it asked for {denied_places(attempt.denied)}, which it may not reach")
        if attempt.kept or (attempt.changes and attempt.outcome not in {"landed", "running"}):
            shown = f"buildwright diff {view.build[:8]} {task.id} --attempt {attempt.number}"
            output.print(f"     its work is kept: {typed(shown)}")
    for report in view.reports:
        _print_report(output, report)
    _print_list(output, "Outside of what the task named", view.outside)
    _print_list(output, "Warnings of the checks", view.state.warnings)
    approvals = (f"{one.finding} ({one.code}) by {one.by}: {one.reason}" for one in view.approvals)
    _print_list(output, "Approved", tuple(approvals))
    _print_list(output, "Changed", view.changed)
    if view.commit:
        output.print(f"Commit: {view.commit}")
    _print_list(output, "Required", task.requirements)
    _print_list(output, _accepted_when(view), task.acceptance)
    if task.goal:
        output.print(f"Goal: {task.goal}")
    following = f"buildwright diff {view.build[:8]} {task.id}" if view.changed else f"buildwright logs {view.build[:8]}"
    output.say(typed(f"Next: {following}" + ("" if view.changed else f" --task {task.id}")))


_JUDGES = {
    "acceptance": "what they call was called",
    "sealed": "sealed tests",
    "validation": "the task's own check",
    "review": "a model's review",
}


def _accepted_when(view: WhyView) -> str:
    """Return the title of the acceptance lines: of a task that is done, which checks judged it by them, or that none did."""
    if view.state.phase != "done":
        return "Accepted when"
    judges = ", ".join(_JUDGES[gate] for gate in view.accepted_by)
    return (
        f"Accepted when (judged by: {judges})" if judges else "Accepted when (no check judged this: look at the diff)"
    )


def _print_stuck(output: Output, view: StuckView) -> None:
    """Print the failures and the diagnosis, then the attempts and the last lines of the log that it was made from."""
    from buildwright.core.figures import count

    output.print(f"Stuck after {count(view.failures, 'failure')} in a row", style="bold")
    failed = (f"{task}: {error}" for task, error in zip(view.tasks, view.errors, strict=False))
    _print_list(output, "Failed", tuple(map(one_line, failed)))
    output.print(f"Diagnosis: {view.cause}" if view.cause else f"No diagnosis: {view.no_advice}")
    _print_list(output, "Advice", tuple(one_line(f"{each.task}: {each.text}") for each in view.advice))
    if view.proposal is not None:
        _print_list(output, f"Proposed plan ({one_line(view.proposal.reason, 300)})", view.proposed, most=60)
    elif view.no_proposal:
        output.print(view.no_proposal, wrap=True)
    if view.context is not None:
        _print_list(output, "The end of its log", view.context.tail, most=len(view.context.tail))
        output.say(typed(f"All that is known: buildwright why {view.build[:8]} {_STUCK} --json"))


def _print_report(output: Output, report: Report) -> None:
    """Print one gate with its evidence: the command, its exit code, the tests it ran, the tree it judged."""
    from buildwright.cli.gates import run_of

    proof, line = report.evidence, f"Gate {report.gate}: {report.result}"
    output.print(line if proof is None else f"{line} ({run_of(proof)}, tree {proof.tree[:10]})")


def _print_list(output: Output, title: str, items: tuple[str, ...], most: int = 20) -> None:
    if not items:
        return
    output.print(f"{title}:")
    for item in items[:most]:
        first, *rest = item.splitlines() or ("",)
        output.print("\n".join((f"  {first}", *(REASON + line for line in rest))), wrap=True)
    if len(items) > most:
        output.print(f"  and {len(items) - most} more")
