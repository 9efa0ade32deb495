"""Collects a record of one request to a model while it is answered. Must never hold a prompt or an answer."""

from __future__ import annotations

import time
from asyncio import CancelledError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from buildwright.gateway import wire
from buildwright.gateway.answers import Tokens
from buildwright.gateway.door import Opened
from buildwright.gateway.reading import AnswerReader
from buildwright.ports import ModelCall

LONGEST_NAME = 100
"""Characters kept of a model's name or kind of error: an agent or a provider may send any text."""

OnCall = Callable[[ModelCall], None]


@dataclass(slots=True)
class Call:
    """A request being answered: its reader, whether the answer is replayed, and its error ("" for none)."""

    reader: AnswerReader | None = None
    replayed: bool = False
    error: str = ""

    def refused(self, status: int) -> None:
        """Record the status that the provider, or the cassette in its place, answered with."""
        self.error = str(status) if status >= 400 else self.error


@contextmanager
def telling(on_call: OnCall | None, opened: Opened, asked: wire.Asked) -> Iterator[Call]:
    """Report the request to `on_call` when it is over, however it ends."""
    call, began_at = Call(), time.time()
    try:
        yield call
    except wire.Declined as no:
        call.refused(no.status)
        raise
    except (wire.BrokenOff, ConnectionError):
        call.error = "broken_off"
        raise
    except CancelledError:
        call.error = "cancelled"
        raise
    finally:
        if on_call is not None:
            reader = call.reader
            tokens = (reader.tokens if reader is not None else None) or Tokens()
            if reader is not None and reader.error is not None:
                call.error = call.error or reader.error.type[:LONGEST_NAME] or "unknown"
            on_call(
                ModelCall(
                    opened.build_id,
                    opened.task,
                    opened.attempt,
                    asked.protocol,
                    asked.model[:LONGEST_NAME],
                    reader.model[:LONGEST_NAME] if reader is not None else "",
                    began_at,
                    time.time(),
                    tokens.input,
                    tokens.output,
                    tokens.cache_read,
                    tokens.cache_write,
                    call.replayed,
                    call.error,
                )
            )
