"""The page that describes the API, without anything from elsewhere: Swagger UI is installed. Holds no text of its own."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse, HTMLResponse, Response

from buildwright.errors import NotFound

router = APIRouter(include_in_schema=False)

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Buildwright API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/static/swagger-ui.css"></head>
<body><div id="swagger-ui"></div><script src="/static/swagger-ui-bundle.js"></script>
<script src="/static/docs.js"></script></body></html>"""
_START = """SwaggerUIBundle({url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, persistAuthorization: false});
"""
_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"
"""Swagger UI sets styles on its elements and has its pictures inside its style sheet."""
_FILES = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}


@router.get("/docs")
async def docs() -> Response:
    """The page."""
    return HTMLResponse(_PAGE, headers={"content-security-policy": _POLICY})


@router.get("/static/{name}")
async def static(name: str) -> Response:
    """What the page is made of."""
    if name == "docs.js":
        return Response(_START, media_type="text/javascript")
    if name not in _FILES:
        raise NotFound("there is no such file", fix="see /docs")
    with as_file(files("fastapi_offline") / "static" / name) as path:
        return FileResponse(Path(path), media_type=_FILES[name], headers={"cache-control": "max-age=86400"})
