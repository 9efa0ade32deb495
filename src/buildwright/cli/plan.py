"""`plan`: show what would be done, before anything is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from buildwright.cli.output import Output
    from buildwright.core.views import PlanView


async def plan(
    spec: Annotated[Path, Parameter(help="A Markdown spec, or a task list (JSON, YAML, spec-kit, task-master).")],
    /,
    *,
    repo: Annotated[str, Parameter(help="The repository it is for; the planner reads its files.")] = "",
    planner_model: Annotated[str, Parameter(help="The model that plans.")] = "",
    cassette: Annotated[Path | None, Parameter(help="Replay the model from this file.")] = None,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> int:
    """Show the tasks of a spec, their waves and the critical path.

    A complete task list needs no model. A Markdown spec goes through the planner.
    """
    from buildwright.cli.choices import BuildChoices, read_repository
    from buildwright.cli.exits import Exit
    from buildwright.cli.output import Output
    from buildwright.cli.session import read_spec, session
    from buildwright.core.views import plan_view

    output = Output(json)
    options = BuildChoices(planner_model=planner_model, cassette=cassette).options()
    repository = read_repository(repo) if repo else ""
    async with session() as app:
        read = await read_spec(spec)
        if read.graph is None:
            output.say("Planning; a model reads the spec.")
        view = plan_view(await app.plan(read, repository=repository, options=options))
    if output.json:
        output.data({"title": read.title, **view.model_dump(mode="json")})
    else:
        _print_plan(output, read.title, view)
        rest = f" --repo {repo}" if repo else " --repo PATH"
        output.say(f"Next: buildwright build {spec}{rest}")
    return Exit.DONE


def _print_plan(output: Output, title: str, view: PlanView) -> None:
    from rich.table import Table
    from rich.text import Text

    from buildwright.cli.output import one_line
    from buildwright.cli.wording import count

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("wave", justify="right")
    for name in ("task", "title", "after"):
        table.add_column(name, overflow="fold" if name == "after" else "ellipsis", no_wrap=name != "after")
    table.add_column("min", justify="right", no_wrap=True)
    for task in view.tasks:
        sign = " *" if task.on_critical_path else ""
        table.add_row(
            str(task.wave),
            Text(task.id + sign),
            Text(one_line(task.title)),
            Text(" ".join(task.depends_on)),
            f"{task.minutes:g}",
        )
    output.print(f"{title}: {count(len(view.tasks), 'task')} in {count(len(view.waves), 'wave')}")
    output.print(table)
    if len(view.milestones) > 1:
        output.print(f"Milestones: {', '.join(view.milestones)}")
    output.print(
        f"* Critical path, {view.minutes:g} of {view.total_minutes:g} minutes: {' > '.join(view.critical_path)}"
    )
    output.print(f"At most {count(view.widest, 'task')} can run at once.")
