"""The verb `health`: whether a server or a worker is at work, for containers. Must never change anything."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from buildwright.cli.output import Output
from buildwright.errors import BadSettings, Refused, Unreachable
from buildwright.settings import Settings

_URL = "http://127.0.0.1:8321"
_MOST_BYTES = 65_536


async def health(
    url: Annotated[str, Parameter(help="Of a server that `buildwright serve` has started.")] = _URL,
    /,
    *,
    worker: Annotated[bool, Parameter(help="Ask for a worker instead of a server.")] = False,
    name: Annotated[str, Parameter(help="What the worker is called; the name of this machine when left out.")] = "",
    timeout: Annotated[float, Parameter(help="Seconds to wait for an answer.")] = 5.0,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> None:
    """Say whether a server answers, or whether a worker gives signs of life; exit with 6 if not.

    A server is asked over HTTP and needs no authentication for it. A worker is looked up in the database that
    DATABASE_URL names, where it signs every few seconds.
    """
    import asyncio
    import socket

    if timeout <= 0:
        raise Refused(f"--timeout {timeout:g} leaves no time for an answer", fix="give some seconds")
    if name and not worker:
        raise Refused("--name is for a worker", fix="add --worker")
    if worker and url != _URL:
        raise Refused("a worker is looked up in the database, not by a URL", fix="leave out --worker or the URL")
    output = Output(json)
    if worker:
        what = f"worker {name or socket.gethostname()}"
        await _worker_works(Settings.load(), name or socket.gethostname(), timeout)
    else:
        what = url
        await asyncio.to_thread(_server_answers, url, timeout)
    if output.json:
        output.data({"healthy": True, "what": what})
    else:
        output.print(f"{what} is healthy")


def _server_answers(url: str, seconds: float) -> None:
    """Check that the server at `url` says it is well within `seconds`. Raises Refused (no HTTP URL), Unreachable."""
    import http.client
    import json
    from urllib.error import HTTPError, URLError
    from urllib.parse import urlsplit
    from urllib.request import ProxyHandler, build_opener

    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise Refused(f"{url} is not the URL of a server", fix=f"give one like {_URL}")
    asked = f"{url.rstrip('/')}/health"
    fix = "look at the log of the server; `buildwright serve` starts one"
    # A proxy that the environment names is for other networks, not for a server on this one.
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(asked, timeout=seconds) as answer:
            body = json.loads(answer.read(_MOST_BYTES))
    except HTTPError as error:
        raise Unreachable(f"{asked} answers with status {error.code}", fix=fix) from error
    except (URLError, OSError, http.client.HTTPException) as error:
        raise Unreachable(f"{asked} does not answer: {getattr(error, 'reason', error)}", fix=fix) from error
    except ValueError as error:
        raise Unreachable(f"{asked} does not answer with JSON", fix=fix) from error
    if not isinstance(body, dict) or body.get("status") != "ok":
        raise Unreachable(f"{asked} does not say that it is well", fix=fix)


async def _worker_works(settings: Settings, name: str, seconds: float) -> None:
    """Check that the database has a living worker called `name`. Raises BadSettings, Unreachable, StoreFailed."""
    from buildwright.store.postgres_workers import workers_of
    from buildwright.wiring.runners import state_of

    if not settings.database_url:
        raise BadSettings(
            "workers are found in the database that they share",
            fix="set DATABASE_URL, REDIS_URL and BUILDWRIGHT_HUB as for the worker",
        )
    rows = [row for row in await workers_of(settings.database_url, seconds) if row.name == name]
    if any(state_of(row) == "alive" for row in rows):
        return
    silent = min((row.silent_seconds for row in rows), default=None)
    why = "has not started" if silent is None else f"has given no sign of life for {silent:.0f} s"
    raise Unreachable(f"worker {name} {why}", fix="look at the log of the worker")
