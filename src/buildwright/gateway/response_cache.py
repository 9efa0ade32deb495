"""Finished answers of one attempt, kept so that they are never bought twice.

Must never keep half an answer, or a refusal. An attempt whose process died asks the same questions again. An answer is
found by its request (`digest`) and by how many answers to the same request came through this door before, so that
asking twice in one run still buys two.

Each purchase is counted once, even if the process is killed: its spend is written together with the answer, under a
name of its own, before the agent gets the end of the answer. If the process is killed before that write, the answer is
lost; after it, answer and spend come again under the same name, and `apply` counts a name only once.

A build that was forked from another one takes over what that was answered in the same attempt at the same task: the
answer becomes its own, and costs it nothing.

The next attempt has another lane, so its paths are replaced in the answer. A stream is cut anywhere, so a path may span
several events: the pieces of each text are joined, and a changed text goes out in its first event. Thinking is signed
and stays as it is.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import re
import secrets
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from buildwright.errors import CouldNot
from buildwright.gateway.exchange import (
    AnswerReader,
    DeclinedByProvider,
    ModelRequest,
    Protocol,
    each_text,
    json_object,
)
from buildwright.gateway.parse import EventScanner
from buildwright.gateway.protocols import PROTOCOLS
from buildwright.ports import GO_ON, AnswerKey, Answers, Spend

LARGEST = 8 * 1024 * 1024
"""Bytes of the largest answer that is kept."""

_WHO_ASKS = frozenset({"metadata", "user", "safety_identifier", "prompt_cache_key"})
"""Fields that identify the client: they change with every process, but do not change the answer."""
_TOKENS_LEFT = re.compile(
    r"(?:\\n)*<system-reminder>\\n<total_tokens>\d+ tokens left</total_tokens>\\n</system-reminder>"
)
"""Claude Code's note beside a tool's result, missing when it is resumed. As it is written in JSON."""
_REFUSALS = frozenset({"refusal", "content_filter"})

_log = logging.getLogger(__name__)


class Played(NamedTuple):
    """A kept answer, ready to send again, and its cost when it was bought."""

    content_type: str
    body: bytes
    spend: Spend


@dataclass(slots=True)
class Purchase:
    """An answer that is being bought. `name` is "" until it is about to be written."""

    digest: str
    protocol: Protocol
    name: str = ""


class AnswerOwner(NamedTuple):
    """The attempt whose answers are kept, and the builds that its build was forked from, the nearest first."""

    build_id: str
    task: str
    attempt: int
    ancestors: tuple[str, ...] = ()

    def key(self, digest: str, nth: int) -> AnswerKey:
        return AnswerKey(self.build_id, self.task, self.attempt, digest, nth)


class ResponseCache:
    """The kept answers of one attempt, through one door."""

    def __init__(self, answers: Answers, owner: AnswerOwner, lane: Path | None) -> None:
        self._answers = answers
        self._owner = owner
        self._lane = lane
        self._had: Counter[str] = Counter()
        """Number of answers so far through this door, by digest of the request."""
        self._turn = asyncio.Lock()

    async def find(self, asked: ModelRequest) -> Played | Purchase:
        """Return the answer bought before, else a new Purchase. Raises Declined(503) if the record cannot be read."""
        # In a thread: requests grow to megabytes.
        digest = await asyncio.to_thread(digest_of, asked, self._lane)
        async with self._turn:
            try:
                record = await self._found(self._owner.key(digest, self._had[digest]))
            except CouldNot as error:
                message = f"What was answered before cannot be looked up: {error}"
                raise DeclinedByProvider(503, message, final=False) from error
            played = _decode(record, asked.protocol, self._lane) if record is not None else None
            if played is None:
                return Purchase(digest, asked.protocol)
            self._had[digest] += 1
            return played

    async def _found(self, key: AnswerKey) -> bytes | None:
        """Return the record of an answer; one of an ancestor becomes this build's own first. Raises CouldNot."""
        record = await self._answers.find_answer(key)
        for ancestor in self._owner.ancestors if record is None else ():
            theirs = await self._answers.find_answer(key._replace(build_id=ancestor))
            if theirs is not None and (record := _taken_over(theirs, self._owner)) is not None:
                await self._answers.keep_answer(key, record)
                break
        return record

    async def keeping(
        self,
        purchase: Purchase,
        pieces: AsyncGenerator[bytes, None],
        reader: AnswerReader,
        content_type: str,
        spend: Callable[[], Spend],
    ) -> AsyncGenerator[bytes, None]:
        """Pass the pieces on; the one that ends the answer only after the whole answer is kept."""
        gathered: bytearray | None = bytearray()
        async with aclosing(pieces):
            async for piece in pieces:
                if gathered is not None:
                    gathered += piece
                    if reader.done or len(gathered) > LARGEST:
                        await self.keep(purchase, bytes(gathered), reader, content_type, spend)
                        gathered = None
                yield piece

    async def keep(
        self, purchase: Purchase, body: bytes, reader: AnswerReader, content_type: str, spend: Callable[[], Spend]
    ) -> None:
        """Keep a finished answer. A failed write is only logged: the answer is already bought."""
        if not reader.done and len(body) <= LARGEST:
            return
        async with self._turn:
            nth = self._had[purchase.digest]
            self._had[purchase.digest] += 1
            if reader.error is not None or reader.stop in _REFUSALS:
                return
            if len(body) > LARGEST:
                _log.warning("An answer of more than %d bytes was not kept: begun again, it is bought again.", LARGEST)
                return
            # Named before the write: a write that was interrupted may have succeeded all the same.
            purchase.name = secrets.token_hex(8)
            record = _encode(content_type, self._lane, spend()._replace(request=purchase.name), body)
            try:
                await self._answers.keep_answer(self._owner.key(purchase.digest, nth), record)
            except CouldNot as error:
                _log.warning("An answer was not kept, so that begun again it is bought again: %s", error)


def digest_of(asked: ModelRequest, lane: Path | None) -> str:
    """Return the SHA-256 (hex) of what determines the answer, without client, directory and the client's counts."""
    body = {name: _question(value) for name, value in asked.body.items() if name not in _WHO_ASKS}
    body.setdefault("model", asked.model)
    text = json.dumps([asked.protocol, body], sort_keys=True, ensure_ascii=False)
    for path, name in _names(lane):
        text = text.replace(json.dumps(path, ensure_ascii=False)[1:-1], name)
    text = _TOKENS_LEFT.sub("", text)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _question(value: object) -> object:
    """Return a value of the request without marks for the provider's cache, and without a bare `GO_ON`."""
    if not isinstance(value, list):
        return value
    plain = [_part(one) for one in value]
    return [one for one in plain if one not in _ONLY_GO_ON]


_SAID_GO_ON = ({"type": "text", "text": GO_ON}, {"type": "input_text", "text": GO_ON})
_BARE: tuple[object, ...] = (GO_ON, [])
_ONLY_GO_ON = tuple(
    {**message, "role": "user", "content": content} for message in ({}, {"type": "message"}) for content in _BARE
)
"""In the protocols whose agents go on from a checkpoint: Messages, Chat Completions and Responses."""


def _part(value: object) -> object:
    if not isinstance(value, dict):
        return value
    plain = {key: one for key, one in value.items() if key != "cache_control"}
    if isinstance(content := plain.get("content"), list):
        blocks = [_part(block) for block in content]
        plain["content"] = [block for block in blocks if block not in _SAID_GO_ON]
    return plain


def _names(lane: Path | None) -> list[tuple[str, str]]:
    """Return the names of a lane's place in requests, each with a name that is the same everywhere.

    Agents name the lane, the home beside it, and (Claude Code) a folder named after the lane's path.
    """
    if lane is None:
        return []
    real = Path(os.path.realpath(lane))
    places = dict.fromkeys((str(lane), str(real)))
    homes = dict.fromkeys((str(lane.parent / "home"), str(real.parent / "home")))
    folders = dict.fromkeys(re.sub(r"[^a-zA-Z0-9]", "-", place) for place in places)
    return [
        *((place, "${LANE}") for place in places),
        *((home, "${HOME}") for home in homes),
        *((folder, "${LANE_FOLDER}") for folder in folders),
    ]


def _encode(content_type: str, lane: Path | None, spend: Spend, body: bytes) -> bytes:
    head = {"version": 1, "type": content_type, "lane": str(lane or ""), "spend": spend}
    return json.dumps(head).encode() + b"\n" + body


def _taken_over(record: bytes, owner: AnswerOwner) -> bytes | None:
    """Return the record of another build's answer as one that this owner got for nothing; None if it cannot be read."""
    head, _, body = record.partition(b"\n")
    try:
        match json.loads(head):
            case {"version": 1, "spend": list() as spend} as told:
                free = Spend(owner.build_id, owner.task, owner.attempt, Spend(*spend).model, 0, 0, 0, 0, "0")
                told["spend"] = free._replace(request=secrets.token_hex(8))
                return json.dumps(told).encode() + b"\n" + body
    except (ValueError, TypeError):
        pass
    return None


def _decode(record: bytes, protocol: Protocol, lane: Path | None) -> Played | None:
    """Decode a kept answer, with its lane's names replaced by those of `lane`; None for another version's record."""
    head, _, body = record.partition(b"\n")
    try:
        match json.loads(head):
            case {"version": 1, "type": str() as content_type, "lane": str() as place, "spend": list() as spend}:
                renaming = _renaming(Path(place), lane) if place and lane is not None else ()
                moved = move_answer(body, protocol, renaming, streamed="event-stream" in content_type)
                return Played(content_type, moved, Spend(*spend))
    except (ValueError, TypeError):
        pass
    _log.warning("A kept answer cannot be read; it is bought again.")
    return None


def _renaming(old: Path, new: Path) -> Renaming:
    if old == new:
        return ()
    now: dict[str, Any] = {}
    for path, name in _names(new):
        now.setdefault(name, path)
    return tuple((path, now[name]) for path, name in _names(old))


Renaming: TypeAlias = tuple[tuple[str, str], ...]
"""Old and new paths, in the order in which they are replaced."""

_SIGNED = frozenset({"thinking", "redacted_thinking", "reasoning"})


def move_answer(body: bytes, protocol: Protocol, renaming: Renaming, *, streamed: bool) -> bytes:
    """Return the answer with its paths replaced; the same bytes if nothing changes. Raises ValueError if invalid."""
    if not renaming:
        return body
    if not streamed:
        answer = json.loads(body)
        moved = each_text(answer, lambda text: _renamed(text, renaming), but=_SIGNED)
        return body if moved == answer else json.dumps(moved, ensure_ascii=False).encode("utf-8", "replace")
    scanner = EventScanner()
    events = list(scanner.feed(body))
    bodies = [json_object(event.data) for event in events]
    texts: dict[str, list[tuple[int, Any, Any]]] = {}
    for index, one in enumerate(bodies):
        for key, holder, place in PROTOCOLS[protocol].texts(one):
            texts.setdefault(key, []).append((index, holder, place))
    changed: set[int] = set()
    for pieces in texts.values():
        text = "".join(holder[place] for _, holder, place in pieces)
        new = _renamed(text, renaming)
        if new != text:
            for index, holder, place in pieces:
                holder[place], new = new, ""
                changed.add(index)
    out = [_event(event.raw, bodies[index]) if index in changed else event.raw for index, event in enumerate(events)]
    return b"".join(out) + scanner.rest()


def _renamed(text: str, renaming: Renaming) -> str:
    for old, new in renaming:
        text = text.replace(old, new)
        escaped = json.dumps(old)[1:-1]
        if escaped != old:  # in the JSON of a tool's input
            text = text.replace(escaped, json.dumps(new)[1:-1])
    return text


def _event(raw: bytes, body: dict[str, Any]) -> bytes:
    """Return the event with new data, its other lines unchanged."""
    lines = [line for line in raw.splitlines() if line and not line.startswith(b"data:")]
    data = b"data: " + json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return b"\n".join([*lines, data]) + b"\n\n"
