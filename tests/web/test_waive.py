"""Two attempts side by side, and a finding that a person lets pass from the page of its task."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.conftest import Served, ended, repository, served
from tests.git import git
from tests.web.conftest import Browse
from tests.web.test_browser import all_accessible, signed_in

__all__ = ["repository", "served"]

pytestmark = pytest.mark.timeout(400)
COMMAND = (
    "mkdir -p .github/workflows; echo same text > same.txt; "
    'echo "on: push # try $BUILDWRIGHT_ATTEMPT" > .github/workflows/ci.yml'
)


async def test_two_attempts_are_compared_and_one_is_let_pass_by_keyboard(
    served: Served, repository: Path, browse: Browse
) -> None:
    options = {
        "agent": "shell",
        "agent_command": COMMAND,
        "sandbox": "none",
        "checks": [{"name": "there", "command": "true"}],
        "limits": {"attempts": 2},
    }
    tasks = [{"id": "flow", "title": "Add a workflow"}]
    wanted = {"repository": str(repository), "title": "Flow", "tasks": tasks, "options": options}
    begun = await served.client.post("/api/builds", wanted)
    assert begun.status == 202, begun.text
    build = begun.json["build_id"]
    assert (await ended(served.client, build))["pause"]["reason"] == "failure"
    pages = {
        f"/builds/{build}?task=flow": "Asks for your consent",
        f"/builds/{build}/attempts?task=flow": "They differ in 1 of 2 files",
    }
    await all_accessible(browse, served, pages)
    said = await browse(
        "waive.mjs", **signed_in(served), next=f"/builds/{build}?task=flow", reason="we asked for <b>it</b>"
    )
    assert said["faults"] == []
    assert said["asked"] == [served.address]
    assert not said["found"], "\n".join(said["found"])
    assert said["marked"] == ["1", "2"]
    assert said["swapped"] == "1", "the side that was chosen before has the other one now"
    assert "we asked for <b>it</b>" in said["passed"]
    end = await ended(served.client, build)
    assert end["outcome"] == "succeeded", end
    assert "try 2" in git(repository, "show", f"{end['delivered']}:.github/workflows/ci.yml")
    evidence = (await served.client.get(f"/api/builds/{build}/why/flow")).json
    assert [one["reason"] for one in evidence["approvals"]] == ["we asked for <b>it</b>"]
    assert evidence["approvable"] == []
