"""What plans without a build cost, over HTTP on a real server: after a restart too, and for their owner alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.api.conftest import Client, serving
from tests.api.test_questionnaire import playing

PLANNED = {
    "id": "a",
    "title": "A",
    "goal": "write a.txt",
    "files_expected": ["a.txt"],
    "acceptance": ["a.txt is there"],
}
SPEC = {"spec": "# Words\n\nWrite a.txt."}


async def sums(client: Client, by: str) -> list[tuple[str, int, str]]:
    answer = await client.get("/api/costs", params={"by": by})
    return [(one["key"], one["requests"], one["cost_usd"]) for one in answer.json["sums"]]


async def test_plans_are_among_the_costs_of_who_asked_for_them(tmp_path: Path, kept_in: dict[str, str]) -> None:
    usage = {"input": 100_000, "output": 0}
    turns: list[dict[str, Any]] = [
        {"when": {"task": "plan", "contains": "Write a.txt"}, "reply": {"json": {"tasks": [PLANNED]}}, "usage": usage},
        {"when": {"task": "plan"}, "reply": {"text": "I would rather not."}, "usage": usage},
    ]
    wish = {**SPEC, "options": {"planner_model": "claude-sonnet-5-5"}}
    async with playing(tmp_path, turns) as environment:
        async with serving(tmp_path, **environment, **kept_in) as served:
            made = await served.client.post("/api/plans", wish)
            assert made.status == 200, made.text
            assert [task["id"] for task in made.json["tasks"]] == ["a"]
            no_plan = await served.client.post("/api/plans", {**wish, "spec": "# Else\n\nDo it."})
            assert (no_plan.status, no_plan.json["code"]) == (422, "bad-spec")
        async with serving(tmp_path, **environment, **kept_in) as served:
            # The second plan was asked for twice: an answer of the wrong form is sent back once.
            assert await sums(served.client, "model") == [("claude-sonnet-5-5", 3, "0.600000")]
            builds = await sums(served.client, "build")
            assert sorted(number for _, number, _ in builds) == [1, 2]
            assert all(key.startswith("plan-") for key, _, _ in builds)
            assert (await served.client.get("/api/builds")).json["items"] == []
            assert await sums(await served.user("bob"), "day") == []
