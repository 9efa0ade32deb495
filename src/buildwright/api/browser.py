"""What a request tells of its client: a browser that opens a page or sends a form, or a program. Must never decide on rights."""

from __future__ import annotations

import re

from starlette.datastructures import Headers

FRONT = "/"
_QUERY = re.compile(r"[A-Za-z0-9._~!$*+,;=:@/?&%-]{0,1000}")
"""Of an address to go to after signing in: what needs no quotes in a header or in a page."""
_PAGE = re.compile(
    r"/|/costs|/team|/repositories|/settings|/new|/builds/[A-Za-z0-9-]{1,64}(/(log|plan|review|attempts|files|costs|complete))?"
    r"|/projects/[A-Za-z0-9-]{1,64}(/(interview|contracts))?"
)


def is_page(path: str) -> bool:
    """Return whether a page is at this path."""
    return _PAGE.fullmatch(path) is not None


def page_at(address: str) -> str:
    """Return a path with its query if a page of this server is at the path, else the first page."""
    path, asks, query = address.partition("?")
    known = is_page(path) and (not asks or _QUERY.fullmatch(query))
    return address if known else FRONT


def wants_page(method: str, headers: Headers) -> bool:
    """Return whether a person asks with a browser: for a page, and without a token."""
    asks = method in {"GET", "HEAD"} and "text/html" in headers.get("accept", "")
    return asks and "authorization" not in headers


def sends_form(headers: Headers) -> bool:
    """Return whether a page without a script sends its form: what is answered is shown to a person."""
    return "text/html" in headers.get("accept", "") and "authorization" not in headers
