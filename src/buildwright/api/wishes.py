"""What a request asks of a build: spec, target, options, every one of them bounded. Becomes core records; starts nothing."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

from pydantic import Field

from buildwright.api.asking import Asking
from buildwright.core.finding import CheckKind
from buildwright.core.limits import Budget, Options
from buildwright.core.spec import Spec
from buildwright.errors import BadRepository, BadSpec, Refused

TargetType = Literal["local_path", "github_existing", "github_new"]
Line = Annotated[str, Field(max_length=2_000)]
Seconds = Annotated[float, Field(gt=0, le=7 * 86_400, allow_inf_nan=False)]
SpecText = Annotated[str, Field(max_length=900_000, description="Markdown: what to build.")]
TaskList = Annotated[
    list[dict[str, Any]], Field(max_length=20_000, description="A complete task list: docs/guides/task-lists.md.")
]

_FULL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")


class CheckWish(Asking):
    """A command that judges a tree."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    command: Annotated[str, Field(min_length=1, max_length=2_000)]
    kind: CheckKind = "test"
    report: Line = ""
    paths: list[Line] = Field(default_factory=list, max_length=100)


class DeliveryWish(Asking):
    """Where the result goes. Without it: a branch in the repository of `local_path`, a push to that of `github_existing`."""

    kind: Literal["none", "branch", "push"] = "branch"
    branch: Annotated[str, Field(max_length=200)] = ""
    remote: Line = ""


class LimitWishes(Asking):
    """Numbers that bound the build; docs/guides/pauses.md and docs/cli.md say what each does."""

    concurrency: Annotated[int, Field(ge=1, le=256)] = 4
    attempts: Annotated[int, Field(ge=1, le=100)] = 3
    task_seconds: Seconds = 300.0
    gate_seconds: Seconds = 120.0
    pause_seconds: Seconds = 1800.0
    failed_tasks: Annotated[int, Field(ge=0, le=20_000)] = 3
    stuck_after: Annotated[int, Field(ge=1, le=1_000)] = 3
    loop_after: Annotated[int, Field(ge=2, le=1_000)] = 3
    train: Annotated[int, Field(ge=1, le=64)] = 4
    pushes: Annotated[int, Field(ge=1, le=100)] = 4
    budget_usd: Budget | None = None


class OptionWishes(Asking):
    """How the build runs. What is left out has its default."""

    agent: Annotated[str, Field(min_length=1, max_length=80)] = "direct"
    agent_command: Annotated[str, Field(max_length=10_000)] = ""
    model: Annotated[str, Field(max_length=200)] = ""
    planner_model: Annotated[str, Field(max_length=200)] = ""
    checks: list[CheckWish] = Field(default_factory=list, max_length=50)
    setup: list[Line] = Field(default_factory=list, max_length=50)
    gates: bool = True
    accept_base: bool = False
    on_failure: Literal["pause", "fail"] = "pause"
    delivery: DeliveryWish | None = None
    sandbox: Literal["auto", "bubblewrap", "none"] = "auto"
    protected: list[Line] = Field(default_factory=list, max_length=200)
    allow: list[Line] = Field(default_factory=list, max_length=200)
    cassette: Line = ""
    limits: LimitWishes = LimitWishes()

    def options(self, target_type: str, repository: str) -> Options:
        """As the build keeps them. The delivery follows from the target unless it was said."""
        given = self.model_dump(exclude_unset=True, exclude_none=True)
        if target_type == "github_existing":
            given.setdefault("delivery", {"kind": "push", "remote": repository})
        return Options.model_validate(given)


class BuildWish(Asking):
    """A build to start. Target and spec that are left out are those of the project."""

    target_type: TargetType | None = None
    target_ref: Annotated[str, Field(max_length=2_000)] = ""
    base: Annotated[str, Field(max_length=200, description="Branch, tag or commit; else what is checked out.")] = ""
    spec: SpecText = ""
    tasks: TaskList | None = None
    options: OptionWishes = OptionWishes()


def kept_spec(text: str, tasks: list[dict[str, Any]] | None) -> str:
    """A spec as a project keeps it, "" for none. Raises Refused when there are two."""
    if text and tasks is not None:
        raise Refused("there are a spec and a task list", fix="send either `spec` or `tasks`")
    if tasks is not None:
        return json.dumps({"tasks": tasks})
    return json.dumps({"spec": text}) if text else ""


def spec_of(kept: str, title: str) -> Spec:
    """The spec that is kept so. Raises BadSpec, BadGraph."""
    from buildwright.advisors.spec_file import parse_spec

    if not kept:
        raise BadSpec("there is nothing to build", fix="send `spec` (Markdown) or `tasks`, here or with the project")
    given = json.loads(kept)
    if "tasks" in given:
        return parse_spec(json.dumps({"title": title[:200], "tasks": given["tasks"]}), "tasks.json")
    return parse_spec(given["spec"], "spec.md")


def check_target(target_type: str, target_ref: str) -> None:
    """Refuse a target whose kind and address do not fit. Raises BadRepository."""
    if target_type == "github_new":
        raise BadRepository(
            "github_new makes a repository in your account, which comes with GitHub sign-in",
            fix="make the repository yourself and name it as github_existing",
        )
    if target_type == "local_path" and target_ref and not target_ref.startswith("/"):
        raise BadRepository("local_path takes an absolute path", fix="begin it with a slash")
    if target_type == "github_existing" and target_ref.startswith("/"):
        raise BadRepository("github_existing takes the URL of a repository", fix="name a path as local_path")


def address_of(target_type: str, target_ref: str) -> str:
    """The repository that a target means; `owner/name` is one on GitHub. Raises BadRepository."""
    if not target_type or not target_ref:
        raise BadRepository(
            "there is no repository to build on",
            fix="send `target_type` (local_path or github_existing) and `target_ref`, here or with the project",
        )
    check_target(target_type, target_ref)
    if target_type == "github_existing" and _FULL_NAME.fullmatch(target_ref):
        return f"https://github.com/{target_ref.removesuffix('.git')}.git"
    return target_ref
