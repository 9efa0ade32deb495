"""A shown plan is a task list: what is read again has the same tasks, texts and order."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from buildwright.advisors.plan_file import plan_text
from buildwright.advisors.spec_file import parse_spec
from buildwright.core.graph import Graph
from buildwright.core.task import Task, Validation
from buildwright.errors import BadSpec
from buildwright.views.overview import plan_view

ODD = ("yes", "12", "2026-01-01", "a: b # c", "line one\n  line two\n", "é 中 🎉", "- x", "&a *a", "'\"", "~", " lead")
FULL = Graph(
    tasks=(
        Task(id="a", title="First", goal="Do\nthis", files_expected=("a.py",), milestone="M", minutes=2.5),
        Task(
            id="b",
            title="Second: yes",
            goal="no",
            action="create",
            requirements=("r",),
            acceptance=("ok", "yes"),
            depends_on=("a",),
            milestone="N",
            priority=3,
            critical=True,
            tests_first=("c",),
            code_template="x = 1\n\ny = 2\n",
            validation=Validation(command="pytest -q\n", expected="passes"),
        ),
        Task(id="c", title="Third", depends_on=("b",), milestone="N", agent="codex"),
    ),
    milestones=("M", "N"),
    notes="Remember:\nall",
)


@pytest.mark.parametrize("name", ["plan.yaml", "plan.json"])
def test_a_written_plan_is_read_as_the_same_plan(name: str) -> None:
    shown = plan_view(FULL, "Shop: 2").model_dump(mode="json")
    text = (
        plan_text(shown, "The spec") if name == "plan.yaml" else json.dumps({"schema": 1, **shown, "spec": "The spec"})
    )
    read = parse_spec(text, name)
    assert (read.graph, read.title, read.text) == (FULL, "Shop: 2", "The spec")


def test_every_field_of_a_task_is_tried_above() -> None:
    tried = {name for task in FULL.tasks for name, value in task if value != Task.model_fields[name].default}
    assert tried == set(Task.model_fields)


def test_any_text_survives_the_file() -> None:
    choose = random.Random(7)
    for _ in range(60):
        tasks = tuple(
            Task(
                id=str(number),
                title=choose.choice(ODD).strip() or "x",
                goal=choose.choice(ODD),
                acceptance=tuple(choose.choices(ODD, k=2)),
                validation=Validation(command=choose.choice(ODD)) if number % 2 else None,
            )
            for number in range(3)
        )
        graph = Graph(tasks=tasks)
        assert parse_spec(plan_text(plan_view(graph, "T").model_dump(mode="json")), "p.yaml").graph == graph


def test_tasks_without_a_milestone_keep_their_place_before_named_ones() -> None:
    graph = Graph(tasks=(Task(id="a", title="A"), Task(id="b", title="B", milestone="Later")))
    read = parse_spec(plan_text(plan_view(graph, "T").model_dump(mode="json")), "p.yaml").graph
    assert read is not None
    assert (read.tasks, read.milestones) == (graph.tasks, ("", "Later"))


def test_a_misspelt_key_in_a_shown_plan_is_named() -> None:
    shown = plan_view(FULL, "T").model_dump(mode="json")
    shown["tasks"][1]["goall"] = "x"
    with pytest.raises(BadSpec, match=r"tasks\[1\]\.goall.*did you mean 'goal'"):
        parse_spec(json.dumps(shown), str(Path("p.json")))
