"""The pages in a browser: the built files of `web/`, and where each request leads. Must never show anything of a build.

The pages are a program that runs in the browser and stands on the API like any other client.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match
from starlette.types import Scope

from buildwright.api.bodies import Router
from buildwright.api.browser import is_page, wants_page
from buildwright.api.state import CallerOf
from buildwright.api.whole_answers import takes
from buildwright.errors import NotFound

router = Router()


class PageRoute(APIRoute):
    """A route that is there only for a person with a browser: the same path may be one of the API for programs."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether the request is for this page."""
        if scope["type"] != "http" or not wants_page(scope["method"], Headers(scope=scope)):
            return Match.NONE, {}
        return super().matches(scope)


pages = APIRouter(route_class=PageRoute)
"""Pages at paths that programs use as well; it comes before the routes of the API."""

BUNDLE = files("buildwright.api") / "web"
"""What `make web` builds: `index.html`, `assets/` with a hash in each name, and the stamp of the sources."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Nothing from elsewhere, nothing inline, and no text becomes markup or a script."""
PAGE_HEADERS = {"content-security-policy": POLICY, "referrer-policy": "same-origin"}
"""Of every page. Under `no-referrer` browsers send forms with the Origin `null`, as if they came from elsewhere."""
_KINDS = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}
_ENCODINGS = {"br": ".br", "gzip": ".gz"}
"""Compressed copies that lie beside the large files, the smaller ones first."""
_FOR_EVER = "public, max-age=31536000, immutable"


@cache
def _content(name: str) -> bytes:
    return (BUNDLE / name).read_bytes()


def head_links() -> str:
    """Return the style sheet and the icon as they stand in the head of a page without a script."""
    page = _content("index.html").decode()
    (style,) = re.findall(r'href="(/assets/index-[\w-]+\.css)"', page)
    (icon,) = re.findall(r'href="(/assets/[\w-]+\.svg)"', page)
    return f'<link rel="stylesheet" href="{style}"><link rel="icon" href="{icon}" type="image/svg+xml">'


def _names() -> frozenset[str]:
    return frozenset(entry.name for entry in (BUNDLE / "assets").iterdir())


@router.get("/", include_in_schema=False)
async def front(request: Request, caller: CallerOf) -> Response:  # noqa: ARG001  the guard leads a browser to /sign-in
    """Return the first page; lead any other client to the description of the API."""
    if not wants_page(request.method, request.headers):
        return RedirectResponse("/docs", 303)
    return page_at_address(request)


@router.get("/costs", include_in_schema=False)
@router.get("/team", include_in_schema=False)
@router.get("/repositories", include_in_schema=False)
@router.get("/settings", include_in_schema=False)
async def other_page(request: Request, caller: CallerOf) -> Response:  # noqa: ARG001  only for known callers
    """Return a page that is about no build."""
    return page_at_address(request)


@router.get("/builds/{build_id}", include_in_schema=False)
@router.get("/builds/{build_id}/log", include_in_schema=False)
@router.get("/builds/{build_id}/plan", include_in_schema=False)
@router.get("/builds/{build_id}/review", include_in_schema=False)
@router.get("/builds/{build_id}/attempts", include_in_schema=False)
@router.get("/builds/{build_id}/files", include_in_schema=False)
@router.get("/builds/{build_id}/costs", include_in_schema=False)
@router.get("/builds/{build_id}/complete", include_in_schema=False)
async def page(
    request: Request,
    caller: CallerOf,  # noqa: ARG001  only for known callers
    build_id: str,  # noqa: ARG001  read by the page
) -> Response:
    """Return a page of a build. The page itself asks for the build, and whether it may be seen."""
    return page_at_address(request)


@pages.get("/new", include_in_schema=False)
async def page_of_new_project(request: Request, caller: CallerOf) -> Response:  # noqa: ARG001  only for known callers
    """Return the page on which a project begins."""
    return page_at_address(request)


@pages.get("/projects/{project_id}", include_in_schema=False)
@pages.get("/projects/{project_id}/interview", include_in_schema=False)
@pages.get("/projects/{project_id}/contracts", include_in_schema=False)
async def page_of_project(
    request: Request,
    caller: CallerOf,  # noqa: ARG001  only for known callers
    project_id: str,  # noqa: ARG001  read by the page
) -> Response:
    """Return a page of a project. The page itself asks for the project, and whether it may be seen."""
    return page_at_address(request)


@router.get("/assets/{name}", include_in_schema=False)
async def asset(request: Request, name: str) -> Response:
    """Return a script, style sheet or picture of the pages. Its name has its hash. Raises NotFound."""
    kind = _KINDS.get(name.rpartition(".")[2])
    if kind is None or name not in _names():
        raise NotFound("there is no such file", fix="load the page again: it names the files that there are")
    return _answer(request, f"assets/{name}", kind, {"cache-control": _FOR_EVER})


def page_at_address(request: Request) -> Response:
    """Return the page at the address of a request. The program in it says so where there is none."""
    headers = {**PAGE_HEADERS, "cache-control": "no-cache"}
    answer = _answer(request, "index.html", "text/html; charset=utf-8", headers)
    answer.status_code = 200 if is_page(request.url.path) else 404
    return answer


def _answer(request: Request, name: str, kind: str, headers: dict[str, str]) -> Response:
    """Return a file of the bundle, compressed if there is such a copy and the client takes it."""
    headers = {**headers, "vary": "accept, accept-encoding"}
    for encoding, ending in _ENCODINGS.items():
        if takes(request.headers, encoding) and (BUNDLE / f"{name}{ending}").is_file():
            return Response(_content(name + ending), headers={**headers, "content-encoding": encoding}, media_type=kind)
    return Response(_content(name), headers=headers, media_type=kind)
