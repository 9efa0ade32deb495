"""Signing in with the one-time token that the server prints, and tickets for WebSockets. Must never keep a token."""

from __future__ import annotations

from datetime import datetime, timedelta
from html import escape
from typing import Annotated, Any
from urllib.parse import parse_qs, quote

from fastapi import Query, Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, RedirectResponse, Response

from buildwright.api.bodies import Router
from buildwright.api.browser import FRONT, page_at, sends_form
from buildwright.api.guard import COOKIE, same_site
from buildwright.api.problems import responses
from buildwright.api.routes.web import PAGE_HEADERS, head_links
from buildwright.api.state import CallerOf, ServerState, SiteOf
from buildwright.errors import Forbidden, Refused, Unauthorized
from buildwright.wiring.repositories import public_url

router = Router(tags=["signing in"])

SESSION_SECONDS = 12 * 3600.0
TICKET_SECONDS = 30.0

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} - Buildwright</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
{links}</head>
<body><main class="plain"><h1>Buildwright</h1><p>{words}</p>{form}</main>{script}</body></html>"""
_FORM = """<form method="post" action="/sign-in"><label for="token">One-time token</label><input id="token" name="token"
value="{token}" required autofocus autocomplete="off" spellcheck="false"><input type="hidden" name="next" value="{there}"
><button>Sign in</button></form>"""
_GITHUB = """<form method="post" action="/auth/github?next={there}"><button>Sign in with GitHub</button></form>"""
_OPENED = """if (location.hash === "#open" && !document.prerendering && document.forms[0].token.value)
  document.forms[0].submit();
"""
"""`serve --open` opens the page so that its button need not be pressed. No other address does that."""


class Me(BaseModel):
    """The signed-in user."""

    user_id: str
    kind: str = Field(description="`session` or `bearer`.")
    github_login: str = Field("", description="The user's name at GitHub; empty if no account there is linked.")


class Ticket(BaseModel):
    """A ticket that opens one WebSocket."""

    ticket: str
    seconds: float = Field(description="How long it can be used.")


@router.get("/sign-in", response_class=HTMLResponse, responses=responses())
async def sign_in_page(
    site: SiteOf,
    token: str = "",
    there: Annotated[str, Query(alias="next", description="The page to go to afterwards.")] = FRONT,
    out: Annotated[bool, Query(description="The user has just signed out.")] = False,
) -> Response:
    """Return a page with the token and one button.

    Reading it signs no user in, so a link preview cannot use up the token.
    """
    words = "Press the button to sign in." if token else "Paste what <code>buildwright token --sign-in</code> prints."
    words = f"You are signed out. {words}" if out else words
    form = _FORM.format(token=escape(token), there=escape(page_at(there)))
    script = '<script src="/static/sign-in.js"></script>'
    headers = PAGE_HEADERS
    if site.github_sign_in.is_set_up:
        form += _GITHUB.format(there=quote(page_at(there), safe=""))
        origin = site.connecting.access.site.origin
        policy = PAGE_HEADERS["content-security-policy"].replace("form-action 'self'", f"form-action 'self' {origin}")
        headers = {**PAGE_HEADERS, "content-security-policy": policy}  # a form is led on to there
    page = _PAGE.format(title="Sign in", links=head_links(), words=words, form=form, script=script)
    return HTMLResponse(page, headers=headers)


_FIELDS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "properties": {"token": {"type": "string"}, "next": {"type": "string"}},
                    "required": ["token"],
                }
            }
        },
    }
}


@router.post(
    "/sign-in", response_class=RedirectResponse, status_code=303, responses=responses(403), openapi_extra=_FIELDS
)
async def sign_in(request: Request, site: SiteOf) -> Response:
    """Trade a one-time token for a session cookie. The body is a form with the field `token`, and `next`: a page."""
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
    await site.people.admit(claims, now)
    answer = RedirectResponse(page_at(fields.get("next", [FRONT])[0]), 303)
    give_session(answer, site, claims.user_id, now)
    return answer


def give_session(answer: Response, site: ServerState, user_id: str, now: datetime) -> None:
    """Add the cookie of a new session. Where the public address is https, browsers send it over nothing else."""
    session = site.signer.issue(user_id, "session", SESSION_SECONDS, now)
    answer.set_cookie(
        COOKIE,
        session,
        max_age=int(SESSION_SECONDS),
        httponly=True,
        samesite="strict",
        path="/",
        secure=is_public_over_tls(site),
    )


def is_public_over_tls(site: ServerState) -> bool:
    """Return whether others reach this server by an https address."""
    return public_url(site.app.settings.environment).startswith("https://")


@router.post("/sign-out", status_code=204, responses=responses())
async def sign_out(request: Request, site: SiteOf, caller: CallerOf) -> Response:
    """End the session of this browser: its cookie counts nowhere any more, and its streams end. A bearer token stays.

    A page is led to the one for signing in.
    """
    if caller.kind == "session":
        now = site.app.clock.now()
        await site.sessions.end(caller.session, now + timedelta(seconds=SESSION_SECONDS), now)
    answer = RedirectResponse("/sign-in?out=true", 303) if sends_form(request.headers) else Response(status_code=204)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return answer


@router.get("/static/sign-in.js", include_in_schema=False)
async def opened() -> Response:
    """Return the script of the page for signing in."""
    return Response(_OPENED, media_type="text/javascript")


@router.get("/auth/me", responses=responses())
async def me(site: SiteOf, caller: CallerOf) -> Me:
    """Return the signed-in user."""
    known = await site.records.users.find(caller.user_id)
    login = (known.github_login if known is not None else "") or ""
    return Me(user_id=caller.user_id, kind=caller.kind, github_login=login)


@router.post("/api/tickets", status_code=201, responses=responses())
async def ticket(site: SiteOf, caller: CallerOf) -> Ticket:
    """Return a ticket that opens one WebSocket: `/ws?ticket=...`. It keeps long-lived tokens out of URLs."""
    text = site.signer.issue(caller.user_id, "ticket", TICKET_SECONDS, site.app.clock.now(), caller.session)
    return Ticket(ticket=text, seconds=TICKET_SECONDS)
