"""A build that meets its budget: the page says what was spent, what each way on is likely to cost, and takes one."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from buildwright.core import event as e
from buildwright.errors import StaleVersion
from tests.api.conftest import Served, ended, repository, served
from tests.web.conftest import Browse
from tests.web.test_browser import signed_in

__all__ = ["repository", "served"]

pytestmark = pytest.mark.timeout(400)


async def pay(served: Served, build: str, task: str, usd: str) -> None:
    """Give the attempt under way a request to a model, once it runs."""
    builds = served.site.app.builds
    used = e.TokensUsed(task=task, attempt=1, model="large", input_tokens=40_000, cost_usd=Decimal(usd))
    async with asyncio.timeout(30):
        while (await builds.load(build)).task(task).phase != "working":
            await asyncio.sleep(0.05)
        while True:
            try:
                await builds.append(build, await builds.version(build), [used], served.site.app.clock.now())
            except StaleVersion:
                continue
            return


async def test_a_spent_budget_is_seen_and_a_larger_one_is_given_by_keyboard(
    served: Served, repository: Path, tmp_path: Path, browse: Browse
) -> None:
    done = tmp_path / "done"
    options = {
        "agent": "shell",
        "agent_command": f'while [ ! -e "{done}" ]; do sleep 0.1; done; echo x > "$BUILDWRIGHT_TASK_ID.txt"',
        "sandbox": "none",
        "accept_base": True,
        "checks": [{"name": "there", "command": "true"}],
        "limits": {"budget_usd": "1"},
    }
    tasks = [{"id": "greet", "title": "Greet"}, {"id": "wave", "title": "Wave", "depends_on": ["greet"]}]
    wanted = {"repository": str(repository), "title": "Spent", "tasks": tasks, "options": options}
    begun = await served.client.post("/api/builds", wanted)
    assert begun.status == 202, begun.text
    build = begun.json["build_id"]
    await pay(served, build, "greet", "1.2")
    assert (await ended(served.client, build))["pause"]["reason"] == "budget"
    said = await browse("budget.mjs", **signed_in(served), next=f"/builds/{build}")
    done.touch()
    assert said["faults"] == []
    assert not said["found"], "\n".join(said["found"])
    assert "$1.20 of a budget of $1.00 are spent" in said["why"]
    assert "2 tasks still to do" in said["why"]
    assert "$1.20" in said["spent"]
    assert "$1.20" in said["costs"]
    status = await ended(served.client, build)
    assert (status["outcome"], Decimal(status["budget_usd"])) == ("succeeded", Decimal("2.40"))
