"""Writes web/openapi.json: what the API's description says of the paths that the pages use, and the frames of the stream.

python web/scripts/describe.py            write it
python web/scripts/describe.py --check    exit with 1 when it is stale
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from buildwright.api.app import fastapi_for

PLACE = Path(__file__).parents[1] / "openapi.json"
BUILD = "/api/builds/{build_id}"
PROJECT = "/projects/{project_id}"
USED = {
    "/api/builds": ("get",),
    BUILD: ("get",),
    f"{BUILD}/choices": ("get",),
    f"{BUILD}/costs": ("get",),
    f"{BUILD}/file": ("get",),
    f"{BUILD}/gates": ("get",),
    f"{BUILD}/instructions": ("get",),
    f"{BUILD}/moments": ("get",),
    f"{BUILD}/review": ("get", "post"),
    f"{BUILD}/attempts": ("get",),
    f"{BUILD}/summary": ("get",),
    f"{BUILD}/tree": ("get",),
    "/api/costs": ("get",),
    f"{BUILD}/forecast": ("get",),
    f"{BUILD}/phases": ("get",),
    f"{BUILD}/phases/{{number}}/graph": ("get",),
    f"{BUILD}/spec-progress": ("get",),
    f"{BUILD}/logs": ("get",),
    f"{BUILD}/why/{{task}}": ("get",),
    f"{BUILD}/pause": ("post",),
    f"{BUILD}/resume": ("post",),
    f"{BUILD}/say": ("post",),
    f"{BUILD}/deliver": ("post",),
    f"{BUILD}/stop": ("post",),
    f"{BUILD}/messages": ("get",),
    f"{BUILD}/plan": ("get", "put"),
    f"{BUILD}/plan/tasks": ("get",),
    f"{BUILD}/plan/without/{{task}}": ("get",),
    "/projects": ("get",),
    PROJECT: ("get",),
    f"{PROJECT}/page": ("get",),
    f"{PROJECT}/build": ("post",),
    f"{PROJECT}/build/plan": ("post",),
    f"{PROJECT}/questionnaire/state": ("get",),
    f"{PROJECT}/contracts": ("get",),
    f"{PROJECT}/contracts/draft": ("get",),
    f"{PROJECT}/contracts/take": ("post",),
    f"{PROJECT}/contracts/{{contract_type}}": ("get", "put"),
    f"{PROJECT}/contracts/{{contract_type}}/rewrite": ("post",),
    f"{PROJECT}/contracts/{{contract_type}}/versions": ("get",),
    f"{PROJECT}/contracts/comments": ("get",),
    f"{PROJECT}/contracts/comments/{{comment_id}}/resolve": ("post",),
    f"{PROJECT}/contracts/{{contract_type}}/comments": ("post",),
    f"{PROJECT}/contracts/{{contract_type}}/diff": ("get",),
    "/api/targets": ("get",),
    "/api/targets/check": ("post",),
    "/api/home": ("get",),
    "/api/server": ("get",),
    "/api/server/agents": ("get",),
    "/api/team": ("get",),
    "/repos": ("get",),
    "/repos/connected": ("get",),
    "/repos/connect": ("post",),
    "/repos/{repository_id}/disconnect": ("post",),
    "/repos/{repository_id}/audits": ("get",),
    "/repos/{repository_id}/audits/{audit_id}": ("get",),
    "/auth/me": ("get",),
    "/health/version": ("get",),
}
"""Paths and methods that the pages use. Another one that a page asks has no type, which fails the check of types."""

_TEXT = {"type": "string"}
_NUMBER = {"type": "integer"}


def _record(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


_PLACES = {"type": "object", "additionalProperties": _record({"line": _NUMBER})}
"""Places in builds by their ids."""

FRAMES: dict[str, Any] = {
    "StreamLine": _record(
        {
            "seq": _NUMBER,
            "ts": _TEXT,
            "task": _TEXT,
            "attempt": _NUMBER,
            "kind": _TEXT,
            "level": {"enum": ["info", "warning", "error"]},
            "text": _TEXT,
        }
    ),
    "StreamPayload": _record(
        {},
        {
            "executionId": _TEXT,
            "seq": _NUMBER,
            "event": _TEXT,
            "cursor": _TEXT,
            "after": _TEXT,
            "why": _TEXT,
            "resume": {"enum": ["live", "replay", "reset"]},
            "head": _PLACES,
            "oldest": _PLACES,
            "lines": {"type": "array", "items": {"$ref": "#/components/schemas/StreamLine"}},
        },
    ),
    "StreamFrame": _record(
        {
            "type": _TEXT,
            "ts": _TEXT,
            "projectId": _TEXT,
            "payload": {"$ref": "#/components/schemas/StreamPayload"},
        }
    ),
}
"""The frames of `/ws/devteam` as far as the pages read them; the description of paths cannot have them."""


def description() -> dict[str, Any]:
    """The part of the API's description that the pages stand on, with everything it names."""
    whole = fastapi_for().openapi()
    paths = {
        path: {method: _bare(whole["paths"][path][method]) for method in methods} for path, methods in USED.items()
    }
    schemas = whole["components"]["schemas"]
    wanted, found = _named(paths), dict(FRAMES)
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = schemas[name]
            wanted |= _named(schemas[name])
    return {
        "openapi": whole["openapi"],
        "info": {"title": "What the pages use", "version": "1"},
        "paths": paths,
        "components": {"schemas": {name: found[name] for name in sorted(found)}},
    }


def _bare(operation: dict[str, Any]) -> dict[str, Any]:
    """An operation with its input and its good answers: problems have one form everywhere."""
    kept = {name: operation[name] for name in ("parameters", "requestBody") if name in operation}
    good = {code: answer for code, answer in operation["responses"].items() if code.startswith("2")}
    return {**kept, "responses": {code: {k: v for k, v in one.items() if k != "links"} for code, one in good.items()}}


def _named(part: Any) -> set[str]:
    return set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(part)))


def text() -> str:
    """The file's content."""
    return json.dumps(description(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] != ["--check"]:
        PLACE.write_text(text(), encoding="utf-8")
    elif PLACE.read_text(encoding="utf-8") != text():
        sys.exit("web/openapi.json is stale: make web")
