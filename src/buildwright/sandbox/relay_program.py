"""Relays ports of a sandbox's own loopback to sockets that lead out of it, then becomes the command.

A program of its own, which runs inside: it must import nothing of ours. Its arguments are a file of JSON, with
`relays` (pairs of a port and the path of a socket), `proxy` (such a path, or ""), `counters` (a socket that takes the
counters of this network, or "") and `variables` (values with `{}` for the proxy's port), and the command. It exits with
127 when the command cannot be started.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path

_NOT_FOUND = 127


def main(config: str, argv: list[str]) -> None:
    """Start the relays in a process of their own, which no other waits for, then become the command."""
    told = json.loads(Path(config).read_text("utf-8"))
    servers = [(socket.create_server(("127.0.0.1", port), backlog=64), path) for port, path in told["relays"]]
    if told["proxy"]:
        proxy = socket.create_server(("127.0.0.1", 0), backlog=64)
        servers.append((proxy, told["proxy"]))
        port = str(proxy.getsockname()[1])
        os.environ.update({name: value.replace("{}", port) for name, value in told["variables"].items()})
    if told["counters"]:
        _hand_out(told["counters"])
    first = os.fork()
    if first == 0:
        # Twice: a child of the command would be one that it does not know of, and might wait for.
        if os.fork() == 0:
            _serve(servers)
        os._exit(0)
    os.waitpid(first, 0)
    for server, _ in servers:
        server.close()
    try:
        os.execvp(argv[0], argv)  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"prlimit: failed to execute {argv[0]}: {error.strerror}\n")
        sys.exit(_NOT_FOUND)


def _hand_out(path: str) -> None:
    """Send the counters of this network: what they hold now, and the open files.

    Whatever happens, the command must not begin before: what comes first is believed.
    """
    paths = (Path("/proc/self/net", name) for name in ("snmp", "snmp6"))
    files = [path.open() for path in paths if path.exists()]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        held = json.dumps([file.read() for file in files]).encode()
        one.connect(path)
        socket.send_fds(one, [held], [file.fileno() for file in files])
    for file in files:
        file.close()


def _serve(servers: list[tuple[socket.socket, str]]) -> None:
    """Accept for ever; the process ends with its sandbox. It must not hold the command's output open, nor end before."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    threads = [threading.Thread(target=_accept, args=one) for one in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _accept(server: socket.socket, path: str) -> None:
    while True:
        near, _ = server.accept()
        far = socket.socket(socket.AF_UNIX)
        try:
            far.connect(path)
        except OSError:
            near.close()
            continue
        for pair in ((near, far), (far, near)):
            threading.Thread(target=_pump, args=pair, daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65_536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
