"""Runs a command beside services, inside the command's own sandbox. A program of its own: it must import nothing of ours.

Its arguments are a file of JSON and the command for a shell. The file is a list of services, each with `name`,
`command`, `ready` (a port of the loopback, or a command), `seconds` and `log` (a path). It exits as the command does,
or with 125 when a service is not ready.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

NOT_READY = 125
_TAIL = 1_500
_PAUSE = 0.05
_GRACE = 3.0


def main(config: str, command: str) -> int:
    """Start everything, run the command, end the services."""
    told: list[dict[str, Any]] = json.loads(Path(config).read_text("utf-8"))
    started = [(service, _start(service)) for service in told]
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
            return f"exited with code {process.returncode} before it was ready"
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


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
