"""Reads artifacts of an interview: `{brief, build_plan, product_doc}`, or those under `seed`. Must never do I/O."""

from __future__ import annotations

from typing import Any, Final

from buildwright.advisors.documents import validate
from buildwright.core.record import Record
from buildwright.core.spec import BuildPlan, ProductDocument, ProjectBrief, Spec

ARTIFACTS: Final = frozenset({"brief", "build_plan", "product_doc"})


class Seed(Record):
    """The document."""

    brief: ProjectBrief
    build_plan: BuildPlan | None = None
    product_doc: ProductDocument | None = None


class SeededRequest(Record):
    """The document as it is sent to start a build."""

    seed: Seed
    project_id: str = ""


def parse_interview(data: dict[str, Any], text: str, name: str) -> Spec:
    """Return the spec. Raises BadSpec with the key."""
    seed = validate(SeededRequest, data, name).seed if "seed" in data else validate(Seed, data, name)
    return Spec(
        title=seed.brief.title[:200],
        source=name,
        form="interview",
        text=text,
        brief=seed.brief,
        build_plan=seed.build_plan,
        product_doc=seed.product_doc,
    )
