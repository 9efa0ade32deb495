"""How far a build is, as its pages draw it, over HTTP."""

from __future__ import annotations

from pathlib import Path

from tests.api.conftest import SHELL, Served, ended
from tests.api.test_builds import started


async def test_a_build_is_shown_on_its_spec_and_by_its_phases(served: Served, repository: Path) -> None:
    options = {**SHELL, "checks": [{"name": "there", "command": "test -e README.md"}]}
    build = await started(served.client, repository=str(repository), options=options)
    await ended(served.client, build)
    path = f"/api/builds/{build}"
    spec = (await served.client.get(f"{path}/spec-progress")).json
    assert spec["counts"] == {"grey": 0, "blue": 0, "green": 3, "red": 0}
    for task in spec["tasks"]:
        assert (await served.client.get(task["evidence"])).json["commit"] == task["commit"]
    rail = (await served.client.get(f"{path}/phases")).json
    assert [(one["number"], one["done"]) for one in rail["phases"]] == [(1, 3)]
    graph = (await served.client.get(f"{path}/phases/1/graph")).json
    assert {node["id"]: (node["layer"], node["row"]) for node in graph["nodes"]} == {
        "a": (0, 0),
        "b": (1, 0),
        "c": (1, 1),
    }
    assert all(edge["met"] for edge in graph["edges"])
    assert (await served.client.get(f"{path}/messages")).json["messages"] == []
    assert (await served.client.get(f"{path}/choices")).json["paused"] is False
    assert (await served.client.get(f"{path}/forecast")).json["open_tasks"] == 0
    missing = await served.client.get(f"{path}/phases/2/graph")
    assert (missing.status, missing.json["code"]) == (404, "not-found")
    assert (await served.client.get(f"{path}/phases/0/graph")).status == 422
