"""The query of a build's log of tasks, from the SQL view that others read too. Must never write."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Integer, Row, Select, String, column, select, table

from buildwright.store.tables import events
from buildwright.views.execution_log import TaskLogEntry

_TEXTS = ("execution_id", "loop_id", "task_id", "instance_id", "event_type", "message", "context")
_VIEW = table(
    "task_execution_log",
    column("id", Integer),
    *(column(name, String) for name in _TEXTS),
    column("timestamp", events.c.at.type),
)


def log_query(build_id: str, after: int, limit: int, task: str) -> Select[tuple[Any, ...]]:
    """Return the query of entries with an id > `after`, of one task when given, in order."""
    query = select(_VIEW).where(_VIEW.c.execution_id == build_id, _VIEW.c.id > after)
    if task:
        query = query.where(_VIEW.c.task_id == task)
    return query.order_by(_VIEW.c.id).limit(limit)


def entry_of(row: Row[Any]) -> TaskLogEntry:
    """Return the entry that a row of the view is."""
    fields = dict(row._mapping)
    context = json.loads(fields["context"])
    return TaskLogEntry(**fields | {"context": context, "instance_id": fields["instance_id"] or ""})
