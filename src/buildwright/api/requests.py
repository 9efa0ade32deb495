"""The build in a request: spec, target and options, each of them bounded. Must never start anything."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from buildwright.core.forges import github_of
from buildwright.core.limits import Delivery, Options
from buildwright.core.narrowed import narrowed
from buildwright.core.spec import Spec
from buildwright.errors import BadRepository, BadSpec, Refused
from buildwright.request_model import GivenAs, RequestModel

TargetType = Literal["local_path", "github_existing", "github_new"]
SpecText = Annotated[str, Field(max_length=9_000_000, description="Markdown: what to build.")]
TaskList = Annotated[
    list[dict[str, Any]], Field(max_length=20_000, description="A complete task list: docs/guides/task-lists.md.")
]

_FULL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")


OptionsRequest = narrowed(
    Options,
    RequestModel,
    delivery=(
        narrowed(Delivery, RequestModel) | None,
        Field(
            None,
            description="Without it: a branch in the repository of `local_path`, a push to that of GitHub otherwise.",
        ),
    ),
)
"""The `Options` that a request may give. Options that are left out have their defaults."""


class BuildRequest(RequestModel):
    """A build to start. Target and spec that are left out are those of the project."""

    target_type: TargetType | None = None
    target_ref: Annotated[str, Field(max_length=2_000)] = ""
    base: Annotated[str, Field(max_length=200, description="Branch, tag or commit; else what is checked out.")] = ""
    spec: SpecText = ""
    tasks: TaskList | None = None
    contracts: bool | None = Field(
        None,
        description="Build from the project's contracts. Left out: if it has any, and the request has no spec or tasks.",
    )
    options: Annotated[Options, GivenAs(OptionsRequest)] = Field(
        default_factory=Options, json_schema_extra={"default": {}}
    )

    def options_for(self, target_type: str, repository: str) -> Options:
        """Return the options that the build keeps.

        The delivery follows from the target unless the request gives one; phases that are audited are marked as
        complete unless it says no.
        """
        options = self.options
        if options.is_audited and "mark_phases" not in options.commits.model_fields_set:
            marking = options.commits.model_copy(update={"mark_phases": True})
            options = options.model_copy(update={"commits": marking})
        if target_type not in {"github_existing", "github_new"}:
            return options
        given = options.delivery if "delivery" in options.model_fields_set else Delivery(kind="push")
        if given.kind in {"push", "pr"} and not given.remote:
            given = given.model_copy(update={"remote": repository})
        return options.model_copy(update={"delivery": given})


def kept_spec(text: str, tasks: list[dict[str, Any]] | None) -> str:
    """Return a spec as a project keeps it, "" for none. Raises Refused when there are two."""
    if text and tasks is not None:
        raise Refused("there are a spec and a task list", fix="send either `spec` or `tasks`")
    if tasks is not None:
        return json.dumps({"tasks": tasks})
    return json.dumps({"spec": text}) if text else ""


def spec_of(kept: str, title: str) -> Spec:
    """Return the spec from its kept form. Raises BadSpec, BadGraph."""
    from buildwright.advisors.spec_file import parse_spec

    if not kept:
        raise BadSpec(
            "there is nothing to build",
            fix="send `spec` (Markdown) or `tasks`, here or with the project, or complete its interview",
        )
    given = json.loads(kept)
    if "tasks" in given:
        return parse_spec(json.dumps({"title": title[:200], "tasks": given["tasks"]}), "tasks.json")
    return parse_spec(given["spec"], "spec.md")


def check_target(target_type: str, target_ref: str) -> None:
    """Check that kind and address of a target fit together. Raises BadRepository."""
    if target_type == "github_new" and target_ref and not _FULL_NAME.fullmatch(target_ref):
        raise BadRepository("github_new takes the name of a repository to make", fix="name it as owner/name")
    if target_type == "local_path" and target_ref and not target_ref.startswith("/"):
        raise BadRepository("local_path takes an absolute path", fix="begin it with a slash")
    if target_type == "github_existing" and target_ref.startswith("/"):
        raise BadRepository("github_existing takes the URL of a repository", fix="name a path as local_path")


def address_of(target_type: str, target_ref: str, environment: Mapping[str, str]) -> str:
    """Return the repository of a target; `owner/name` is one on the GitHub of the environment.

    Raises BadRepository, and BadSettings as `github_of`.
    """
    if not target_type or not target_ref:
        raise BadRepository(
            "there is no repository to build on",
            fix="send `target_type` (local_path, github_existing or github_new) and `target_ref`, here or with the project",
        )
    check_target(target_type, target_ref)
    if target_type == "github_existing" and _FULL_NAME.fullmatch(target_ref):
        return github_of(environment).remote_of(target_ref.removesuffix(".git"))
    return target_ref
