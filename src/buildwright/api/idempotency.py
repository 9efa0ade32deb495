"""Idempotency keys: a request with one is carried out once. Must never keep a key, only its hash."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fastapi import Request
from starlette.responses import JSONResponse, Response

from buildwright.errors import Conflict, KeyReused, Refused

if TYPE_CHECKING:
    from buildwright.ports import Clock
    from buildwright.store.idempotency import Claim
    from buildwright.store.inbox import Received
    from buildwright.store.records import Records

HEADER = "Idempotency-Key"
LONGEST = 255


class IdempotentRequest:
    """Requests that came with an idempotency key; their answers are kept for `seconds` (6 hours)."""

    def __init__(self, records: Records, clock: Clock, seconds: float = 6 * 3600.0) -> None:
        self._records = records
        self._clock = clock
        self._seconds = seconds

    async def once(
        self,
        request: Request,
        user_id: str,
        scope: str,
        work: Callable[[], Awaitable[tuple[int, dict[str, Any], str]]],
        *,
        repeat_conflicts: bool = False,
    ) -> Response:
        """Do `work` (it returns status, answer and Location) unless a request with this key did it before.

        A repeat gets the first answer again, with `Idempotent-Replayed: true`; or, with `repeat_conflicts`, 409 with
        its Location. Raises KeyReused for the same key with another body, Conflict while the first request is being
        carried out, Refused for a malformed key. An error of `work` frees the key; two minutes free the key of a server
        that was killed.
        """
        key = _key_of(request)
        if key is None:
            return _answer(*await work())
        keys = self._records.keys
        claim = await keys.claim(user_id, scope, key, await request.body(), self._clock.now())
        if not claim.first:
            return _repeated(request, claim, conflicts=repeat_conflicts)
        try:
            status, answer, location = await work()
        except BaseException:
            await keys.release(user_id, scope, key)
            raise
        until = self._clock.now() + timedelta(seconds=self._seconds)
        await keys.finish(user_id, scope, key, location, json.dumps({"status": status, "answer": answer}), until)
        return _answer(status, answer, location)

    async def receive(
        self,
        request: Request,
        user_id: str,
        scope: str,
        make: Callable[[], Awaitable[tuple[Received, dict[str, Any], str]]],
        *,
        repeat_conflicts: bool = False,
    ) -> Response:
        """Keep the event that `make` returns (with answer and Location), unless a request with this key did so.

        Answers 202. Event (in the inbox) and key are kept together or not at all: after a crash the same request is
        either a repeat or the first. Repeats and errors are as for `once`.
        """
        key = _key_of(request)
        if key is None:
            row, answer, location = await make()
            await self._records.inbox.keep(row)
            return _answer(202, answer, location)
        body, keys = await request.body(), self._records.keys
        claim = await keys.look(user_id, scope, key, body, self._clock.now())
        if claim is None:
            row, answer, location = await make()
            kept = json.dumps({"status": 202, "answer": answer})
            keeping = await asyncio.to_thread(self._records.inbox.keeping, row)
            now = self._clock.now()
            claim = await keys.use(user_id, scope, key, body, now, location, kept, keeping, self._seconds)
            if claim.first:
                return _answer(202, answer, location)
        return _repeated(request, claim, conflicts=repeat_conflicts)


def _key_of(request: Request) -> str | None:
    """Return the key of a request, None without one. Raises Refused for a malformed key."""
    key = request.headers.get(HEADER)
    if key is not None and (not key or len(key) > LONGEST or not key.isascii() or not key.isprintable()):
        raise Refused(f"{HEADER} must be 1 to {LONGEST} printable ASCII characters", fix="send a UUID, for example")
    return key


def _answer(status: int, answer: dict[str, Any], location: str) -> Response:
    return JSONResponse(answer, status, {"Location": location} if location else {})


def _repeated(request: Request, claim: Claim, *, conflicts: bool) -> Response:
    if not claim.same_body:
        raise KeyReused("this key was used for another request", fix=f"send a new {HEADER}")
    if not claim.done:
        raise Conflict("the first request with this key is not finished yet", fix="ask again in a moment")
    location = claim.location
    headers = {"Idempotent-Replayed": "true"} | ({"Location": location} if location else {})
    if not conflicts:
        kept = json.loads(claim.answer)
        return JSONResponse(kept["answer"], kept["status"], headers)
    from buildwright.api.problems import problem_of, response

    known = Conflict("this key was used already: that request was accepted", fix=f"look at {location}")
    known.state = "accepted"
    return response(problem_of(known, str(request.scope["state"]["correlation_id"])), headers)
