"""How far a build is, as its pages draw it, over HTTP."""

from __future__ import annotations

from pathlib import Path

from buildwright.api.responses import estimate_of
from buildwright.core.build import Build
from buildwright.ports import BuildReader
from buildwright.views.estimate import EstimateView
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


async def test_the_builds_before_are_read_once_for_each_version_of_a_build(served: Served, repository: Path) -> None:
    build_id = await started(served.client, repository=str(repository), options=SHELL)
    await ended(served.client, build_id)
    asked: list[int] = []

    async def known(_builds: BuildReader, build: Build) -> EstimateView | None:
        asked.append(build.version)
        return EstimateView(tasks=3, waves=2, basis="prices")

    async def unknown(_builds: BuildReader, build: Build) -> EstimateView | None:
        asked.append(build.version)
        return None

    build = await served.site.seen.newest(build_id)
    for make, found in ((known, 3), (unknown, None)):
        told = [await estimate_of(served.site, build, make) for _ in range(2)]
        assert [one and one.tasks for one in told] == [found, found]
        assert asked == [build.version]
        asked.clear()
    newer = build.evolve({"version": build.version + 1})
    assert await estimate_of(served.site, newer, unknown) is None
    assert asked == [newer.version]
