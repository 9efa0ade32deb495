"""The advisor that turns a spec into a checked task graph by asking a model. Must never touch a file or the user's key.

The model is reached only through the given door; the libraries for its protocol are imported at the first call. The
prompt is a pure function of spec and context: the same input gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final, TypeVar

from pydantic import Field, field_validator

from buildwright.advisors.asking import Advisor, fenced, model_failure, shape_problem, told
from buildwright.advisors.paths import path_problem
from buildwright.core import event as e
from buildwright.core.build import Build
from buildwright.core.graph import Graph, compile_plan
from buildwright.core.record import Record, TaskId
from buildwright.core.replan import free_tasks, plan_changed
from buildwright.core.spec import Spec, text_difference
from buildwright.core.task import Task, TaskAction
from buildwright.errors import BadGraph, BuildwrightError, IllegalMove, ModelFailed
from buildwright.ports import ModelEndpoint, PlanRevision

T = TypeVar("T")

CONTEXT_LIMIT: Final = 60_000
"""Characters of repository context that go into the prompt; more is cut at the end, and a line says so."""


class PlannedTask(Record):
    """One task of the plan."""

    id: TaskId
    title: str = Field(min_length=1, max_length=200)
    goal: str = Field(min_length=1)
    action: TaskAction = "change"
    requirements: tuple[str, ...] = ()
    acceptance: tuple[str, ...] = Field(min_length=1)
    depends_on: tuple[TaskId, ...] = ()
    files_expected: tuple[str, ...] = Field(min_length=1)
    milestone: str = ""
    priority: int = 0
    critical: bool = False
    minutes: float = Field(default=10.0, gt=0)

    @field_validator("files_expected")
    @classmethod
    def _inside_the_repository(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        for path in paths:
            if problem := path_problem(path):
                raise ValueError(f"{path!r} {problem}")
        return paths


class PlannedGraph(Record):
    """The whole plan."""

    tasks: tuple[PlannedTask, ...] = Field(min_length=1)
    milestones: tuple[str, ...] = ()
    notes: str = ""

    def graph(self) -> Graph:
        """Return the plan as the engine's record, unchecked."""
        tasks = tuple(Task.model_validate(task.model_dump()) for task in self.tasks)
        return Graph(tasks=tasks, milestones=self.milestones, notes=self.notes)


_PLANNER: Final = Advisor("planner", PlannedGraph, tool="final_result", tokens=32_000)
"""Its answer has room for some 150 tasks."""


class RevisedPlan(Record):
    """What a changed spec changes of a plan: nothing else is said again."""

    tasks: tuple[PlannedTask, ...] = ()
    drop: tuple[TaskId, ...] = ()
    notes: str = ""

    def revision(self, build: Build) -> PlanRevision:
        """Return the changes; what a planned task cannot say stays as the task had it. Unchanged tasks are left out."""
        plan = build.plan
        assert plan is not None
        told = {task.id: task for task in self.tasks}
        old = {name: plan.task(name) for name in told if name in plan.position}
        made = [
            Task.model_validate({**(old[name].model_dump() if name in old else {}), **task.model_dump()})
            for name, task in told.items()
        ]
        return PlanRevision(tuple(task for task in made if task != old.get(task.id)), self.drop)


_REVISER: Final = Advisor("reviser", RevisedPlan, tool="final_result_revision", tokens=32_000)


class ModelPlanner:
    """Implements the port `Planner` with pydantic-ai. `retries` bounds repeated requests after transport failures."""

    def __init__(self, retries: int = 2) -> None:
        self._retries = retries

    async def plan(self, spec: Spec, context: str, model: str, door: ModelEndpoint) -> Graph:
        """Ask for a plan, with one repair turn when it is not a graph.

        Raises ModelFailed with its kind, or BadGraph when the repaired answer is still wrong.
        """
        prompt = planner_prompt(spec, context)

        def check(planned: PlannedGraph) -> None:
            compile_plan(planned.graph())
            _check_features(spec, planned)

        planned = await self._ask(_PLANNER, prompt, model, door, check)
        return planned.graph()

    async def revise(self, build: Build, context: str, model: str, door: ModelEndpoint) -> PlanRevision:
        """Ask what the new spec of a build changes of its plan, with one repair turn when that cannot be. Raises as `plan`."""

        def check(revised: RevisedPlan) -> None:
            tasks, dropped = revised.revision(build)
            change = e.PlanChanged(tasks=tasks, dropped=dropped, spec=build.spec_changes)
            try:
                plan_changed(build, change, build.updated_at)
            except IllegalMove as error:
                raise BadGraph(error.message, fix=error.fix or "leave it out") from error

        prompt = reviser_prompt(build, context)
        return (await self._ask(_REVISER, prompt, model, door, check)).revision(build)

    async def _ask(
        self, advisor: Advisor[T], prompt: str, model: str, door: ModelEndpoint, check: Callable[[T], object]
    ) -> T:
        """Return the answer to a prompt once `check` raises no BadGraph for it."""
        rejected: list[BadGraph] = []

        def checked(answer: T) -> T:
            from pydantic_ai import ModelRetry

            try:
                check(answer)
            except BadGraph as error:
                rejected.append(error)
                raise ModelRetry(
                    f"This plan cannot be built. {error} To fix it: {error.fix}. Send the whole plan."
                    if advisor is _PLANNER
                    else f"The plan cannot be changed so. {error} To fix it: {error.fix}. Send all changes again."
                ) from error
            rejected.clear()
            return answer

        def failed(error: Exception) -> BuildwrightError:
            return _failure(error, rejected)

        return await advisor.ask(prompt, model, door, retries=self._retries, failed=failed, check=checked)


def planner_prompt(spec: Spec, context: str) -> str:
    """Return the user's side of the request: spec and repository, each fenced as data. Pure."""
    parts = [f"# Specification: {spec.title}", fenced(_spec_text(spec))]
    if spec.features:
        parts.append("# Its features: `requirements` of each task that builds one has its name, letter by letter")
        parts.append(fenced("\n".join(feature.name for feature in spec.features)))
    return _joined(parts, context)


def _check_features(spec: Spec, planned: PlannedGraph) -> None:
    """Raises BadGraph for a plan that leaves out a feature of the spec."""
    built = [line for task in planned.tasks for line in task.requirements]
    if missing := [feature.name for feature in spec.features if not feature.is_named_in(built)]:
        message = f"no task builds what the specification calls a feature: {'; '.join(missing)}"
        raise BadGraph(message, fix="name each among the requirements of the tasks that build it")


def reviser_prompt(build: Build, context: str) -> str:
    """Return what the planner is asked about a changed spec: what differs, all of it, the plan and its state. Pure."""
    plan = build.plan
    assert plan is not None
    free = set(free_tasks(build))
    listed = [
        {
            "state": (f"{state.phase}, can be changed" if task.id in free else state.phase)
            + (
                ", was tried: depends_on, files_expected and milestone stay"
                if task.id in free and state.attempt
                else ""
            ),
            **task.model_dump(mode="json", include=set(PlannedTask.model_fields), exclude_defaults=True),
        }
        for task in plan.graph.tasks
        for state in (build.task(task.id),)
    ]
    parts = [
        f"# What changed in the specification: {build.spec.title}",
        fenced("\n".join(text_difference(build.spec.text, build.new_spec))),
        "# The specification as it is now",
        fenced(build.new_spec),
        "# The plan that is being built",
        fenced(json.dumps({"milestones": plan.milestones, "tasks": listed}, ensure_ascii=False, indent=1)),
    ]
    return _joined(parts, context)


def _joined(parts: list[str], context: str) -> str:
    if context.strip():
        shown = context
        if len(context) > CONTEXT_LIMIT:
            shown = f"{context[:CONTEXT_LIMIT]}\n[cut: {len(context) - CONTEXT_LIMIT} more characters]"
        parts += ["# The repository as it is now", fenced(shown)]
    else:
        parts.append("# The repository is empty")
    return "\n\n".join(parts) + "\n"


def _spec_text(spec: Spec) -> str:
    pieces = [spec.text.strip()] if spec.text.strip() else []
    if spec.form == "interview":
        # The validated artifacts say all that the raw text said, without its layout.
        pieces = []
    for name, artifact in (
        ("brief", spec.brief),
        ("build plan", spec.build_plan),
        ("product document", spec.product_doc),
    ):
        if artifact is not None:
            pieces.append(f"{name}:\n{artifact.model_dump_json(indent=2, exclude_defaults=True)}")
    return "\n\n".join(pieces) or spec.title


def _failure(error: Exception, rejected: list[BadGraph]) -> BuildwrightError:
    """Return our error for the library's error."""
    if (failure := model_failure(error, "a plan")) is not None:
        return failure
    if rejected:
        last = rejected[-1]
        message = f"the model's plan is not a valid task graph, even after a second try: {last}"
        return BadGraph(message, fix=f"{last.fix}; or build again, or write the task list yourself")
    if "output retries" in str(error):
        message = f"the model's plan has the wrong form, even after a second try: {shape_problem(error)}"
        return BadGraph(message, fix="build again, try another model, or write the task list yourself")
    told_so = f"The model did not deliver a plan: {told(error)}"
    return ModelFailed(told_so, kind="unavailable", fix="resume the build to ask again")
