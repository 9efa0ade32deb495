"""The ASGI application, made from settings and an App, with all that its routes need. Must never hold a route."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp

from buildwright import errors
from buildwright.api import fixes
from buildwright.api.browser import wants_page
from buildwright.api.description import ApiDescription
from buildwright.api.guard import Guard
from buildwright.api.idempotency import IdempotentRequest
from buildwright.api.openapi import complete
from buildwright.api.problems import internal, invalid, plain, problem_of, response, without_inside
from buildwright.api.rates import Rates
from buildwright.api.routes import (
    assistants,
    audit,
    build,
    builds,
    contracts,
    costs,
    devteam,
    event_files,
    events,
    github_sign_in,
    home,
    lessons,
    meta,
    plan_file,
    progress,
    project_builds,
    project_page,
    projects,
    questionnaires,
    repositories,
    results,
    server,
    sign_in,
    sockets,
    stats,
    steer,
    streams,
    team,
    web,
    webhooks,
)
from buildwright.api.settings import check, host_names
from buildwright.api.state import ServerState, correlation_of, state_of
from buildwright.auth import Signer, secret_key
from buildwright.errors import BuildwrightError
from buildwright.maintenance.event_files import kept_events
from buildwright.wiring import masker_of
from buildwright.wiring.event_consumer import open_event_consumer
from buildwright.wiring.github_sign_in import GitHubSignIn
from buildwright.wiring.local_runner import open_local_runner
from buildwright.wiring.push_audits import PushAuditor, open_push_auditor
from buildwright.wiring.repositories import connecting_for, public_host

if TYPE_CHECKING:
    from buildwright.wiring import App

ROUTERS = (
    sign_in.router,
    github_sign_in.router,
    web.pages,
    home.router,
    meta.router,
    build.router,
    builds.router,
    progress.router,
    results.router,
    steer.router,
    plan_file.router,
    costs.router,
    stats.router,
    lessons.router,
    event_files.router,
    projects.router,
    project_page.router,
    project_builds.router,
    questionnaires.router,
    contracts.router,
    events.router,
    devteam.router,
    audit.router,
    repositories.router,
    webhooks.router,
    assistants.router,
    sockets.router,
    streams.router,
    team.router,
    server.router,
    web.router,
)
LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


@asynccontextmanager
async def open_site(app: App, log: Callable[..., None], address: str) -> AsyncIterator[ServerState]:
    """Open the state of a server on an App. Builds of the last server continue. Raises BadSettings, StoreFailed.

    `address` is the server's own URL. All that was opened is closed at the end of the block.
    """
    from buildwright.store.records import Records

    environment = app.settings.environment
    check(environment)
    key = secret_key(app.settings.home, environment)
    signer = Signer(key)
    rates = Rates(environment)
    _ = app.meters  # made now, so that counting begins with the first build
    records = Records.open(app.settings.database_url or app.settings.database)
    connecting = connecting_for(app.settings, records, key, app.clock)
    github = GitHubSignIn(app.settings, records, connecting.access, connecting.vault, app.clock)
    pushes = PushAuditor(app.settings, records.repositories, connecting.access, app.clock, log)
    try:
        app.send_hints()
        async with (
            open_local_runner(app, records.hosting, log) as hosting,
            open_event_consumer(app, records.inbox, hosting.begin, log) as intake,
            open_push_auditor(pushes, log),
            kept_events(environment, masker_of(app.settings), app.builds, app.clock, partial(_not_kept, log)),
        ):
            hosts = LOCAL_HOSTS | {socket.gethostname().lower(), *host_names(environment), *public_host(environment)}
            asked = IdempotentRequest(records, app.clock)
            site = ServerState(
                app, records, signer, hosting, intake, connecting, github, pushes, rates, asked, log, hosts, address
            )
            streams_end = asyncio.create_task(_end_streams(site), name="end of streams")
            sessions = asyncio.create_task(site.sessions.watch(), name="sessions")
            try:
                yield site
            finally:
                site.closing.set()
                sessions.cancel()
                await asyncio.gather(sessions, return_exceptions=True)
                await streams_end
                await site.assistants.close()
    finally:
        await records.close()


def _not_kept(log: Callable[..., None], why: str) -> None:
    log("events-not-kept", level="warning", why=why)


class Described(FastAPI):
    """The routes, with an OpenAPI description that adds what all of them have in common."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI description, made once."""
        if self.openapi_schema is None:
            complete(super().openapi())
        return super().openapi()


async def _end_streams(site: ServerState) -> None:
    """End all streams as soon as the server is about to end: uvicorn waits for them."""
    await site.closing.wait()
    await site.tails.close()


def api_for(site: ServerState) -> ASGIApp:
    """Return the whole application of a server, behind its guard."""
    return Guard(fastapi_for(site), site)


def fastapi_for(site: ServerState | None = None) -> FastAPI:
    """Return the routes. Without `site` they serve only for their description (`openapi()`)."""
    api = Described(
        title="Buildwright",
        version=meta.number(),
        description="Turns a description of software into merged, proven changes. Streams, examples: docs/guides/http.md.",
        openapi_url=None,  # it is sent by the route below
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        separate_input_output_schemas=False,
    )
    api.state.site = site
    for router in ROUTERS:
        api.include_router(router)
    description = ApiDescription(api.openapi)
    api.add_route(description.PATH, description.answer, include_in_schema=False)
    _handle_errors(api)
    return api


def _handle_errors(api: FastAPI) -> None:
    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, BuildwrightError)
        commands = fixes.prefers_commands(request.headers)
        inside = isinstance(error, errors.StoreFailed | errors.DiskFull)  # its fix is for the log
        problem = problem_of(error, correlation_of(request), commands=commands or inside)
        headers: dict[str, str] = {}
        match error:
            case errors.TooMany():
                headers["Retry-After"] = str(round(error.retry_after + 0.5))
            case errors.StoreFailed() | errors.DiskFull():
                headers["Retry-After"] = "2"
                problem = without_inside(problem, state_of(request).log)
            case errors.Unauthorized():
                headers["WWW-Authenticate"] = "Bearer"
        return response(problem, headers)

    async def bad_input(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return response(invalid(error.errors(), error.body, correlation_of(request)))

    async def of_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers, detail = dict(error.headers or {}), str(error.detail)
        match error.status_code:
            case 404 if wants_page(request.method, request.headers):
                return web.page_at_address(request)
            case 404:
                title, fix = "No such path", "see /openapi.json for those there are"
                detail = "nothing is at this path"
            case 405:
                title, fix = "Method not allowed", "see the header Allow"
                headers["Allow"] = _allowed(request)
                detail = f"this path takes {headers['Allow']}, not {request.method[:20]}"
            case _:
                title, fix = "Bad request", "see /openapi.json"
        return response(plain(error.status_code, title, detail, fix, correlation_of(request)), headers)

    async def unforeseen(request: Request, error: Exception) -> Response:  # noqa: ARG001  the guard logs it
        return response(internal(correlation_of(request)))

    handlers: dict[Any, Any] = {
        Exception: unforeseen,
        BuildwrightError: ours,
        RequestValidationError: bad_input,
        HTTPException: of_http,
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)


def _allowed(request: Request) -> str:
    """Return the methods of a path, for the header Allow.

    A path may have several routes, of which Starlette names only the first. Routes of other path
    patterns that match it too do not count.
    """
    if request.url.path == ApiDescription.PATH:
        return "GET, HEAD"
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, Route)]
    fitting = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    methods = {method for route in fitting if route.path == fitting[0].path for method in route.methods or ()}
    return ", ".join(sorted(methods))
