"""What the generator of requests is told of this API: loaded by it, in its own process. Turns no check off.

A failure is dropped only if no schema can foresee the answer; each kind of these stands in a table with its reason.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response
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
    """Keep it, unless a valid request was refused for what no schema can say."""
    if type(failure).__name__ != "RejectedPositiveData" or response.status_code != 422:
        return True
    problem = json.loads(response.content)
    if problem["code"] == "invalid-input":
        return not all(any(words in error["message"] for words in BY_WORDS) for error in problem["errors"])
    return problem["code"] not in BY_STATE


@schemathesis.hook
def map_body(context: HookContext, body: Any) -> Any:
    """An agent that needs no key of a model, where a request leaves the options to the server: else nothing would start.

    Only what is valid either way is changed, so a body that was made to be refused is refused all the same.
    """
    path = context.operation.path if context.operation is not None else ""
    if not isinstance(body, dict) or not next(_numbers) % 4:
        return body
    if path in {"/api/builds", "/api/build/start", "/api/plans"} and "options" not in body:
        return {**body, "options": {"agent": "noop"}}
    if path in {"/events", "/api/devteam/automation/initialize"} and "repository" in body and "options" not in body:
        return {**body, "options": {"agent": "noop"}}
    if path == "/projects/{project_id}/build" and "options" not in body:
        return {**body, "options": {"agent": "noop", "delivery": {"kind": "none"}}}
    if path in {"/api/machine/builds", "/api/machine/plans"} and body.get("options") == {}:
        return {**body, "options": {"agent": "noop", "lanes": False}}
    return body
