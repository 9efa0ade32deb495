"""Runs a command beside services, inside the command's own sandbox. A program of its own: it must import nothing of ours.

Its arguments are a file of JSON and the command for a shell. The file has `services`, each with `name`, `command`,
`ready` (a port of the loopback, or a command), `seconds`, `log` (a path); and `forwards`, each with a `port` of the
loopback and the `socket` that leads out of the sandbox. It exits as the command does, or with 125 when a service is
not ready.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

NOT_READY = 125
_TAIL = 1_500
_PAUSE = 0.05
_GRACE = 3.0


def main(config: str, command: str) -> int:
    """Start everything, run the command, end the services."""
    told: dict[str, Any] = json.loads(Path(config).read_text("utf-8"))
    for forward in told["forwards"]:
        _forward(forward["port"], forward["socket"])
    started = [(service, _start(service)) for service in told["services"]]
    try:
        for service, process in started:
            if why := _why_not_ready(service, process):
                sys.stdout.write(f"The service {service['name']} {why}. It said last:\n{_last(service['log'])}\n")
                return NOT_READY
        code = subprocess.call(["sh", "-c", command])
        return code if code >= 0 else 128 - code
    finally:
        for _, process in started:
            _end(process)


def _start(service: dict[str, Any]) -> subprocess.Popen[bytes]:
    with Path(service["log"]).open("wb") as log:
        return subprocess.Popen(
            ["sh", "-c", service["command"]],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _why_not_ready(service: dict[str, Any], process: subprocess.Popen[bytes]) -> str:
    """Wait until a service is ready; return why it is not, "" when it is."""
    end = time.monotonic() + service["seconds"]
    while time.monotonic() < end:
        if _is_ready(service["ready"], max(end - time.monotonic(), _PAUSE)):
            return ""
        if process.poll() is not None:
            return f"ended with exit code {process.returncode} before it was ready"
        time.sleep(_PAUSE)
    return f"was not ready within {service['seconds']:g} seconds (ready: {service['ready']})"


def _is_ready(ready: str | int, seconds: float) -> bool:
    if isinstance(ready, int):
        for host in ("127.0.0.1", "::1"):
            with contextlib.suppress(OSError), socket.create_connection((host, ready), timeout=seconds):
                return True
        return False
    quiet = subprocess.DEVNULL
    try:
        done = subprocess.run(
            ["sh", "-c", ready], check=False, stdin=quiet, stdout=quiet, stderr=quiet, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _last(log: str) -> str:
    content = Path(log).read_bytes()
    return content[-_TAIL:].decode("utf-8", "replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)


def _forward(port: int, path: str) -> None:
    """Listen on a port of this loopback; each connection goes through the socket at `path`."""
    server = socket.create_server(("127.0.0.1", port), backlog=64)

    def serve() -> None:
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

    threading.Thread(target=serve, daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65_536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
