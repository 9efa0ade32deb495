"""What the server counts and measures, for Prometheus; in a cluster also what workers report. Changes nothing."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from buildwright.api.problems import responses
from buildwright.api.site import CallerOf, SiteOf

router = APIRouter(tags=["health"])

_TEXT = {"text/plain": {"schema": {"type": "string"}}}


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"description": "Prometheus' text format", "content": _TEXT}, **responses()},
)
async def metrics(site: SiteOf, caller: CallerOf) -> Response:  # noqa: ARG001  not for everybody
    """Counters, gauges and histograms: docs/guides/monitoring.md says what each means."""
    meters = site.app.meters
    if site.app.in_cluster:
        meters.show_workers(await site.app.board.workers())
    text, media_type = meters.render()
    return Response(text, media_type=media_type)
