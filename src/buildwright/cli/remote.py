"""An App that is somewhere else: the verbs speak to a running server, and print what they would print beside its store.

Which server: BUILDWRIGHT_URL, with a token in BUILDWRIGHT_TOKEN (`buildwright token` prints one there). Decides nothing.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from buildwright import errors
from buildwright.core.build import Build
from buildwright.core.event import Recorded, StepMode, decode
from buildwright.core.graph import Graph
from buildwright.core.limits import Options
from buildwright.core.snapshot import parse
from buildwright.core.spec import Spec
from buildwright.engine.commands import Choice
from buildwright.engine.follow import stepped
from buildwright.errors import BuildwrightError, Unreachable
from buildwright.ports import BuildRow, Clock, LogEntry, LogLine
from buildwright.views.overview import WorkerHolds
from buildwright.wiring import SystemClock
from buildwright.wiring.awaited import Brought
from buildwright.wiring.changes import Change
from buildwright.wiring.crew import Crew

if TYPE_CHECKING:
    import aiohttp

    from buildwright.cli.stream_client import BuildStream, ServerAccess

_PAGE = 500
_ANSWER_SECONDS = 100.0
_QUIET_SECONDS = 1.0
"""A build that waits for its user is watched until the server has said nothing for this long."""

_ERRORS: Mapping[str, type[BuildwrightError]] = {
    "not-found": errors.NotFound,
    "bad-spec": errors.BadSpec,
    "bad-settings": errors.BadSettings,
    "bad-repository": errors.BadRepository,
    "unsafe-path": errors.UnsafePath,
    "unauthorized": errors.Unauthorized,
    "forbidden": errors.Forbidden,
    "too-many": errors.TooMany,
    "build-is-running": errors.BuildIsRunning,
    "illegal-move": errors.IllegalMove,
    "conflict": errors.Conflict,
    "unreachable": errors.Unreachable,
    "store-failed": errors.StoreFailed,
    "disk-full": errors.DiskFull,
    "model-failed": errors.ModelFailed,
}
"""What a problem's code is here, so that a command ends as it would beside the store."""


class Wire:
    """Requests to one server. Raises the errors that the server names, Unreachable when it does not answer."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def get(self, path: str, **query: object) -> dict[str, Any]:
        """Read."""
        given = {name: str(value) for name, value in query.items() if value not in ("", None)}
        return await self._ask("GET", path, params=given)

    async def post(self, path: str, body: object | None = None) -> dict[str, Any]:
        """Ask for something."""
        return await self._ask("POST", path, json=body if body is not None else {})

    async def _ask(self, method: str, path: str, **parts: Any) -> dict[str, Any]:
        import aiohttp

        try:
            async with self._session.request(method, self.url + path, **parts) as answer:
                found = await answer.json(content_type=None)
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unreachable(
                f"the server {self.url} does not answer: {str(error) or type(error).__name__}",
                fix="start it with `buildwright serve`, or unset BUILDWRIGHT_URL to use the store of this machine",
            ) from error
        if status == 401:
            fix = "print a token with `buildwright token` where the server runs, and set BUILDWRIGHT_TOKEN to it"
            raise errors.Unauthorized(str(found.get("detail", "")) or None, fix=fix)
        if status >= 400:
            kind = _ERRORS.get(str(found.get("code", "")), errors.Refused if status < 500 else errors.CouldNot)
            raise kind(str(found.get("detail", "the server refused")), fix=str(found.get("fix", "")) or None)
        return dict(found)


class RemoteBuilds:
    """The journal as the server shows it: only what verbs read."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def rows(self, limit: int = 50) -> list[BuildRow]:
        """Own builds, newest first."""
        rows: list[BuildRow] = []
        cursor = ""
        while len(rows) < limit:
            page = await self._wire.get("/api/builds", limit=min(limit - len(rows), _PAGE), cursor=cursor)
            rows += [_row(item) for item in page["items"]]
            cursor = page["next_cursor"] or ""
            if not cursor:
                break
        return rows

    async def load(self, build_id: str) -> Build:
        """The newest state."""
        return parse((await self._wire.get(f"/api/machine/builds/{build_id}/state"))["state"])

    async def read(self, build_id: str, after: int = 0, limit: int | None = None) -> list[Recorded]:
        """Events with seq > after."""
        found: list[Recorded] = []
        while limit is None or len(found) < limit:
            most = _PAGE if limit is None else min(_PAGE, limit - len(found))
            page = await self._wire.get(f"/api/builds/{build_id}/events", after=after, limit=most)
            found += [_recorded(item) for item in page["items"]]
            if len(page["items"]) < most:
                break
            after = found[-1].seq
        return found

    async def read_log(
        self, build_id: str, after: int = 0, task: str = "", limit: int = 1000, tail: bool = False
    ) -> list[LogLine]:
        """Lines with seq > after, or the last ones."""
        found: list[LogLine] = []
        while len(found) < limit:
            most = min(_PAGE, limit - len(found))
            path = f"/api/builds/{build_id}/logs"
            page = await self._wire.get(path, after=after, limit=most, task=task, tail="true" if tail else "")
            found += [_line(item) for item in page["items"]]
            if tail or len(page["items"]) < most:
                break
            after = found[-1].seq
        return found

    async def holder(self, build_id: str) -> str | None:
        """Who runs the build now."""
        return str((await self._wire.get(f"/api/machine/builds/{build_id}/crew"))["runner"] or "") or None


class RemoteApp:
    """What verbs use of `wiring.App`, asked of a server."""

    def __init__(self, server: ServerAccess, wire: Wire) -> None:
        self.settings = server.settings
        self.clock: Clock = SystemClock()
        self.builds = RemoteBuilds(wire)
        self.in_cluster = False
        """Of no matter here: the server sees to it that builds are carried out."""
        self.elsewhere = True
        self._wire = wire
        self._server = server

    async def start(
        self, spec: Spec, options: Options, repository: str = "", base: str = "", project_id: str = ""
    ) -> str:
        """Create a build; the server carries it out."""
        body = {
            "spec": spec.model_dump(mode="json"),
            "options": options.model_dump(mode="json"),
            "repository": repository,
            "base": base,
            "project_id": project_id,
        }
        return str((await self._wire.post("/api/machine/builds", body))["build_id"])

    async def plan(self, spec: Spec, options: Options, repository: str = "", base: str = "") -> Graph:
        """The graph of a spec, without building it."""
        body = {
            "spec": spec.model_dump(mode="json"),
            "options": options.model_dump(mode="json"),
            "repository": repository,
            "base": base,
        }
        return Graph.model_validate((await self._wire.post("/api/machine/plans", body))["graph"])

    async def find(self, build: str = "") -> str:
        """The full id of a build, from an id, a unique beginning of one, or "" for the newest."""
        return str((await self._wire.get("/api/machine/find", build=build))["build_id"])

    async def crew(self, build_id: str) -> Crew:
        """Who works on the build."""
        found = await self._wire.get(f"/api/machine/builds/{build_id}/crew")
        holdings = tuple(WorkerHolds(**item) for item in found["holdings"])
        return Crew(found["runner"], found["in_cluster"], found["workers"], holdings)

    async def change(self, build: Build, task: str = "") -> Change:
        """What the build, or one of its tasks, changed."""
        found = await self._wire.get(f"/api/builds/{build.id}/diff", task=task)
        return Change(found["old"], found["new"], found["diff"])

    async def step(self, build_id: str, mode: StepMode = "auto", message: str = "") -> str:
        body = {"mode": mode, "message": message}
        return str((await self._wire.post(f"/api/machine/builds/{build_id}/step", body))["step_id"])

    async def stepped(
        self,
        build_id: str,
        step_id: str,
        seconds: float = math.inf,
        on_event: Callable[[Recorded, Build], None] | None = None,
        since: Build | None = None,
    ) -> Build:
        """See `App.stepped`."""
        return await stepped(self.builds, build_id, step_id, seconds, on_event, since)

    async def pause(self, build_id: str, message: str = "") -> Build:
        await self._wire.post(f"/api/builds/{build_id}/pause", {"message": message})
        return await self.builds.load(build_id)

    async def resume(
        self, build_id: str, choice: Choice = "go", message: str = "", budget_usd: Decimal | None = None
    ) -> Build:
        body = {"choice": choice, "message": message, "budget_usd": None if budget_usd is None else str(budget_usd)}
        await self._wire.post(f"/api/builds/{build_id}/resume", body)
        return await self.builds.load(build_id)

    async def say(self, build_id: str, text: str, task: str = "") -> str:
        return str((await self._wire.post(f"/api/builds/{build_id}/say", {"text": text, "task": task}))["message_id"])

    async def stop(self, build_id: str, message: str = "") -> Build:
        await self._wire.post(f"/api/builds/{build_id}/stop", {"message": message})
        return await self.builds.load(build_id)

    async def run(
        self,
        build_id: str,
        on_event: Callable[[Recorded, Build], None] | None = None,
        on_log: Callable[[LogEntry], None] | None = None,
        detach: asyncio.Event | None = None,
        *,
        stay: bool = False,
    ) -> Build:
        """See that the server carries the build out, and watch its stream until it has ended or rests.

        The stream goes on after a cut or a restart of the server, and misses nothing.
        """
        from buildwright.cli.live import LiveView
        from buildwright.cli.output import Output
        from buildwright.cli.stream_client import BuildStream

        build = await self.builds.load(build_id)
        if build.is_terminal:
            return build
        await self._wire.post(f"/api/builds/{build_id}/run")
        say = LiveView(Output(False), self.clock).say
        stream = BuildStream(self._server, build_id, "journal", say, told=build.version, quiet=_QUIET_SECONDS)
        watching = asyncio.create_task(_watch(stream, on_event, on_log, stay))
        leaving = asyncio.create_task((detach or asyncio.Event()).wait())
        try:
            await asyncio.wait({watching, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()
        finally:
            watching.cancel()
            leaving.cancel()
            await asyncio.gather(watching, leaving, return_exceptions=True)
        seen = stream.build
        return seen if seen is not None and seen.version > build.version else build

    async def bring_home(self, build: Build) -> Brought:
        """The server's repositories are its own."""
        return Brought(build, False)


@asynccontextmanager
async def open_remote(server: ServerAccess) -> AsyncIterator[RemoteApp]:
    """What verbs ask of a server, until the end of the block."""
    import aiohttp

    headers = server.headers()
    if server.settings.correlation_id:
        headers["X-Correlation-Id"] = server.settings.correlation_id
    timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS, sock_connect=10.0)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout, trust_env=False) as session:
        yield RemoteApp(server, Wire(server.url, session))


async def _watch(
    stream: BuildStream,
    on_event: Callable[[Recorded, Build], None] | None,
    on_log: Callable[[LogEntry], None] | None,
    stay: bool,
) -> None:
    """Tell what a stream says until the build has ended or rests."""
    from buildwright.cli.stream_client import QUIET

    async with aclosing(stream.news()) as all_news:
        async for frame, news in all_news:
            if news is None:
                continue
            news.tell(on_event, on_log)
            # What still runs of a build that waits goes on there, watched or not.
            rests = news.build.waits_for_user and not stay and frame["type"] == QUIET
            if not news.more and (news.build.is_terminal or rests):
                return


def _row(item: Mapping[str, Any]) -> BuildRow:
    times = {name: _time(item[name]) for name in ("created_at", "updated_at", "completed_at")}
    names = {field.name for field in fields(BuildRow)} - times.keys()
    return BuildRow(**{name: item[name] for name in names}, **times)  # type: ignore[arg-type]


def _recorded(item: Mapping[str, Any]) -> Recorded:
    import json

    fields = {name: value for name, value in item.items() if name not in {"seq", "at", "type"}}
    at = _time(item["at"])
    assert at is not None
    return Recorded(item["seq"], at, decode(item["type"], json.dumps(fields)))


def _line(item: Mapping[str, Any]) -> LogLine:
    at = _time(item["at"])
    assert at is not None
    return LogLine(item["seq"], at, item["task"], item["attempt"], item["kind"], item["text"])


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
