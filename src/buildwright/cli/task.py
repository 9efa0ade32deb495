"""The verbs below `task`: change the tasks of a build that has begun or ended. Must never run the build."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from buildwright.cli.output import Output
from buildwright.cli.session import read_spec, session
from buildwright.cli.verbs import app_of
from buildwright.errors import Refused

if TYPE_CHECKING:
    from buildwright.client import Client
    from buildwright.core.build import Build
    from buildwright.core.task import Task
    from buildwright.engine.build_command import BuildCommand
    from buildwright.engine.task_commands import RedoTask, UndoTask

task = app_of("task")

_Build = Annotated[str, Parameter(help="Id of the build, its first characters, or `newest`.")]
_TaskName = Annotated[str, Parameter(help="Id of the task.")]
_Json = Annotated[bool, Parameter(help="One JSON object on stdout.")]


@Parameter(name="*")
@dataclass(kw_only=True, frozen=True)
class TaskFields:
    """What a task says. What is left out stays, or is empty in a new task."""

    title: Annotated[str, Parameter(help="What it is, in a line.")] = ""
    goal: Annotated[str, Parameter(help="What its agent is to do.")] = ""
    after: Annotated[tuple[str, ...] | None, Parameter(help="A task that must be done before. May be repeated.")] = None
    file: Annotated[tuple[str, ...] | None, Parameter(help="A path that it means to touch. May be repeated.")] = None
    accept: Annotated[tuple[str, ...] | None, Parameter(help="When it is accepted. May be repeated.")] = None
    validation: Annotated[str, Parameter(help="A command that must succeed after it, beside the checks.")] = ""
    milestone: Annotated[str, Parameter(help="The phase of the plan that it belongs to.")] = ""
    agent: Annotated[str | None, Parameter(help="The agent that makes it; `''` for the build's own.")] = None
    priority: Annotated[
        int | None, Parameter(help="Higher starts earlier, of tasks with as much work behind them; else 0.")
    ] = None

    def given(self) -> dict[str, Any]:
        """Return what was given, by field of the task."""
        fields = {
            "title": self.title or None,
            "goal": self.goal or None,
            "depends_on": self.after,
            "files_expected": self.file,
            "acceptance": self.accept,
            "validation": {"command": self.validation} if self.validation else None,
            "milestone": self.milestone or None,
            "agent": self.agent,
            "priority": self.priority,
        }
        return {name: value for name, value in fields.items() if value is not None}


_NOTHING = TaskFields()


@task.command
async def add(
    build: _Build,
    file: Annotated[
        Path | None, Parameter(help="A task list: each of its tasks that is not there yet is added.")
    ] = None,
    /,
    *,
    name: Annotated[str, Parameter(name="--id", help="Id of the new task; else made from its title.")] = "",
    fields: TaskFields = _NOTHING,
    json: _Json = False,
) -> None:
    """Add tasks, from a list or one by its title. What is done stays done."""
    async with session() as app:
        found = await _load(app, build)
        if file is None:
            if not fields.title:
                raise Refused("the new task has no title", fix="say --title TEXT, or name a task list")
            values = {"milestone": _last_phase(found), **fields.given()}
            new = [_made({"id": name or _free_id(found, fields.title), **values})]
        else:
            if name or fields != _NOTHING:
                raise Refused("a task list says all of its tasks itself", fix="leave the other options out")
            read = await read_spec(file)
            if read.graph is None:
                raise Refused(f"{file} is not a task list", fix="make one: `buildwright plan SPEC -o FILE`")
            new = [one for one in read.graph.tasks if found.plan is None or one.id not in found.plan.position]
            if not new:
                raise Refused(
                    f"every task of {file} is in the build already", fix="edit one with `buildwright task edit`"
                )
        if twice := [one.id for one in new if found.plan is not None and one.id in found.plan.position]:
            raise Refused(
                f"there is a task {twice[0]} already", fix="give another --id, or use `buildwright task edit`"
            )
        await _change(app, found, Output(json), tasks=tuple(new))


@task.command
async def edit(
    build: _Build,
    name: Annotated[str, Parameter(help="Id of the task; without one, the whole plan is opened in your editor.")] = "",
    /,
    *,
    fields: TaskFields = _NOTHING,
    plan: Annotated[
        Path | None, Parameter(help="Take this task list as the plan, instead of opening an editor.")
    ] = None,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], help="Do not ask before the plan is changed.")] = False,
    json: _Json = False,
) -> None:
    """Change a task that no agent works on, or the whole plan. One that failed may be tried again as it is then."""
    from buildwright.engine.task_commands import task_of

    async with session() as app:
        found = await _load(app, build)
        if not name:
            if fields != _NOTHING:
                raise Refused("it is not said which task is to change", fix="name it: task edit BUILD TASK")
            await _edit_plan(app, found, Output(json), plan, yes=yes)
            return
        if plan is not None:
            raise Refused("a plan changes all tasks, and one is named", fix="leave the name or --plan out")
        old = task_of(found, name)
        if not fields.given():
            raise Refused(
                "nothing is to change",
                fix="say what: --title, --goal, --after, --file, --accept, --validation, --agent, --priority",
            )
        await _change(app, found, Output(json), tasks=(_made({**old.model_dump(), **fields.given()}),))


async def _edit_plan(app: Client, found: Build, output: Output, given: Path | None, *, yes: bool) -> None:
    """Give the build the tasks of an edited plan, once the user has seen how it differs."""
    from buildwright.advisors.plan_file import plan_text
    from buildwright.cli.editor import edited_list
    from buildwright.cli.unfinished import print_difference
    from buildwright.views.overview import plan_view
    from buildwright.views.plan_difference import difference

    if found.plan is None:
        raise Refused("the build has no plan yet", fix="wait until it has planned: `buildwright status`")
    draft = app.settings.home / "plans" / f"{found.id}.yaml"
    if given is not None:
        read = await read_spec(given)
    else:
        draft.parent.mkdir(mode=0o700, exist_ok=True)
        if draft.exists():
            output.say(f"Opening {draft}, which was edited before and could not be used.")
        else:
            draft.write_text(plan_text(plan_view(found.plan.graph, found.spec.title).model_dump(mode="json")), "utf-8")
        read = await edited_list(draft, output)
    if read.graph is None:
        raise Refused(f"{given} is not a task list", fix="make one: `buildwright plan SPEC -o FILE`")
    differs = difference(found, read.graph)
    if differs.is_empty:
        output.say("Nothing is changed.")
    else:
        print_difference(output, found, differs)
    if differs.is_empty or await output.confirm("Change the build so?", yes):
        await _change(app, found, output, (*differs.added, *differs.edited), differs.dropped)
        draft.unlink(missing_ok=True)
    else:
        output.say(f"Nothing is changed. Your text is in {given or draft}.")


@task.command
async def drop(
    build: _Build, names: Annotated[tuple[str, ...], Parameter(help="Ids.")], /, *, json: _Json = False
) -> None:
    """Take tasks out of the plan. Tasks that needed them no longer wait for them."""
    from buildwright.engine.task_commands import task_of

    async with session() as app:
        found = await _load(app, build)
        for name in names:
            task_of(found, name)
        await _change(app, found, Output(json), drop=names)


_WithDependents = Annotated[bool, Parameter(help="Also the tasks that need it; else they forbid it.")]


@task.command
async def merge(
    build: _Build,
    names: Annotated[tuple[str, ...], Parameter(help="Ids of two or more; the first gives the id.")],
    /,
    *,
    name: Annotated[str, Parameter(name="--id", help="Another id for the task they become.")] = "",
    title: Annotated[str, Parameter(help="Its title; else those of all.")] = "",
    json: _Json = False,
) -> None:
    """Make one task of several. It does what all of them say, and what needed one of them needs it."""
    from buildwright.engine.task_commands import MergeTasks

    await _replan(build, MergeTasks(names, name, title), Output(json))


@task.command
async def split(
    build: _Build,
    name: _TaskName,
    file: Annotated[Path | None, Parameter(help="A task list: its tasks take the place of the task.")] = None,
    /,
    *,
    into: Annotated[
        tuple[str, ...], Parameter(help="Title of a part; repeated, they are done one after the other.")
    ] = (),
    json: _Json = False,
) -> None:
    """Put other tasks in the place of one. They need what it needed, and what needed it needs all of them."""
    from buildwright.engine.task_commands import SplitTask, task_of

    if (file is None) == (not into):
        raise Refused("it is not said into what the task is to be split", fix="say --into TITLE twice, or name a list")
    async with session() as app:
        found = await _load(app, build)
        old = task_of(found, name)
        if file is not None:
            graph = (await read_spec(file)).graph
            if graph is None:
                raise Refused(f"{file} is not a task list", fix="make one: `buildwright plan SPEC -o FILE`")
            parts = graph.tasks
        else:
            parts = _parts(found, old, into)
    await _replan(found.id, SplitTask(old.id, parts), Output(json))


def _parts(build: Build, old: Task, titles: tuple[str, ...]) -> tuple[Task, ...]:
    """Return the parts of a task, each after the one before; the last has to meet what the whole was to meet."""
    parts: list[Task] = []
    for title in titles:
        number, last = len(parts) + 1, len(parts) + 1 == len(titles)
        values = old.model_dump(exclude={"depends_on"}) | {
            "id": _free_id(build, f"{old.id}-{number}"),
            "title": title,
            "goal": f"{title}\n\nThis is part {number} of {len(titles)} of: {old.title}. {old.goal}".strip(),
            "depends_on": (parts[-1].id,) if parts else (),
            "minutes": old.minutes / len(titles),
        }
        if not last:
            values |= {"requirements": (), "acceptance": (), "validation": None}
        parts.append(_made(values))
    return tuple(parts)


@task.command
async def reorder(
    build: _Build,
    names: Annotated[tuple[str, ...], Parameter(help="Ids of two or more, in the order in which to do them.")],
    /,
    *,
    json: _Json = False,
) -> None:
    """Have tasks done in this order: each waits for the one named before it, beside what it needs already."""
    from buildwright.engine.task_commands import ReorderTasks

    await _replan(build, ReorderTasks(names), Output(json))


async def _replan(build: str, command: BuildCommand, output: Output) -> None:
    """Give a command that changes the plan, and say how it differs then."""
    from buildwright.cli.unfinished import print_difference
    from buildwright.views.plan_difference import difference

    async with session() as app:
        found = await _load(app, build)
        after = (await app.ask(found.id, command)).build
        assert after.plan is not None
        differs = difference(found, after.plan.graph)
        if output.json:
            added, edited = ([one.id for one in tasks] for tasks in (differs.added, differs.edited))
            dropped = list(differs.dropped)
            output.data({"build": found.id, "added": added, "edited": edited, "dropped": dropped, "total": after.total})
            return
        print_difference(output, found, differs)
        await say_next(app, found, after, output)


@task.command
async def undo(
    build: _Build, name: _TaskName, /, *, with_dependents: _WithDependents = False, json: _Json = False
) -> None:
    """Take back what a task has landed, by a commit on top that is judged like any change. The task is skipped then."""
    from buildwright.engine.task_commands import UndoTask

    await _again(build, UndoTask(name, with_dependents), Output(json))


@task.command
async def redo(
    build: _Build,
    name: _TaskName,
    /,
    *,
    message: Annotated[str, Parameter(name=["--message", "-m"], help="What to do differently.")] = "",
    from_attempt: Annotated[
        int, Parameter(help="Continue from what this attempt made; see `why`. 0: from the start.")
    ] = 0,
    with_dependents: _WithDependents = False,
    json: _Json = False,
) -> None:
    """Have a task attempted again. What it has landed is taken back first; nothing else is built again."""
    from buildwright.engine.task_commands import RedoTask

    if from_attempt < 0:
        raise Refused(f"--from-attempt {from_attempt}: attempts count from 1", fix="see `buildwright why` for them")
    await _again(build, RedoTask(name, message, from_attempt, with_dependents), Output(json))


async def _again(build: str, command: RedoTask | UndoTask, output: Output) -> None:
    """Ask for it, and say which tasks it is about."""
    async with session() as app:
        found = await _load(app, build)
        after, _ = await app.ask(found.id, command)
        phases = {name: state.phase for name, state in after.tasks.items()}
        changed = [one for one, phase in phases.items() if phase is not found.task(one).phase]
        back = sorted(one for one in changed if after.task(one).again)
        waiting = sorted(one for one in changed if one not in back and after.task(one).phase != "done")
        if output.json:
            output.data({"build": after.id, "taken_back": back, "redone": command.name == "redo", "waiting": waiting})
            return
        if back:
            then = ", then made again" if command.name == "redo" else ""
            output.print(f"What {', '.join(back)} landed will be taken back{then}.")
        else:
            output.print(f"{command.task} will be attempted again.")
        await say_next(app, found, after, output)


async def say_next(app: Client, before: Build | None, after: Build, output: Output) -> None:
    """Say whether a build that was paused or over goes on now, and what the user does next where nothing carries it out."""
    from buildwright.cli.summary import answer_of, next_words

    crew = await app.crew(after.id)
    if before is not None and before.pause is not None and after.pause is None:
        output.print("That answers the pause: the build continues.")
    elif before is not None and before.is_terminal and not after.is_terminal:
        output.print("The build had ended, and continues.")
    if after.pause is not None:
        output.say(f"The build is paused. Next: {answer_of(after)}")
    elif not (crew.works or crew.is_there):
        output.say(next_words(after, crew))


async def _load(app: Client, build: str) -> Build:
    return await app.builds.load(await app.find(build))


async def _change(
    app: Client, build: Build, output: Output, tasks: tuple[Task, ...] = (), drop: tuple[str, ...] = ()
) -> None:
    """Ask for the change and say what it means."""
    from buildwright.engine.task_commands import ChangeTasks

    after = (await app.ask(build.id, ChangeTasks(tasks, drop))).build if tasks or drop else build
    known = build.plan.position if build.plan is not None else {}
    added = [one.id for one in tasks if one.id not in known]
    edited = [one.id for one in tasks if one.id in known]
    if output.json:
        output.data({"build": build.id, "added": added, "edited": edited, "dropped": list(drop), "total": after.total})
        return
    for word, names in (("Added", added), ("Edited", edited), ("Dropped", drop)):
        if names:
            output.print(f"{word} {', '.join(names)}.")
    await say_next(app, build, after, output)


def _last_phase(build: Build) -> str:
    """Return the phase that a new task is in: the last one, so that it is not over."""
    return build.plan.milestones[-1] if build.plan is not None else ""


def _free_id(build: Build, title: str) -> str:
    """Return an id made from the title that no task has yet."""
    import re

    plain = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40] or "task"
    known = {one.casefold() for one in build.plan.position} if build.plan is not None else set()
    return next(
        one for one in (plain, *(f"{plain}-{number}" for number in range(2, len(known) + 3))) if one not in known
    )


def _made(values: dict[str, Any]) -> Task:
    """Return the task with these fields. Raises BadSpec naming the one that is wrong."""
    from buildwright.advisors.documents import validate
    from buildwright.core.task import Task as Made

    return validate(Made, values, "the task")
