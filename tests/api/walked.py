"""Every route of the application, found by walking it: a test over these covers a route that is added by itself."""

from __future__ import annotations

import re
from typing import NamedTuple

from fastapi.routing import iter_route_contexts
from starlette.routing import Route, WebSocketRoute

from buildwright.api.app import fastapi_for
from tests.api.seeded import WRITTEN, Seeds

_FILES = ("/static/", "/assets/", "/builds/")
"""Below these lie files of the package: a page is the same for each name in its path, and asks the API for the rest."""


class Path(NamedTuple):
    """A path of the application with one of its methods; `WEBSOCKET` for those that upgrade."""

    method: str
    path: str

    def at(self, seeds: Seeds) -> str:
        """The path with the names of real things in it."""
        known = {
            "build_id": seeds.finished,
            "project_id": seeds.project,
            "projectId": seeds.execution,
            "task_id": seeds.event,
            "task": "a",
            "path": WRITTEN,
            "answer_id": "A1",
            "number": "1",
            "name": "docs.js",
            "file": "events.jsonl",
            "contract_type": "ui",
            "lesson_id": seeds.lesson,
            "user_id": "ann",
            "token_id": "none",
            "repository_id": seeds.connected,
            "audit_id": seeds.audit,
            "comment_id": seeds.comment,
        }
        return re.sub(r"\{(\w+)(:\w+)?\}", lambda found: known[found[1]], self.path)

    @property
    def names_something(self) -> bool:
        return "{" in self.path and not self.path.startswith(_FILES)


def walked() -> tuple[Path, ...]:
    """All of them, in order of path."""
    found: set[Path] = set()
    for context in iter_route_contexts(fastapi_for().routes):
        route = context.original_route
        if isinstance(route, WebSocketRoute):
            found.add(Path("WEBSOCKET", route.path))
        else:
            assert isinstance(route, Route), f"{route} is of a kind that no test of this folder knows"
            found |= {Path(method, route.path) for method in route.methods or ()}
    return tuple(sorted(found, key=lambda one: (one.path, one.method)))


WALKED = walked()
HTTP = tuple(one for one in WALKED if one.method != "WEBSOCKET")
SOCKETS = tuple(one for one in WALKED if one.method == "WEBSOCKET")
