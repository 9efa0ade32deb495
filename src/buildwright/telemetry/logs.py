"""The program's own log: one line per event, JSON for machines or plain for people.

Secrets and terminal control characters are removed from every text. Field names are correlationId, projectId,
executionId. Must never raise because of what is logged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, TextIO

from buildwright.core.terminal import clean

Log = Callable[..., None]
"""Called with the name of an event, and its fields by name. One field is `level` (`info` by default, `warning`, `error`)."""

_DEEPEST = 5


def open_log(sink: TextIO, mask: Callable[[str], str], *, json: bool, **fields: str) -> Log:
    """Return a log that writes to `sink`, with `fields` on every line."""
    import structlog

    def levelled(_logger: Any, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        line.setdefault("level", method)
        return line

    def cleaned(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {name: _cleaned(value, mask) for name, value in line.items()}

    renderer: Any = (
        structlog.processors.JSONRenderer(default=str, ensure_ascii=False)
        if json
        else structlog.dev.ConsoleRenderer(colors=False, pad_event_to=20)
    )
    logger = structlog.wrap_logger(
        structlog.PrintLogger(sink),
        processors=[levelled, structlog.processors.TimeStamper(fmt="iso", utc=True), cleaned, renderer],
    ).bind(**fields)
    log: Log = logger.info
    return log


def _cleaned(value: object, mask: Callable[[str], str], depth: int = 0) -> object:
    match value:
        case bool() | int() | float() | None:
            return value
        case str():
            return clean(value, mask)
        case Mapping() if depth < _DEEPEST:
            return {clean(str(name), mask): _cleaned(each, mask, depth + 1) for name, each in value.items()}
        case list() | tuple() if depth < _DEEPEST:
            return [_cleaned(each, mask, depth + 1) for each in value]
        case _:
            return clean(str(value), mask)
