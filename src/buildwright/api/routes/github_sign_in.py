"""Signing in with GitHub. Must never send a token to the browser, nor say more than that it did not work."""

from __future__ import annotations

from contextlib import suppress
from html import escape
from typing import Annotated

from fastapi import Query, Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from buildwright.api.bodies import Router
from buildwright.api.browser import FRONT, page_at, sends_form
from buildwright.api.guard import identify, same_site
from buildwright.api.problems import responses
from buildwright.api.routes.sign_in import give_session, is_public_over_tls
from buildwright.api.routes.web import PAGE_HEADERS, head_links
from buildwright.api.state import ServerState, SiteOf
from buildwright.errors import Forbidden, Unauthorized
from buildwright.wiring.github_sign_in import CALLBACK, SECONDS

router = Router(tags=["signing in"])

BEGUN = "buildwright_github"
"""The cookie of a sign-in under way. It comes back with a page of GitHub, so it cannot be for this site's pages alone."""
_PLACE = "/auth/github"
_LONGEST = 2_000
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Signed in - Buildwright</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="0;url={there}">{links}</head>
<body><main class="plain"><h1>Buildwright</h1><p>You are signed in. <a href="{there}">Continue</a></p></main></body></html>"""


class SignInAddress(BaseModel):
    """Where to send the browser."""

    address: str = Field(description="A page of GitHub. It leads back to this server.")


@router.post(_PLACE, responses=responses(403), response_model=SignInAddress)
async def begin(
    request: Request,
    site: SiteOf,
    there: Annotated[str, Query(alias="next", description="The page to go to afterwards.")] = FRONT,
) -> Response:
    """Begin to sign in with GitHub: returns the address to go to, and a cookie that the browser has to bring back.

    A page without a script is led there. A user with a session links the account.
    """
    if not same_site(site, request.headers):
        raise Forbidden("another site's page sent this request", fix="open the page for signing in of this server")
    user_id = await _signed_in(site, request)
    begun = site.github_sign_in.begin(page_at(there), user_id)
    form = sends_form(request.headers)
    answer = RedirectResponse(begun.address, 303) if form else JSONResponse({"address": begun.address})
    answer.set_cookie(
        BEGUN,
        begun.cookie,
        max_age=SECONDS,
        httponly=True,
        samesite="lax",
        path=_PLACE,
        secure=is_public_over_tls(site),
    )
    return answer


async def _signed_in(site: ServerState, request: Request) -> str:
    """Return the user of the request's session, "" without one: the path is open to all, so no guard has looked yet."""
    with suppress(Unauthorized):
        return (await identify(site, request.headers, request.method)).user_id
    return ""


@router.get(CALLBACK, response_class=HTMLResponse, responses=responses(403, 409))
async def end(
    request: Request,
    site: SiteOf,
    code: Annotated[str, Query(max_length=_LONGEST)] = "",
    state: Annotated[str, Query(max_length=_LONGEST)] = "",
) -> Response:
    """End signing in with GitHub: its page leads here. Answers with the session's cookie and a page that leads on.

    A cookie for this site's pages alone is not sent while another site leads here, so the page leads on by itself.
    """
    ended = await site.github_sign_in.end(request.cookies.get(BEGUN, "")[: 2 * _LONGEST], code, state)
    page = _PAGE.format(there=escape(ended.there), links=head_links())
    answer = HTMLResponse(page, headers=PAGE_HEADERS)
    answer.delete_cookie(BEGUN, path=_PLACE, httponly=True, samesite="lax")
    give_session(answer, site, ended.user_id, site.app.clock.now())
    return answer
