"""The server itself, for its page: version, health, sandbox, agents, settings. Must never show a secret."""

from __future__ import annotations

from buildwright.api.bodies import Router
from buildwright.api.problems import responses
from buildwright.api.routes.meta import number
from buildwright.api.server_settings import server_settings
from buildwright.api.state import CallerOf, SiteOf
from buildwright.errors import Forbidden
from buildwright.views.server import ServerAgents, ServerPage

router = Router(tags=["server"])


@router.get("/api/server", responses=responses())
async def server_page(site: SiteOf, caller: CallerOf) -> ServerPage:
    """Return what the server is and how it is. Checks, home and settings are for owners of the server."""
    page = await site.machine.page(number(), site.address, sees_all=caller.is_server_owner)
    if not caller.is_server_owner:
        return page
    settings, trouble = server_settings(site.app.settings)
    return page.model_copy(update={"settings": settings, "settings_trouble": trouble})


@router.get("/api/server/agents", responses=responses(403))
async def started_agents(site: SiteOf, caller: CallerOf) -> ServerAgents:
    """Start each agent that is installed once in the sandbox, and return which works. For owners of the server."""
    if not caller.is_server_owner:
        raise Forbidden("only an owner of the server starts its agents", fix="ask one")
    return await site.machine.start_agents()
