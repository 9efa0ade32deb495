"""The frames of a real build are those that the pages have types for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs

from tests.api.conftest import SHELL, Served, ended, repository, served

__all__ = ["repository", "served"]

DESCRIBED = Path(__file__).parents[2] / "web" / "openapi.json"


async def test_frames_of_a_build_are_as_the_pages_read_them(served: Served, repository: Path) -> None:
    wanted = {
        "repository": str(repository),
        "tasks": [{"id": "a", "title": "First"}],
        "options": {**SHELL, "accept_base": True},
    }
    build = (await served.client.post("/api/builds", wanted)).json["build_id"]
    await ended(served.client, build)
    schemas = json.loads(DESCRIBED.read_text())["components"]["schemas"]
    known = jsonschema_rs.validator_for(
        {"$ref": "#/components/schemas/StreamFrame", "components": {"schemas": schemas}}
    )
    frames: list[dict[str, Any]] = []
    for topics in ("events", "log"):
        frames += (await served.client.get(f"/events?build={build}&limit=100&topics={topics}")).json["frames"]
    assert {frame["type"] for frame in frames} == {"execution-update", "execution-log"}
    for frame in frames:
        assert [error.message for error in known.iter_errors(frame)] == []
        assert frame["payload"]["cursor"], "a page goes on from it"
    for frame in frames:
        if frame["type"] == "execution-update":
            assert frame["payload"]["seq"] > 0
