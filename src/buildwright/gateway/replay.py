"""Plays a cassette's entries to any client, with the faults they ask for. Must never reach the network."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from buildwright.gateway.cassette import PLANNER, Cassette, CassetteMatch, Fault, find
from buildwright.gateway.exchange import (
    CHARS_PER_TOKEN,
    AnswerReader,
    BrokenOff,
    DeclinedByProvider,
    ModelAnswer,
    ModelRequest,
    Tokens,
    ToolUse,
    each_text,
)
from buildwright.gateway.file_replies import Reply, closing, file_reply
from buildwright.gateway.parse import EventScanner, read_body, read_event
from buildwright.gateway.protocols import PROTOCOLS

_UNPACED_PIECE = 160
_PACED_PIECES_PER_SECOND = 25
_LANE = "${LANE}"

_log = logging.getLogger(__name__)


class StatusFault(NamedTuple):
    """A scripted answer with this HTTP status; `retry_after` in seconds."""

    status: int
    retry_after: float | None


@dataclass(slots=True)
class Player:
    """Plays one cassette through one door. Its only state is how often each entry was played, to count faults."""

    cassette: Cassette
    file: str
    task: str
    attempt: int
    lane: Path | None
    _asked: Counter[int] = field(default_factory=Counter)

    def find(self, asked: ModelRequest) -> tuple[CassetteMatch, Fault | None]:
        """Return the matching entry and the first fault, if any. Raises Declined(400) with what the cassette lacks."""
        found = find(self.cassette, self.task, self.attempt, asked)
        if found is None:
            begins = " ".join(asked.text.split())[:80]
            tools = ", ".join(asked.tools[:12]) or "none"
            message = (
                f"The cassette {self.file} has no answer for task {self.task or PLANNER}, attempt {self.attempt}, "
                f"message {asked.message}, turn {asked.turn}. The last user text begins {begins!r}; tools: {tools}."
            )
            _log.warning(message)
            raise DeclinedByProvider(400, message)
        number = self._asked[found.place]
        self._asked[found.place] += 1
        for fault in found.entry.faults:
            if number < fault.times:
                return found, fault
            number -= fault.times
        return found, None

    def answer(self, asked: ModelRequest, found: CassetteMatch) -> ModelAnswer:
        """Return the entry's answer in a form for the client: tool calls if it has tools, else text."""
        entry = found.entry
        text, calls = self._render(asked, found)
        where = f"{self.task}\0{self.attempt}\0{found.place}\0{asked.message}\0{asked.turn}"
        said = len(text) + sum(len(call.name) + len(json.dumps(call.input)) for call in calls)
        return ModelAnswer(
            id=hashlib.sha256(where.encode()).hexdigest()[:20],
            model=entry.model or self.cassette.model or asked.model,
            text=text,
            calls=calls,
            tokens=Tokens(asked.size // CHARS_PER_TOKEN, said // CHARS_PER_TOKEN + 1)
            if entry.usage is None
            else Tokens(**entry.usage.model_dump()),
            ends=entry.ends,
        )

    def _render(self, asked: ModelRequest, found: CassetteMatch) -> Reply:
        reply = found.entry.reply
        if reply.text is not None and found.entry.ends:
            return Reply(self._filled(reply.text))
        if reply.text is not None:
            return closing(asked, self._filled(reply.text))
        if reply.tools is not None:
            if found.continues:
                return closing(asked)
            calls = tuple(ToolUse(tool.name, self._filled(tool.input)) for tool in reply.tools)
            return Reply(self._filled(reply.say), calls)
        if reply.files is None and not reply.delete:
            value = self._filled(reply.json_)
            if asked.output_tool and isinstance(value, dict):
                return Reply("", (ToolUse(asked.output_tool, value),))
            return Reply(json.dumps(value, ensure_ascii=False))
        return file_reply(asked, reply, self.lane)

    def _filled(self, value: object) -> Any:
        """Return the value with the lane's path filled in. Not for files, which may hold `${LANE}` literally."""
        lane = self.lane
        return each_text(value, lambda text: text.replace(_LANE, str(lane))) if lane is not None else value


def status_fault(fault: Fault | None) -> StatusFault | None:
    """Return the fault as a status, None when it is none."""
    return StatusFault(int(fault.kind), fault.retry_after) if fault is not None and fault.kind.isdigit() else None


async def play(
    asked: ModelRequest, answer: ModelAnswer, pace: float | None, fault: Fault | None, reader: AnswerReader
) -> AsyncGenerator[bytes, None]:
    """Yield the answer as the client wants it, read by `reader` on the way. Raises BrokenOff where `fault` says."""
    if not asked.stream:
        body = await at_once(asked, answer, pace, fault)
        read_body(reader, body)
        yield body
        return
    scanner = EventScanner()
    async with aclosing(stream(asked, answer, pace, fault)) as pieces:
        async for piece in pieces:
            for event in scanner.feed(piece):
                read_event(reader, event)
            if reader.done and reader.tokens is None:
                reader.tokens = answer.tokens  # A client of OpenAI's protocol that did not ask for usage.
            yield piece


async def stream(
    asked: ModelRequest, answer: ModelAnswer, pace: float | None, fault: Fault | None
) -> AsyncGenerator[bytes, None]:
    """Yield the answer as a stream at `pace` tokens a second (None: at once). Raises BrokenOff where `fault` says."""
    size = _UNPACED_PIECE if pace is None else max(1, int(pace * CHARS_PER_TOKEN / _PACED_PIECES_PER_SECOND))
    if fault is not None and fault.after_chars:
        size = min(size, fault.after_chars)
    chars = 0
    if fault is not None and fault.kind == "hang" and not fault.after_chars:
        async for data in _strike(asked, fault):
            yield data
    for frame in PROTOCOLS[asked.protocol].frames(asked, answer, size):
        if fault is not None and chars + frame.chars > fault.after_chars:
            async for data in _strike(asked, fault):
                yield data
            return
        chars += frame.chars
        yield frame.data
        if pace is not None and frame.chars:
            await asyncio.sleep(frame.chars / CHARS_PER_TOKEN / pace)
    if fault is not None:
        # The answer is shorter than the fault's position; the fault still happens.
        raise BrokenOff(scripted=True)


async def _strike(asked: ModelRequest, fault: Fault) -> AsyncGenerator[bytes, None]:
    if fault.kind == "error":
        yield PROTOCOLS[asked.protocol].error_frame(529, "Overloaded (scripted)")
        return
    if fault.kind == "hang":
        await asyncio.sleep(fault.seconds)
    raise BrokenOff(scripted=True)


async def at_once(asked: ModelRequest, answer: ModelAnswer, pace: float | None, fault: Fault | None) -> bytes:
    """Return the answer to a request without a stream. Raises BrokenOff where `fault` breaks it."""
    if fault is not None:
        if fault.kind == "hang":
            await asyncio.sleep(fault.seconds)
        raise BrokenOff(scripted=True)
    if pace is not None:
        await asyncio.sleep(answer.tokens.output / pace)
    return json.dumps(PROTOCOLS[asked.protocol].whole(asked, answer), ensure_ascii=False).encode("utf-8", "replace")
