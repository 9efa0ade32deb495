"""Problem details (RFC 9457): a code, what happened, why, the one fix. Must never show the server's internals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from buildwright import errors
from buildwright.api.fixes import over_http

MEDIA_TYPE = "application/problem+json"


class FieldProblem(BaseModel):
    """One thing that is wrong with the input."""

    pointer: str = Field(
        description="Where it is: a JSON pointer into the body, or `query/NAME`, `path/NAME`, `header/NAME`."
    )
    message: str


class Problem(BaseModel):
    """Why a request was not carried out (RFC 9457)."""

    type: str = Field(description="A URI reference that names the kind of problem.")
    title: str = Field(description="The kind of problem in words.")
    status: int
    code: str = Field(description="The kind of problem for programs; it never changes its meaning.")
    detail: str = Field(description="What happened, and why.")
    fix: str = Field(default="", description="The one thing to do about it.")
    correlationId: str = Field(default="", description="Finds this request in the logs.")  # noqa: N815  the wire's name
    state: str = Field(default="", description="The state that did not allow it, of a conflict.")
    errors: list[FieldProblem] = Field(
        default_factory=list, description="What is wrong with the input, field by field."
    )


_KINDS: tuple[tuple[type[errors.BuildwrightError], int, str, str], ...] = (
    (errors.NotFound, 404, "not-found", "Not found"),
    (errors.BadSpec, 422, "bad-spec", "The spec or task list is not valid"),
    (errors.BadSettings, 422, "bad-settings", "A setting is missing or wrong"),
    (errors.BadRepository, 422, "bad-repository", "The repository cannot be built on"),
    (errors.UnsafePath, 422, "unsafe-path", "The path is not allowed"),
    (errors.Unauthorized, 401, "unauthorized", "Not signed in"),
    (errors.Forbidden, 403, "forbidden", "You may not do this"),
    (errors.TooMany, 429, "too-many", "Too many requests"),
    (errors.KeyReused, 422, "key-reused", "The idempotency key was used for another request"),
    (errors.BudgetSpent, 422, "budget-spent", "A budget is spent"),
    (errors.Refused, 422, "refused", "The request was refused"),
    (errors.BuildIsRunning, 409, "build-is-running", "Another process runs the build"),
    (errors.IllegalMove, 409, "illegal-move", "The state does not allow this"),
    (errors.Conflict, 409, "conflict", "The state does not allow this now"),
    (errors.Unreachable, 503, "unreachable", "A service that is needed does not answer"),
    (errors.DiskFull, 507, "disk-full", "No space is left"),
    (errors.StoreFailed, 503, "store-failed", "The store did not answer"),
    (errors.ModelFailed, 502, "model-failed", "The language model did not answer"),
    (errors.CouldNot, 502, "could-not", "An outside program or service failed"),
)
"""The first class that fits counts, so special classes come before general ones."""

_BY_STATUS = {
    400: "bad-request",
    404: "not-found",
    405: "method-not-allowed",
    408: "too-slow",
    413: "too-large",
    421: "wrong-host",
    431: "headers-too-large",
    503: "overdue",
}
_MOST_ERRORS = 100
"""Errors of one body that an answer lists: a long list of tasks may have the same one in each."""
CODES: Mapping[str, int] = {
    **{code: status for status, code in _BY_STATUS.items()},
    **{code: status for _, status, code, _ in _KINDS},
    "invalid-input": 422,
    "internal": 500,
}
"""Every code with its status, for the documentation."""


def problem_of(error: errors.BuildwrightError, correlation_id: str, *, commands: bool = False) -> Problem:
    """Return the problem for an error of ours. Its fix names paths and fields, or `commands` of the command line."""
    fix = error.fix or ""
    fix = fix if commands else over_http(fix)
    for kind, status, code, title in _KINDS:
        if isinstance(error, kind):
            found = _problem(status, code, title, error.message, fix, correlation_id)
            return found.model_copy(update={"state": str(getattr(error, "state", ""))})
    return internal(correlation_id)


def plain(status: int, title: str, detail: str, fix: str = "", correlation_id: str = "") -> Problem:
    """Return the problem for a request that is wrong itself."""
    return _problem(status, _BY_STATUS.get(status, "bad-request"), title, detail, fix, correlation_id)


def invalid(found: Sequence[Any], body: Any, correlation_id: str) -> Problem:
    """Return the problem for errors that pydantic found in the input, whose body was `body`; it never repeats the input."""
    wrong = [_of_field(item, body) for item in found[:_MOST_ERRORS]]
    first = wrong[0] if wrong else FieldProblem(pointer="", message="the input is not valid")
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    detail = ": ".join(filter(None, (first.pointer, first.message))) + more
    fix = "correct what `errors` lists; the schema is at /openapi.json"
    found_wrong = _problem(422, "invalid-input", "The input is not valid", detail, fix, correlation_id)
    return found_wrong.model_copy(update={"errors": wrong})


def _of_field(item: Any, body: Any) -> FieldProblem:
    if item["type"] == "json_invalid":  # the place is the number of a character, not a pointer
        why = item.get("ctx", {}).get("error", "")
        return FieldProblem(pointer="", message=f"the body is not JSON: {why} (at character {item['loc'][-1]})")
    return FieldProblem(
        pointer=_pointer(item["loc"], body, missing=item["type"] == "missing"), message=str(item["msg"])
    )


def internal(correlation_id: str) -> Problem:
    """Return the problem for an unforeseen error. The log has the error under the correlation id."""
    detail = "unexpected error in the server"
    fix = "try again; if it stays, look for the correlationId in the server's log"
    return _problem(500, "internal", "The server failed", detail, fix, correlation_id)


def _problem(status: int, code: str, title: str, detail: str, fix: str, correlation_id: str) -> Problem:
    about = {"title": title, "detail": detail, "fix": fix, "correlationId": correlation_id}
    return Problem(type=f"/problems/{code}", status=status, code=code, **about)


def response(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the problem as an answer."""
    return JSONResponse(problem.model_dump(exclude_defaults=True), problem.status, dict(headers or {}), MEDIA_TYPE)


def _pointer(place: Sequence[str | int], body: Any, *, missing: bool) -> str:
    """Return the pointer to a place. Of a body only what it has counts, and the last part of what is missing in it.

    Where a field may have several forms, pydantic puts the name of a class or of a check among the keys.
    """
    first, *parts = [*place] or [""]
    kept: list[str] = []
    at, is_read = body, isinstance(body, dict | list)
    for number, part in enumerate(parts, 1):
        is_there = part in at if isinstance(at, dict) else isinstance(at, list) and part in range(len(at))
        if first != "body" or not is_read or is_there or (missing and number == len(parts)):
            kept.append(str(part).replace("~", "~0").replace("/", "~1"))
        at = at[part] if is_there else at
    return "/".join(["" if first == "body" else str(first), *kept])


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI entries for the problems that a route can answer with.

    Without a `model`, for which FastAPI would make a validator for each status of each route at every start; the schema
    is added once (`openapi.complete`).
    """
    return {
        status: {
            "description": "Problem",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in sorted({401, 413, 421, 422, 429, 431, 500, 503, *statuses})
    }


def without_inside(problem: Problem, log: Callable[..., None]) -> Problem:
    """Log a problem of the store, and return it without details: they name files, tables and hosts of the server."""
    said = {"error": problem.detail, "fix": problem.fix, "correlationId": problem.correlationId}
    log(problem.code, level="error", **said)
    detail = "the server cannot read or write what it keeps"
    fix = "try again in some seconds; the server's log says more, under the correlationId"
    return problem.model_copy(update={"detail": detail, "fix": fix})
