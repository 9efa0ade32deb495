"""Builds one attempt's briefing from the build, its tree and the last rejection. Must never write anything.

The prompts of a task's first and later attempts differ in what the files hold; what was wrong is in the feedback. A
prompt depends on the plan, the tree and the task's own state, never on what other tasks are doing now: an attempt that
is run again after a crash gets the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from buildwright.agents.prompt import CUT, OtherTask, PromptPart, cut, feedback_prompt, joined, prime, prompt_parts
from buildwright.core.graph import Plan
from buildwright.core.paths import overlap
from buildwright.core.task import Task
from buildwright.ports import Briefing, BriefingRequest, Workspace

PLANNER_FILES = (
    "README.md",
    "CLAUDE.md",
    "AGENTS.md",
    "pyproject.toml",
    "package.json",
    "buildwright.toml",
    "Makefile",
)
MOST_OF_A_FILE = 4_000
MOST_PATHS = 400
MOST_OF_THE_PATHS = 12_000
"""Characters of the list of paths."""
MOST_OWNED = 50
"""Most files of other tasks that a prompt names."""


async def brief_attempt(request: BriefingRequest, workspace: Workspace | None) -> Briefing:
    """Return the prompt, and for a later attempt the feedback. Raises what the workspace raises."""
    return Briefing(joined(await parts_of_attempt(request, workspace)), feedback_of_attempt(request))


async def parts_of_attempt(request: BriefingRequest, workspace: Workspace | None) -> tuple[PromptPart, ...]:
    """Return the parts of an attempt's prompt, without the feedback. Raises what the workspace raises."""
    build = request.build

    async def read_file(path: str) -> bytes | None:
        return await workspace.read_file(build.id, request.tree, path) if workspace else None

    async def list_files() -> Sequence[str]:
        return await workspace.list_files(build.id, request.tree) if workspace else ()

    task = request.task
    if request.conflicts:
        # The conflicting files are quoted too, with both sides marked, even if the plan did not name them.
        shown = tuple(dict.fromkeys((*task.files_expected, *request.conflicts)))
        task = task.model_copy(update={"files_expected": shown})
    context = await prime(
        task,
        read_file,
        list_files,
        spec_title=build.spec.title,
        spec_text=build.spec.text,
        owners=_owners(build.plan, task) if build.plan is not None else {},
        others=_others(build.plan, task) if build.plan is not None else (),
        checks=[check.command for check in build.options.checks],
        lessons=request.state.lessons or (),
        part=build.options.part,
    )
    note = build.fork.note if build.fork is not None else ""
    return (*prompt_parts(context), *([PromptPart("note", f"## A note of the user\n{note}")] if note else []))


def feedback_of_attempt(request: BriefingRequest) -> str:
    """Return what an attempt is told of the one before, "" for the first."""
    state = request.state
    if state.rejection is None:
        return ""
    return feedback_prompt(
        state.rejection,
        state.reason,
        state.findings,
        state.guidance,
        request.carried,
        request.conflicts,
        state.diagnosis,
        state.carry_from,
        request.wrong_before,
    )


class _Around(NamedTuple):
    """The order that the plan fixes between one task and the others. Indexes of the plan."""

    before: frozenset[int]
    after: frozenset[int]

    def place(self, index: int) -> str:
        """Return when another task comes, "" if it may run at the same time."""
        return "before yours" if index in self.before else "after yours" if index in self.after else ""


def _around(plan: Plan, task: Task) -> _Around:
    mine = plan.position[task.id]
    tasks = plan.graph.tasks
    sooner = {index for index, place in enumerate(plan.milestone) if place < plan.milestone[mine]}
    later = {index for index, place in enumerate(plan.milestone) if place > plan.milestone[mine]}
    before = _reached(mine, lambda index: [plan.position[needed] for needed in tasks[index].depends_on])
    after = _reached(mine, lambda index: plan.dependents[index])
    return _Around(frozenset(sooner | before), frozenset(later | after))


def _reached(start: int, following: Callable[[int], Sequence[int]]) -> set[int]:
    reached: set[int] = set()
    ahead = [start]
    while ahead:
        fresh = set(following(ahead.pop())) - reached
        reached |= fresh
        ahead.extend(fresh)
    return reached


def _owners(plan: Plan, task: Task) -> dict[str, str]:
    """Return files of tasks that may run at the same time, by path, within a limit.

    Files that this task expects as well come first, then those near them. The engine lets one of two tasks that share
    a file wait until the other has landed; their agents have to know of each other all the same.
    """
    around = _around(plan, task)
    owners = {
        path: other.id
        for index, other in enumerate(plan.graph.tasks)
        if other.id != task.id and not around.place(index)
        for path in other.files_expected
    }
    near = {path.rpartition("/")[0] for path in task.files_expected}
    shared = {path for path in owners if any(overlap(path, own) for own in task.files_expected)}
    nearest = sorted(owners, key=lambda path: (path not in shared, path.rpartition("/")[0] not in near, path))
    return {path: owners[path] for path in nearest[:MOST_OWNED]}


def _others(plan: Plan, task: Task) -> list[OtherTask]:
    around = _around(plan, task)
    return [
        OtherTask(other.id, other.title, around.place(index))
        for index, other in enumerate(plan.graph.tasks)
        if other.id != task.id
    ]


async def describe_repository(
    build_id: str, tree: str, workspace: Workspace, part: str = "", code_map: str = ""
) -> str:
    """Return the planner's view of the repository: the map of its code, its paths and the files that describe it.

    All within bounds. What lies in `part`, the folder that the build is about, comes first.
    """
    paths = await workspace.list_files(build_id, tree)
    inside = f"{part}/" if part else ""
    paths.sort(key=lambda path: not path.startswith(inside))
    parts = [code_map] if code_map else []
    if part:
        told = f"The build is about the folder {part} of this repository. Name files from the top of the repository."
        parts.insert(0, told)
    listed = cut("\n".join(path for path in paths if path.isprintable()), MOST_OF_THE_PATHS).removesuffix(f"\n{CUT}")
    shown = listed.split("\n")[:MOST_PATHS] if listed else []
    parts.append(f"Files ({len(paths)}):\n" + "\n".join(shown))
    if len(paths) > len(shown):
        parts.append(f"... and {len(paths) - len(shown)} more")
    for name in (*(f"{inside}{name}" for name in PLANNER_FILES if part), *PLANNER_FILES):
        if name in paths:
            content = await workspace.read_file(build_id, tree, name)
            if content:
                parts.append(f"--- {name}\n{cut(content.decode(errors='replace'), MOST_OF_A_FILE)}")
    return "\n\n".join(parts)
