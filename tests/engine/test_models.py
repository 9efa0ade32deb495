"""A model that fails gives way within its attempt, alone and in a cluster: the same action begins once more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from buildwright.core.activity import Activity
from buildwright.core.models import NamedModel
from buildwright.ports import Assignment, Builds, Message
from tests.adapters.scripted_agent import Fail, ScriptedAgent, Step, Write
from tests.engine.harness import make_site, tasks


class ByModel:
    """An agent that plays the script of the model that it is to ask."""

    name = "scripted"
    resumes = False
    touches_files = True
    uses_model: Literal["never"] = "never"

    def __init__(self, scripts: Mapping[str, Sequence[Step]]) -> None:
        self._scripts = scripts
        self.asked: list[tuple[int, str]] = []

    async def run(self, assignment: Assignment, inbox: asyncio.Queue[Message]) -> AsyncIterator[Activity]:
        self.asked.append((assignment.attempt, assignment.model))
        played = ScriptedAgent({(assignment.task.id, 0): self._scripts[assignment.model]})
        async for activity in played.run(assignment, inbox):
            yield activity


async def test_an_attempt_goes_on_with_the_fallback_and_with_a_larger_context(tmp_path: Path, builds: Builds) -> None:
    agent = ByModel({"m-small": [Fail("context_length")], "m-large": [Fail("overloaded")], "m-spare": [Write("a.txt")]})
    site = make_site(tmp_path, builds)
    site.agent = agent  # type: ignore[assignment]
    models = (
        NamedModel(name="small", model="m-small", context=1000),
        NamedModel(name="large", model="m-large", context=2000),
        NamedModel(name="spare", model="m-spare", context=500),
    )
    build = await site.build(tasks("a"), gates=False, model="small", models=models, fallback=("spare",))
    assert build.outcome == "succeeded", build.message
    assert agent.asked == [(1, "m-small"), (1, "m-large"), (1, "m-spare")]
    told = [one.event for one in site.journal if one.event.type == "model.chosen"]
    assert [(one.attempt, one.name, one.kind, one.before) for one in told] == [
        (1, "small", "named", ""),
        (1, "large", "context_length", "small"),
        (1, "spare", "overloaded", "large"),
    ]
    assert site.files()["a.txt"]
    assert build.task("a").attempt == 1
