"""One delivery to the user's webhook: its body in the form of the receiver, its signature, one try. Must never retry.

The signature is that of Standard Webhooks: HMAC-SHA256 of id, time and raw body.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal, assert_never, get_args

from buildwright.core.figures import money

Form = Literal["json", "slack", "discord", "teams"]
"""`json` is the facts themselves; the others are what a chat's incoming webhook takes."""
FORMS: tuple[Form, ...] = get_args(Form)
SECRET_PREFIX = "whsec_"  # noqa: S105  what secrets begin with
_SHORTEST, _LONGEST = 24, 64
"""Bytes of a secret."""
_MOST = 1_500
"""Characters of a message to a chat: all of them take as many."""
_PASSING = frozenset({408, 425, 429})
"""Refusals (beside those from 500 on) after which another try may do."""
_MARKDOWN = re.compile(r"([\\`*_~|<>\[\]()#@:-])")


class NotTakenError(OSError):
    """The receiver has refused for good: another try would not help."""


def secret_of(text: str) -> bytes:
    """Return the key in a secret, `whsec_` and base64 of 24 to 64 bytes. Raises ValueError for any other text."""
    try:
        key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("is not base64") from error
    if not text.startswith(SECRET_PREFIX) or not _SHORTEST <= len(key) <= _LONGEST:
        raise ValueError(f"is not {SECRET_PREFIX} and base64 of {_SHORTEST} to {_LONGEST} bytes")
    return key


def delivery_id(build_id: str, seq: int) -> str:
    """Return the id of what is told of an event: the same on each try, and by each process that tells of it."""
    return f"msg_{uuid.uuid5(uuid.NAMESPACE_URL, f'buildwright:{build_id}/{seq}').hex}"


def body_of(facts: Mapping[str, Any], form: Form) -> bytes:
    """Return the body of a delivery."""
    return json.dumps(_shaped(facts, form)).encode()


def signed(key: bytes, delivery: str, moment: int, body: bytes) -> str:
    """Return the header `webhook-signature` for a delivery at a moment, in seconds since 1970."""
    mac = hmac.new(key, f"{delivery}.{moment}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(mac.digest()).decode()}"


async def post(address: str, delivery: str, body: bytes, secret: str) -> None:
    """Send a delivery once, signed when there is a secret; redirects are not followed.

    Raises NotTakenError for an answer that another try would not change, OSError for any other but success.
    """
    import aiohttp

    moment = int(time.time())
    headers = {"content-type": "application/json", "webhook-id": delivery, "webhook-timestamp": str(moment)}
    if secret:
        headers["webhook-signature"] = signed(secret_of(secret), delivery, moment, body)
    try:
        async with (
            aiohttp.ClientSession(trust_env=True) as session,
            session.post(address, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            if answer.status >= 300:
                kind = OSError if answer.status >= 500 or answer.status in _PASSING else NotTakenError
                raise kind(f"it answered with {answer.status}")
    except aiohttp.ClientError as error:
        raise OSError(str(error) or type(error).__name__) from error


def _shaped(facts: Mapping[str, Any], form: Form) -> Mapping[str, Any]:
    """Return the facts in the form of a receiver. Words of others stay words there: no link, mention or mark-up."""
    match form:
        case "json":
            return facts
        case "slack":
            escaped = _said(facts).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            return {"text": escaped, "mrkdwn": False}
        case "discord":
            content = _MARKDOWN.sub(r"\\\1", _said(facts))[:2_000]
            return {"content": content, "allowed_mentions": {"parse": []}, "flags": 4}
        case "teams":
            words = {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": _said(facts)}]}
            card = {"type": "AdaptiveCard", "version": "1.4", "body": [words]}
            kind = "application/vnd.microsoft.card.adaptive"
            return {"type": "message", "attachments": [{"contentType": kind, "content": card}]}
        case _:
            assert_never(form)


def _said(facts: Mapping[str, Any]) -> str:
    """Return the facts in words for a chat."""
    build, message, tasks = str(facts["build"])[:8], str(facts["message"]), facts["tasks"]
    about = f"Build {build} ({facts['title']})"
    match facts["event"]:
        case "paused":
            words = f"{about} is paused: {message or facts['reason']}. Answer: buildwright resume {build}"
        case "finished":
            where = f" Result: {facts['delivered']}." if facts["delivered"] else ""
            why = f" {message}." if message else ""
            done = f"{tasks.get('done', 0)} of {tasks['total']} tasks are done, {money(Decimal(facts['cost_usd']))}."
            words = f"{about} has ended: {facts['outcome']}.{why} {done}{where}"
        case _:
            words = f"{about}: {message}"
    return words if len(words) <= _MOST else f"{words[: _MOST - 3]}..."
