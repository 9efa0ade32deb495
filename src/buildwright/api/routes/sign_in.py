"""Signing in with the one-time token that the server prints, and tickets for WebSockets. Must never keep a token."""

from __future__ import annotations

from html import escape
from typing import Any
from urllib.parse import parse_qs

from fastapi import Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, RedirectResponse, Response

from buildwright.api.bodies import Router
from buildwright.api.guard import COOKIE, same_site
from buildwright.api.problems import responses
from buildwright.api.state import CallerOf, SiteOf
from buildwright.errors import Forbidden, Refused, Unauthorized

router = Router(tags=["signing in"])

SESSION_SECONDS = 12 * 3600.0
TICKET_SECONDS = 30.0

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sign in - Buildwright</title></head>
<body><main><h1>Buildwright</h1><p>{words}</p>{form}</main></body></html>"""
_FORM = """<form method="post" action="/sign-in"><label>Token <input name="token" value="{token}" required autofocus
autocomplete="off"></label> <button>Sign in</button></form>"""


class Me(BaseModel):
    """The signed-in user."""

    user_id: str
    kind: str = Field(description="`session` or `bearer`.")


class Ticket(BaseModel):
    """A ticket that opens one WebSocket."""

    ticket: str
    seconds: float = Field(description="How long it can be used.")


@router.get("/sign-in", response_class=HTMLResponse, responses=responses())
async def sign_in_page(token: str = "") -> Response:
    """Return a page with the token and one button.

    Reading it signs no user in, so a link preview cannot use up the token.
    """
    return HTMLResponse(_PAGE.format(words="Press the button to sign in.", form=_FORM.format(token=escape(token))))


_FIELDS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {"type": "object", "properties": {"token": {"type": "string"}}, "required": ["token"]}
            }
        },
    }
}


@router.post(
    "/sign-in", response_class=RedirectResponse, status_code=303, responses=responses(403), openapi_extra=_FIELDS
)
async def sign_in(request: Request, site: SiteOf) -> Response:
    """Trade a one-time token for a session cookie. The body is a form with the field `token`."""
    if not same_site(site, request.headers):
        raise Forbidden("another site's page sent this request", fix="open the address that the server printed")
    try:
        fields = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=8)
    except ValueError as error:
        raise Refused("the form has too many fields", fix="send the field `token` alone") from error
    now = site.app.clock.now()
    claims = site.signer.read(fields.get("token", [""])[0], "sign-in", now)
    if not await site.records.tokens.use(claims.jti, claims.expires_at, now):
        raise Unauthorized("this token was used before", fix="get a new one: `buildwright token --sign-in`")
    session = site.signer.issue(claims.user_id, "session", SESSION_SECONDS, now)
    answer = RedirectResponse("/docs", 303)
    answer.set_cookie(COOKIE, session, max_age=int(SESSION_SECONDS), httponly=True, samesite="strict", path="/")
    return answer


@router.post("/sign-out", status_code=204, responses=responses())
async def sign_out(caller: CallerOf) -> Response:  # noqa: ARG001  only a signed-in user can sign out
    """Forget the session in this browser."""
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return answer


@router.get("/auth/me", responses=responses())
async def me(caller: CallerOf) -> Me:
    """Return the signed-in user."""
    return Me(user_id=caller.user_id, kind=caller.kind)


@router.post("/api/tickets", status_code=201, responses=responses())
async def ticket(site: SiteOf, caller: CallerOf) -> Ticket:
    """Return a ticket that opens one WebSocket: `/ws?ticket=...`. It keeps long-lived tokens out of URLs."""
    text = site.signer.issue(caller.user_id, "ticket", TICKET_SECONDS, site.app.clock.now())
    return Ticket(ticket=text, seconds=TICKET_SECONDS)
