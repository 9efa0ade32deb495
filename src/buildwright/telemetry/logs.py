"""The program's own log: one line per happening, JSON for machines or plain for people. Secrets are masked in every value.

Field names are those of D15: correlationId, projectId, executionId. Must never raise because of what is logged.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

Log = Callable[..., None]
"""Called with the name of what happened, and its fields by name."""


def open_log(sink: TextIO, mask: Callable[[str], str], *, json: bool, **fields: str) -> Log:
    """A log that writes to `sink`, with some fields on every line."""
    import structlog

    def masked(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for name, value in line.items():
            if isinstance(value, str):
                line[name] = mask(value)
        return line

    renderer: Any = (
        structlog.processors.JSONRenderer(default=str)
        if json
        else structlog.dev.ConsoleRenderer(colors=False, pad_event_to=20)
    )
    logger = structlog.wrap_logger(
        structlog.PrintLogger(sink),
        processors=[structlog.processors.TimeStamper(fmt="iso", utc=True), masked, renderer],
    ).bind(**fields)
    log: Log = logger.info
    return log
