"""What the OpenAPI description says beyond the routes: callers, refusals of bodies, links. Must never name a route.

It goes by rules, so that a new route has all of it too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from buildwright.api.guard import COOKIE, PUBLIC
from buildwright.api.problems import Problem, responses
from buildwright.wiring.github_sign_in import CALLBACK

KEYED: dict[str, Any] = {
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "The same request with the same key is carried out once, within six hours.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[!-~]([ -~]{0,253}[!-~])?$"},
        }
    ]
}
"""The `openapi_extra` of a route that takes an idempotency key."""

_METHODS = ("get", "post", "put", "patch", "delete")
_IDS = {
    "build_id": ("build_id", "executionId"),
    "project_id": ("project_id", "id"),
    "task_id": ("task_id",),
    "projectId": (),
}
"""For each parameter of a path, the fields of an answer that may hold it, in order; without any, the body holds it."""

_Operation = tuple[str, str, dict[str, Any]]


def complete(description: dict[str, Any]) -> None:
    """Add to a description of the routes, in place, what all of them have in common."""
    parts = description["components"]
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    parts["schemas"] |= {**problem.pop("$defs", {}), "Problem": problem}
    parts["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "`buildwright token` prints one."},
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "Of a browser that signed in."},
    }
    description["security"] = [{"bearer": []}, {"session": []}]
    operations = list(_operations(description))
    for method, path, operation in operations:
        answers = operation["responses"]
        if told := operation.get("description"):  # what it does, instead of the name of a function
            operation["summary"] = re.split(r"[.:;](?:\s|$)", told, maxsplit=1)[0].replace("\n", " ")
        if path in PUBLIC:
            operation["security"] = []
            if method == "get" and path != CALLBACK:  # there the browser has to prove that it began to sign in
                answers.pop("401", None)
        if "requestBody" in operation:
            refusals = {str(status): answer for status, answer in responses(400, 408).items()}
            for status in ("400", "408"):
                answers.setdefault(status, refusals[status])
        if "429" in answers:
            answers["429"]["headers"] = {
                "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
            }
    for _, _, operation in operations:
        _link(operation, operations, parts["schemas"])


def _operations(description: dict[str, Any]) -> Iterator[_Operation]:
    for path, item in description["paths"].items():
        for method in _METHODS:
            if method in item:
                yield method, path, item[method]


def _link(maker: dict[str, Any], operations: list[_Operation], schemas: dict[str, Any]) -> None:
    """Link the answer of an operation that takes an idempotency key to all that can be done with what it starts."""
    if not _is_keyed(maker):
        return
    for status, answer in maker["responses"].items():
        if not status.startswith("2"):
            continue
        schema = {"type": "string", "minLength": 1}
        answer.setdefault("headers", {})["Location"] = {"description": "Where to look at it.", "schema": schema}
        fields, asked = _fields(answer, schemas), _fields(maker.get("requestBody", {}), schemas)
        for parameter, sources in _IDS.items():
            source = next((f"$response.body#/{name}" for name in sources if name in fields), None)
            if source is None and parameter == "projectId" and parameter in asked:
                source = f"$request.body#/{parameter}"
            if source is not None:
                answer.setdefault("links", {}).update(_links(parameter, {parameter: source}, operations, schemas))


def _links(
    parameter: str, taken: dict[str, str], operations: list[_Operation], schemas: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for _, path, operation in operations:
        name = operation["operationId"]
        if f"{{{parameter}}}" in path:
            found[name] = {"operationId": name, "parameters": taken}
        elif parameter == "build_id" and parameter in _fields(operation.get("requestBody", {}), schemas):
            found[name] = {"operationId": name, "requestBody": taken}
    return found


def _is_keyed(operation: dict[str, Any]) -> bool:
    return any(parameter.get("name") == "Idempotency-Key" for parameter in operation.get("parameters", ()))


def _fields(body: dict[str, Any], schemas: dict[str, Any]) -> frozenset[str]:
    """Return the fields of an answer, or of a request's body."""
    return _properties(body.get("content", {}).get("application/json", {}).get("schema", {}), schemas)


def _properties(schema: dict[str, Any], schemas: dict[str, Any]) -> frozenset[str]:
    """Return the fields that a schema has for certain: of alternatives, the fields of all."""
    if "oneOf" in schema and "$ref" not in schema and "properties" not in schema:
        return frozenset.intersection(*(_properties(one, schemas) for one in schema["oneOf"]))
    name = schema.get("$ref", "").rpartition("/")[2]
    return frozenset(schemas.get(name, schema).get("properties", {}))
