"""The verbs `lessons list`, `show`, `forget`, `export` and `import`. Must never change a build."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.output import Output, one_line
from buildwright.cli.session import session
from buildwright.cli.verbs import app_of
from buildwright.core.figures import count, money
from buildwright.errors import BadSpec, NotFound

if TYPE_CHECKING:
    from buildwright.core.lessons import Arm
    from buildwright.views.lessons import LessonView

lessons = app_of("lessons")

_Id = Annotated[str, Parameter(help="Id of the lesson.")]
_Json = Annotated[bool, Parameter(help="One JSON object on stdout.")]


@lessons.command(name="list")
async def list_lessons(
    *,
    repo: Annotated[str, Parameter(help="Only lessons for builds of this repository, by its path or URL.")] = "",
    retired: Annotated[bool, Parameter(name="--all", help="Retired ones as well.")] = False,
    json: _Json = False,
) -> None:
    """List what earlier attempts taught, the surest first."""
    from buildwright.cli.table import Column, table

    output, repository = Output(json), _repository(repo)
    async with session() as app:
        found = (await app.lessons()).lessons
    here = [one for one in found if not repository or one.repository in {"", repository}]
    shown = [one for one in here if retired or one.state == "active"]
    if output.json:
        output.data({"lessons": [one.model_dump(mode="json") for one in shown]})
        return
    if not shown:
        output.print(_none(len(found), len(here)))
        return
    columns = (
        Column("id"),
        Column("sure", right=True),
        Column("with", right=True),
        Column("without", right=True),
        Column("files"),
        Column("lesson"),
    )
    rows = [
        (one.id, f"{one.confidence:.2f}", _arm(one.given), _arm(one.held_out), one.pattern, _words(one))
        for one in shown
    ]
    output.lines(table(columns, rows, output.width))


@lessons.command
async def show(lesson: _Id, /, *, json: _Json = False) -> None:
    """Show a lesson: where it came from, whom it is given to, and whether it helps."""
    output = Output(json)
    async with session() as app:
        found = next((one for one in (await app.lessons()).lessons if one.id == lesson), None)
    if found is None:
        raise NotFound(f"there is no lesson {lesson}", fix="see `buildwright lessons list --all`")
    if output.json:
        output.data(found.model_dump(mode="json"))
        return
    output.print(found.content)
    source = (
        f"task {found.task} of build {found.build}"
        if found.build
        else f"{'an' if found.source[0] in 'aeiou' else 'a'} {found.source}"
    )
    output.print(f"{found.kind} about {found.pattern} in {found.repository or 'every repository'}, from {source}")
    retired = f", retired: {found.why}" if found.state == "retired" else ""
    output.print(
        f"sure to {found.confidence:.2f}, learned {'once' if found.seen == 1 else f'{found.seen} times'}{retired}"
    )
    for name, arm in (("with it", found.given), ("without it", found.held_out)):
        tried = f"{count(arm.tasks, 'task')}, {count(arm.attempts, 'attempt')}"
        output.print(f"{name}: {tried}, {arm.failed} failed, {money(arm.cost_usd)}")
    if found.saved_attempts is not None:
        output.print(
            f"it saves {found.saved_attempts:.2f} attempts a task (90 % interval {found.saved_low:.2f} to"
            f" {found.saved_high:.2f}) and {money(found.saved_usd or 0)}"
        )


@lessons.command
async def forget(lesson: _Id, /, *, json: _Json = False) -> None:
    """Remove a lesson. One of a repository's file comes back while it stands there."""
    output = Output(json)
    async with session() as app:
        await app.forget_lesson(lesson)
    if output.json:
        output.data({"forgotten": lesson})
    else:
        output.print(f"{lesson} is forgotten")


@lessons.command
async def export(
    *,
    repo: Annotated[str, Parameter(help="Only lessons for builds of this repository, for a file in it.")] = "",
    json: _Json = False,
) -> None:
    """Print lessons as a file that can be imported, or kept in a repository as `buildwright-lessons.json`."""
    import json as texts

    from buildwright.views.lessons import lesson_file

    output, repository = Output(json), _repository(repo)
    async with session() as app:
        made = lesson_file((await app.lessons()).lessons, repository).model_dump(mode="json")
    if output.json:
        output.data(made)
    else:
        output.raw(f"{texts.dumps(made, indent=2, ensure_ascii=False)}\n")


@lessons.command(name="import")
async def import_lessons(
    file: Annotated[Path, Parameter(help="A file that `export` has written.")],
    /,
    *,
    repo: Annotated[str, Parameter(help="Keep them for builds of this repository, by its path or URL.")] = "",
    json: _Json = False,
) -> None:
    """Keep the lessons of a file that are not known yet."""
    from buildwright.core.lessons import parse_lessons

    output, repository = Output(json), _repository(repo)
    try:
        entries = parse_lessons(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadSpec(f"{file} cannot be read: {error}", fix="name a file that `export` has written") from error
    if repository:
        entries = [entry.model_copy(update={"repository": repository}) for entry in entries]
    async with session() as app:
        result = await app.import_lessons(entries)
    if output.json:
        output.data(result.model_dump(mode="json"))
    else:
        output.print(f"{result.added} of {result.read} lessons are new")


def _repository(repo: str) -> str:
    from buildwright.cli.options import read_repository

    return read_repository(repo) if repo else ""


def _none(known: int, here: int) -> str:
    """Return why no lesson is listed, of `known` ones, of which `here` are for builds of the named repository."""
    if here:
        return f"No lesson is active, and {here} {'has' if here == 1 else 'have'} retired: `--all` lists them."
    if known:
        return "No lesson is for builds of this repository."
    return "There are no lessons yet: one is learned when a later attempt fixes what was refused."


def _arm(arm: Arm) -> str:
    return f"{arm.mean:.2f} x {arm.tasks}" if arm.tasks else "-"


def _words(lesson: LessonView) -> str:
    return f"(retired) {one_line(lesson.content)}" if lesson.state == "retired" else one_line(lesson.content)
