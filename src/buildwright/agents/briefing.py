"""What one attempt is told, put together from the build, its tree and the last rejection. Must never write anything.

The prompt of a task's first attempt and of its later ones differ in what the files hold; what was wrong is in the feedback.
"""

from __future__ import annotations

from collections.abc import Sequence

from buildwright.agents.prompt import OtherTask, cut, feedback_prompt, prime, task_prompt
from buildwright.core.build import Build
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


async def brief_attempt(request: BriefingRequest, workspace: Workspace | None) -> Briefing:
    """The prompt, and for a later attempt the feedback. Raises what the workspace raises."""
    build, state = request.build, request.state

    async def read_file(path: str) -> bytes | None:
        return await workspace.read_file(build.id, request.tree, path) if workspace else None

    async def list_files() -> Sequence[str]:
        return await workspace.list_files(build.id, request.tree) if workspace else ()

    task = request.task
    if request.conflicts:
        # The conflicting files are quoted too, with both sides marked, whether or not the plan named them.
        shown = tuple(dict.fromkeys((*task.files_expected, *request.conflicts)))
        task = task.model_copy(update={"files_expected": shown})
    context = await prime(
        task,
        read_file,
        list_files,
        spec_title=build.spec.title,
        spec_text=build.spec.text,
        owners={file: holder for file, holder in build.holders.items() if holder != task.id},
        others=_others(build, task.id),
        checks=[check.command for check in build.options.checks],
    )
    feedback = ""
    if state.rejection is not None:
        feedback = feedback_prompt(
            state.rejection, state.reason, state.findings, state.guidance, request.carried, request.conflicts
        )
    return Briefing(task_prompt(context), feedback)


def _others(build: Build, task_id: str) -> list[OtherTask]:
    if build.plan is None:
        return []
    return [
        OtherTask(task.id, task.title, build.task(task.id).phase.value)
        for task in build.plan.graph.tasks
        if task.id != task_id
    ]


async def describe_repository(build_id: str, tree: str, workspace: Workspace) -> str:
    """What the planner should know of the repository: its paths and the files that say what it is, bounded."""
    paths = await workspace.list_files(build_id, tree)
    parts = [f"Files ({len(paths)}):\n" + "\n".join(paths[:MOST_PATHS])]
    if len(paths) > MOST_PATHS:
        parts.append(f"... and {len(paths) - MOST_PATHS} more")
    for name in PLANNER_FILES:
        if name in paths:
            content = await workspace.read_file(build_id, tree, name)
            if content:
                parts.append(f"--- {name}\n{cut(content.decode(errors='replace'), MOST_OF_A_FILE)}")
    return "\n\n".join(parts)
