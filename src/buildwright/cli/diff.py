"""`diff`: what a build, or one of its tasks, changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

from cyclopts import Parameter

from buildwright.errors import NotFound

if TYPE_CHECKING:
    from buildwright.cli.output import Output
    from buildwright.core.build import Build
    from buildwright.wiring import App


class FileStat(NamedTuple):
    """Lines added and removed in one file; both 0 for a binary file or a change of mode."""

    path: str
    added: int
    removed: int


async def diff(
    build: Annotated[str, Parameter(help="Id of the build, or its first characters; the newest when left out.")] = "",
    task: Annotated[str, Parameter(help="Only what this task changed, landed or not.")] = "",
    /,
    *,
    stat: Annotated[bool, Parameter(help="Only the files, with the lines added and removed.")] = False,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> int:
    """Show what a build, or one of its tasks, changed, as a unified diff."""
    from buildwright.cli.exits import Exit
    from buildwright.cli.output import Output
    from buildwright.cli.session import session

    output = Output(json)
    async with session() as app:
        build_id = await app.find(build)
        loaded = await app.builds.load(build_id)
        old, new = await _ends(app, loaded, task)
        text = "" if old == new else await app.workspace.diff(build_id, old, new)
    stats = file_stats(text)
    if output.json:
        files = [stat._asdict() for stat in stats]
        output.data({"build": build_id, "task": task, "old": old, "new": new, "files": files, "diff": text})
    elif not text:
        output.say("Nothing has changed.")
    elif stat:
        _print_stats(output, stats)
    else:
        _print_diff(output, text)
    return Exit.DONE


def file_stats(text: str) -> list[FileStat]:
    """Files and line counts of a unified diff as git writes it."""
    stats: list[FileStat] = []
    in_hunk = False
    for line in text.split("\n"):
        if line.startswith("diff --git "):
            in_hunk = False
            stats.append(FileStat(line.rpartition(" b/")[2].removesuffix('"'), 0, 0))
        elif line.startswith("@@"):
            in_hunk = True
        elif in_hunk and stats and line[:1] in {"+", "-"}:
            last = stats[-1]
            added, removed = line[0] == "+", line[0] == "-"
            stats[-1] = last._replace(added=last.added + added, removed=last.removed + removed)
    return stats


async def _ends(app: App, build: Build, task_id: str) -> tuple[str, str]:
    """The two commits or trees to compare. Raises NotFound when there is nothing to compare."""
    if not task_id:
        if not build.base:
            raise NotFound("this build has changed no repository yet", fix=f"see buildwright status {build.id[:8]}")
        return build.base, build.head
    if build.plan is None or task_id not in build.plan.position:
        raise NotFound(f"there is no task {task_id} in this build", fix=f"see buildwright status {build.id[:8]}")
    state = build.task(task_id)
    if state.commit:
        for recorded in reversed(await app.builds.read(build.id)):
            event = recorded.event
            if event.type == "merge.prepared" and event.task == task_id and event.commit == state.commit:
                return event.onto, event.commit
    if state.patch is None:
        raise NotFound(f"{task_id} has changed nothing yet", fix=f"see buildwright why {build.id[:8]} {task_id}")
    return state.patch.base_tree, state.patch.tree


def _print_stats(output: Output, stats: list[FileStat]) -> None:
    width = max(len(stat.path) for stat in stats)
    for stat in stats:
        output.print(f"{stat.path:<{width}}  +{stat.added} -{stat.removed}")
    added, removed = sum(stat.added for stat in stats), sum(stat.removed for stat in stats)
    output.print(f"{len(stats)} files, +{added} -{removed}")


def _print_diff(output: Output, text: str) -> None:
    """In colour on a terminal; unchanged in a pipe, so that `git apply` takes it."""
    if not output.on_terminal:
        output.raw(text)
        return
    for line in text.splitlines():
        head = line.startswith(("diff --git", "index ", "--- ", "+++ "))
        style = "bold" if head else {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        output.print(line, style=style)
