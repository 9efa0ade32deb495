"""Routes about the server itself: its health, version, metrics and API description. Must never tell of a build.

`/health`, `/health/version` and the API's description need no caller; `/metrics` does.
"""

from __future__ import annotations

from importlib import metadata
from importlib.resources import as_file, files
from pathlib import Path

from pydantic import BaseModel
from starlette.responses import FileResponse, HTMLResponse, Response

from buildwright.api.bodies import Router
from buildwright.api.problems import responses
from buildwright.api.state import CallerOf, SiteOf
from buildwright.errors import NotFound

router = Router(tags=["health"])

_DOCS_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Buildwright API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/static/swagger-ui.css"></head>
<body><div id="swagger-ui"></div><script src="/static/swagger-ui-bundle.js"></script>
<script src="/static/docs.js"></script></body></html>"""
_DOCS_START = """SwaggerUIBundle({url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, persistAuthorization: false});
"""
_DOCS_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; "
    "base-uri 'none'"
)
"""Swagger UI sets styles on its elements and has its pictures inside its style sheet."""
_DOCS_FILES = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
_TEXT = {"text/plain": {"schema": {"type": "string"}}}


class Health(BaseModel):
    """The health of the server: it answers."""

    status: str = "ok"


class Version(BaseModel):
    """The version of the server that answers."""

    version: str
    phase: str


@router.get("/health", responses=responses())
async def health() -> Health:
    """Return whether the server answers."""
    return Health()


@router.get("/health/version", responses=responses())
async def version() -> Version:
    """Return the version of the server."""
    return Version(version=number(), phase="serve")


def number() -> str:
    """Return the version of the installed package."""
    try:
        return metadata.version("buildwright")
    except metadata.PackageNotFoundError:
        return "unknown"


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"description": "Prometheus' text format", "content": _TEXT}, **responses()},
)
async def metrics(site: SiteOf, caller: CallerOf) -> Response:  # noqa: ARG001  only for known callers
    """Return counters, gauges and histograms; docs/guides/monitoring.md says what each means."""
    meters = site.app.meters
    if site.app.in_cluster:
        meters.show_workers(await site.app.board.workers())
    text, media_type = meters.render()
    return Response(text, media_type=media_type)


@router.get("/docs", include_in_schema=False)
async def docs() -> Response:
    """Return the page that describes the API. Swagger UI is installed: nothing is loaded from elsewhere."""
    return HTMLResponse(_DOCS_PAGE, headers={"content-security-policy": _DOCS_POLICY})


@router.get("/static/{name}", include_in_schema=False)
async def static(name: str) -> Response:
    """Return a file of that page. Raises NotFound."""
    if name == "docs.js":
        return Response(_DOCS_START, media_type="text/javascript")
    if name not in _DOCS_FILES:
        raise NotFound("there is no such file", fix="see /docs")
    with as_file(files("fastapi_offline") / "static" / name) as path:
        return FileResponse(Path(path), media_type=_DOCS_FILES[name], headers={"cache-control": "max-age=86400"})
