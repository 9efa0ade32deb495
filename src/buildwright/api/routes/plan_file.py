"""The whole plan of a build as a file, YAML or JSON: read, changed, put back. Must never hold a rule of a plan.

The rules are in `core.replan`; the command is that of `POST /api/builds/{build_id}/task`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Annotated, Literal

from fastapi import Header, Query, Response
from pydantic import BaseModel, Field

from buildwright.api import operations
from buildwright.api.bodies import Router
from buildwright.api.params import OwnBuild, stating
from buildwright.api.problems import responses
from buildwright.api.routes.steer import ask
from buildwright.api.state import CallerOf, SiteOf
from buildwright.api.targets import check_commands
from buildwright.core.build import Build
from buildwright.core.graph import Graph
from buildwright.core.replan import no_plan_yet
from buildwright.core.spec import Spec
from buildwright.engine.commands import after
from buildwright.engine.task_commands import ChangeTasks
from buildwright.errors import BadSpec, Conflict
from buildwright.request_model import RequestModel
from buildwright.views.overview import Standing, plan_view, standing_of
from buildwright.views.plan_difference import DifferenceView, difference, difference_view

router = Router(prefix="/api/builds/{build_id}/plan", tags=["steering builds"])

Form = Literal["yaml", "json"]
_NAME = "plan.yaml"


class PlanText(BaseModel):
    """The plan of a build as a task list that can be changed, and put back or built by itself."""

    build_id: str
    form: Form
    content: str


class PlanWish(RequestModel):
    """The plan as it is to be."""

    content: Annotated[str, Field(max_length=9_000_000, description="A task list, YAML or JSON, such as GET answers.")]


class PlanAnswer(BaseModel):
    """How the plan that was sent differs from the build's, and the build's standing."""

    changed: bool
    """Whether the build has taken it: not with `dry_run`, nor where nothing differs."""
    difference: DifferenceView
    standing: Standing


@router.get("", responses=responses(403, 404, 409))
async def get_plan_file(
    build: OwnBuild,
    response: Response,
    form: Annotated[Form, Query(description="Of `content`.")] = "yaml",
) -> PlanText:
    """Return the whole plan as the file that `plan -o` writes. The ETag changes with the plan."""
    content = await asyncio.to_thread(_content, build, form)
    response.headers["ETag"] = await asyncio.to_thread(_tag, build)
    return PlanText(build_id=build.id, form=form, content=content)


@router.put("", responses=responses(400, 403, 404, 409))
async def put_plan_file(
    wish: PlanWish,
    site: SiteOf,
    caller: CallerOf,
    build: OwnBuild,
    response: Response,
    dry_run: Annotated[bool, Query(description="Check it and say how it differs, and change nothing.")] = False,
    if_match: Annotated[
        str,
        Header(max_length=100, description="The ETag of the plan that was changed; without it, as the plan is now."),
    ] = "",
) -> PlanAnswer:
    """Take this plan in place of the build's, once it is checked: tasks are added, edited and dropped.

    What is over stays as it is. While the plan waits for approval it goes on waiting.
    """
    await site.rates.take(operations.BUILDS, caller.user_id)
    if if_match and if_match.strip() not in {"*", await asyncio.to_thread(_tag, build)}:
        raise Conflict("the plan is another one by now", fix="read it again, and make the change in that one")
    graph = await asyncio.to_thread(_graph_in, wish.content)
    if build.plan is None:
        raise no_plan_yet()
    differs = await asyncio.to_thread(difference, build, graph)
    shown = difference_view(build, differs)
    command = ChangeTasks((*differs.added, *differs.edited), differs.dropped)
    check_commands(site, caller, Spec(title="plan", graph=Graph(tasks=command.tasks)), command.asks_of_machine()[0])
    changed = not (dry_run or differs.is_empty)
    if changed:
        build, _ = await ask(site, caller, build, command)
        await site.hosting.begin(build.id)
    elif not differs.is_empty:
        with stating(build):
            after(build, command, "", build.updated_at)
    response.headers["ETag"] = await asyncio.to_thread(_tag, build)
    return PlanAnswer(changed=changed, difference=shown, standing=standing_of(build))


def _content(build: Build, form: Form) -> str:
    """Return the plan's file. Raises IllegalMove before there is a plan."""
    from buildwright.advisors.plan_file import plan_list, plan_text

    if build.plan is None:
        raise no_plan_yet()
    shown = plan_view(build.plan.graph, build.spec.title).model_dump(mode="json")
    return plan_text(shown) if form == "yaml" else json.dumps(plan_list(shown), ensure_ascii=False, indent=2) + "\n"


def _tag(build: Build) -> str:
    graph = build.plan.graph.model_dump_json() if build.plan is not None else ""
    return f'"{hashlib.sha256(graph.encode()).hexdigest()[:32]}"'


def _graph_in(content: str) -> Graph:
    """Return the task list in a text. Raises BadSpec with its line, BadGraph for a circle."""
    from buildwright.advisors.spec_file import parse_spec
    from buildwright.core.graph import compile_plan

    read = parse_spec(content, _NAME)
    if read.graph is None:
        raise BadSpec("this is not a task list", file=_NAME, fix="keep the key `tasks`")
    compile_plan(read.graph)
    return read.graph
