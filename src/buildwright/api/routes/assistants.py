"""The path for assistants: tools by the Model Context Protocol. Must never hold a tool."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from buildwright.api.assistants import PATH
from buildwright.api.bodies import Router
from buildwright.api.guard import is_own_origin
from buildwright.api.state import caller_of, state_of
from buildwright.errors import Forbidden

router = Router()


class _Passed(Response):
    """An answer that the tools send themselves, piece by piece."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the request answered."""
        await state_of(Request(scope)).assistants.answer(scope, receive, send)


async def assistants(request: Request) -> Response:
    """Take a message of an assistant. A cookie is not enough: no page of a browser is to reach the tools."""
    if caller_of(request).kind != "bearer":
        raise Forbidden("tools take a token, not the cookie of a page", fix="send `Authorization: Bearer TOKEN`")
    if request.headers.getlist("origin") and not is_own_origin(state_of(request), request.headers):
        raise Forbidden("a page of another site sent this request", fix="use an assistant, not a page")
    return _Passed()


router.add_route(PATH, assistants, methods=["POST"], include_in_schema=False)
