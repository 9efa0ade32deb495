"""The verb `plan`: prints the tasks of a spec and their order, or writes them to a file. Must never make a build."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.argv0 import typed
from buildwright.cli.output import Output, one_line
from buildwright.cli.session import read_spec_or_issue, say_odd_keys, session
from buildwright.cli.table import Column, table
from buildwright.errors import Refused

if TYPE_CHECKING:
    from buildwright.cli.build_options import BuildOptions
    from buildwright.client import Client
    from buildwright.core.spec import Spec
    from buildwright.views.overview import PlanView


async def plan(
    spec: Annotated[Path, Parameter(help="A Markdown spec, a task list, or `issue:N` of the forge.")],
    /,
    *,
    tag: Annotated[str, Parameter(help="Which list of a task-master file; else `master`.")] = "",
    repo: Annotated[str, Parameter(help="The repository it is for; the planner reads its files.")] = "",
    planner_model: Annotated[str, Parameter(help="The model that plans.")] = "",
    cassette: Annotated[Path | None, Parameter(help="Replay the model from this file.")] = None,
    max_day_cost: Annotated[str, Parameter(help="Ask no model beyond this budget of your day, as of `build`.")] = "",
    max_project_cost: Annotated[str, Parameter(help="Ask none beyond this budget of the project, as of `build`.")] = "",
    check: Annotated[tuple[str, ...], Parameter(help="A command that judges it, as of `build`. May be repeated.")] = (),
    accept_base: Annotated[
        tuple[str, ...], Parameter(help="Plan although the base fails this check; all, unnamed.")
    ] = (),
    bring: Annotated[tuple[str, ...], Parameter(help="A file that git does not track, as of `build`.")] = (),
    grant_needs: Annotated[
        bool, Parameter(help="Give its commands what `buildwright.toml` asks for from outside, as of `build`.")
    ] = False,
    lfs: Annotated[bool, Parameter(help="Fetch the objects of Git LFS, as of `build`.")] = False,
    out: Annotated[
        Path | None,
        Parameter(name=["--output", "-o"], help="Write the plan to this new file: a task list to edit and build."),
    ] = None,
    edit: Annotated[
        bool, Parameter(help="Open the plan in your editor: the file of -o, or SPEC itself if it is a task list.")
    ] = False,
    json: Annotated[bool, Parameter(help="One JSON object on stdout; `build` takes it as a task list.")] = False,
) -> None:
    """Show the tasks of a spec with their goals, files and checks, their waves and the critical path.

    A complete task list needs no model. A Markdown spec goes through the planner, once the repository passes its own
    checks; `-o` keeps the plan, and `build` of that file builds exactly it.
    """
    from buildwright.advisors.plan_file import plan_text
    from buildwright.cli.build_options import BuildOptions
    from buildwright.cli.options import options_of, read_repository
    from buildwright.engine.commands import NewBuild

    given = BuildOptions(planner_model=planner_model, cassette=cassette, check=check, accept_base=accept_base)
    given = replace(given, bring=bring, grant_needs=grant_needs, lfs=lfs)
    given = replace(given, max_day_cost=max_day_cost, max_project_cost=max_project_cost)
    output, options, repository = Output(json), options_of(given), read_repository(repo) if repo else ""
    _check_new(out)
    async with session() as app:
        read = await _read(app, spec, tag, repository, output, edit=edit and out is None)
        begins = partial(_say_begin, app, output, given, repo)
        view = await app.plan(NewBuild(read, options, repository), begins)
        if out is not None:
            _write(out, plan_text(view.model_dump(mode="json"), read.text))
            if edit:
                from buildwright.cli.editor import edited_list

                view = await app.plan(NewBuild(await edited_list(out, output), options, repository))
    if output.json:
        output.data({"title": view.title, **view.model_dump(mode="json"), "spec": read.text})
        return
    _print_plan(output, view.title, view, options.limits.concurrency)
    if read.graph is None and out is None:
        output.say("Building the spec would make a new plan: `-o plan.yaml` keeps one, to edit and build as it is.")
    _say_next(output, out or spec, _next_options("" if out is not None else tag, repo, given))


def _say_begin(app: Client, output: Output, given: BuildOptions, repo: str) -> None:
    """Say that a model is asked, and which keys look odd."""
    say_odd_keys(app, output, played=given.cassette is not None)
    first = "the repository is checked, then " if repo else ""
    output.say(f"Planning; {first}a model reads the spec.")


def _say_next(output: Output, spec: Path, more: list[str]) -> None:
    import shlex

    output.say(typed(f"Next: {' '.join(['buildwright build', shlex.quote(str(spec)), *more])}"))


def _next_options(tag: str, repo: str, given: BuildOptions) -> list[str]:
    """Return the options with which `build` builds what was planned."""
    import shlex

    from buildwright.cli.check import in_repository
    from buildwright.cli.options import ALL

    more = [f"--tag {shlex.quote(tag)}"] if tag else []
    more += [f"--repo {shlex.quote(repo)}"] if repo else [] if in_repository() else ["--repo PATH"]
    more += [f"--planner-model {shlex.quote(given.planner_model)}"] if given.planner_model else []
    more += [f"--cassette {shlex.quote(str(given.cassette))}"] if given.cassette else []
    more += [f"--check {shlex.quote(command)}" for command in given.check]
    more += [f"--bring {shlex.quote(path)}" for path in given.bring]
    more += ["--grant-needs"] if given.grant_needs else []
    return more + [
        f"--accept-base {shlex.quote(name)}" if name != ALL else "--accept-base" for name in given.accept_base
    ]


async def _read(app: Client, spec: Path, tag: str, repository: str, output: Output, *, edit: bool) -> Spec:
    """Read the spec; a task list that is to be edited is opened first. Raises Refused for a spec that is none."""
    read = await read_spec_or_issue(spec, tag, repository or str(Path.cwd()), app.settings)
    if not edit:
        return read
    if read.graph is None:
        raise Refused(f"{spec} is not a task list, so its plan needs a file", fix="name one: -o plan.yaml")
    from buildwright.cli.editor import edited_list

    return await edited_list(spec, output)


def _check_new(out: Path | None) -> None:
    """Raises Refused for a file that is there: it may be an edited plan."""
    if out is not None and out.exists():
        raise Refused(
            f"{out} is there already, and may hold changes of yours", fix="name a new file, or remove this one"
        )


def _write(out: Path, text: str) -> None:
    """Write the plan's file. Raises Refused when that cannot be."""
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise Refused(
            f"{out} cannot be written: {error.strerror}", fix="give -o a path in a folder of yours"
        ) from error


def _print_plan(output: Output, title: str, view: PlanView, usual: int) -> None:
    """Print the tasks as a table, the milestones, the critical path, and how many tasks can run at once.

    `usual` is how many a build runs when its options do not say.
    """
    from buildwright.cli.summary import estimate_words
    from buildwright.core.figures import count

    columns = (
        Column("wave", right=True),
        Column("task"),
        Column("min", right=True, leaves=5),
        Column("level", leaves=6),
        Column("after", leaves=3),
        Column("title", leaves=1),
        Column("files", leaves=4),
        Column("check", leaves=4),
        Column("goal", leaves=2),
    )
    lines = [
        (
            str(task.wave),
            task.id + (" *" if task.on_critical_path else ""),
            f"{task.minutes:g}",
            task.complexity.level if task.complexity is not None else "",
            " ".join(task.depends_on),
            one_line(task.title),
            " ".join(task.files),
            one_line(task.validation.command) if task.validation else "",
            one_line(task.goal),
        )
        for task in view.tasks
    ]
    output.print(f"{title}: {count(len(view.tasks), 'task')} in {count(len(view.waves), 'wave')}")
    output.lines(table(columns, lines, output.width))
    if len(view.milestones) > 1:
        output.print(f"Milestones: {', '.join(filter(None, view.milestones))}")
    output.print(
        f"* Critical path, {view.minutes:g} of {view.total_minutes:g} minutes: {' > '.join(view.critical_path)}"
    )
    fewer = f"; a build runs {usual} of them unless --concurrency says more" if view.widest > usual else ""
    output.print(f"At most {count(view.widest, 'task')} can run at once{fewer}.")
    if view.estimate is not None:
        output.print(estimate_words(view.estimate), wrap=True)
    if view.checks:
        output.print(f"Each change is judged by: {one_line('; '.join(view.checks), 400)}")
    for feature in view.features:
        built = " ".join(feature.tasks) or "no task"
        output.print(f"Feature {one_line(feature.name)}: {built}", wrap=True)
    for note in view.spec_notes:
        output.print(f"  note: {one_line(note, 400)}")
    for warning in view.warnings:
        output.print(f"  warning: {one_line(warning)}")
