"""What the generator of requests is told of this API: loaded by it, in its own process. Turns no check off.

A failure is dropped only if no schema can foresee the answer; each kind of these stands in a table with its reason.
"""

from __future__ import annotations

import itertools
import json
import os
from typing import Any

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response
from schemathesis.generation import GenerationMode
from schemathesis.generation.case import Case
from schemathesis.hooks import HookContext

BY_STATE = {
    "refused": "a cursor that was never given out; a spec and a task list at once",
    "bad-repository": "whether a repository is there, and may be built on, is known to the disk alone",
    "bad-settings": "a key of a model, or a repository, is missing where the server runs",
    "bad-spec": "cycles, unknown dependencies, and what stands in the text of a spec",
    "unsafe-path": "paths that lead out of a repository",
    "key-reused": "the same idempotency key with another body",
}
"""Codes of 422 that a request with a valid schema can get, and why."""
BY_WORDS = {
    "has a NUL character": "PostgreSQL keeps none",
    "has half a character": "JSON can spell a lone surrogate, and no database keeps it",
    "nested more than": "JSON Schema has no word for depth",
    r"should match pattern '\\S'": "which letters are white differs between engines of regular expressions",
    "needs a message": "two fields that depend on each other",
}
"""The same for words of `invalid-input`: what validators say that JSON Schema cannot."""
_numbers = itertools.count()


@schemathesis.hook
def map_headers(context: HookContext, headers: dict[str, Any] | None) -> dict[str, Any] | None:
    """Three of four idempotency keys are new ones: else nearly every start would be refused for its key."""
    key = headers.get("Idempotency-Key") if headers else None
    number = next(_numbers)
    if headers and isinstance(key, str) and key and key.isascii() and key.isprintable() and number % 4:
        return {**headers, "Idempotency-Key": f"{key[:200]}-{number}".strip()}
    return headers


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
    """Keep it, unless a valid request was refused for what no schema can say, or what was sent was no HTTP at all."""
    if response.content == b"Invalid HTTP request received.":
        return False
    if type(failure).__name__ != "RejectedPositiveData" or response.status_code != 422:
        return True
    problem = json.loads(response.content)
    if problem["code"] == "invalid-input":
        return not all(any(words in error["message"] for words in BY_WORDS) for error in problem["errors"])
    return problem["code"] not in BY_STATE


_TASKS = [{"id": "a", "title": "First"}, {"id": "b", "title": "Second", "depends_on": ["a"]}]
_NOOP = {"agent": "noop", "delivery": {"kind": "none"}}
_PLAN: dict[str, Any] = {"tasks": _TASKS, "spec": None, "base": "", "repository": "", "options": _NOOP}
_ORDER: dict[str, Any] = {
    **_PLAN,
    "repository": os.environ["FUZZED_REPOSITORY"],
    "workflow": "DEVTEAM_AUTOMATION",
}
_BUILD = {"options": _NOOP, "target_type": None, "target_ref": "", "base": "", "spec": ""}
STARTS: dict[str, dict[str, Any]] = {
    "/api/builds": _PLAN,
    "/api/plans": _PLAN,
    "/api/build/start": {name: value for name, value in _PLAN.items() if name != "spec"},
    "/api/devteam/automation/initialize": _ORDER,
    "/events": _ORDER,
    "/projects/{project_id}/build": _BUILD,
    "/projects/{project_id}/build/plan": _BUILD,
}
"""Values with which these start something: most of what can be generated needs a key of a model, or a repository."""


@schemathesis.hook
def map_case(context: HookContext, case: Case[Any]) -> Case[Any]:
    """Two of three valid requests that start something have what it takes. Those made to be refused are left as they are."""
    fitting = STARTS.get(case.operation.path)
    valid = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
    if (
        fitting
        and valid
        and isinstance(case.body, dict)
        and case.body.get("type") != "project.note"
        and next(_numbers) % 3
    ):
        case.body = {**case.body, **fitting}
        if "seed" in case.body:
            case.body["seed"] = {}
    return case
