"""Deliveries of GitHub's webhooks. Must never read a body before its signature is proven, nor say why it was refused."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import BaseModel, Field

from buildwright.api.bodies import Router
from buildwright.api.problems import responses
from buildwright.api.state import ServerState, SiteOf
from buildwright.core.push import Push, push_of, repository_in
from buildwright.errors import BadSettings, Refused, Unauthorized
from buildwright.store.repositories import ConnectedRepository, Outcome
from buildwright.wiring.repositories import APP_SECRET, WEBHOOKS

router = Router(tags=["repositories"])

_KNOWN = frozenset({"push", "ping"})
_LONGEST = 100
"""Characters of a delivery's id and of the name of its event."""
_NOBODY = b"a key that nobody has"


class TakenDelivery(BaseModel):
    """What became of a delivery."""

    outcome: Outcome = Field(description="`again` for a delivery that came before: it is not done again.")
    audits: list[str] = Field(description="Ids of the audits that wait because of it.")


@router.post(WEBHOOKS, status_code=202, responses=responses(429))
async def receive(
    request: Request,
    site: SiteOf,
    repository: Annotated[
        str, Query(max_length=64, description="Id of the connected repository; none for the webhook of an App.")
    ] = "",
) -> TakenDelivery:
    """Take a delivery of GitHub's: a push is queued to be audited.

    The header `X-Hub-Signature-256` is its proof, over the bytes as they come. Needs the headers `X-GitHub-Event` and
    `X-GitHub-Delivery`. Durable when it is answered.
    """
    raw = await request.body()
    rows, key = await _addressed(site, repository)
    if not _is_signed(key, raw, request.headers.get("x-hub-signature-256", "")):
        raise Unauthorized("the delivery is not signed with this webhook's secret", fix="connect the repository again")
    event, delivery = request.headers.get("x-github-event", ""), request.headers.get("x-github-delivery", "")
    if not all(text and text.isprintable() and len(text) <= _LONGEST for text in (event, delivery)):
        raise Refused("a delivery names its event and id", fix="send X-GitHub-Event and X-GitHub-Delivery")
    body, push = _read(raw, event)
    if not repository:
        named = repository_in(body)
        rows = await site.records.repositories.named(site.connecting.access.site.api, named) if named else []
    return await _kept(site, rows, event, delivery, push)


async def _addressed(site: ServerState, repository: str) -> tuple[list[ConnectedRepository], bytes]:
    """Return the repository that a delivery is for, if its address names one, and the key of its signature."""
    if not repository:
        secret = site.app.settings.environment.get(APP_SECRET, "").strip()
        return [], secret.encode() or _NOBODY
    row = await site.records.repositories.for_delivery(repository)
    if row is None:
        return [], _NOBODY
    try:
        return [row], site.connecting.vault.open(row.secret).encode()
    except BadSettings as error:
        site.log("webhook-not-readable", level="error", repository=row.name, why=str(error), fix=error.fix or "")
        return [], _NOBODY


def _is_signed(key: bytes, raw: bytes, given: str) -> bool:
    wanted = f"sha256={hmac.new(key, raw, hashlib.sha256).hexdigest()}"
    proven = hmac.compare_digest(wanted.encode(), given.encode("utf-8", "replace"))
    return proven and key != _NOBODY


def _read(raw: bytes, event: str) -> tuple[Any, Push | None]:
    try:
        body = json.loads(raw)
        return body, push_of(body) if event == "push" else None
    except (ValueError, RecursionError) as error:
        raise Refused("the body is not what the event says", fix="have the webhook send application/json") from error


async def _kept(
    site: ServerState, rows: list[ConnectedRepository], event: str, delivery: str, push: Push | None
) -> TakenDelivery:
    now, known = site.app.clock.now(), event in _KNOWN
    outcomes: list[Outcome] = []
    audits: list[str] = []
    for row in rows:
        outcome, audit = await site.records.repositories.receive(row, delivery, event, push, now, known=known)
        outcomes.append(outcome)
        site.log("delivery", repository=row.name, delivery=delivery, type=event, outcome=outcome)
        if audit is not None:
            audits.append(audit.id)
            site.audit_news.hear(audit)
    if audits:
        site.pushes.wake()
        return TakenDelivery(outcome="queued", audits=audits)
    return TakenDelivery(outcome=outcomes[0] if outcomes else "nothing to do" if known else "ignored", audits=[])
