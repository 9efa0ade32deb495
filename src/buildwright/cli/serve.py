"""The verb `serve`: runs the HTTP API, alone or for a cluster. Must never hold a route."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.exit_codes import Exit
from buildwright.cli.session import keep_warnings
from buildwright.errors import Conflict, Refused

if TYPE_CHECKING:
    import socket
    from pathlib import Path

SIGN_IN_SECONDS = 600.0
_BACKLOG = 2048


async def serve(
    *,
    host: Annotated[
        str, Parameter(help="Address to listen on. Anything but this machine's own needs --public.")
    ] = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port to listen on; 0 takes a free one.")] = 8321,
    public: Annotated[bool, Parameter(help="Listen where other machines can reach it; put TLS in front.")] = False,
    open_: Annotated[bool, Parameter(name="--open", help="Open the pages in your browser, signed in.")] = False,
    json: Annotated[bool, Parameter(help="The log as JSON lines, also on a terminal.")] = False,
) -> None:
    """Serve the HTTP API and its streams until Ctrl-C or termination. Builds that are under way can go on afterwards.

    What is asked already is answered first; a second Ctrl-C, or termination, ends it at once.

    Prints an address with a one-time token that signs this user in. Without a cluster it carries out the builds itself.
    """
    _check_host(host, public)
    await serve_on(listen(host, port), host, opens="/" if open_ else "", json=json)


async def serve_on(listening: socket.socket, host: str, *, opens: str = "", json: bool = False) -> None:
    """Serve on a socket that listens until Ctrl-C. `opens` is the page to open in the user's browser, "" for none."""
    import asyncio
    import gc
    import os
    import signal
    import sys
    from functools import partial

    gc.disable()  # of what imports make nearly all stays: looking for garbage meanwhile is a sixth of the start's work
    from buildwright.api.app import api_for, open_site
    from buildwright.api.server import Quiet, calm_collector, configured
    from buildwright.api.settings import loaded
    from buildwright.telemetry.logs import open_log
    from buildwright.wiring import masked, open_app

    gc.enable()
    settings = loaded()
    with listening:
        number = listening.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{'127.0.0.1' if host in {'0.0.0.0', '::'} else shown}:{number}"  # noqa: S104  only compared
        log = open_log(sys.stdout, partial(masked, settings), json=json or not sys.stdout.isatty())
        async with open_app(settings) as app, open_site(app, log, address) as site:
            keep_warnings(settings.home / "warnings.log")
            calm_collector()
            server = Quiet(configured(api_for(site)))

            def end() -> None:
                if site.closing.is_set():  # the second signal: what is recorded is safe, so end at once
                    os._exit(Exit.INTERRUPTED)
                site.closing.set()
                server.should_exit = True

            for signal_number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(signal_number, end)
            token = site.signer.issue(settings.user, "sign-in", SIGN_IN_SECONDS, app.clock.now())
            with _noted(settings.home / "server.json", address):
                print(f"Buildwright listens on {address}", file=sys.stderr)  # noqa: T201
                for odd in settings.odd_keys:
                    print(f"warning: {odd}", file=sys.stderr)  # noqa: T201
                print(f"Sign in once with: {address}/sign-in?token={token}", file=sys.stderr)  # noqa: T201
                log("serving", address=address, builds="workers" if app.in_cluster else "here")
                opening = asyncio.create_task(_open(settings.home, address, token, opens))
                await server.serve(sockets=[listening])
                await opening
            log("ended", running=site.hosting.running)


async def _open(home: Path, address: str, token: str, page: str) -> None:
    """Open a page in the user's browser, unless `page` is ""; say so where there is no browser."""
    import asyncio
    import sys

    from buildwright.cli.open_browser import open_in_browser

    if not page:
        return
    place = f"{address}/sign-in?token={token}&next={page}#open"
    if not await asyncio.to_thread(open_in_browser, home / "open.html", place):
        print(f"No browser was found here: open the address above, then {address}{page}", file=sys.stderr)  # noqa: T201


def _check_host(host: str, public: bool) -> None:
    """Raise Refused for an address that other machines can reach, unless `public` is set."""
    import ipaddress

    if host == "localhost" or public:
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise Refused(
            f"--host {host} can be reached by other machines", fix="add --public to listen for other machines"
        )


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises Conflict when the port is in use, Refused for any other failure."""
    import socket

    try:
        family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
        listening.listen(_BACKLOG)  # a client can connect from now on, and waits for the server
    except (OSError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno == 98:
            raise Conflict(f"port {port} is in use", fix="choose another with --port, or 0 for a free one") from error
        raise Refused(f"cannot listen on {host}:{port}: {error}", fix="choose another --host or --port") from error
    return listening


class _noted:  # noqa: N801  used as a function
    """Keeps a file in the home that names the server's address while it serves: `watch` and `logs` read it."""

    def __init__(self, file: Path, address: str) -> None:
        self._file = file
        self._address = address

    def __enter__(self) -> None:
        import json
        import os

        from buildwright.store.lease_holders import this_process

        aside = self._file.with_suffix(f".{os.getpid()}")
        aside.write_text(json.dumps({"url": self._address, "holder": this_process()}))
        aside.replace(self._file)

    def __exit__(self, *_: object) -> None:
        self._file.unlink(missing_ok=True)
        self._file.with_name("open.html").unlink(missing_ok=True)
