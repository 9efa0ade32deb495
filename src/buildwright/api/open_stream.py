"""Opening a stream: its builds, the caller's right to see them, and the worth of a cursor. Must never send anything."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from buildwright.api.access import check_build_row, check_name, check_role, role_in_build, role_in_project
from buildwright.api.broadcast import Broadcasts
from buildwright.api.cursor import START, Cursor, Newest, Place, decode, microseconds
from buildwright.api.state import Caller, ServerState
from buildwright.api.subscription import Selection, Subscription, Topics
from buildwright.auth.rights import allows
from buildwright.errors import NotFound
from buildwright.ports import BuildRow, Mark
from buildwright.views.frames import Fields, Names

MOST_BUILDS = 64
"""Builds in one stream of a project; of more, the newest."""
LONGEST_NAME = 200
NEWEST = "newest"
"""In place of a build's id: the newest build of the caller."""
_SHORTEST_PREFIX = 4


class StreamStart(NamedTuple):
    """A start with the last `lines` of a log, counted in one task or, with `task` "", in all."""

    lines: int
    task: str = ""


class Hello(NamedTuple):
    """The first frame of a stream."""

    resume: str
    """`live` (nothing was missed), `replay` (what was missed follows), `reset` (the client must read anew by REST)."""
    cursor: str
    head: Fields
    oldest: Fields

    def payload(self, reader: Subscription) -> dict[str, Any]:
        """Return the payload of the frame."""
        row = reader.selection.build
        one: Fields = {}
        if row is not None:
            tail = reader.members[row.build_id].tail
            one = {"executionId": row.build_id, "correlationId": tail.build.correlation_id if tail is not None else ""}
        return {**one, **self._asdict(), "topics": reader.topics.words(), "names": reader.names}


async def open_reader(
    tails: Broadcasts,
    selection: Selection,
    names: Names,
    topics: Topics,
    after: str,
    *,
    live: bool = True,
    last: StreamStart | None = None,
) -> tuple[Subscription, Hello]:
    """Return a subscription that starts after the cursor `after`, and its first frame. Raises NotFound, StoreFailed.

    `after` "" starts now, "start" at the first event. With `live` False the subscription reads what is there and gets
    no news. `last` says with which lines of the log to start. The caller must call `leave` at the end.
    """
    reader = Subscription(tails, selection, names, topics)
    cursor = decode(after) if after not in {"", START} else None
    rows, known = await _selected(tails, selection, cursor, everything=after == START)
    marks = await tails.builds.marks([row.build_id for row in rows])
    lost = after not in {"", START} and (cursor is None or not await _is_known(tails, selection, cursor, marks))
    if live:
        await tails.enter(reader)
    try:
        for row in rows:
            place = None if after == "" or lost else _place_of(cursor, row.build_id, reader.form)
            await reader.add(row, place, live=live, mark=marks.get(row.build_id))
        if last is not None:
            await _step_back(tails, reader, last, marks)
        if live and selection.build is None:
            await tails.watch_project(reader, selection.user_id, selection.project_id, known)
    except BaseException:
        tails.leave(reader)
        raise
    heads = {member.build_id: member.tail.place if member.tail else member.upto for member in reader.members.values()}
    missed = any(
        (topics.any_event and member.place.event < heads[member.build_id].event)
        or (topics.wants_log(member.build_id) and member.place.line < heads[member.build_id].line)
        for member in reader.members.values()
    )
    hello = Hello(
        "reset" if lost else "replay" if missed else "live",
        reader.cursor(),
        {build_id: {"event": place.event, "line": place.line} for build_id, place in heads.items()},
        {build_id: {"event": 1, "line": mark.first_line} for build_id, mark in marks.items()},
    )
    return reader, hello


async def _step_back(tails: Broadcasts, reader: Subscription, last: StreamStart, marks: Mapping[str, Mark]) -> None:
    """Let a subscription start with the last log lines that there are, where the log is wanted."""
    for member in reader.members.values():
        if not reader.topics.wants_log(member.build_id):
            continue
        if last.task:
            lines = await tails.builds.read_log(member.build_id, task=last.task, limit=last.lines, tail=True)
            first = lines[0].seq if lines else 0
        else:  # the numbers of all lines have no gaps
            mark = marks.get(member.build_id)
            first = max(mark.first_line, mark.last_line - last.lines + 1) if mark is not None else 0
        if first:
            member.place = member.place._replace(line=min(member.place.line, first - 1))


def _place_of(cursor: Cursor | None, build_id: str, form: str) -> Place:
    place = cursor.places.get(build_id, Place()) if cursor is not None else Place()
    return place if cursor is None or cursor.form == form else place._replace(part=0)


async def _selected(
    tails: Broadcasts, selection: Selection, cursor: Cursor | None, *, everything: bool
) -> tuple[list[BuildRow], set[str]]:
    """Return the builds of a selection in order of creation, and the ids of all builds that the project has already."""
    if selection.build is not None:
        return [selection.build], set()
    newest = await tails.runs.page(selection.user_id, MOST_BUILDS, project_id=selection.project_id)
    seen = {row.build_id for row in newest}
    if everything:
        return newest[::-1], seen
    unfinished = await tails.runs.unfinished(selection.user_id, selection.project_id)
    wanted: Collection[str] = cursor.places if cursor is not None else ()
    newest_known = cursor.newest if cursor is not None else None
    found = {row.build_id: row for row in unfinished}
    for row in newest:
        later = newest_known is not None and Newest(microseconds(row.created_at), row.build_id) > newest_known
        if later or row.build_id in wanted:
            found[row.build_id] = row
    ordered = sorted(found.values(), key=lambda row: (row.created_at, row.build_id))
    return ordered[-MOST_BUILDS:], seen | found.keys()


async def _is_known(tails: Broadcasts, selection: Selection, cursor: Cursor, marks: dict[str, Mark]) -> bool:
    """Return whether the store has what came after this cursor: the builds, and what the cursor has seen of them."""
    if selection.build is not None and selection.build.build_id not in cursor.places:
        return False
    if selection.build is None and cursor.newest is None:
        return False
    for build_id, place in cursor.places.items():
        mark = marks.get(build_id)
        if mark is None or place.event > mark.version or place.line > mark.last_line:
            return False
        if place.line < mark.first_line - 1:
            return False
        if place.event:
            found = await tails.builds.read(build_id, place.event - 1, 1)
            if not found or microseconds(found[0].at) != place.at:
                return False
    return True


async def build_of(site: ServerState, caller: Caller, name: str) -> Selection:
    """Return a build that the caller may see, by its id, a unique beginning of it, or `newest` (of the own).

    Raises NotFound, Forbidden.
    """
    missing = NotFound(f"there is no build {name[:80]}", fix="see GET /api/builds for those there are")
    if not is_clean(name):
        raise missing
    if name == NEWEST:
        rows = await site.records.runs.page(caller.user_id, 1)
    elif len(name) < _SHORTEST_PREFIX:
        rows = []
    else:
        found = await site.app.builds.rows(20, name)
        rows = [row for row in found if row.build_id == name] or [
            row for row in found if await _sees(site, caller, row)
        ]
    if len(rows) != 1:
        raise missing
    await check_build_row(site, caller, rows[0], "read")
    return Selection(rows[0].user_id, rows[0].project_id, rows[0], caller.session, caller.user_id)


async def _sees(site: ServerState, caller: Caller, row: BuildRow) -> bool:
    return allows(await role_in_build(site, caller, row.user_id, row.project_id), "read")


async def project_of(site: ServerState, caller: Caller, project_id: str) -> Selection:
    """Return the selection of a project's builds that the caller may see; there may be none yet.

    Raises NotFound, Forbidden.
    """
    missing = NotFound(f"there is no project {project_id[:80]}", fix="see GET /projects for yours")
    if not is_clean(project_id):
        raise missing
    selection = Selection(caller.user_id, project_id, session=caller.session, caller=caller.user_id)
    try:
        project = await site.records.projects.get(project_id)
    except NotFound:  # a name, under which each user has builds of their own
        if await site.records.runs.latest_by_project(project_id, caller.user_id) is not None:
            return selection
        if await site.records.inbox.latest(project_id, user_id=caller.user_id) is None:
            await check_name(site, caller, project_id)
            raise missing from None
        return selection
    check_role(await role_in_project(site, caller, project), "read", "project")
    return selection._replace(user_id="")


def is_clean(name: str) -> bool:
    """Return whether `name` can be an id: short, and text that every database accepts."""
    return 0 < len(name) <= LONGEST_NAME and name.isprintable()
