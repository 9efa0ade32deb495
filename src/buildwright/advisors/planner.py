"""The advisor that turns a spec into a checked task graph by asking a model. Must never touch a file or the user's key.

The model is reached only through the given door; the libraries for its protocol are imported at the first call. The
prompt is a pure function of spec and context: the same input gives the same bytes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NoReturn

from pydantic import Field, field_validator

from buildwright.advisors.asking import (
    REQUEST_SECONDS,
    fenced,
    import_libraries,
    instructions,
    model_failure,
    open_model,
    read_on,
    shape_problem,
    told,
)
from buildwright.advisors.paths import path_problem
from buildwright.core.graph import Graph, compile_plan
from buildwright.core.model_names import DEFAULT_MODEL
from buildwright.core.record import Record, TaskId
from buildwright.core.spec import Spec
from buildwright.core.task import Task, TaskAction
from buildwright.errors import BadGraph, ModelFailed
from buildwright.ports import Door

if TYPE_CHECKING:
    from pydantic_ai import Agent
    from pydantic_ai.models import Model

CONTEXT_LIMIT: Final = 60_000
"""Characters of repository context that go into the prompt; more is cut at the end, and a line says so."""

ANSWER_TOKENS: Final = 32_000
"""Room for the plan: some 150 tasks. A door that reserves budget reserves this much."""


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


class ModelPlanner:
    """Implements the port `Planner` with pydantic-ai. `retries` bounds repeated requests after transport failures."""

    def __init__(self, retries: int = 2) -> None:
        self._retries = retries

    async def plan(self, spec: Spec, context: str, model: str, door: Door) -> Graph:
        """Ask for a plan, with one repair turn when it is not a graph.

        Raises ModelFailed with its kind, or BadGraph when the repaired answer is still wrong.
        """
        # In a thread: the libraries take seconds to import, and would block the event loop for every other lane.
        await asyncio.to_thread(import_libraries, model or DEFAULT_MODEL)
        from pydantic_ai.exceptions import AgentRunError

        rejected: list[BadGraph] = []
        async with open_model(model or DEFAULT_MODEL, door, self._retries) as connected:
            agent = _make_agent(connected, rejected)
            try:
                result = await agent.run(planner_prompt(spec, context), event_stream_handler=read_on)
            except AgentRunError as error:
                _raise_ours(error, rejected)
        return result.output.graph()


def planner_prompt(spec: Spec, context: str) -> str:
    """Return the user's side of the request: spec and repository, each fenced as data. Pure."""
    parts = [f"# Specification: {spec.title}", fenced(_spec_text(spec))]
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


def _make_agent(model: Model, rejected: list[BadGraph]) -> Agent[None, PlannedGraph]:
    from pydantic_ai import Agent, ModelRetry, ToolOutput

    agent: Agent[None, PlannedGraph] = Agent(
        model,
        output_type=ToolOutput(PlannedGraph, name="final_result"),
        instructions=instructions("planner.md"),
        name="planner",
        deps_type=type(None),
        retries={"output": 1},
        model_settings={"request_timeout": REQUEST_SECONDS, "max_tokens": ANSWER_TOKENS},
    )

    @agent.output_validator
    def check(planned: PlannedGraph) -> PlannedGraph:
        try:
            compile_plan(planned.graph())
        except BadGraph as error:
            rejected.append(error)
            raise ModelRetry(
                f"This plan cannot be built. {error} To mend it: {error.fix}. Send the whole plan."
            ) from error
        rejected.clear()
        return planned

    return agent


def _raise_ours(error: Exception, rejected: list[BadGraph]) -> NoReturn:
    """Raise our error for the library's error."""
    if (failure := model_failure(error, "a plan")) is not None:
        raise failure from error
    if rejected:
        last = rejected[-1]
        message = f"the model's plan is no graph, even after a second try: {last}"
        raise BadGraph(message, fix=f"{last.fix}; or build again, or write the task list yourself") from error
    if "output retries" in str(error):
        problem = shape_problem(error)
        message = f"the model's plan has the wrong form, even after a second try: {problem}"
        raise BadGraph(message, fix="build again, try another model, or write the task list yourself") from error
    raise ModelFailed(
        f"The model did not deliver a plan: {told(error)}", kind="unavailable", fix="resume the build to ask again"
    ) from error
