"""A spec, as records: Markdown, a complete task list, or an interview's artifacts. Pure data; must hold no rule."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import unified_diff
from typing import Literal

from pydantic import Field

from buildwright.core.contracts import BuildContracts
from buildwright.core.graph import Graph
from buildwright.core.record import Record


class ProjectBrief(Record):
    """What the user wants and for whom."""

    title: str = Field(min_length=1)
    summary: str = ""
    goals: tuple[str, ...] = ()
    target_users: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    out_of_scope: tuple[str, ...] = ()


class PlannedFeature(Record):
    """A feature in a plan or product document."""

    name: str = Field(min_length=1)
    description: str = ""
    acceptance: tuple[str, ...] = ()
    priority: Literal["must", "should", "could"] = "must"


class BuildPlan(Record):
    """How it should be built."""

    stack: tuple[str, ...] = ()
    features: tuple[PlannedFeature, ...] = ()
    milestones: tuple[str, ...] = ()
    notes: str = ""


class ProductDocument(Record):
    """What the finished product is."""

    overview: str = ""
    features: tuple[PlannedFeature, ...] = ()
    pages: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    quality: tuple[str, ...] = ()


class Feature(Record):
    """What a spec calls a feature. Each task that builds it names it among its requirements."""

    name: str = Field(min_length=1, max_length=200)
    text: str = ""
    """What the spec says of it."""
    line: int = 0
    """Its line in the spec, from 1; 0 if it has none."""

    def is_named_in(self, requirements: Iterable[str]) -> bool:
        """Return whether one of a task's requirements is this feature's name."""
        return any(line.strip().casefold() == self.name.casefold() for line in requirements)


class Spec(Record):
    """The input of a build. With `graph` set the task list is complete and needs no model."""

    title: str = Field(min_length=1, max_length=200)
    source: str = ""
    """Name of the file it came from, for people to read."""
    form: Literal[
        "markdown",
        "tasks",
        "spec-kit",
        "task-master",
        "openspec",
        "kiro",
        "bmad",
        "backlog",
        "beads",
        "interview",
        "contracts",
    ] = "markdown"
    text: str = ""
    brief: ProjectBrief | None = None
    build_plan: BuildPlan | None = None
    product_doc: ProductDocument | None = None
    features: tuple[Feature, ...] = ()
    """The features that the spec lists; each is in the plan that a model makes of it."""
    graph: Graph | None = None
    contracts: BuildContracts | None = None
    """The contracts that are written into the repository before the first task."""
    notes: tuple[str, ...] = ()
    """What a reader of the file should know: lines that became no task, and marks that do not speak for themselves."""


def text_difference(old: str, new: str) -> list[str]:
    """Return the lines that differ between two texts of a spec, with those around them, as a patch shows them."""
    return list(unified_diff(old.splitlines(), new.splitlines(), "before", "now", lineterm=""))
